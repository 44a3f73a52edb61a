/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "anond/client_role.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "anond/client_circuit.h"
#include "anond/journal.h"
#include "anond/record.h"
#include "anond/selection_json.h"
#include "anond/selections.h"
#include "anond/up_request.h"
#include "lib/log.h"
#include "lib/reply.h"
#include "model/prefix.h"
#include "plan/diff.h"
#include "plan/plan.h"

struct saved {
	UT_hash_handle hh;
	uint32_t id;
	json_t *circuit;
};

/* A guard whose last circuit was closed: its link goes a moment later. */
struct lingering {
	ev_timer timer;
	struct client_role *role;
	struct relay_id guard;
	struct lingering *next;
};

struct client_role {
	struct client_role_config c;
	struct client_env env;
	struct overlay *overlay;
	struct journal *journal;
	struct client_circuit *circuits;
	struct saved *saved; /* only while loading */
	bool adopting;	     /* not all that the journal knows is in `circuits` yet */
	struct lingering *lingering;
};

/* ---- journal ---- */

/* What the user asked for. */
static json_t *wish_of(const struct client_circuit *cc)
{
	json_t *pin = NULL, *wish;

	if (cc->pinned)
		pin = json_array();
	for (size_t i = 0; pin && i < cc->hops; i++)
		json_array_append_new(pin, json_string(cc->pin[i]));
	wish = json_pack("{s:I, s:i, s:o}", "id", (json_int_t)cc->id, "hops", (int)cc->hops, "path",
			 pin ? pin : json_null());
	selection_to_json(&cc->sel, wish);
	return wish;
}

static json_t *circuit_line(const struct client_circuit *cc)
{
	json_t *wish = wish_of(cc), *open = NULL;
	struct origin_record rec;

	if (cc->routed && origin_record(cc->origin, &rec) == 0)
		open = record_of_origin(&rec);
	json_object_set_new(wish, "opened", json_boolean(cc->opened));
	json_object_set_new(wish, "open", open ? open : json_null());
	return json_pack("{s:o}", "circuit", wish);
}

static void load_line(void *ctx, const json_t *line)
{
	struct client_role *c = ctx;
	json_t *circuit = json_object_get(line, "circuit");
	uint32_t id =
		(uint32_t)json_integer_value(circuit ? json_object_get(circuit, "id") : json_object_get(line, "gone"));
	struct saved *s;

	HASH_FIND(hh, c->saved, &id, sizeof(id), s);
	if (s) {
		HASH_DEL(c->saved, s);
		json_decref(s->circuit);
		free(s);
	}
	if (!circuit || !(s = calloc(1, sizeof(*s))))
		return;
	s->id = id;
	s->circuit = json_incref(circuit);
	HASH_ADD(hh, c->saved, id, sizeof(s->id), s);
}

/* Strays are known by what of them is in the kernel. */
static size_t saved_circuits(const struct client_role *c)
{
	const struct client_circuit *cc;
	size_t n = 0;

	for (cc = c->circuits; cc; cc = cc->hh.next)
		n += !cc->stray;
	return n;
}

static void dump_all(void *ctx, struct journal *j)
{
	const struct client_role *c = ctx;
	const struct client_circuit *cc;

	for (cc = c->circuits; cc; cc = cc->hh.next)
		if (!cc->stray)
			journal_append(j, circuit_line(cc));
}

static void compact(struct client_role *c)
{
	int r = c->adopting ? 0 : journal_compact(c->journal, saved_circuits(c), dump_all, c);

	if (r < 0)
		log_err("cannot rewrite the circuit table: %s", strerror(-r));
}

static int save(struct client_role *c, json_t *line)
{
	int r = journal_append(c->journal, line);

	if (r == 0)
		compact(c);
	else
		log_err("cannot save the circuit table: %s", strerror(-r));
	return r;
}

static int save_selections(const struct client_role *c, struct error *err)
{
	const struct client_circuit *cc;
	json_t *list = json_array();

	for (cc = c->circuits; cc; cc = cc->hh.next)
		if (!cc->stray && json_array_append_new(list, wish_of(cc)) < 0) {
			json_decref(list);
			return error_set(err, -ENOMEM, "out of memory");
		}
	return selections_save(c->c.conf->state, list, err);
}

static struct client_role *role_of(const struct client_circuit *cc)
{
	return (struct client_role *)((char *)cc->env - offsetof(struct client_role, env));
}

