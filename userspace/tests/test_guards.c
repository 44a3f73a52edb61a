/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The sample of guards: who is tried when, and what somebody gets who cuts the client off from them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "lib/cleanup.h"
#include "path/guards.h"

#define D0 (20000 * GUARDS_DAY)
#define RELAYS 100

static void fill(void *ctx, void *out, size_t len)
{
	(void)ctx;
	memset(out, 0x5a, len);
}
static const struct rng rng = { fill, NULL };

/* Relays 1..RELAYS, drawn in this order; those in `gone` are listed no more. */
struct world {
	bool gone[RELAYS + 1];
};

static struct relay_id id_of(unsigned int i)
{
	return (struct relay_id){ { (uint8_t)i } };
}

static bool listed(void *ctx, const struct relay_id *id)
{
	return !((struct world *)ctx)->gone[id->b[0]];
}

static bool draw(void *ctx, const struct relay_id *none, size_t n, struct relay_id *ret)
{
	for (unsigned int i = 1; i <= RELAYS; i++) {
		bool have = ((struct world *)ctx)->gone[i];

		for (size_t k = 0; k < n && !have; k++)
			have = none[k].b[0] == i;
		if (!have) {
			*ret = id_of(i);
			return true;
		}
	}
	return false;
}

static unsigned int pick(struct guards *g, struct world *w, uint64_t date, uint64_t now)
{
	const struct guards_source source = { .listed = listed, .draw = draw, .ctx = w };
	uint64_t wait;
	const struct relay_id *id = guards_pick(g, &source, &rng, date, now, &wait);

	assert_true(id || wait);
	return id ? id->b[0] : 0;
}

static void failed(struct guards *g, unsigned int i, uint64_t now)
{
	struct relay_id id = id_of(i);

	guards_failed(g, &id, now);
}

static void worked(struct guards *g, unsigned int i, uint64_t date)
{
	struct relay_id id = id_of(i);

	guards_worked(g, &id, &rng, date);
}

static void refresh(struct guards *g, struct world *w, uint64_t date)
{
	const struct guards_source source = { .listed = listed, .draw = draw, .ctx = w };

	guards_refresh(g, &source, &rng, date);
}

static void the_first_that_works(void **state)
{
	struct guards g = { 0 };
	struct world w = { { false } };

	(void)state;
	refresh(&g, &w, D0);
	assert_int_equal(g.n, GUARDS_SAMPLE);
	assert_true(g.v[0].added <= D0 && g.v[0].added > D0 - GUARDS_BLUR);
	assert_int_equal(pick(&g, &w, D0, 100), 1);
	assert_int_equal(pick(&g, &w, D0, 100), 1); /* nothing came of it yet */
	failed(&g, 1, 100);
	assert_int_equal(pick(&g, &w, D0, 100), 2);
	worked(&g, 2, D0);
	/* what worked is before what never did, from now on */
	assert_int_equal(pick(&g, &w, D0, 101), 2);
	assert_int_equal(pick(&g, &w, D0, 10000), 2);
	/* and the other one's turn is when it fails */
	failed(&g, 2, 10000);
	assert_int_equal(pick(&g, &w, D0, 10000), 1);
	worked(&g, 1, D0);
	assert_int_equal(pick(&g, &w, D0, 10001), 1); /* 2 waits its 30 seconds */
	assert_int_equal(pick(&g, &w, D0, 10030), 2);
}

