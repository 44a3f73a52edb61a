/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "directory/timetable.h"
#include "lib/cleanup.h"

#define T0 UINT64_C(1700000000)

/* An hour's order, and that nothing is left out between two intervals. */
static void order(void **state)
{
	static const struct {
		enum phase phase;
		int seconds;
	} want[] = { { PHASE_GATHER, -1575 }, { PHASE_VOTE, -1350 },   { PHASE_COLLECT, -1125 }, { PHASE_CLOSE, -788 },
		     { PHASE_COMPARE, -675 }, { PHASE_COMPUTE, -450 }, { PHASE_SIGN, -338 },	 { PHASE_SIGN, -169 },
		     { PHASE_PUBLISH, 0 },    { PHASE_LATE, 225 },     { PHASE_LATE, 900 } };
	uint64_t t = T0 / 3600 * 3600 + 3600, now = (t - 1576) * 1000;

	(void)state;
	for (unsigned int hour = 0; hour < 3; hour++, t += 3600)
		for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
			struct appointment a = timetable_next(3600, now);

			assert_int_equal(a.phase, want[i].phase);
			assert_int_equal(a.valid_after, t);
			assert_in_range(a.at_ms, (uint64_t)((int64_t)t + want[i].seconds) * 1000,
					(uint64_t)((int64_t)t + want[i].seconds) * 1000 + 750);
			now = a.at_ms;
		}
}

/* Whatever the length and the moment: later than now, of a multiple, and soon. */
static void any(void **state)
{
	static const uint32_t lengths[] = { TIMETABLE_INTERVAL_MIN, 17, 20, 60, 3600, 3601, TIMETABLE_INTERVAL_MAX };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++)
		for (uint64_t k = 0; k < 5000; k++) {
			uint64_t now = T0 * 1000 + k * lengths[i] * 7;
			struct appointment a = timetable_next(lengths[i], now);

			assert_true(a.at_ms > now && a.at_ms - now <= lengths[i] * UINT64_C(1000));
			assert_int_equal(a.valid_after % lengths[i], 0);
			assert_int_equal(timetable_next(lengths[i], a.at_ms - 1).at_ms, a.at_ms);
		}
	/* Clocks that were never set. */
	assert_true(timetable_next(3600, 0).valid_after == 3600);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(order), cmocka_unit_test(any) };

	return cmocka_run_group_tests_name("timetable", tests, NULL, NULL);
}
