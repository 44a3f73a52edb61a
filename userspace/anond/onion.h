/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One circuit of this host over one path, from the first wish for its guard's link to its end: the handshake
 * (circuit/origin.h), what of it is in the kernel, the echoes. What to do when it ends is its owner's to say.
 */
#pragma once

#include <ev.h>

#include "anond/echo.h"
#include "anond/overlay.h"
#include "circuit/origin.h"
#include "model/selection.h"
#include "plan/plan.h"

struct onion;
struct paths;
struct client_circuit;

/* What circuits need of their role. */
struct client_env {
	struct ev_loop *loop;
	struct kernel *kernel;
	const struct config *conf;
	const struct network *net;
	struct echo *echo;
	struct overlay *overlay;
	struct paths *paths;
	void (*changed)(struct client_circuit *cc);				  /* worth saving */
	void (*guard_over)(struct client_env *env, const struct relay_id *guard); /* may not be needed any more */
	/* Whether one of its addresses is another circuit's of this host. */
	bool (*taken)(struct client_env *env, const struct origin_circuit *c);
	/* Whether links can be made at all: else it is no guard's fault that one was not. */
	bool (*can_link)(struct client_env *env);
};

/* Both are called last: they may end the onion. */
struct onion_ops {
	/* The first echo came back. */
	void (*open)(void *ctx, struct onion *o);
	/*
	 * It failed or is lost. code: enum reply. state: where the handshake or the echoes ended, to see whose fault
	 * it may be; NULL if it was none of a relay's.
	 */
	void (*over)(void *ctx, struct onion *o, int code, const char *why, const struct origin_state *state);
};

struct onion_config {
	struct client_env *env;
	const struct selection *sel; /* what it is to carry; outlives it */
	uint32_t slot;
	const struct relay *path; /* copied */
	size_t hops;
	const struct onion_ops *ops;
	void *ctx;
};

struct onion {
	struct onion_config c;
	struct relay path[HOPS_MAX];
	struct origin *origin;
	struct origin_circuit *placed;	   /* what of it is in the kernel, NULL if nothing */
	bool carries;			   /* and serves what is selected */
	bool leads;			   /* and what begins now goes into it */
	bool echoed;			   /* an echo came back since the owner cleared this */
	char link_error[LINKS_REASON_MAX]; /* why its guard's link failed last, or empty */
	ev_timer tick;
};

/* Of the inner layers. */
enum suite onion_suite_beet(const struct config *conf);

/* Starts. *ret is set before anything else happens: it may be over, and NULL again, when this returns 0. */
int onion_new(const struct onion_config *conf, struct onion **ret, struct error *err);
/*
 * Takes up what an earlier run left open; lead as in onion_carry. have: what is in the kernel; -ENOENT: of its SAs and
 * policies some are not.
 */
int onion_restore(const struct onion_config *conf, const struct origin_record *rec, bool lead, const struct plan *have,
		  struct onion **ret);

/* From now on it carries what is selected; lead: and what begins now, otherwise only what began in it. */
int onion_carry(struct onion *o, bool lead);
/* What begins now goes elsewhere. On an error it does not. */
int onion_retire(struct onion *o);
/* Closes and takes it out of the kernel. NULL is fine. */
void onion_end(struct onion *o);
/* Only forgets; the kernel keeps all. NULL is fine. */
void onion_forget(struct onion *o);

/* Everything of it that is or ought to be in the kernel. */
int onion_plan(const struct onion *o, struct plan *plan);
/* Makes again what somebody took away; what cannot be ends it. */
void onion_repair(struct onion *o);
bool onion_uses(const struct onion *o, const struct relay_id *guard);

void onion_link_up(struct onion *o, const struct link *link);
void onion_link_down(struct onion *o);
/* An attempt to set it up failed. */
void onion_link_failed(struct onion *o, const char *reason);
/* Whether the message was for it. */
bool onion_message(struct onion *o, const uint8_t *msg, size_t len);
void onion_echo(struct onion *o, uint32_t rtt_us);
/* Sends an echo, besides those that it sends by itself. */
void onion_probe(const struct onion *o);
/* The kernel lost an SA of its slot; it may have been an earlier one's. */
void onion_lost(struct onion *o, uint32_t spi);
