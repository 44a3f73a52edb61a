/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Overlay links: which exist, which are wanted, and the one place that asks charon for them.
 *
 * charon does only what it is told (start_action none, one attempt each); demand, retries and the choice between
 * duplicates are decided here. The state of a link is always computed from charon's own list of SAs: events merely
 * say when to look again, so a lost or reordered event cannot leave a wrong state behind, rekeying is no outage, and
 * SAs that are older than this process are adopted.
 *
 * While charon cannot be reached a link keeps its last state: its SAs stay in the kernel and forward.
 *
 * Callbacks run from the event loop, never from within a call into this module, except that links_set_network and
 * links_drop report `down` of what they remove before they return. They may call links_want and links_drop.
 */
#pragma once

#include <ev.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/ids.h"
#include "model/link.h"
#include "model/relay.h"

#define LINKS_SEED_LEN 32	 /* Ed25519 seed (RFC 8032 5.1.5) */
#define LINKS_CLIENT_ID_LEN 16	 /* bytes of a client's IKE identity */
#define LINKS_VERSION_MAX 32	 /* charon's version, with the final NUL */
#define LINKS_REASON_MAX 64	 /* with the final NUL */
#define LINKS_CLIENTS_MAX 65535u /* addresses in a guard's pool */

/* What this node is; bits may be combined. */
enum links_role {
	LINKS_RELAY = 1 << 0,  /* links to every other relay of the network */
	LINKS_GUARD = 1 << 1,  /* also accepts anonymous clients; needs LINKS_RELAY */
	LINKS_CLIENT = 1 << 2, /* anonymous links to guards; excludes LINKS_RELAY */
};

enum link_state {
	LINK_DOWN,	 /* no SA, and nobody here wants one */
	LINK_CONNECTING, /* wanted: attempt under way, or waiting for charon */
	LINK_UP,
	LINK_FAILED, /* wanted: the last attempt failed, the next is at retry_at */
};

/* Zero in a field means the default. Seconds. */
struct links_timing {
	uint32_t dpd_s;		/* 10: liveness check after so long without traffic from the peer */
	uint32_t rekey_child_s; /* 3600 */
	uint32_t rekey_ike_s;	/* 14400 */
	uint32_t connect_s;	/* 20: an attempt without an answer is given up */
	uint32_t retry_min_s;	/* 1: pause after the first failure; doubles, with random jitter */
	uint32_t retry_max_s;	/* 60 */
	uint32_t settle_s;	/* 3: duplicates that live longer are reduced to one */
	uint32_t resync_s;	/* 60: look at everything again without being told */
};

struct links_config {
	struct ev_loop *loop;
	const char *vici_path; /* copied */
	unsigned int roles;    /* enum links_role */

	/* Relays. */
	struct relay_id self;	  /* our identity */
	const uint8_t *link_seed; /* secmem, LINKS_SEED_LEN bytes, must outlive the links object; else NULL */
	struct in_addr public4;	  /* our public addresses, zero if none: they decide the family of a link */
	struct in6_addr public6;
	struct in6_addr overlay_self; /* OR_own */
	uint32_t clients_max;	      /* guard: size of the address pool, 1..LINKS_CLIENTS_MAX; 0: the maximum */

	uint16_t link_mtu; /* bytes; copied into struct link; what links_set_network was told last */
	struct links_timing timing;

	/* The link view lives until the callback returns. Reasons are short English phrases without addresses. */
	void (*up)(void *ctx, const struct link *link);				/* once per outage */
	void (*down)(void *ctx, const struct link *link, const char *reason);	/* after an up */
	void (*failed)(void *ctx, const struct link *link, const char *reason); /* an attempt; retried by itself */
	/* charon is reachable and has all our connections loaded (true), or has been lost (false). */
	void (*service)(void *ctx, bool ready);
	/* Guard; NULL if nobody asks. A client with this address came or went: one that came may be told of again. */
	void (*client)(void *ctx, const struct in6_addr *addr, bool here);
	/* Guard, NULL likewise: charon was asked for all; links_each_client has them now and no other. */
	void (*clients_listed)(void *ctx);
	void *ctx;
};

