/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "anonctl/show.h"

#include <stdbool.h>
#include <string.h>

#include "anonctl/table.h"
#include "lib/cleanup.h"

#define JOIN_MAX 512u

static const char *text_of(const json_t *obj, const char *key)
{
	const char *s = json_string_value(json_object_get(obj, key));

	return s ? s : "";
}

static json_int_t int_of(const json_t *obj, const char *key)
{
	return json_integer_value(json_object_get(obj, key));
}

/* A scalar as text; lists and objects are nothing. */
static const char *scalar(const json_t *v, char buf[TABLE_CELL])
{
	if (json_is_string(v))
		return text_clean(json_string_value(v), buf, TABLE_CELL);
	buf[0] = '\0';
	if (json_is_integer(v))
		snprintf(buf, TABLE_CELL, "%lld", (long long)json_integer_value(v));
	else if (json_is_real(v))
		snprintf(buf, TABLE_CELL, "%.1f", json_real_value(v));
	else if (json_is_boolean(v))
		snprintf(buf, TABLE_CELL, "%s", json_is_true(v) ? "yes" : "no");
	return buf;
}

static const char *duration(json_int_t seconds, char buf[TABLE_CELL])
{
	long long s = seconds;

	if (s < 0)
		s = 0;
	if (s < 120)
		snprintf(buf, TABLE_CELL, "%lld s", s);
	else if (s < 120 * 60)
		snprintf(buf, TABLE_CELL, "%lld min", s / 60);
	else if (s < 48 * 3600)
		snprintf(buf, TABLE_CELL, "%lld h", s / 3600);
	else
		snprintf(buf, TABLE_CELL, "%lld d", s / 86400);
	return buf;
}

/* Until an absolute time: "58 min", "over", or nothing if it is not known. */
static const char *until(json_int_t when, uint64_t now_s, char buf[TABLE_CELL])
{
	if (when <= 0)
		return "";
	return (uint64_t)when <= now_s ? "over" : duration((json_int_t)((uint64_t)when - now_s), buf);
}

/* The strings of a list with sep between them; what does not fit is cut. */
static const char *join(const json_t *list, const char *sep, char buf[JOIN_MAX])
{
	size_t len = 0, i;
	json_t *v;

	buf[0] = '\0';
	json_array_foreach (list, i, v) {
		const char *s = json_string_value(v);
		int n = snprintf(buf + len, JOIN_MAX - len, "%s%s", i ? sep : "", s ? s : "?");

		if (n < 0 || (size_t)n >= JOIN_MAX - len)
			break;
		len += (size_t)n;
	}
	return buf;
}

static bool is_default_route(const char *s)
{
	return s && (strcmp(s, "0.0.0.0/0") == 0 || strcmp(s, "::/0") == 0);
}

/* "Internet", or the prefixes; of a gateway's circuit whom it serves. */
static const char *where(const json_t *circuit, char buf[JOIN_MAX])
{
	const json_t *from = json_object_get(circuit, "from"), *list = from ? from : json_object_get(circuit, "to");
	size_t n = json_array_size(list), i = 0;
	char text[JOIN_MAX];

	while (i < n && is_default_route(json_string_value(json_array_get(list, i))))
		i++;
	if (i == n)
		return from ? "Internet for the LAN" : "Internet";
	if (!from)
		return join(list, ", ", buf);
	snprintf(buf, JOIN_MAX, "Internet for %.*s", (int)(JOIN_MAX - sizeof("Internet for ")), join(list, ", ", text));
	return buf;
}

/* And for which ports and users, and what not. */
static const char *selection(const json_t *circuit, char buf[JOIN_MAX])
{
	static const char *const owners[] = { "users", "groups" }, *const whose[] = { " for user ", " for group " };
	const json_t *ports = json_object_get(circuit, "ports");
	const json_t *except = json_object_get(circuit, "except"), *v;
	char base[JOIN_MAX], text[JOIN_MAX];
	size_t len, i;

	/* What leaves in clear comes first: it must not be what is cut off. */
	if (json_array_size(except))
		snprintf(buf, JOIN_MAX, "all but %.*s: ", JOIN_MAX - 16, join(except, ", ", text));
	else
		buf[0] = '\0';
	len = strlen(buf);
	snprintf(buf + len, JOIN_MAX - len, "%s", where(circuit, base));
	len = strlen(buf);
	if (json_array_size(ports))
		snprintf(buf + len, JOIN_MAX - len, ", %s", join(ports, ", ", text));
	for (size_t k = 0; k < ARRAY_SIZE(owners); k++)
		json_array_foreach (json_object_get(circuit, owners[k]), i, v) {
			len = strlen(buf);
			snprintf(buf + len, JOIN_MAX - len, "%s%lld", i ? ", " : whose[k],
				 (long long)json_integer_value(v));
		}
	return buf;
}

