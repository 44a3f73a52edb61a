/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parts of an authority that can be looked at alone; scripts/test-directory has whole ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include "dirauth/archive.h"
#include "dirauth/config.h"
#include "dirauth/gate.h"
#include "dirauth/locations.h"
#include "dirauth/measurements.h"
#include "dirauth/press.h"
#include "lib/cleanup.h"
#include "tests/descriptor_fixture.h"

#define KEY "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="
#define LEAST "authorities = {\"" KEY "@192.0.2.1\"}\n"

static struct dirauth_config *taken(const char *text)
{
	struct dirauth_config *conf = NULL;
	struct error err = { "" };

	if (dirauth_config_parse(text, "f", &conf, &err) < 0)
		fail_msg("%s", err.text);
	return conf;
}

static void configuration(void **state)
{
	static const struct {
		const char *text, *why;
	} bad[] = {
		{ "", "f: authorities: missing" },
		{ LEAST "interval = 15\n", "f: interval: not from 16 to 86400" },
		{ LEAST "interval = -1\n", "f: interval: not from 16 to 86400" },
		{ LEAST "key = \"relative\"\n", "f: key: not an absolute path" },
		{ LEAST "listen = {\"example.org\"}\n", "f: listen: number 1 is not ADDRESS:PORT or [ADDRESS6]:PORT" },
		{ LEAST "log-level = \"loud\"\n", "f: log-level: not one of error, warning, notice, info, debug" },
		{ LEAST "state = \"/x", "f:4: premature end of file" },
		{ LEAST "/* state", "f: it ends inside a string or a comment" },
		{ "authorities = {\"x\"}\n", "f: authorities: number 1: not KEY@ADDRESS or KEY@ADDRESS,[ADDRESS6], "
					     "each with :PORT behind it or not" },
		{ "authorities = {\"" KEY "@192.0.2.1\", \"" KEY "@192.0.2.2\"}\n",
		  "f: authorities: number 2: named twice" },
	};
	struct dirauth_config *conf = taken(LEAST);
	struct error err;

	(void)state;
	assert_int_equal(conf->interval, 3600);
	assert_int_equal(conf->n_listen, 1);
	assert_true(IN6_IS_ADDR_UNSPECIFIED(&conf->listen[0].sin6_addr));
	assert_string_equal(conf->user, "anon-dirauth");
	assert_null(conf->measurements);
	dirauth_config_free(conf);
	conf = taken(LEAST "listen = {\"192.0.2.7:80\", \"[2001:db8::7]:81\"}\nguard-age = 0\nmeasurements = \"/m\"\n");
	assert_int_equal(conf->n_listen, 2);
	assert_true(IN6_IS_ADDR_V4MAPPED(&conf->listen[0].sin6_addr) && conf->listen[0].sin6_port == htons(80));
	assert_int_equal(conf->rules.guard_age, 0);
	dirauth_config_free(conf);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		conf = NULL;
		assert_int_equal(dirauth_config_parse(bad[i].text, "f", &conf, &err), -EINVAL);
		assert_string_equal(err.text, bad[i].why);
	}
	/* Of what libconfuse itself finds, with its line. */
	assert_int_equal(dirauth_config_parse(LEAST "no-such = 1\n", "f", &conf, &err), -EINVAL);
	assert_memory_equal(err.text, "f:2: ", 5);
}

static void shelves(void **state)
{
	struct shelf *s = shelf_new();
	char path[SHELF_PATH_MAX + 1];
	struct page *p;

	(void)state;
	assert_int_equal(shelf_put(s, "a/1", page_new("one", 3, false, 0)), 0);
	assert_int_equal(shelf_put(s, "a/2", page_new("two", 3, false, 0)), 0);
	assert_int_equal(shelf_put(s, "b", page_new("bee", 3, true, 60)), 0);
	assert_int_equal(shelf_put(s, "c", NULL), -ENOMEM);
	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(shelf_put(s, path, page_new("x", 1, false, 0)), -ENAMETOOLONG);
	/* Somebody reads it while it is replaced. */
	p = page_use(shelf_find(s, "a/1"));
	assert_int_equal(shelf_put(s, "a/1", page_new("more", 4, false, 0)), 0);
	assert_string_equal(p->data, "one");
	page_leave(p);
	assert_string_equal(shelf_find(s, "a/1")->data, "more");
	shelf_remove_all(s, "a/");
	assert_null(shelf_find(s, "a/1"));
	assert_null(shelf_find(s, "a/2"));
	assert_non_null(shelf_find(s, "b"));
	shelf_remove(s, "b");
	shelf_remove(s, "b");
	assert_null(shelf_find(s, "b"));
	shelf_free(s);
}

