/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The directory as a node uses it, with a stand-in for anon-fetch: the first consensus and the next, what is refused,
 * what is kept over a restart, by which way it is fetched, and what a relay publishes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "anond/dir_client.h"
#include "anond/dir_self.h"
#include "anond/newest.h"
#include "directory/file.h"
#include "lib/clock.h"
#include "lib/log.h"

#define N 3

static const uint8_t seeds[N][32] = { { 1 }, { 2 }, { 3 } };
static char dir[64];

struct world {
	struct config *conf;
	struct dir_client *client;
	struct relay_keys keys;
	struct onion_keys onion;
	struct network *net; /* in force */
	int times;	     /* how often something was put in force */
	bool refuse;
	enum dir_way way;
};

/* ---- documents ---- */

static char *facts(uint8_t id, const char *name)
{
	struct relay_facts f = { .relay = { .id = { { id } }, .onion_key = { id }, .link_key = { id }, .guard = true },
				 .software = "x" };
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	snprintf(f.relay.name, sizeof(f.relay.name), "%s", name);
	f.relay.addr4.s_addr = htonl(0xc6336400u + id);
	relay_facts_put(out, &f);
	fclose(out);
	return text;
}

/* A consensus of n relays, signed by `signers` of the authorities (malloc). */
static char *consensus(uint64_t valid_after, uint32_t life, size_t n, size_t signers, size_t *len)
{
	struct listing relays[8] = { 0 };
	struct vote votes[N];
	const struct vote *all[N];
	struct consensus_signature sigs[N];
	char *texts[N], *names[8], *body = NULL, *ret = NULL, name[32];
	struct error err = { "" };
	size_t body_len, vote_len;

	for (size_t k = 0; k < n; k++) {
		snprintf(name, sizeof(name), "r%zu", k + 1);
		names[k] = facts((uint8_t)(k + 1), name);
		relays[k] = (struct listing){ .facts = { names[k], strlen(names[k]) }, .weight = 100 };
		assert_true(flags_add(&relays[k].flags, FLAG_RUNNING));
	}
	for (size_t i = 0; i < N; i++) {
		struct vote v = { .interval = { valid_after, valid_after + life / 3, valid_after + life, 1418 },
				  .relays = { relays, n } };
		uint8_t secret[64];

		crypto_sign_seed_keypair(v.authority, secret, seeds[i]);
		if (vote_make(&v, seeds[i], &texts[i], &vote_len, &err) < 0 ||
		    vote_parse(texts[i], vote_len, &votes[i], &err) < 0)
			fail_msg("%s", err.text);
		all[i] = &votes[i];
	}
	if (consensus_compute(all, N, N, &body, &body_len, &err) < 0)
		fail_msg("%s", err.text);
	for (size_t i = 0; i < signers; i++)
		assert_int_equal(consensus_sign(body, body_len, seeds[i], &sigs[i], &err), 0);
	assert_int_equal(consensus_with(body, body_len, sigs, signers, &ret, len, &err), 0);
	for (size_t i = 0; i < N; i++) {
		vote_clear(&votes[i]);
		free(texts[i]);
	}
	for (size_t k = 0; k < n; k++)
		free(names[k]);
	free(body);
	return ret;
}

static void put(const char *name, const void *data, size_t len, mode_t mode)
{
	char path[128];
	struct error err;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	if (file_replace(path, data, len, mode, &err) < 0)
		fail_msg("%s", err.text);
}

static char *get(const char *name)
{
	char path[128], *text = NULL;
	struct error err;
	size_t len;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return file_read(path, 1u << 20, &text, &len, &err) < 0 ? NULL : text;
}

static void serve(uint64_t valid_after, uint32_t life, size_t n, size_t signers)
{
	size_t len;
	char *text = consensus(valid_after, life, n, signers, &len);

	put("served", text, len, 0600);
	free(text);
}

/* The stand-in writes down what it is called with; `more` comes before what it does. */
static void stand_in(const char *more)
{
	char script[1024];
	int n = snprintf(script, sizeof(script),
			 "#!/bin/sh\necho \"$*\" >>%s/calls\n%s\n"
			 "case \"$*\" in\n*/consensus/from/*) exit 3;;\n*/consensus.zst*) exec /bin/cat %s/served;;\n"
			 "*/descriptor) exec /bin/cat >%s/posted;;\nesac\nexit 4\n",
			 dir, more, dir, dir);

	put("fetch", script, (size_t)n, 0700);
	put("calls", "", 0, 0600);
}

