/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "anond/daemon.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sodium.h>
#include <string.h>
#include <unistd.h>

#include "anond/newest.h"
#include "kernel/probe.h"
#include "lib/base64.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/reply.h"
#include "model/relay_traits.h"
#include "request/request.h"

struct overlay *daemon_overlay(const struct daemon *d)
{
	return d->client ? client_role_overlay(d->client) : relay_role_overlay(d->relay);
}

void daemon_remember_network(const struct daemon *d)
{
	struct error err = { "" };

	if (d->conf->servers.n_keys) /* dir_kept_save did */
		return;
	if (newest_save(d->conf->state, d->conf->network_key, d->net->valid_from, &err) < 0)
		log_warn("an older network file cannot be told after the next start: %s", err.text);
}

/* Takes net over unless it fails; the caller says what is in force now. */
static int put_in_force(struct daemon *d, struct network *net)
{
	int r = d->client ? client_role_set_network(d->client, net) : relay_role_set_network(d->relay, net);

	if (r < 0)
		return r;
	network_free(d->net);
	d->net = net;
	return 0;
}

/* ---- the directory ---- */

static bool listed(const struct daemon *d)
{
	return d->keys && network_find(d->net, &d->keys->id);
}

/* Links are of one size, at both ends, from their beginning on. As long as nobody was known there are none. */
static void keep_link_mtu(const struct daemon *d, struct network *net)
{
	if (net->link_mtu == d->net->link_mtu || d->net->n_relays == 0)
		return;
	log_err("the network's link-mtu is %u now, and this node goes on with %u: links to others will fail; RESTART "
		"ANOND",
		net->link_mtu, d->net->link_mtu);
	net->link_mtu = d->net->link_mtu;
}

static int on_consensus(void *ctx, struct network *net, struct error *err)
{
	struct daemon *d = ctx;
	struct error ignored;
	bool waited = network_usable(d->net, clock_wall_s(), &ignored) < 0, was_listed = listed(d);
	int r;

	keep_link_mtu(d, net);
	r = put_in_force(d, net);
	if (r < 0) {
		network_free(net);
		return error_set(err, r, "it cannot be put in force: %s", strerror(-r));
	}
	log_notice("a new consensus is in force: %zu relays", d->net->n_relays);
	if (d->keys && listed(d) != was_listed)
		log_notice(was_listed ? "this relay is not in the consensus any more"
				      : "this relay is in the consensus");
	if (d->client && waited)
		client_role_network_changed(d->client);
	/* Authorities may have taken it for dead; who comes itself counts again. */
	if (d->keys && !listed(d))
		dir_publish_now(d->dir);
	return 0;
}

static enum dir_way on_way(void *ctx, struct dir_reach *ret_reach, char ret_device[IFNAMSIZ])
{
	return client_role_way(((const struct daemon *)ctx)->client, ret_reach, ret_device);
}

int daemon_directory_start(struct daemon *d, struct error *err)
{
	const struct dir_client_config dc = { .loop = d->loop,
					      .conf = d->conf,
					      .keys = d->keys,
					      .onion = d->onion,
					      .kept = d->kept,
					      .put_in_force = on_consensus,
					      .way = d->client ? on_way : NULL,
					      .ctx = d };
	int r = d->conf->servers.n_keys ? dir_client_new(&dc, &d->dir) : 0;

	return r < 0 ? error_set(err, r, "out of memory") : 0;
}

/* ---- the network file ---- */

int daemon_reload(struct daemon *d, struct error *err)
{
	struct network *net;
	int r;

	if (d->dir) {
		dir_client_hurry(d->dir);
		return 0;
	}
	r = network_load(d->conf->network, d->conf->network_key, clock_wall_s(), &net, err);
	if (r < 0)
		return r;
	if (net->valid_from < d->net->valid_from)
		r = error_set(err, -ESTALE, "%s: older than the network file in force", d->conf->network);
	else if (net->link_mtu != d->net->link_mtu)
		r = error_set(err, -EINVAL, "%s: another link-mtu than the one in force: restart anond",
			      d->conf->network);
	else if (d->keys && !network_find(net, &d->keys->id))
		r = error_set(err, -ENOENT, "%s: this relay is not in it", d->conf->network);
	if (r == 0) {
		r = put_in_force(d, net);
		if (r < 0)
			error_set(err, r, "cannot put the network file in force: %s", strerror(-r));
	}
	if (r < 0) {
		network_free(net);
		return r;
	}
	if (d->keys)
		d->self = *network_find(net, &d->keys->id);
	daemon_remember_network(d);
	log_notice("network file read again: %zu relays", net->n_relays);
	return 0;
}

/* ---- requests ---- */

