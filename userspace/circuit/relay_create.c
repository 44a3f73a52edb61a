/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Admission of a CREATE, the cheap checks first: retransmission, rate, limits, replay, key id; then the one Diffie-
 * Hellman that opens it; then what it says.
 */
#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "circuit/handshake.h"
#include "circuit/relay_engine.h"
#include "model/overlay.h"

/* What a neighbour's token bucket holds, seconds' worth of its rate. A client builds its few circuits at once. */
#define BURST_RELAY_S 2
#define BURST_CLIENT_S 4

struct peer_limits {
	uint32_t half_open, circuits, rate, burst_s;
};

static struct peer_limits limits_of(const struct relay_limits *l, const struct peer *p)
{
	if (p->client)
		return (struct peer_limits){ l->client_half_open, l->client_circuits, l->client_creates_per_second,
					     BURST_CLIENT_S };
	return (struct peer_limits){ l->half_open_per_link, l->circuits_per_link, l->creates_per_second,
				     BURST_RELAY_S };
}

/* The same CREATE again gets the same answer, or none while that is being made. Another one under its handle: none. */
static bool absorb_known(struct relay_engine *e, const struct event *ev, const struct asker *who)
{
	const uint8_t *digest = NULL, *answer = answers_find(&e->answers, &who->key, &digest);
	const struct circuit *c = table_by_prev(&e->table, &who->key);

	if (!answer && !c)
		return false;
	if (!answer && c->half)
		digest = c->half->digest;
	if (digest && sodium_memcmp(digest, who->digest, DIGEST_LEN) != 0) {
		e->counters.refused_malformed++;
		return true;
	}
	e->counters.retransmitted++;
	if (answer)
		actions_send_bytes(ev->out, who->link, &who->key.peer, answer);
	return true;
}

static uint8_t admit(struct relay_engine *e, const struct event *ev, struct peer *p, const uint8_t tag[REPLAY_TAG_LEN])
{
	const struct relay_limits *l = &e->conf.limits;
	struct peer_limits own = limits_of(l, p);

	if (!table_peer_token(p, own.rate, own.burst_s, ev->now_ms))
		return CTRL_RATE;
	if (e->draining)
		return CTRL_DRAINING;
	if (e->table.half_open >= l->half_open || p->half_open >= own.half_open || e->table.n >= l->circuits ||
	    p->circuits >= own.circuits || replay_full(&e->replay, &p->addr, p->client))
		return CTRL_LIMIT;
	return replay_seen(&e->replay, tag) ? CTRL_REPLAY : CTRL_OK;
}

static const struct onion_key *find_key(const struct relay_engine *e, uint32_t id)
{
	for (size_t i = 0; i < e->conf.n_onion_keys; i++)
		if (e->conf.onion_keys[i].id == id)
			return &e->conf.onion_keys[i];
	return NULL;
}

/* CTRL_OK, and the handshake with message 1 read and its payload; or why not. */
static uint8_t open_layer(struct relay_engine *e, uint32_t key_id, struct ctrl_view msg, uint8_t plain[CTRL_MSG_LEN],
			  size_t *ret_len, struct noise **ret)
{
	_cleanup_(cleanup_noise) struct noise *n = NULL;
	const struct onion_key *key = find_key(e, key_id);
	int r;

	if (!key)
		return CTRL_UNKNOWN_KEY;
	r = handshake_responder(&e->conf.id, key->secret, e->conf.rng, &n);
	if (r < 0)
		return CTRL_INTERNAL;
	r = noise_read(n, msg.p, msg.len, plain, CTRL_MSG_LEN, ret_len);
	if (r < 0)
		return CTRL_DECRYPT;
	*ret = n;
	n = NULL;
	return CTRL_OK;
}

static uint8_t check_offer(const struct relay_engine *e, const struct in6_addr *from, const struct ctrl_offer *o)
{
	struct in6_addr next;

	if (o->spi_back < SPI_MIN || o->spi_back > SPI_MAX)
		return CTRL_MALFORMED;
	if (!suite_get(o->suite))
		return CTRL_SUITE;
	if (o->kind == CTRL_KIND_EXIT) {
		if (!e->conf.exit)
			return CTRL_NOT_EXIT;
		/* Nothing authenticates T_k's content again: no short ICV here. */
		if (o->suite == SUITE_AES128_GCM_8)
			return CTRL_SUITE;
		if (!((o->families & CTRL_FAMILY_V4) && e->conf.inner4_enabled) &&
		    !((o->families & CTRL_FAMILY_V6) && e->conf.inner6_enabled))
			return CTRL_NO_FAMILY;
		return CTRL_OK;
	}
	next = overlay_relay(&o->next);
	if (IN6_ARE_ADDR_EQUAL(&next, &e->own) || IN6_ARE_ADDR_EQUAL(&next, from))
		return CTRL_BAD_NEXT;
	return CTRL_OK;
}

