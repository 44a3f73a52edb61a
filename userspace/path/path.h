/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The relays of a circuit: named by the user, or drawn, with a guard of the sample (guards.h) and the others by weight
 * (wheel.h). Pure.
 *
 * Which guard it is follows from the sample, from what is wished and from which guards failed, never from which other
 * relays did: else whoever makes middles and exits fail could choose.
 */
#pragma once

#include "path/guards.h"
#include "path/wheel.h"

struct path_pins {
	const char *const *v; /* names or identities (base64) */
	size_t n;	      /* 1..HOPS_MAX */
};

/* One relay by its name or identity (base64). -ENOENT: it is unknown; -EINVAL: several have that name. */
int path_find(const struct network *net, const char *pin, size_t *ret, struct error *err);
/*
 * Fills ret_index[0..n-1] with where in net->relays they are. -ENOENT: one is unknown; -EINVAL: a name that several
 * relays have, twice the same, the first no guard or the last no exit, too many.
 */
int path_pin(const struct network *net, const struct path_pins *pins, size_t ret_index[HOPS_MAX], struct error *err);

struct path_request {
	const struct path_wish *wish;	 /* without a guard and exclusions */
	const struct path_wish *always;	 /* of this, what it says of every relay holds for the guards of the sample */
	const struct relay_id *suspects; /* not used but as the guard, as long as there is another path */
	size_t n_suspects;
	const struct relay_id *left; /* of a path that is to be another one, all but its guard, exit last */
	size_t n_left;
	uint64_t date, now; /* guards.h */
};

struct path_answer {
	struct path_choice choice;
	bool forgiven; /* suspects had to be used */
	uint64_t wait; /* with -EAGAIN: seconds until a guard is to be tried again */
};

/*
 * By another exit than the one that is left, or else by other middles, if that can be. -EAGAIN: each guard that could
 * be tried failed lately. -ENOENT: there is no path, and why. -EINVAL: hops. -ENOMEM. The sample may have changed in
 * any case.
 */
int path_draw(const struct path_wheel *w, struct guards *g, const struct path_request *req, const struct rng *rng,
	      struct path_answer *ret, struct error *err);
/* guards_refresh from what the wheel turns. */
void path_guards_refresh(const struct path_wheel *w, struct guards *g, const struct path_wish *always,
			 const struct rng *rng, uint64_t date);
