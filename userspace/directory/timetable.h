/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When authorities do what for the interval that begins at T, a multiple of its length by the clock of each. A step is
 * a sixteenth of the length; clocks may differ by less than half of one.
 *
 *   T - 7 steps   GATHER     hand out the descriptors, and fetch those of the others
 *   T - 6         VOTE       make the vote
 *   T - 5         COLLECT    fetch the others' lists of votes, and the votes that are new
 *   T - 3.5       CLOSE      from now on nobody takes a vote from who made it
 *   T - 3         COMPARE    the lists once more: what one authority told others before that comes here too
 *   T - 2         COMPUTE    compute, sign
 *   T - 1.5       SIGN       fetch the others' signatures
 *   T - 0.75      SIGN       those of who was late
 *   T             PUBLISH    hand out the consensus
 *   T + 1         LATE       fetch signatures again, if there were too few
 *   T + 4         LATE       the last time
 *
 * Pure; times are milliseconds since 1970 UTC.
 */
#pragma once

#include <stdint.h>

#define TIMETABLE_INTERVAL_MIN 16u /* seconds: a step is one */
#define TIMETABLE_INTERVAL_MAX 86400u

enum phase {
	PHASE_GATHER,
	PHASE_VOTE,
	PHASE_COLLECT,
	PHASE_CLOSE,
	PHASE_COMPARE,
	PHASE_COMPUTE,
	PHASE_SIGN,
	PHASE_PUBLISH,
	PHASE_LATE,
};

struct appointment {
	enum phase phase;
	uint64_t at_ms;
	uint64_t valid_after; /* T, seconds since 1970 UTC */
};

/* The first after now_ms. interval: seconds. */
struct appointment timetable_next(uint32_t interval, uint64_t now_ms);
/* How long a phase may take, milliseconds: up to the next of the same interval. */
uint64_t timetable_step_ms(uint32_t interval);
