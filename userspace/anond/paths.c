/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "anond/paths.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "anond/guards_file.h"
#include "directory/network.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "path/need.h"

struct paths {
	const struct config *conf;
	const struct network *net;
	struct path_wheel *wheel;
	struct guards guards;
};

/* ---- the sample ---- */

static struct signers signers_of(const struct config *conf)
{
	return conf->servers.n_keys ? (struct signers){ conf->servers.keys, conf->servers.n_keys }
				    : (struct signers){ &conf->network_key, 1 };
}

/* Guards live by the network's own date: a clock that somebody sets must not end them. */
static uint64_t date_of(const struct paths *p)
{
	return p->net->valid_from;
}

static uint64_t now(void)
{
	return clock_monotonic_ms() / 1000;
}

static void save(const struct paths *p)
{
	const struct signers by = signers_of(p->conf);
	struct error err = { "" };

	if (guards_file_save(p->conf->state, &by, &p->guards, &err) < 0)
		log_err("guards are not kept, so that the next start draws others: %s", err.text);
}

static void load(struct paths *p)
{
	const struct signers by = signers_of(p->conf);
	struct error err = { "" };

	if (guards_file_load(p->conf->state, &by, &p->guards, &err) < 0)
		log_err("the guards of this client are not known any more, others are drawn, which is what guards are "
			"to prevent: %s",
			err.text);
}

/* Where a set of rules stands in a wish; they must outlive it. */
static void apply_rules(const struct path_rules *rules, struct path_wish *wish)
{
	wish->exit_countries = rules->exits.v;
	wish->n_exit_countries = rules->exits.n;
	wish->never_countries = rules->never.v;
	wish->n_never_countries = rules->never.n;
	wish->never_families = rules->never_operators;
	wish->n_never_families = rules->n_never_operators;
}

/* A network of nobody has no date, and that nobody is in it says nothing of guards. */
static void refresh(struct paths *p)
{
	struct path_wish always = { .hops = 1 };

	if (!p->net->valid_until)
		return;
	apply_rules(&p->conf->rules, &always);
	path_guards_refresh(p->wheel, &p->guards, &always, &rng_system, date_of(p));
	save(p);
}

/* ---- life ---- */

int paths_turn(const struct network *net, struct path_wheel **ret)
{
	const struct path_relays relays = { net->n_relays, net->relays, net->traits, net->weights };

	return path_wheel_new(&relays, ret);
}

int paths_new(const struct config *conf, const struct network *net, struct paths **ret, struct error *err)
{
	struct paths *p = calloc(1, sizeof(*p));

	if (!p || paths_turn(net, &p->wheel) < 0) {
		free(p);
		return error_set(err, -ENOMEM, "out of memory");
	}
	p->conf = conf;
	p->net = net;
	load(p);
	refresh(p);
	*ret = p;
	return 0;
}

void paths_free(struct paths *p)
{
	if (!p)
		return;
	path_wheel_free(p->wheel);
	free(p);
}

void paths_set_network(struct paths *p, const struct network *net, struct path_wheel *wheel)
{
	path_wheel_free(p->wheel);
	p->wheel = wheel;
	p->net = net;
	refresh(p);
}

/* ---- choosing ---- */

int paths_named(const struct paths *p, const char *const *pin, size_t n, struct relay ret[HOPS_MAX], struct error *err)
{
	size_t at[HOPS_MAX];
	int r = path_pin(p->net, &(struct path_pins){ pin, n }, at, err);

	for (size_t i = 0; r == 0 && i < n; i++)
		ret[i] = p->net->relays[at[i]];
	return r;
}

int paths_draw(struct paths *p, const struct paths_request *req, struct paths_answer *ret, struct error *err)
{
	struct path_need needs[PATH_NEEDS_MAX];
	struct path_wish wish = { .hops = req->hops, .may = PATH_FAMILIES_ALIKE, .needs = needs },
			 always = { .hops = 1 };
	const struct path_request pr = { .wish = &wish,
					 .always = &always,
					 .suspects = req->suspects,
					 .n_suspects = req->n_suspects,
					 .left = req->left,
					 .n_left = req->n_left,
					 .date = date_of(p),
					 .now = now() };
	struct path_answer a = { .wait = 0 };
	struct path_rules rules;
	uint32_t life;
	int r;

	path_rules_join(&p->conf->rules, req->rules, &rules);
	apply_rules(&rules, &wish);
	apply_rules(&p->conf->rules, &always);
	life = rules.min_life > p->conf->timing.lifetime_s ? rules.min_life : p->conf->timing.lifetime_s;
	wish.alive_until = clock_wall_s() + life;
	wish.n_needs = path_needs(req->sel, needs);
	r = path_draw(p->wheel, &p->guards, &pr, &rng_system, &a, err);
	save(p);
	ret->wait = a.wait;
	if (r < 0)
		return r;
	ret->alike = a.choice.alike;
	ret->forgiven = a.forgiven;
	for (size_t i = 0; i < req->hops; i++)
		ret->path[i] = p->net->relays[a.choice.index[i]];
	return 0;
}

/* ---- what became of it ---- */

void paths_guard_worked(struct paths *p, const struct relay_id *id)
{
	guards_worked(&p->guards, id, &rng_system, date_of(p));
	save(p);
}

void paths_guard_failed(struct paths *p, const struct relay_id *id)
{
	guards_failed(&p->guards, id, now());
}

void paths_forget_failures(struct paths *p)
{
	guards_forget_failures(&p->guards);
}

size_t paths_guard_place(const struct paths *p, const struct relay_id *id)
{
	return guards_place(&p->guards, id);
}

enum path_alike paths_alike(const struct paths *p, const struct relay *path, size_t hops)
{
	size_t at[HOPS_MAX], n = 0;

	for (size_t i = 0; i < hops; i++) {
		const struct relay *relay = network_find(p->net, &path[i].id);

		if (relay)
			at[n++] = (size_t)(relay - p->net->relays);
	}
	return path_alike(path_wheel_relays(p->wheel), at, n);
}