static void on_changed(struct client_circuit *cc)
{
	save(role_of(cc), circuit_line(cc));
}

/* ---- links ---- */

static bool guard_in_use(const struct client_role *c, const struct relay_id *guard)
{
	const struct client_circuit *cc;

	for (cc = c->circuits; cc; cc = cc->hh.next)
		if (client_circuit_uses(cc, guard))
			return true;
	return false;
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

static void on_attempt_over(struct client_circuit *cc)
{
	release_guard(role_of(cc), &cc->path[0].id);
}

static void on_link_up(void *ctx, const struct link *link)
{
	const struct client_role *c = ctx;
	struct client_circuit *cc, *next;

	HASH_ITER (hh, c->circuits, cc, next)
		client_circuit_link_up(cc, link);
}

static void each_link_down(const struct client_role *c, const struct relay_id *peer, bool failed)
{
	struct client_circuit *cc, *next;

	HASH_ITER (hh, c->circuits, cc, next)
		client_circuit_link_down(cc, peer, failed);
}

static void on_link_down(void *ctx, const struct link *link)
{
	each_link_down(ctx, &link->peer, false);
}

static void on_link_failed(void *ctx, const struct relay_id *peer, const char *reason)
{
	(void)reason;
	each_link_down(ctx, peer, true);
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
}

static const struct overlay_ops overlay_ops = {
	.up = on_link_up,
	.down = on_link_down,
	.failed = on_link_failed,
	.message = on_link_message,
};

/* ---- adoption ---- */

static bool is_ours(const struct kobject *o)
{
	uint32_t if_id = o->type == KOBJ_SA ? o->sa.if_id : o->type == KOBJ_SP ? o->sp.if_id : 0;

	return if_id < IFID_LINK_BASE || if_id > IFID_LINK_BASE + LINK_INNER; /* those are charon's */
}

static void keep_ours(void *ctx, const struct kobject *o)
{
	if (is_ours(o))
		plan_add_copy(ctx, o);
}

/* The names of a chosen path, hops of them; 0: none was chosen. */
static int pin_from(const json_t *path, size_t hops, const char *ret[HOPS_MAX])
{
	if (!path || json_is_null(path))
		return 0;
	if (json_array_size(path) != hops)
		return -EBADMSG;
	for (size_t i = 0; i < hops; i++) {
		ret[i] = json_string_value(json_array_get(path, i));
		if (!ret[i] || strlen(ret[i]) >= RELAY_NAME_MAX)
			return -EBADMSG;
	}
	return 1;
}

/* -EBADMSG: the line makes no sense. Other errors are the kernel's. */
static int adopt_one(struct client_role *c, const struct saved *s, const struct plan *have)
{
	json_int_t hops = json_integer_value(json_object_get(s->circuit, "hops"));
	struct client_saved saved = { .id = s->id, .opened = json_is_true(json_object_get(s->circuit, "opened")) };
	const char *pin[HOPS_MAX];
	struct client_circuit *cc;
	struct origin_record rec;
	struct error ignored;
	int r, pinned;

	if (hops < 1 || hops > HOPS_MAX || s->id < 1 || s->id > SLOT_MAX)
		return -EBADMSG;
	saved.hops = (size_t)hops;
	pinned = pin_from(json_object_get(s->circuit, "path"), saved.hops, pin);
	if (pinned < 0)
		return pinned;
	saved.pin = pinned ? pin : NULL;
	if (record_to_origin(json_object_get(s->circuit, "open"), &rec) == 0 && rec.circuit.slot == s->id &&
	    rec.circuit.n_layers == saved.hops)
		saved.open = &rec;
	if (selection_from_json(s->circuit, false, &saved.sel, &ignored) < 0)
		return -EBADMSG;
	r = client_circuit_adopt(&c->env, &saved, have, &cc);
	if (r < 0) {
		selection_clear(&saved.sel);
		return r;
	}
	HASH_ADD(hh, c->circuits, id, sizeof(cc->id), cc);
	return 0;
}

static int adopt_saved(struct client_role *c, const struct plan *have)
{
	struct saved *s, *next;
	int r = 0;

	HASH_ITER (hh, c->saved, s, next) {
		if (r == 0)
			r = adopt_one(c, s, have);
		if (r == -EBADMSG) {
			log_err("%s/client-circuits: what it says of circuit %u makes no sense", c->c.conf->run, s->id);
			r = 0;
		}
		HASH_DEL(c->saved, s);
		json_decref(s->circuit);
		free(s);
	}
	return r;
}

/* ---- what earlier runs left and the journal does not know ---- */

/*
 * Whether it belongs to a kill switch, and to which: -1 of none, 0 unknown. The names are plan_selection's. Such things
 * are never removed without being asked for: what they block was meant to be blocked.
 */
static int64_t kill_id(const struct kobject *o)
{
	unsigned long id;
	char *end;

	if (o->type == KOBJ_ROUTE && o->route.type == ROUTE_UNREACHABLE && o->route.table == RT_TABLE_ANON) {
		uint32_t metric = o->route.metric;

		return metric > ROUTE_METRIC_UNREACHABLE && metric <= ROUTE_METRIC_UNREACHABLE + SELECTION_MAX
			       ? metric - ROUTE_METRIC_UNREACHABLE
			       : 0;
	}
	/* lan_base: kill_lan_judge looks into them */
	if (o->type == KOBJ_NFT && o->nft.kind == NFT_SET && strncmp(o->nft.name, "lan", 3) == 0)
		return 0;
	if (o->type != KOBJ_NFT || o->nft.kind != NFT_CHAIN || strncmp(o->nft.name, "kill", 4) != 0)
		return -1;
	if (o->nft.name[4] < '1' || o->nft.name[4] > '9')
		return 0;
	id = strtoul(o->nft.name + 4, &end, 10);
	return id <= SELECTION_MAX && (*end == '\0' || *end == '_') ? (int64_t)id : 0;
}

static int keep_stray(struct client_role *c, uint32_t id, const struct kobject *o)
{
	struct client_circuit *cc;
	int r;

	HASH_FIND(hh, c->circuits, &id, sizeof(id), cc);
	if (!cc) {
		r = client_circuit_stray(&c->env, id, &cc);
		if (r < 0)
			return r;
		HASH_ADD(hh, c->circuits, id, sizeof(cc->id), cc);
		log_warn("circuit %u: unknown selection, left by an earlier run; it stays blocked until `anonctl "
			 "circuit down %u`",
			 id, id);
	}
	return client_circuit_add_extra(cc, o);
}

/* The orphans without the kill switches among them, which become circuits that have failed. */
static int spare_kill_switches(struct client_role *c, const struct plan *orphans, struct plan *ret)
{
	size_t unnamed = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < orphans->n; i++) {
		int64_t id = kill_id(&orphans->v[i]);

		if (id < 0)
			r = plan_add_copy(ret, &orphans->v[i]);
		else if (id > 0)
			r = keep_stray(c, (uint32_t)id, &orphans->v[i]);
		else
			unnamed++;
	}
	if (unnamed)
		log_warn("%zu kernel objects look like a kill switch of another version; only `anond --flush` "
			 "removes them",
			 unnamed);
	return r;
}

