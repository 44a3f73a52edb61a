/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "directory/timetable.h"

#include "lib/cleanup.h"

#define STEPS 16
#define QUARTERS(x) ((int)((x)*4))

static const struct {
	int quarters; /* of a step, from T */
	enum phase phase;
} table[] = {
	{ QUARTERS(-7), PHASE_GATHER },	 { QUARTERS(-6), PHASE_VOTE },	  { QUARTERS(-5), PHASE_COLLECT },
	{ QUARTERS(-3.5), PHASE_CLOSE }, { QUARTERS(-3), PHASE_COMPARE }, { QUARTERS(-2), PHASE_COMPUTE },
	{ QUARTERS(-1.5), PHASE_SIGN },	 { QUARTERS(-0.75), PHASE_SIGN }, { 0, PHASE_PUBLISH },
	{ QUARTERS(1), PHASE_LATE },	 { QUARTERS(4), PHASE_LATE },
};

uint64_t timetable_step_ms(uint32_t interval)
{
	return (uint64_t)interval * 1000 / STEPS;
}

static uint64_t at(uint64_t valid_after, uint64_t step, int quarters)
{
	uint64_t t = valid_after * 1000;

	return quarters < 0 ? t - step * (uint64_t)-quarters / 4 : t + step * (uint64_t)quarters / 4;
}

struct appointment timetable_next(uint32_t interval, uint64_t now_ms)
{
	uint64_t step = timetable_step_ms(interval);
	uint64_t last = now_ms / 1000 / interval * interval; /* the interval that is; late phases are of it */
	struct appointment ret = { 0 };

	for (int k = 0; k <= 2; k++)
		for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
			uint64_t valid_after = last + (uint64_t)k * interval, t;

			if (valid_after == 0) /* there is nothing before 1970 */
				continue;
			t = at(valid_after, step, table[i].quarters);
			if (t > now_ms && (ret.at_ms == 0 || t < ret.at_ms))
				ret = (struct appointment){ table[i].phase, t, valid_after };
		}
	return ret;
}
