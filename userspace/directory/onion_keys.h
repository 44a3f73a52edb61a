/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The onion keys of a relay that replaces them: which it holds, and when it is time for what. Pure.
 *
 *     made the first or current:  A         until life - overlap
 *     then                        A, next B                      for overlap: B is announced, and opened already
 *     then                        B, previous A                  for overlap: clients still know A by an old consensus
 *     then                        B         until life - overlap after it became current, and so on
 *
 * Each step is taken once its time has come, and those that wait for others (next, promote) begin their time when they
 * are taken, however late that is: so a key is announced, and its forerunner opened, for the whole overlap also after
 * a long sleep or when the clock has gone wrong, and there are never more than two.
 *
 * Time is the wall clock's once, at the first call of onion_keys_follow; from then on it passes as the steady clock
 * says: a wall clock that is set while the relay runs ends nothing early or late. One that was set back before the
 * start makes the present phase begin again; one that was set forward is a long sleep.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "directory/keys.h"
#include "directory/relay_facts.h"
#include "lib/rand.h"

#define ONION_KEYS_MAX 2u /* that are held at once */

struct onion_schedule {
	uint32_t life_s;    /* that a key is current */
	uint32_t overlap_s; /* that its successor is announced before and it is opened after; less than half of life */
};

/* Always in secmem. */
struct onion_keys {
	struct onion_pair current, other; /* other: all zero unless has_next or has_previous */
	bool has_next, has_previous;	  /* never both */
	uint64_t since;			  /* wall seconds: has_next: when that was made; else when current became so */
	/* Not stored. */
	bool is_stored;
	uint64_t stored;	   /* since as it is on the disk */
	uint64_t wall_s, steady_s; /* of the last onion_keys_follow */
	bool followed;
};

enum onion_step {
	ONION_WAIT,
	ONION_MAKE,    /* the next key */
	ONION_PROMOTE, /* next becomes current, current previous */
	ONION_DROP,    /* the previous key is wiped */
};

/* first becomes current now. */
void onion_keys_begin(struct onion_keys *k, const struct onion_pair *first, uint64_t wall_s);
/* A key out of nothing: its number is drawn, as `anonctl key relay` does. */
void onion_pair_draw(struct onion_pair *ret, const struct rng *rng);

/*
 * What time it is. steady_s: seconds that never step and go on during suspend; wall_s: since 1970 UTC. True: since has
 * moved with the wall clock and should be stored, or the next start reckons with the old one.
 */
bool onion_keys_follow(struct onion_keys *k, uint64_t steady_s, uint64_t wall_s);
/*
 * What is to be done now (of onion_keys_follow); *ret_wait_s: if nothing, in how many seconds to ask again.
 */
enum onion_step onion_keys_due(const struct onion_keys *k, const struct onion_schedule *s, uint64_t *ret_wait_s);
/* Takes a step that is due. Numbers rise, by 1 to 65536, and begin again after 2^32 - 1. */
void onion_keys_take(struct onion_keys *k, enum onion_step step, const struct rng *rng);

/* When current is replaced, wall seconds; if that is overdue, now. */
uint64_t onion_keys_replaced_at(const struct onion_keys *k, const struct onion_schedule *s);
bool onion_keys_have(const struct onion_keys *k, uint32_t id);
/* What a descriptor says of them. */
void onion_keys_facts(const struct onion_keys *k, struct relay_facts *ret);
