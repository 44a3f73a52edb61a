/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The few relays that may be the first of this client's circuits, for months (Tor's proposal 271 has the reasons).
 * Whoever draws a new guard for each circuit gives each relay its chance to be both ends of one.
 *
 * A sample is drawn by weight and kept in its order, those that once worked before those that never did. The first
 * GUARDS_PRIMARY that are listed are tried in order; another one only when all of these have failed twice, and they are
 * tried again all the time. Whoever cuts this client off from its guards, or takes them down, moves it along the
 * sample, at the pace of these attempts, but chooses nothing; and the sample grows by one a day at most, whether for
 * failures or for guards that are not listed any more. Only where none at all is listed, one comes at once, and where
 * a path that somebody wishes can begin with none of them (path.h).
 *
 * Pure: what is drawn is given, and so is time. There are two: `date`, that of the newest consensus (seconds since 1970
 * UTC), by which guards live, so that nobody ends them by setting a clock, and which never goes back; and `now`,
 * seconds that only go forward, by which attempts are made.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/rand.h"
#include "model/relay.h"

#define GUARDS_MAX 20u	 /* of a sample */
#define GUARDS_SAMPLE 6u /* that are listed, as long as the network has as many */
#define GUARDS_PRIMARY 3u

struct guard {
	struct relay_id id;
	uint64_t added;	    /* date, blurred backwards by GUARDS_BLUR at most */
	uint64_t confirmed; /* date when it first worked, blurred; 0: never */
	uint64_t unlisted;  /* date since when no consensus has it as a guard; 0: it has */
	/* of this run only */
	unsigned int failures; /* since it last worked */
	uint64_t retry_at;
};

struct guards {
	struct guard v[GUARDS_MAX]; /* in the order of trying */
	size_t n;
	uint64_t grown; /* date when it last did */
};

#define GUARDS_DAY UINT64_C(86400)
#define GUARDS_LIFE_UNCONFIRMED (120 * GUARDS_DAY)
#define GUARDS_LIFE_CONFIRMED (60 * GUARDS_DAY)
#define GUARDS_LIFE_UNLISTED (20 * GUARDS_DAY)
#define GUARDS_BLUR (10 * GUARDS_DAY)

struct guards_source {
	/* Whether it can be a guard now. */
	bool (*listed)(void *ctx, const struct relay_id *id);
	/* Another one by weight, none of the n. False: there is none. */
	bool (*draw)(void *ctx, const struct relay_id *none, size_t n, struct relay_id *ret);
	/* Whether what is wanted now can begin with it at all, failures aside. NULL: with any. */
	bool (*suits)(void *ctx, const struct relay_id *id);
	void *ctx;
};

/* At the start and for each consensus: who is listed, whose time is over; an empty sample is filled. */
void guards_refresh(struct guards *g, const struct guards_source *source, const struct rng *rng, uint64_t date);
/*
 * The one to try now, of those that suit: as if there were no others. NULL: none is to be tried before *ret_wait
 * (seconds from now); 0 there: none suits. When all have failed, the sample grows, if a day has passed since it last
 * did.
 */
const struct relay_id *guards_pick(struct guards *g, const struct guards_source *source, const struct rng *rng,
				   uint64_t date, uint64_t now, uint64_t *ret_wait);
/* One more, behind the others, at once. NULL: there is no room. */
const struct relay_id *guards_add(struct guards *g, const struct relay_id *id, const struct rng *rng, uint64_t date);
/* What came of it; of one that is not in the sample, nothing; of one that waits for its next turn, no failure. */
void guards_worked(struct guards *g, const struct relay_id *id, const struct rng *rng, uint64_t date);
void guards_failed(struct guards *g, const struct relay_id *id, uint64_t now);
/* The network is another one: nothing is known of who is unreachable. */
void guards_forget_failures(struct guards *g);
/* Its place in the order of trying, from 1, among those that are listed; 0: it is none of them. */
size_t guards_place(const struct guards *g, const struct relay_id *id);
