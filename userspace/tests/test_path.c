/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Path selection: constraints always, and the distribution with a fixed seed. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/cleanup.h"
#include "path/path.h"
#include "tests/chance.h"

static uint64_t seed;
static const struct rng rng = { chance_fill, &seed };

/* roles: one character a relay: g guard, e exit, b both, m neither. Names: r0, r1, ... */
static struct network make(const char *roles)
{
	struct network net = { .n_relays = strlen(roles) };

	net.relays = calloc(net.n_relays + 1, sizeof(*net.relays));
	for (size_t i = 0; i < net.n_relays; i++) {
		snprintf(net.relays[i].name, RELAY_NAME_MAX, "r%zu", i);
		memcpy(net.relays[i].id.b, &i, sizeof(i));
		net.relays[i].guard = roles[i] == 'g' || roles[i] == 'b';
		net.relays[i].exit = roles[i] == 'e' || roles[i] == 'b';
	}
	return net;
}

static size_t index_of(const struct relay *r)
{
	size_t i;

	memcpy(&i, r->id.b, sizeof(i));
	return i;
}

static size_t encode_path(const struct relay *path, size_t hops, size_t n)
{
	size_t code = 0;

	for (size_t i = 0; i < hops; i++)
		code = code * n + index_of(&path[i]);
	return code;
}

/* Is a sequence of indices a path that the rules allow? */
static int allowed(const struct network *net, size_t code, size_t hops)
{
	size_t at[HOPS_MAX] = { 0 };

	for (size_t i = hops; i-- > 0; code /= net->n_relays)
		at[i] = code % net->n_relays;
	for (size_t i = 0; i < hops; i++)
		for (size_t j = 0; j < i; j++)
			if (at[i] == at[j])
				return 0;
	return net->relays[at[0]].guard && net->relays[at[hops - 1]].exit;
}

/* Draws so often that each allowed path is expected 200 times; none other may come, all equally often. */
static void uniform(const char *roles, size_t hops)
{
	struct path_request req = { .hops = hops };
	struct network net = make(roles);
	struct relay path[HOPS_MAX];
	struct error err;
	size_t codes = 1, n_allowed = 0, draws;
	uint32_t *hits;
	double chi = 0;

	for (size_t i = 0; i < hops; i++)
		codes *= net.n_relays;
	hits = calloc(codes, sizeof(*hits));
	for (size_t c = 0; c < codes; c++)
		n_allowed += (size_t)allowed(&net, c, hops);
	draws = n_allowed * 200;
	seed = 88172645463325252u;
	for (size_t i = 0; i < draws; i++) {
		assert_int_equal(path_choose(&net, &req, &rng, path, &err), 0);
		hits[encode_path(path, hops, net.n_relays)]++;
	}
	for (size_t c = 0; c < codes; c++) {
		double d = (double)hits[c] - 200;

		if (!allowed(&net, c, hops))
			assert_int_equal(hits[c], 0);
		else
			chi += d * d / 200;
	}
	if (n_allowed > 1 && chi > chi_square_limit((double)(n_allowed - 1)))
		fail_msg("%s, %zu hops: chi-square %f over %zu paths", roles, hops, chi, n_allowed);
	free(hits);
	free(net.relays);
}

static void distribution(void **state)
{
	(void)state;
	uniform("bbgem", 1);
	uniform("be", 2);
	uniform("bg", 2);
	uniform("bbb", 2);
	uniform("gbem", 3);
	uniform("bbbgem", 3);
	uniform("ggebm", 4);
	uniform("bbbbb", 5);
	uniform("gmmme", 5);
}

/* The test above must be able to fail: the same statistic for a drawing with modulo bias. */
static void bias_is_seen(void **state)
{
	uint32_t hits[5] = { 0 };
	double chi = 0;

	(void)state;
	seed = 88172645463325252u;
	for (int i = 0; i < 1000; i++)
		hits[rng_below(&rng, 8) % 5]++;
	for (int i = 0; i < 5; i++)
		chi += ((double)hits[i] - 200) * ((double)hits[i] - 200) / 200;
	assert_true(chi > chi_square_limit(4));
}

