/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the daemon counts, in Prometheus' text format 0.0.4, and as the answer to one HTTP request on standard input and
 * output (a socket of systemd's). Sums only: nothing that names a client, a destination or a circuit.
 */
#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "anonctl/ask.h"
#include "anonctl/client.h"
#include "lib/cleanup.h"

#define REQUEST_MAX 8192u	/* bytes of the request's head that are read, and not looked at */
#define REQUEST_TIMEOUT_MS 5000 /* without a byte */

static const struct {
	const char *object, *key; /* object NULL: the answer itself */
	const char *name, *help;
} gauges[] = {
	{ NULL, "uptime", "anond_uptime_seconds", "Since the daemon started." },
	{ NULL, "circuits", "anond_circuits", "Circuits that carry packets." },
	{ NULL, "links", "anond_links", "Overlay links that are up." },
	{ "counters", "half_open", "anond_circuits_half_open", "Circuits being built." },
	{ "counters", "replay_entries", "anond_replay_entries", "CREATE messages that are remembered." },
	{ "onion_keys", "current", "anond_onion_key_id", "Number of the relay's onion key." },
	{ "onion_keys", "replaced_at", "anond_onion_key_replaced_seconds", "When another takes its place, Unix time." },
	{ "network", "relays", "anond_network_relays", "Relays of the network." },
	{ "network", "valid_until", "anond_network_valid_until_seconds",
	  "When what is known of the network expires, Unix time." },
	{ "directory", "fresh_until", "anond_directory_fresh_until_seconds",
	  "When the authorities make the next consensus, Unix time." },
	{ "directory", "fetched", "anond_directory_fetched_seconds", "When a consensus was fetched last, Unix time." },
};

/* Their sum is no statement, and they are gauges. */
static bool is_gauge(const char *key)
{
	for (size_t i = 0; i < ARRAY_SIZE(gauges); i++)
		if (strcmp(gauges[i].key, key) == 0)
			return true;
	return false;
}

static bool is_label(const char *s)
{
	return s[0] != '\0' && strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(s);
}

static void head(FILE *out, const char *name, const char *type, const char *help)
{
	fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void put_gauges(const json_t *body, FILE *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(gauges); i++) {
		const json_t *in = gauges[i].object ? json_object_get(body, gauges[i].object) : body;
		const json_t *v = json_object_get(in, gauges[i].key);

		if (!json_is_integer(v))
			continue;
		head(out, gauges[i].name, "gauge", gauges[i].help);
		fprintf(out, "%s %lld\n", gauges[i].name, (long long)json_integer_value(v));
	}
	head(out, "anond_draining", "gauge", "1: no new circuits are taken.");
	fprintf(out, "anond_draining %d\n", json_object_get(body, "draining") != NULL);
}

/* How many authorities have taken this relay's descriptor, and not refused a later one. */
static void put_directory(const json_t *body, FILE *out)
{
	static const char *const names[] = { "fetches", "failures" };
	const json_t *dir = json_object_get(body, "directory"), *posts = json_object_get(dir, "published");
	long long published = 0;
	size_t i;
	json_t *post;

	if (!json_is_object(dir))
		return;
	head(out, "anond_directory_requests_total", "counter", "Requests for a consensus.");
	for (i = 0; i < ARRAY_SIZE(names); i++)
		fprintf(out, "anond_directory_requests_total{result=\"%s\"} %lld\n", i ? "failure" : "success",
			(long long)json_integer_value(json_object_get(dir, names[i])));
	if (!json_is_array(posts))
		return;
	json_array_foreach (posts, i, post) {
		const char *state = json_string_value(json_object_get(post, "state"));

		published += state && strcmp(state, "published") == 0;
	}
	head(out, "anond_directory_published", "gauge", "Authorities that have this relay's descriptor.");
	fprintf(out, "anond_directory_published %lld\n", published);
	head(out, "anond_directory_listed", "gauge", "1: this relay is in the consensus.");
	fprintf(out, "anond_directory_listed %d\n", json_is_true(json_object_get(dir, "listed")));
}

static void put_counters(const json_t *body, const char *object, const char *name, const char *help, const char *label,
			 FILE *out)
{
	const char *key;
	json_t *v;

	head(out, name, "counter", help);
	json_object_foreach (json_object_get(body, object), key, v) {
		if (json_is_integer(v) && is_label(key) && !is_gauge(key))
			fprintf(out, "%s{%s=\"%s\"} %lld\n", name, label, key, (long long)json_integer_value(v));
	}
}

void show_metrics(const json_t *body, const struct show_time *now, FILE *out)
{
	(void)now;
	put_gauges(body, out);
	put_directory(body, out);
	put_counters(body, "counters", "anond_circuit_events_total", "What became of requests for circuits.", "event",
		     out);
	put_counters(body, "drops", "anond_dropped_packets_total", "Packets that the rules dropped or refused.",
		     "cause", out);
}

/* Up to the empty line, or as much as there is: whatever is asked for, there is one answer. */
static void read_request(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char buf[REQUEST_MAX + 1];
	size_t len = 0;
	ssize_t n;

	while (len < REQUEST_MAX && poll(&p, 1, REQUEST_TIMEOUT_MS) > 0) {
		n = read(fd, buf + len, REQUEST_MAX - len);
		if (n <= 0)
			return;
		len += (size_t)n;
		buf[len] = '\0';
		if (strstr(buf, "\r\n\r\n") || strstr(buf, "\n\n"))
			return;
	}
}

static int respond(const struct call *call)
{
	_cleanup_free_ char *text = NULL;
	struct call inner = *call;
	size_t len = 0;
	int status;

	read_request(STDIN_FILENO);
	inner.out = open_memstream(&text, &len);
	if (!inner.out)
		return call_fail(call, STATUS_FAILED, "out of memory");
	status = ask(&inner, json_object(), ASK_TIMEOUT, show_metrics);
	if (fclose(inner.out) == EOF)
		return call_fail(call, STATUS_FAILED, "out of memory");
	fprintf(call->out,
		"HTTP/1.0 %s\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\nContent-Length: %zu\r\n"
		"Connection: close\r\n\r\n",
		status == STATUS_OK ? "200 OK" : "503 Service Unavailable", status == STATUS_OK ? len : 0);
	if (status == STATUS_OK)
		fwrite(text, 1, len, call->out);
	return status;
}

int run_metrics(const struct call *call)
{
	if (arguments_has(call->args, OPT_HTTP))
		return respond(call);
	return ask(call, json_object(), ASK_TIMEOUT, show_metrics);
}
