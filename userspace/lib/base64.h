/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Base64 of RFC 4648 section 4, with padding, canonical; in constant time, for keys pass through it. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define BASE64_LEN(bytes) (((bytes) + 2) / 3 * 4 + 1) /* characters, with the final NUL */

/* Exactly ret_len bytes or -EINVAL (ret may then hold part of them). */
int base64_parse(const char *text, size_t len, uint8_t *ret, size_t ret_len);
/* ret has room for BASE64_LEN(len). */
void base64_write(const uint8_t *bytes, size_t len, char *ret);