/* ---- the node ---- */

/* Not libev's default one, which takes the status of every child (request/child.h). */
static struct ev_loop *own_loop(void)
{
	static struct ev_loop *loop;

	if (!loop)
		loop = ev_loop_new(0);
	return loop;
}

static int put_in_force(void *ctx, struct network *net, struct error *err)
{
	struct world *w = ctx;

	if (w->refuse) {
		network_free(net);
		return error_set(err, -EIO, "not today");
	}
	network_free(w->net);
	w->net = net;
	w->times++;
	return 0;
}

static enum dir_way way(void *ctx, struct dir_reach *ret_reach, char ret_device[IFNAMSIZ])
{
	memset(ret_reach->server, true, sizeof(ret_reach->server));
	snprintf(ret_device, IFNAMSIZ, "anon7");
	return ((const struct world *)ctx)->way;
}

static int setup(void **state)
{
	char text[2048], key[3][BASE64_LEN(32)];
	struct world *w = calloc(1, sizeof(*w));
	struct error err = { "" };
	uint8_t public_key[32], secret[64];

	log_set_level(-1);
	snprintf(dir, sizeof(dir), "/tmp/test_dir.XXXXXX");
	if (sodium_init() < 0 || !w || !mkdtemp(dir))
		return -1;
	for (size_t i = 0; i < N; i++) {
		crypto_sign_seed_keypair(public_key, secret, seeds[i]);
		base64_write(public_key, sizeof(public_key), key[i]);
	}
	snprintf(text, sizeof(text),
		 "role = relay name = r9 addresses = {192.0.2.9} state = %s fetch-program = %s/fetch\n"
		 "authorities = {\"%s@192.0.2.1\", \"%s@192.0.2.2\", \"%s@192.0.2.3\"} mirrors = {192.0.2.4}\n",
		 dir, dir, key[0], key[1], key[2]);
	if (config_parse(text, "test", &w->conf, &err) < 0)
		fail_msg("%s", err.text);
	memset(w->keys.identity_seed, 9, 32);
	memset(w->keys.link_seed, 8, 32);
	crypto_sign_seed_keypair(w->keys.id.b, secret, w->keys.identity_seed);
	crypto_sign_seed_keypair(w->keys.link_public, secret, w->keys.link_seed);
	memset(w->onion.current.public_key, 7, 32);
	w->onion.current.id = 5;
	*state = w;
	stand_in("");
	return 0;
}

