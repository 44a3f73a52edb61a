/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "anond/relay_role.h"

#include <errno.h>
#include <string.h>

#include "anond/journal.h"
#include "anond/onion_rotation.h"
#include "anond/record.h"
#include "anond/refusals.h"
#include "lib/clock.h"
#include "lib/hash.h"
#include "lib/log.h"
#include "model/overlay.h"
#include "plan/diff.h"
#include "plan/plan.h"

struct saved {
	UT_hash_handle hh;
	struct relay_record r;
};

struct relay_role {
	struct relay_role_config c;
	struct onion_rotation *rotation;
	struct onion_key onion[ONION_KEYS_MAX]; /* that the engine opens */
	struct relay_engine *engine;
	struct overlay *overlay;
	struct journal *journal;
	struct journal *replays;
	struct saved *saved; /* only while loading */
	struct refusals refusals;
	ev_timer tick;
	ev_timer deadline; /* draining: when the circuits that are left are closed */
};

static void run(struct relay_role *r, struct actions *as);

/* ---- journal ---- */

static void load_line(void *ctx, const json_t *line)
{
	struct relay_role *r = ctx;
	const json_t *add = json_object_get(line, "add");
	uint32_t number = (uint32_t)json_integer_value(json_object_get(line, "del"));
	struct relay_record rec;
	struct saved *s;

	relay_engine_number_used(r->engine, (uint32_t)json_integer_value(json_object_get(line, "last")));
	if (add && record_to_relay(add, &rec) == 0) {
		number = rec.circuit.number;
		relay_engine_number_used(r->engine, number);
		HASH_FIND(hh, r->saved, &number, sizeof(number), s);
		if (!s) {
			s = calloc(1, sizeof(*s));
			if (!s)
				return;
			s->r = rec;
			HASH_ADD(hh, r->saved, r.circuit.number, sizeof(s->r.circuit.number), s);
		}
		s->r = rec;
		return;
	}
	HASH_FIND(hh, r->saved, &number, sizeof(number), s);
	if (s) {
		HASH_DEL(r->saved, s);
		free(s);
	}
}

static void dump_record(void *ctx, const struct relay_record *rec)
{
	journal_append(ctx, json_pack("{s:o}", "add", record_of_relay(rec)));
}

static void dump_all(void *ctx, struct journal *j)
{
	const struct relay_engine *e = ((struct relay_role *)ctx)->engine;

	relay_engine_each(e, dump_record, j);
	journal_append(j, json_pack("{s:I}", "last", (json_int_t)relay_engine_last_number(e)));
}

static void save(struct relay_role *r, json_t *line)
{
	int e = journal_append(r->journal, line);

	if (e == 0)
		e = journal_compact(r->journal, relay_role_circuits(r), dump_all, r);
	if (e < 0)
		log_err("cannot save the circuit table: %s", strerror(-e));
}

/* ---- the replay cache's file: a line for each CREATE, its tag and when it expires ---- */

static json_t *replay_line(const struct replay_record *rec)
{
	return json_pack("{s:o}", "seen", record_of_replay(rec));
}

static void load_replay(void *ctx, const json_t *line)
{
	struct relay_role *r = ctx;
	struct replay_record rec;

	if (record_to_replay(json_object_get(line, "seen"), &rec) == 0)
		relay_engine_replay_add(r->engine, clock_monotonic_ms(), clock_wall_s(), &rec);
}

static void dump_replay(void *ctx, const struct replay_record *rec)
{
	journal_append(ctx, replay_line(rec));
}

static void dump_replays(void *ctx, struct journal *j)
{
	relay_engine_replay_each(((struct relay_role *)ctx)->engine, dump_replay, j);
}

static void remember(struct relay_role *r, const struct replay_record *rec)
{
	int e = journal_append(r->replays, replay_line(rec));

	if (e == 0)
		e = journal_compact(r->replays, relay_engine_counters(r->engine)->replay_entries, dump_replays, r);
	if (e < 0)
		log_err("cannot save the replay cache: %s", strerror(-e));
}

