/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Choosing the relays of a circuit: distinct, the first a guard, the last an exit (with one hop: both at once).
 * Every allowed sequence is equally likely. Pure; linear in the number of relays.
 */
#pragma once

#include <stddef.h>

#include "lib/error.h"
#include "lib/rand.h"
#include "model/ids.h"
#include "model/relay.h"

struct path_request {
	size_t hops;			/* 1..HOPS_MAX */
	const char *const *pin;		/* NULL, or the names of `hops` relays in order: nothing is drawn then */
	const struct relay_id *exclude; /* never drawn: known dead, ourselves. A pinned relay is used nevertheless */
	size_t n_exclude;
};

/*
 * Fills ret[0..hops-1], guard first, with copies.
 * -ENOENT: not enough relays (the sentence says what lacks), or a pinned name is unknown
 * -EINVAL: hops out of range; pinned twice; the first pinned is no guard or the last no exit
 * -ENOMEM
 */
int path_choose(const struct network *net, const struct path_request *req, const struct rng *rng,
		struct relay ret[HOPS_MAX], struct error *err);