static int drop(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int teardown(void **state)
{
	struct world *w = *state;

	dir_client_free(w->client);
	network_free(w->net);
	config_free(w->conf);
	free(w);
	return nftw(dir, drop, 8, FTW_DEPTH | FTW_PHYS);
}

static void begin(struct world *w, bool relay, bool ways)
{
	struct dir_client_config dc = { .loop = own_loop(),
					.conf = w->conf,
					.keys = relay ? &w->keys : NULL,
					.onion = relay ? &w->onion : NULL,
					.put_in_force = put_in_force,
					.way = ways ? way : NULL,
					.ctx = w };
	struct error why;

	assert_int_equal(dir_kept_load(w->conf, clock_wall_s(), &dc.kept, &why), 0);
	network_free(w->net);
	w->net = dc.kept.net;
	assert_int_equal(dir_client_new(&dc, &w->client), 0);
}

static void end(struct world *w)
{
	dir_client_free(w->client);
	w->client = NULL;
}

static json_int_t number(const struct world *w, const char *key)
{
	json_t *j = dir_client_json(w->client);
	json_int_t n = json_integer_value(json_object_get(j, key));

	json_decref(j);
	return n;
}

static void on_tick(struct ev_loop *loop, ev_timer *t, int events)
{
	(void)t;
	(void)events;
	ev_break(loop, EVBREAK_ALL);
}

/* Runs until so many fetches were good and bad, in all. */
static void run(const struct world *w, json_int_t good, json_int_t bad)
{
	struct ev_loop *loop = own_loop();
	uint64_t began = clock_monotonic_ms();
	ev_timer tick;

	ev_timer_init(&tick, on_tick, 0.05, 0.05);
	ev_timer_start(loop, &tick);
	while (number(w, "fetches") < good || number(w, "failures") < bad) {
		if (clock_monotonic_ms() - began > 30000)
			fail_msg("it hangs: %lld good, %lld bad", (long long)number(w, "fetches"),
				 (long long)number(w, "failures"));
		ev_run(loop, 0);
	}
	ev_timer_stop(loop, &tick);
}

static void for_seconds(double s)
{
	struct ev_loop *loop = own_loop();
	ev_timer tick;

	ev_timer_init(&tick, on_tick, s, 0.);
	ev_timer_start(loop, &tick);
	ev_run(loop, 0);
	ev_timer_stop(loop, &tick);
}

/* ---- stories ---- */

static void first_and_next(void **state)
{
	struct world *w = *state;
	uint64_t now = clock_wall_s();
	char *calls;

	begin(w, false, false);
	assert_string_equal(dir_client_wrong(w->client), "there is no consensus yet");
	serve(now - 60, 3600, 2, N);
	run(w, 1, 0);
	assert_int_equal(w->times, 1);
	assert_int_equal(w->net->n_relays, 2);
	assert_true(strcmp(w->net->relays[0].name, "r2") == 0 || strcmp(w->net->relays[1].name, "r2") == 0);
	assert_string_equal(dir_client_wrong(w->client), "");
	calls = get("calls");
	assert_non_null(strstr(calls, "--max 67108864 --timeout 120 --zstd http://192.0.2."));
	assert_non_null(strstr(calls, ":9030/anond/1/consensus.zst\n"));
	free(calls);
	/* It is the newest; nothing is due, and nothing is fetched. */
	for_seconds(1.5);
	assert_int_equal(number(w, "fetches"), 1);
	/* Somebody asks: by the difference, then all; a newer one is put in force. */
	serve(now - 30, 3600, 3, N);
	dir_client_hurry(w->client);
	run(w, 2, 0);
	assert_int_equal(w->net->n_relays, 3);
	calls = get("calls");
	assert_non_null(strstr(calls, "--timeout 120 --zstd --prefix /proc/self/fd/0 http://"));
	assert_non_null(strstr(calls, "/anond/1/consensus/from/"));
	assert_true(strstr(strstr(calls, "consensus/from/"), "consensus.zst") != NULL);
	free(calls);
	/* The same once more is no failure, for no newer one is due. */
	dir_client_hurry(w->client);
	run(w, 3, 0);
	assert_int_equal(number(w, "failures"), 0);
	assert_int_equal(w->times, 2);
}

/* The difference, with what is before the signatures as prefix, named by its hash. */
static void difference(void **state)
{
	struct world *w = *state;
	uint64_t now = clock_wall_s();
	char *kept, *body = NULL, *prefix, hex[65], *calls;
	uint8_t hash[32];
	size_t len;

	begin(w, false, false);
	serve(now - 60, 3600, 2, N);
	run(w, 1, 0);
	kept = get(DIR_KEPT_FILE);
	assert_non_null(kept);
	assert_int_equal(dir_kept_body(w->conf, &body, &len), 0);
	assert_true(len < strlen(kept) && memcmp(kept, body, len) == 0);
	assert_null(strstr(body, "\nsignature "));
	crypto_generichash(hash, sizeof(hash), (const uint8_t *)body, len, NULL, 0);
	sodium_bin2hex(hex, sizeof(hex), hash, sizeof(hash));
	serve(now - 30, 3600, 3, N);
	{
		char more[300];

		snprintf(more, sizeof(more),
			 "case \"$*\" in */consensus/from/*) /bin/cat >%s/prefix; exec /bin/cat %s/served;; esac", dir,
			 dir);
		stand_in(more);
	}
	dir_client_hurry(w->client);
	run(w, 2, 0);
	assert_int_equal(w->net->n_relays, 3);
	prefix = get("prefix");
	assert_string_equal(prefix, body);
	calls = get("calls");
	assert_non_null(strstr(calls, hex));
	assert_null(strstr(calls, "consensus.zst"));
	free(calls);
	free(prefix);
	free(kept);
	free(body);
}

static void refused(void **state)
{
	struct world *w = *state;
	uint64_t now = clock_wall_s();
	char *kept;

	begin(w, false, false);
	/* Signed by one of three. */
	serve(now - 60, 3600, 2, 1);
	run(w, 0, 1);
	assert_non_null(strstr(dir_client_wrong(w->client), "signed by 1 of 3"));
	put("served", "anond-consensus 1\nrubbish\n", 26, 0600);
	dir_client_changed(w->client);
	run(w, 0, 2);
	/* Expired, and from the future: our clock, or theirs. */
	serve(now - 7200, 3600, 2, N);
	dir_client_changed(w->client);
	run(w, 0, 3);
	assert_non_null(strstr(dir_client_wrong(w->client), "expired: either the clock"));
	serve(now + 7200, 3600, 2, N);
	dir_client_changed(w->client);
	run(w, 0, 4);
	assert_non_null(strstr(dir_client_wrong(w->client), "the clock of this host is behind"));
	/* The daemon cannot put it in force. */
	serve(now - 60, 3600, 2, N);
	w->refuse = true;
	dir_client_changed(w->client);
	run(w, 0, 5);
	assert_string_equal(dir_client_wrong(w->client), "not today");
	stand_in("exit 2");
	dir_client_changed(w->client);
	run(w, 0, 6);
	assert_int_equal(w->times, 0);
	assert_null(w->net);
	kept = get(DIR_KEPT_FILE);
	assert_null(kept);
	/* The control: nothing else is wrong. */
	stand_in("");
	w->refuse = false;
	dir_client_changed(w->client);
	run(w, 1, 6);
	assert_int_equal(w->times, 1);
	/* An older one is refused, also when somebody asks. */
	serve(now - 120, 3600, 3, N);
	dir_client_hurry(w->client);
	run(w, 1, 7);
	assert_int_equal(w->times, 1);
	assert_int_equal(w->net->n_relays, 2);
}

static void kept_over_a_restart(void **state)
{
	struct world *w = *state;
	uint64_t now = clock_wall_s(), newest = 0;
	uint8_t id[DIR_KEY_LEN];
	struct dir_kept k;
	struct error err;
	char *text;
	size_t len;

	begin(w, false, false);
	serve(now - 60, 3600, 2, N);
	run(w, 1, 0);
	end(w);
	begin(w, false, false);
	assert_non_null(w->net);
	assert_int_equal(w->net->n_relays, 2);
	assert_string_equal(dir_client_wrong(w->client), "");
	for_seconds(0.5);
	assert_int_equal(number(w, "fetches"), 0);
	end(w);
	/* Somebody puts an older one there, also a majority's. */
	text = consensus(now - 120, 3600, 3, N, &len);
	put(DIR_KEPT_FILE, text, len, 0600);
	free(text);
	assert_int_equal(dir_kept_load(w->conf, now, &k, &err), 0);
	assert_null(k.net);
	assert_int_equal(k.newest, now - 60);
	assert_non_null(strstr(err.text, "older"));
	/* Or one that too few signed. */
	text = consensus(now - 30, 3600, 3, 1, &len);
	put(DIR_KEPT_FILE, text, len, 0600);
	free(text);
	assert_int_equal(dir_kept_load(w->conf, now, &k, &err), 0);
	assert_null(k.net);
	assert_non_null(strstr(err.text, "signed by 1 of 3"));
	/* The same as the newest is fine, also fetched. */
	begin(w, false, false);
	assert_null(w->net);
	run(w, 1, 0);
	assert_int_equal(w->net->n_relays, 2);
	end(w);
	/* An expired one is there for the circuits that are open, no more: network_usable. */
	assert_int_equal(dir_kept_load(w->conf, now + 7200, &k, &err), 0);
	assert_non_null(k.net);
	assert_int_equal(network_usable(k.net, now + 7200, &err), -ESTALE);
	network_free(k.net);
	/* The clock went back. */
	assert_int_equal(dir_kept_load(w->conf, now - 7200, &k, &err), 0);
	assert_null(k.net);
	assert_non_null(strstr(err.text, "clock of this host is behind"));
	/* Other authorities are another network: it begins anew. */
	w->conf->servers.n_keys--;
	dir_servers_id(&w->conf->servers, id);
	assert_int_equal(newest_load(dir, id, &newest, &err), 0);
	assert_int_equal(newest, 0);
	w->conf->servers.n_keys++;
}

/* What is in force is the newest, whatever became of the file that says so: no mirror brings an older one back. */
static void kept_is_the_newest(void **state)
{
	struct world *w = *state;
	uint64_t now = clock_wall_s();
	char path[128];

	begin(w, false, false);
	serve(now - 60, 3600, 2, N);
	run(w, 1, 0);
	end(w);
	snprintf(path, sizeof(path), "%s/network-newest", dir);
	assert_int_equal(unlink(path), 0);
	begin(w, false, false);
	assert_int_equal(w->net->n_relays, 2);
	serve(now - 120, 3600, 3, N);
	dir_client_hurry(w->client);
	run(w, 0, 1);
	assert_int_equal(w->net->n_relays, 2);
	/* The control: a newer one is. */
	serve(now - 30, 3600, 4, N);
	dir_client_hurry(w->client);
	run(w, 1, 1);
	assert_int_equal(w->net->n_relays, 4);
}

/* In the place of a file, so that it cannot be written; or the file again. */
static void in_the_way(const char *name, const char *file)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_int_equal(file ? rmdir(path) : unlink(path), 0);
	if (file)
		put(name, file, strlen(file), 0600);
	else
		assert_int_equal(mkdir(path, 0700), 0);
}

