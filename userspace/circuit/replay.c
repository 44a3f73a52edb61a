/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "circuit/replay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/hash.h"

struct replay_entry {
	uint8_t key[REPLAY_KEY_LEN];
	struct timer timer;
	UT_hash_handle hh;
};

static struct replay_entry *find(const struct replay *r, const uint8_t key[REPLAY_KEY_LEN])
{
	struct replay_entry *e;

	HASH_FIND(hh, r->entries, key, REPLAY_KEY_LEN, e);
	return e;
}

bool replay_seen(const struct replay *r, const uint8_t key[REPLAY_KEY_LEN])
{
	return find(r, key) != NULL;
}

bool replay_full(const struct replay *r)
{
	return r->n >= r->max;
}

static void forget(struct replay *r, struct replay_entry *e)
{
	timers_unset(&r->timers, &e->timer);
	HASH_DEL(r->entries, e);
	r->n--;
	free(e);
}

int replay_add(struct replay *r, const uint8_t key[REPLAY_KEY_LEN], uint64_t until_ms)
{
	struct replay_entry *e;

	if (find(r, key))
		return -EEXIST;
	if (replay_full(r))
		return -ENOSPC;
	e = calloc(1, sizeof(*e));
	if (!e)
		return -ENOMEM;
	memcpy(e->key, key, REPLAY_KEY_LEN);
	if (timers_set(&r->timers, &e->timer, until_ms) < 0) {
		free(e);
		return -ENOMEM;
	}
	HASH_ADD(hh, r->entries, key, REPLAY_KEY_LEN, e);
	r->n++;
	return 0;
}

void replay_tick(struct replay *r, uint64_t now_ms)
{
	struct timer *t;

	while ((t = timers_take(&r->timers, now_ms)))
		forget(r, timer_entry(t, struct replay_entry, timer));
}

void replay_release(struct replay *r)
{
	replay_tick(r, UINT64_MAX);
	timers_release(&r->timers);
}
