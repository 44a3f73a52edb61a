/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "anond/dir_schedule.h"

#include <stdlib.h>
#include <string.h>

/* ---- pauses ---- */

static uint64_t less_some(uint64_t ms, const struct rng *rng)
{
	return ms / 2 + rng_below64(rng, ms / 2 + 1);
}

void dir_pause_failed(struct dir_pause *p, uint64_t now_ms, const struct rng *rng)
{
	uint64_t ms = p->failures < 10 ? (uint64_t)DIR_PAUSE_MIN_MS << p->failures : DIR_PAUSE_MAX_MS;

	if (p->failures < UINT16_MAX)
		p->failures++;
	p->until_ms = now_ms + less_some(ms < DIR_PAUSE_MAX_MS ? ms : DIR_PAUSE_MAX_MS, rng);
}

void dir_pause_bad(struct dir_pause *p, uint64_t now_ms, const struct rng *rng)
{
	if (p->failures < UINT16_MAX)
		p->failures++;
	p->until_ms = now_ms + less_some(DIR_PAUSE_MAX_MS, rng);
}

/* ---- worth ---- */

enum dir_worth dir_worth(const struct interval *got, uint64_t newest, uint64_t fresh_until, uint64_t now_s)
{
	if (got->valid_after > now_s && got->valid_after - now_s > DIR_SKEW_S)
		return DIR_FUTURE;
	if (got->valid_after < newest)
		return DIR_OLD;
	if (got->valid_until <= now_s)
		return DIR_EXPIRED;
	if (got->valid_after > newest)
		return DIR_NEWER;
	return now_s < fresh_until ? DIR_SAME : DIR_STALE;
}

const char *dir_worth_text(enum dir_worth w)
{
	static const char *const texts[] = {
		[DIR_NEWER] = "newer",
		[DIR_SAME] = "the same, and no newer one is due",
		[DIR_STALE] = "no newer one, though one is due",
		[DIR_OLD] = "older than one that was in force here",
		[DIR_EXPIRED] = "it has expired: either the clock of this host is wrong, or the server is behind",
		[DIR_FUTURE] = "it is not valid yet, and most authorities signed it: the clock of this host is behind",
	};

	return texts[w];
}

/* ---- when ---- */

void dir_schedule_init(struct dir_schedule *s, size_t servers, bool early)
{
	*s = (struct dir_schedule){ .n = servers, .early = early };
}

void dir_schedule_in_force(struct dir_schedule *s, const struct interval *v, const struct rng *rng)
{
	uint64_t whole = v->fresh_until - v->valid_after, begin, width;

	if (s->early) { /* a sixtieth of it later the authorities have exchanged their signatures */
		begin = v->fresh_until + whole / 60;
		width = whole / 16;
	} else {
		begin = v->fresh_until + whole / 4 * 3;
		if (begin >= v->valid_until)
			begin = v->fresh_until;
		width = (v->valid_until - begin) / 8 * 7;
	}
	s->due_s = begin + rng_below64(rng, width + 1);
	if (s->due_s >= v->valid_until)
		s->due_s = v->valid_until - 1;
}

static bool due(const struct dir_schedule *s, uint64_t now_s)
{
	return s->wanted || s->due_s <= now_s;
}

/* The one whose pause ends first; -1: none is in reach. */
static int back_first(const struct dir_schedule *s, const struct dir_reach *reach)
{
	int first = -1;

	for (size_t i = 0; i < s->n; i++)
		if (reach->server[i] && (first < 0 || s->server[i].pause.until_ms < s->server[first].pause.until_ms))
			first = (int)i;
	return first;
}

int dir_schedule_pick(const struct dir_schedule *s, uint64_t now_ms, uint64_t now_s, const struct dir_reach *reach,
		      const struct rng *rng)
{
	size_t fit[ENDPOINTS_MAX], n = 0;

	if (!due(s, now_s) || s->all.until_ms > now_ms)
		return -1;
	for (size_t i = 0; i < s->n; i++)
		if (reach->server[i] && s->server[i].pause.until_ms <= now_ms)
			fit[n++] = i;
	return n ? (int)fit[rng_below(rng, (uint32_t)n)] : back_first(s, reach);
}

uint64_t dir_schedule_next(const struct dir_schedule *s, uint64_t now_ms, uint64_t now_s)
{
	uint64_t latest = now_ms + DIR_LOOK_MS, at = now_ms;

	if (!due(s, now_s))
		at = s->due_s - now_s < DIR_LOOK_MS / 1000 ? now_ms + (s->due_s - now_s) * 1000 : latest;
	if (at < s->all.until_ms)
		at = s->all.until_ms;
	return at < latest ? at : latest;
}

void dir_schedule_done(struct dir_schedule *s, size_t server)
{
	s->wanted = false;
	s->all = s->server[server].pause = (struct dir_pause){ 0 };
}

void dir_schedule_failed(struct dir_schedule *s, size_t server, bool bad, uint64_t now_ms, const struct rng *rng)
{
	if (bad)
		dir_pause_bad(&s->server[server].pause, now_ms, rng);
	else
		dir_pause_failed(&s->server[server].pause, now_ms, rng);
	dir_pause_failed(&s->all, now_ms, rng);
}

void dir_schedule_in_vain(struct dir_schedule *s, uint64_t now_ms, const struct rng *rng)
{
	dir_pause_failed(&s->all, now_ms, rng);
}

void dir_schedule_changed(struct dir_schedule *s)
{
	s->all = (struct dir_pause){ 0 };
	for (size_t i = 0; i < s->n; i++)
		s->server[i].pause = (struct dir_pause){ 0 };
}

bool dir_schedule_clock_set(struct dir_schedule *s, uint64_t now_ms, uint64_t now_s)
{
	int64_t was = s->clock_s;
	bool known = s->clock_known;

	s->clock_s = (int64_t)now_s - (int64_t)(now_ms / 1000);
	s->clock_known = true;
	if (!known || llabs(s->clock_s - was) < DIR_STEP_S)
		return false;
	dir_schedule_changed(s);
	return true;
}

void dir_schedule_want(struct dir_schedule *s)
{
	dir_schedule_changed(s);
	s->wanted = true;
}
