/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "circuit/relay_table.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/overlay.h"

#define DRAWS_MAX 64 /* a random name still taken after so many draws means a broken source */

/* The neighbours. */

struct peer *table_find_peer(const struct table *t, const struct in6_addr *addr)
{
	struct peer *p;

	HASH_FIND(hh, t->peers, addr, sizeof(*addr), p);
	return p;
}

struct peer *table_peer(struct table *t, const struct in6_addr *addr, bool client)
{
	struct peer *p = table_find_peer(t, addr);

	if (p)
		return p;
	p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	p->addr = *addr;
	p->client = client;
	p->tokens = UINT64_MAX; /* full, whatever the rate */
	p->grace.kind = TIMER_GRACE;
	p->reap.kind = TIMER_REAP;
	HASH_ADD(hh, t->peers, addr, sizeof(p->addr), p);
	return p;
}

void table_reap_later(struct table *t, struct peer *p, uint64_t now_ms)
{
	if (p->reap.pos == 0)
		timers_set(&t->timers, &p->reap, now_ms + REAP_AFTER_MS);
}

bool table_peer_unused(const struct peer *p)
{
	return !p->up && !p->wanted && LIST_EMPTY(&p->half_prev) && LIST_EMPTY(&p->ready_prev) &&
	       LIST_EMPTY(&p->waiting) && LIST_EMPTY(&p->half_next) && LIST_EMPTY(&p->ready_next);
}

void table_free_peer(struct table *t, struct peer *p)
{
	timers_unset(&t->timers, &p->grace);
	timers_unset(&t->timers, &p->reap);
	HASH_DEL(t->peers, p);
	free(p);
}

bool table_peer_token(struct peer *p, uint32_t rate, uint32_t burst_s, uint64_t now_ms)
{
	uint64_t full = (uint64_t)rate * burst_s * 1000;
	uint64_t elapsed = now_ms > p->tokens_ms ? now_ms - p->tokens_ms : 0;

	/* rate per second is rate thousandths per millisecond. */
	if (p->tokens > full || elapsed >= burst_s * 1000u)
		p->tokens = full;
	else
		p->tokens = p->tokens + elapsed * rate < full ? p->tokens + elapsed * rate : full;
	p->tokens_ms = now_ms;
	if (p->tokens < 1000)
		return false;
	p->tokens -= 1000;
	return true;
}

/* Circuits: how each is found. */

struct circuit *table_by_number(const struct table *t, uint32_t number)
{
	struct circuit *c;

	HASH_FIND(hh_number, t->by_number, &number, sizeof(number), c);
	return c;
}

struct circuit *table_by_prev(const struct table *t, const struct side_key *key)
{
	struct circuit *c;

	HASH_FIND(hh_prev, t->by_prev, key, sizeof(*key), c);
	return c;
}

struct circuit *table_by_next(const struct table *t, const struct side_key *key)
{
	struct circuit *c;

	HASH_FIND(hh_next, t->by_next, key, sizeof(*key), c);
	return c;
}

static bool spi_taken(const struct table *t, uint32_t spi)
{
	struct circuit *c;

	HASH_FIND(hh_spi, t->by_spi, &spi, sizeof(spi), c);
	return c != NULL;
}

static bool a_taken(const struct table *t, const struct in6_addr *a)
{
	struct circuit *c;

	HASH_FIND(hh_a, t->by_a, a, sizeof(*a), c);
	return c != NULL;
}

static bool next_a_taken(const struct table *t, const struct in6_addr *a)
{
	struct circuit *c;

	HASH_FIND(hh_next_a, t->by_next_a, a, sizeof(*a), c);
	return c != NULL;
}

static bool inner4_taken(const struct table *t, struct in_addr a)
{
	struct inner4 *in;

	HASH_FIND(hh, t->inner4, &a, sizeof(a), in);
	return in != NULL;
}

