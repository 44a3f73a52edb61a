/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `probe` of the control socket: whether a relay answers. */
#include <errno.h>

#include "anond/client_state.h"
#include "anond/relay_probe.h"
#include "lib/reply.h"
#include "path/path.h"

struct client_probe {
	struct client_role *role;
	struct relay_probe *probe;
	struct control_conn *conn;
	struct client_probe *next;
};

static size_t count(const struct client_role *c)
{
	size_t n = 0;

	for (const struct client_probe *p = c->probes; p; p = p->next)
		n++;
	return n;
}

static void release(struct client_probe *p)
{
	struct client_probe **at = &p->role->probes;

	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	relay_probe_free(p->probe);
	free(p);
}

static void on_done(void *ctx, enum relay_probe_result result, const char *why)
{
	struct client_probe *p = ctx;
	struct control_conn *conn = p->conn;
	json_t *body = json_pack("{s:b, s:s}", "answers", result == RELAY_ANSWERED, "why", why);

	release(p);
	control_reply(conn, REPLY_OK, body);
}

static int begin(struct client_role *c, const struct relay *relay, struct control_conn *conn)
{
	struct client_probe *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return -ENOMEM;
	*p = (struct client_probe){ .role = c, .conn = conn, .next = c->probes };
	c->probes = p; /* its link is looked for among these */
	r = relay_probe_new(&c->env, relay, on_done, p, &p->probe);
	if (r < 0)
		release(p);
	return r;
}

void client_role_probe(struct client_role *c, struct control_conn *conn, const json_t *args)
{
	const char *name = json_string_value(json_object_get(args, "relay"));
	struct error err = { "" };
	size_t i = 0;
	int r = name ? path_find(c->env.net, name, &i, &err) : error_set(&err, -ENOENT, "relay: missing");

	if (r < 0) {
		control_error(conn, REPLY_NOT_FOUND, "%s", err.text);
		return;
	}
	if (count(c) >= PROBES_AT_ONCE) {
		control_error(conn, REPLY_LIMIT, "%u relays are being probed", PROBES_AT_ONCE);
		return;
	}
	r = begin(c, &c->env.net->relays[i], conn);
	if (r < 0)
		control_error(conn, r == -ENOENT ? REPLY_UNREACHABLE : REPLY_INTERNAL, "%s",
			      r == -ENOENT ? "there is no guard to go by" : strerror(-r));
}

bool client_probes_use(const struct client_role *c, const struct relay_id *guard)
{
	for (const struct client_probe *p = c->probes; p; p = p->next)
		if (p->probe && relay_probe_uses(p->probe, guard))
			return true;
	return false;
}

void client_probes_link_up(const struct client_role *c, const struct link *link)
{
	for (const struct client_probe *p = c->probes; p; p = p->next)
		if (p->probe && relay_probe_uses(p->probe, &link->peer))
			relay_probe_link_up(p->probe, link);
}

void client_probes_link_down(const struct client_role *c, const struct relay_id *peer)
{
	for (const struct client_probe *p = c->probes; p; p = p->next)
		if (p->probe && relay_probe_uses(p->probe, peer))
			relay_probe_link_down(p->probe);
}

bool client_probes_message(const struct client_role *c, const struct relay_id *peer, const uint8_t *msg, size_t len)
{
	for (const struct client_probe *p = c->probes; p; p = p->next)
		if (p->probe && relay_probe_uses(p->probe, peer) && relay_probe_message(p->probe, msg, len))
			return true;
	return false;
}

void client_probes_closed(struct client_role *c, const struct control_conn *conn)
{
	for (struct client_probe *p = c->probes, *next; p; p = next) {
		next = p->next;
		if (!conn || p->conn == conn)
			release(p);
	}
}
