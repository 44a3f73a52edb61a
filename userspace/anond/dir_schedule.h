/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When the consensus is fetched and from whom, what a fetched one is worth, and when something is published. Pure: time
 * and randomness are given. Milliseconds are monotonic, seconds since 1970 UTC.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "directory/interval.h"
#include "lib/rand.h"
#include "model/endpoint.h"

#define DIR_PAUSE_MIN_MS 1000u
#define DIR_PAUSE_MAX_MS 600000u
#define DIR_LOOK_MS 60000u /* the clock may step and timers stop while a host sleeps: it is looked so often */
#define DIR_SKEW_S 3600u   /* what begins so much later than now is from the future */
#define DIR_STEP_S 30u	   /* a clock that moved so far against the monotonic one was set */

/* ---- pauses: 1, 2, 4, ... seconds up to ten minutes, less a random part of half ---- */

struct dir_pause {
	unsigned int failures; /* in a row */
	uint64_t until_ms;
};

void dir_pause_failed(struct dir_pause *p, uint64_t now_ms, const struct rng *rng);
/* It did not only fail, what it gave is of no use: the longest pause at once. */
void dir_pause_bad(struct dir_pause *p, uint64_t now_ms, const struct rng *rng);

/* ---- what a consensus that is signed is worth ---- */

enum dir_worth {
	DIR_NEWER,   /* to be put in force */
	DIR_SAME,    /* the one in force, and no newer one is due */
	DIR_STALE,   /* the one in force, and a newer one is due */
	DIR_OLD,     /* older than one that was in force */
	DIR_EXPIRED, /* by our clock */
	DIR_FUTURE,  /* by our clock: more than half of the authorities say that it is behind */
};

/* newest: valid-after of the newest that ever was in force, 0: none; fresh_until: of that. */
enum dir_worth dir_worth(const struct interval *got, uint64_t newest, uint64_t fresh_until, uint64_t now_s);
const char *dir_worth_text(enum dir_worth w);

/* ---- when and from whom ---- */

struct dir_schedule {
	size_t n; /* servers */
	struct {
		struct dir_pause pause;
	} server[ENDPOINTS_MAX];
	struct dir_pause all;
	bool early;	/* a relay: as soon as there is a new one */
	bool wanted;	/* now, whatever is in force */
	uint64_t due_s; /* when a newer one is to be fetched; 0: at once */
	bool clock_known;
	int64_t clock_s; /* what the clock showed when the monotonic one began */
};

void dir_schedule_init(struct dir_schedule *s, size_t servers, bool early);
/*
 * That one is in force from now on. A client waits for a random moment between three quarters of the interval after
 * fresh-until and seven eighths of what is then left, as Tor's do: so requests of many are spread, and say little of
 * when a client began. A relay comes soon after fresh-until, when authorities have it.
 */
void dir_schedule_in_force(struct dir_schedule *s, const struct interval *v, const struct rng *rng);

/* Which servers can be reached now. */
struct dir_reach {
	bool server[ENDPOINTS_MAX];
};
/*
 * A server to fetch from now, drawn among those that did not fail lately, or, if all did, the one that may be tried
 * again first; -1: not now.
 */
int dir_schedule_pick(const struct dir_schedule *s, uint64_t now_ms, uint64_t now_s, const struct dir_reach *reach,
		      const struct rng *rng);
/* When to look again, DIR_LOOK_MS from now at most. */
uint64_t dir_schedule_next(const struct dir_schedule *s, uint64_t now_ms, uint64_t now_s);

void dir_schedule_done(struct dir_schedule *s, size_t server);
/* bad: what it gave is of no use. */
void dir_schedule_failed(struct dir_schedule *s, size_t server, bool bad, uint64_t now_ms, const struct rng *rng);
/* It is not the servers' fault: no one of them is kept away for it. */
void dir_schedule_in_vain(struct dir_schedule *s, uint64_t now_ms, const struct rng *rng);
/* The network may be another: who failed may do better now. */
void dir_schedule_changed(struct dir_schedule *s);
/* At each look. Whether the clock was set since the last one: what failed because it was wrong is tried anew. */
bool dir_schedule_clock_set(struct dir_schedule *s, uint64_t now_ms, uint64_t now_s);
/* Somebody asked for it: now. */
void dir_schedule_want(struct dir_schedule *s);