/* Of a consensus and of how new it is one is stored, and the other not. */
static void half_stored(void **state)
{
	static const char *const names[] = { "network-newest", DIR_KEPT_FILE };
	struct world *w = *state;
	uint64_t now = clock_wall_s();
	struct error err;
	struct dir_kept k;
	char *text, *old;
	size_t len;

	begin(w, false, false);
	serve(now - 60, 3600, 2, N);
	run(w, 1, 0);
	end(w);
	for (size_t i = 0; i < 2; i++) {
		text = consensus(now - 40 + i, 3600, 3, N, &len);
		old = get(names[i]);
		in_the_way(names[i], NULL);
		assert_true(dir_kept_save(w->conf, text, len, now - 40 + i, &err) < 0);
		in_the_way(names[i], old);
		assert_int_equal(dir_kept_load(w->conf, now, &k, &err), 0);
		assert_int_equal(k.newest, now - 40 + i);
		/* A crash between the two does not cost the consensus; that it is not there, is not forgotten. */
		assert_true(i == 0 ? k.net != NULL : k.net == NULL);
		network_free(k.net);
		free(old);
		free(text);
	}
}

static void ways(void **state)
{
	struct world *w = *state;
	char *calls;

	/* A socket with a mark needs a privilege; without it nothing leaves. */
	serve(clock_wall_s() - 60, 3600, 2, N);
	w->way = DIR_BY_CIRCUIT;
	begin(w, false, true);
	run(w, 1, 0);
	calls = get("calls");
	assert_non_null(strstr(calls, "--device anon7 "));
	assert_null(strstr(calls, "--socket"));
	free(calls);
	/* A circuit is being built: it is waited for... */
	stand_in("");
	w->way = DIR_NOT_NOW;
	dir_client_changed(w->client);
	for_seconds(1.5);
	calls = get("calls");
	assert_string_equal(calls, "");
	free(calls);
	if (geteuid() != 0)
		return;
	/* ... unless a person is in a hurry. */
	dir_client_hurry(w->client);
	run(w, 2, 0);
	calls = get("calls");
	assert_non_null(strstr(calls, "--socket 3 "));
	assert_null(strstr(calls, "--device"));
	free(calls);
	/* No circuit at all. */
	stand_in("");
	w->way = DIR_DIRECTLY;
	dir_client_hurry(w->client);
	run(w, 3, 0);
	calls = get("calls");
	assert_non_null(strstr(calls, "--socket 3 "));
	free(calls);
}

