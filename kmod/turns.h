/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What anon_tfc decides, as arithmetic: no clock, no memory, no randomness of its own. Times are
 * nanoseconds of one clock. kmod/selftest.c tests it.
 */
#ifndef ANON_TURNS_H
#define ANON_TURNS_H

#include <linux/kernel.h>
#include <linux/math64.h>

/* @random, uniform among all u64, scaled to be uniform in [0, @length). */
static inline u64 tfc_part(u64 random, u64 length)
{
	return mul_u64_u64_shr(random, length, 64);
}

/* @random, uniform among all u32, scaled to be uniform in [0, @n); 0 < @n. */
static inline u32 tfc_choose(u32 random, u32 n)
{
	return reciprocal_scale(random, n);
}

/*
 * How many turns, from the one whose interval begins at @slot, are over or have begun at @now: so
 * many intervals later begins the first one that lies in the future.
 */
static inline u64 tfc_begun(u64 slot, u64 interval, u64 now)
{
	return now < slot ? 0 : div64_u64(now - slot, interval) + 1;
}

/*
 * When what arrives at @now may leave: at the end of the window that it arrived in, or at once if
 * there are none (0).
 */
static inline u64 tfc_release(u64 now, u64 window)
{
	return window ? (div64_u64(now, window) + 1) * window : now;
}

/*
 * May one more packet wait for a far end for which @waiting do, if of @waiting_all, for all of the
 * device, there may be @room? As many for one as are free for all (dynamic thresholds: Choudhury
 * and Hahne, 1998): those who always have more than they get take equal shares and leave one for
 * who comes next.
 */
static inline bool tfc_room(u32 waiting, u32 limit, u32 waiting_all, u32 room)
{
	return waiting < limit && waiting_all < room && waiting < room - waiting_all;
}

/*
 * The next step, of @steps, after a period with @turns turns at rate top/2^@step, @busy of which
 * sent traffic, and with
 * @waiting packets at its end. Faster if more than 3/4 were busy, or if what waits would take
 * another such period; slower if fewer than 1/4 were and nothing waits: at half the rate that is
 * still less than half of the turns. One step at a time, and the band between is wide, so that a
 * steady load settles.
 */
static inline u32 tfc_step(u32 step, u32 steps, u64 turns, u64 busy, u32 waiting)
{
	if (step && (busy * 4 > turns * 3 || waiting > turns))
		return step - 1;
	if (step + 1 < steps && busy * 4 < turns && !waiting)
		return step + 1;
	return step;
}

#ifdef TFC_SELFTEST
/* Returns 0, or -EINVAL after having said to the log what is wrong. */
int tfc_selftest(void);
#else
static inline int tfc_selftest(void)
{
	return 0;
}
#endif

#endif
