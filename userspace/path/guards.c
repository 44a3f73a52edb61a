/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "path/guards.h"

#include <string.h>

#define FAILURES_UNTIL_OTHERS 2u
/* Seconds until one that failed is tried again, doubled each time. */
#define RETRY_PRIMARY 30u
#define RETRY_PRIMARY_MAX 120u
#define RETRY_OTHER 600u
#define RETRY_OTHER_MAX 10800u

/* Lest the file tells when this client was used. */
static uint64_t blurred(const struct rng *rng, uint64_t date)
{
	uint64_t back = rng_below(rng, GUARDS_BLUR);

	return date > back ? date - back : 1;
}

static struct guard *find(struct guards *g, const struct relay_id *id)
{
	for (size_t i = 0; i < g->n; i++)
		if (memcmp(&g->v[i].id, id, sizeof(*id)) == 0)
			return &g->v[i];
	return NULL;
}

static size_t count_listed(const struct guards *g)
{
	size_t n = 0;

	for (size_t i = 0; i < g->n; i++)
		n += !g->v[i].unlisted;
	return n;
}

/* Whether it is one of the first that are listed. */
static bool is_primary(const struct guards *g, const struct guard *v)
{
	size_t before = 0;

	for (size_t i = 0; &g->v[i] != v; i++)
		before += !g->v[i].unlisted;
	return !v->unlisted && before < GUARDS_PRIMARY;
}

static bool passed(uint64_t since, uint64_t life, uint64_t date)
{
	return date > since && date - since > life;
}

static bool is_over(const struct guard *v, uint64_t date)
{
	return (v->unlisted && passed(v->unlisted, GUARDS_LIFE_UNLISTED, date)) ||
	       (v->confirmed ? passed(v->confirmed, GUARDS_LIFE_CONFIRMED, date)
			     : passed(v->added, GUARDS_LIFE_UNCONFIRMED, date));
}

static void remove_over(struct guards *g, const struct guards_source *source, uint64_t date)
{
	size_t n = 0;

	for (size_t i = 0; i < g->n; i++) {
		struct guard v = g->v[i];

		if (source->listed(source->ctx, &v.id))
			v.unlisted = 0;
		else if (!v.unlisted)
			v.unlisted = date;
		if (!is_over(&v, date))
			g->v[n++] = v;
	}
	g->n = n;
}

static bool grow(struct guards *g, const struct guards_source *source, const struct rng *rng, uint64_t date)
{
	struct relay_id have[GUARDS_MAX], id;

	for (size_t i = 0; i < g->n; i++)
		have[i] = g->v[i].id;
	if (g->n == GUARDS_MAX || !source->draw(source->ctx, have, g->n, &id))
		return false;
	g->v[g->n++] = (struct guard){ .id = id, .added = blurred(rng, date) };
	return true;
}

/* A file, or authorities, whose clock ran ahead must not freeze it. */
static void no_later_than(struct guards *g, uint64_t date)
{
	g->grown = g->grown < date ? g->grown : date;
	for (size_t i = 0; i < g->n; i++) {
		struct guard *v = &g->v[i];

		v->added = v->added < date ? v->added : date;
		v->confirmed = v->confirmed < date ? v->confirmed : date;
		v->unlisted = v->unlisted < date ? v->unlisted : date;
	}
}

/* The one that is not listed for longest goes. */
static bool make_room(struct guards *g)
{
	size_t oldest = GUARDS_MAX;

	for (size_t i = 0; i < g->n; i++)
		if (g->v[i].unlisted && (oldest == GUARDS_MAX || g->v[i].unlisted < g->v[oldest].unlisted))
			oldest = i;
	if (g->n < GUARDS_MAX)
		return true;
	if (oldest == GUARDS_MAX)
		return false;
	memmove(&g->v[oldest], &g->v[oldest + 1], (g->n - oldest - 1) * sizeof(g->v[0]));
	g->n--;
	return true;
}

const struct relay_id *guards_add(struct guards *g, const struct relay_id *id, const struct rng *rng, uint64_t date)
{
	if (find(g, id) || !make_room(g))
		return NULL;
	g->v[g->n] = (struct guard){ .id = *id, .added = blurred(rng, date) };
	return &g->v[g->n++].id;
}

static bool may_grow(const struct guards *g, uint64_t date)
{
	return passed(g->grown, GUARDS_DAY, date);
}

