/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "anonctl/table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static char clean(char c)
{
	return c >= ' ' && c <= '~' ? c : '?';
}

char *text_clean(const char *text, char *ret, size_t size)
{
	size_t i = 0;

	for (; text[i] && i + 1 < size; i++)
		ret[i] = clean(text[i]);
	ret[i] = '\0';
	return ret;
}

void text_put(FILE *out, const char *text)
{
	for (; *text; text++)
		fputc(clean(*text), out);
}

int table_row(struct table *t)
{
	if (t->rows == t->cap) {
		size_t cap = t->cap ? t->cap * 2 : 16;
		void *cells = realloc(t->cells, cap * sizeof(*t->cells));

		if (!cells)
			return -ENOMEM;
		t->cells = cells;
		t->cap = cap;
	}
	memset(t->cells[t->rows++], 0, sizeof(*t->cells));
	return 0;
}

void table_set(struct table *t, size_t column, const char *text)
{
	text_clean(text, t->cells[t->rows - 1][column], TABLE_CELL);
	if (column >= t->columns)
		t->columns = column + 1;
}

static size_t width(const struct table *t, size_t column)
{
	size_t w = 0;

	for (size_t i = 0; i < t->rows; i++) {
		size_t len = strlen(t->cells[i][column]);

		w = len > w ? len : w;
	}
	return w;
}

void table_print(const struct table *t, FILE *out)
{
	size_t w[TABLE_COLUMNS] = { 0 };

	for (size_t c = 0; c < t->columns; c++)
		w[c] = width(t, c);
	for (size_t i = 0; i < t->rows; i++) {
		size_t last = t->columns;

		while (last > 1 && t->cells[i][last - 1][0] == '\0') /* no blanks at the end of a line */
			last--;
		for (size_t c = 0; c < last; c++)
			fprintf(out, "%-*s%s", c + 1 < last ? (int)w[c] : 0, t->cells[i][c], c + 1 < last ? "  " : "");
		fputc('\n', out);
	}
}

void table_clear(struct table *t)
{
	free(t->cells);
	memset(t, 0, sizeof(*t));
}