static void need_client(struct daemon *d, struct control_conn *conn, const json_t *args,
			void (*fn)(struct client_role *c, struct control_conn *conn, const json_t *args))
{
	if (d->client)
		fn(d->client, conn, args);
	else
		control_error(conn, REPLY_FORBIDDEN, "this node is a relay: circuits are made by clients");
}

static void req_up(struct daemon *d, struct control_conn *conn, const json_t *args)
{
	struct error err = { "" };

	/* With authorities it waits for a consensus, blocked. */
	if (d->client && !d->dir && network_usable(d->net, clock_wall_s(), &err) < 0)
		control_error(conn, REPLY_UNREACHABLE, "%s", err.text);
	else
		need_client(d, conn, args, client_role_up);
}

/* A relay's operator closes a circuit that is a nuisance; all of them only by draining. */
static void relay_down(struct daemon *d, struct control_conn *conn, const json_t *args)
{
	const json_t *id = json_object_get(args, "id");
	json_int_t n = json_integer_value(id);

	if (!json_is_integer(id))
		control_error(conn, REPLY_MALFORMED, "a relay closes circuits one by one; `anonctl drain` ends all");
	else if (n < 1 || n > RELAY_CIRCUIT_MAX || relay_role_close(d->relay, (uint32_t)n) < 0)
		control_error(conn, REPLY_NOT_FOUND, "there is no circuit %lld", (long long)n);
	else
		control_reply(conn, REPLY_OK, json_pack("{s:[I]}", "closed", n));
}

static void req_down(struct daemon *d, struct control_conn *conn, const json_t *args)
{
	if (d->client)
		client_role_down(d->client, conn, args);
	else
		relay_down(d, conn, args);
}

static void req_new(struct daemon *d, struct control_conn *conn, const json_t *args)
{
	need_client(d, conn, args, client_role_renew);
}

static void req_off(struct daemon *d, struct control_conn *conn, const json_t *args)
{
	json_t *all = json_pack("{s:b}", "all", 1);

	(void)args;
	need_client(d, conn, all, client_role_down);
	json_decref(all);
}

static void req_show(struct daemon *d, struct control_conn *conn, const json_t *args)
{
	need_client(d, conn, args, client_role_show);
}

static void req_probe(struct daemon *d, struct control_conn *conn, const json_t *args)
{
	need_client(d, conn, args, client_role_probe);
}

static void req_list(struct daemon *d, struct control_conn *conn, const json_t *args)
{
	json_t *list;

	(void)args;
	if (d->client) {
		control_reply(conn, REPLY_OK, json_pack("{s:o}", "circuits", client_role_list_json(d->client)));
		return;
	}
	list = relay_role_list_json(d->relay);
	if (list)
		control_reply(conn, REPLY_OK,
			      json_pack("{s:[], s:o, s:I}", "circuits", "relayed", list, "total",
					(json_int_t)relay_role_circuits(d->relay)));
	else
		control_error(conn, REPLY_INTERNAL, "the kernel does not say what circuits carried: %s",
			      kernel_error_text(d->kernel));
}

static void req_drain(struct daemon *d, struct control_conn *conn, const json_t *args)
{
	const json_t *seconds = json_object_get(args, "deadline");
	json_int_t deadline = seconds ? json_integer_value(seconds) : REPLY_DRAIN_DEFAULT;

	if (!d->relay) {
		control_error(conn, REPLY_FORBIDDEN, "only relays are drained; `anonctl circuit down` closes circuits");
		return;
	}
	if (json_is_true(json_object_get(args, "cancel"))) {
		relay_role_drain_cancel(d->relay);
		if (d->dir)
			dir_client_ends(d->dir, 0);
		control_reply(conn, REPLY_OK, json_pack("{s:b}", "draining", 0));
		return;
	}
	if ((seconds && !json_is_integer(seconds)) || deadline < 0 || deadline > REPLY_DRAIN_MAX) {
		control_error(conn, REPLY_MALFORMED, "deadline: not from 0 to %u", REPLY_DRAIN_MAX);
		return;
	}
	/* Before it begins: without circuits it ends at once, and the daemon with it. */
	control_reply(conn, REPLY_OK,
		      json_pack("{s:b, s:I, s:I}", "draining", 1, "circuits", (json_int_t)relay_role_circuits(d->relay),
				"deadline", deadline));
	if (d->dir) /* so that nobody chooses it any more */
		dir_client_ends(d->dir, clock_wall_s());
	relay_role_drain(d->relay, (uint32_t)deadline);
}

static void add_addresses(json_t *j, const struct relay *relay)
{
	char text[INET6_ADDRSTRLEN];

	if (relay->addr4.s_addr)
		json_object_set_new(j, "address4", json_string(inet_ntop(AF_INET, &relay->addr4, text, sizeof(text))));
	if (!IN6_IS_ADDR_UNSPECIFIED(&relay->addr6))
		json_object_set_new(j, "address6", json_string(inet_ntop(AF_INET6, &relay->addr6, text, sizeof(text))));
}

