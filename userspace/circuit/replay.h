/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The CREATEs that this relay has accepted, each kept as a tag until it expires. Neighbours share the cache, but none
 * can fill it: see the shares.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "circuit/timers.h"

#define REPLAY_TAG_LEN 32

/* Kept so much longer than `expires` says, so that a wall clock set back by less opens no gap. */
#define REPLAY_SLACK_S 600

/*
 * Parts of the whole, each at least one entry. Clients are anonymous and cheap to make up: all of them together
 * leave half of the cache to neighbour relays. With 2^19 entries a client has 2048 (one CREATE in four seconds, for as
 * long as entries live at most), and 128 clients share their half; a relay has 65536, more than it may have circuits.
 */
#define REPLAY_PART_CLIENTS 2
#define REPLAY_PART_CLIENT 256
#define REPLAY_PART_RELAY 8

/* What of an entry outlives a restart. It names nobody. */
struct replay_record {
	uint8_t tag[REPLAY_TAG_LEN];
	uint64_t expires; /* of the CREATE, wall seconds */
	bool client;	  /* a client brought it, not a relay */
};

struct replay_entry;
struct replay_owner;

struct replay {
	struct replay_entry *entries;
	struct replay_owner *owners;
	struct timers timers;
	size_t n, n_clients, max;
};

/* A hash of the ephemeral key with which message 1 begins. */
void replay_tag(const uint8_t ephemeral[32], uint8_t ret[REPLAY_TAG_LEN]);
bool replay_seen(const struct replay *r, const uint8_t tag[REPLAY_TAG_LEN]);
/* No entry is left for this neighbour: its share, its kind's or the whole is used up. */
bool replay_full(const struct replay *r, const struct in6_addr *peer, bool client);
/* peer: whose share it counts in; NULL: unknown, nobody's. -ENOSPC: full, -ENOMEM, -EEXIST. */
int replay_add(struct replay *r, const struct replay_record *rec, const struct in6_addr *peer, uint64_t until_ms);
void replay_each(const struct replay *r, void (*fn)(void *ctx, const struct replay_record *rec), void *ctx);
void replay_tick(struct replay *r, uint64_t now_ms);
void replay_release(struct replay *r);
