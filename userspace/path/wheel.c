/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "path/wheel.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"

#define DRAWS_MAX 64	  /* until a position is looked through one by one: what is left there is little */
#define BACKS_MAX 256	  /* how often what leaves nothing to the others is taken back, */
#define LOOKS_MAX 640000u /* but for so many looks at a relay at most */
#define FACTOR 256u /* 1, of what a relay counts by elsewhere; twice in a weight, and 20,000 of 32 bits fit into 64 */

enum position { GUARD, MIDDLE, EXIT, ONLY, POSITIONS }; /* ONLY: guard and exit at once */

struct path_wheel {
	struct path_relays r;
	uint64_t *sum[2][POSITIONS]; /* of the weights of relays 0..i there; and of those in full */
	const struct relay **by_id;  /* for bsearch */
};

/* ---- weights ---- */

/* What a relay of which there are `of` in all counts by where it is not needed as such. */
static uint64_t elsewhere(uint64_t all, uint64_t of)
{
	return 3 * of <= all ? 0 : FACTOR - FACTOR * all / (3 * of);
}

static bool is_first(enum position at)
{
	return at == GUARD || at == ONLY;
}

static bool is_last(enum position at)
{
	return at == EXIT || at == ONLY;
}

static bool has_role(const struct relay *r, enum position at)
{
	return (r->guard || !is_first(at)) && (r->exit || !is_last(at));
}

static uint64_t weight_at(const struct path_relays *r, size_t i, enum position at, uint64_t of_exits,
			  uint64_t of_guards)
{
	bool exit = !is_last(at) && r->relay[i].exit, guard = !is_first(at) && r->relay[i].guard;

	return r->weight[i] * (exit ? of_exits : FACTOR) * (guard ? of_guards : FACTOR);
}

static uint64_t weight_in_full(const struct path_relays *r, size_t i)
{
	return r->weight[i] ? r->weight[i] : 1;
}

static void sum_up(const struct path_relays *r, enum position at, bool full, uint64_t of_exits, uint64_t of_guards,
		   uint64_t *sum)
{
	uint64_t all = 0;

	for (size_t i = 0; i < r->n; i++) {
		if (has_role(&r->relay[i], at))
			all += full ? weight_in_full(r, i) : weight_at(r, i, at, of_exits, of_guards);
		sum[i] = all;
	}
}

static int compare_relays(const void *a, const void *b)
{
	return memcmp(&(*(const struct relay *const *)a)->id, &(*(const struct relay *const *)b)->id,
		      sizeof(struct relay_id));
}

static int compare_to_relay(const void *id, const void *relay)
{
	return memcmp(id, &(*(const struct relay *const *)relay)->id, sizeof(struct relay_id));
}

static bool sort_by_id(struct path_wheel *w)
{
	w->by_id = calloc(w->r.n + 1, sizeof(*w->by_id));
	if (!w->by_id)
		return false;
	for (size_t i = 0; i < w->r.n; i++)
		w->by_id[i] = &w->r.relay[i];
	qsort(w->by_id, w->r.n, sizeof(*w->by_id), compare_relays);
	return true;
}

/* False: there is none. */
static bool index_of(const struct path_wheel *w, const struct relay_id *id, size_t *ret)
{
	const struct relay **found = bsearch(id, w->by_id, w->r.n, sizeof(*w->by_id), compare_to_relay);

	if (found)
		*ret = (size_t)(*found - w->r.relay);
	return found;
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
	for (enum position at = GUARD; at < POSITIONS; at++)
		for (int full = 0; full < 2; full++) {
			uint64_t *sum = w->sum[full][at] = calloc(relays->n + 1, sizeof(*sum));

			if (!sum) {
				path_wheel_free(w);
				return -ENOMEM;
			}
			sum_up(relays, at, full, elsewhere(all, exits), elsewhere(all, guards), sum);
		}
	if (!sort_by_id(w)) {
		path_wheel_free(w);
		return -ENOMEM;
	}
	*ret = w;
	return 0;
}

void path_wheel_free(struct path_wheel *w)
{
	if (!w)
		return;
	for (enum position at = GUARD; at < POSITIONS; at++)
		for (int full = 0; full < 2; full++)
			free(w->sum[full][at]);
	free(w->by_id);
	free(w);
}

const struct path_relays *path_wheel_relays(const struct path_wheel *w)
{
	return &w->r;
}

/* ---- what fits ---- */