static int wanted_plan(const struct client_role *c, struct plan *wanted)
{
	const struct client_circuit *cc;
	int r = plan_base(wanted);

	if (r == 0)
		r = plan_client_base(wanted, &c->c.conf->lans);
	for (cc = c->circuits; r == 0 && cc; cc = cc->hh.next)
		r = client_circuit_plan(cc, wanted);
	return r;
}

static int remove_orphans(struct client_role *c, const struct plan *have)
{
	_cleanup_plan_ struct plan wanted = { 0 }, add = { 0 }, orphans = { 0 }, gone = { 0 };
	int r = wanted_plan(c, &wanted);

	if (r == 0)
		r = plan_diff(&wanted, have, &add, &orphans);
	if (r == 0)
		r = spare_kill_switches(c, &orphans, &gone);
	if (r == 0 && gone.n) {
		log_notice("removing %zu orphaned kernel objects", gone.n);
		r = kernel_remove(c->c.kernel, &gone);
	}
	return r;
}

/* The host was started again since: the table is gone with its circuits, what was wanted is not. */
static int load_selections(struct client_role *c, struct error *err)
{
	json_t *list = NULL, *wish;
	size_t i, before = HASH_COUNT(c->saved);
	int r = selections_load(c->c.conf->state, &c->c.conf->lans, &list, err);

	if (r < 0) /* what it protects is not known, so everything is, before the start fails */
		return selections_block(c->c.conf->state, true, &c->c.conf->lans, c->c.kernel, err);
	json_array_foreach (list, i, wish) {
		uint32_t id = (uint32_t)json_integer_value(json_object_get(wish, "id"));
		json_t *line = json_pack("{s:O}", "circuit", wish);
		const struct saved *s;

		HASH_FIND(hh, c->saved, &id, sizeof(id), s);
		json_object_set_new(wish, "opened", json_true());
		if (!s && line)
			load_line(c, line);
		json_decref(line);
	}
	json_decref(list);
	if (HASH_COUNT(c->saved) > before)
		log_notice("%zu circuits are wanted from before the host was started", HASH_COUNT(c->saved) - before);
	return 0;
}