/* ---- carrying actions out ---- */

static void install(struct relay_role *r, const struct action *a, struct actions *out)
{
	_cleanup_plan_ struct plan plan = { 0 };
	struct relay_record rec;
	int e = plan_relay_circuit(&plan, &a->relay, a->keys);

	if (e == 0)
		e = kernel_apply(r->c.kernel, &plan);
	if (e < 0)
		log_warn("a circuit could not be installed: %s", kernel_error_text(r->c.kernel));
	relay_engine_installed(r->engine, clock_monotonic_ms(), a->relay.number, e, out);
	if (e == 0 && relay_engine_record(r->engine, a->relay.number, &rec) == 0)
		save(r, json_pack("{s:o}", "add", record_of_relay(&rec)));
}

static void uninstall(struct relay_role *r, const struct relay_circuit *c)
{
	_cleanup_plan_ struct plan plan = { 0 };
	int e = plan_relay_circuit(&plan, c, NULL);

	if (e == 0)
		e = kernel_remove(r->c.kernel, &plan);
	if (e < 0)
		log_err("a circuit could not be removed: %s", kernel_error_text(r->c.kernel));
	save(r, json_pack("{s:I}", "del", (json_int_t)c->number));
}

static void want_link(struct relay_role *r, const struct relay_id *id, struct actions *out)
{
	const struct relay *peer = network_find(r->c.net, id);
	int e = peer ? overlay_want(r->overlay, peer) : -ENOENT;

	if (e < 0)
		relay_engine_link_down(r->engine, clock_monotonic_ms(), id, out);
	else if (e > 0)
		relay_engine_link_up(r->engine, clock_monotonic_ms(), overlay_link_to(r->overlay, id), out);
}

static void arm(struct relay_role *r)
{
	struct actions as = { 0 };
	uint64_t next = UINT64_MAX;
	uint64_t now = clock_monotonic_ms();

	relay_engine_tick(r->engine, now, clock_wall_s(), &as, &next);
	ev_timer_stop(r->c.loop, &r->tick);
	if (next != UINT64_MAX) {
		ev_timer_set(&r->tick, next > now ? (double)(next - now) / 1000. : 0.001, 0.);
		ev_timer_start(r->c.loop, &r->tick);
	}
	if (as.n)
		run(r, &as);
	actions_clear(&as);
	if (relay_engine_drained(r->engine))
		r->c.drained(r->c.ctx);
}

/* Carries out and clears. An action may add further ones at the end. */
static void run(struct relay_role *r, struct actions *as)
{
	for (size_t i = 0; i < as->n; i++) {
		const struct action a = as->v[i]; /* as->v may move */

		switch (a.type) {
		case ACTION_SEND:
			overlay_send(r->overlay, a.link, &a.peer, a.msg, CTRL_MSG_LEN);
			break;
		case ACTION_WANT_LINK:
			want_link(r, &a.relay_id, as);
			break;
		case ACTION_RELAY_INSTALL:
			install(r, &a, as);
			break;
		case ACTION_RELAY_REMOVE:
			uninstall(r, &a.relay);
			break;
		case ACTION_RELAY_REMEMBER:
			remember(r, &a.seen);
			break;
		case ACTION_ORIGIN_INSTALL:
		case ACTION_ORIGIN_PROBE:
		case ACTION_ORIGIN_STATE:
			break; /* never from a relay engine */
		}
	}
	actions_clear(as);
	arm(r);
}

static void on_tick(struct ev_loop *loop, ev_timer *w, int events)
{
	(void)loop;
	(void)events;
	arm(w->data);
}

/* ---- events ---- */

static void on_link_up(void *ctx, const struct link *link)
{
	struct relay_role *r = ctx;
	struct actions as = { 0 };

	if (!r->engine)
		return;
	relay_engine_link_up(r->engine, clock_monotonic_ms(), link, &as);
	run(r, &as);
}

