/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What outlives anond and the host: the journal of circuits, the list of selections, what stands in the kernel. */
#include <errno.h>
#include <string.h>

#include "anond/client_state.h"
#include "anond/config.h"
#include "anond/record.h"
#include "anond/rules_json.h"
#include "anond/selection_json.h"
#include "anond/selections.h"
#include "lib/log.h"
#include "plan/diff.h"
#include "plan/plan.h"

struct saved {
	UT_hash_handle hh;
	uint32_t id;
	json_t *circuit;
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
	rules_to_json(&cc->rules, wish);
	return wish;
}

static json_t *onion_line(const struct onion *o)
{
	struct origin_record rec;
	json_t *line = o && origin_record(o->origin, &rec) == 0 ? record_of_origin(&rec) : NULL;

	return line ? line : json_null();
}

static json_t *circuit_line(const struct client_circuit *cc)
{
	json_t *wish = wish_of(cc);

	json_object_set_new(wish, "opened", json_boolean(cc->opened));
	json_object_set_new(wish, "failed", json_boolean(cc->failed));
	json_object_set_new(wish, "open", onion_line(client_circuit_is_open(cc) ? cc->lead : NULL));
	json_object_set_new(wish, "retired", onion_line(client_circuit_retired(cc)));
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

int client_saved_selections(const struct client_role *c, struct error *err)
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

int client_saved_note(struct client_role *c, const struct client_circuit *cc)
{
	return save(c, circuit_line(cc));
}

/* Before anything of it is in the kernel: a kill switch that the next start does not know nobody could account for. */
int client_saved_remember(struct client_role *c, const struct client_circuit *cc, struct error *err)
{
	struct error why = { "" };
	int r = client_saved_note(c, cc);

	if (r < 0)
		return error_set(err, r, "the circuit table in %s cannot be written: %s", c->c.conf->run, strerror(-r));
	r = client_saved_selections(c, &why);
	return r < 0 ? error_set(err, r, "it could not be protected over a restart of the host: %s", why.text) : 0;
}

void client_saved_forget(struct client_role *c, uint32_t id)
{
	struct error err = { "" };

	save(c, json_pack("{s:I}", "gone", (json_int_t)id));
	if (client_saved_selections(c, &err) < 0)
		log_err("circuit %u is gone, but its destinations will be blocked after a restart of the host: %s", id,
			err.text);
}

/* ---- adoption ---- */

static bool is_ours(const struct kobject *o)
{
	uint32_t if_id = o->type == KOBJ_SA ? o->sa.if_id : o->type == KOBJ_SP ? o->sp.if_id : 0;

	return if_id < IFID_LINK_BASE || if_id > IFID_LINK_BASE + LINK_INNER; /* those are charon's */
}

void client_saved_keep(void *ctx, const struct kobject *o)
{
	if (is_ours(o))
		plan_add_copy(ctx, o);
}

static bool onion_from(const struct saved *s, const char *key, struct origin_record *ret)
{
	return record_to_origin(json_object_get(s->circuit, key), ret) == 0 &&
	       slot_selection(ret->circuit.slot) == s->id && ret->circuit.slot <= SLOT_MAX &&
	       ret->circuit.n_layers >= 1 && ret->circuit.n_layers <= HOPS_MAX;
}

/* -EBADMSG: the line makes no sense. Other errors are the kernel's. */
static int adopt_one(struct client_role *c, const struct saved *s, const struct plan *have)
{
	json_int_t hops = json_integer_value(json_object_get(s->circuit, "hops"));
	struct client_saved saved = { .id = s->id,
				      .opened = json_is_true(json_object_get(s->circuit, "opened")),
				      .failed = json_is_true(json_object_get(s->circuit, "failed")) };
	const char *pin[HOPS_MAX];
	struct client_circuit *cc;
	struct origin_record open, retired;
	struct path_rules rules;
	struct error ignored;
	int r, pinned;

	if (hops < 1 || hops > HOPS_MAX || s->id < 1 || s->id > CIRCUIT_ID_MAX)
		return -EBADMSG;
	pinned = pins_from_json(json_object_get(s->circuit, "path"), (size_t)hops, pin);
	if (pinned < 0)
		return pinned;
	if (rules_from_json(s->circuit, &rules, &ignored) < 0)
		return -EBADMSG;
	saved.asked = (struct path_asked){ (size_t)hops, pinned ? pin : NULL, &rules };
	if (onion_from(s, "open", &open) && open.circuit.n_layers == saved.asked.hops)
		saved.open = &open;
	if (onion_from(s, "retired", &retired) && (!saved.open || open.circuit.slot != retired.circuit.slot))
		saved.retired = &retired;
	if (selection_from_json(s->circuit, false, &saved.sel, &ignored) < 0)
		return -EBADMSG;
	r = client_circuit_adopt(&c->env, &saved, have, &cc);
	if (r < 0) {
		selection_clear(&saved.sel);
		return r;
	}
	HASH_ADD(hh, c->circuits, id, sizeof(cc->id), cc);
	if (!config_has_groups(c->c.conf, &cc->sel))
		log_err("circuit %u is for a group that is not among `groups` any more: what it sends is stopped",
			cc->id);
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

int client_saved_wanted(const struct client_role *c, struct plan *wanted)
{
	const struct client_circuit *cc;
	int r = plan_base(wanted);

	if (r == 0)
		r = plan_client_base(wanted, &c->c.conf->lans, &c->c.conf->servers.at);
	for (cc = c->circuits; r == 0 && cc; cc = cc->hh.next)
		r = client_circuit_plan(cc, wanted);
	return r;
}

static int remove_orphans(struct client_role *c, const struct plan *have)
{
	_cleanup_plan_ struct plan wanted = { 0 }, add = { 0 }, orphans = { 0 }, gone = { 0 };
	int r = client_saved_wanted(c, &wanted);

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
		return selections_block(c->c.conf->state, true, &c->c.conf->lans, &c->c.conf->servers.at, c->c.kernel,
					err);
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

static int by_id(const struct client_circuit *a, const struct client_circuit *b)
{
	return a->id < b->id ? -1 : a->id > b->id;
}

int client_saved_adopt(struct client_role *c, struct error *err)
{
	_cleanup_plan_ struct plan have = { 0 };
	int r = kernel_dump(c->c.kernel, KERNEL_DUMP_ALL, client_saved_keep, &have);

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
	HASH_SRT(hh, c->circuits, by_id);
	compact(c);
	r = client_saved_selections(c, err);
	if (r < 0)
		log_err("what is protected will not be after a restart of the host: %s", err->text);
	overlay_renew_identity(c->overlay);
	return 0;
}

int client_saved_open(struct client_role *c, struct error *err)
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
