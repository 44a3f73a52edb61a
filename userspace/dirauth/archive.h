/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files of the state directory (dirauth/authority.h lists them). Errors are negative errno, with a sentence. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lib/error.h"

#define ARCHIVE_TIMES_MAX 32u

/* NAME-T, or NAME alone for t 0; replaced in one step. */
int archive_save(const char *dir, const char *name, uint64_t t, const char *text, size_t len, struct error *err);
/* 1: there it is (malloc, NUL-terminated); 0: there is none. */
int archive_load(const char *dir, const char *name, uint64_t t, size_t max, char **ret, size_t *ret_len,
		 struct error *err);
/* The T of all NAME-T, the newest ARCHIVE_TIMES_MAX of them, the newest first. The number of them. */
int archive_times(const char *dir, const char *name, uint64_t ret[ARCHIVE_TIMES_MAX], struct error *err);
/* Removes all NAME-T with T before `before`. */
int archive_prune(const char *dir, const char *name, uint64_t before, struct error *err);
