/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "path/wheel.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"

#define DRAWS_MAX 64 /* until a position is looked through one by one: what is left there is little */
#define PATHS_MAX 32 /* until relays may be alike: those that were drawn first may leave nothing to the last */
#define FACTOR 256u  /* 1, of what a relay counts by elsewhere; twice in a weight, and 10,000 of 32 bits fit into 64 */

enum position { GUARD, MIDDLE, EXIT, POSITIONS };

struct path_wheel {
	struct path_relays r;
	uint64_t *sum[POSITIONS]; /* of the weights of relays 0..i there */
};

/* ---- weights ---- */

/* What a relay of which there are `of` in all counts by where it is not needed as such. */
static uint64_t elsewhere(uint64_t all, uint64_t of)
{
	return 3 * of <= all ? 0 : FACTOR - FACTOR * all / (3 * of);
}

static uint64_t weight_at(const struct path_relays *r, size_t i, enum position at, uint64_t of_exits,
			  uint64_t of_guards)
{
	bool exit = at != EXIT && r->relay[i].exit, guard = at != GUARD && r->relay[i].guard;

	if ((at == GUARD && !r->relay[i].guard) || (at == EXIT && !r->relay[i].exit))
		return 0;
	return r->weight[i] * (exit ? of_exits : FACTOR) * (guard ? of_guards : FACTOR);
}

static uint64_t sum_up(const struct path_relays *r, enum position at, uint64_t of_exits, uint64_t of_guards,
		       uint64_t *sum)
{
	uint64_t all = 0;

	for (size_t i = 0; i < r->n; i++)
		sum[i] = all += weight_at(r, i, at, of_exits, of_guards);
	return all;
}

int path_wheel_new(const struct path_relays *relays, struct path_wheel **ret)
{
	uint64_t all = 0, exits = 0, guards = 0;
	struct path_wheel *w = calloc(1, sizeof(*w));

	if (!w)
		return -ENOMEM;
	w->r = *relays;
	for (size_t i = 0; i < relays->n; i++) {
		all += relays->weight[i];
		exits += relays->relay[i].exit ? relays->weight[i] : 0;
		guards += relays->relay[i].guard ? relays->weight[i] : 0;
	}
	for (enum position at = GUARD; at < POSITIONS; at++) {
		w->sum[at] = calloc(relays->n + 1, sizeof(*w->sum[at]));
		if (!w->sum[at]) {
			path_wheel_free(w);
			return -ENOMEM;
		}
		if (sum_up(relays, at, elsewhere(all, exits), elsewhere(all, guards), w->sum[at]) == 0)
			sum_up(relays, at, FACTOR, FACTOR, w->sum[at]);
	}
	*ret = w;
	return 0;
}

void path_wheel_free(struct path_wheel *w)
{
	for (enum position at = GUARD; w && at < POSITIONS; at++)
		free(w->sum[at]);
	free(w);
}

/* ---- what fits ---- */

enum reason { FITS, NO_WEIGHT, EXCLUDED, COUNTRY, FAMILY, ENDS, LEADS, REASONS };

static bool leads_to(const struct relay_traits *t, const struct path_need *need)
{
	const struct exit_ports *e = need->six ? &t->exit6 : &t->exit4;

	for (size_t i = 0; i < e->n; i++)
		if (e->v[i].proto == need->proto && e->v[i].first <= need->port && need->port <= e->v[i].last)
			return true;
	return false;
}

static bool is_among(const char (*list)[3], size_t n, const char *country)
{
	for (size_t i = 0; i < n; i++)
		if (strncmp(list[i], country, sizeof(list[i])) == 0)
			return true;
	return false;
}

static bool of_never_family(const struct relay_traits *t, const struct path_wish *wish)
{
	for (size_t i = 0; i < t->n_families; i++)
		for (size_t k = 0; k < wish->n_never_families; k++)
			if (memcmp(t->families[i], wish->never_families[k], sizeof(t->families[i])) == 0)
				return true;
	return false;
}