/* An exit lets nothing through: by circuits as long as they can be relieved, and then directly. */
static void circuits_fail(void **state)
{
	struct world *w = *state;
	uint64_t now = clock_wall_s();
	char *calls;

	if (geteuid() != 0)
		skip();
	stand_in("case \"$*\" in *--device*) exit 2;; esac");
	serve(now, 4, 2, N);
	w->way = DIR_DIRECTLY;
	begin(w, false, true);
	run(w, 1, 0);
	w->way = DIR_BY_CIRCUIT;
	put("calls", "", 0, 0600);
	serve(now + 1, 3600, 2, N);
	run(w, 1, 1);
	calls = get("calls");
	assert_non_null(strstr(calls, "--device"));
	assert_null(strstr(calls, "--socket"));
	free(calls);
	run(w, 2, 1);
	assert_true(clock_wall_s() >= now + 4);
	assert_string_equal(dir_client_wrong(w->client), "");
}

static const char *post_state(const struct world *w, size_t i, char ret[16])
{
	json_t *j = dir_client_json(w->client);
	json_t *post = json_array_get(json_object_get(j, "published"), i);

	snprintf(ret, 16, "%s", json_string_value(json_object_get(post, "state")));
	json_decref(j);
	return ret;
}

static void published(const struct world *w, const char *want)
{
	uint64_t began = clock_monotonic_ms();
	char text[16];

	for (size_t i = 0; i < N; i++)
		while (strcmp(post_state(w, i, text), want) != 0) {
			if (clock_monotonic_ms() - began > 20000)
				fail_msg("authority %zu: %s, not %s", i + 1, text, want);
			for_seconds(0.1);
		}
}