/* What is known beside what is needed to use it. */
static void add_traits(json_t *j, const struct relay_traits *t)
{
	json_t *operators = json_array();

	if (t->country[0])
		json_object_set_new(j, "country", json_string(t->country));
	if (t->as)
		json_object_set_new(j, "as", json_integer(t->as));
	if (t->ends)
		json_object_set_new(j, "ends", json_integer((json_int_t)t->ends));
	for (size_t i = 0; i < t->n_families; i++) {
		char text[BASE64_LEN(32)];

		base64_write(t->families[i], sizeof(t->families[i]), text);
		json_array_append_new(operators, json_string(text));
	}
	if (t->n_families)
		json_object_set(j, "operators", operators);
	json_decref(operators);
}

static json_t *relay_json(const struct daemon *d, size_t i)
{
	const struct relay *relay = &d->net->relays[i];
	size_t place = d->client ? client_role_guard_place(d->client, &relay->id) : 0;
	char id[BASE64_LEN(32)];
	json_t *j;

	base64_write(relay->id.b, sizeof(relay->id.b), id);
	j = json_pack("{s:s, s:s, s:b, s:b, s:b, s:I}", "name", relay->name, "identity", id, "guard", relay->guard,
		      "exit", relay->exit, "self",
		      d->keys && memcmp(d->keys->id.b, relay->id.b, sizeof(relay->id.b)) == 0, "weight",
		      (json_int_t)d->net->weights[i]);
	add_addresses(j, relay);
	add_traits(j, &d->net->traits[i]);
	if (place)
		json_object_set_new(j, "guard_place", json_integer((json_int_t)place));
	json_object_set_new(j, "link", json_string(overlay_link_to(daemon_overlay(d), &relay->id) ? "up" : ""));
	return j;
}

static void req_relays(struct daemon *d, struct control_conn *conn, const json_t *args)
{
	json_t *list = json_array();

	(void)args;
	for (size_t i = 0; i < d->net->n_relays; i++)
		json_array_append_new(list, relay_json(d, i));
	control_reply(conn, REPLY_OK, json_pack("{s:o}", "relays", list));
}

static void links_answer(void *ctx, int error)
{
	struct daemon *d = ctx;
	struct control_conn *conn = d->listing;

	(void)error; /* charon is away: its last known state is what there is */
	d->listing = NULL;
	if (conn)
		control_reply(conn, REPLY_OK, json_pack("{s:o}", "links", overlay_links_json(daemon_overlay(d))));
}

static void req_links(struct daemon *d, struct control_conn *conn, const json_t *args)
{
	(void)args;
	if (d->listing) {
		control_reply(conn, REPLY_OK, json_pack("{s:o}", "links", overlay_links_json(daemon_overlay(d))));
		return;
	}
	d->listing = conn;
	if (overlay_refresh(daemon_overlay(d), links_answer, d) < 0)
		links_answer(d, 0);
}

static void add_counter(void *ctx, const char *name, uint64_t packets, uint64_t bytes)
{
	(void)bytes;
	json_object_set_new(ctx, name, json_integer((json_int_t)packets));
}

static json_t *roles_json(unsigned int roles)
{
	json_t *list = json_array();

	if (roles & ROLE_CLIENT)
		json_array_append_new(list, json_string("client"));
	if (roles & ROLE_GATEWAY)
		json_array_append_new(list, json_string("gateway"));
	if (roles & ROLE_RELAY)
		json_array_append_new(list, json_string("relay"));
	if (roles & ROLE_EXIT)
		json_array_append_new(list, json_string("exit"));
	return list;
}

static void req_status(struct daemon *d, struct control_conn *conn, const json_t *args)
{
	json_t *drops = json_object();
	json_t *j;

	(void)args;
	kernel_counters(d->kernel, add_counter, drops);
	j = json_pack("{s:s, s:o, s:I, s:{s:I, s:I, s:I, s:i}, s:o, s:i, s:i, s:o, s:o}", "version", ANON_VERSION,
		      "roles", roles_json(d->conf->roles), "uptime",
		      (json_int_t)((clock_monotonic_ms() - d->started_ms) / 1000), "network", "valid_until",
		      (json_int_t)d->net->valid_until, "relays", (json_int_t)d->net->n_relays, "left_out",
		      (json_int_t)d->net->n_left_out, "link_mtu", (int)d->net->link_mtu, "charon",
		      overlay_charon_json(daemon_overlay(d)), "circuits",
		      (int)(d->client ? client_role_circuits(d->client) : relay_role_circuits(d->relay)), "links",
		      (int)overlay_links_up(daemon_overlay(d)), "counters",
		      d->relay ? relay_role_counters_json(d->relay) : json_object(), "drops", drops);
	if (d->relay)
		json_object_set_new(j, "onion_keys", relay_role_onion_json(d->relay));
	if (d->dir) {
		json_t *dir = dir_client_json(d->dir);
		char id[BASE64_LEN(32)];

		if (d->keys) {
			base64_write(d->keys->id.b, sizeof(d->keys->id.b), id);
			json_object_set_new(dir, "identity", json_string(id));
			json_object_set_new(dir, "listed", json_boolean(listed(d)));
		}
		json_object_set_new(j, "directory", dir);
	}
	if (d->relay && relay_role_drains(d->relay) >= 0)
		json_object_set_new(j, "draining", json_integer((json_int_t)relay_role_drains(d->relay)));
	control_reply(conn, REPLY_OK, j);
}