static int adopt(struct client_role *c, struct error *err)
{
	_cleanup_plan_ struct plan have = { 0 };
	int r = kernel_dump(c->c.kernel, KERNEL_DUMP_ALL, keep_ours, &have);

	if (r < 0)
		return error_set(err, r, "cannot read what an earlier run left: %s", kernel_error_text(c->c.kernel));
	c->adopting = true;
	r = adopt_saved(c, &have);
	if (r < 0)
		return error_set(err, r, "cannot take up what an earlier run left: %s", kernel_error_text(c->c.kernel));
	r = remove_orphans(c, &have);
	if (r < 0)
		return error_set(err, r, "cannot remove what an earlier run left: %s", kernel_error_text(c->c.kernel));
	c->adopting = false;
	compact(c);
	r = save_selections(c, err);
	if (r < 0)
		log_err("what is protected will not be after a restart of the host: %s", err->text);
	overlay_renew_identity(c->overlay);
	return 0;
}

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
	return r < 0 ? r : plan_selection_rules(ret, &c->c.conf->lans, &selections);
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
		r = plan_client_base(&plan, &c->c.conf->lans);
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
	if (kernel_dump(c->c.kernel, KERNEL_DUMP_ALL, keep_ours, &have) == 0 && wanted_plan(c, &wanted) == 0)
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
	int r = plan_client_base(&plan, &c->c.conf->lans);

	if (r == 0)
		r = kernel_apply(c->c.kernel, &plan);
	return r < 0 ? error_set(err, r, "cannot set up the client in the kernel: %s", kernel_error_text(c->c.kernel))
		     : 0;
}

static int state_open(struct client_role *c, struct error *err)
{
	_cleanup_free_ char *path = NULL;
	int r;

	if (asprintf(&path, "%s/client-circuits", c->c.conf->run) < 0)
		return error_set(err, -ENOMEM, "out of memory");
	r = journal_open(path, load_line, c, &c->journal);
	if (r < 0)
		return error_set(err, r, "%s: %s", path, strerror(-r));
	/* A circuit that is not known for this keeps its kill switch: spare_kill_switches. */
	if (journal_damaged(c->journal))
		log_err("%s: %zu damaged lines are left out", path, journal_damaged(c->journal));
	return load_selections(c, err);
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
		.attempt_over = on_attempt_over,
	};
	r = base_apply(c, err);
	if (r == 0)
		r = state_open(c, err);
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
		r = adopt(c, err);
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
	if (plan_client_base(&plan, &c->c.conf->lans) < 0 || kernel_remove(c->c.kernel, &plan) < 0)
		log_err("cannot remove the client from the kernel: %s", kernel_error_text(c->c.kernel));
}

void client_role_free(struct client_role *c, bool leave)
{
	struct client_circuit *cc, *next;

	if (!c)
		return;
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
	journal_close(c->journal);
	free(c);
}

int client_role_set_network(struct client_role *c, const struct network *net)
{
	int r = overlay_set_network(c->overlay, net);

	if (r == 0)
		c->env.net = c->c.net = net;
	return r;
}

struct overlay *client_role_overlay(struct client_role *c)
{
	return c->overlay;
}

size_t client_role_circuits(const struct client_role *c)
{
	return HASH_COUNT(c->circuits);
}

void client_role_echo(struct client_role *c, uint16_t id, uint32_t rtt_us)
{
	uint32_t key = id;
	struct client_circuit *cc;

	HASH_FIND(hh, c->circuits, &key, sizeof(key), cc);
	if (cc)
		client_circuit_echo(cc, rtt_us);
}