/* Two consensuses' worth of bytes that no compressor makes smaller, alike but for a few. */
static void differences(void **state)
{
	enum { LEN = 3000000 };
	static char old[LEN], fresh[LEN], out[LEN];
	ZSTD_DCtx *d = ZSTD_createDCtx();
	struct page *whole, *diff;

	(void)state;
	randombytes_buf(old, sizeof(old));
	memcpy(fresh, old, sizeof(old));
	for (size_t i = 1000; i < LEN; i += 100000)
		fresh[i] ^= 1;
	whole = press(fresh, LEN, NULL, 0, 0);
	diff = press(fresh, LEN, old, LEN, 0);
	assert_true(whole->len >= LEN && diff->len < LEN / 1000);
	assert_int_equal(ZSTD_decompressDCtx(d, out, LEN, whole->data, whole->len), LEN);
	assert_memory_equal(out, fresh, LEN);
	ZSTD_DCtx_setParameter(d, ZSTD_d_windowLogMax, 27);
	ZSTD_DCtx_refPrefix(d, old, LEN);
	assert_int_equal(ZSTD_decompressDCtx(d, out, LEN, diff->data, diff->len), LEN);
	assert_memory_equal(out, fresh, LEN);
	/* With another one before it, it is seen to be wrong. */
	old[5000] ^= 1;
	ZSTD_DCtx_refPrefix(d, old, LEN);
	assert_true(ZSTD_isError(ZSTD_decompressDCtx(d, out, LEN, diff->data, diff->len)));
	ZSTD_freeDCtx(d);
	page_leave(whole);
	page_leave(diff);
}

static void archives(void **state)
{
	char dir[] = "/tmp/archive-XXXXXX", path[64];
	uint64_t times[ARCHIVE_TIMES_MAX];
	struct error err;
	char *text = NULL;
	size_t len;

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(archive_load(dir, "consensus", 0, 100, &text, &len, &err), 0);
	assert_int_equal(archive_save(dir, "consensus", 0, "text", 4, &err), 0);
	assert_int_equal(archive_load(dir, "consensus", 0, 100, &text, &len, &err), 1);
	assert_string_equal(text, "text");
	free(text);
	assert_int_equal(archive_load(dir, "consensus", 0, 3, &text, &len, &err), -EFBIG);
	for (uint64_t t = 1; t <= ARCHIVE_TIMES_MAX + 5; t++)
		assert_int_equal(archive_save(dir, "old", t * 7 % 101, "x", 1, &err), 0);
	assert_int_equal(archive_save(dir, "older", 5, "x", 1, &err), 0);
	assert_int_equal(archive_save(dir, "old-", 5, "x", 1, &err), 0);
	assert_int_equal(archive_times(dir, "old", times, &err), ARCHIVE_TIMES_MAX);
	for (size_t i = 1; i < ARCHIVE_TIMES_MAX; i++)
		assert_true(times[i] < times[i - 1]);
	assert_int_equal(times[0], 98);
	assert_int_equal(archive_prune(dir, "old", 95, &err), 0);
	assert_int_equal(archive_times(dir, "old", times, &err), 2);
	assert_int_equal(archive_times(dir, "older", times, &err), 1);
	assert_int_equal(archive_prune(dir, "old", 1000, &err), 0);
	assert_int_equal(archive_prune(dir, "older", 1000, &err), 0);
	assert_int_equal(archive_prune(dir, "old-", 1000, &err), 0);
	snprintf(path, sizeof(path), "%s/consensus", dir);
	unlink(path);
	assert_int_equal(rmdir(dir), 0);
	assert_int_equal(archive_times(dir, "old", times, &err), -ENOENT);
}

static unsigned int crowd(struct gate *g, struct in6_addr from, unsigned int n)
{
	unsigned int in = 0;

	for (; n > 0 && gate_is_open(g, &from); n--, in++)
		assert_int_equal(gate_enter(g, &from), 0);
	return in;
}

static struct in6_addr address(const char *text)
{
	struct in6_addr ret;

	assert_int_equal(inet_pton(AF_INET6, text, &ret), 1);
	return ret;
}

