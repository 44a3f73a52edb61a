/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "path/path.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base64.h"
#include "lib/cleanup.h"

/* ---- named ---- */

static bool is_named(const struct relay *r, const char *pin, const struct relay_id *id)
{
	return id ? memcmp(&r->id, id, sizeof(*id)) == 0 : strcmp(r->name, pin) == 0;
}

int path_find(const struct network *net, const char *pin, size_t *ret, struct error *err)
{
	struct relay_id id;
	bool is_id = base64_parse(pin, strlen(pin), id.b, sizeof(id.b)) == 0; /* longer than any name */
	size_t n = 0;

	for (size_t i = 0; i < net->n_relays; i++)
		if (is_named(&net->relays[i], pin, is_id ? &id : NULL)) {
			*ret = i;
			n++;
		}
	if (n == 0)
		return error_set(err, -ENOENT, "the network has no relay %.44s", pin);
	if (n > 1)
		return error_set(err, -EINVAL,
				 "%zu relays are called %.40s: say which by its identity, see `anonctl relay list`", n,
				 pin);
	return 0;
}

int path_pin(const struct network *net, const struct path_pins *pins, size_t ret_index[HOPS_MAX], struct error *err)
{
	const struct relay *first, *last;
	size_t at[HOPS_MAX];

	if (pins->n < 1 || pins->n > HOPS_MAX)
		return error_set(err, -EINVAL, "a circuit has 1 to %d hops", HOPS_MAX);
	for (size_t i = 0; i < pins->n; i++) {
		int r = path_find(net, pins->v[i], &at[i], err);

		if (r < 0)
			return r;
		for (size_t k = 0; k < i; k++)
			if (at[k] == at[i])
				return error_set(err, -EINVAL, "relay %.44s stands twice in the path", pins->v[i]);
	}
	first = &net->relays[at[0]];
	last = &net->relays[at[pins->n - 1]];
	if (!first->guard)
		return error_set(err, -EINVAL, "relay %s is no guard and cannot be first", first->name);
	if (!last->exit)
		return error_set(err, -EINVAL, "relay %s is no exit and cannot be last", last->name);
	memcpy(ret_index, at, pins->n * sizeof(at[0]));
	return 0;
}

/* ---- drawn ---- */

struct drawing {
	const struct path_wheel *w;
	const struct path_request *req;
	const struct rng *rng;
	struct path_wish wish; /* of any path at all: without exclusions */
};

static bool listed(void *ctx, const struct relay_id *id)
{
	const struct drawing *d = ctx;

	return path_wheel_is_guard(d->w, d->req->always, id);
}

static bool draw_guard(void *ctx, const struct relay_id *none, size_t n, struct relay_id *ret)
{
	const struct drawing *d = ctx;

	return path_wheel_guard(d->w, d->req->always, none, n, d->rng, ret);
}

static bool suits(void *ctx, const struct relay_id *id)
{
	const struct drawing *d = ctx;
	struct path_wish wish = d->wish;
	struct path_choice ignored;

	wish.guard = id;
	return path_wheel_choose(d->w, &wish, d->rng, &ignored, NULL) == 0;
}

static struct guards_source source_of(struct drawing *d)
{
	return (struct guards_source){ .listed = listed, .draw = draw_guard, .suits = suits, .ctx = d };
}

void path_guards_refresh(const struct path_wheel *w, struct guards *g, const struct path_wish *always,
			 const struct rng *rng, uint64_t date)
{
	const struct path_request req = { .always = always };
	struct drawing d = { .w = w, .req = &req, .rng = rng };
	const struct guards_source source = source_of(&d);

	guards_refresh(g, &source, rng, date);
}

/*
 * The guard, and how much alike the relays of its path have to be. That there is a path from any guard is looked at
 * first: so one of the sample is passed over for a better one only where there is one.
 */
static int pick_guard(struct drawing *d, struct guards *g, struct relay_id *ret, uint64_t *ret_wait, struct error *err)
{
	const struct guards_source source = source_of(d);
	const struct path_request *req = d->req;
	struct path_choice any;
	int r = path_wheel_choose(d->w, &d->wish, d->rng, &any, err);

	if (r < 0)
		return r;
	for (d->wish.may = any.alike; d->wish.may <= req->wish->may; d->wish.may++) {
		const struct relay_id *id = guards_pick(g, &source, d->rng, req->date, req->now, ret_wait);

		if (!id && *ret_wait)
			return error_set(err, -EAGAIN, "every guard that may be tried failed lately");
		if (!id) /* none of them can */
			id = guards_add(g, &path_wheel_relays(d->w)->relay[any.index[0]].id, d->rng, req->date);
		if (id) {
			*ret = *id;
			return 0;
		}
	}
	return error_set(err, -ENOENT, "none of the %zu guards that are kept fits", g->n);
}

/* Of all but the guard, with which a path is there even so. */
static int draw_without(struct drawing *d, const struct relay_id *guard, const struct relay_id *left, size_t n_left,
			bool suspects, struct path_choice *ret, struct error *err)
{
	_cleanup_free_ struct relay_id *out = calloc(d->req->n_suspects + n_left + 1, sizeof(*out));
	struct path_wish wish = d->wish;
	size_t n = 0;

	if (!out)
		return error_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; suspects && i < d->req->n_suspects; i++)
		if (memcmp(&d->req->suspects[i], guard, sizeof(*guard)) != 0)
			out[n++] = d->req->suspects[i];
	for (size_t i = 0; i < n_left; i++)
		if (memcmp(&left[i], guard, sizeof(*guard)) != 0)
			out[n++] = left[i];
	wish.guard = guard;
	wish.exclude = out;
	wish.n_exclude = n;
	return path_wheel_choose(d->w, &wish, d->rng, ret, err);
}

/* Suspicion is no proof: where too few relays are left beside the suspects, they get another chance. */
static int draw_rest(struct drawing *d, const struct relay_id *guard, struct path_answer *ret, struct error *err)
{
	const struct path_request *req = d->req;
	size_t middles = req->n_left ? req->n_left - 1 : 0;
	int r = -ENOENT;

	ret->forgiven = false;
	if (req->n_left)
		r = draw_without(d, guard, req->left + middles, 1, true, &ret->choice, err);
	if (r == -ENOENT && middles)
		r = draw_without(d, guard, req->left, middles, true, &ret->choice, err);
	if (r == -ENOENT)
		r = draw_without(d, guard, NULL, 0, true, &ret->choice, err);
	if (r == -ENOENT && req->n_suspects) {
		ret->forgiven = true;
		r = draw_without(d, guard, NULL, 0, false, &ret->choice, err);
	}
	return r;
}

int path_draw(const struct path_wheel *w, struct guards *g, const struct path_request *req, const struct rng *rng,
	      struct path_answer *ret, struct error *err)
{
	struct drawing d = { .w = w, .req = req, .rng = rng, .wish = *req->wish };
	struct path_answer answer = { .wait = 0 };
	struct relay_id guard;
	int r = pick_guard(&d, g, &guard, &answer.wait, err);

	if (r == 0)
		r = draw_rest(&d, &guard, &answer, err);
	if (r == 0 || r == -EAGAIN)
		*ret = answer;
	return r;
}
