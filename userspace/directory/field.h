/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Members of a JSON object, each with its type and range. Errors are -EINVAL with "<member>: <what is wrong>". */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/error.h"

/* An integer in [min, max]. */
int field_uint(const json_t *obj, const char *name, uint64_t min, uint64_t max, uint64_t *ret, struct error *err);
int field_bool(const json_t *obj, const char *name, bool *ret, struct error *err);
/* Base64 of exactly len bytes. */
int field_bytes(const json_t *obj, const char *name, uint8_t *ret, size_t len, struct error *err);
/* A string; *ret stays NULL if the member is absent. It belongs to obj. */
int field_text(const json_t *obj, const char *name, const char **ret, struct error *err);
/* Refuses members that are not among the n names. */
int field_only(json_t *obj, const char *const *names, size_t n, struct error *err);
