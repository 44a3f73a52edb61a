/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "circuit/replay.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "lib/hash.h"

/* A neighbour with entries; it is counted here because its peer goes when its last circuit does. */
struct replay_owner {
	struct in6_addr addr;
	size_t n;
	UT_hash_handle hh;
};

struct replay_entry {
	struct replay_record rec;
	struct replay_owner *owner; /* NULL: it is from before a restart */
	struct timer timer;
	UT_hash_handle hh;
};

void replay_tag(const uint8_t ephemeral[32], uint8_t ret[REPLAY_TAG_LEN])
{
	crypto_generichash(ret, REPLAY_TAG_LEN, ephemeral, 32, NULL, 0);
}

static struct replay_entry *find(const struct replay *r, const uint8_t tag[REPLAY_TAG_LEN])
{
	struct replay_entry *e;

	HASH_FIND(hh, r->entries, tag, REPLAY_TAG_LEN, e);
	return e;
}

static struct replay_owner *find_owner(const struct replay *r, const struct in6_addr *peer)
{
	struct replay_owner *o;

	HASH_FIND(hh, r->owners, peer, sizeof(*peer), o);
	return o;
}

static size_t part(const struct replay *r, size_t of)
{
	return r->max > of ? r->max / of : 1;
}

bool replay_seen(const struct replay *r, const uint8_t tag[REPLAY_TAG_LEN])
{
	return find(r, tag) != NULL;
}

bool replay_full(const struct replay *r, const struct in6_addr *peer, bool client)
{
	const struct replay_owner *o = find_owner(r, peer);

	if (r->n >= r->max || (client && r->n_clients >= part(r, REPLAY_PART_CLIENTS)))
		return true;
	return o && o->n >= part(r, client ? REPLAY_PART_CLIENT : REPLAY_PART_RELAY);
}

static struct replay_owner *owner_of(struct replay *r, const struct in6_addr *peer)
{
	struct replay_owner *o = find_owner(r, peer);

	if (o)
		return o;
	o = calloc(1, sizeof(*o));
	if (!o)
		return NULL;
	o->addr = *peer;
	HASH_ADD(hh, r->owners, addr, sizeof(o->addr), o);
	return o;
}

static void disown(struct replay *r, struct replay_owner *o)
{
	if (!o || o->n > 0)
		return;
	HASH_DEL(r->owners, o);
	free(o);
}

static void forget(struct replay *r, struct replay_entry *e)
{
	timers_unset(&r->timers, &e->timer);
	HASH_DEL(r->entries, e);
	r->n--;
	r->n_clients -= e->rec.client;
	if (e->owner) {
		e->owner->n--;
		disown(r, e->owner);
	}
	free(e);
}

static int add(struct replay *r, const struct replay_record *rec, struct replay_owner *owner, uint64_t until_ms)
{
	struct replay_entry *e = calloc(1, sizeof(*e));

	if (!e)
		return -ENOMEM;
	e->rec = *rec;
	if (timers_set(&r->timers, &e->timer, until_ms) < 0) {
		free(e);
		return -ENOMEM;
	}
	HASH_ADD(hh, r->entries, rec.tag, REPLAY_TAG_LEN, e);
	r->n++;
	r->n_clients += rec->client;
	e->owner = owner;
	if (owner)
		owner->n++;
	return 0;
}

int replay_add(struct replay *r, const struct replay_record *rec, const struct in6_addr *peer, uint64_t until_ms)
{
	struct replay_owner *owner = NULL;
	int e;

	if (find(r, rec->tag))
		return -EEXIST;
	if (peer ? replay_full(r, peer, rec->client) : r->n >= r->max)
		return -ENOSPC;
	if (peer) {
		owner = owner_of(r, peer);
		if (!owner)
			return -ENOMEM;
	}
	e = add(r, rec, owner, until_ms);
	if (e < 0)
		disown(r, owner);
	return e;
}

void replay_each(const struct replay *r, void (*fn)(void *ctx, const struct replay_record *rec), void *ctx)
{
	for (const struct replay_entry *e = r->entries; e; e = e->hh.next)
		fn(ctx, &e->rec);
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
