/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The head of an answer, line by line as it comes (RFC 9112): the status, and that nothing unasked for is in it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "lib/error.h"
#include "lib/fetch_status.h"

#define HEADERS_MAX 16384u /* bytes of all lines, of interim answers and behind the content too */

struct headers { /* begins as zeros */
	size_t bytes;
	unsigned int status; /* of the answer when `done`; 0: not known yet */
	bool done;
};

/*
 * The next line, with or without its CR LF. FETCH_CONTENT: too much; no HTTP/1.0 or 1.1; a line that continues the one
 * before; an encoding other than the chunked transfer, for decoders that nobody asked for are only there to be
 * attacked.
 */
enum fetch_status headers_line(struct headers *h, const char *line, size_t len, struct error *err);