static uint8_t remember(struct relay_engine *e, const struct event *ev, const struct peer *p,
			const uint8_t tag[REPLAY_TAG_LEN], uint64_t expires)
{
	struct replay_record rec = { .expires = expires, .client = p->client };
	struct action *a;

	memcpy(rec.tag, tag, sizeof(rec.tag));
	if (replay_add(&e->replay, &rec, &p->addr, ev->now_ms + (expires - ev->now_s + REPLAY_SLACK_S) * 1000) < 0)
		return CTRL_NO_RESOURCES;
	a = actions_add(ev->out, ACTION_RELAY_REMEMBER);
	if (!a)
		return CTRL_NO_RESOURCES;
	a->seen = rec;
	return CTRL_OK;
}

/*
 * Parse, check, and only then remember: a refusal here allocates nothing, so a replay of what was refused costs what
 * the first one did, and a token of its sender as well.
 */
static uint8_t accept_offer(struct relay_engine *e, const struct event *ev, const struct peer *p,
			    const uint8_t tag[REPLAY_TAG_LEN], const uint8_t *plain, size_t len, struct ctrl_offer *ret)
{
	uint8_t status;

	if (ctrl_offer_decode(plain, len, ret) < 0)
		return CTRL_MALFORMED;
	if (ret->expires <= ev->now_s || ret->expires - ev->now_s > e->conf.limits.lifetime_max)
		return CTRL_EXPIRED;
	status = check_offer(e, &p->addr, ret);
	return status == CTRL_OK ? remember(e, ev, p, tag, ret->expires) : status;
}

static void begin(struct relay_engine *e, const struct event *ev, const struct asker *who, struct peer *p,
		  struct noise *noise, const struct ctrl_offer *o)
{
	struct circuit *c;

	if (table_new(&e->table, p, who->key.handle, noise, &c) < 0) {
		relay_refuse(e, ev, who, noise, &(struct ctrl_answer){ .status = CTRL_NO_RESOURCES });
		noise_free(noise);
		return;
	}
	memcpy(c->half->digest, who->digest, sizeof(c->half->digest));
	c->expires = c->c.expires = o->expires;
	c->expires_ms = ev->now_ms + (o->expires - ev->now_s) * 1000;
	c->half->deadline_ms = ev->now_ms + e->conf.limits.extend_timeout_ms;
	c->c.exit = o->kind == CTRL_KIND_EXIT;
	c->c.layer.o = e->own;
	c->c.layer.spi_back = o->spi_back;
	c->c.layer.suite = o->suite;
	if (table_give_address(&e->table, c, &e->own) < 0)
		relay_fail_status(e, ev, c, CTRL_NO_RESOURCES, false);
	else if (c->c.exit)
		relay_begin_exit(e, ev, c, o->families);
	else
		relay_begin_extend(e, ev, c, o);
}

/* It could not be opened: say so, outside of any layer, and keep nothing. */
static void refuse_unopened(struct relay_engine *e, const struct event *ev, const struct asker *who, uint8_t status)
{
	struct ctrl_msg m = { .type = CTRL_CREATED, .handle = who->key.handle };

	m.created.status = status;
	relay_count_refusal(e, status);
	actions_send(ev->out, who->link, &who->key.peer, &m);
}

static struct peer *asking_peer(struct relay_engine *e, const struct event *ev, const struct link *link,
				const struct in6_addr *from)
{
	struct peer *p = table_peer(&e->table, from, link->kind == LINK_KIND_CLIENTS);

	if (!p)
		return NULL;
	p->link = link->number;
	p->mtu = link->mtu;
	table_reap_later(&e->table, p, ev->now_ms);
	return p;
}

void relay_on_create(struct relay_engine *e, const struct event *ev, const struct link *link,
		     const struct in6_addr *from, const uint8_t *msg, const struct ctrl_msg *m)
{
	struct asker who = { .link = link->number, .key = { *from, m->handle } };
	uint8_t plain[CTRL_MSG_LEN], tag[REPLAY_TAG_LEN] = { 0 };
	struct noise *noise = NULL;
	struct ctrl_view sealed = { 0 };
	struct ctrl_offer offer;
	struct peer *p;
	uint32_t key_id = 0;
	uint8_t status = CTRL_MALFORMED;
	size_t len = 0;

	crypto_generichash(who.digest, sizeof(who.digest), msg, CTRL_MSG_LEN, NULL, 0);
	if (absorb_known(e, ev, &who))
		return;
	p = asking_peer(e, ev, link, from);
	if (!p)
		return;
	if (ctrl_body_decode(m->create, &key_id, &sealed) == 0) {
		replay_tag(sealed.p, tag); /* message 1 begins with the ephemeral key */
		status = admit(e, ev, p, tag);
	}
	if (status == CTRL_OK)
		status = open_layer(e, key_id, sealed, plain, &len, &noise);
	if (status != CTRL_OK) {
		refuse_unopened(e, ev, &who, status);
		return;
	}
	status = accept_offer(e, ev, p, tag, plain, len, &offer);
	if (status == CTRL_OK) {
		begin(e, ev, &who, p, noise, &offer);
	} else {
		relay_refuse(e, ev, &who, noise, &(struct ctrl_answer){ .status = status });
		noise_free(noise);
	}
	sodium_memzero(plain, sizeof(plain));
}
