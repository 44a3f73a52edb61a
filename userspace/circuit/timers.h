/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Deadlines in a binary heap: arming, disarming and taking the earliest cost O(log n). Times: monotonic ms. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Stands inside the object it is for; zero-initialised is disarmed. */
struct timer {
	uint64_t due;
	size_t pos;   /* 1-based place in the heap, 0: disarmed */
	uint8_t kind; /* the owner's */
};

struct timers {
	struct timer **v;
	size_t n, cap;
};

#define timer_entry(t, type, member) ((type *)(void *)((char *)(t)-offsetof(type, member)))

/*
 * Arm, or move an armed one. -ENOMEM; but never for a timer that is armed, or that was the last one taken off, for
 * the heap's memory does not shrink.
 */
int timers_set(struct timers *ts, struct timer *t, uint64_t due);
void timers_unset(struct timers *ts, struct timer *t);
/* Take the earliest timer that is due by now off the heap, or NULL. */
struct timer *timers_take(struct timers *ts, uint64_t now_ms);
uint64_t timers_next(const struct timers *ts); /* UINT64_MAX if there is none */
void timers_release(struct timers *ts);
