/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Everything the running daemon consists of, and the requests it answers. */
#pragma once

#include "anond/client_role.h"
#include "anond/control.h"
#include "anond/dir_client.h"
#include "anond/echo.h"
#include "anond/relay_role.h"
#include "kernel/events.h"
#include "lib/hash.h"
#include "lib/version.h"

struct device {
	char name[IFNAMSIZ];
	UT_hash_handle hh;
};

struct daemon {
	struct ev_loop *loop;
	struct config *conf;
	bool protects; /* a client: what was selected is to be blocked even if it cannot start */
	struct network *net;
	struct relay_keys *keys;  /* relay, else NULL */
	struct onion_keys *onion; /* likewise */
	struct relay self;	  /* relay: as the network file, or the configuration, has it */
	struct dir_kept kept;	  /* with authorities: what was kept; its net is `net` */
	struct dir_client *dir;	  /* with authorities, else NULL */
	struct kernel *kernel;
	struct kernel_events *events;
	ev_io io_route, io_xfrm, io_nft;
	ev_timer repair;   /* a moment after somebody changed the kernel's tables */
	ev_timer changed;  /* a moment after the way to the outside may have changed */
	double changed_at; /* the last time */
	struct device *up; /* hash: devices of others that are */
	struct echo *echo;
	struct relay_role *relay; /* one of these two */
	struct client_role *client;
	struct control *control;
	bool drained; /* no circuit is left, as was asked for: stop for good */
	int lock;     /* descriptor, -1: not held */
	uint64_t started_ms;
	struct control_conn *listing; /* waits for byte counts of `link list` */
};

extern const struct control_ops daemon_control_ops; /* ctx: struct daemon */

/* Have the next start refuse an older network file than the present one. */
void daemon_remember_network(const struct daemon *d);
/* Make dir, if there are authorities, when a role is there. */
int daemon_directory_start(struct daemon *d, struct error *err);
/*
 * Read the network file again and put it in force; on error the old one stays. With authorities: a consensus is fetched
 * and, by a relay, its descriptor published; what comes of it is told by `status`.
 */
int daemon_reload(struct daemon *d, struct error *err);
struct overlay *daemon_overlay(const struct daemon *d);
