/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How authorities come to one consensus: all there, one away, one that tells different things, one that sees another.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "directory/roster.h"
#include "directory/round.h"
#include "lib/cleanup.h"
#include "tests/descriptor_fixture.h"

#define N 3
#define T0 UINT64_C(1700000000)

static uint8_t keys[N + 1][32];

static void seed_of(size_t i, uint8_t ret[32])
{
	memset(ret, 0, 32);
	ret[0] = (uint8_t)(100 + i);
}

static int setup(void **state)
{
	uint8_t secret[64], seed[32];

	(void)state;
	if (sodium_init() < 0)
		return -1;
	for (size_t i = 0; i <= N; i++) {
		seed_of(i, seed);
		crypto_sign_seed_keypair(keys[i], secret, seed);
	}
	return 0;
}

static struct round *round_at(uint64_t t)
{
	struct round *r = NULL;

	assert_int_equal(round_new(t, (const uint8_t(*)[32])keys, N, &r), 0);
	return r;
}

/* Authority i's vote for an interval, for relays 1 to n (malloc). */
static char *vote_by(size_t i, uint64_t t, uint8_t n, size_t *ret_len)
{
	struct vote v = { .interval = { t, t + 3600, t + 3 * 3600, 1418 } };
	const struct roster_rules rules = { .max = 10, .unmeasured_max = 1000 };
	struct error err = { "" };
	struct roster *roster;
	uint8_t seed[32];
	char *text = NULL;

	memcpy(v.authority, keys[i], 32);
	assert_int_equal(roster_new(&rules, &roster), 0);
	for (uint8_t k = 1; k <= n; k++) {
		const struct test_relay relay = { .id = k, .published = t };
		size_t len;
		_cleanup_free_ char *descriptor = test_descriptor(&relay, &len);

		assert_int_equal(roster_add(roster, descriptor, len, NULL, t, &err), 1);
	}
	assert_int_equal(roster_listings(roster, t, t, &v.relays), 0);
	seed_of(i, seed);
	if (vote_make(&v, seed, &text, ret_len, &err) < 0)
		fail_msg("%s", err.text);
	listings_clear(&v.relays);
	roster_free(roster);
	return text;
}

static int cast(struct round *r, size_t i, uint64_t t, uint8_t n)
{
	struct error err = { "" };
	size_t len;
	_cleanup_free_ char *text = vote_by(i, t, n, &len);

	return round_add_vote(r, &text, len, &err);
}

static int compute(struct round *r, size_t i)
{
	_cleanup_free_ char *body = NULL;
	struct error err = { "" };
	uint8_t seed[32];
	size_t len;
	int e = round_compute(r, &body, &len, &err);

	seed_of(i, seed);
	return e < 0 ? e : round_sign(r, body, len, seed, &err);
}

/* What `from` has signed, to `to`. */
static int tell(const struct round *from, struct round *to, size_t *ret_other)
{
	_cleanup_free_ char *lines = NULL;
	struct error err = { "" };
	size_t len;

	assert_int_equal(round_signatures(from, &lines, &len, &err), 0);
	assert_true(len <= ROUND_SIGNATURES_MAX);
	return round_add_signatures(to, lines, len, ret_other, &err);
}

/* Of the result of a round: its votes, and relays. -ENOKEY: not enough signatures. */
static int result(const struct round *r, struct consensus *ret)
{
	_cleanup_free_ char *text = NULL;
	struct error err = { "" };
	size_t len;
	int e = round_result(r, &text, &len, &err);

	return e < 0 ? e : consensus_parse(text, len, (const uint8_t(*)[32])keys, N, ret, &err);
}

static void all_agree(void **state)
{
	struct round *a = round_at(T0), *b = round_at(T0);
	struct consensus c;
	size_t other;

	(void)state;
	for (size_t i = 0; i < N; i++) {
		assert_int_equal(cast(a, i, T0, 4), 1);
		assert_int_equal(cast(b, N - 1 - i, T0, 4), 1);
	}
	assert_int_equal(cast(a, 0, T0, 4), 0);
	assert_int_equal(round_counted(a), N);
	assert_int_equal(compute(a, 0), 0);
	assert_int_equal(compute(b, 1), 0);
	assert_int_equal(result(a, &c), -ENOKEY);
	assert_int_equal(tell(b, a, &other), 1);
	assert_int_equal(tell(b, a, &other), 0);
	assert_int_equal(other, 0);
	assert_int_equal(round_signed(a), 2);
	assert_int_equal(result(a, &c), 0);
	assert_int_equal(c.n_votes, N);
	assert_int_equal(c.n, 4);
	consensus_clear(&c);
	round_free(a);
	round_free(b);
}

