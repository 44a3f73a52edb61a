/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Compression as wire/dirhttp.h wants it. */
#pragma once

#include <stdint.h>

#include "dirauth/shelf.h"

/*
 * One Zstandard frame of text, with prefix_len bytes of prefix before it (0: none). NULL: no memory. Who decodes it
 * needs a window of 128 MiB at most.
 */
struct page *press(const char *text, size_t len, const char *prefix, size_t prefix_len, uint32_t max_age);