static void link_lost(struct relay_role *r, const struct relay_id *peer)
{
	struct actions as = { 0 };

	if (!r->engine)
		return;
	relay_engine_link_down(r->engine, clock_monotonic_ms(), peer, &as);
	run(r, &as);
}

static void on_link_down(void *ctx, const struct link *link)
{
	link_lost(ctx, &link->peer);
}

static void on_link_failed(void *ctx, const struct relay_id *peer, const char *reason)
{
	(void)reason;
	link_lost(ctx, peer);
}

static void on_link_message(void *ctx, const struct link *link, const struct in6_addr *from, const uint8_t *msg,
			    size_t len)
{
	struct relay_role *r = ctx;
	struct actions as = { 0 };

	relay_engine_message(r->engine, clock_monotonic_ms(), clock_wall_s(), link, from, msg, len, &as);
	refusals_note(&r->refusals);
	run(r, &as);
}

static const struct overlay_ops overlay_ops = {
	.up = on_link_up,
	.down = on_link_down,
	.failed = on_link_failed,
	.message = on_link_message,
};

void relay_role_sa_gone(struct relay_role *r, uint32_t reqid, uint32_t spi)
{
	struct actions as = { 0 };

	if (reqid <= REQID_RELAY_BASE || reqid > REQID_RELAY_BASE + RELAY_CIRCUIT_MAX)
		return;
	relay_engine_sa_gone(r->engine, clock_monotonic_ms(), reqid - REQID_RELAY_BASE, spi, &as);
	run(r, &as);
}

/* ---- the operator ---- */

struct row {
	UT_hash_handle hh;
	uint32_t number;
	bool exit;
	uint64_t expires, up, down; /* seconds; bytes */
};

static void add_row(void *ctx, const struct relay_record *rec)
{
	struct row **rows = ctx, *row = calloc(1, sizeof(*row));

	if (!row)
		return;
	row->number = rec->circuit.number;
	row->exit = rec->circuit.exit;
	row->expires = rec->expires;
	HASH_ADD(hh, *rows, number, sizeof(row->number), row);
}

static void add_bytes(void *ctx, const struct kobject *o)
{
	struct row **rows = ctx, *row;
	uint32_t number = o->sa.reqid - REQID_RELAY_BASE;

	if (o->type != KOBJ_SA || o->sa.if_id != IFID_CIRC)
		return;
	HASH_FIND(hh, *rows, &number, sizeof(number), row);
	if (row)
		*(o->sa.inbound ? &row->up : &row->down) += o->sa.bytes;
}

static int busier(struct row *a, struct row *b)
{
	uint64_t x = a->up + a->down, y = b->up + b->down;

	return x > y ? -1 : x < y ? 1 : a->number < b->number ? -1 : 1;
}

json_t *relay_role_list_json(struct relay_role *r)
{
	struct row *rows = NULL, *row, *next;
	json_t *list = json_array();
	int e;

	relay_engine_each(r->engine, add_row, &rows);
	e = kernel_dump(r->c.kernel, 1u << KOBJ_SA, add_bytes, &rows);
	HASH_SORT(rows, busier);
	HASH_ITER (hh, rows, row, next) {
		if (json_array_size(list) < RELAY_LIST_MAX)
			json_array_append_new(
				list, json_pack("{s:I, s:s, s:I, s:I, s:I}", "id", (json_int_t)row->number, "kind",
						row->exit ? "exit" : "relay", "expires", (json_int_t)row->expires,
						"bytes_up", (json_int_t)row->up, "bytes_down", (json_int_t)row->down));
		HASH_DEL(rows, row);
		free(row);
	}
	if (e == 0)
		return list;
	json_decref(list);
	return NULL;
}

int relay_role_close(struct relay_role *r, uint32_t number)
{
	struct actions as = { 0 };
	int e = relay_engine_close(r->engine, clock_monotonic_ms(), number, &as);

	run(r, &as);
	return e;
}

