/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the state machines of this folder ask for. They are pure: an event comes in with the time,
 * actions come out, in the order in which they have to be carried out. The caller (anond) executes them
 * and reports results as further events.
 */
#pragma once

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

#include "circuit/replay.h"
#include "lib/secmem.h"
#include "model/circuit.h"
#include "model/relay.h"
#include "wire/ctrl.h"

enum action_type {
	ACTION_SEND,	       /* msg to peer over link */
	ACTION_WANT_LINK,      /* bring up a link to relay; answer: *_link_up or *_link_failed */
	ACTION_RELAY_INSTALL,  /* install relay + keys; answer: relay_engine_installed */
	ACTION_RELAY_REMOVE,   /* remove relay (no answer) */
	ACTION_RELAY_REMEMBER, /* write seen where a restart finds it, before what follows is done (no answer) */
	ACTION_ORIGIN_INSTALL, /* install origin + keys[]; answer: origin_installed */
	ACTION_ORIGIN_PROBE,   /* send one echo through the circuit to the exit's gateway; answer: origin_echo */
	ACTION_ORIGIN_STATE,   /* the originator's circuit changed its state: read it with origin_state() */
};

struct action {
	enum action_type type;
	uint16_t link;		    /* SEND: link number */
	struct in6_addr peer;	    /* SEND: overlay address on that link */
	struct relay_id relay_id;   /* WANT_LINK */
	uint8_t *msg;		    /* SEND: CTRL_MSG_LEN bytes, owned by the action */
	struct relay_circuit relay; /* RELAY_INSTALL, RELAY_REMOVE */
	struct replay_record seen;  /* RELAY_REMEMBER */
	struct layer_keys *keys;    /* INSTALL: secmem, one per layer, owned by the action */
};

/* A growing list. Zero-initialised is empty; actions_clear releases everything (keys are wiped). */
struct actions {
	struct action *v;
	size_t n, cap;
};

struct action *actions_add(struct actions *as, enum action_type type); /* NULL: out of memory */
void actions_clear(struct actions *as);
/* Add a SEND of a copy of msg, or of m encoded. 0, -ENOMEM, -EMSGSIZE; on an error nothing is added. */
int actions_send_bytes(struct actions *as, uint16_t link, const struct in6_addr *peer, const uint8_t msg[CTRL_MSG_LEN]);
int actions_send(struct actions *as, uint16_t link, const struct in6_addr *peer, const struct ctrl_msg *m);
