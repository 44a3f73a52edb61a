/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The originator's side: one object per attempt to build one circuit over one given path.
 *
 *   LINKING     the link to the guard is being made
 *   CREATING    CREATE sent, retransmitted with back-off until CREATED or the time-out
 *   INSTALLING  the kernel objects are being made
 *   PROBING     echo through the exit's gateway sent, retransmitted
 *   OPEN        an echo came back; a keep-alive echo goes out from time to time
 *   FAILED      with a reason and, if a hop reported it, its number; terminal
 *   CLOSED      by us; terminal
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "circuit/action.h"
#include "lib/rand.h"
#include "model/link.h"

/* PROBING and OPEN outlive the loss of the link by so much: a restart of charon gives us the same address back. */
#define ORIGIN_LINK_GRACE_MS 30000

enum origin_phase {
	ORIGIN_LINKING,
	ORIGIN_CREATING,
	ORIGIN_INSTALLING,
	ORIGIN_PROBING,
	ORIGIN_OPEN,
	ORIGIN_FAILED,
	ORIGIN_CLOSED,
};

enum origin_failure {
	ORIGIN_OK,
	ORIGIN_LINK_FAILED,    /* no link to the guard */
	ORIGIN_LINK_LOST,      /* the link to the guard went down */
	ORIGIN_TIMEOUT,	       /* no answer to CREATE */
	ORIGIN_REFUSED,	       /* a hop refused: hop, status */
	ORIGIN_BAD_ANSWER,     /* an answer did not verify: hop */
	ORIGIN_INSTALL_FAILED, /* error */
	ORIGIN_NO_ECHO,	       /* built, but no echo came back (PROBING), or echoes stopped (OPEN) */
	ORIGIN_DESTROYED,      /* the guard closed it */
	ORIGIN_EXPIRED,
};

struct origin_timing {
	uint32_t link_timeout_ms, create_first_ms, create_timeout_ms; /* first retransmission, then doubled */
	uint32_t probe_first_ms, probe_timeout_ms;
	uint32_t keepalive_ms, keepalive_misses; /* OPEN: echo interval; FAILED after so many unanswered in a row */
	uint32_t lifetime_s; /* `expires` = now + this, made coarse: up to a quarter or 5 min less */
};

extern const struct origin_timing origin_timing_default;

struct origin;

struct origin_config {
	uint32_t slot;
	const struct relay *path; /* n_hops relays, guard first; copied */
	size_t n_hops;
	bool want4, want6;
	enum suite suite;      /* T_k */
	enum suite suite_beet; /* T_1 .. T_(k-1) */
	struct origin_timing timing;
	const struct rng *rng;
};

struct origin_state {
	enum origin_phase phase;
	enum origin_failure failure;
	/*
	 * REFUSED, BAD_ANSWER: position of the hop, 1-based. CTRL_NEXT_UNREACHABLE and CTRL_NEXT_TIMEOUT are the word
	 * of the hop before it, which may be the one at fault.
	 */
	unsigned int hop;
	uint8_t status;	   /* enum ctrl_status, REFUSED */
	bool sealed;	   /* REFUSED: the hop itself says so, in a handshake that it completed */
	int error;	   /* INSTALL_FAILED: negative errno */
	uint64_t since_ms; /* monotonic */
	uint64_t expires;  /* wall seconds */
	uint32_t rtt_us;   /* last echo */
};

/* 0, -ENOMEM, -EINVAL. Starts in LINKING and asks for the guard's link. */
int origin_new(const struct origin_config *conf, uint64_t now_ms, uint64_t now_s, struct actions *out,
	       struct origin **ret);
void origin_free(struct origin *o); /* no DESTROY; see origin_close */

void origin_link_up(struct origin *o, uint64_t now_ms, const struct link *link, struct actions *out);
/*
 * The guard's link cannot be had or went down; another guard's must not be passed here. In PROBING and OPEN the
 * circuit waits ORIGIN_LINK_GRACE_MS for it to come back with the same number and address.
 */
void origin_link_down(struct origin *o, uint64_t now_ms, struct actions *out);
/* A datagram from the guard over its link (the caller checks both). Returns true if its handle is ours. */
bool origin_message(struct origin *o, uint64_t now_ms, const uint8_t *msg, size_t len, struct actions *out);
void origin_installed(struct origin *o, uint64_t now_ms, int error, struct actions *out);
void origin_echo(struct origin *o, uint64_t now_ms, uint32_t rtt_us, struct actions *out);
void origin_tick(struct origin *o, uint64_t now_ms, uint64_t now_s, struct actions *out, uint64_t *ret_next_ms);
/* Send DESTROY (best effort, the caller need not wait) and enter CLOSED. */
void origin_close(struct origin *o, uint64_t now_ms, struct actions *out);

const struct origin_state *origin_state(const struct origin *o);
/* The planned circuit, complete from INSTALLING on. Owned by o. */
const struct origin_circuit *origin_circuit(const struct origin *o);

/* What survives a crash of the daemon (no keys). Restoring enters OPEN and probes at once. */
struct origin_record {
	struct origin_circuit circuit;
	struct relay_id path[HOPS_MAX];
	uint64_t handle;
	uint64_t expires;
};
int origin_record(const struct origin *o, struct origin_record *ret); /* -ENOENT unless PROBING or OPEN */
int origin_restore(const struct origin_config *conf, const struct origin_record *r, uint64_t now_ms,
		   struct actions *out, struct origin **ret);