static void on_deadline(struct ev_loop *loop, ev_timer *w, int events)
{
	struct relay_role *r = w->data;
	struct actions as = { 0 };

	(void)loop;
	(void)events;
	log_notice("drained for as long as was asked: closing the circuits that are left");
	relay_engine_close_all(r->engine, clock_monotonic_ms(), &as);
	run(r, &as);
}

void relay_role_drain(struct relay_role *r, uint32_t deadline_s)
{
	log_notice("draining: no new circuits are taken, in %u seconds at the latest the others are closed",
		   deadline_s);
	relay_engine_drain(r->engine, true);
	ev_timer_stop(r->c.loop, &r->deadline);
	ev_timer_set(&r->deadline, deadline_s, 0.);
	ev_timer_start(r->c.loop, &r->deadline);
	arm(r);
}

void relay_role_drain_cancel(struct relay_role *r)
{
	relay_engine_drain(r->engine, false);
	ev_timer_stop(r->c.loop, &r->deadline);
}

bool relay_role_drained(const struct relay_role *r)
{
	return relay_engine_drained(r->engine);
}

double relay_role_drains(const struct relay_role *r)
{
	if (!relay_engine_draining(r->engine))
		return -1.;
	return ev_is_active(&r->deadline) ? ev_timer_remaining(r->c.loop, (ev_timer *)&r->deadline) : 0.;
}

/* ---- adoption ---- */

static bool is_circuit_object(const struct kobject *o)
{
	switch (o->type) {
	case KOBJ_SA:
		return o->sa.if_id == IFID_CIRC;
	case KOBJ_SP:
		return o->sp.if_id == IFID_CIRC;
	case KOBJ_ELEM:
		return strncmp(o->elem.set, "circ", 4) == 0 || strncmp(o->elem.set, "live", 4) == 0;
	default:
		return false;
	}
}

static void keep_circuit_object(void *ctx, const struct kobject *o)
{
	if (is_circuit_object(o))
		plan_add_copy(ctx, o);
}

/* 1 if the kernel held all of the circuit and it is taken up again; only then is it added to wanted. 0 if not. */
static int adopt_one(struct relay_role *r, const struct plan_set *had, const struct relay_record *rec,
		     struct plan *wanted)
{
	_cleanup_plan_ struct plan want = { 0 };
	int e = 0;

	if (plan_relay_circuit(&want, &rec->circuit, NULL) < 0 || !plan_set_has_all(had, &want) ||
	    relay_engine_restore(r->engine, rec) < 0)
		return 0;
	for (size_t i = 0; e == 0 && i < want.n; i++)
		e = plan_add_copy(wanted, &want.v[i]);
	return e < 0 ? e : 1;
}

/* Whatever of have no adopted circuit wants is an orphan, also what belongs to a circuit that the engine refused. */
static int adopt_saved(struct relay_role *r, const struct plan *have, size_t *ret_adopted, size_t *ret_orphans)
{
	_cleanup_plan_ struct plan wanted = { 0 }, add = { 0 }, orphans = { 0 };
	_cleanup_plan_set_ struct plan_set *had = NULL;
	struct saved *s, *next;
	size_t adopted = 0;
	int e = plan_set_new(have, &had);

	HASH_ITER (hh, r->saved, s, next) {
		if (e >= 0)
			e = adopt_one(r, had, &s->r, &wanted);
		adopted += e == 1;
	}
	if (e >= 0)
		e = plan_diff(&wanted, have, &add, &orphans);
	if (e == 0)
		e = kernel_remove(r->c.kernel, &orphans);
	if (e < 0)
		return e;
	*ret_adopted = adopted;
	*ret_orphans = orphans.n;
	return 0;
}

static void free_saved(struct relay_role *r)
{
	struct saved *s, *next;

	HASH_ITER (hh, r->saved, s, next) {
		HASH_DEL(r->saved, s);
		free(s);
	}
}