static const char *inner_address(const json_t *circuit)
{
	const char *four = text_of(circuit, "inner4");

	return four[0] ? four : text_of(circuit, "inner6");
}

void show_circuit_up(const json_t *body, const struct show_time *now, FILE *out)
{
	char path[JOIN_MAX], to[JOIN_MAX], mtu[TABLE_CELL];
	const char *device = text_of(body, "device");

	(void)now;
	fprintf(out, "circuit %lld ", (long long)int_of(body, "id"));
	text_put(out, text_of(body, "state"));
	fputs(": client -> ", out);
	text_put(out, join(json_object_get(body, "path"), " -> ", path));
	fputs(" -> ", out);
	text_put(out, selection(body, to));
	if (device[0]) {
		fputs(" (", out);
		text_put(out, device);
		fprintf(out, ", MTU %s, ", scalar(json_object_get(body, "mtu"), mtu));
		text_put(out, inner_address(body));
		fputc(')', out);
	}
	fputc('\n', out);
}

static void put_ids(const json_t *ids, const char *what, FILE *out)
{
	size_t i;
	json_t *v;

	if (json_array_size(ids) == 0)
		fputs("there was no circuit\n", out);
	json_array_foreach (ids, i, v) {
		fprintf(out, "circuit %lld %s\n", (long long)json_integer_value(v), what);
	}
}

void show_circuit_new(const json_t *body, const struct show_time *now, FILE *out)
{
	const json_t *renewed = json_object_get(body, "renewed");

	if (renewed)
		put_ids(renewed, "is built anew", out);
	else
		show_circuit_up(body, now, out);
}

void show_circuit_down(const json_t *body, const struct show_time *now, FILE *out)
{
	(void)now;
	put_ids(json_object_get(body, "closed"), "closed", out);
}

/* A table with these titles; false if memory lacks. */
static bool start(struct table *t, const char *const *titles, size_t n)
{
	if (table_row(t) < 0)
		return false;
	for (size_t i = 0; i < n; i++)
		table_set(t, i, titles[i]);
	return true;
}

static void finish(struct table *t, const char *if_empty, FILE *out)
{
	if (t->rows > 1)
		table_print(t, out);
	else
		fprintf(out, "%s\n", if_empty);
	table_clear(t);
}

/* A relay's: what their owners do is nobody's business, so a number and what they carried. */
static void show_relayed(const json_t *body, const struct show_time *now, FILE *out)
{
	static const char *const titles[] = { "ID", "KIND", "EXPIRES", "UP", "DOWN" };
	static const char *const numbers[] = { "bytes_up", "bytes_down" };
	const json_t *list = json_object_get(body, "relayed");
	char buf[TABLE_CELL];
	struct table t = { 0 };
	size_t i;
	json_t *c;

	if (!start(&t, titles, sizeof(titles) / sizeof(titles[0])))
		return;
	json_array_foreach (list, i, c) {
		if (table_row(&t) < 0)
			break;
		table_set(&t, 0, scalar(json_object_get(c, "id"), buf));
		table_set(&t, 1, text_of(c, "kind"));
		table_set(&t, 2, until(int_of(c, "expires"), now->wall_s, buf));
		for (size_t k = 0; k < sizeof(numbers) / sizeof(numbers[0]); k++)
			table_set(&t, 3 + k, scalar(json_object_get(c, numbers[k]), buf));
	}
	finish(&t, "no circuits", out);
	if (int_of(body, "total") > (json_int_t)json_array_size(list))
		fprintf(out, "and %lld less busy ones\n",
			(long long)(int_of(body, "total") - (json_int_t)json_array_size(list)));
}

