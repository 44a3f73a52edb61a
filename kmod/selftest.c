// SPDX-License-Identifier: GPL-2.0-or-later
/* The arithmetic of turns.h, tested when a module built with DEBUG=1 is loaded. */
#include <linux/module.h>
#include <linux/random.h>

#include "turns.h"

#define MS 1000000ull

static bool wrong;

#define CHECK(what)                                                                                \
	do {                                                                                       \
		if (!(what)) {                                                                     \
			pr_err("anon_tfc: selftest: not %s\n", #what);                             \
			wrong = true;                                                              \
		}                                                                                  \
	} while (0)

static void test_part(void)
{
	CHECK(tfc_part(0, 5 * MS) == 0);
	CHECK(tfc_part(U64_MAX, 5 * MS) == 5 * MS - 1);
	CHECK(tfc_part(1ull << 63, 5 * MS) == 5 * MS / 2);
	/* the slowest rate there is */
	CHECK(tfc_part(U64_MAX, 10000 * MS << 15) == (10000 * MS << 15) - 1);
}

/* Each of a few is drawn about equally often: 6 standard deviations are allowed. */
static void test_choose(void)
{
	u32 seen[5] = {}, i;

	for (i = 0; i < 50000; i++)
		seen[tfc_choose(get_random_u32(), ARRAY_SIZE(seen))]++;
	for (i = 0; i < ARRAY_SIZE(seen); i++)
		CHECK(seen[i] > 10000 - 540 && seen[i] < 10000 + 540);
	CHECK(tfc_choose(U32_MAX, 1) == 0);
	CHECK(tfc_choose(U32_MAX, 7) == 6);
}

static void test_begun(void)
{
	CHECK(tfc_begun(100, 10, 99) == 0);
	CHECK(tfc_begun(100, 10, 100) == 1);
	CHECK(tfc_begun(100, 10, 109) == 1);
	CHECK(tfc_begun(100, 10, 110) == 2);
	CHECK(100 + 10 * tfc_begun(100, 10, 12345) == 12350);
}

static void test_release(void)
{
	CHECK(tfc_release(12345, 0) == 12345);
	CHECK(tfc_release(0, 10) == 10);
	CHECK(tfc_release(9, 10) == 10);
	CHECK(tfc_release(10, 10) == 20);
}

/* A hundred want more than they get; each has a turn, then takes what it may. */
static void test_room(void)
{
	u32 own[100] = {}, all = 0, i, round;

	for (round = 0; round < 1000; round++) {
		for (i = 0; i < ARRAY_SIZE(own); i++) {
			all -= !!own[i];
			own[i] -= !!own[i];
			for (; tfc_room(own[i], 500, all, 1000); own[i]++)
				all++;
		}
	}
	CHECK(all < 1000 && tfc_room(0, 500, all, 1000));
	for (i = 0; i < ARRAY_SIZE(own); i++)
		CHECK(own[i] >= 8 && own[i] <= 11);
	CHECK(!tfc_room(3, 3, 3, 1000));
	CHECK(!tfc_room(0, 3, 1001, 1000));
}

static void test_step(void)
{
	CHECK(tfc_step(0, 1, 100, 0, 0) == 0); /* one rate is one rate */
	CHECK(tfc_step(0, 1, 100, 100, 500) == 0);
	CHECK(tfc_step(0, 4, 100, 24, 0) == 1);
	CHECK(tfc_step(0, 4, 100, 25, 0) == 0);
	CHECK(tfc_step(0, 4, 100, 24, 1) == 0);
	CHECK(tfc_step(3, 4, 100, 0, 0) == 3); /* there is no slower one */
	CHECK(tfc_step(3, 4, 100, 75, 0) == 3);
	CHECK(tfc_step(3, 4, 100, 76, 0) == 2);
	CHECK(tfc_step(3, 4, 0, 0, 1) == 2);
	CHECK(tfc_step(3, 4, 0, 0, 0) == 3);
	CHECK(tfc_step(2, 4, 100, 49, 0) ==
	      2); /* a load that one step down would have sent back stays */
}

int tfc_selftest(void)
{
	wrong = false;
	test_part();
	test_choose();
	test_begun();
	test_release();
	test_room();
	test_step();
	if (!wrong)
		pr_info("anon_tfc: selftest passed\n");
	return wrong ? -EINVAL : 0;
}