static int adopt(struct relay_role *r)
{
	_cleanup_plan_ struct plan have = { 0 };
	size_t known = HASH_COUNT(r->saved), adopted = 0, orphans = 0;
	int e = kernel_dump(r->c.kernel, 1u << KOBJ_SA | 1u << KOBJ_SP | 1u << KOBJ_ELEM, keep_circuit_object, &have);

	if (e == 0)
		e = adopt_saved(r, &have, &adopted, &orphans);
	free_saved(r);
	if (e == 0 && (known || orphans))
		log_notice("adopted %zu circuits, forgot %zu, removed %zu orphaned kernel objects", adopted,
			   known - adopted, orphans);
	return e;
}

/* ---- life ---- */

static void base_of(const struct relay_role *r, struct relay_base *b)
{
	const struct relay *self = r->c.self;
	const struct config *conf = r->c.conf;

	*b = (struct relay_base){
		.own = overlay_relay(&r->c.keys->id),
		.exit = conf->roles & ROLE_EXIT,
		.inner4_enabled = conf->exit.inner4_enabled,
		.inner4 = conf->exit.inner4,
		.inner6_enabled = conf->exit.inner6_enabled,
		.policy = &conf->exit.policy,
		.limits = conf->exit.limits,
		.pool = conf->exit.pool,
		.public4 = self->addr4,
		.public6 = self->addr6,
		.resolver = conf->exit.resolver_local,
	};
}

static int base_apply(struct relay_role *r, struct error *err)
{
	_cleanup_plan_ struct plan plan = { 0 };
	struct relay_base base;
	int e;

	base_of(r, &base);
	e = plan_relay_base(&plan, &base);
	if (e == 0)
		e = kernel_apply(r->c.kernel, &plan);
	return e < 0 ? error_set(err, e, "cannot set up the relay in the kernel: %s", kernel_error_text(r->c.kernel))
		     : 0;
}

static int state_open(struct relay_role *r, const char *name, void (*load)(void *ctx, const json_t *line),
		      struct journal **ret, struct error *err)
{
	_cleanup_free_ char *path = NULL;
	int e;

	if (asprintf(&path, "%s/%s", r->c.conf->run, name) < 0) {
		path = NULL;
		return error_set(err, -ENOMEM, "out of memory");
	}
	e = journal_open(path, load, r, ret);
	if (e < 0)
		return error_set(err, e, "%s: %s", path, strerror(-e));
	if (journal_damaged(*ret))
		log_warn("%s: %zu damaged lines are left out", path, journal_damaged(*ret));
	return 0;
}

static int engine_start(struct relay_role *r, struct error *err)
{
	const struct config *conf = r->c.conf;
	struct relay_engine_config ec = {
		.id = r->c.keys->id,
		.onion_keys = r->onion,
		.n_onion_keys = onion_rotation_held(r->rotation, r->onion),
		.exit = conf->roles & ROLE_EXIT,
		.inner4_enabled = conf->exit.inner4_enabled,
		.inner4 = conf->exit.inner4,
		.inner6_enabled = conf->exit.inner6_enabled,
		.dns4 = conf->exit.resolver4,
		.dns6 = conf->exit.resolver6,
		.dns_gateway = conf->exit.resolver_local,
		.limits = conf->limits,
		.rng = &rng_system,
	};
	int e;

	e = relay_engine_new(&ec, &r->engine);
	if (e < 0)
		return error_set(err, e, "cannot start the circuit engine: %s", strerror(-e));
	e = state_open(r, "relay-replays", load_replay, &r->replays, err);
	return e < 0 ? e : state_open(r, "relay-circuits", load_line, &r->journal, err);
}

/* ---- onion keys ---- */

static void on_onion_keys(void *ctx, bool announce)
{
	struct relay_role *r = ctx;

	relay_engine_set_onion_keys(r->engine, r->onion, onion_rotation_held(r->rotation, r->onion));
	if (announce && r->c.onion_changed)
		r->c.onion_changed(r->c.ctx);
}

