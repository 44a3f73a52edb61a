/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside directory/ only: what a roster knows of a relay, and what follows from it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "directory/roster.h"
#include "lib/hash.h"

#define CLAIM_LEN 33u
#define CLAIMS_MAX 4u

/* By which of its addresses a relay posted its descriptor. */
enum { FROM_4 = 1, FROM_6 = 2 };

struct member;

/* That a key or an address is this relay's. */
struct claim {
	uint8_t what[CLAIM_LEN]; /* its kind, and it */
	struct member *of;
	UT_hash_handle hh;
};

struct member {
	struct relay_id id;
	char *text;
	size_t len;
	struct server_descriptor d; /* facts_text is of text */
	uint64_t known_since, probed;
	/*
	 * What is kept of it beside its descriptor. wasted: when it last counted as running for having come itself and
	 * did not answer, chances: how often, since it last answered.
	 */
	uint64_t posted, answered, wasted, chances;
	uint64_t silent; /* since when, whenever it was asked; 0: it answered, or was not asked */
	uint8_t from;	 /* FROM_*: the addresses that it has and came from */
	bool measured;
	uint32_t kib;
	struct claim claims[CLAIMS_MAX];
	size_t n_claims;
	UT_hash_handle hh;
};

struct roster {
	struct roster_rules rules;
	uint64_t told; /* when a probe last said that a relay answers or does not; 0: never */
	struct member *members;
	struct claim *claims;
};

/* NULL: there is none. */
struct member *roster_member(const struct roster *r, const struct relay_id *id);
bool member_is_valid(const struct member *m, uint64_t now);
/* It posted a descriptor itself. */
void member_came(const struct roster *r, struct member *m, uint64_t now);
/* What was seen in the future was seen by another clock. */
bool member_recently(uint64_t then, uint64_t now, uint64_t life);
/* Whether it counts as running. */
bool member_answers(const struct roster *r, const struct member *m, uint64_t now);
