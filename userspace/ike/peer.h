/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One neighbour: what we know of our link to it and what to ask of charon next. Pure: looks at charon's SAs go in,
 * outcomes and wishes come out; links.c carries them out.
 *
 * Two neighbours that initiate at once get two IKE SAs. Both carry traffic, so that is no hurry: after
 * timing.settle_s the side with the lower identity (a client towards its guard) closes all but its newest, and the
 * other side closes none. An SA that a crashed peer left behind is older than its successor and goes the same way, or
 * by dead-peer detection where the other side decides.
 */
#pragma once

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "ike/links.h"
#include "ike/sa.h"
#include "lib/hash.h"
#include "lib/rand.h"

#define PEER_KILL_MAX 8		/* SAs noted for closing in one look; the rest waits for the next */
#define PEER_POLL_MS 1000	/* while an attempt is under way: charon tells nobody that one has failed */
#define PEER_RESTORE_ATTEMPTS 3 /* for a link that charon's end took down, without demand on this side */

/* What one list-sas shows of this neighbour. */
struct peer_look {
	bool active;		       /* begun, not ended */
	bool any;		       /* some IKE SA, whatever its state */
	struct sa best;		       /* newest with traffic, if best.up */
	uint32_t extra[PEER_KILL_MAX]; /* established besides the best */
	unsigned int n_extra;
	uint32_t attempt[PEER_KILL_MAX]; /* ours, no traffic yet */
	unsigned int n_attempt;
};

struct peer {
	struct relay relay; /* a copy */
	struct link link;
	uint8_t client_id[LINKS_CLIENT_ID_LEN]; /* GUARD: who we are to it */
	uint64_t serial;			/* tells a peer from one that was dropped and came back */

	enum link_state state;
	bool wanted;  /* by our caller */
	bool restore; /* was up when charon was lost */
	bool attempt; /* charon was told to initiate and the outcome is open */
	bool decides; /* we close duplicates, not the other side */
	bool prefer6;
	bool usable4, usable6;			       /* families that both ends have */
	unsigned int failures;			       /* in a row */
	unsigned int misses;			       /* looks in a row without traffic while UP */
	uint64_t since, retry_at, deadline, settle_at; /* CLOCK_BOOTTIME ms; 0: none */
	char last_error[LINKS_REASON_MAX];
	char hint[LINKS_REASON_MAX]; /* what charon's log said during this attempt */

	uint32_t ike_id, child_id, rekeys;
	uint64_t bytes_in, bytes_out;
	struct peer_look look;

	/* Wishes, in the order in which they are to be carried out. */
	bool need_load;
	uint32_t kill[PEER_KILL_MAX];
	unsigned int n_kill;
	bool kill_force;
	bool need_initiate;
	bool need_list;

	/* links.c's */
	struct links *links;
	struct peer *next; /* in the queue of work or of the dead */
	bool queued, counted, dead;
	ev_timer timer;
	UT_hash_handle hh;	  /* by link.peer */
	UT_hash_handle by_number; /* by link.number */
};

enum peer_outcome {
	PEER_SAME,
	PEER_UP,
	PEER_DOWN,
	PEER_MOVED,  /* still up, but the guard's pool gave us another address: link.self is the new one */
	PEER_FAILED, /* an attempt */
};

/* A new neighbour, DOWN. kind is RELAY or GUARD. */
void peer_init(struct peer *p, const struct links_config *config, enum link_kind kind, const struct relay *relay,
	       uint16_t number, uint64_t now);
/* The network file's present description. True if the connection's keys changed: SAs made with the old must go. */
bool peer_update(struct peer *p, const struct links_config *config, const struct relay *relay);

/* Demand, or none. */
void peer_want(struct peer *p, bool wanted, uint64_t now);
bool peer_in_demand(const struct peer *p);
bool peer_has_wish(const struct peer *p);

/* A look: begin, each SA, end. The reason of DOWN, MOVED and FAILED is in last_error. */
void peer_look_begin(struct peer *p);
void peer_look_sa(struct peer *p, const struct sa *sa);
enum peer_outcome peer_look_end(struct peer *p, const struct links_timing *timing, const struct rng *rng, uint64_t now);

/* charon accepted or refused to initiate. */
void peer_initiated(struct peer *p, const struct links_timing *timing, uint64_t now);
enum peer_outcome peer_failed(struct peer *p, const struct links_timing *timing, const struct rng *rng, uint64_t now,
			      const char *reason);
/* A line of charon's log about this neighbour: keep what explains a failure. */
void peer_hint(struct peer *p, const struct vici_view *line);

/* The network may be another: what failed need not fail again. */
void peer_hurry(struct peer *p, uint64_t now);
/* It is up for charon, but carries nothing: close it and, if it is in demand, make it anew. */
void peer_restart(struct peer *p);

/* charon is gone, or there again (nothing is loaded then). */
void peer_lost(struct peer *p);
void peer_ready(struct peer *p, uint64_t now);

/* When to call peer_timer, CLOCK_BOOTTIME ms; 0: not. */
uint64_t peer_wake_at(const struct peer *p, uint64_t now);
void peer_timer(struct peer *p, uint64_t now);
