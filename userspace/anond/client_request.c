/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the control socket asks of the client. */
#include <errno.h>

#include "anond/client_state.h"
#include "anond/config.h"
#include "anond/selections.h"
#include "anond/up_request.h"
#include "lib/log.h"
#include "lib/reply.h"

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

static struct path_asked asked_of(const struct up_request *a)
{
	return (struct path_asked){ a->hops, a->pinned ? a->pin : NULL, &a->rules };
}

/* On an error nothing of it is left, neither in the kernel nor in the journal, and a->sel is the caller's. */
static int begin(struct client_role *c, struct up_request *a, struct client_circuit **ret, struct error *err)
{
	const struct path_asked asked = asked_of(a);
	struct client_circuit *cc;
	int r = client_circuit_new(&c->env, free_id(c), &a->sel, &asked, &cc, err);

	if (r < 0)
		return r;
	a->sel = (struct selection){ 0 };
	HASH_ADD(hh, c->circuits, id, sizeof(cc->id), cc);
	r = client_saved_remember(c, cc, err);
	if (r == 0)
		r = client_circuit_start(cc, err);
	if (r < 0) {
		HASH_DEL(c->circuits, cc);
		client_saved_forget(c, cc->id);
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
	/* Only what carries a mark since it was opened can be told from all else. */
	if (r == 0 && !config_has_groups(c->c.conf, &a.sel))
		r = error_set(&err, -EINVAL, "the group is not among `groups` of anond.conf(5)");
	if (r == 0 && cc && client_circuit_is_down(cc) && selection_same(&cc->sel, &a.sel)) {
		const struct path_asked asked = asked_of(&a);

		r = client_circuit_again(cc, &asked, &err);
		if (client_saved_selections(c, &why) < 0)
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
		client_saved_forget(c, id);
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
	client_probes_closed(c, conn);
}

json_t *client_role_list_json(const struct client_role *c)
{
	json_t *list = json_array();
	const struct client_circuit *cc;

	for (cc = c->circuits; cc; cc = cc->hh.next)
		json_array_append_new(list, client_circuit_json(cc, false));
	return list;
}
