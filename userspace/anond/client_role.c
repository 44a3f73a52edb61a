/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "anond/client_role.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "anond/client_state.h"
#include "anond/config.h"
#include "anond/paths.h"
#include "lib/log.h"
#include "plan/diff.h"
#include "plan/plan.h"

/* A guard whose last circuit was closed: its link goes a moment later. */
struct lingering {
	ev_timer timer;
	struct client_role *role;
	struct relay_id guard;
	struct lingering *next;
};

static struct client_role *role_of(struct client_env *env)
{
	return (struct client_role *)((char *)env - offsetof(struct client_role, env));
}

static void on_changed(struct client_circuit *cc)
{
	client_saved_note(role_of(cc->env), cc);
}

/* ---- links ---- */

static bool guard_in_use(const struct client_role *c, const struct relay_id *guard)
{
	const struct client_circuit *cc;

	for (cc = c->circuits; cc; cc = cc->hh.next)
		if (client_circuit_uses(cc, guard))
			return true;
	return client_probes_use(c, guard);
}

static void linger_free(struct lingering *l)
{
	struct lingering **p = &l->role->lingering;

	while (*p != l)
		p = &(*p)->next;
	*p = l->next;
	ev_timer_stop(l->role->c.loop, &l->timer);
	free(l);
}

static void on_linger(struct ev_loop *loop, ev_timer *w, int events)
{
	struct lingering *l = w->data;

	(void)loop;
	(void)events;
	if (!guard_in_use(l->role, &l->guard))
		overlay_drop(l->role->overlay, &l->guard);
	linger_free(l);
}

static void release_guard(struct client_role *c, const struct relay_id *guard)
{
	struct lingering *l = calloc(1, sizeof(*l));

	if (!l) {
		if (!guard_in_use(c, guard))
			overlay_drop(c->overlay, guard);
		return;
	}
	l->role = c;
	l->guard = *guard;
	l->next = c->lingering;
	c->lingering = l;
	ev_timer_init(&l->timer, on_linger, CLOSE_LINGER_S, 0.);
	l->timer.data = l;
	ev_timer_start(c->c.loop, &l->timer);
}

static void on_guard_over(struct client_env *env, const struct relay_id *guard)
{
	release_guard(role_of(env), guard);
}

static void on_link_up(void *ctx, const struct link *link)
{
	const struct client_role *c = ctx;
	struct client_circuit *cc, *next;

	HASH_ITER (hh, c->circuits, cc, next)
		client_circuit_link_up(cc, link);
	client_probes_link_up(c, link);
}

static void on_link_down(void *ctx, const struct link *link)
{
	const struct client_role *c = ctx;
	struct client_circuit *cc, *next;

	HASH_ITER (hh, c->circuits, cc, next)
		client_circuit_link_down(cc, &link->peer);
	client_probes_link_down(c, &link->peer);
}

static void on_link_failed(void *ctx, const struct relay_id *peer, const char *reason)
{
	const struct client_role *c = ctx;
	struct client_circuit *cc, *next;

	HASH_ITER (hh, c->circuits, cc, next)
		client_circuit_link_failed(cc, peer, reason);
	client_probes_link_down(c, peer);
}

static void on_link_message(void *ctx, const struct link *link, const struct in6_addr *from, const uint8_t *msg,
			    size_t len)
{
	const struct client_role *c = ctx;
	struct client_circuit *cc, *next;

	(void)from;
	HASH_ITER (hh, c->circuits, cc, next)
		if (client_circuit_uses(cc, &link->peer) && client_circuit_message(cc, msg, len))
			return;
	client_probes_message(c, &link->peer, msg, len);
}

/* ---- addresses ---- */

