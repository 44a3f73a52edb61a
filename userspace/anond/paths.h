/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How a client comes to its paths (path/path.h): over the network in force, with the sample of guards that all its
 * circuits share and that outlives it (guards_file.h).
 */
#pragma once

#include "anond/config.h"
#include "model/path_rules.h"
#include "path/path.h"

struct paths;

/* net outlives it, or is replaced. A sample that cannot be read is replaced, and that is logged. -ENOMEM. */
int paths_new(const struct config *conf, const struct network *net, struct paths **ret, struct error *err);
void paths_free(struct paths *p); /* NULL is fine */
/* Another network in two steps, of which only the first can fail (-ENOMEM): the second takes over the wheel. */
int paths_turn(const struct network *net, struct path_wheel **ret);
void paths_set_network(struct paths *p, const struct network *net, struct path_wheel *wheel);

/* pin: n names or identities. Fills ret, guard first, with copies. Errors are path_pin's. */
int paths_named(const struct paths *p, const char *const *pin, size_t n, struct relay ret[HOPS_MAX], struct error *err);

struct paths_request {
	size_t hops;
	const struct selection *sel;	/* what the exit has to lead to */
	const struct path_rules *rules; /* besides those of the configuration */
	const struct relay_id *suspects;
	size_t n_suspects;
	const struct relay_id *left; /* path_request.left */
	size_t n_left;
};

struct paths_answer {
	struct relay path[HOPS_MAX]; /* guard first */
	enum path_alike alike;
	bool forgiven;
	uint64_t wait; /* with -EAGAIN: seconds */
};

/* Errors are path_draw's. */
int paths_draw(struct paths *p, const struct paths_request *req, struct paths_answer *ret, struct error *err);

/* What became of a guard of a path that was drawn. Others than those of the sample are ignored. */
void paths_guard_worked(struct paths *p, const struct relay_id *id);
void paths_guard_failed(struct paths *p, const struct relay_id *id);
void paths_forget_failures(struct paths *p);
/* guards_place. */
size_t paths_guard_place(const struct paths *p, const struct relay_id *id);

/* How much alike the relays of a path are that are still in the network. */
enum path_alike paths_alike(const struct paths *p, const struct relay *path, size_t hops);
