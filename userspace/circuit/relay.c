/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "circuit/relay.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "circuit/inner.h"
#include "circuit/relay_engine.h"
#include "model/overlay.h"

const struct relay_limits relay_limits_default = {
	.half_open = 4096,
	.half_open_per_link = 1024,
	.circuits = 100000,
	.circuits_per_link = 50000,
	.creates_per_second = 100,
	.client_half_open = 16,
	.client_circuits = 64,
	.client_creates_per_second = 2,
	.replay_entries = 1u << 19, /* about 100 MB when full */
	.lifetime_max = 7200,
	.extend_timeout_ms = 15000,
};

static bool onion_keys_valid(const struct onion_key *keys, size_t n)
{
	for (size_t i = 1; i < n; i++)
		for (size_t k = 0; k < i; k++)
			if (keys[i].id == keys[k].id)
				return false;
	return n > 0;
}

static bool config_valid(const struct relay_engine_config *c)
{
	const struct in6_addr own = overlay_relay(&c->id);

	if (!onion_keys_valid(c->onion_keys, c->n_onion_keys) || !c->rng || c->limits.circuits > RELAY_CIRCUIT_MAX / 2)
		return false;
	if (!c->exit)
		return true;
	if (!c->inner4_enabled && !c->inner6_enabled)
		return false;
	if (c->inner4_enabled && (!inner_pool_valid(&c->inner4) || !inner_dns4_valid(c->dns4)))
		return false;
	return !c->inner6_enabled || inner_dns6_valid(&c->dns6, &own);
}

int relay_engine_new(const struct relay_engine_config *conf, struct relay_engine **ret)
{
	struct relay_engine *e;

	if (!config_valid(conf))
		return -EINVAL;
	e = calloc(1, sizeof(*e));
	if (!e)
		return -ENOMEM;
	e->conf = *conf;
	e->own = overlay_relay(&conf->id);
	e->table.rng = conf->rng;
	e->replay.max = conf->limits.replay_entries;
	e->farewell.max = conf->limits.circuits;
	e->answers.max = ANSWERS_MAX;
	*ret = e;
	return 0;
}

void relay_engine_free(struct relay_engine *e)
{
	if (!e)
		return;
	table_release(&e->table);
	replay_release(&e->replay);
	answers_release(&e->answers);
	farewell_release(&e->farewell);
	free(e);
}

int relay_engine_set_onion_keys(struct relay_engine *e, const struct onion_key *keys, size_t n)
{
	if (!onion_keys_valid(keys, n))
		return -EINVAL;
	e->conf.onion_keys = keys;
	e->conf.n_onion_keys = n;
	return 0;
}

static void gauges(struct relay_engine *e)
{
	e->counters.half_open = e->table.half_open;
	e->counters.circuits = e->table.n;
	e->counters.replay_entries = e->replay.n;
}

/* Messages. */

static void on_destroy(struct relay_engine *e, const struct event *ev, const struct link *link,
		       const struct in6_addr *from, const struct ctrl_msg *m)
{
	const struct side_key key = { *from, m->handle };
	bool by_prev = m->destroy.by_creator;
	struct circuit *c = by_prev ? table_by_prev(&e->table, &key) : table_by_next(&e->table, &key);
	struct ctrl_msg ack = *m;

	ack.type = CTRL_DESTROY_ACK;
	actions_send(ev->out, link->number, from, &ack);
	if (!c) {
		e->counters.unknown_message++;
		return;
	}
	e->counters.destroyed++;
	if (c->phase == CIRCUIT_READY || by_prev)
		relay_close(e, ev, c, m->destroy.reason, !by_prev, by_prev);
	else
		relay_fail(e, ev, c, &(struct ctrl_answer){ .status = CTRL_NEXT_REFUSED, .detail = CTRL_INTERNAL },
			   false);
}