static bool shares_address(const struct onion *o, const struct origin_circuit *c)
{
	const struct origin_circuit *p = o ? o->placed : NULL;

	if (!p || p->slot == c->slot)
		return false;
	if (p->inner.has4 && c->inner.has4 && p->inner.addr4.s_addr == c->inner.addr4.s_addr)
		return true;
	if (p->inner.has6 && c->inner.has6 && IN6_ARE_ADDR_EQUAL(&p->inner.addr6, &c->inner.addr6))
		return true;
	for (size_t i = 1; i < p->n_layers; i++) /* the first is the link's */
		for (size_t k = 1; k < c->n_layers; k++)
			if (IN6_ARE_ADDR_EQUAL(&p->layers[i].a, &c->layers[k].a))
				return true;
	return false;
}

static bool is_taken(struct client_env *env, const struct origin_circuit *c)
{
	const struct client_circuit *cc;

	for (cc = role_of(env)->circuits; cc; cc = cc->hh.next)
		if (shares_address(cc->lead, c) || shares_address(cc->side, c))
			return true;
	return false;
}

static bool can_link(struct client_env *env)
{
	return overlay_ready(env->overlay);
}

/* ---- what the overlay tells ---- */

static void each_onion(const struct client_role *c, const struct relay_id *guard,
		       void (*fn)(struct onion *o, void *ctx), void *ctx)
{
	const struct client_circuit *cc;

	for (cc = c->circuits; cc; cc = cc->hh.next) {
		if (cc->lead && onion_uses(cc->lead, guard))
			fn(cc->lead, ctx);
		if (cc->side && onion_uses(cc->side, guard))
			fn(cc->side, ctx);
	}
}

static void probe_one(struct onion *o, void *ctx)
{
	if (*(const bool *)ctx)
		o->echoed = false;
	onion_probe(o);
}

static void look_at(struct onion *o, void *ctx)
{
	*(bool *)ctx |= o->echoed;
}

static void on_link_doubt(void *ctx, const struct relay_id *peer, bool first)
{
	each_onion(ctx, peer, probe_one, &first);
}

static bool link_carries(void *ctx, const struct relay_id *peer)
{
	bool carries = false;

	each_onion(ctx, peer, look_at, &carries);
	return carries;
}

static const struct overlay_ops overlay_ops = {
	.up = on_link_up,
	.down = on_link_down,
	.failed = on_link_failed,
	.message = on_link_message,
	.doubt = on_link_doubt,
	.carries = link_carries,
};

/* ---- repair ---- */

/* Whether the nft object of a stray is missing: what else it held is not known, so one that stands is not touched. */
static bool stray_lacks(const struct client_circuit *cc, const struct plan *have)
{
	for (size_t i = 0; i < cc->extra.n; i++) {
		bool there = cc->extra.v[i].type != KOBJ_NFT;

		for (size_t k = 0; k < have->n && !there; k++)
			there = kobject_equal(&have->v[k], &cc->extra.v[i]);
		if (!there)
			return true;
	}
	return false;
}

/* only NULL: all. */
static int fences_plan(const struct client_role *c, const struct client_circuit *only, const struct plan *have,
		       struct plan *ret)
{
	_cleanup_plan_ struct plan base = { 0 }, selections = { 0 };
	const struct client_circuit *cc;
	int r = plan_base(&base);

	for (size_t i = 0; r == 0 && i < base.n; i++)
		if (base.v[i].type == KOBJ_NFT)
			r = plan_add_copy(ret, &base.v[i]);
	for (cc = c->circuits; r == 0 && cc; cc = cc->hh.next)
		if ((!only || cc == only) && (!cc->stray || (cc->sel.n && stray_lacks(cc, have))))
			r = client_circuit_plan_selection(cc, &selections);
	return r < 0 ? r : plan_selection_rules(ret, &c->c.conf->lans, &c->c.conf->servers.at, &selections);
}

static int fences_apply(const struct client_role *c, const struct client_circuit *only, const struct plan *have)
{
	_cleanup_plan_ struct plan plan = { 0 };
	int r = fences_plan(c, only, have, &plan);

	return r < 0 ? r : kernel_apply(c->c.kernel, &plan);
}

/* All at once; if that is refused, one by one: what is wrong with one must not open the others. */
static void repair_fences(const struct client_role *c, const struct plan *have)
{
	const struct client_circuit *cc;

	if (fences_apply(c, NULL, have) == 0)
		return;
	for (cc = c->circuits; cc; cc = cc->hh.next)
		if (fences_apply(c, cc, have) < 0)
			log_err("circuit %u: its kill switch cannot be put back: %s", cc->id,
				kernel_error_text(c->c.kernel));
}

