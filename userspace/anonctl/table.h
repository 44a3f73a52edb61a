/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text for a terminal: aligned columns, and nothing in it that a terminal would obey. */
#pragma once

#include <stddef.h>
#include <stdio.h>

#define TABLE_COLUMNS 11u
#define TABLE_CELL 80u /* bytes of a cell, with the final NUL; longer text is cut */

struct table {
	size_t columns, rows, cap;
	char (*cells)[TABLE_COLUMNS][TABLE_CELL]; /* row 0: the titles */
};

/* Copies text so that only printable ASCII is left (others become '?'); cut to size. Returns ret. */
char *text_clean(const char *text, char *ret, size_t size);
/* Prints it the same way, uncut. */
void text_put(FILE *out, const char *text);

/* Starts a row of empty cells; the first one is the titles. -ENOMEM. */
int table_row(struct table *t);
/* Sets a cell of the last row. */
void table_set(struct table *t, size_t column, const char *text);
void table_print(const struct table *t, FILE *out);
void table_clear(struct table *t);