void guards_refresh(struct guards *g, const struct guards_source *source, const struct rng *rng, uint64_t date)
{
	size_t listed;

	no_later_than(g, date);
	remove_over(g, source, date);
	listed = count_listed(g);
	if (g->n == 0) {
		while (g->n < GUARDS_SAMPLE && grow(g, source, rng, date))
			;
		g->grown = date;
	} else if (listed == 0 || (listed < GUARDS_SAMPLE && may_grow(g, date))) {
		if (listed == 0)
			make_room(g);
		if (grow(g, source, rng, date))
			g->grown = date;
	}
}

/* Those that are listed and suit, in their order. */
struct candidates {
	const struct guard *v[GUARDS_MAX];
	size_t n;
};

static struct candidates candidates_of(const struct guards *g, const struct guards_source *source)
{
	struct candidates c = { .n = 0 };

	for (size_t i = 0; i < g->n; i++)
		if (!g->v[i].unlisted && (!source->suits || source->suits(source->ctx, &g->v[i].id)))
			c.v[c.n++] = &g->v[i];
	return c;
}

/* Whether each of the first n failed so often at least. */
static bool have_failed(const struct candidates *c, size_t n, unsigned int times)
{
	for (size_t i = 0; i < n && i < c->n; i++)
		if (c->v[i]->failures < times)
			return false;
	return true;
}

/* The first whose time has come. Primaries first, even those that failed. */
static const struct guard *first_ready(const struct candidates *c, uint64_t now, uint64_t *ret_wait)
{
	bool others = have_failed(c, GUARDS_PRIMARY, FAILURES_UNTIL_OTHERS);
	uint64_t wait = UINT64_MAX;

	for (size_t i = 0; i < c->n && (others || i < GUARDS_PRIMARY); i++) {
		if (c->v[i]->retry_at <= now)
			return c->v[i];
		if (c->v[i]->retry_at - now < wait)
			wait = c->v[i]->retry_at - now;
	}
	*ret_wait = wait == UINT64_MAX ? 0 : wait;
	return NULL;
}

const struct relay_id *guards_pick(struct guards *g, const struct guards_source *source, const struct rng *rng,
				   uint64_t date, uint64_t now, uint64_t *ret_wait)
{
	struct candidates c = candidates_of(g, source);
	const struct guard *v;

	*ret_wait = 0;
	if (c.n && have_failed(&c, c.n, 1) && may_grow(g, date) && grow(g, source, rng, date)) {
		g->grown = date;
		c = candidates_of(g, source);
	}
	v = first_ready(&c, now, ret_wait);
	return v ? &v->id : NULL;
}

/* Behind the last one that is confirmed. */
static void move_up(struct guards *g, size_t from)
{
	struct guard v = g->v[from];
	size_t to = from;

	while (to > 0 && !g->v[to - 1].confirmed) {
		g->v[to] = g->v[to - 1];
		to--;
	}
	g->v[to] = v;
}

void guards_worked(struct guards *g, const struct relay_id *id, const struct rng *rng, uint64_t date)
{
	struct guard *v = find(g, id);

	if (!v)
		return;
	v->failures = 0;
	v->retry_at = 0;
	if (v->confirmed)
		return;
	v->confirmed = blurred(rng, date);
	move_up(g, (size_t)(v - g->v));
}

void guards_failed(struct guards *g, const struct relay_id *id, uint64_t now)
{
	struct guard *v = find(g, id);
	uint64_t wait, max;

	if (!v || v->retry_at > now) /* of several attempts at once each fails for the same reason */
		return;
	wait = is_primary(g, v) ? RETRY_PRIMARY : RETRY_OTHER;
	max = is_primary(g, v) ? RETRY_PRIMARY_MAX : RETRY_OTHER_MAX;
	for (unsigned int i = 0; i < v->failures && wait < max; i++)
		wait *= 2;
	v->failures++;
	v->retry_at = now + (wait < max ? wait : max);
}

void guards_forget_failures(struct guards *g)
{
	for (size_t i = 0; i < g->n; i++) {
		g->v[i].failures = 0;
		g->v[i].retry_at = 0;
	}
}

size_t guards_place(const struct guards *g, const struct relay_id *id)
{
	size_t place = 0;

	for (size_t i = 0; i < g->n; i++) {
		place += !g->v[i].unlisted;
		if (memcmp(&g->v[i].id, id, sizeof(*id)) == 0)
			return g->v[i].unlisted ? 0 : place;
	}
	return 0;
}
