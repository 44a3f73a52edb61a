/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a starting relay takes up again of an earlier run's circuits, and what it removes, against the fake kernel. The
 * start itself fails afterwards, at the first file of the overlay, and leaves the kernel as adoption left it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "anond/journal.h"
#include "anond/record.h"
#include "anond/relay_role.h"
#include "directory/keys.h"
#include "directory/network.h"
#include "kernel/fake.h"
#include "plan/plan.h"
#include "tests/circuit_fixture.h"

struct bed {
	char run[32];
	struct kernel *kernel;
	struct fix_relay own, prev;
	struct config conf;
	struct relay_keys keys;
	struct onion_keys onion;
};

static int setup(void **state)
{
	struct bed *b = calloc(1, sizeof(*b));
	char *links;

	strcpy(b->run, "/tmp/anond-adoption-XXXXXX");
	assert_non_null(mkdtemp(b->run));
	assert_true(asprintf(&links, "%s/links", b->run) > 0);
	assert_int_equal(mkdir(links, 0700), 0); /* where the overlay wants a file */
	free(links);
	assert_int_equal(kernel_fake_new(&b->kernel), 0);
	fix_relay_make(&b->own, 0);
	fix_relay_make(&b->prev, 1);
	b->conf.roles = ROLE_RELAY | ROLE_EXIT;
	b->conf.run = b->run;
	b->conf.limits = relay_limits_default;
	b->conf.exit.inner4_enabled = true;
	b->conf.exit.inner4 = (struct prefix){ .family = AF_INET, .len = 12, .a4 = { htonl(0x64600000) } };
	b->keys.id = b->own.desc.id;
	b->onion.current.id = b->own.desc.onion_key_id;
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	static const char *const names[] = { "links", "relay-circuits", "relay-replays" };
	struct bed *b = *state;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char *path;

		assert_true(asprintf(&path, "%s/%s", b->run, names[i]) > 0);
		remove(path);
		free(path);
	}
	assert_int_equal(rmdir(b->run), 0);
	kernel_free(b->kernel);
	fix_relay_free(&b->own);
	fix_relay_free(&b->prev);
	free(b);
	return 0;
}

static struct relay_record exit_record(const struct bed *b, uint32_t n)
{
	struct relay_record r = {
		.circuit = { .number = n,
			     .exit = true,
			     .layer = { .a = overlay_addr(&b->own.addr, 2, 100 + n),
					.o = b->own.addr,
					.spi_fwd = SPI_MIN + n,
					.spi_back = SPI_MIN + 1000 + n,
					.suite = SUITE_AES128_GCM_16 },
			     .inner = { .has4 = true,
					.addr4 = { htonl(0x64600010 + n) },
					.gw4 = { htonl(0x64600001) } } },
		.prev_link = 2,
		.prev_peer = b->prev.addr,
		.prev_handle = n,
		.expires = FIX_NOW_S,
	};

	return r;
}

static void in_kernel(struct bed *b, const struct relay_record *r)
{
	static const struct layer_keys keys; /* an SA is not made without */
	_cleanup_plan_ struct plan p = { 0 };

	assert_int_equal(plan_relay_circuit(&p, &r->circuit, &keys), 0);
	assert_int_equal(kernel_apply(b->kernel, &p), 0);
}

static void no_line(void *ctx, const json_t *line)
{
	(void)ctx;
	(void)line;
}

static void in_journal(struct bed *b, const struct relay_record *r)
{
	struct journal *j;
	char *path;

	assert_true(asprintf(&path, "%s/relay-circuits", b->run) > 0);
	assert_int_equal(journal_open(path, no_line, NULL, &j), 0);
	assert_int_equal(journal_append(j, json_pack("{s:o}", "add", record_of_relay(r))), 0);
	journal_close(j);
	free(path);
}

/* Only this relay, at 192.0.2.1. */
static struct network *make_net(const struct bed *b)
{
	uint8_t seed[32] = { 1 }, public_key[32], secret[64];
	struct relay self = { .name = "self", .id = b->own.desc.id, .onion_key_id = 1, .exit = true };
	struct network net = {
		.valid_from = 1, .valid_until = 86400, .link_mtu = 1418, .n_relays = 1, .relays = &self
	};
	char sig[NETWORK_SIG_TEXT], *text = NULL;
	struct network *ret = NULL;
	struct error err;
	size_t len;

