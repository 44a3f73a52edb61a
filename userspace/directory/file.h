/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whole files: read with a limit, made without overwriting, replaced in one step. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "lib/error.h"

/* The content with a final NUL that ret_len does not count (malloc). -EFBIG above max; -EINVAL: not a regular file. */
int file_read(const char *path, size_t max, char **ret, size_t *ret_len, struct error *err);
/* Up to cap bytes from fd into buf; -EFBIG if there are more. */
int file_read_fd(int fd, void *buf, size_t cap, size_t *ret_len);
/* A new file, on the disk when this returns. -EEXIST; a failed one is removed again. */
int file_create(const char *path, const void *data, size_t len, mode_t mode, struct error *err);
/* The same over an existing file: readers see the old content or the new, never a part. */
int file_replace(const char *path, const void *data, size_t len, mode_t mode, struct error *err);