/* No host keeps the others away, and all strangers together no authority. */
static void gates(void **state)
{
	struct dirauth_config *conf = taken("authorities = {\"" KEY "@192.0.2.1,[2001:db8::1]\"}\n");
	struct in6_addr one = address("::ffff:198.51.100.1"), four = address("::ffff:192.0.2.1"),
			six = address("2001:db8::1"), many = address("2001:db8:1::");
	struct gate *g = gate_new(&conf->authorities);
	unsigned int in;

	(void)state;
	assert_int_equal(crowd(g, one, 100), GATE_NETWORK_MAX);
	/* An IPv6 network is one, however many addresses it has. */
	for (in = 0; in < 100; in++) {
		many.s6_addr[15] = (uint8_t)in;
		if (crowd(g, many, 1) == 0)
			break;
	}
	assert_int_equal(in, GATE_NETWORK_MAX);
	for (in = 2 * GATE_NETWORK_MAX; many.s6_addr[7] < 255; many.s6_addr[7]++)
		in += many.s6_addr[7] ? crowd(g, many, 100) : 0;
	assert_int_equal(in, GATE_STRANGERS_MAX);
	one.s6_addr[15] = 9;
	assert_false(gate_is_open(g, &one));
	one.s6_addr[15] = 1;
	assert_int_equal(crowd(g, four, 100), GATE_AUTHORITY_MAX);
	assert_int_equal(crowd(g, six, 100), GATE_AUTHORITY_MAX);
	/* Its neighbour is nobody. */
	six.s6_addr[15] = 2;
	assert_false(gate_is_open(g, &six));
	gate_leave(g, &four);
	assert_true(gate_is_open(g, &four));
	gate_leave(g, &one);
	assert_int_equal(crowd(g, six, 100), 1);
	gate_free(g);
	dirauth_config_free(conf);
}

static void measured(void **state)
{
	const struct roster_rules rules = { .max = 3, .unmeasured_max = 500 };
	struct in6_addr from = test_address(1);
	struct roster *r;
	struct listings l;
	struct error err;
	size_t len;
	_cleanup_free_ char *text = test_descriptor(&(struct test_relay){ .id = 1, .published = 1000 }, &len);
	char line[128], key[64];
	struct relay_id id = test_relay_id(1);

	(void)state;
	assert_int_equal(roster_new(&rules, &r), 0);
	assert_int_equal(roster_add(r, text, len, &from, 1000, &err), 1);
	sodium_bin2base64(key, sizeof(key), id.b, 32, sodium_base64_VARIANT_ORIGINAL);
	snprintf(line, sizeof(line), "relay %s 123456\n", key);
	assert_int_equal(measurements_parse(line, strlen(line), r, &err), 0);
	assert_int_equal(roster_listings(r, 1000, 1000, &l), 0);
	assert_int_equal(l.v[0].weight, 123456);
	listings_clear(&l);
	/* A file with a fault counts as none, not as half of one. */
	snprintf(line, sizeof(line), "relay %s 123456\nrelay x 1\n", key);
	assert_int_equal(measurements_parse(line, strlen(line), r, &err), -EINVAL);
	assert_memory_equal(err.text, "line 2: ", 8);
	assert_int_equal(roster_listings(r, 1000, 1000, &l), 0);
	assert_int_equal(l.v[0].weight, 500);
	listings_clear(&l);
	assert_int_equal(measurements_read("/nonexistent", r, &err), -ENOENT);
	roster_free(r);
}

#define DATABASE "userspace/tests/data/locations.mmdb" /* make-locations beside it says what is in it */

static void located(void **state)
{
	struct locations *l = NULL;
	struct error err = { "" };
	struct in6_addr six;
	struct in6_addr four = test_address(9), other = test_address(200), unknown = test_address(9);
	char country[3];
	uint32_t as;

	(void)state;
	if (locations_open(DATABASE, DATABASE, &l, &err) < 0)
		fail_msg("%s", err.text);
	locations_find(l, &four, &as, country);
	assert_true(as == 64500 && strcmp(country, "AT") == 0);
	locations_find(l, &other, &as, country);
	assert_true(as == 64501 && strcmp(country, "DE") == 0);
	inet_pton(AF_INET6, "2001:db8::7", &six);
	locations_find(l, &six, &as, country);
	assert_true(as == 64502 && strcmp(country, "FR") == 0);
	unknown.s6_addr[12] = 10;
	locations_find(l, &unknown, &as, country);
	assert_true(as == 0 && country[0] == '\0');
	locations_close(l);
	assert_int_equal(locations_open(NULL, NULL, &l, &err), 0);
	locations_find(l, &four, &as, country);
	assert_true(as == 0 && country[0] == '\0');
	locations_close(l);
	assert_int_equal(locations_open("/nonexistent", NULL, &l, &err), -EINVAL);
	assert_int_equal(locations_open(NULL, "userspace/tests/data/make-locations", &l, &err), -EINVAL);
}

static int setup(void **state)
{
	(void)state;
	return sodium_init() < 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(configuration), cmocka_unit_test(shelves), cmocka_unit_test(differences),
		cmocka_unit_test(archives),	 cmocka_unit_test(gates),   cmocka_unit_test(measured),
		cmocka_unit_test(located),
	};

	return cmocka_run_group_tests_name("dirauth", tests, setup, NULL);
}
