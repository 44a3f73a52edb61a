/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The first line of an answer: a sentence of a stranger for our operator's terminal or log. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define LINE_MAX_BYTES 200u /* with the LF that ends it */

struct line { /* begins as zeros */
	char text[LINE_MAX_BYTES];
	size_t len;
	size_t seen; /* bytes of the answer */
	bool done;   /* the rest does not matter */
};

/* More of the answer. What is not printable ASCII becomes "?", a CR goes, what is too long is cut. */
void line_take(struct line *l, const void *data, size_t len);
/* No more comes: puts the LF behind it, if there is a line at all. */
void line_end(struct line *l);
