/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whole files: read with a limit, made without overwriting, replaced in one step, wiped. */
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

#define FILE_SECRET_MAX 4096u /* bytes */
/*
 * A small file with a secret, from directory descriptor dir (or AT_FDCWD), into cap bytes of secmem. shown names it in
 * errors. -EACCES: others than its owner may read or write it; -EINVAL: not a regular file; -EFBIG; open(2), read(2).
 */
int file_read_secret(int dir, const char *name, int flags, const char *shown, void *buf, size_t cap, size_t *ret_len,
		     struct error *err);
/*
 * Overwrites a file (its first FILE_SECRET_MAX bytes) and removes it; 0 also if there is none. On the disk when this
 * returns, as far as a file system writes where it wrote before: journals, copies on write and flash keep what was
 * there. Of a file that has another name only this name goes. -ELOOP: a symbolic link; -EINVAL: not a regular file;
 * open(2), unlink(2).
 */
int file_wipe(const char *path, struct error *err);
/*
 * file_replace for secrets, mode 0600, one writer at a time: what was there is overwritten once the new is on the disk.
 * A crash leaves the old or the new at path, and perhaps PATH.new or PATH.old, which the next call wipes, or
 * file_wipe_rest.
 */
int file_replace_secret(const char *path, const void *data, size_t len, struct error *err);
int file_wipe_rest(const char *path, struct error *err);