static bool inner6_taken(const struct table *t, const struct in6_addr *a)
{
	struct circuit *c;

	HASH_FIND(hh_inner6, t->by_inner6, a, sizeof(*a), c);
	return c != NULL;
}

static void hash_a(struct table *t, struct circuit *c)
{
	HASH_ADD(hh_a, t->by_a, c.layer.a, sizeof(c->c.layer.a), c);
	c->has_a = true;
}

static void hash_next(struct table *t, struct circuit *c, struct peer *next, uint64_t handle)
{
	c->next = next;
	c->next_key = (struct side_key){ next->addr, handle };
	HASH_ADD(hh_next, t->by_next, next_key, sizeof(c->next_key), c);
}

static int take_inner4(struct table *t, struct circuit *c, struct in_addr a)
{
	struct inner4 *in = calloc(1, sizeof(*in));

	if (!in)
		return -ENOMEM;
	in->addr = a;
	in->timer.kind = TIMER_REST;
	HASH_ADD(hh, t->inner4, addr, sizeof(in->addr), in);
	t->n_inner4++;
	c->inner4 = in;
	return 0;
}

void table_free_inner4(struct table *t, struct inner4 *in)
{
	timers_unset(&t->timers, &in->timer);
	HASH_DEL(t->inner4, in);
	t->n_inner4--;
	free(in);
}

static void hash_inner6(struct table *t, struct circuit *c)
{
	HASH_ADD(hh_inner6, t->by_inner6, c.inner.addr6, sizeof(c->c.inner.addr6), c);
	c->has_inner6 = true;
}

/* number, spi_fwd and the key of the previous side are there from the first to the last. */
static void hash_common(struct table *t, struct circuit *c)
{
	HASH_ADD(hh_number, t->by_number, c.number, sizeof(c->c.number), c);
	HASH_ADD(hh_spi, t->by_spi, c.layer.spi_fwd, sizeof(c->c.layer.spi_fwd), c);
	HASH_ADD(hh_prev, t->by_prev, prev_key, sizeof(c->prev_key), c);
	c->prev->circuits++;
	t->n++;
}

/* What is drawn. */

static uint32_t free_number(struct table *t)
{
	/* Ends: table_new's caller keeps the number of circuits far below RELAY_CIRCUIT_MAX. */
	do
		t->last_number = t->last_number % RELAY_CIRCUIT_MAX + 1;
	while (table_by_number(t, t->last_number));
	return t->last_number;
}

static int draw_spi(struct table *t, uint32_t *ret)
{
	for (unsigned int i = 0; i < DRAWS_MAX; i++) {
		uint32_t spi = SPI_MIN + rng_below(t->rng, SPI_MAX - SPI_MIN + 1);

		if (!spi_taken(t, spi)) {
			*ret = spi;
			return 0;
		}
	}
	return -ENOSPC;
}

static struct half_open *half_new(struct noise *noise)
{
	struct half_open *h = calloc(1, sizeof(*h));

	if (h)
		h->noise = noise;
	return h;
}

static void half_free(struct half_open *h)
{
	if (!h)
		return;
	noise_free(h->noise);
	free(h);
}

int table_new(struct table *t, struct peer *prev, uint64_t handle, struct noise *noise, struct circuit **ret)
{
	struct circuit *c;
	uint32_t spi;
	int r;

	r = draw_spi(t, &spi);
	if (r < 0)
		return r;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->timer.kind = TIMER_CIRCUIT;
	c->half = half_new(noise);
	if (!c->half || timers_set(&t->timers, &c->timer, UINT64_MAX) < 0) {
		free(c->half); /* noise stays the caller's */
		free(c);
		return -ENOMEM;
	}
	c->c.number = free_number(t);
	c->c.layer.spi_fwd = spi;
	c->prev = prev;
	c->prev_key = (struct side_key){ prev->addr, handle };
	hash_common(t, c);
	LIST_INSERT_HEAD(&prev->half_prev, c, prev_list);
	prev->half_open++;
	t->half_open++;
	*ret = c;
	return 0;
}

