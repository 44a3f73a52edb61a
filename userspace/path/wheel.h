/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Choosing the relays of a circuit by weight. A network file knows no weights, so all count the same. The exit is drawn
 * first, then the guard, then the middles; the one relay of a path of one hop is both guard and exit.
 *
 * A relay is drawn in a position with a probability proportional to its weight there, among those that fit beside what
 * was drawn before; what leaves nothing to the others is drawn anew. Its weight there is its weight, less what the
 * network needs of it elsewhere: with E of all weight T at exits, an exit that stands elsewhere counts by
 * max(0, 1 - T / 3E); the same for guards (Tor's path-spec, before it had weights for each pair of positions). If there
 * is no path by that, all count in full, and those of weight 0 as if they had 1: where nobody has measured anything all
 * are as good as each other.
 *
 * Neighbours have an IP version in common. No two relays of one family, one /16 (IPv4) or /32 (IPv6), or one AS, unless
 * there is no other path and the wish allows it: path_choice.alike says so then.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/error.h"
#include "lib/rand.h"
#include "model/ids.h"
#include "model/relay.h"
#include "model/relay_traits.h"

/* Of n relays, parallel. They must outlive the wheel. */
struct path_relays {
	size_t n;
	const struct relay *relay;
	const struct relay_traits *traits;
	const uint32_t *weight; /* KiB/s */
};

/* Sums of weights by position: made once for a network, O(n log n); a draw is O(log n). */
struct path_wheel;
int path_wheel_new(const struct path_relays *relays, struct path_wheel **ret); /* -ENOMEM */
void path_wheel_free(struct path_wheel *w);				       /* NULL is fine */
const struct path_relays *path_wheel_relays(const struct path_wheel *w);

/* What the exit must lead to. An exit of which no ports are known (a network file's) counts as leading everywhere. */
struct path_need {
	bool six;
	uint8_t proto;
	uint16_t port;
};
bool path_leads_to(const struct relay_traits *exit, const struct path_need *need);

enum path_alike {
	PATH_APART,
	PATH_NETWORKS_ALIKE, /* two are of one network or AS */
	PATH_FAMILIES_ALIKE, /* or of one family */
};

struct path_wish {
	size_t hops; /* 1..HOPS_MAX */
	const struct relay_id *exclude;
	size_t n_exclude;
	const struct relay_id *guard;	 /* this one; NULL: drawn */
	const char (*exit_countries)[3]; /* n 0: any */
	size_t n_exit_countries;
	const char (*never_countries)[3]; /* of no relay of the path, nor one that says none */
	size_t n_never_countries;
	const uint8_t (*never_families)[32];
	size_t n_never_families;
	uint64_t alive_until; /* seconds since 1970 UTC: none that says it ends before */
	const struct path_need *needs;
	size_t n_needs;
	enum path_alike may; /* be so much alike, if there is no other path */
};

struct path_choice {
	size_t index[HOPS_MAX]; /* in path_relays, guard first */
	enum path_alike alike;
};

/* -ENOENT: there is no path; the sentence says which position, and what excluded how many. -EINVAL: hops. -ENOMEM. */
int path_wheel_choose(const struct path_wheel *w, const struct path_wish *wish, const struct rng *rng,
		      struct path_choice *ret, struct error *err);
/*
 * One relay by its weight as a guard, none of the n; of the wish only what it says of any relay of a path counts.
 * False: there is none.
 */
bool path_wheel_guard(const struct path_wheel *w, const struct path_wish *wish, const struct relay_id *none, size_t n,
		      const struct rng *rng, struct relay_id *ret);
/* Whether it could be one by that. */
bool path_wheel_is_guard(const struct path_wheel *w, const struct path_wish *wish, const struct relay_id *id);
/* What path_choice would say of a path that was chosen in another way. */
enum path_alike path_alike(const struct path_relays *relays, const size_t *index, size_t hops);