/* Its neighbour may only speak for itself. */
static bool sender_valid(const struct relay_engine *e, const struct link *link, const struct in6_addr *from)
{
	if (link->kind == LINK_KIND_RELAY)
		return IN6_ARE_ADDR_EQUAL(from, &link->remote) && !IN6_ARE_ADDR_EQUAL(from, &e->own);
	return link->kind == LINK_KIND_CLIENTS && overlay_same_prefix(from, &e->own) &&
	       overlay_link(from) == LINK_CLIENTS;
}

static void dispatch(struct relay_engine *e, const struct event *ev, const struct link *link,
		     const struct in6_addr *from, const uint8_t *msg, const struct ctrl_msg *m)
{
	bool from_relay = link->kind == LINK_KIND_RELAY;

	switch (m->type) {
	case CTRL_CREATE:
		relay_on_create(e, ev, link, from, msg, m);
		return;
	case CTRL_DESTROY:
		on_destroy(e, ev, link, from, m);
		return;
	case CTRL_DESTROY_ACK:
		farewell_acked(&e->farewell, from, m);
		return;
	case CTRL_CREATED: /* nobody is extended to a client */
		if (from_relay) {
			relay_on_created(e, ev, from, link->number, m);
			return;
		}
		break;
	default: /* PROBEs are the link's business */
		break;
	}
	e->counters.unknown_message++;
}

void relay_engine_message(struct relay_engine *e, uint64_t now_ms, uint64_t now_s, const struct link *link,
			  const struct in6_addr *from, const uint8_t *msg, size_t len, struct actions *out)
{
	const struct event ev = { now_ms, now_s, out };
	struct ctrl_msg m;

	if (!sender_valid(e, link, from) || ctrl_decode(msg, len, &m) < 0) {
		e->counters.unknown_message++;
		return;
	}
	dispatch(e, &ev, link, from, msg, &m);
	gauges(e);
}

void relay_engine_installed(struct relay_engine *e, uint64_t now_ms, uint32_t number, int error, struct actions *out)
{
	const struct event ev = { .now_ms = now_ms, .out = out };
	struct circuit *c = table_by_number(&e->table, number);

	if (c && c->phase == CIRCUIT_INSTALLING)
		relay_on_installed(e, &ev, c, error);
	gauges(e);
}

/* Links. */

/* Half-open circuits do not wait for a link to come back. */
static void drop_half_open(struct relay_engine *e, const struct event *ev, struct peer *p)
{
	struct circuit *c;

	while ((c = LIST_FIRST(&p->waiting)))
		relay_fail_status(e, ev, c, CTRL_NEXT_UNREACHABLE, false);
	while ((c = LIST_FIRST(&p->half_next)))
		relay_fail_status(e, ev, c, CTRL_NEXT_UNREACHABLE, true);
	while ((c = LIST_FIRST(&p->half_prev)))
		relay_close(e, ev, c, CTRL_REASON_LINK_LOST, false, true);
}

static void drop_ready(struct relay_engine *e, const struct event *ev, struct peer *p)
{
	struct circuit *c;

	while ((c = LIST_FIRST(&p->ready_prev)))
		relay_close(e, ev, c, CTRL_REASON_LINK_LOST, true, true);
	while ((c = LIST_FIRST(&p->ready_next)))
		relay_close(e, ev, c, CTRL_REASON_LINK_LOST, true, true);
}

/* A link that came back under another number carries none of its old circuits: the number stands in their addresses. */
static void renumber(struct relay_engine *e, const struct event *ev, struct peer *p, uint16_t number)
{
	if (p->link == number || p->link == LINK_NONE)
		return;
	while (!LIST_EMPTY(&p->half_next))
		relay_fail_status(e, ev, LIST_FIRST(&p->half_next), CTRL_NEXT_UNREACHABLE, true);
	while (!LIST_EMPTY(&p->half_prev))
		relay_close(e, ev, LIST_FIRST(&p->half_prev), CTRL_REASON_LINK_LOST, true, true);
	drop_ready(e, ev, p);
}