static void relay_publishes(void **state)
{
	struct world *w = *state;
	struct server_descriptor d;
	struct error err = { "" };
	uint64_t now = clock_wall_s();
	char *calls, *posted;

	serve(now - 60, 3600, 2, N);
	stand_in("case \"$*\" in */descriptor) exit 4;; esac");
	begin(w, true, false);
	published(w, "refused");
	stand_in("");
	dir_client_changed(w->client);
	published(w, "published");
	calls = get("calls");
	for (int i = 1; i <= N; i++) {
		char want[64];

		snprintf(want, sizeof(want), "http://192.0.2.%d:9030/anond/1/descriptor\n", i);
		assert_non_null(strstr(calls, want));
	}
	assert_null(strstr(calls, "192.0.2.4:9030/anond/1/descriptor")); /* a mirror's business it is not */
	assert_null(strstr(calls, "--socket"));
	assert_non_null(strstr(calls, "--timeout 30 --post /proc/self/fd/0 "));
	free(calls);
	posted = get("posted");
	if (server_descriptor_parse(posted, strlen(posted), &d, &err) < 0)
		fail_msg("%s", err.text);
	assert_string_equal(d.facts.relay.name, "r9");
	assert_memory_equal(&d.facts.relay.id, &w->keys.id, 32);
	assert_int_equal(d.facts.relay.onion_key_id, 5);
	assert_int_equal(d.facts.bandwidth, 1024);
	assert_true(d.facts.relay.guard && !d.facts.relay.exit);
	assert_int_equal(d.facts.traits.ends, 0);
	assert_in_range(d.published, now, now + 60);
	assert_int_equal(d.valid_until - d.published, SERVER_DESCRIPTOR_LIFE_MAX);
	free(posted);
	/* Nothing has changed, nothing is published. */
	stand_in("");
	for_seconds(1.5);
	calls = get("calls");
	assert_null(strstr(calls, "descriptor"));
	free(calls);
	/* Another onion key; and that it ends. */
	w->onion.current.id = 6;
	dir_client_ends(w->client, now);
	for_seconds(2.);
	published(w, "published");
	posted = get("posted");
	assert_int_equal(server_descriptor_parse(posted, strlen(posted), &d, &err), 0);
	assert_int_equal(d.facts.relay.onion_key_id, 6);
	assert_int_equal(d.facts.traits.ends, now);
	free(posted);
}

/* Two relays that share what none may: the first counts, the others are not lost. */
#define STORY(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(first_and_next),	   STORY(difference),  STORY(refused), STORY(kept_over_a_restart),
		STORY(kept_is_the_newest), STORY(half_stored), STORY(ways),    STORY(circuits_fail),
		STORY(relay_publishes),
	};

	return cmocka_run_group_tests_name("dir_client", tests, NULL, NULL);
}