void client_role_sa_gone(struct client_role *c, uint32_t reqid, uint32_t spi)
{
	uint32_t id = (reqid - REQID_LAYER_BASE) / 8;
	struct client_circuit *cc;

	if (reqid < REQID_LAYER_BASE)
		return;
	HASH_FIND(hh, c->circuits, &id, sizeof(id), cc);
	if (cc)
		client_circuit_lost(cc, spi);
}

/* ---- requests ---- */

static uint32_t free_id(const struct client_role *c)
{
	struct client_circuit *cc;
	uint32_t id = 0;

	do {
		id++;
		HASH_FIND(hh, c->circuits, &id, sizeof(id), cc);
	} while (cc);
	return id;
}

/* The circuit that carries some of it already. Beside a stray another one may be made. */
static struct client_circuit *conflict(const struct client_role *c, const struct selection *sel)
{
	struct client_circuit *cc;

	for (cc = c->circuits; cc; cc = cc->hh.next)
		if (!cc->stray && selection_conflict(&cc->sel, sel))
			return cc;
	return NULL;
}

static int reply_code(int r)
{
	switch (r) {
	case -EINVAL:
		return REPLY_MALFORMED;
	case -ENOENT:
		return REPLY_NOT_FOUND;
	case -EOPNOTSUPP:
	case -EPROTONOSUPPORT:
	case -ENOSYS:
		return REPLY_NO_FEATURE;
	default:
		return REPLY_INTERNAL;
	}
}

/* Before anything of it is in the kernel: a kill switch that the next start does not know nobody could account for. */
static int remember(struct client_role *c, const struct client_circuit *cc, struct error *err)
{
	struct error why = { "" };
	int r = save(c, circuit_line(cc));

	if (r < 0)
		return error_set(err, r, "the circuit table in %s cannot be written: %s", c->c.conf->run, strerror(-r));
	r = save_selections(c, &why);
	return r < 0 ? error_set(err, r, "it could not be protected over a restart of the host: %s", why.text) : 0;
}

static void forgotten(struct client_role *c, uint32_t id)
{
	struct error err = { "" };

	save(c, json_pack("{s:I}", "gone", (json_int_t)id));
	if (save_selections(c, &err) < 0)
		log_err("circuit %u is gone, but its destinations will be blocked after a restart of the host: %s", id,
			err.text);
}

/* On an error nothing of it is left, neither in the kernel nor in the journal, and a->sel is the caller's. */
static int begin(struct client_role *c, struct up_request *a, struct client_circuit **ret, struct error *err)
{
	struct client_circuit *cc;
	int r = client_circuit_new(&c->env, free_id(c), &a->sel, a->hops, a->pinned ? a->pin : NULL, &cc, err);

	if (r < 0)
		return r;
	a->sel = (struct selection){ 0 };
	HASH_ADD(hh, c->circuits, id, sizeof(cc->id), cc);
	r = remember(c, cc, err);
	if (r == 0)
		r = client_circuit_start(cc, err);
	if (r < 0) {
		HASH_DEL(c->circuits, cc);
		forgotten(c, cc->id);
		client_circuit_forget(cc);
		return r;
	}
	*ret = cc;
	return 0;
}

void client_role_up(struct client_role *c, struct control_conn *conn, const json_t *args)
{
	struct up_request a = { 0 };
	struct error err = { "" }, why = { "" };
	int r = up_request_parse(args, c->c.conf->hops, &a, &err);
	struct client_circuit *cc = r == 0 ? conflict(c, &a.sel) : NULL;

	if (r == 0 && a.sel.lan && !c->c.conf->lans.n)
		r = error_set(&err, -EINVAL, "this host is no gateway: see `lan` in anond.conf(5)");
	if (r == 0 && cc && client_circuit_is_down(cc) && selection_same(&cc->sel, &a.sel)) {
		r = client_circuit_again(cc, a.hops, a.pinned ? a.pin : NULL, &err);
		if (save_selections(c, &why) < 0)
			log_err("circuit %u: its path is not remembered: %s", cc->id, why.text);
	} else if (r == 0 && cc) {
		control_error(conn, REPLY_CONFLICT, "circuit %u carries some of this already", cc->id);
		up_request_clear(&a);
		return;
	} else if (r == 0 && HASH_COUNT(c->circuits) >= CIRCUITS_MAX) {
		control_error(conn, REPLY_LIMIT, "there are %d circuits already", CIRCUITS_MAX);
		up_request_clear(&a);
		return;
	} else if (r == 0) {
		r = begin(c, &a, &cc, &err);
	}
	up_request_clear(&a);
	if (r < 0)
		control_error(conn, reply_code(r), "%s", err.text);
	else
		client_circuit_wait(cc, conn, a.wait);
}

