/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fetch/line.h"

void line_take(struct line *l, const void *data, size_t len)
{
	const unsigned char *p = data;

	for (size_t i = 0; i < len && !l->done; i++) {
		if (p[i] == '\n')
			l->done = true;
		else if (p[i] != '\r')
			l->text[l->len++] = p[i] >= ' ' && p[i] <= '~' ? (char)p[i] : '?';
		if (++l->seen == LINE_MAX_BYTES - 1)
			l->done = true;
	}
}

void line_end(struct line *l)
{
	l->done = true;
	if (l->len > 0 && l->text[l->len - 1] != '\n')
		l->text[l->len++] = '\n';
}