enum reason { FITS, NO_ROLE, EXCLUDED, COUNTRY, FAMILY, ENDS, LEADS, REASONS };

bool path_leads_to(const struct relay_traits *t, const struct path_need *need)
{
	const struct exit_ports *e = need->six ? &t->exit6 : &t->exit4;

	if (!t->exit4.n && !t->exit6.n) /* not known */
		return true;
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

static bool share_family(const uint8_t (*a)[32], size_t n, const uint8_t (*b)[32], size_t m)
{
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < m; k++)
			if (memcmp(a[i], b[k], sizeof(a[i])) == 0)
				return true;
	return false;
}

static int compare_id(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct relay_id));
}

static bool is_never(const struct path_wish *wish, const char *country)
{
	return wish->n_never_countries &&
	       (!country[0] || is_among(wish->never_countries, wish->n_never_countries, country));
}

/* Whether a relay fits there by all but its weight, whatever else is in the path. The exclusions are sorted. */
static enum reason fits(const struct path_wheel *w, const struct path_wish *wish, enum position at, size_t i)
{
	const struct relay_traits *t = &w->r.traits[i];
	const struct relay *r = &w->r.relay[i];

	if (!has_role(r, at))
		return NO_ROLE;
	if (wish->n_exclude && bsearch(&r->id, wish->exclude, wish->n_exclude, sizeof(r->id), compare_id))
		return EXCLUDED;
	if (is_never(wish, t->country))
		return COUNTRY;
	if (share_family(t->families, t->n_families, wish->never_families, wish->n_never_families))
		return FAMILY;
	if (t->ends && t->ends < wish->alive_until)
		return ENDS;
	if (!is_last(at))
		return FITS;
	if (wish->n_exit_countries && !is_among(wish->exit_countries, wish->n_exit_countries, t->country))
		return COUNTRY;
	for (size_t k = 0; k < wish->n_needs; k++)
		if (!path_leads_to(t, &wish->needs[k]))
			return LEADS;
	return FITS;
}

static bool near(const struct path_relays *r, size_t a, size_t b)
{
	const struct relay *x = &r->relay[a], *y = &r->relay[b];
	uint32_t x4 = ntohl(x->addr4.s_addr), y4 = ntohl(y->addr4.s_addr);

	return (x4 && y4 && x4 >> 16 == y4 >> 16) ||
	       (!IN6_IS_ADDR_UNSPECIFIED(&x->addr6) && x->addr6.s6_addr32[0] == y->addr6.s6_addr32[0]) ||
	       (r->traits[a].as && r->traits[a].as == r->traits[b].as);
}

/* What of it must not be is said by how alike they may be. */
static bool too_alike(const struct path_relays *r, enum path_alike may, size_t a, size_t b)
{
	const struct relay_traits *s = &r->traits[a], *t = &r->traits[b];

	return (may < PATH_NETWORKS_ALIKE && near(r, a, b)) ||
	       (may < PATH_FAMILIES_ALIKE && share_family(s->families, s->n_families, t->families, t->n_families));
}

/* ---- drawing ---- */

struct draft {
	const struct path_wheel *w;
	const struct path_wish *wish; /* its exclusions sorted */
	const struct rng *rng;
	int full;
	enum path_alike alike;
	size_t drawn[HOPS_MAX]; /* in the order of drawing */
	size_t n;
	/* What was taken back, by how many were drawn before it: beside these it leaves nothing to the others. */
	size_t banned[HOPS_MAX][BACKS_MAX], n_banned[HOPS_MAX];
};

static bool is_banned(const struct draft *d, size_t i)
{
	for (size_t k = 0; k < d->n_banned[d->n]; k++)
		if (d->banned[d->n][k] == i)
			return true;
	return false;
}

/* A bit for each IP version that it has an address of. */
static unsigned int versions_of(const struct relay *r)
{
	return (r->addr4.s_addr ? 1 : 0) | (IN6_IS_ADDR_UNSPECIFIED(&r->addr6) ? 0 : 2);
}

/* Whether a link between them is thinkable. */
static bool have_link(const struct draft *d, size_t a, size_t b)
{
	unsigned int x = versions_of(&d->w->r.relay[a]), y = versions_of(&d->w->r.relay[b]);

	return !x || !y || x & y;
}

/* With those that it would stand between, as far as they are drawn: the order is next_place's. */
static bool reaches_neighbours(const struct draft *d, size_t i)
{
	size_t guard = d->wish->guard ? 0 : 1, left = d->wish->hops - d->n;

	if (d->n < 2)
		return d->n == 0 || left > 1 || have_link(d, d->drawn[0], i);
	return have_link(d, d->drawn[d->n == 2 ? guard : d->n - 1], i) &&
	       (left > 1 || have_link(d, d->drawn[1 - guard], i));
}

