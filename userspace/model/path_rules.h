/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a user wishes of the relays of a path, whatever the circuit is for. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COUNTRIES_MAX (26u * 26u)
#define OPERATORS_MAX 16u		   /* in one place; the rules of two are put together */
#define RULES_LIFE_MAX (30u * 24u * 3600u) /* seconds */

struct countries {
	char v[COUNTRIES_MAX][3]; /* ISO 3166-1 alpha-2, capitals, each once */
	size_t n;
};

struct path_rules {
	struct countries exits;				/* the exit is in one of these; none: anywhere */
	struct countries never;				/* no relay is in one of these, nor where nobody knows */
	uint8_t never_operators[2 * OPERATORS_MAX][32]; /* no relay is of one of these families */
	size_t n_never_operators;
	uint32_t min_life; /* seconds: no relay says that it ends earlier */
};

/* NULL, or what is wrong with it. Twice is once. */
const char *countries_add(struct countries *c, const char *text);
/* A family's key in base64. The same. */
const char *path_rules_add_operator(struct path_rules *r, const char *text);
/* What is never is never in either; own counts for the rest where it says something. */
void path_rules_join(const struct path_rules *always, const struct path_rules *own, struct path_rules *ret);
/* Whether they say anything. */
static inline bool path_rules_any(const struct path_rules *r)
{
	return r->exits.n || r->never.n || r->n_never_operators || r->min_life;
}
