/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The directory as a node uses it: fetches the consensus in time, verifies it, keeps it and puts it in force; a relay's
 * also publishes what the relay says of itself. One request at a time, each by a process of its own
 * (request/request.h).
 */
#pragma once

#include <ev.h>
#include <jansson.h>
#include <net/if.h>

#include "anond/config.h"
#include "anond/dir_kept.h"
#include "anond/dir_schedule.h"
#include "directory/keys.h"
#include "directory/onion_keys.h"

#define DIR_PUBLISH_S 43200u /* a relay's descriptor is published anew so often, less a random hour */

struct dir_client;

/* How a client is to fetch now. */
enum dir_way {
	DIR_DIRECTLY,	/* no circuit is wanted, none can be built, or none leads to any server */
	DIR_BY_CIRCUIT, /* by this device */
	DIR_NOT_NOW,	/* one is being built */
};

struct dir_client_config {
	struct ev_loop *loop;
	const struct config *conf;
	const struct relay_keys *keys;	/* a relay's, else NULL */
	const struct onion_keys *onion; /* likewise */
	struct dir_kept kept;		/* net, if there is one, is in force already and not looked at */
	/* A newer one. Takes net over, also on an error. */
	int (*put_in_force)(void *ctx, struct network *net, struct error *err);
	/* NULL: always directly, and without a mark. */
	enum dir_way (*way)(void *ctx, struct dir_reach *ret_reach, char ret_device[IFNAMSIZ]);
	void *ctx;
};

int dir_client_new(const struct dir_client_config *conf, struct dir_client **ret);
void dir_client_free(struct dir_client *d); /* NULL is fine */

/* The way to the outside may be another, or a circuit has opened. */
void dir_client_changed(struct dir_client *d);
/* Fetch now, and a relay publishes now: a person asks. */
void dir_client_hurry(struct dir_client *d);
/* What a relay says of itself has changed: it is published at once. A client's does nothing. */
void dir_publish_now(struct dir_client *d);
/* The relay ends at that time, 0: when the configuration says; published at once if it is new. */
void dir_client_ends(struct dir_client *d, uint64_t ends_s);

/* For `status`: no key, name or address. New reference. */
json_t *dir_client_json(const struct dir_client *d);
/* What is wrong, for `doctor`: "" if a consensus is in force and valid. */
const char *dir_client_wrong(const struct dir_client *d);