void show_circuit_list(const json_t *body, const struct show_time *now, FILE *out)
{
	static const char *const titles[] = { "ID",  "STATE", "PATH",	 "TO",	"DEVICE",
					      "MTU", "INNER", "EXPIRES", "RTT", "REASON" };
	char buf[TABLE_CELL], list[JOIN_MAX];
	struct table t = { 0 };
	size_t i;
	json_t *c;

	if (json_object_get(body, "relayed")) {
		show_relayed(body, now, out);
		return;
	}
	if (!start(&t, titles, sizeof(titles) / sizeof(titles[0])))
		return;
	json_array_foreach (json_object_get(body, "circuits"), i, c) {
		if (table_row(&t) < 0)
			break;
		table_set(&t, 0, scalar(json_object_get(c, "id"), buf));
		table_set(&t, 1, text_of(c, "state"));
		table_set(&t, 2, join(json_object_get(c, "path"), ",", list));
		table_set(&t, 3, selection(c, list));
		table_set(&t, 4, text_of(c, "device"));
		table_set(&t, 5, scalar(json_object_get(c, "mtu"), buf));
		table_set(&t, 6, inner_address(c));
		table_set(&t, 7, until(int_of(c, "expires"), now->wall_s, buf));
		table_set(&t, 8, scalar(json_object_get(c, "rtt_ms"), buf));
		table_set(&t, 9, text_of(c, "reason"));
	}
	finish(&t, "no circuits", out);
}

static void put_line(FILE *out, const char *name, const char *value)
{
	if (!value[0])
		return;
	fprintf(out, "%-11s ", name);
	text_put(out, value);
	fputc('\n', out);
}

/* What was wished of its relays. */
static void put_rules(const json_t *body, FILE *out)
{
	char buf[TABLE_CELL], list[JOIN_MAX];

	put_line(out, "exit in", join(json_object_get(body, "exit_countries"), ", ", list));
	put_line(out, "not in", join(json_object_get(body, "never_countries"), ", ", list));
	put_line(out, "not of", join(json_object_get(body, "never_operators"), ", ", list));
	if (json_object_get(body, "min_life"))
		put_line(out, "min life", duration(int_of(body, "min_life"), buf));
}