static bool is_excluded(const struct relay *r, const struct path_wish *wish)
{
	for (size_t i = 0; i < wish->n_exclude; i++)
		if (memcmp(&r->id, &wish->exclude[i], sizeof(r->id)) == 0)
			return true;
	return false;
}

/* Whether a relay fits there, whatever else is in the path. */
static enum reason fits(const struct path_wheel *w, const struct path_wish *wish, enum position at, size_t i)
{
	const struct relay_traits *t = &w->r.traits[i];

	if (w->sum[at][i] == (i ? w->sum[at][i - 1] : 0))
		return NO_WEIGHT;
	if (is_excluded(&w->r.relay[i], wish))
		return EXCLUDED;
	if (is_among(wish->never_countries, wish->n_never_countries, t->country))
		return COUNTRY;
	if (of_never_family(t, wish))
		return FAMILY;
	if (t->ends && t->ends < wish->alive_until)
		return ENDS;
	if (at != EXIT)
		return FITS;
	if (wish->n_exit_countries && !is_among(wish->exit_countries, wish->n_exit_countries, t->country))
		return COUNTRY;
	for (size_t k = 0; k < wish->n_needs; k++)
		if (!leads_to(t, &wish->needs[k]))
			return LEADS;
	return FITS;
}

static bool share_family(const struct relay_traits *a, const struct relay_traits *b)
{
	for (size_t i = 0; i < a->n_families; i++)
		for (size_t k = 0; k < b->n_families; k++)
			if (memcmp(a->families[i], b->families[k], sizeof(a->families[i])) == 0)
				return true;
	return false;
}

static bool alike(const struct path_wheel *w, size_t a, size_t b)
{
	const struct relay *x = &w->r.relay[a], *y = &w->r.relay[b];
	const struct relay_traits *s = &w->r.traits[a], *t = &w->r.traits[b];
	uint32_t x4 = ntohl(x->addr4.s_addr), y4 = ntohl(y->addr4.s_addr);

	return (x4 && y4 && x4 >> 16 == y4 >> 16) ||
	       (!IN6_IS_ADDR_UNSPECIFIED(&x->addr6) && x->addr6.s6_addr32[0] == y->addr6.s6_addr32[0]) ||
	       (s->as && s->as == t->as) || share_family(s, t);
}

/* ---- drawing ---- */

struct draft {
	const struct path_wheel *w;
	const struct path_wish *wish;
	const struct rng *rng;
	size_t drawn[HOPS_MAX]; /* in the order of drawing */
	size_t n;
	bool may_be_alike;
};

static bool fits_beside(const struct draft *d, enum position at, size_t i)
{
	for (size_t k = 0; k < d->n; k++)
		if (d->drawn[k] == i || (!d->may_be_alike && alike(d->w, d->drawn[k], i)))
			return false;
	return fits(d->w, d->wish, at, i) == FITS;
}

/* The first relay up to which the sum is more than t. */
static size_t seek(const uint64_t *sum, size_t n, uint64_t t)
{
	size_t low = 0, high = n - 1;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (sum[mid] > t)
			high = mid;
		else
			low = mid + 1;
	}
	return low;
}

/* Of all that fit, one by one. */
static bool draw_slowly(struct draft *d, enum position at, size_t *ret)
{
	const uint64_t *sum = d->w->sum[at];
	uint64_t all = 0, t;

	for (size_t i = 0; i < d->w->r.n; i++)
		all += fits_beside(d, at, i) ? sum[i] - (i ? sum[i - 1] : 0) : 0;
	if (all == 0)
		return false;
	t = rng_below64(d->rng, all);
	for (size_t i = 0;; i++) {
		uint64_t v = fits_beside(d, at, i) ? sum[i] - (i ? sum[i - 1] : 0) : 0;

		if (t < v) {
			*ret = i;
			return true;
		}
		t -= v;
	}
}

