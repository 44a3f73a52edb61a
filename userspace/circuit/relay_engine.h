/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of the relay engine share; private to them. relay.h is its interface. */
#pragma once

#include "circuit/answers.h"
#include "circuit/farewell.h"
#include "circuit/relay.h"
#include "circuit/relay_table.h"
#include "circuit/replay.h"

#define EXTEND_FIRST_MS 500 /* CREATE to the next relay is sent again after this, then doubled */
#define LINK_GRACE_MS 30000 /* circuits outlive the loss of a link by so much: a restart of charon */

struct relay_engine {
	struct relay_engine_config conf;
	struct in6_addr own; /* OR_i */
	struct table table;
	struct replay replay;
	struct answers answers;
	struct farewell farewell;
	struct relay_counters counters;
	bool draining;
};

struct event {
	uint64_t now_ms, now_s;
	struct actions *out;
};

/* Who sent a CREATE, and which. */
struct asker {
	uint16_t link;
	struct side_key key;
	uint8_t digest[DIGEST_LEN]; /* of the datagram */
};

/* relay_create.c: admission of a CREATE */
void relay_on_create(struct relay_engine *e, const struct event *ev, const struct link *link,
		     const struct in6_addr *from, const uint8_t *msg, const struct ctrl_msg *m);

/* relay_build.c: from an accepted CREATE to a READY circuit, or to a refusal */
void relay_count_refusal(struct relay_engine *e, uint8_t status);
/* Seal status, and what goes with it, into message 2 by noise, send it and keep it for a retransmission. */
void relay_refuse(struct relay_engine *e, const struct event *ev, const struct asker *who, struct noise *noise,
		  const struct ctrl_answer *why);
void relay_begin_exit(struct relay_engine *e, const struct event *ev, struct circuit *c, uint8_t families);
void relay_begin_extend(struct relay_engine *e, const struct event *ev, struct circuit *c,
			const struct ctrl_offer *offer);
void relay_send_create(struct relay_engine *e, const struct event *ev, struct circuit *c);
void relay_on_created(struct relay_engine *e, const struct event *ev, const struct in6_addr *from, uint16_t link,
		      const struct ctrl_msg *m);
/* A half-open circuit comes to nothing: answer, release; tell_next: the next relay may have it. */
void relay_fail(struct relay_engine *e, const struct event *ev, struct circuit *c, const struct ctrl_answer *why,
		bool tell_next);
void relay_fail_status(struct relay_engine *e, const struct event *ev, struct circuit *c, uint8_t status,
		       bool tell_next);
void relay_on_installed(struct relay_engine *e, const struct event *ev, struct circuit *c, int error);
void relay_half_open_due(struct relay_engine *e, const struct event *ev, struct circuit *c);

/* relay_destroy.c: the end of a circuit */
void relay_say_destroy(struct relay_engine *e, const struct event *ev, const struct peer *p, uint64_t handle,
		       bool by_creator, uint8_t reason);
/* Take the circuit away without an answer to its CREATE. */
void relay_close(struct relay_engine *e, const struct event *ev, struct circuit *c, uint8_t reason, bool tell_prev,
		 bool tell_next);