static int rotation_start(struct relay_role *r, struct error *err)
{
	const struct onion_rotation_config oc = {
		.loop = r->c.loop,
		.conf = r->c.conf,
		.id = &r->c.keys->id,
		.keys = r->c.onion,
		.changed = on_onion_keys,
		.ctx = r,
	};

	return onion_rotation_new(&oc, &r->rotation, err);
}

/* Clients take the key from there, if the relay does not publish it itself. */
static void look_at_own_key(const struct relay_role *r)
{
	const struct relay *self = network_find(r->c.net, &r->c.keys->id);

	if (!r->c.conf->replace_onion && self && !onion_keys_have(r->c.onion, self->onion_key_id))
		log_warn("the network file names another onion key of this relay than it has: no circuit can be built "
			 "through it");
}

void relay_role_onion(const struct relay_role *r, struct relay_facts *ret)
{
	onion_keys_facts(r->c.onion, ret);
}

json_t *relay_role_onion_json(const struct relay_role *r)
{
	return onion_rotation_json(r->rotation);
}

int relay_role_new(const struct relay_role_config *conf, struct relay_role **ret, struct error *err)
{
	struct relay_role *r = calloc(1, sizeof(*r));
	int e;

	if (!r)
		return error_set(err, -ENOMEM, "out of memory");
	r->c = *conf;
	ev_init(&r->tick, on_tick);
	r->tick.data = r;
	ev_init(&r->deadline, on_deadline);
	r->deadline.data = r;
	e = rotation_start(r, err);
	if (e == 0)
		e = base_apply(r, err);
	if (e == 0)
		e = engine_start(r, err);
	if (e == 0) {
		e = adopt(r);
		if (e < 0)
			error_set(err, e, "cannot adopt what an earlier run left: %s", kernel_error_text(r->c.kernel));
	}
	if (e == 0) {
		const struct overlay_config oc = {
			.loop = conf->loop,
			.kernel = conf->kernel,
			.conf = conf->conf,
			.net = conf->net,
			.self = conf->self,
			.keys = conf->keys,
			.ops = &overlay_ops,
			.ctx = r,
		};

		e = overlay_new(&oc, &r->overlay, err);
	}
	if (e < 0) {
		relay_role_free(r, true);
		return e;
	}
	look_at_own_key(r);
	refusals_init(&r->refusals, conf->loop, relay_engine_counters(r->engine));
	arm(r);
	*ret = r;
	return 0;
}

#define REPAIR_BATCH 8192 /* elements in one go */

struct repair {
	struct relay_role *role;
	struct plan elems;
	int error; /* the first */
};

static void repair_flush(struct repair *p)
{
	int e = kernel_apply(p->role->c.kernel, &p->elems);

	if (p->error == 0)
		p->error = e;
	plan_clear(&p->elems);
}

static void repair_circuit(void *ctx, const struct relay_record *rec)
{
	_cleanup_plan_ struct plan plan = { 0 };
	struct repair *p = ctx;
	int e = plan_relay_circuit(&plan, &rec->circuit, NULL);

	for (size_t i = 0; e == 0 && i < plan.n; i++)
		if (plan.v[i].type == KOBJ_ELEM)
			e = plan_add_copy(&p->elems, &plan.v[i]);
	if (p->error == 0)
		p->error = e;
	if (p->elems.n >= REPAIR_BATCH)
		repair_flush(p);
}

/* The number of the base's objects that are not in the kernel. */
static size_t base_missing(const struct relay_role *r)
{
	_cleanup_plan_ struct plan have = { 0 }, wanted = { 0 }, missing = { 0 }, rest = { 0 };
	unsigned int types = KERNEL_DUMP_ALL & ~(1u << KOBJ_SA | 1u << KOBJ_SP | 1u << KOBJ_ELEM);
	struct relay_base base;

	base_of(r, &base);
	if (plan_base(&wanted) < 0 || plan_relay_base(&wanted, &base) < 0 ||
	    kernel_dump_plan(r->c.kernel, types, &have) < 0 || plan_diff(&wanted, &have, &missing, &rest) < 0)
		return 0;
	return missing.n;
}

