/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The relay engine's tables, private to it: circuits, found by everything that has to be unique about them, and
 * neighbours, with the circuits that depend on each. Everything is found by hash or hangs on a list of its own.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "circuit/answers.h"
#include "circuit/timers.h"
#include "crypto/noise.h"
#include "lib/hash.h"
#include "lib/rand.h"
#include "model/circuit.h"
#include "model/link.h"

#define REAP_AFTER_MS 5000 /* longer than a token bucket takes to fill */

/*
 * An inner IPv4 address is given to nobody else for so long after its circuit has gone: what servers still send to it,
 * and what conntrack and NAT still know of it, belongs to the one before.
 */
#define INNER4_REST_MS 300000

enum timer_kind { TIMER_CIRCUIT, TIMER_GRACE, TIMER_REAP, TIMER_REST };

enum circuit_phase {
	CIRCUIT_EXTENDING,  /* waiting for the next relay */
	CIRCUIT_INSTALLING, /* waiting for the kernel */
	CIRCUIT_READY,
};

/* What only a half-open circuit needs. */
struct half_open {
	struct noise *noise; /* message 1 read; message 2 not written, copies of it write */
	uint8_t digest[DIGEST_LEN];
	uint64_t deadline_ms, resend_ms;
	uint32_t backoff_ms;
	bool sent;		      /* EXTENDING: create went out */
	uint8_t create[CTRL_MSG_LEN]; /* EXTENDING: for the next relay */
	uint8_t answer[CTRL_MSG_LEN]; /* INSTALLING: for the neighbour before us */
};

/* An inner IPv4 address that is not to be given: a circuit has it, or it rests and the timer runs. */
struct inner4 {
	struct in_addr addr;
	struct timer timer;
	UT_hash_handle hh;
};

struct circuit;
LIST_HEAD(circuit_list, circuit);

/* One neighbour: a relay, or one client's address. */
struct peer {
	struct in6_addr addr; /* its overlay address */
	bool client;
	bool id_known;
	struct relay_id id; /* relay */
	uint16_t link, mtu; /* number, 0 while unknown; bytes */
	bool up, wanted;
	bool grace_pending;	      /* restored: the grace begins with the first tick */
	uint32_t half_open, circuits; /* that it created here */
	uint64_t tokens;	      /* thousandths of a CREATE */
	uint64_t tokens_ms;
	struct timer grace, reap;
	/* Circuits it created, and circuits that go on to it. waiting: their CREATE waits for the link. */
	struct circuit_list half_prev, ready_prev, waiting, half_next, ready_next;
	UT_hash_handle hh;
};

struct circuit {
	struct relay_circuit c;
	enum circuit_phase phase;
	struct peer *prev, *next; /* next: NULL at an exit */
	struct side_key prev_key, next_key;
	uint64_t expires;		    /* wall seconds */
	uint64_t expires_ms;		    /* the same, monotonic */
	bool restored;			    /* its deadline is reckoned by the first tick */
	bool has_a, has_next_a, has_inner6; /* it is in that hash */
	struct inner4 *inner4;		    /* NULL if it has none; in the table's hash */
	struct half_open *half;		    /* NULL when READY */
	struct timer timer;
	LIST_ENTRY(circuit) prev_list, next_list;
	UT_hash_handle hh_number, hh_prev, hh_next, hh_spi, hh_a, hh_next_a, hh_inner6;
};

struct table {
	struct peer *peers;
	struct circuit *by_number, *by_prev, *by_next, *by_spi, *by_a, *by_next_a, *by_inner6;
	struct inner4 *inner4;
	uint32_t n, half_open, n_inner4;
	uint32_t last_number;
	struct timers timers;
	const struct rng *rng;
};

/* The neighbour with this address, made if need be; NULL without memory. */
struct peer *table_peer(struct table *t, const struct in6_addr *addr, bool client);
struct peer *table_find_peer(const struct table *t, const struct in6_addr *addr);
/* Look at it again in a while: an unused one then goes. */
void table_reap_later(struct table *t, struct peer *p, uint64_t now_ms);
bool table_peer_unused(const struct peer *p);
void table_free_peer(struct table *t, struct peer *p);
/* Take one CREATE from its token bucket of rate per second, filled to burst_s seconds' worth. */
bool table_peer_token(struct peer *p, uint32_t rate, uint32_t burst_s, uint64_t now_ms);

/*
 * A new EXTENDING circuit with its own number and spi_fwd, counted as prev's. c->half takes noise over. -ENOMEM,
 * -ENOSPC.
 */
int table_new(struct table *t, struct peer *prev, uint64_t handle, struct noise *noise, struct circuit **ret);
/* Its circuit address: the client's own, or own::link:random. -ENOSPC. */
int table_give_address(struct table *t, struct circuit *c, const struct in6_addr *own);
/* Its next relay and a handle there. -ENOSPC. */
int table_give_next(struct table *t, struct circuit *c, struct peer *next);
int table_take_next_a(struct table *t, struct circuit *c, const struct in6_addr *next_a); /* -EEXIST */
/* -ENOMEM; -ENOSPC: all are in use or rest. */
int table_give_inner4(struct table *t, struct circuit *c, const struct prefix *pool);
void table_free_inner4(struct table *t, struct inner4 *in);			       /* it has rested */
int table_give_inner6(struct table *t, struct circuit *c, const struct in6_addr *own); /* -ENOSPC */
void table_sent(struct circuit *c);					/* its CREATE went to the next relay */
void table_ready(struct table *t, struct circuit *c);			/* no longer half-open */
void table_remove(struct table *t, struct circuit *c, uint64_t now_ms); /* and free it */
/* A READY circuit as a record has it. -ENOMEM; -EEXIST: something that has to be unique is not. */
int table_restore(struct table *t, const struct relay_circuit *rc, struct peer *prev, uint64_t prev_handle,
		  struct peer *next, uint64_t next_handle, struct circuit **ret);

struct circuit *table_by_number(const struct table *t, uint32_t number);
struct circuit *table_by_prev(const struct table *t, const struct side_key *key);
struct circuit *table_by_next(const struct table *t, const struct side_key *key);
void table_release(struct table *t);
