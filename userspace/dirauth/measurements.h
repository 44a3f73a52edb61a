/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What somebody has measured of relays: lines as in wire/document.h, "relay BYTES32 KIB": identity, KiB a second.
 * Whoever writes the file replaces it in one step.
 */
#pragma once

#include "directory/roster.h"
#include "lib/error.h"

#define MEASUREMENTS_MAX (1u << 20) /* bytes */

/* Instead of all that was measured before; then nothing is if it fails. -EINVAL with the line; file_read's. */
int measurements_read(const char *path, struct roster *r, struct error *err);
int measurements_parse(const char *text, size_t len, struct roster *r, struct error *err);