static bool fits_beside(const struct draft *d, enum position at, size_t i)
{
	for (size_t k = 0; k < d->n; k++)
		if (d->drawn[k] == i || too_alike(&d->w->r, d->alike, d->drawn[k], i))
			return false;
	return fits(d->w, d->wish, at, i) == FITS && reaches_neighbours(d, i) && !is_banned(d, i);
}

static uint64_t weight_of(const uint64_t *sum, size_t i)
{
	return sum[i] - (i ? sum[i - 1] : 0);
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
	const uint64_t *sum = d->w->sum[d->full][at];
	uint64_t all = 0, t;

	for (size_t i = 0; i < d->w->r.n; i++)
		all += fits_beside(d, at, i) ? weight_of(sum, i) : 0;
	if (all == 0)
		return false;
	t = rng_below64(d->rng, all);
	for (size_t i = 0;; i++) {
		uint64_t v = fits_beside(d, at, i) ? weight_of(sum, i) : 0;

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
	const uint64_t *sum = d->w->sum[d->full][at];
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

static bool take_guard(struct draft *d, enum position at)
{
	size_t i;

	if (!index_of(d->w, d->wish->guard, &i) || !fits_beside(d, at, i))
		return false;
	d->drawn[d->n++] = i;
	return true;
}

/* Exit, guard, middles; a guard that is given comes first. */
static enum position next_place(const struct draft *d)
{
	if (d->wish->hops == 1)
		return ONLY;
	if (d->n > 1)
		return MIDDLE;
	return (d->n == 0) == (d->wish->guard != NULL) ? GUARD : EXIT;
}

static bool draw_next(struct draft *d)
{
	enum position at = next_place(d);

	if (!(d->wish->guard && is_first(at) ? take_guard(d, at) : draw(d, at)))
		return false;
	if (d->n < HOPS_MAX)
		d->n_banned[d->n] = 0;
	return true;
}

static void take_back(struct draft *d)
{
	size_t k = --d->n;

	d->banned[k][d->n_banned[k]++] = d->drawn[k];
}

/* What lacked beside the most that were drawn; POSITIONS: nothing, there is a path. */
static enum position draw_path(struct draft *d)
{
	size_t most = 0, backs = LOOKS_MAX / d->w->r.n;
	enum position lacks = next_place(d);

	backs = backs < BACKS_MAX ? backs : BACKS_MAX;
	d->n_banned[0] = 0;
	while (d->n < d->wish->hops) {
		if (draw_next(d))
			continue;
		if (d->n > most) {
			most = d->n;
			lacks = next_place(d);
		}
		if (d->n == 0 || backs-- == 0)
			return lacks;
		take_back(d);
	}
	return POSITIONS;
}

/* ---- why not ---- */

/* By all but their role. */
static size_t usable(const struct path_wheel *w, const struct path_wish *wish)
{
	size_t n = 0;

	for (size_t i = 0; i < w->r.n; i++)
		n += fits(w, wish, MIDDLE, i) == FITS;
	return n;
}

static int say_why(const struct path_wheel *w, const struct path_wish *wish, enum position at, struct error *err)
{
	static const char *const names[] = {
		[GUARD] = "guard", [MIDDLE] = "middle", [EXIT] = "exit", [ONLY] = "guard that is an exit too"
	};
	static const char *const reasons[] = { [EXCLUDED] = "failed lately",
					       [COUNTRY] = "in other countries than wanted",
					       [FAMILY] = "of a family that is not wanted",
					       [ENDS] = "ending too soon",
					       [LEADS] = "not leading there" };
	size_t count[REASONS] = { 0 }, n = 0;
	char text[200] = "";

	if (wish->guard && is_first(at))
		return error_set(err, -ENOENT, "the guard that is kept does not fit");
	for (size_t i = 0; i < w->r.n; i++) {
		enum reason why = fits(w, wish, at, i);

		count[why]++;
		n += why != NO_ROLE;
	}
	for (size_t k = EXCLUDED; k < REASONS; k++) {
		size_t len = strlen(text);

		if (count[k])
			snprintf(text + len, sizeof(text) - len, ", %zu %s", count[k], reasons[k]);
	}
	if (count[FITS] && usable(w, wish) < wish->hops)
		return error_set(err, -ENOENT, "%zu hops need as many relays, but only %zu are usable", wish->hops,
				 usable(w, wish));
	if (count[FITS])
		return error_set(err, -ENOENT, "no %s is left beside the others of the path: %zu relays can be one%s",
				 names[at], n, text);
	return error_set(err, -ENOENT, "no %s fits: %zu relays can be one%s", names[at], n, text);
}

/* By their weights, then in full, then alike. */
static enum position draw_somehow(struct draft *d)
{
	static const struct {
		int full;
		enum path_alike alike;
	} stages[] = { { 0, PATH_APART }, { 1, PATH_APART }, { 1, PATH_NETWORKS_ALIKE }, { 1, PATH_FAMILIES_ALIKE } };
	enum position lacks = EXIT;

	for (size_t i = 0; i < ARRAY_SIZE(stages) && lacks != POSITIONS && stages[i].alike <= d->wish->may; i++) {
		d->full = stages[i].full;
		d->alike = stages[i].alike;
		d->n = 0;
		lacks = draw_path(d);
	}
	return lacks;
}

static struct path_choice in_order(const struct draft *d)
{
	struct path_choice c = { .alike = d->alike };
	size_t guard = d->wish->guard || d->n == 1 ? 0 : 1;

	c.index[0] = d->drawn[guard];
	if (d->n == 1)
		return c;
	for (size_t i = 2; i < d->n; i++)
		c.index[i - 1] = d->drawn[i];
	c.index[d->n - 1] = d->drawn[1 - guard];
	return c;
}

/* A wish with its exclusions in order, which the caller frees. NULL: no memory. */
static struct relay_id *sort_exclusions(const struct path_wish *wish, struct path_wish *ret)
{
	struct relay_id *exclude = calloc(wish->n_exclude + 1, sizeof(*exclude));

	if (!exclude)
		return NULL;
	if (wish->n_exclude)
		memcpy(exclude, wish->exclude, wish->n_exclude * sizeof(*exclude));
	qsort(exclude, wish->n_exclude, sizeof(*exclude), compare_id);
	*ret = *wish;
	ret->exclude = exclude;
	return exclude;
}

int path_wheel_choose(const struct path_wheel *w, const struct path_wish *wish, const struct rng *rng,
		      struct path_choice *ret, struct error *err)
{
	_cleanup_free_ struct relay_id *exclude = NULL;
	struct path_wish sorted;
	struct draft d = { .w = w, .wish = &sorted, .rng = rng };
	enum position lacks;

	if (wish->hops < 1 || wish->hops > HOPS_MAX)
		return error_set(err, -EINVAL, "a path has 1 to %d relays", HOPS_MAX);
	if (w->r.n == 0)
		return error_set(err, -ENOENT, "there are no relays");
	exclude = sort_exclusions(wish, &sorted);
	if (!exclude)
		return error_set(err, -ENOMEM, "out of memory");
	lacks = draw_somehow(&d);
	if (lacks != POSITIONS)
		return say_why(w, &sorted, lacks, err);
	*ret = in_order(&d);
	return 0;
}

bool path_wheel_is_guard(const struct path_wheel *w, const struct path_wish *wish, const struct relay_id *id)
{
	struct path_wish alone = *wish;
	size_t i;

	alone.n_exclude = 0;
	return index_of(w, id, &i) && fits(w, &alone, GUARD, i) == FITS;
}

bool path_wheel_guard(const struct path_wheel *w, const struct path_wish *wish, const struct relay_id *none, size_t n,
		      const struct rng *rng, struct relay_id *ret)
{
	_cleanup_free_ struct relay_id *exclude = NULL;
	struct path_wish alone = *wish, sorted;
	struct draft d = { .w = w, .wish = &sorted, .rng = rng };

	alone.exclude = none;
	alone.n_exclude = n;
	exclude = w->r.n ? sort_exclusions(&alone, &sorted) : NULL;
	for (d.full = 0; exclude && d.full < 2; d.full++)
		if (draw(&d, GUARD)) {
			*ret = w->r.relay[d.drawn[0]].id;
			return true;
		}
	return false;
}

enum path_alike path_alike(const struct path_relays *relays, const size_t *index, size_t hops)
{
	enum path_alike alike = PATH_APART;

	for (size_t i = 0; i < hops; i++)
		for (size_t k = 0; k < i; k++)
			while (too_alike(relays, alike, index[i], index[k]))
				alike++;
	return alike;
}
