/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "circuit/timers.h"

#include <errno.h>
#include <stdlib.h>

static void place(struct timers *ts, struct timer *t, size_t pos)
{
	ts->v[pos - 1] = t;
	t->pos = pos;
}

static void sift_up(struct timers *ts, struct timer *t)
{
	size_t pos = t->pos;

	while (pos > 1 && ts->v[pos / 2 - 1]->due > t->due) {
		place(ts, ts->v[pos / 2 - 1], pos);
		pos /= 2;
	}
	place(ts, t, pos);
}

static void sift_down(struct timers *ts, struct timer *t)
{
	size_t pos = t->pos;

	for (size_t child = pos * 2; child <= ts->n; child = pos * 2) {
		if (child < ts->n && ts->v[child]->due < ts->v[child - 1]->due)
			child++;
		if (ts->v[child - 1]->due >= t->due)
			break;
		place(ts, ts->v[child - 1], pos);
		pos = child;
	}
	place(ts, t, pos);
}

int timers_set(struct timers *ts, struct timer *t, uint64_t due)
{
	if (t->pos == 0) {
		if (ts->n == ts->cap) {
			size_t cap = ts->cap ? ts->cap * 2 : 64;
			struct timer **v = reallocarray(ts->v, cap, sizeof(struct timer *));

			if (!v)
				return -ENOMEM;
			ts->v = v;
			ts->cap = cap;
		}
		place(ts, t, ++ts->n);
	}
	t->due = due;
	sift_up(ts, t);
	sift_down(ts, t);
	return 0;
}

void timers_unset(struct timers *ts, struct timer *t)
{
	size_t pos = t->pos;
	struct timer *last;

	if (pos == 0)
		return;
	last = ts->v[--ts->n];
	t->pos = 0;
	if (last == t)
		return;
	place(ts, last, pos);
	sift_up(ts, last);
	sift_down(ts, last);
}

struct timer *timers_take(struct timers *ts, uint64_t now_ms)
{
	struct timer *t;

	if (ts->n == 0 || ts->v[0]->due > now_ms)
		return NULL;
	t = ts->v[0];
	timers_unset(ts, t);
	return t;
}

uint64_t timers_next(const struct timers *ts)
{
	return ts->n > 0 ? ts->v[0]->due : UINT64_MAX;
}

void timers_release(struct timers *ts)
{
	free(ts->v);
	*ts = (struct timers){ 0 };
}