int table_give_address(struct table *t, struct circuit *c, const struct in6_addr *own)
{
	if (c->prev->client) {
		c->c.layer.a = c->prev->addr; /* shared by all circuits of this client: told apart by SPI and reqid */
		return 0;
	}
	for (unsigned int i = 0; i < DRAWS_MAX; i++) {
		struct in6_addr a = overlay_addr(own, c->prev->link, rng_u64(t->rng));

		if (a_taken(t, &a))
			continue;
		c->c.layer.a = a;
		hash_a(t, c);
		return 0;
	}
	return -ENOSPC;
}

int table_give_next(struct table *t, struct circuit *c, struct peer *next)
{
	for (unsigned int i = 0; i < DRAWS_MAX; i++) {
		struct side_key key = { next->addr, rng_u64(t->rng) };

		if (table_by_next(t, &key))
			continue;
		hash_next(t, c, next, key.handle);
		LIST_INSERT_HEAD(&next->waiting, c, next_list);
		return 0;
	}
	return -ENOSPC;
}

int table_take_next_a(struct table *t, struct circuit *c, const struct in6_addr *next_a)
{
	if (next_a_taken(t, next_a))
		return -EEXIST;
	c->c.next_a = *next_a;
	HASH_ADD(hh_next_a, t->by_next_a, c.next_a, sizeof(c->c.next_a), c);
	c->has_next_a = true;
	return 0;
}

/*
 * From a random place on, the first host that is neither in use nor resting: among n_inner4 + 1 of them one is free,
 * and in a pool that is not nearly full the first or second is. Never the network's address, the gateway (.1) or the
 * broadcast address.
 */
int table_give_inner4(struct table *t, struct circuit *c, const struct prefix *pool)
{
	uint32_t hosts = (UINT32_MAX >> pool->len) - 2;
	uint32_t start = rng_below(t->rng, hosts);

	if (t->n_inner4 >= hosts)
		return -ENOSPC;
	for (uint32_t i = 0; i <= t->n_inner4; i++) {
		uint32_t host = 2 + (uint32_t)(((uint64_t)start + i) % hosts);
		struct in_addr a = { htonl(ntohl(pool->a4.s_addr) + host) };

		if (inner4_taken(t, a))
			continue;
		c->c.inner.addr4 = a;
		return take_inner4(t, c, a);
	}
	return -ENOSPC;
}

int table_give_inner6(struct table *t, struct circuit *c, const struct in6_addr *own)
{
	for (unsigned int i = 0; i < DRAWS_MAX; i++) {
		uint64_t tail = rng_u64(t->rng) & 0xffffffffffffu;
		struct in6_addr a = overlay_addr(own, LINK_INNER, tail);

		if (tail <= 1 || inner6_taken(t, &a)) /* 1 is the gateway */
			continue;
		c->c.inner.addr6 = a;
		hash_inner6(t, c);
		return 0;
	}
	return -ENOSPC;
}

/* From one state to the next. */

void table_sent(struct circuit *c)
{
	c->half->sent = true;
	LIST_REMOVE(c, next_list);
	LIST_INSERT_HEAD(&c->next->half_next, c, next_list);
}

static void leave_half_open(struct table *t, struct circuit *c)
{
	half_free(c->half);
	c->half = NULL;
	c->prev->half_open--;
	t->half_open--;
}

static void join_ready(struct circuit *c)
{
	c->phase = CIRCUIT_READY;
	LIST_INSERT_HEAD(&c->prev->ready_prev, c, prev_list);
	if (c->next)
		LIST_INSERT_HEAD(&c->next->ready_next, c, next_list);
}

void table_ready(struct table *t, struct circuit *c)
{
	leave_half_open(t, c);
	LIST_REMOVE(c, prev_list);
	if (c->next)
		LIST_REMOVE(c, next_list);
	join_ready(c);
}

