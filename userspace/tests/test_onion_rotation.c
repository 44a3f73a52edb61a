/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A relay that replaces its onion keys, as a whole: what it stores, holds, announces and erases, against the fake
 * kernel and in true time, with lives of seconds.
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
#include <sched.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "anond/relay_role.h"
#include "directory/file.h"
#include "directory/network.h"
#include "kernel/fake.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/secmem.h"

#define LIFE 1000u
#define OVERLAP 100u
/* Seconds that a busy machine may take from a start to the next look. */
#define MARGIN 4u

struct bed {
	char dir[32], keys_dir[48], vici[48];
	struct ev_loop *loop;
	struct kernel *kernel;
	struct config conf;
	struct relay_keys *keys;
	struct onion_pair *first; /* DIR/onion */
	struct network *net;
	struct onion_keys *onion;
	struct relay_role *role;
	/* What was announced, when it was. */
	unsigned int announced;
	struct relay_facts said;
	bool was_stored;
};

static struct network *make_net(const struct bed *b)
{
	uint8_t seed[32] = { 1 }, public_key[32], secret[64];
	struct relay self = { .name = "self", .id = b->keys->id, .onion_key_id = b->first->id, .guard = true };
	uint64_t now = clock_wall_s();
	struct network net = {
		.valid_from = now - 9, .valid_until = now + 86400, .link_mtu = 1418, .n_relays = 1, .relays = &self
	};
	char sig[NETWORK_SIG_TEXT], *text = NULL;
	struct network *ret = NULL;
	struct error err;
	size_t len;

	crypto_sign_seed_keypair(public_key, secret, seed);
	memcpy(self.onion_key, b->first->public_key, 32);
	memcpy(self.link_key, b->keys->link_public, 32);
	self.addr4.s_addr = htonl(0xc0000201);
	if (network_make(&net, &text, &len, &err) < 0)
		fail_msg("%s", err.text);
	network_sign(text, len, seed, sig);
	if (network_parse(text, len, sig, strlen(sig), public_key, now, &ret, &err) < 0)
		fail_msg("%s", err.text);
	free(text);
	return ret;
}

/* A network of our own, in which the relay's overlay address need not be there to be listened at. */
static bool own_network(void)
{
	int fd;
	bool done;

	if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
		return false;
	fd = open("/proc/sys/net/ipv6/ip_nonlocal_bind", O_WRONLY | O_CLOEXEC);
	done = fd >= 0 && write(fd, "1", 1) == 1;
	close(fd);
	return done;
}