static void close_circuit(struct client_role *c, struct client_circuit *cc)
{
	uint32_t id = cc->id;
	bool stray = cc->stray;

	HASH_DEL(c->circuits, cc);
	client_circuit_close(cc);
	if (!stray)
		forgotten(c, id);
}

/* args.id, or NULL after an answer. */
static struct client_circuit *by_args(const struct client_role *c, struct control_conn *conn, const json_t *args)
{
	const json_t *v = json_object_get(args, "id");
	json_int_t n = json_integer_value(v);
	uint32_t id = n > 0 && n <= UINT32_MAX ? (uint32_t)n : 0;
	struct client_circuit *cc;

	if (!json_is_integer(v)) {
		control_error(conn, REPLY_MALFORMED, "id: not a number");
		return NULL;
	}
	HASH_FIND(hh, c->circuits, &id, sizeof(id), cc);
	if (!cc)
		control_error(conn, REPLY_NOT_FOUND, "there is no circuit %lld", (long long)n);
	return cc;
}

void client_role_down(struct client_role *c, struct control_conn *conn, const json_t *args)
{
	struct client_circuit *cc, *next;
	json_t *closed = json_array();

	if (json_is_true(json_object_get(args, "all"))) {
		HASH_ITER (hh, c->circuits, cc, next) {
			json_array_append_new(closed, json_integer(cc->id));
			close_circuit(c, cc);
		}
	} else {
		cc = by_args(c, conn, args);
		if (!cc) {
			json_decref(closed);
			return;
		}
		json_array_append_new(closed, json_integer(cc->id));
		close_circuit(c, cc);
	}
	control_reply(conn, REPLY_OK, json_pack("{s:o}", "closed", closed));
}

static void renew_all(struct client_role *c, struct control_conn *conn)
{
	json_t *renewed = json_array();
	struct client_circuit *cc, *next;
	struct error err = { "" };

	HASH_ITER (hh, c->circuits, cc, next) {
		if (cc->stray)
			continue;
		if (client_circuit_renew(cc, &err) < 0)
			log_warn("circuit %u: not built anew at once: %s", cc->id, err.text);
		json_array_append_new(renewed, json_integer(cc->id));
	}
	control_reply(conn, REPLY_OK, json_pack("{s:o}", "renewed", renewed));
}

void client_role_renew(struct client_role *c, struct control_conn *conn, const json_t *args)
{
	const json_t *wait = json_object_get(args, "wait");
	double seconds = REPLY_WAIT_DEFAULT;
	struct error err = { "" };
	struct client_circuit *cc;
	int r;

	if (json_is_true(json_object_get(args, "all"))) {
		renew_all(c, conn);
		return;
	}
	if (wait && up_request_wait(wait, &seconds, &err) < 0) {
		control_error(conn, REPLY_MALFORMED, "%s", err.text);
		return;
	}
	cc = by_args(c, conn, args);
	if (!cc)
		return;
	if (cc->stray) {
		control_error(conn, REPLY_CONFLICT, "circuit %u is only a block that an earlier run left", cc->id);
		return;
	}
	r = client_circuit_renew(cc, &err);
	if (r < 0)
		control_error(conn, reply_code(r), "%s", err.text);
	else
		client_circuit_wait(cc, conn, seconds);
}

void client_role_show(struct client_role *c, struct control_conn *conn, const json_t *args)
{
	const struct client_circuit *cc = by_args(c, conn, args);

	if (cc)
		control_reply(conn, REPLY_OK, client_circuit_json(cc, true));
}

void client_role_closed(struct client_role *c, const struct control_conn *conn)
{
	struct client_circuit *cc;

	for (cc = c->circuits; cc; cc = cc->hh.next)
		if (cc->waiter == conn) {
			cc->waiter = NULL;
			ev_timer_stop(c->c.loop, &cc->wait);
		}
}

json_t *client_role_list_json(const struct client_role *c)
{
	json_t *list = json_array();
	const struct client_circuit *cc;

	for (cc = c->circuits; cc; cc = cc->hh.next)
		json_array_append_new(list, client_circuit_json(cc, false));
	return list;
}