static void repair_selections(const struct client_role *c)
{
	_cleanup_plan_ struct plan plan = { 0 };
	const struct client_circuit *cc;
	int r = plan_base(&plan);

	if (r == 0)
		r = plan_client_base(&plan, &c->c.conf->lans, &c->c.conf->servers.at);
	for (cc = c->circuits; r == 0 && cc; cc = cc->hh.next)
		if (!cc->stray)
			r = client_circuit_plan_selection(cc, &plan);
	if (r == 0)
		r = kernel_apply(c->c.kernel, &plan);
	if (r < 0)
		log_err("the client cannot be put back into the kernel: %s", kernel_error_text(c->c.kernel));
}

size_t client_role_repair(struct client_role *c)
{
	_cleanup_plan_ struct plan have = { 0 }, wanted = { 0 }, missing = { 0 }, rest = { 0 };
	struct client_circuit *cc, *next;

	/* What cannot be read is made again nevertheless. */
	if (kernel_dump(c->c.kernel, KERNEL_DUMP_ALL, client_saved_keep, &have) == 0 &&
	    client_saved_wanted(c, &wanted) == 0)
		plan_diff(&wanted, &have, &missing, &rest);
	repair_fences(c, &have);
	repair_selections(c);
	overlay_repair(c->overlay);
	HASH_ITER (hh, c->circuits, cc, next)
		client_circuit_repair(cc);
	return missing.n;
}

/* ---- life ---- */

static int base_apply(struct client_role *c, struct error *err)
{
	_cleanup_plan_ struct plan plan = { 0 };
	int r = plan_client_base(&plan, &c->c.conf->lans, &c->c.conf->servers.at);

	if (r == 0)
		r = kernel_apply(c->c.kernel, &plan);
	return r < 0 ? error_set(err, r, "cannot set up the client in the kernel: %s", kernel_error_text(c->c.kernel))
		     : 0;
}

int client_role_new(const struct client_role_config *conf, struct client_role **ret, struct error *err)
{
	struct client_role *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return error_set(err, -ENOMEM, "out of memory");
	c->c = *conf;
	c->env = (struct client_env){
		.loop = conf->loop,
		.kernel = conf->kernel,
		.conf = conf->conf,
		.net = conf->net,
		.echo = conf->echo,
		.changed = on_changed,
		.guard_over = on_guard_over,
		.taken = is_taken,
		.can_link = can_link,
	};
	r = base_apply(c, err);
	if (r == 0)
		r = paths_new(conf->conf, conf->net, &c->env.paths, err);
	if (r == 0)
		r = client_saved_open(c, err);
	if (r == 0) {
		const struct overlay_config oc = {
			.loop = conf->loop,
			.kernel = conf->kernel,
			.conf = conf->conf,
			.net = conf->net,
			.ops = &overlay_ops,
			.ctx = c,
		};

		r = overlay_new(&oc, &c->overlay, err);
	}
	if (r == 0) {
		c->env.overlay = c->overlay;
		r = client_saved_adopt(c, err);
	}
	if (r < 0) {
		client_role_free(c, true);
		return r;
	}
	*ret = c;
	return 0;
}

static void remove_all(struct client_role *c)
{
	_cleanup_plan_ struct plan plan = { 0 };

	overlay_teardown(c->overlay);
	if (plan_client_base(&plan, &c->c.conf->lans, &c->c.conf->servers.at) < 0 ||
	    kernel_remove(c->c.kernel, &plan) < 0)
		log_err("cannot remove the client from the kernel: %s", kernel_error_text(c->c.kernel));
}