static void one_is_away(void **state)
{
	struct round *a = round_at(T0), *b = round_at(T0);
	struct consensus c;
	size_t other;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		cast(a, i, T0, 4);
		cast(b, i, T0, 4);
	}
	assert_int_equal(compute(a, 0), 0);
	assert_int_equal(compute(b, 1), 0);
	assert_int_equal(tell(b, a, &other), 1);
	assert_int_equal(result(a, &c), 0);
	assert_int_equal(c.n_votes, 2);
	consensus_clear(&c);
	round_free(a);
	round_free(b);
	/* One alone is no majority. */
	a = round_at(T0);
	cast(a, 0, T0, 4);
	assert_int_equal(compute(a, 0), -ENODATA);
	assert_null(round_body(a, &other));
	round_free(a);
}

struct seen {
	struct round *from, *to;
	size_t whose; /* from */
	int moved;
};

/* What an authority does with another's list: it takes what it does not have. */
static void fetch(void *ctx, const uint8_t authority[32], const uint8_t hash[32])
{
	struct seen *s = ctx;
	struct round_vote v[2];
	struct error err = { "" };
	size_t n = round_votes_of(s->from, authority, v);

	if (!round_wants(s->to, keys[s->whose], authority, hash))
		return;
	for (size_t i = 0; i < n; i++) {
		_cleanup_free_ char *copy = NULL;

		if (memcmp(v[i].hash, hash, 32) != 0)
			continue;
		copy = strdup(v[i].text);
		assert_int_equal(round_add_vote(s->to, &copy, v[i].len, &err), 1);
		s->moved++;
	}
}

static int exchange(struct round *from, size_t whose, struct round *to)
{
	struct seen s = { from, to, whose, 0 };
	_cleanup_free_ char *list = NULL;
	size_t len;

	assert_int_equal(round_list(from, &list, &len), 0);
	assert_true(len <= ROUND_LIST_MAX);
	assert_int_equal(round_list_read(list, len, fetch, &s), 0);
	return s.moved;
}

/* Authority 2 gives 0 and 1 different votes; each alone would see nothing wrong. */
static void one_equivocates(void **state)
{
	struct round *a = round_at(T0), *b = round_at(T0);
	struct consensus c;
	size_t other;

	(void)state;
	cast(a, 0, T0, 4);
	cast(a, 2, T0, 4);
	cast(b, 1, T0, 4);
	cast(b, 2, T0, 1);
	assert_int_equal(exchange(b, 1, a), 2);
	assert_int_equal(exchange(a, 0, b), 2);
	assert_int_equal(exchange(a, 0, b), 0);
	assert_int_equal(round_counted(a), 2);
	/* It has a third one, of which nobody needs to know. */
	assert_int_equal(cast(a, 2, T0, 2), 0);
	assert_int_equal(compute(a, 0), 0);
	assert_int_equal(compute(b, 1), 0);
	assert_int_equal(tell(b, a, &other), 1);
	assert_int_equal(result(a, &c), 0);
	assert_int_equal(c.n_votes, 2);
	assert_int_equal(c.n, 4);
	for (size_t i = 0; i < c.n_votes; i++)
		assert_memory_not_equal(c.votes[i].authority, keys[2], 32);
	consensus_clear(&c);
	round_free(a);
	round_free(b);
}

/*
 * Authority 2 gives its vote, or another one, to 0 when 1 asks nobody any more: 0 does not take it from 2, but what it
 * has in time comes to 1 nevertheless.
 */
static void one_is_late(void **state)
{
	struct round *a = round_at(T0), *b = round_at(T0), *late = round_at(T0), *first = round_at(T0);
	struct round_vote v[2];

	(void)state;
	cast(first, 2, T0, 4);
	cast(late, 2, T0, 1);
	assert_int_equal(exchange(first, 2, a), 1);
	round_close(a);
	round_close(b);
	assert_int_equal(exchange(late, 2, a), 0);
	assert_int_equal(exchange(late, 2, b), 0);
	assert_int_equal(exchange(a, 0, b), 1);
	assert_int_equal(round_votes_of(a, keys[2], v), 1);
	assert_int_equal(round_votes_of(b, keys[2], v), 1);
	/* The other one, which reached somebody else in time. */
	assert_int_equal(exchange(late, 1, a), 1);
	assert_int_equal(round_votes_of(a, keys[2], v), 2);
	round_free(a);
	round_free(b);
	round_free(late);
	round_free(first);
}

