/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "circuit/farewell.h"

#include <stdlib.h>

#include "lib/hash.h"

/* No padding: the hash reads every byte. */
struct farewell_key {
	struct in6_addr peer;
	uint64_t handle;
	uint64_t by_creator;
};

struct farewell_entry {
	struct farewell_key key;
	uint16_t link;
	uint8_t reason;
	uint8_t sent;
	struct timer timer;
	UT_hash_handle hh;
};

static struct farewell_key key_of(const struct in6_addr *peer, const struct ctrl_msg *m)
{
	return (struct farewell_key){ *peer, m->handle, m->destroy.by_creator };
}

static struct farewell_entry *find(const struct farewell *f, const struct farewell_key *key)
{
	struct farewell_entry *e;

	HASH_FIND(hh, f->entries, key, sizeof(*key), e);
	return e;
}

static void forget(struct farewell *f, struct farewell_entry *e)
{
	timers_unset(&f->timers, &e->timer);
	HASH_DEL(f->entries, e);
	f->n--;
	free(e);
}

void farewell_say(struct farewell *f, uint64_t now_ms, uint16_t link, const struct in6_addr *peer,
		  const struct ctrl_msg *destroy, struct actions *out)
{
	struct farewell_key key = key_of(peer, destroy);
	struct farewell_entry *e;

	actions_send(out, link, peer, destroy);
	if (f->n >= f->max || find(f, &key))
		return;
	e = calloc(1, sizeof(*e));
	if (!e)
		return;
	e->key = key;
	e->link = link;
	e->reason = destroy->destroy.reason;
	e->sent = 1;
	if (timers_set(&f->timers, &e->timer, now_ms + FAREWELL_FIRST_MS) < 0) {
		free(e);
		return;
	}
	HASH_ADD(hh, f->entries, key, sizeof(e->key), e);
	f->n++;
}

void farewell_acked(struct farewell *f, const struct in6_addr *peer, const struct ctrl_msg *ack)
{
	struct farewell_key key = key_of(peer, ack);
	struct farewell_entry *e = find(f, &key);

	if (e)
		forget(f, e);
}

static void repeat(struct farewell *f, struct farewell_entry *e, uint64_t now_ms, struct actions *out)
{
	struct ctrl_msg m = { .type = CTRL_DESTROY, .handle = e->key.handle };

	m.destroy.by_creator = e->key.by_creator;
	m.destroy.reason = e->reason;
	actions_send(out, e->link, &e->key.peer, &m);
	e->sent++;
	timers_set(&f->timers, &e->timer, now_ms + ((uint64_t)FAREWELL_FIRST_MS << (e->sent - 1)));
}

void farewell_tick(struct farewell *f, uint64_t now_ms, struct actions *out)
{
	struct timer *t;

	while ((t = timers_take(&f->timers, now_ms))) {
		struct farewell_entry *e = timer_entry(t, struct farewell_entry, timer);

		if (e->sent >= FAREWELL_SENDS)
			forget(f, e);
		else
			repeat(f, e, now_ms, out);
	}
}

void farewell_release(struct farewell *f)
{
	struct timer *t;

	while ((t = timers_take(&f->timers, UINT64_MAX)))
		forget(f, timer_entry(t, struct farewell_entry, timer));
	timers_release(&f->timers);
}
