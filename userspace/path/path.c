/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "path/path.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"

/*
 * Usable relays by role. Both lists begin with the n_both relays that are guard and exit, in the same order: so
 * guards[i] and exits[i] are the same relay for i < n_both, and different relays for any other pair.
 */
struct pool {
	const struct relay **all, **guards, **exits;
	size_t n, n_guards, n_exits, n_both;
};

static void cleanup_pool(struct pool *p)
{
	free(p->all);
	free(p->guards);
	free(p->exits);
}

static int compare_id(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct relay_id));
}

/* Everything that is not excluded. O((relays + exclusions) * log(exclusions)). */
static int fill_all(const struct network *net, const struct path_request *req, struct pool *p)
{
	_cleanup_free_ struct relay_id *no = calloc(req->n_exclude + 1, sizeof(*no));

	if (!no)
		return -ENOMEM;
	if (req->n_exclude > 0)
		memcpy(no, req->exclude, req->n_exclude * sizeof(*no));
	qsort(no, req->n_exclude, sizeof(*no), compare_id);
	for (size_t i = 0; i < net->n_relays; i++)
		if (!bsearch(&net->relays[i].id, no, req->n_exclude, sizeof(*no), compare_id))
			p->all[p->n++] = &net->relays[i];
	return 0;
}

static void add(struct pool *p, const struct relay *r, bool both)
{
	if ((r->guard && r->exit) != both)
		return;
	if (r->guard)
		p->guards[p->n_guards++] = r;
	if (r->exit)
		p->exits[p->n_exits++] = r;
	if (both)
		p->n_both++;
}

static int fill_pool(const struct network *net, const struct path_request *req, struct pool *p)
{
	p->all = calloc(net->n_relays + 1, sizeof(*p->all));
	p->guards = calloc(net->n_relays + 1, sizeof(*p->guards));
	p->exits = calloc(net->n_relays + 1, sizeof(*p->exits));
	if (!p->all || !p->guards || !p->exits || fill_all(net, req, p) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < p->n; i++)
		add(p, p->all[i], true);
	for (size_t i = 0; i < p->n; i++)
		add(p, p->all[i], false);
	return 0;
}

static int check_enough(const struct pool *p, size_t hops, struct error *err)
{
	if (p->n_guards == 0)
		return error_set(err, -ENOENT, "no usable relay is a guard");
	if (p->n_exits == 0)
		return error_set(err, -ENOENT, "no usable relay is an exit");
	if (hops == 1 && p->n_both == 0)
		return error_set(err, -ENOENT, "one hop needs a relay that is both guard and exit, and none is usable");
	if (hops > 1 && p->n_guards == 1 && p->n_exits == 1 && p->n_both == 1)
		return error_set(err, -ENOENT, "the only usable guard, %s, is also the only usable exit",
				 p->guards[0]->name);
	if (p->n < hops)
		return error_set(err, -ENOENT, "%zu hops need as many relays, but only %zu %s usable", hops, p->n,
				 p->n == 1 ? "is" : "are");
	return 0;
}

/*
 * A pair (guard, exit), distinct, each pair equally likely, with one draw: first come the pairs whose guard is no
 * exit (n_exits each), then those whose guard is also exits[i] and may take any exit but that (n_exits - 1 each).
 * At most 10,000 * 10,000 pairs: 32 bits suffice.
 */
static void draw_ends(const struct pool *p, const struct rng *rng, const struct relay **ret_guard,
		      const struct relay **ret_exit)
{
	uint32_t only = (uint32_t)((p->n_guards - p->n_both) * p->n_exits);
	uint32_t t = rng_below(rng, only + (uint32_t)(p->n_both * (p->n_exits - 1)));
	size_t others = p->n_exits - 1, i, e;

	if (t < only || others == 0) {
		*ret_guard = p->guards[p->n_both + t / p->n_exits];
		*ret_exit = p->exits[t % p->n_exits];
		return;
	}
	t -= only;
	i = t / others;
	e = t % others;
	*ret_guard = p->guards[i];
	*ret_exit = p->exits[e < i ? e : e + 1];
}

/* The middles: a partial Fisher-Yates shuffle of everything but the ends. Destroys p->all's order. */
static void draw_middles(struct pool *p, const struct rng *rng, size_t n, const struct relay *guard,
			 const struct relay *exit, const struct relay **ret)
{
	size_t left = 0;

	for (size_t i = 0; i < p->n; i++)
		if (p->all[i] != guard && p->all[i] != exit)
			p->all[left++] = p->all[i];
	for (size_t i = 0; i < n; i++) {
		size_t k = rng_below(rng, (uint32_t)left);

		ret[i] = p->all[k];
		p->all[k] = p->all[--left];
	}
}

static int draw(const struct network *net, const struct path_request *req, const struct rng *rng,
		const struct relay **path, struct error *err)
{
	_cleanup_(cleanup_pool) struct pool p = { 0 };
	int r;

	r = fill_pool(net, req, &p);
	if (r < 0)
		return error_set(err, r, "out of memory");
	r = check_enough(&p, req->hops, err);
	if (r < 0)
		return r;
	if (req->hops == 1) {
		path[0] = p.guards[rng_below(rng, (uint32_t)p.n_both)];
		return 0;
	}
	draw_ends(&p, rng, &path[0], &path[req->hops - 1]);
	draw_middles(&p, rng, req->hops - 2, path[0], path[req->hops - 1], path + 1);
	return 0;
}

static int pin(const struct network *net, const struct path_request *req, const struct relay **path, struct error *err)
{
	for (size_t i = 0; i < req->hops; i++) {
		for (size_t j = 0; j < i; j++)
			if (strcmp(req->pin[i], req->pin[j]) == 0)
				return error_set(err, -EINVAL, "relay %.40s stands twice in the path", req->pin[i]);
		path[i] = NULL;
		for (size_t j = 0; j < net->n_relays && !path[i]; j++)
			if (strcmp(net->relays[j].name, req->pin[i]) == 0)
				path[i] = &net->relays[j];
		if (!path[i])
			return error_set(err, -ENOENT, "the network has no relay %.40s", req->pin[i]);
	}
	if (!path[0]->guard)
		return error_set(err, -EINVAL, "relay %s is no guard and cannot be first", path[0]->name);
	if (!path[req->hops - 1]->exit)
		return error_set(err, -EINVAL, "relay %s is no exit and cannot be last", path[req->hops - 1]->name);
	return 0;
}

int path_choose(const struct network *net, const struct path_request *req, const struct rng *rng,
		struct relay ret[HOPS_MAX], struct error *err)
{
	const struct relay *path[HOPS_MAX];
	int r;

	if (req->hops < 1 || req->hops > HOPS_MAX)
		return error_set(err, -EINVAL, "a circuit has 1 to %d hops", HOPS_MAX);
	r = req->pin ? pin(net, req, path, err) : draw(net, req, rng, path, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < req->hops; i++)
		ret[i] = *path[i];
	return 0;
}
