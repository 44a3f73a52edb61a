/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When the consensus is fetched and from whom: a host's first minutes, its quiet life, liars, and a wrong clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "anond/dir_schedule.h"

#define T0 UINT64_C(1700000000)
#define H 3600u

static const struct interval hour = { T0, T0 + H, T0 + 3 * H, 1418 };
static const struct dir_reach both = { { true, true, true, true } };

/* The same numbers in every run, all different. */
static void fill(void *ctx, void *out, size_t len)
{
	uint64_t *x = ctx;

	for (size_t i = 0; i < len; i++) {
		*x = *x * UINT64_C(6364136223846793005) + 1442695040888963407u;
		((uint8_t *)out)[i] = (uint8_t)(*x >> 56);
	}
}

static uint64_t seed;
static const struct rng rng = { fill, &seed };

static struct dir_schedule schedule(size_t servers, bool early)
{
	struct dir_schedule s;

	dir_schedule_init(&s, servers, early);
	return s;
}

static void at_first(void **state)
{
	struct dir_schedule s = schedule(4, false);
	unsigned int drawn[4] = { 0 };

	(void)state;
	/* Nothing is in force: at once, and from any. */
	assert_int_equal(dir_schedule_next(&s, 1000, T0), 1000);
	for (int i = 0; i < 400; i++)
		drawn[dir_schedule_pick(&s, 1000, T0, &both, &rng)]++;
	for (int i = 0; i < 4; i++)
		assert_in_range(drawn[i], 50, 150);
}

static void pauses_grow(void **state)
{
	struct dir_schedule s = schedule(3, false);
	uint64_t now = 5000, last = 0;

	(void)state;
	for (unsigned int i = 0; i < 14; i++) {
		uint64_t whole = i < 10 ? UINT64_C(1000) << i : DIR_PAUSE_MAX_MS, wait;
		int who = dir_schedule_pick(&s, now, T0, &both, &rng);

		whole = whole < DIR_PAUSE_MAX_MS ? whole : DIR_PAUSE_MAX_MS;
		assert_true(who >= 0);
		dir_schedule_failed(&s, (size_t)who, false, now, &rng);
		assert_int_equal(dir_schedule_pick(&s, now, T0, &both, &rng), -1);
		wait = s.all.until_ms - now;
		assert_in_range(wait, whole / 2, whole);
		/* looked at once a minute meanwhile */
		assert_true(dir_schedule_next(&s, now, T0) <= now + DIR_LOOK_MS);
		assert_int_equal(dir_schedule_pick(&s, now + wait - 1, T0, &both, &rng), -1);
		assert_true(wait >= last / 4);
		last = wait;
		now += wait;
	}
	/* The network is back: at once. */
	dir_schedule_failed(&s, 0, false, now, &rng);
	assert_int_equal(dir_schedule_pick(&s, now, T0, &both, &rng), -1);
	dir_schedule_changed(&s);
	assert_true(dir_schedule_pick(&s, now, T0, &both, &rng) >= 0);
	assert_int_equal(dir_schedule_next(&s, now, T0), now);
	/* And a success ends it, too. */
	dir_schedule_failed(&s, 1, false, now, &rng);
	dir_schedule_done(&s, 1);
	assert_int_equal(s.all.failures, 0);
	assert_int_equal(s.server[1].pause.failures, 0);
}

static void bad_ones_stay_away(void **state)
{
	struct dir_schedule s = schedule(3, false);
	uint64_t now = 1000;

	(void)state;
	dir_schedule_failed(&s, 1, true, now, &rng);
	now = s.all.until_ms;
	for (int i = 0; i < 100; i++)
		assert_int_not_equal(dir_schedule_pick(&s, now, T0, &both, &rng), 1);
	dir_schedule_failed(&s, 0, true, now, &rng);
	dir_schedule_failed(&s, 2, true, now, &rng);
	/* If all are bad, the one that was so first: no circle of liars keeps us from ever asking again. */
	s.server[1].pause.until_ms = s.server[0].pause.until_ms - 1;
	s.server[2].pause.until_ms = s.server[0].pause.until_ms + 1;
	assert_int_equal(dir_schedule_pick(&s, s.all.until_ms, T0, &both, &rng), 1);
}

/* A router that starts in 1970 and asks for its time later does not wait for what failed because of it. */
static void clock_is_set(void **state)
{
	struct dir_schedule s = schedule(2, false);

	(void)state;
	assert_false(dir_schedule_clock_set(&s, 5000, 5));
	for (size_t i = 0; i < 2; i++)
		dir_schedule_failed(&s, i, true, 5000, &rng);
	assert_int_equal(dir_schedule_pick(&s, 6000, 6, &both, &rng), -1);
	/* It goes, and is corrected a little. */
	assert_false(dir_schedule_clock_set(&s, 65000, 65 + DIR_STEP_S - 1));
	assert_int_equal(dir_schedule_pick(&s, 5000, 65, &both, &rng), -1);
	assert_true(dir_schedule_clock_set(&s, 66000, T0));
	assert_int_equal(s.server[0].pause.failures, 0);
	assert_true(dir_schedule_pick(&s, 5000, T0, &both, &rng) >= 0);
	/* And back. */
	dir_schedule_failed(&s, 1, true, 66000, &rng);
	assert_true(dir_schedule_clock_set(&s, 67000, T0 - 3600));
	assert_int_equal(s.server[1].pause.failures, 0);
}