void show_circuit(const json_t *body, const struct show_time *now, FILE *out)
{
	static const char *const plain[] = { "device", "inner4", "inner6", "resolver4", "resolver6", "mtu", "rtt_ms" };
	char buf[TABLE_CELL], list[JOIN_MAX];
	size_t i;
	json_t *l;

	put_line(out, "circuit", scalar(json_object_get(body, "id"), buf));
	put_line(out, "state", text_of(body, "state"));
	put_line(out, "reason", text_of(body, "reason"));
	put_line(out, "error", text_of(body, "error"));
	put_line(out, "path", join(json_object_get(body, "path"), " -> ", list));
	if (text_of(body, "alike")[0]) {
		snprintf(list, sizeof(list), "two of its relays are of one %.20s", text_of(body, "alike"));
		put_line(out, "", list);
	}
	put_line(out, "to", selection(body, list));
	put_rules(body, out);
	for (i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
		put_line(out, plain[i], scalar(json_object_get(body, plain[i]), buf));
	put_line(out, "age", duration(int_of(body, "age"), buf));
	put_line(out, "expires in", until(int_of(body, "expires"), now->wall_s, buf));
	l = json_object_get(body, "retired");
	if (l) {
		snprintf(list, sizeof(list), "%.15s, expires in %s", text_of(l, "device"),
			 until(int_of(l, "expires"), now->wall_s, buf));
		put_line(out, "retired", list);
	}
	json_array_foreach (json_object_get(body, "layers"), i, l) {
		snprintf(list, sizeof(list), "%zu: %.40s, %.40s", i + 1, text_of(l, "relay"), text_of(l, "suite"));
		put_line(out, "layer", list);
	}
}

void show_relay_list(const json_t *body, const struct show_time *now, FILE *out)
{
	static const char *const titles[] = { "NAME", "ROLE", "GUARD", "LINK", "WEIGHT",  "COUNTRY",
					      "AS",   "ENDS", "IPV4",  "IPV6", "IDENTITY" };
	char buf[TABLE_CELL];
	struct table t = { 0 };
	size_t i;
	json_t *r;

	if (!start(&t, titles, sizeof(titles) / sizeof(titles[0])))
		return;
	json_array_foreach (json_object_get(body, "relays"), i, r) {
		bool guard = json_is_true(json_object_get(r, "guard")), exit = json_is_true(json_object_get(r, "exit"));

		if (table_row(&t) < 0)
			break;
		table_set(&t, 0, text_of(r, "name"));
		table_set(&t, 1, guard && exit ? "guard,exit" : guard ? "guard" : exit ? "exit" : "middle");
		table_set(&t, 2, scalar(json_object_get(r, "guard_place"), buf));
		table_set(&t, 3, text_of(r, "link"));
		table_set(&t, 4, scalar(json_object_get(r, "weight"), buf));
		table_set(&t, 5, text_of(r, "country"));
		table_set(&t, 6, scalar(json_object_get(r, "as"), buf));
		table_set(&t, 7, until(int_of(r, "ends"), now->wall_s, buf));
		table_set(&t, 8, text_of(r, "address4"));
		table_set(&t, 9, text_of(r, "address6"));
		table_set(&t, 10, text_of(r, "identity"));
	}
	finish(&t, "no relays", out);
}

void show_link_list(const json_t *body, const struct show_time *now, FILE *out)
{
	static const char *const titles[] = { "LINK",	 "KIND",   "PEER", "STATE", "FOR",
					      "CLIENTS", "REKEYS", "IN",   "OUT",   "ERROR" };
	static const char *const numbers[] = { "clients", "rekeys", "bytes_in", "bytes_out" };
	char buf[TABLE_CELL];
	struct table t = { 0 };
	size_t i;
	json_t *l;

	if (!start(&t, titles, sizeof(titles) / sizeof(titles[0])))
		return;
	json_array_foreach (json_object_get(body, "links"), i, l) {
		json_int_t since = int_of(l, "since");

		if (table_row(&t) < 0)
			break;
		table_set(&t, 0, scalar(json_object_get(l, "number"), buf));
		table_set(&t, 1, text_of(l, "kind"));
		table_set(&t, 2, text_of(l, "peer"));
		table_set(&t, 3, text_of(l, "state"));
		if (since > 0 && (uint64_t)since <= now->monotonic_s)
			table_set(&t, 4, duration((json_int_t)(now->monotonic_s - (uint64_t)since), buf));
		for (size_t k = 0; k < sizeof(numbers) / sizeof(numbers[0]); k++)
			table_set(&t, 5 + k, scalar(json_object_get(l, numbers[k]), buf));
		table_set(&t, 9, text_of(l, "error"));
	}
	finish(&t, "no links", out);
}

/* The numbers of an object that are not zero, one a line. */
static void put_numbers(const json_t *body, const char *name, FILE *out)
{
	const json_t *obj = json_object_get(body, name);
	char buf[TABLE_CELL];
	const char *key;
	json_t *v;

	json_object_foreach ((json_t *)obj, key, v) {
		if (json_is_integer(v) && json_integer_value(v) == 0)
			continue;
		fprintf(out, "%s: ", name);
		text_put(out, key);
		fprintf(out, " %s\n", scalar(v, buf));
	}
}

/* "7; another takes its place in 6 d", "7; 8 takes its place in 5 h", "8; 7 is opened too". */
static void put_onion_keys(const json_t *keys, const struct show_time *now, FILE *out)
{
	const json_t *next = json_object_get(keys, "next"), *at = json_object_get(keys, "replaced_at");
	const json_t *other = next && !at ? next : json_object_get(keys, "previous");
	char text[JOIN_MAX], id[TABLE_CELL], when[TABLE_CELL];
	int n;

	if (!keys)
		return;
	n = snprintf(text, sizeof(text), "%s", scalar(json_object_get(keys, "current"), id));
	if (at)
		n += snprintf(text + n, sizeof(text) - (size_t)n, "; %s takes its place in %s",
			      next ? scalar(next, id) : "another",
			      duration(json_integer_value(at) - (json_int_t)now->wall_s, when));
	if (other)
		snprintf(text + n, sizeof(text) - (size_t)n, "; %s is opened too", scalar(other, id));
	put_line(out, "onion key", text);
}

/* When it was, in words: "5 min ago", or nothing if it never was. */
static const char *ago(json_int_t when, uint64_t now_s, char buf[TABLE_CELL])
{
	char text[TABLE_CELL];

	if (when <= 0)
		return "";
	snprintf(buf, TABLE_CELL, "%.40s ago",
		 duration((uint64_t)when < now_s ? (json_int_t)(now_s - (uint64_t)when) : 0, text));
	return buf;
}

static void put_published(const json_t *dir, const struct show_time *now, FILE *out)
{
	char line[JOIN_MAX], buf[TABLE_CELL];
	size_t i;
	json_t *p;

	put_line(out, "identity", text_of(dir, "identity"));
	json_array_foreach (json_object_get(dir, "published"), i, p) {
		json_int_t at = int_of(p, "at");

		snprintf(line, sizeof(line), "authority %lld: %.40s%s%s", (long long)int_of(p, "authority"),
			 text_of(p, "state"), at > 0 ? ", last taken " : "", ago(at, now->wall_s, buf));
		put_line(out, "published", line);
	}
	if (json_is_boolean(json_object_get(dir, "listed")))
		put_line(out, "listed",
			 json_is_true(json_object_get(dir, "listed")) ? "this relay is in the consensus"
								      : "this relay is not in the consensus (yet)");
}

static void put_directory(const json_t *dir, const struct show_time *now, FILE *out)
{
	char line[JOIN_MAX], buf[TABLE_CELL];
	json_int_t fresh = int_of(dir, "fresh_until"), valid = int_of(dir, "valid_until");

	if (!json_is_object(dir))
		return;
	if (valid <= 0)
		put_line(out, "consensus", "there is none yet");
	else if ((uint64_t)valid <= now->wall_s)
		put_line(out, "consensus", "it has expired: no circuits are built");
	else
		put_line(out, "consensus",
			 fresh > 0 && (uint64_t)fresh > now->wall_s ? "fresh" : "valid, a newer one is due");
	if (int_of(dir, "fetched") > 0) {
		snprintf(line, sizeof(line), "%s, from %.40s, %s", ago(int_of(dir, "fetched"), now->wall_s, buf),
			 text_of(dir, "from"),
			 json_is_true(json_object_get(dir, "by_circuit")) ? "by a circuit" : "directly");
		put_line(out, "fetched", line);
	}
	put_line(out, "fetch failed", text_of(dir, "error"));
	put_published(dir, now, out);
}

void show_status(const json_t *body, const struct show_time *now, FILE *out)
{
	const json_t *net = json_object_get(body, "network"), *charon = json_object_get(body, "charon");
	char buf[TABLE_CELL], list[JOIN_MAX];

	put_line(out, "version", text_of(body, "version"));
	put_line(out, "roles", join(json_object_get(body, "roles"), ", ", list));
	put_line(out, "up for", duration(int_of(body, "uptime"), buf));
	put_line(out, "circuits", scalar(json_object_get(body, "circuits"), buf));
	if (json_object_get(body, "draining")) {
		snprintf(list, sizeof(list), "yes, for %s at most", duration(int_of(body, "draining"), buf));
		put_line(out, "draining", list);
	}
	put_onion_keys(json_object_get(body, "onion_keys"), now, out);
	put_line(out, "links", scalar(json_object_get(body, "links"), buf));
	put_line(out, "relays", scalar(json_object_get(net, "relays"), buf));
	if (int_of(net, "left_out"))
		put_line(out, "left out", scalar(json_object_get(net, "left_out"), buf));
	put_line(out, "link MTU", scalar(json_object_get(net, "link_mtu"), buf));
	put_line(out, "network for", until(int_of(net, "valid_until"), now->wall_s, buf));
	put_directory(json_object_get(body, "directory"), now, out);
	snprintf(list, sizeof(list), "%.40s %.40s", text_of(charon, "state"), text_of(charon, "version"));
	put_line(out, "charon", list);
	put_numbers(body, "counters", out);
	put_numbers(body, "drops", out);
}

void show_drain(const json_t *body, const struct show_time *now, FILE *out)
{
	char buf[TABLE_CELL];

	(void)now;
	if (json_is_true(json_object_get(body, "draining")))
		fprintf(out, "draining: %lld circuits are left; anond ends after the last, in %s at the latest\n",
			(long long)int_of(body, "circuits"), duration(int_of(body, "deadline"), buf));
	else
		fprintf(out, "circuits are taken again\n");
}

void show_reload(const json_t *body, const struct show_time *now, FILE *out)
{
	(void)now;
	if (json_is_true(json_object_get(body, "fetching"))) {
		fputs("the consensus is being fetched; anonctl status says what comes of it\n", out);
		return;
	}
	fprintf(out, "network file read: %lld relays\n", (long long)int_of(body, "relays"));
}

void show_probe(const json_t *body, FILE *out)
{
	const char *why = json_string_value(json_object_get(body, "why"));

	fputs(json_is_true(json_object_get(body, "answers")) ? "it answers: " : "it does not answer: ", out);
	text_put(out, why ? why : "");
	fputc('\n', out);
}