/* All connections fail but to the attacker's relay, 50: it never comes before the sample has grown that far. */
static void cut_off(void **state)
{
	unsigned int tried[RELAYS + 1] = { 0 }, i;
	struct guards g = { 0 };
	struct world w = { { false } };
	uint64_t now, others_at = 0;

	(void)state;
	refresh(&g, &w, D0);
	worked(&g, 1, D0);
	for (now = 0; now < GUARDS_DAY; now++) {
		i = pick(&g, &w, D0, now);
		if (!i)
			continue;
		if (i > GUARDS_PRIMARY && !others_at)
			others_at = now;
		tried[i]++;
		failed(&g, i, now);
	}
	assert_true(others_at >= 30); /* twice each, 30 seconds between */
	for (i = 1; i <= GUARDS_SAMPLE; i++)
		assert_true(tried[i] > 0);
	for (; i <= RELAYS; i++)
		assert_int_equal(tried[i], 0);
	assert_int_equal(g.n, GUARDS_SAMPLE);
	/* the first ones are tried most */
	assert_true(tried[1] > 5 * tried[GUARDS_SAMPLE]);
	/* the clock says a year; consensuses do not */
	for (; now < 365 * GUARDS_DAY; now += 3600) {
		i = pick(&g, &w, D0 + GUARDS_DAY / 2, now);
		if (i)
			failed(&g, i, now);
	}
	assert_int_equal(g.n, GUARDS_SAMPLE);
	/* days pass: one more each, up to the end of the sample */
	for (uint64_t day = 2; day < 40; day++) {
		refresh(&g, &w, D0 + day * GUARDS_DAY);
		now += GUARDS_DAY;
		i = pick(&g, &w, D0 + day * GUARDS_DAY, now);
		for (size_t k = 0; k < g.n; k++)
			failed(&g, g.v[k].id.b[0], now);
		assert_true(g.n < GUARDS_SAMPLE + day);
	}
	assert_int_equal(g.n, GUARDS_MAX);
	/* the way is free again: the oldest one first */
	assert_int_equal(pick(&g, &w, D0 + 40 * GUARDS_DAY, now + 20000), 1);
}

static void lives(void **state)
{
	struct guards g = { 0 };
	struct world w = { { false } };

	(void)state;
	refresh(&g, &w, D0);
	worked(&g, 1, D0);
	/* not listed: not used, not forgotten at once; another one fills up, a day after the last at the earliest */
	w.gone[1] = true;
	refresh(&g, &w, D0 + GUARDS_DAY);
	assert_int_equal(g.n, GUARDS_SAMPLE);
	assert_int_equal(pick(&g, &w, D0 + GUARDS_DAY, 0), 2);
	refresh(&g, &w, D0 + GUARDS_DAY + 1);
	assert_int_equal(g.n, GUARDS_SAMPLE + 1);
	w.gone[1] = false;
	refresh(&g, &w, D0 + 2 * GUARDS_DAY);
	assert_int_equal(pick(&g, &w, D0 + 2 * GUARDS_DAY, 0), 1);
	w.gone[1] = true;
	refresh(&g, &w, D0 + 3 * GUARDS_DAY);
	refresh(&g, &w, D0 + 24 * GUARDS_DAY);
	assert_int_equal(g.v[0].id.b[0], 2);
	assert_int_equal(g.n, GUARDS_SAMPLE);
	worked(&g, 2, D0 + 24 * GUARDS_DAY);
	refresh(&g, &w, D0 + (24 + 61) * GUARDS_DAY);
	assert_int_not_equal(g.v[0].id.b[0], 2); /* its time is over */
	refresh(&g, &w, D0 + 400 * GUARDS_DAY);
	assert_int_equal(g.n, GUARDS_SAMPLE);
	for (size_t i = 0; i < g.n; i++)
		assert_true(g.v[i].added > D0 + 300 * GUARDS_DAY);
	/* times that are to come: from now on */
	g.grown = g.v[0].added = g.v[0].confirmed = D0 + 9999 * GUARDS_DAY;
	refresh(&g, &w, D0 + 401 * GUARDS_DAY);
	assert_true(g.grown == D0 + 401 * GUARDS_DAY && g.v[0].confirmed == D0 + 401 * GUARDS_DAY);
}

/* Somebody takes down whoever is listed, hour by hour: one each day, one at once where nobody is left, never none. */
static void taken_down(void **state)
{
	struct guards g = { 0 };
	struct world w = { { false } };
	unsigned int i;

	(void)state;
	refresh(&g, &w, D0);
	for (unsigned int hour = 1; hour <= 60; hour++) {
		uint64_t date = D0 + hour * UINT64_C(3600);

		i = pick(&g, &w, date, hour);
		assert_int_not_equal(i, 0);
		assert_true(i <= GUARDS_SAMPLE + hour);
		w.gone[i] = true;
		refresh(&g, &w, date);
		assert_true(g.n <= GUARDS_MAX);
	}
}

/* Several attempts at once that fail at once are one failure. */
static void at_once(void **state)
{
	struct guards g = { 0 };
	struct world w = { { false } };

	(void)state;
	refresh(&g, &w, D0);
	for (unsigned int i = 1; i <= GUARDS_PRIMARY; i++)
		for (int k = 0; k < 5; k++)
			failed(&g, i, 100);
	assert_int_equal(pick(&g, &w, D0, 100), 0);
	assert_int_equal(pick(&g, &w, D0, 129), 0);
	assert_int_equal(pick(&g, &w, D0, 130), 1);
}