/* The circuits' elements go only with their sets; of the end of an SA the kernel tells. */
size_t relay_role_repair(struct relay_role *r)
{
	struct repair p = { .role = r };
	size_t missing = base_missing(r);
	_cleanup_plan_ struct plan base = { 0 };
	struct error err = { "" };

	if (plan_base(&base) < 0 || kernel_apply(r->c.kernel, &base) < 0 || base_apply(r, &err) < 0)
		log_err("the relay cannot be put back into the kernel: %s", kernel_error_text(r->c.kernel));
	overlay_repair(r->overlay);
	if (missing) {
		relay_engine_each(r->engine, repair_circuit, &p);
		repair_flush(&p);
	}
	if (p.error < 0)
		log_err("circuits cannot be put back into the kernel: %s", kernel_error_text(r->c.kernel));
	return missing;
}

static void base_remove(struct relay_role *r)
{
	_cleanup_plan_ struct plan plan = { 0 };
	struct relay_base base;

	base_of(r, &base);
	if (plan_relay_base(&plan, &base) < 0 || kernel_remove(r->c.kernel, &plan) < 0)
		log_err("cannot remove the relay from the kernel: %s", kernel_error_text(r->c.kernel));
}

void relay_role_free(struct relay_role *r, bool leave)
{
	if (!r)
		return;
	ev_timer_stop(r->c.loop, &r->tick);
	ev_timer_stop(r->c.loop, &r->deadline);
	refusals_stop(&r->refusals);
	if (!leave) {
		overlay_teardown(r->overlay);
		base_remove(r);
	}
	overlay_free(r->overlay);
	onion_rotation_free(r->rotation);
	relay_engine_free(r->engine);
	journal_close(r->journal);
	journal_close(r->replays);
	free(r);
}

int relay_role_set_network(struct relay_role *r, const struct network *net)
{
	int e = overlay_set_network(r->overlay, net);

	if (e < 0)
		return e;
	r->c.net = net;
	look_at_own_key(r);
	return 0;
}

struct overlay *relay_role_overlay(struct relay_role *r)
{
	return r->overlay;
}

size_t relay_role_circuits(const struct relay_role *r)
{
	const struct relay_counters *c = relay_engine_counters(r->engine);

	return c->circuits - c->half_open; /* READY ones: those that are in the kernel and in the journal */
}

json_t *relay_role_counters_json(const struct relay_role *r)
{
	const struct relay_counters *c = relay_engine_counters(r->engine);
	const struct {
		const char *name;
		uint64_t value;
	} all[] = {
		{ "created", c->created },
		{ "refused_malformed", c->refused_malformed },
		{ "refused_unknown_key", c->refused_unknown_key },
		{ "refused_decrypt", c->refused_decrypt },
		{ "refused_replay", c->refused_replay },
		{ "refused_expired", c->refused_expired },
		{ "refused_limit", c->refused_limit },
		{ "refused_rate", c->refused_rate },
		{ "refused_not_exit", c->refused_not_exit },
		{ "refused_draining", c->refused_draining },
		{ "extend_failed", c->extend_failed },
		{ "extend_timeout", c->extend_timeout },
		{ "install_failed", c->install_failed },
		{ "retransmitted", c->retransmitted },
		{ "destroyed", c->destroyed },
		{ "expired", c->expired },
		{ "unknown_message", c->unknown_message },
		{ "half_open", c->half_open },
		{ "circuits", c->circuits },
		{ "replay_entries", c->replay_entries },
	};
	json_t *j = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		json_object_set_new(j, all[i].name, json_integer((json_int_t)all[i].value));
	return j;
}