void client_role_free(struct client_role *c, bool leave)
{
	struct client_circuit *cc, *next;

	if (!c)
		return;
	client_probes_closed(c, NULL);
	HASH_ITER (hh, c->circuits, cc, next) {
		HASH_DEL(c->circuits, cc);
		if (leave)
			client_circuit_forget(cc);
		else
			client_circuit_close(cc);
	}
	while (c->lingering)
		linger_free(c->lingering);
	if (!leave)
		remove_all(c);
	overlay_free(c->overlay);
	paths_free(c->env.paths);
	journal_close(c->journal);
	free(c);
}

int client_role_set_network(struct client_role *c, const struct network *net)
{
	struct path_wheel *wheel = NULL;
	struct client_circuit *cc, *next;
	int r = paths_turn(net, &wheel);

	if (r == 0)
		r = overlay_set_network(c->overlay, net);
	if (r < 0) {
		path_wheel_free(wheel);
		return r;
	}
	c->env.net = c->c.net = net;
	paths_set_network(c->env.paths, net, wheel);
	HASH_ITER (hh, c->circuits, cc, next)
		client_circuit_network(cc);
	return 0;
}

size_t client_role_guard_place(const struct client_role *c, const struct relay_id *id)
{
	return paths_guard_place(c->env.paths, id);
}

struct overlay *client_role_overlay(struct client_role *c)
{
	return c->overlay;
}

size_t client_role_circuits(const struct client_role *c)
{
	return HASH_COUNT(c->circuits);
}

/* Which servers it leads to; whether any. */
static bool reach_of(const struct client_role *c, const struct client_circuit *cc, struct dir_reach *ret)
{
	static const struct relay_traits unknown;
	const struct inner *inner = &cc->lead->placed->inner;
	const struct network *net = c->env.net;
	const struct relay *exit = network_find(net, &cc->lead->path[cc->lead->c.hops - 1].id);
	const struct relay_traits *t = exit ? &net->traits[exit - net->relays] : &unknown;
	bool any = false;

	for (size_t i = 0; i < c->c.conf->servers.at.n; i++) {
		const struct endpoint *e = &c->c.conf->servers.at.v[i];
		const struct path_need need = { e->family == AF_INET6, IPPROTO_TCP, e->port };

		ret->server[i] = (need.six ? inner->has6 : inner->has4) && path_leads_to(t, &need);
		any |= ret->server[i];
	}
	return any;
}

enum dir_way client_role_way(const struct client_role *c, struct dir_reach *ret_reach, char ret_device[IFNAMSIZ])
{
	enum dir_way way = DIR_DIRECTLY;
	const struct client_circuit *cc;

	for (cc = c->circuits; cc; cc = cc->hh.next) {
		const struct origin_circuit *o = client_circuit_is_open(cc) ? cc->lead->placed : NULL;

		if (o && reach_of(c, cc, ret_reach)) {
			dev_layer(o->slot, (unsigned int)o->n_layers - 1, o->n_layers, ret_device);
			return DIR_BY_CIRCUIT;
		}
		if (!o && !cc->failed)
			way = DIR_NOT_NOW;
	}
	return way;
}

static struct client_circuit *find_slot(const struct client_role *c, uint32_t slot)
{
	uint32_t id = slot_selection(slot);
	struct client_circuit *cc;

	HASH_FIND(hh, c->circuits, &id, sizeof(id), cc);
	return cc;
}

void client_role_network_changed(struct client_role *c)
{
	struct client_circuit *cc, *next;

	overlay_network_changed(c->overlay);
	paths_forget_failures(c->env.paths);
	HASH_ITER (hh, c->circuits, cc, next)
		client_circuit_hurry(cc);
}

void client_role_echo(struct client_role *c, uint32_t slot, uint32_t rtt_us)
{
	struct client_circuit *cc = find_slot(c, slot);

	if (cc)
		client_circuit_echo(cc, slot, rtt_us);
}

void client_role_sa_gone(struct client_role *c, uint32_t reqid, uint32_t spi)
{
	uint32_t slot = (reqid - REQID_LAYER_BASE) / 8;
	struct client_circuit *cc;

	if (reqid < REQID_LAYER_BASE)
		return;
	cc = find_slot(c, slot);
	if (cc)
		client_circuit_lost(cc, slot, spi);
}