static void add_check(json_t *list, const char *name, bool ok, bool needed, const char *hint)
{
	json_array_append_new(list, json_pack("{s:s, s:b, s:b, s:s}", "name", name, "ok", ok, "needed", needed, "hint",
					      ok ? "" : hint));
}

static void check_directory(const struct daemon *d, json_t *list)
{
	const char *wrong = dir_client_wrong(d->dir);
	char path[CHILD_PATH_MAX];

	add_check(list, REPLY_CHECK_CONSENSUS, !*wrong, true, wrong);
	add_check(list, "the program that fetches it", request_program(d->conf->fetch_program, path) == 0, true,
		  "install anon-fetch where `fetch-program` says");
	if (d->keys)
		add_check(list, "this relay is in the consensus", listed(d), false,
			  "authorities list it some time after it was published to most of them: anonctl status");
}

static void req_doctor(struct daemon *d, struct control_conn *conn, const json_t *args)
{
	unsigned int roles =
		(d->client ? PROBE_CLIENT : PROBE_RELAY) | (d->conf->roles & ROLE_GATEWAY ? PROBE_GATEWAY : 0);
	struct probe_result *results = NULL;
	json_t *list = json_array();
	size_t n = 0;
	int r = kernel_probe(roles, &results, &n);

	(void)args;
	for (size_t i = 0; r == 0 && i < n; i++)
		json_array_append_new(list, json_pack("{s:s, s:b, s:b, s:s}", "name", results[i].name, "ok",
						      results[i].ok, "needed", results[i].needed, "hint",
						      results[i].hint ? results[i].hint : ""));
	for (size_t i = 0; i < d->conf->lans.n; i++)
		json_array_append_new(list,
				      json_pack("{s:s, s:b, s:b, s:s}", "name", d->conf->lans.dev[i], "ok",
						kernel_comes_in_by(d->conf->lans.dev[i]), "needed", 1, "hint",
						"an interface of `lan` that exists and belongs to no bridge; else "
						"name the bridge"));
	if (d->dir)
		check_directory(d, list);
	free(results);
	control_reply(conn, REPLY_OK, json_pack("{s:o}", "checks", list));
}

static void req_reload(struct daemon *d, struct control_conn *conn, const json_t *args)
{
	struct error err = { "" };

	(void)args;
	if (daemon_reload(d, &err) < 0)
		control_error(conn, REPLY_MALFORMED, "%s", err.text);
	else if (d->dir)
		control_reply(conn, REPLY_OK, json_pack("{s:b}", "fetching", 1));
	else
		control_reply(conn, REPLY_OK, json_pack("{s:I}", "relays", (json_int_t)d->net->n_relays));
}

static const struct {
	const char *cmd;
	void (*fn)(struct daemon *d, struct control_conn *conn, const json_t *args);
} requests[] = {
	{ "circuit new", req_new },   { "circuit up", req_up },	    { "circuit down", req_down },
	{ "circuit list", req_list }, { "circuit show", req_show }, { "relay list", req_relays },
	{ "link list", req_links },   { "status", req_status },	    { "doctor", req_doctor },
	{ "reload", req_reload },     { "drain", req_drain },	    { "off", req_off },
	{ "metrics", req_status },    { "probe", req_probe },
};

static void on_request(void *ctx, struct control_conn *conn, const char *cmd, const json_t *args)
{
	for (size_t i = 0; i < ARRAY_SIZE(requests); i++)
		if (strcmp(cmd, requests[i].cmd) == 0) {
			requests[i].fn(ctx, conn, args);
			return;
		}
	control_error(conn, REPLY_MALFORMED, "unknown command %.40s", cmd);
}

static void on_closed(void *ctx, struct control_conn *conn)
{
	struct daemon *d = ctx;

	if (d->listing == conn)
		d->listing = NULL;
	if (d->client)
		client_role_closed(d->client, conn);
}

const struct control_ops daemon_control_ops = { .request = on_request, .closed = on_closed };