static int setup(void **state)
{
	struct bed *b = calloc(1, sizeof(*b));
	struct error err;

	*state = b;
	log_set_level(LOG_EMERG);
	strcpy(b->dir, "/tmp/onion_rotation.XXXXXX");
	if (!mkdtemp(b->dir) || kernel_fake_new(&b->kernel) < 0)
		return -1;
	snprintf(b->keys_dir, sizeof(b->keys_dir), "%s/keys", b->dir);
	snprintf(b->vici, sizeof(b->vici), "%s/vici", b->dir);
	b->first = secmem_alloc(sizeof(*b->first));
	if (relay_keys_make(b->keys_dir, &err) < 0 || relay_keys_load(b->keys_dir, &b->keys, &err) < 0 ||
	    relay_onion_load(b->keys_dir, b->first, &err) < 0)
		return -1;
	b->loop = ev_loop_new(0);
	b->conf.roles = ROLE_RELAY;
	b->conf.run = b->conf.state = b->dir;
	b->conf.keys = b->keys_dir;
	b->conf.vici = b->vici;
	b->conf.guard = true;
	b->conf.limits = relay_limits_default;
	b->conf.replace_onion = true;
	b->conf.onion = (struct onion_schedule){ LIFE, OVERLAP };
	b->net = make_net(b);
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void stop(struct bed *b)
{
	relay_role_free(b->role, true);
	onion_keys_free(b->onion);
	b->role = NULL;
	b->onion = NULL;
}

static int teardown(void **state)
{
	struct bed *b = *state;
	int r;

	stop(b);
	network_free(b->net);
	relay_keys_free(b->keys);
	secmem_free(b->first);
	kernel_free(b->kernel);
	ev_loop_destroy(b->loop);
	r = nftw(b->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(b);
	return r;
}

static bool exists(const struct bed *b, const char *name)
{
	struct stat st;
	char path[96];

	snprintf(path, sizeof(path), "%s/%s", b->dir, name);
	return lstat(path, &st) == 0;
}

static struct onion_keys *on_disk(const struct bed *b)
{
	struct onion_keys *k = NULL;
	struct error err = { "" };

	if (onion_store_load(b->dir, &b->keys->id, &k, &err) < 0)
		fail_msg("%s", err.text);
	return k;
}

static void on_changed(void *ctx)
{
	struct bed *b = ctx;
	struct onion_keys *k = on_disk(b);

	b->announced++;
	relay_role_onion(b->role, &b->said);
	/* On the disk before anybody hears of it. */
	b->was_stored = onion_keys_have(k, b->said.relay.onion_key_id) &&
			(!b->said.has_next_onion || onion_keys_have(k, b->said.next_onion_id));
	onion_keys_free(k);
}

static void on_drained(void *ctx)
{
	(void)ctx;
}

static int try(struct bed *b, struct error *err)
{
	struct relay_role_config rc = {
		.loop = b->loop,
		.kernel = b->kernel,
		.conf = &b->conf,
		.net = b->net,
		.self = &b->net->relays[0],
		.keys = b->keys,
		.onion_changed = on_changed,
		.drained = on_drained,
		.ctx = b,
	};
	int r = onion_keys_open(b->dir, b->keys_dir, &b->keys->id, b->conf.replace_onion, clock_wall_s(), &b->onion,
				err);

	rc.onion = b->onion;
	return r < 0 ? r : relay_role_new(&rc, &b->role, err);
}

static void start(struct bed *b)
{
	struct error err = { "" };

	if (try(b, &err) < 0)
		fail_msg("%s", err.text);
}

/* As if so many seconds of the phase that is on the disk had passed. */
static void passed(struct bed *b, uint64_t seconds)
{
	struct onion_keys *k = on_disk(b);
	struct error err;

	k->since = clock_wall_s() - seconds;
	assert_int_equal(onion_store_save(b->dir, &b->keys->id, k, &err), 0);
	onion_keys_free(k);
}

static void on_over(struct ev_loop *loop, ev_timer *w, int events)
{
	(void)w;
	(void)events;
	ev_break(loop, EVBREAK_ALL);
}

static void run(struct bed *b, double seconds)
{
	ev_timer over;

	ev_now_update(b->loop);
	ev_timer_init(&over, on_over, seconds, 0.);
	ev_timer_start(b->loop, &over);
	ev_run(b->loop, 0);
	ev_timer_stop(b->loop, &over);
}

static struct relay_facts said(const struct bed *b)
{
	struct relay_facts f = { 0 };

	relay_role_onion(b->role, &f);
	return f;
}

static json_int_t status(const struct bed *b, const char *key)
{
	json_t *j = relay_role_onion_json(b->role);
	const json_t *v = json_object_get(j, key);
	json_int_t n = v ? json_integer_value(v) : -1;

	assert_null(json_object_get(j, "secret"));
	json_decref(j);
	return n;
}

/* A network file names the key: nothing is replaced or stored, however long it runs. */
static void switched_off(void **state)
{
	struct bed *b = *state;

	b->conf.replace_onion = false;
	b->conf.onion = (struct onion_schedule){ 3, 1 };
	start(b);
	run(b, MARGIN + 1.5);
	assert_int_equal(said(b).relay.onion_key_id, b->first->id);
	assert_memory_equal(said(b).relay.onion_key, b->first->public_key, 32);
	assert_false(said(b).has_next_onion);
	assert_int_equal(b->announced, 0);
	assert_false(exists(b, "onion-keys"));
	assert_int_equal(status(b, "current"), b->first->id);
	assert_int_equal(status(b, "replaced_at"), -1);
}

static void first_start(void **state)
{
	struct bed *b = *state;
	struct onion_keys *k;

	start(b);
	k = on_disk(b);
	assert_memory_equal(&k->current, b->first, sizeof(*b->first));
	assert_true(status(b, "replaced_at") >= (json_int_t)clock_wall_s() + LIFE - MARGIN);
	assert_true(status(b, "replaced_at") <= (json_int_t)clock_wall_s() + LIFE);
	assert_int_equal(status(b, "next"), -1);
	onion_keys_free(k);
}

/* Overdue at the start: done before anything is announced, so that what is published first is right. */
static void overdue(void **state)
{
	struct bed *b = *state;
	uint32_t next;

	start(b);
	stop(b);
	passed(b, 10 * LIFE);
	start(b);
	assert_int_equal(said(b).relay.onion_key_id, b->first->id);
	assert_true(said(b).has_next_onion);
	assert_int_equal(b->announced, 0);
	next = said(b).next_onion_id;
	assert_int_equal(status(b, "next"), next);
	/* The same after a restart: it was stored. */
	stop(b);
	start(b);
	assert_int_equal(said(b).next_onion_id, next);
	stop(b);
	passed(b, OVERLAP);
	start(b);
	assert_int_equal(said(b).relay.onion_key_id, next);
	assert_false(said(b).has_next_onion);
	assert_int_equal(status(b, "previous"), b->first->id);
	assert_true(exists(b, "keys/onion"));
	/* Replaced once, and now in a network without authorities: what is stored goes on, and nothing changes. */
	stop(b);
	passed(b, 10 * LIFE);
	b->conf.replace_onion = false;
	start(b);
	assert_int_equal(said(b).relay.onion_key_id, next);
	assert_int_equal(status(b, "previous"), b->first->id);
	assert_int_equal(status(b, "replaced_at"), -1);
	assert_true(exists(b, "keys/onion"));
}

/* All steps while it runs. */
static void in_true_time(void **state)
{
	struct bed *b = *state;
	struct onion_keys *k;
	uint32_t next;

	start(b);
	stop(b);
	passed(b, LIFE - OVERLAP - MARGIN);
	start(b);
	assert_false(said(b).has_next_onion);
	run(b, MARGIN + 1.5);
	assert_int_equal(b->announced, 1);
	assert_true(b->was_stored && b->said.has_next_onion);
	assert_int_equal(b->said.relay.onion_key_id, b->first->id);
	next = b->said.next_onion_id;

	stop(b);
	passed(b, OVERLAP - MARGIN);
	start(b);
	assert_true(said(b).has_next_onion);
	run(b, MARGIN + 1.5);
	assert_int_equal(b->announced, 2);
	assert_true(b->was_stored && !b->said.has_next_onion);
	assert_int_equal(b->said.relay.onion_key_id, next);
	assert_int_equal(status(b, "previous"), b->first->id);

	stop(b);
	passed(b, OVERLAP - MARGIN);
	start(b);
	assert_true(exists(b, "keys/onion"));
	run(b, MARGIN + 1.5);
	assert_int_equal(b->announced, 2); /* the descriptor says the same as before */
	assert_int_equal(status(b, "previous"), -1);
	assert_false(exists(b, "keys/onion"));
	k = on_disk(b);
	assert_false(k->has_previous);
	assert_int_equal(k->current.id, next);
	onion_keys_free(k);
}

/* What cannot be stored is not announced, and tried again. */
static void cannot_be_stored(void **state)
{
	struct bed *b = *state;
	struct error err = { "" };
	char in_the_way[64];

	snprintf(in_the_way, sizeof(in_the_way), "%s/onion-keys.new", b->dir);
	assert_int_equal(mkdir(in_the_way, 0700), 0);
	assert_true(try(b, &err) < 0);
	assert_non_null(strstr(err.text, "onion keys cannot be stored"));
	stop(b);
	assert_int_equal(rmdir(in_the_way), 0);
	b->conf.onion = (struct onion_schedule){ 60, 3 * MARGIN };
	start(b);
	stop(b);
	passed(b, 60 - 4 * MARGIN);
	start(b);
	assert_int_equal(mkdir(in_the_way, 0700), 0);
	run(b, MARGIN + 1.5);
	assert_int_equal(b->announced, 0);
	assert_false(said(b).has_next_onion);
	assert_int_equal(rmdir(in_the_way), 0);
	run(b, MARGIN + 2.5);
	assert_int_equal(b->announced, 1);
	assert_true(b->was_stored && b->said.has_next_onion);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(switched_off), TEST(first_start), TEST(overdue), TEST(in_true_time), TEST(cannot_be_stored),
	};

	if (sodium_init() < 0)
		return 1;
	if (!own_network()) {
		print_message("no network namespace may be made here: the relay cannot be started\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
