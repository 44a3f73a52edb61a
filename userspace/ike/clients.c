/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ike/clients.h"

#include <stdlib.h>

#include "lib/hash.h"

struct client_sa {
	uint32_t ike_id;
	bool seen; /* since clients_list_begin */
	struct client_addr *addr;
	UT_hash_handle hh;
};

struct client_addr {
	struct in6_addr addr;
	unsigned int sas;
	UT_hash_handle hh;
};

static struct client_addr *addr_find(const struct clients *c, const struct in6_addr *addr)
{
	struct client_addr *a;

	HASH_FIND(hh, c->addrs, addr, sizeof(*addr), a);
	return a;
}

static struct client_addr *addr_get(struct clients *c, const struct in6_addr *addr)
{
	struct client_addr *a = addr_find(c, addr);

	if (a)
		return a;
	a = calloc(1, sizeof(*a));
	if (!a)
		return NULL;
	a->addr = *addr;
	HASH_ADD(hh, c->addrs, addr, sizeof(a->addr), a);
	return a;
}

static void addr_drop(struct clients *c, struct client_addr *a)
{
	if (--a->sas > 0)
		return;
	HASH_DEL(c->addrs, a);
	c->fn(c->ctx, &a->addr, false);
	free(a);
}

static void sa_add(struct clients *c, uint32_t ike_id, const struct in6_addr *addr)
{
	struct client_sa *s = calloc(1, sizeof(*s));
	struct client_addr *a = s ? addr_get(c, addr) : NULL;

	if (!a) {
		free(s);
		return;
	}
	*s = (struct client_sa){ .ike_id = ike_id, .seen = true, .addr = a };
	HASH_ADD(hh, c->sas, ike_id, sizeof(s->ike_id), s);
	if (a->sas++ == 0)
		c->fn(c->ctx, &a->addr, true);
}

static struct client_sa *sa_find(const struct clients *c, uint32_t ike_id)
{
	struct client_sa *s;

	HASH_FIND(hh, c->sas, &ike_id, sizeof(ike_id), s);
	return s;
}

static void sa_drop(struct clients *c, struct client_sa *s)
{
	HASH_DEL(c->sas, s);
	addr_drop(c, s->addr);
	free(s);
}

void clients_seen(struct clients *c, uint32_t ike_id, const struct in6_addr *addr)
{
	struct client_sa *s = sa_find(c, ike_id);

	if (s && IN6_ARE_ADDR_EQUAL(&s->addr->addr, addr)) {
		s->seen = true;
		return;
	}
	if (s)
		sa_drop(c, s);
	sa_add(c, ike_id, addr);
}

void clients_gone(struct clients *c, uint32_t ike_id)
{
	struct client_sa *s = sa_find(c, ike_id);

	if (s)
		sa_drop(c, s);
}

void clients_list_begin(struct clients *c)
{
	struct client_sa *s;

	for (s = c->sas; s; s = s->hh.next)
		s->seen = false;
}

void clients_list_end(struct clients *c)
{
	struct client_sa *s, *next;

	HASH_ITER (hh, c->sas, s, next)
		if (!s->seen)
			sa_drop(c, s);
}

bool clients_has(const struct clients *c, const struct in6_addr *addr)
{
	return addr_find(c, addr) != NULL;
}

void clients_each(const struct clients *c, void (*fn)(void *ctx, const struct in6_addr *addr), void *ctx)
{
	const struct client_addr *a;

	for (a = c->addrs; a; a = a->hh.next)
		fn(ctx, &a->addr);
}

void clients_clear(struct clients *c)
{
	struct client_addr *a, *next_addr;
	struct client_sa *s, *next;

	HASH_ITER (hh, c->sas, s, next) {
		HASH_DEL(c->sas, s);
		free(s);
	}
	HASH_ITER (hh, c->addrs, a, next_addr) {
		HASH_DEL(c->addrs, a);
		free(a);
	}
}