void relay_engine_link_up(struct relay_engine *e, uint64_t now_ms, const struct link *link, struct actions *out)
{
	const struct event ev = { .now_ms = now_ms, .out = out };
	struct in6_addr addr = overlay_relay(&link->peer);
	struct circuit *c;
	struct peer *p;

	if (link->kind != LINK_KIND_RELAY || !IN6_ARE_ADDR_EQUAL(&addr, &link->remote))
		return;
	p = table_peer(&e->table, &addr, false);
	if (!p || p->client || (p->id_known && memcmp(&p->id, &link->peer, sizeof(p->id)) != 0))
		return;
	renumber(e, &ev, p, link->number);
	p->id = link->peer;
	p->id_known = true;
	p->link = link->number;
	p->mtu = link->mtu;
	p->up = true;
	p->wanted = false;
	p->grace_pending = false;
	timers_unset(&e->table.timers, &p->grace);
	while ((c = LIST_FIRST(&p->waiting)))
		relay_send_create(e, &ev, c);
	gauges(e);
}

void relay_engine_link_down(struct relay_engine *e, uint64_t now_ms, const struct relay_id *peer, struct actions *out)
{
	const struct event ev = { .now_ms = now_ms, .out = out };
	struct in6_addr addr = overlay_relay(peer);
	struct peer *p = table_find_peer(&e->table, &addr);

	if (!p || p->client)
		return;
	p->up = false;
	p->wanted = false;
	drop_half_open(e, &ev, p);
	gauges(e);
	table_reap_later(&e->table, p, now_ms);
	if (p->grace.pos != 0 && !p->grace_pending)
		return; /* running since the link was lost */
	p->grace_pending = false;
	timers_unset(&e->table.timers, &p->grace);
	if (!LIST_EMPTY(&p->ready_prev) || !LIST_EMPTY(&p->ready_next))
		timers_set(&e->table.timers, &p->grace, now_ms + LINK_GRACE_MS);
}

/* Time. */

static void circuit_due(struct relay_engine *e, const struct event *ev, struct circuit *c)
{
	uint64_t left = c->expires > ev->now_s ? c->expires - ev->now_s : 0;

	if (c->phase != CIRCUIT_READY) {
		relay_half_open_due(e, ev, c);
		return;
	}
	if (c->restored && left > 0) {
		c->restored = false;
		if (left > e->conf.limits.lifetime_max)
			left = e->conf.limits.lifetime_max;
		c->expires_ms = ev->now_ms + left * 1000;
		timers_set(&e->table.timers, &c->timer, c->expires_ms);
		return;
	}
	e->counters.expired++;
	relay_close(e, ev, c, CTRL_REASON_EXPIRED, true, true);
}

static void grace_due(struct relay_engine *e, const struct event *ev, struct peer *p)
{
	if (p->grace_pending) {
		p->grace_pending = false;
		timers_set(&e->table.timers, &p->grace, ev->now_ms + LINK_GRACE_MS);
		return;
	}
	drop_ready(e, ev, p);
}

/* Forgetting a neighbour fills its token bucket, so that has to be full by itself. */
static void reap_due(struct relay_engine *e, const struct event *ev, struct peer *p)
{
	if (!table_peer_unused(p))
		return;
	if (p->tokens_ms + REAP_AFTER_MS > ev->now_ms)
		table_reap_later(&e->table, p, ev->now_ms);
	else
		table_free_peer(&e->table, p);
}

static uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

void relay_engine_tick(struct relay_engine *e, uint64_t now_ms, uint64_t now_s, struct actions *out,
		       uint64_t *ret_next_ms)
{
	const struct event ev = { now_ms, now_s, out };
	struct timer *t;

	while ((t = timers_take(&e->table.timers, now_ms))) {
		if (t->kind == TIMER_CIRCUIT)
			circuit_due(e, &ev, timer_entry(t, struct circuit, timer));
		else if (t->kind == TIMER_GRACE)
			grace_due(e, &ev, timer_entry(t, struct peer, grace));
		else if (t->kind == TIMER_REAP)
			reap_due(e, &ev, timer_entry(t, struct peer, reap));
		else
			table_free_inner4(&e->table, timer_entry(t, struct inner4, timer));
	}
	replay_tick(&e->replay, now_ms);
	answers_tick(&e->answers, now_ms);
	farewell_tick(&e->farewell, now_ms, out);
	gauges(e);
	*ret_next_ms = min_u64(min_u64(timers_next(&e->table.timers), timers_next(&e->replay.timers)),
			       min_u64(timers_next(&e->farewell.timers), timers_next(&e->answers.by_age)));
}

