/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What authorities say of a relay in a word each. Words that we do not know are kept: others count them too. */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "lib/error.h"
#include "wire/document.h"

#define FLAGS_VOTE_MAX 8u /* of a vote; so a consensus, with those of more than half, has fewer than twice as many */
#define FLAGS_MAX 16u
#define FLAG_MAX 16u /* with the final NUL */
#define FLAG_GUARD "guard"
#define FLAG_RUNNING "running"
#define FLAG_GUARD "guard" /* fit to be one, for months */

struct flags {
	char v[FLAGS_MAX][FLAG_MAX]; /* ascending */
	size_t n;
};

bool flags_have(const struct flags *f, const char *flag);
/* Behind all that it has, in order; false: no room, or not in order. */
bool flags_add(struct flags *f, const char *flag);
/* Of max at most. -EINVAL. */
int flags_take(struct flags *ret, size_t max, struct document_words *w, struct error *err);
void flags_put(FILE *out, const struct flags *f);