	memset(self.onion_key, 2, sizeof(self.onion_key));
	memset(self.link_key, 3, sizeof(self.link_key));
	self.addr4.s_addr = htonl(0xc0000201);
	crypto_sign_seed_keypair(public_key, secret, seed);
	if (network_make(&net, &text, &len, &err) < 0)
		fail_msg("%s", err.text);
	network_sign(text, len, seed, sig);
	if (network_parse(text, len, sig, strlen(sig), public_key, 2, &ret, &err) < 0)
		fail_msg("%s", err.text);
	free(text);
	return ret;
}

static void start(struct bed *b)
{
	struct network *net = make_net(b);
	const struct relay_role_config rc = { .loop = ev_default_loop(0),
					      .kernel = b->kernel,
					      .conf = &b->conf,
					      .net = net,
					      .self = &net->relays[0],
					      .keys = &b->keys,
					      .onion = &b->onion };
	struct relay_role *role = NULL;
	struct error err = { 0 };

	assert_int_equal(relay_role_new(&rc, &role, &err), -EISDIR);
	network_free(net);
}

static size_t count_of(const struct relay_record *r)
{
	_cleanup_plan_ struct plan p = { 0 };

	assert_int_equal(plan_relay_circuit(&p, &r->circuit, NULL), 0);
	return p.n;
}

/* How many of the circuit's objects are in the kernel. */
static size_t left_of(const struct bed *b, const struct relay_record *r)
{
	const struct plan *have = kernel_fake_objects(b->kernel);
	_cleanup_plan_ struct plan p = { 0 };
	size_t n = 0;

	assert_int_equal(plan_relay_circuit(&p, &r->circuit, NULL), 0);
	for (size_t i = 0; i < p.n; i++)
		for (size_t k = 0; k < have->n; k++)
			n += kobject_equal(&p.v[i], &have->v[k]);
	return n;
}

static void known_to_both_stays(void **state)
{
	struct bed *b = *state;
	struct relay_record both = exit_record(b, 1), only_kernel = exit_record(b, 2), part = exit_record(b, 3);
	_cleanup_plan_ struct plan p = { 0 };

	in_kernel(b, &both);
	in_journal(b, &both);
	in_kernel(b, &only_kernel);
	in_kernel(b, &part);
	in_journal(b, &part);
	assert_int_equal(plan_relay_circuit(&p, &part.circuit, NULL), 0);
	p.n = 1; /* one of its SAs is gone */
	assert_int_equal(kernel_remove(b->kernel, &p), 0);
	start(b);
	assert_true(left_of(b, &both) == count_of(&both));
	assert_int_equal(left_of(b, &only_kernel), 0);
	assert_int_equal(left_of(b, &part), 0);
}

static void refused_one_is_removed(void **state)
{
	struct bed *b = *state;
	struct relay_record good = exit_record(b, 1), same_handle = exit_record(b, 2), outside = exit_record(b, 3);

	same_handle.prev_handle = good.prev_handle;
	outside.circuit.inner.addr4.s_addr = htonl(0x64000005); /* the pool is another one now */
	in_kernel(b, &good);
	in_kernel(b, &same_handle);
	in_kernel(b, &outside);
	in_journal(b, &good);
	in_journal(b, &same_handle);
	in_journal(b, &outside);
	start(b);
	assert_true(left_of(b, &good) == count_of(&good));
	assert_int_equal(left_of(b, &same_handle), 0);
	assert_int_equal(left_of(b, &outside), 0);
}

static void damaged_journal_starts(void **state)
{
	struct bed *b = *state;
	struct relay_record r = exit_record(b, 1);
	char *path;
	int fd;

	in_kernel(b, &r);
	assert_true(asprintf(&path, "%s/relay-circuits", b->run) > 0);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	assert_int_equal(write(fd, "{\"add\":\n", 8), 8);
	close(fd);
	free(path);
	in_journal(b, &r);
	start(b);
	assert_true(left_of(b, &r) == count_of(&r));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(known_to_both_stays, setup, teardown),
		cmocka_unit_test_setup_teardown(refused_one_is_removed, setup, teardown),
		cmocka_unit_test_setup_teardown(damaged_journal_starts, setup, teardown),
	};

	return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
