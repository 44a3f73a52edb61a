/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The relay's side of the circuit protocol: opens its layer of a CREATE, asks for the link to the next
 * relay, passes the inner CREATE on, seals the answer, has the hop installed, forgets the keys.
 *
 * Life of a circuit here: EXTENDING (CREATE sent on, waiting) -> INSTALLING -> READY; any failure answers
 * CREATED with a sealed status and releases what was allocated. A record holds both neighbours' links and
 * handles and nothing else about the path.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "circuit/action.h"
#include "lib/rand.h"
#include "model/link.h"

struct relay_engine;

struct onion_key {
	uint32_t id;
	const uint8_t *secret; /* 32 bytes of secmem, owned by the caller */
};

struct relay_limits {
	uint32_t half_open;	     /* in all */
	uint32_t half_open_per_link; /* per neighbour relay */
	uint32_t circuits;	     /* in all */
	uint32_t circuits_per_link;  /* per neighbour relay */
	uint32_t creates_per_second; /* per neighbour relay; token bucket, burst = 2 s, a client's 4 s */
	/* The same per client address: a client is anonymous, a neighbour relay speaks for many of them. */
	uint32_t client_half_open, client_circuits, client_creates_per_second;
	uint32_t replay_entries;    /* of the replay cache; who has used up its share is refused (fails closed) */
	uint32_t lifetime_max;	    /* seconds: `expires` of a CREATE may lie at most so far ahead */
	uint32_t extend_timeout_ms; /* a half-open circuit dies after this */
};

extern const struct relay_limits relay_limits_default;

struct relay_engine_config {
	struct relay_id id;
	const struct onion_key *onion_keys; /* those to begin with: relay_engine_set_onion_keys */
	size_t n_onion_keys;
	bool exit;
	bool inner4_enabled;
	/* exit: client addresses come from it, in 100.64.0.0/10, at most a /29; .1 is the gateway, never given */
	struct prefix inner4;
	bool inner6_enabled; /* exit: from own /64, LINK_INNER; tail 1 is the gateway */
	struct in_addr dns4; /* none, or what inner_dns4_valid and inner_dns6_valid (circuit/inner.h) let pass */
	struct in6_addr dns6;
	bool dns_gateway; /* exit: the resolver is at the gateway addresses instead */
	struct relay_limits limits;
	const struct rng *rng;
};

/* Counters for `anonctl status`; each refusal has its own, none names anyone. */
struct relay_counters {
	uint64_t created, refused_malformed, refused_unknown_key, refused_decrypt, refused_replay, refused_expired,
		refused_limit, refused_rate, refused_not_exit, refused_draining, extend_failed, extend_timeout,
		install_failed, retransmitted, destroyed, expired, unknown_message;
	uint64_t half_open, circuits, replay_entries; /* gauges */
};

/* 0 or -ENOMEM, -EINVAL. */
int relay_engine_new(const struct relay_engine_config *conf, struct relay_engine **ret);
void relay_engine_free(struct relay_engine *e);

/*
 * The onion keys that CREATEs are opened with from now on; any other is CTRL_UNKNOWN_KEY. Table and secrets are the
 * caller's and stay until this is called again or the engine is freed; those of before may then be wiped: a half-open
 * circuit has none of them, and a retransmission gets its answer without. -EINVAL: none, or two with one number.
 */
int relay_engine_set_onion_keys(struct relay_engine *e, const struct onion_key *keys, size_t n);

/*
 * now_ms: monotonic; now_s: wall clock seconds (only for `expires`). Each function appends actions.
 * from: the source address of the datagram; link tells over which link it came (already checked to match).
 */
void relay_engine_message(struct relay_engine *e, uint64_t now_ms, uint64_t now_s, const struct link *link,
			  const struct in6_addr *from, const uint8_t *msg, size_t len, struct actions *out);
/*
 * A relay link came up (asked for with WANT_LINK or not), or cannot be had, or went down. Half-open circuits over a
 * lost link fail at once; READY ones are kept for 30 s, so that a restart of charon does not end them, and go on if the
 * link comes back under the same number. Nothing is sent over a link that is down.
 */
void relay_engine_link_up(struct relay_engine *e, uint64_t now_ms, const struct link *link, struct actions *out);
void relay_engine_link_down(struct relay_engine *e, uint64_t now_ms, const struct relay_id *peer, struct actions *out);
/* error: 0 or negative errno of the installation of circuit `number`. */
void relay_engine_installed(struct relay_engine *e, uint64_t now_ms, uint32_t number, int error, struct actions *out);
/* Run what is due; *ret_next_ms is when to call again (monotonic ms), UINT64_MAX if nothing is pending. */
void relay_engine_tick(struct relay_engine *e, uint64_t now_ms, uint64_t now_s, struct actions *out,
		       uint64_t *ret_next_ms);
/*
 * The kernel has an SA of this circuit no more: close it, with DESTROY both ways. Nothing happens unless the SPI is one
 * of its two: word of an earlier circuit's SA may come late.
 */
void relay_engine_sa_gone(struct relay_engine *e, uint64_t now_ms, uint32_t number, uint32_t spi, struct actions *out);

/*
 * What an operator may want. close: DESTROY both ways; -ENOENT unless circuit `number` is READY. drain: refuse each new
 * CREATE, or take them again; circuits that are there or half-open go on. drained: there is none left, and every
 * neighbour knows.
 */
int relay_engine_close(struct relay_engine *e, uint64_t now_ms, uint32_t number, struct actions *out);
void relay_engine_close_all(struct relay_engine *e, uint64_t now_ms, struct actions *out);
void relay_engine_drain(struct relay_engine *e, bool on);
bool relay_engine_draining(const struct relay_engine *e);
bool relay_engine_drained(const struct relay_engine *e);

/*
 * The table without keys that survives a crash: every READY circuit as one record. The iterator calls fn for
 * each; restore puts one back (its SAs are in the kernel) without any action; -EEXIST, -ENOSPC, -EINVAL.
 */
struct relay_record {
	struct relay_circuit circuit;
	uint16_t prev_link, next_link;
	struct in6_addr prev_peer, next_peer;
	uint64_t prev_handle, next_handle;
	uint64_t expires; /* wall seconds */
};
void relay_engine_each(const struct relay_engine *e, void (*fn)(void *ctx, const struct relay_record *r), void *ctx);
/* The record of one READY circuit; -ENOENT. */
int relay_engine_record(const struct relay_engine *e, uint32_t number, struct relay_record *ret);
int relay_engine_restore(struct relay_engine *e, const struct relay_record *r);
/*
 * Circuit numbers rise and begin again after RELAY_CIRCUIT_MAX, at 100 circuits a second after a month: conntrack keeps
 * them as marks of connections that outlive the circuit, and the daemon. So they have to go on after a restart: tell
 * each number that was used; the latest counts. 0: none yet.
 */
void relay_engine_number_used(struct relay_engine *e, uint32_t number);
uint32_t relay_engine_last_number(const struct relay_engine *e);
/*
 * The replay cache outlives a restart too: ACTION_RELAY_REMEMBER tells of each new entry, the iterator of all, add puts
 * one back. It then counts in no neighbour's share. -ESTALE: its time has passed; -EEXIST, -EINVAL, -ENOMEM, -ENOSPC.
 */
void relay_engine_replay_each(const struct relay_engine *e, void (*fn)(void *ctx, const struct replay_record *r),
			      void *ctx);
int relay_engine_replay_add(struct relay_engine *e, uint64_t now_ms, uint64_t now_s, const struct replay_record *r);
const struct relay_counters *relay_engine_counters(const struct relay_engine *e);