/* Without that exchange they compute different ones: there is no consensus, and no fork either. */
static void different_views_sign_nothing_together(void **state)
{
	struct round *a = round_at(T0), *b = round_at(T0);
	struct consensus c;
	size_t other;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		cast(a, i, T0, 4);
		cast(b, i, T0, 4);
	}
	cast(a, 2, T0, 4);
	cast(b, 2, T0, 1);
	compute(a, 0);
	compute(b, 1);
	assert_int_equal(tell(b, a, &other), 0);
	assert_int_equal(other, 1);
	assert_int_equal(result(a, &c), -ENOKEY);
	/* Evidence that comes later does not make it sign again. */
	assert_int_equal(exchange(b, 1, a), 1);
	compute(a, 0);
	assert_int_equal(tell(b, a, &other), 0);
	assert_int_equal(result(a, &c), -ENOKEY);
	round_free(a);
	round_free(b);
}

/* Who is started again signs what it had signed, not what it would now. */
static void a_restart_signs_the_same(void **state)
{
	struct round *a = round_at(T0), *b = round_at(T0), *again = round_at(T0);
	struct error err = { "" };
	const char *body;
	size_t len, other;
	uint8_t seed[32];

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		cast(a, i, T0, 4);
		cast(b, i, T0, 4);
	}
	compute(a, 0);
	compute(b, 1);
	body = round_body(a, &len);
	seed_of(0, seed);
	assert_int_equal(round_sign(again, "identity x\n", 11, seed, &err), -EINVAL);
	assert_int_equal(round_sign(again, body, len, seed, &err), 0);
	for (size_t i = 0; i < N; i++)
		cast(again, i, T0, 4);
	assert_int_equal(compute(again, 0), 0);
	assert_int_equal(tell(again, b, &other), 1);
	assert_int_equal(other, 0);
	round_free(a);
	round_free(b);
	round_free(again);
}

static void strangers(void **state)
{
	struct round *r = round_at(T0);
	uint8_t twice[2][32] = { { 1 }, { 1 } };
	struct seen nothing = { r, r, 0, 0 };
	struct error err = { "" };
	size_t other, len;
	_cleanup_free_ char *list = NULL, *lines = NULL;
	struct round *bad;

	(void)state;
	assert_int_equal(round_new(T0, (const uint8_t(*)[32])twice, 2, &bad), -EINVAL);
	assert_int_equal(round_new(T0, (const uint8_t(*)[32])twice, 0, &bad), -EINVAL);
	assert_int_equal(cast(r, N, T0, 1), -EPERM);
	assert_int_equal(cast(r, 0, T0 + 3600, 1), -ESTALE);
	assert_int_equal(round_counted(r), 0);
	assert_int_equal(round_signatures(r, &lines, &len, &err), -ENODATA);
	assert_int_equal(round_add_signatures(r, "", 0, &other, &err), -ENODATA);
	cast(r, 0, T0, 1);
	cast(r, 1, T0, 1);
	assert_int_equal(compute(r, 0), 0);
	assert_int_equal(round_add_signatures(r, "signature\n", 10, &other, &err), -EINVAL);
	assert_int_equal(round_add_signatures(r, "identity x\n", 11, &other, &err), -EINVAL);
	assert_int_equal(round_list(r, &list, &len), 0);
	assert_int_equal(round_list_read(list, len, fetch, &nothing), 0);
	assert_int_equal(round_list_read(list, len - 1, fetch, &nothing), -EINVAL);
	list[3] = 'G';
	assert_int_equal(round_list_read(list, len, fetch, &nothing), -EINVAL);
	list[3] = 'A';
	assert_int_equal(round_list_read(list, len, fetch, &nothing), -EINVAL);
	list[3] = 'a';
	list[64] = '\n';
	assert_int_equal(round_list_read(list, len, fetch, &nothing), -EINVAL);
	assert_int_equal(nothing.moved, 0);
	round_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_agree),
		cmocka_unit_test(one_is_away),
		cmocka_unit_test(one_equivocates),
		cmocka_unit_test(one_is_late),
		cmocka_unit_test(different_views_sign_nothing_together),
		cmocka_unit_test(a_restart_signs_the_same),
		cmocka_unit_test(strangers),
	};

	return cmocka_run_group_tests_name("round", tests, setup, NULL);
}