/* A relay of the network and the number of our link to it, LINK_FIRST..LINK_LAST; the caller keeps it the same. */
struct links_peer {
	const struct relay *relay;
	uint16_t number;
};

/* What `anonctl link list` shows. */
struct link_info {
	struct link link;
	enum link_state state;
	bool wanted;			   /* demand on this side */
	uint64_t since;			   /* of this state, CLOCK_BOOTTIME ms (lib/clock.h) */
	uint64_t retry_at;		   /* LINK_FAILED, same clock */
	char last_error[LINKS_REASON_MAX]; /* of the last failure or loss, empty if none */
	uint32_t ike_id;		   /* charon's unique id of the IKE SA, 0 if none */
	uint32_t rekeys;		   /* of the CHILD SA, since up */
	uint64_t bytes_in, bytes_out;	   /* of the present CHILD SA, as of the last look (links_refresh) */
};

struct links;

/* Starts connecting to charon; asks it for nothing but its version before the first links_set_network. -EINVAL (roles
 * and keys do not fit together), -ENOMEM, -ENAMETOOLONG. */
int links_new(const struct links_config *config, struct links **ret_links);
/* Leaves SAs and connections in charon alone: a restart of anond disturbs no link. NULL is fine. No callbacks. */
void links_free(struct links *l);

/*
 * Relay: the other relays of the network (ourselves among them is skipped). Peers that are gone lose their link;
 * changed ones are loaded anew. -EINVAL for a number out of range or used twice (nothing is changed then), -ENOMEM.
 * Client: only updates and removes peers that are wanted already; numbers are ignored.
 * link_mtu: the network's, bytes, for peers that are new; the others keep theirs.
 */
int links_set_network(struct links *l, uint16_t link_mtu, const struct links_peer *peers, size_t n);

/*
 * Demand for a link: initiate until it is up, and again whenever it is lost. A relay's peer must be in the network
 * (-ENOENT), number and client_id are ignored; a client's guard is added with them. Wanting twice is fine and changes
 * neither.
 * client_id: our IKE identity towards this guard. The same bytes get the same overlay address back from it, other bytes
 * make us a stranger. Never the same to two guards: they could compare.
 * -EINVAL, -EADDRNOTAVAIL (no common address family), -EEXIST (number is another guard's), -ENOMEM.
 */
int links_want(struct links *l, const struct relay *relay, uint16_t number,
	       const uint8_t client_id[LINKS_CLIENT_ID_LEN]);
/*
 * No demand any more. A relay's link stays up, for the other side may need it, but is not made again; a client's
 * link is closed and forgotten.
 */
/* The network may be another: links that wait after a failure are tried at once. */
void links_hurry(struct links *l);
/* One that is up carries nothing any more, as the caller knows: `down` follows, and it is made anew if in demand. */
void links_restart(struct links *l, const struct relay_id *peer);
void links_drop(struct links *l, const struct relay_id *peer);

/* -ENOENT. */
int links_get(const struct links *l, const struct relay_id *peer, struct link_info *ret_info);
/* Each known peer, in no order; fn must not call back into this module. Clients of a guard are not among them. */
void links_each(const struct links *l, void (*fn)(void *ctx, const struct link_info *info), void *ctx);
/* Ask charon for byte counts and states; done(ctx, error) once they are in. -ENOTCONN, -EBUSY (too many at once). */
int links_refresh(struct links *l, void (*done)(void *ctx, int error), void *ctx);

/* Guard: clients connected now; that number is all we keep of them, unless `client` asks for their addresses. */
size_t links_clients(const struct links *l);
void links_each_client(const struct links *l, void (*fn)(void *ctx, const struct in6_addr *addr), void *ctx);
bool links_has_client(const struct links *l, const struct in6_addr *addr);
bool links_ready(const struct links *l); /* as the last `service` callback said */
/* Nothing that links_drop or links_set_network asked for is still to be told to charon (or charon cannot be reached):
 * a caller that closes its links before it ends runs the loop until then. */
bool links_idle(const struct links *l);
/* charon's version as it told us when we connected. -ENOTCONN. */
int links_charon_version(const struct links *l, char ret_version[LINKS_VERSION_MAX]);
