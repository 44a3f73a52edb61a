/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Overlay links as a role uses them: charon makes the SAs (ike/links.h), the plan makes device, guard rules and routes,
 * and a probe as long as the network's link MTU has to come back before the link counts as up: a wire that
 * is smaller than agreed would swallow every full packet in silence.
 */
#pragma once

#include <ev.h>
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "anond/config.h"
#include "directory/keys.h"
#include "directory/network.h"
#include "ike/links.h"
#include "kernel/ops.h"
#include "lib/error.h"
#include "model/link.h"
#include "model/relay.h"

struct overlay;

struct overlay_ops {
	void (*up)(void *ctx, const struct link *link);
	void (*down)(void *ctx, const struct link *link);
	void (*failed)(void *ctx, const struct relay_id *peer, const char *reason);
	/*
	 * A client's: whether a link still carries anything is looked at, so something should be sent over it, several
	 * times; and, some seconds later, whether anything came back since the first.
	 */
	void (*doubt)(void *ctx, const struct relay_id *peer, bool first);
	bool (*carries)(void *ctx, const struct relay_id *peer);
	/* A control message; from is checked to be an address that this link may use. */
	void (*message)(void *ctx, const struct link *link, const struct in6_addr *from, const uint8_t *msg,
			size_t len);
};

struct overlay_config {
	struct ev_loop *loop;
	struct kernel *kernel;
	const struct config *conf;
	const struct network *net;
	const struct relay_keys *keys; /* relay; else NULL, and so is: */
	const struct relay *self;      /* as the network knows it, or will */
	const struct overlay_ops *ops;
	void *ctx;
};

/* At a relay the base plan (its overlay address) is in the kernel already. */
int overlay_new(const struct overlay_config *conf, struct overlay **ret, struct error *err);
/* Forget everything but leave links, devices and rules as they are: for a restart. NULL is fine. */
void overlay_free(struct overlay *o);
/*
 * Take links, devices and rules away: for a regular end. Before overlay_free. Runs the event loop until charon was
 * told, OVERLAY_TEARDOWN_S at most, so that peers hear of it: whatever else is on the loop must bear to be called.
 */
void overlay_teardown(struct overlay *o);
#define OVERLAY_TEARDOWN_S 2.
/* Make devices, rules and routes of the links again where somebody took them away. The first error. */
int overlay_repair(struct overlay *o);

/* The network file was replaced. net outlives o; on an error the old one stays in force. */
int overlay_set_network(struct overlay *o, const struct network *net);

/* 1: it is up; 0: `up` or `failed` will tell. Negative errno: cannot even be tried. */
int overlay_want(struct overlay *o, const struct relay *peer);
/* Client: a link of an earlier run's, with the device and the address that a circuit still has, until charon tells. */
void overlay_adopt(struct overlay *o, const struct link *link);
/*
 * The host's way to the outside may be another: what is up is looked at and made anew if it carries nothing, what waits
 * after a failure is tried at once.
 */
void overlay_network_changed(struct overlay *o);
/* What went over the link to this relay was not answered: the same for this one. */
void overlay_doubt(struct overlay *o, const struct relay_id *peer);
/* A client that comes back after this is a stranger to the guard (link_table.h). */
void overlay_drop(struct overlay *o, const struct relay_id *peer);
/*
 * Client, when everything that an earlier run left is wanted again: guards that are not meet a stranger next time; if
 * none is, another secret is drawn.
 */
void overlay_renew_identity(struct overlay *o);
/* The link to peer if it is up, else NULL. Valid until the next event. */
const struct link *overlay_link_to(const struct overlay *o, const struct relay_id *peer);

/* Best effort. -ENOENT: no such link. */
int overlay_send(struct overlay *o, uint16_t number, const struct in6_addr *to, const uint8_t *msg, size_t len);

/* Whether charon can be reached; while it cannot, no link's failure is its peer's fault. */
bool overlay_ready(const struct overlay *o);

/* JSON for `link list` and the charon part of `status`. New references. */
json_t *overlay_links_json(const struct overlay *o);
json_t *overlay_charon_json(const struct overlay *o);
size_t overlay_links_up(const struct overlay *o);
/* Bring the byte counts up to date, then call done. -ENOTCONN. */
int overlay_refresh(struct overlay *o, void (*done)(void *ctx, int error), void *ctx);