static void unhash(struct table *t, struct circuit *c)
{
	HASH_DELETE(hh_number, t->by_number, c);
	HASH_DELETE(hh_spi, t->by_spi, c);
	HASH_DELETE(hh_prev, t->by_prev, c);
	if (c->next)
		HASH_DELETE(hh_next, t->by_next, c);
	if (c->has_a)
		HASH_DELETE(hh_a, t->by_a, c);
	if (c->has_next_a)
		HASH_DELETE(hh_next_a, t->by_next_a, c);
	if (c->has_inner6)
		HASH_DELETE(hh_inner6, t->by_inner6, c);
}

void table_remove(struct table *t, struct circuit *c, uint64_t now_ms)
{
	if (c->half)
		leave_half_open(t, c);
	timers_unset(&t->timers, &c->timer);
	if (c->inner4 && c->phase != CIRCUIT_EXTENDING) /* cannot fail: the heap has the place of the circuit's own */
		timers_set(&t->timers, &c->inner4->timer, now_ms + INNER4_REST_MS);
	else if (c->inner4) /* it was never in the kernel */
		table_free_inner4(t, c->inner4);
	unhash(t, c);
	LIST_REMOVE(c, prev_list);
	c->prev->circuits--;
	t->n--;
	table_reap_later(t, c->prev, now_ms);
	if (c->next) {
		LIST_REMOVE(c, next_list);
		table_reap_later(t, c->next, now_ms);
	}
	free(c);
}

static bool record_free(const struct table *t, const struct relay_circuit *rc, const struct peer *prev,
			const struct side_key *prev_key, const struct side_key *next_key)
{
	if (table_by_number(t, rc->number) || spi_taken(t, rc->layer.spi_fwd) || table_by_prev(t, prev_key))
		return false;
	if (!prev->client && a_taken(t, &rc->layer.a))
		return false;
	if (!rc->exit)
		return !table_by_next(t, next_key) && !next_a_taken(t, &rc->next_a);
	return !(rc->inner.has4 && inner4_taken(t, rc->inner.addr4)) &&
	       !(rc->inner.has6 && inner6_taken(t, &rc->inner.addr6));
}

static void hash_restored(struct table *t, struct circuit *c, struct peer *next, uint64_t next_handle)
{
	hash_common(t, c);
	if (!c->prev->client)
		hash_a(t, c);
	if (next) {
		hash_next(t, c, next, next_handle);
		HASH_ADD(hh_next_a, t->by_next_a, c.next_a, sizeof(c->c.next_a), c);
		c->has_next_a = true;
	}
	if (c->c.exit && c->c.inner.has6)
		hash_inner6(t, c);
}

int table_restore(struct table *t, const struct relay_circuit *rc, struct peer *prev, uint64_t prev_handle,
		  struct peer *next, uint64_t next_handle, struct circuit **ret)
{
	struct side_key prev_key = { prev->addr, prev_handle };
	struct side_key next_key = { next ? next->addr : in6addr_any, next_handle };
	struct circuit *c;

	if (!record_free(t, rc, prev, &prev_key, &next_key))
		return -EEXIST;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->timer.kind = TIMER_CIRCUIT;
	if (timers_set(&t->timers, &c->timer, 0) < 0) {
		free(c);
		return -ENOMEM;
	}
	if (rc->exit && rc->inner.has4 && take_inner4(t, c, rc->inner.addr4) < 0) {
		timers_unset(&t->timers, &c->timer);
		free(c);
		return -ENOMEM;
	}
	c->c = *rc;
	c->prev = prev;
	c->prev_key = prev_key;
	c->restored = true;
	hash_restored(t, c, next, next_handle);
	join_ready(c);
	*ret = c;
	return 0;
}

void table_release(struct table *t)
{
	while (t->by_number)
		table_remove(t, t->by_number, 0);
	while (t->peers)
		table_free_peer(t, t->peers);
	while (t->inner4)
		table_free_inner4(t, t->inner4);
	timers_release(&t->timers);
}