static void few(void **state)
{
	struct guards g = { 0 };
	struct world w = { { false } };
	const struct guards_source source = { .listed = listed, .draw = draw, .ctx = &w };
	struct relay_id stranger = id_of(77);
	uint64_t wait;

	(void)state;
	for (unsigned int i = 3; i <= RELAYS; i++)
		w.gone[i] = true;
	assert_null(guards_pick(&g, &source, &rng, D0, 0, &wait));
	assert_int_equal(wait, 0);
	refresh(&g, &w, D0);
	assert_int_equal(g.n, 2);
	guards_failed(&g, &stranger, 0);
	guards_worked(&g, &stranger, &rng, D0);
	assert_int_equal(g.n, 2);
	failed(&g, 1, 0);
	failed(&g, 2, 0);
	assert_int_equal(pick(&g, &w, D0, 0), 0);
	assert_int_equal(pick(&g, &w, D0, 29), 0);
	assert_int_equal(pick(&g, &w, D0, 30), 1);
	failed(&g, 1, 30);
	assert_int_equal(pick(&g, &w, D0, 30), 2);
	/* never longer than two minutes for one of the first */
	for (uint64_t i = 1; i < 100; i++)
		failed(&g, 2, 1000 * i);
	assert_int_equal(g.v[1].retry_at, 99120);
	guards_forget_failures(&g);
	assert_int_equal(pick(&g, &w, D0, 30), 1);
}

static bool odd(void *ctx, const struct relay_id *id)
{
	(void)ctx;
	return id->b[0] % 2;
}

static bool beyond(void *ctx, const struct relay_id *id)
{
	(void)ctx;
	return id->b[0] > 50;
}

/* A wish that not every guard suits: as if those that suit were all; the others' failures do not count. */
static void suiting(void **state)
{
	struct guards g = { 0 };
	struct world w = { { false } };
	struct guards_source source = { .listed = listed, .draw = draw, .suits = odd, .ctx = &w };
	struct relay_id id = id_of(60);
	uint64_t wait;

	(void)state;
	refresh(&g, &w, D0);
	assert_int_equal(guards_pick(&g, &source, &rng, D0, 0, &wait)->b[0], 1);
	failed(&g, 1, 0);
	assert_int_equal(guards_pick(&g, &source, &rng, D0, 0, &wait)->b[0], 3);
	assert_int_equal(pick(&g, &w, D0, 0), 2);
	failed(&g, 3, 0);
	failed(&g, 5, 0);
	assert_null(guards_pick(&g, &source, &rng, D0, 0, &wait));
	assert_int_equal(wait, 30);
	assert_int_equal(g.n, GUARDS_SAMPLE);
	/* none of them suits: that is no reason to wait, and no failure */
	source.suits = beyond;
	assert_null(guards_pick(&g, &source, &rng, D0, 0, &wait));
	assert_int_equal(wait, 0);
	assert_int_equal(g.n, GUARDS_SAMPLE);
	assert_int_equal(guards_add(&g, &id, &rng, D0)->b[0], 60);
	assert_null(guards_add(&g, &id, &rng, D0)); /* is there */
	assert_int_equal(guards_pick(&g, &source, &rng, D0, 0, &wait)->b[0], 60);
	assert_int_equal(guards_place(&g, &id), GUARDS_SAMPLE + 1);
	id = id_of(61);
	assert_int_equal(guards_place(&g, &id), 0);
	/* it comes behind all others for whom they suit */
	assert_int_equal(pick(&g, &w, D0, 0), 2);
	/* no room; one that is not listed goes */
	for (unsigned int i = 70; g.n < GUARDS_MAX; i++)
		assert_non_null(guards_add(&g, &(struct relay_id){ { (uint8_t)i } }, &rng, D0));
	assert_null(guards_add(&g, &id, &rng, D0));
	w.gone[2] = true;
	refresh(&g, &w, D0);
	assert_non_null(guards_add(&g, &id, &rng, D0));
	assert_int_equal(g.n, GUARDS_MAX);
	assert_int_equal(guards_place(&g, &(struct relay_id){ { 2 } }), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_that_works),
		cmocka_unit_test(cut_off),
		cmocka_unit_test(lives),
		cmocka_unit_test(taken_down),
		cmocka_unit_test(at_once),
		cmocka_unit_test(few),
		cmocka_unit_test(suiting),
	};

	return cmocka_run_group_tests_name("guards", tests, NULL, NULL);
}