static void lacking(void **state)
{
	static const struct {
		const char *roles, *says;
		size_t hops;
	} bad[] = {
		{ "", "no usable relay is a guard", 3 },
		{ "mmee", "no usable relay is a guard", 3 },
		{ "gmm", "no usable relay is an exit", 3 },
		{ "ge", "3 hops need as many relays, but only 2 are", 3 },
		{ "gem", "both guard and exit", 1 },
		{ "bmm", "r0, is also the only usable exit", 3 },
		{ "b", "r0, is also the only usable exit", 2 },
	};
	struct error err;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct network net = make(bad[i].roles);
		struct path_request req = { .hops = bad[i].hops };
		struct relay path[HOPS_MAX], before[HOPS_MAX];

		memset(path, 0x55, sizeof(path));
		memcpy(before, path, sizeof(path));
		assert_int_equal(path_choose(&net, &req, &rng, path, &err), -ENOENT);
		if (!strstr(err.text, bad[i].says))
			fail_msg("\"%s\" does not say \"%s\"", err.text, bad[i].says);
		assert_memory_equal(path, before, sizeof(path));
		free(net.relays);
	}
}

static void hops_range(void **state)
{
	struct network net = make("bbbbbbb");
	struct relay path[HOPS_MAX];
	struct path_request req = { .hops = 0 };
	struct error err;

	(void)state;
	assert_int_equal(path_choose(&net, &req, &rng, path, &err), -EINVAL);
	req.hops = HOPS_MAX + 1;
	assert_int_equal(path_choose(&net, &req, &rng, path, &err), -EINVAL);
	free(net.relays);
}

static void exclusions(void **state)
{
	struct network net = make("gggmmeee");
	struct relay_id no[] = { net.relays[0].id, net.relays[4].id, net.relays[7].id, net.relays[0].id };
	struct path_request req = { .hops = 3, .exclude = no, .n_exclude = ARRAY_SIZE(no) };
	struct relay path[HOPS_MAX];
	struct error err;
	size_t seen = 0;

	(void)state;
	for (int i = 0; i < 2000; i++) {
		assert_int_equal(path_choose(&net, &req, &rng, path, &err), 0);
		for (int h = 0; h < 3; h++)
			seen |= (size_t)1 << index_of(&path[h]);
	}
	assert_int_equal(seen, 0xff & ~(1 | 1 << 4 | 1 << 7));
	no[0] = net.relays[1].id;
	no[1] = net.relays[2].id;
	assert_int_equal(path_choose(&net, &req, &rng, path, &err), -ENOENT);
	assert_string_equal(err.text, "no usable relay is a guard");
	free(net.relays);
}

static void pinned(void **state)
{
	struct network net = make("gmeb");
	const char *names[3] = { "r0", "r1", "r2" };
	struct relay_id dead = net.relays[1].id;
	struct path_request req = { .hops = 3, .pin = names, .exclude = &dead, .n_exclude = 1 };
	struct relay path[HOPS_MAX];
	struct error err;

	(void)state;
	assert_int_equal(path_choose(&net, &req, &rng, path, &err), 0);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(index_of(&path[i]), i);
	names[1] = "r0";
	assert_int_equal(path_choose(&net, &req, &rng, path, &err), -EINVAL);
	names[1] = "r9";
	assert_int_equal(path_choose(&net, &req, &rng, path, &err), -ENOENT);
	assert_string_equal(err.text, "the network has no relay r9");
	names[0] = "r1", names[1] = "r0";
	assert_int_equal(path_choose(&net, &req, &rng, path, &err), -EINVAL);
	assert_string_equal(err.text, "relay r1 is no guard and cannot be first");
	names[0] = "r0", names[1] = "r2", names[2] = "r1";
	assert_int_equal(path_choose(&net, &req, &rng, path, &err), -EINVAL);
	assert_string_equal(err.text, "relay r1 is no exit and cannot be last");
	names[0] = "r3";
	req.hops = 1;
	assert_int_equal(path_choose(&net, &req, &rng, path, &err), 0);
	names[0] = "r0";
	assert_int_equal(path_choose(&net, &req, &rng, path, &err), -EINVAL);
	free(net.relays);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(distribution), cmocka_unit_test(bias_is_seen), cmocka_unit_test(lacking),
		cmocka_unit_test(hops_range),	cmocka_unit_test(exclusions),	cmocka_unit_test(pinned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