static void in_reach(void **state)
{
	struct dir_schedule s = schedule(2, false);

	(void)state;
	for (int i = 0; i < 20; i++) {
		assert_int_equal(dir_schedule_pick(&s, 0, T0, &(struct dir_reach){ { true, false } }, &rng), 0);
		assert_int_equal(dir_schedule_pick(&s, 0, T0, &(struct dir_reach){ { false, true } }, &rng), 1);
	}
	assert_int_equal(dir_schedule_pick(&s, 0, T0, &(struct dir_reach){ { false, false } }, &rng), -1);
}

static void quiet_life(void **state)
{
	struct dir_schedule client = schedule(2, false), relay = schedule(2, true);
	const struct interval shortest = { T0, T0 + 2, T0 + 3, 1418 }, tight = { T0, T0 + H, T0 + H + 60, 1418 };
	uint64_t low = UINT64_MAX, high = 0;

	(void)state;
	for (int i = 0; i < 2000; i++) {
		dir_schedule_in_force(&client, &hour, &rng);
		low = client.due_s < low ? client.due_s : low;
		high = client.due_s > high ? client.due_s : high;
		dir_schedule_in_force(&relay, &hour, &rng);
		assert_in_range(relay.due_s, hour.fresh_until + 60, hour.fresh_until + 60 + 225);
		/* Always before it expires, or the circuits would. */
		dir_schedule_in_force(&client, &shortest, &rng);
		assert_in_range(client.due_s, shortest.fresh_until, shortest.valid_until - 1);
		dir_schedule_in_force(&client, &tight, &rng);
		assert_in_range(client.due_s, tight.fresh_until, tight.valid_until - 1);
	}
	/* Spread over nearly all of it: 2700 s after fresh-until, and 7/8 of the 4500 s that are then left. */
	assert_in_range(low, hour.fresh_until + 2700, hour.fresh_until + 2800);
	assert_in_range(high, hour.fresh_until + 6500, hour.fresh_until + 6637);
	dir_schedule_in_force(&client, &hour, &rng);
	assert_int_equal(dir_schedule_pick(&client, 0, client.due_s - 1, &both, &rng), -1);
	assert_true(dir_schedule_pick(&client, 0, client.due_s, &both, &rng) >= 0);
	/* Timers stand still while a host sleeps: it is looked at least once a minute. */
	assert_int_equal(dir_schedule_next(&client, 7, T0), 7 + DIR_LOOK_MS);
	assert_int_equal(dir_schedule_next(&client, 7, client.due_s - 10), 7 + 10000);
	/* Asked for by a person: now, once. */
	dir_schedule_want(&client);
	assert_true(dir_schedule_pick(&client, 0, T0, &both, &rng) >= 0);
	dir_schedule_done(&client, 0);
	assert_int_equal(dir_schedule_pick(&client, 0, T0, &both, &rng), -1);
}

static void worth(void **state)
{
	const uint64_t now = T0 + 100;

	(void)state;
	assert_int_equal(dir_worth(&hour, 0, 0, now), DIR_NEWER);
	assert_int_equal(dir_worth(&hour, T0 - H, T0, now), DIR_NEWER);
	assert_int_equal(dir_worth(&hour, T0, T0 + H, now), DIR_SAME);
	assert_int_equal(dir_worth(&hour, T0, T0 + H, T0 + H), DIR_STALE);
	assert_int_equal(dir_worth(&hour, T0 + 1, T0 + H, now), DIR_OLD);
	assert_int_equal(dir_worth(&hour, 0, 0, T0 + 3 * H - 1), DIR_NEWER);
	assert_int_equal(dir_worth(&hour, 0, 0, T0 + 3 * H), DIR_EXPIRED);
	/* An hour is a clock's; more is not. */
	assert_int_equal(dir_worth(&hour, 0, 0, T0 - DIR_SKEW_S), DIR_NEWER);
	assert_int_equal(dir_worth(&hour, 0, 0, T0 - DIR_SKEW_S - 1), DIR_FUTURE);
	assert_non_null(strstr(dir_worth_text(DIR_FUTURE), "clock of this host is behind"));
	assert_non_null(strstr(dir_worth_text(DIR_EXPIRED), "clock"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(at_first),	cmocka_unit_test(pauses_grow), cmocka_unit_test(bad_ones_stay_away),
		cmocka_unit_test(clock_is_set), cmocka_unit_test(in_reach),    cmocka_unit_test(quiet_life),
		cmocka_unit_test(worth),
	};

	return cmocka_run_group_tests_name("dir_schedule", tests, NULL, NULL);
}