void relay_engine_sa_gone(struct relay_engine *e, uint64_t now_ms, uint32_t number, uint32_t spi, struct actions *out)
{
	const struct event ev = { .now_ms = now_ms, .out = out };
	struct circuit *c = table_by_number(&e->table, number);

	if (!c || c->phase == CIRCUIT_EXTENDING || (spi != c->c.layer.spi_fwd && spi != c->c.layer.spi_back))
		return;
	if (c->phase == CIRCUIT_READY)
		relay_close(e, &ev, c, CTRL_REASON_FAILED, true, true);
	else
		relay_fail_status(e, &ev, c, CTRL_INTERNAL, true);
	gauges(e);
}

/* What an operator may want. */

int relay_engine_close(struct relay_engine *e, uint64_t now_ms, uint32_t number, struct actions *out)
{
	const struct event ev = { .now_ms = now_ms, .out = out };
	struct circuit *c = table_by_number(&e->table, number);

	if (!c || c->phase != CIRCUIT_READY)
		return -ENOENT;
	relay_close(e, &ev, c, CTRL_REASON_OPERATOR, true, true);
	gauges(e);
	return 0;
}

void relay_engine_close_all(struct relay_engine *e, uint64_t now_ms, struct actions *out)
{
	const struct event ev = { .now_ms = now_ms, .out = out };

	while (e->table.by_number)
		relay_close(e, &ev, e->table.by_number, CTRL_REASON_OPERATOR, true, true);
	gauges(e);
}

void relay_engine_drain(struct relay_engine *e, bool on)
{
	e->draining = on;
}

bool relay_engine_draining(const struct relay_engine *e)
{
	return e->draining;
}

bool relay_engine_drained(const struct relay_engine *e)
{
	return e->draining && e->table.n == 0 && e->farewell.n == 0;
}

/* The table that survives a crash. */

static void record_of(const struct circuit *c, struct relay_record *ret)
{
	*ret = (struct relay_record){
		.circuit = c->c,
		.expires = c->expires,
		.prev_link = c->prev->link,
		.prev_peer = c->prev_key.peer,
		.prev_handle = c->prev_key.handle,
	};
	if (c->next) {
		ret->next_link = c->next->link;
		ret->next_peer = c->next_key.peer;
		ret->next_handle = c->next_key.handle;
	}
}

void relay_engine_each(const struct relay_engine *e, void (*fn)(void *ctx, const struct relay_record *r), void *ctx)
{
	for (const struct circuit *c = e->table.by_number; c; c = c->hh_number.next) {
		struct relay_record r;

		if (c->phase != CIRCUIT_READY)
			continue;
		record_of(c, &r);
		fn(ctx, &r);
	}
}

int relay_engine_record(const struct relay_engine *e, uint32_t number, struct relay_record *ret)
{
	const struct circuit *c = table_by_number(&e->table, number);

	if (!c || c->phase != CIRCUIT_READY)
		return -ENOENT;
	record_of(c, ret);
	return 0;
}

static bool in_pool(const struct relay_engine *e, struct in_addr a)
{
	const struct prefix *pool = &e->conf.inner4;

	return e->conf.inner4_enabled && (ntohl(a.s_addr) ^ ntohl(pool->a4.s_addr)) >> (32 - pool->len) == 0;
}