/* What does not fit is drawn again: so what does is drawn as if there were nothing else. */
static bool draw(struct draft *d, enum position at)
{
	const uint64_t *sum = d->w->sum[at];
	uint64_t all = sum[d->w->r.n - 1];
	size_t i = 0;
	bool found = false;

	for (int k = 0; k < DRAWS_MAX && !found && all; k++) {
		i = seek(sum, d->w->r.n, rng_below64(d->rng, all));
		found = fits_beside(d, at, i);
	}
	if (!found)
		found = all && draw_slowly(d, at, &i);
	if (found)
		d->drawn[d->n++] = i;
	return found;
}

static bool take_guard(struct draft *d)
{
	for (size_t i = 0; i < d->w->r.n; i++)
		if (memcmp(&d->w->r.relay[i].id, d->wish->guard, sizeof(struct relay_id)) == 0 &&
		    fits_beside(d, GUARD, i)) {
			d->drawn[d->n++] = i;
			return true;
		}
	return false;
}

/* Exit, guard, middles. A guard that is given comes first: it is the exit that gives way. POSITIONS: all are there. */
static enum position draw_path(struct draft *d)
{
	d->n = 0;
	if (d->wish->guard && !take_guard(d))
		return GUARD;
	if (!draw(d, EXIT))
		return EXIT;
	if (!d->wish->guard && !draw(d, GUARD))
		return GUARD;
	while (d->n < d->wish->hops)
		if (!draw(d, MIDDLE))
			return MIDDLE;
	return POSITIONS;
}

/* ---- why not ---- */

static int say_why(const struct path_wheel *w, const struct path_wish *wish, enum position at, struct error *err)
{
	static const char *const names[] = { [GUARD] = "guard", [MIDDLE] = "middle", [EXIT] = "exit" };
	static const char *const reasons[] = { [EXCLUDED] = "failed lately",
					       [COUNTRY] = "in other countries than wanted",
					       [FAMILY] = "of a family that is not wanted",
					       [ENDS] = "ending too soon",
					       [LEADS] = "not leading there" };
	size_t count[REASONS] = { 0 }, n = 0;
	char text[200] = "";

	for (size_t i = 0; i < w->r.n; i++) {
		enum reason why = fits(w, wish, at, i);

		count[why]++;
		n += why != NO_WEIGHT;
	}
	for (size_t k = EXCLUDED; k < REASONS; k++) {
		size_t len = strlen(text);

		if (count[k])
			snprintf(text + len, sizeof(text) - len, ", %zu %s", count[k], reasons[k]);
	}
	if (count[FITS])
		return error_set(err, -ENOENT, "no %s is left beside the others of the path: %zu relays can be one%s",
				 names[at], n, text);
	return error_set(err, -ENOENT, "no %s fits: %zu relays can be one%s", names[at], n, text);
}

int path_wheel_choose(const struct path_wheel *w, const struct path_wish *wish, const struct rng *rng,
		      struct path_choice *ret, struct error *err)
{
	struct draft d = { .w = w, .wish = wish, .rng = rng };
	enum position lacks = EXIT;

	if (wish->hops < 2 || wish->hops > HOPS_MAX)
		return error_set(err, -EINVAL, "a path has 2 to %d relays", HOPS_MAX);
	if (w->r.n == 0)
		return error_set(err, -ENOENT, "there are no relays");
	for (int k = 0; k <= PATHS_MAX && lacks != POSITIONS; k++) {
		d.may_be_alike = k == PATHS_MAX;
		lacks = draw_path(&d);
	}
	for (int k = 0; k < PATHS_MAX && lacks != POSITIONS; k++)
		lacks = draw_path(&d);
	if (lacks != POSITIONS)
		return say_why(w, wish, lacks, err);
	if (wish->guard) { /* it was first, the exit second */
		size_t guard = d.drawn[0];

		d.drawn[0] = d.drawn[1];
		d.drawn[1] = guard;
	}
	*ret = (struct path_choice){ .alike = d.may_be_alike };
	ret->index[0] = d.drawn[1];
	for (size_t i = 2; i < d.n; i++)
		ret->index[i - 1] = d.drawn[i];
	ret->index[wish->hops - 1] = d.drawn[0];
	return 0;
}