static bool record_valid(const struct relay_engine *e, const struct relay_record *r)
{
	const struct relay_circuit *c = &r->circuit;
	const struct layer *l = &c->layer;

	if (c->number == 0 || c->number > RELAY_CIRCUIT_MAX || !suite_get(l->suite) || l->spi_fwd < SPI_MIN ||
	    l->spi_fwd > SPI_MAX || !IN6_ARE_ADDR_EQUAL(&l->o, &e->own))
		return false;
	if (!overlay_same_prefix(&l->a, &e->own) || overlay_link(&l->a) != r->prev_link)
		return false;
	if (r->prev_link == LINK_CLIENTS && !IN6_ARE_ADDR_EQUAL(&l->a, &r->prev_peer))
		return false;
	if (c->exit)
		return e->conf.exit && (!c->inner.has4 || in_pool(e, c->inner.addr4));
	return r->next_link >= LINK_FIRST && IN6_ARE_ADDR_EQUAL(&c->next_o, &r->next_peer);
}

/* A neighbour that a record names: its link is taken for down until we hear of it. */
static int restored_peer(struct relay_engine *e, const struct in6_addr *addr, uint16_t link, struct peer **ret)
{
	bool client = link == LINK_CLIENTS;
	struct peer *p = table_peer(&e->table, addr, client);

	if (!p)
		return -ENOMEM;
	table_reap_later(&e->table, p, 0);
	if (p->client != client || (p->link != LINK_NONE && p->link != link))
		return -EINVAL;
	p->link = link;
	if (!client && !p->up && p->grace.pos == 0) {
		p->grace_pending = true;
		if (timers_set(&e->table.timers, &p->grace, 0) < 0)
			return -ENOMEM;
	}
	*ret = p;
	return 0;
}

int relay_engine_restore(struct relay_engine *e, const struct relay_record *r)
{
	struct peer *prev, *next = NULL;
	struct circuit *c;
	int err;

	if (!record_valid(e, r))
		return -EINVAL;
	if (e->table.n >= e->conf.limits.circuits)
		return -ENOSPC;
	err = restored_peer(e, &r->prev_peer, r->prev_link, &prev);
	if (err < 0)
		return err;
	if (!r->circuit.exit) {
		err = restored_peer(e, &r->next_peer, r->next_link, &next);
		if (err < 0)
			return err;
	}
	err = table_restore(&e->table, &r->circuit, prev, r->prev_handle, next, r->next_handle, &c);
	if (err < 0)
		return err;
	c->expires = c->c.expires = r->expires;
	gauges(e);
	return 0;
}

void relay_engine_number_used(struct relay_engine *e, uint32_t number)
{
	uint32_t *last = &e->table.last_number;

	if (number == 0 || number > RELAY_CIRCUIT_MAX)
		return;
	/* As sequence numbers are compared: what lies up to half the range ahead is later. */
	if (*last == 0 || ((number - *last) & RELAY_CIRCUIT_MAX) <= RELAY_CIRCUIT_MAX / 2)
		*last = number;
}

uint32_t relay_engine_last_number(const struct relay_engine *e)
{
	return e->table.last_number;
}

void relay_engine_replay_each(const struct relay_engine *e, void (*fn)(void *ctx, const struct replay_record *r),
			      void *ctx)
{
	replay_each(&e->replay, fn, ctx);
}

int relay_engine_replay_add(struct relay_engine *e, uint64_t now_ms, uint64_t now_s, const struct replay_record *r)
{
	uint64_t max = (uint64_t)e->conf.limits.lifetime_max + REPLAY_SLACK_S, left;
	int err;

	if (r->expires > UINT64_MAX - REPLAY_SLACK_S)
		return -EINVAL;
	if (r->expires + REPLAY_SLACK_S <= now_s)
		return -ESTALE;
	left = min_u64(r->expires + REPLAY_SLACK_S - now_s, max);
	err = replay_add(&e->replay, r, NULL, now_ms + left * 1000);
	gauges(e);
	return err;
}

const struct relay_counters *relay_engine_counters(const struct relay_engine *e)
{
	return &e->counters;
}
