/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "circuit/handshake.h"
#include "circuit/relay_engine.h"
#include "lib/secmem.h"
#include "model/overlay.h"

void relay_count_refusal(struct relay_engine *e, uint8_t status)
{
	struct relay_counters *n = &e->counters;
	uint64_t *const of[] = {
		[CTRL_MALFORMED] = &n->refused_malformed, [CTRL_UNKNOWN_KEY] = &n->refused_unknown_key,
		[CTRL_DECRYPT] = &n->refused_decrypt,	  [CTRL_REPLAY] = &n->refused_replay,
		[CTRL_EXPIRED] = &n->refused_expired,	  [CTRL_LIMIT] = &n->refused_limit,
		[CTRL_RATE] = &n->refused_rate,		  [CTRL_SUITE] = &n->refused_malformed,
		[CTRL_NOT_EXIT] = &n->refused_not_exit,	  [CTRL_NO_FAMILY] = &n->refused_not_exit,
		[CTRL_BAD_NEXT] = &n->refused_malformed,  [CTRL_NEXT_UNREACHABLE] = &n->extend_failed,
		[CTRL_NEXT_TIMEOUT] = &n->extend_timeout, [CTRL_NEXT_REFUSED] = &n->extend_failed,
		[CTRL_NEXT_SEALED] = &n->extend_failed,	  [CTRL_SPI_TAKEN] = &n->install_failed,
		[CTRL_NO_RESOURCES] = &n->install_failed, [CTRL_INTERNAL] = &n->install_failed,
		[CTRL_DRAINING] = &n->refused_draining,
	};

	if (status < ARRAY_SIZE(of) && of[status])
		(*of[status])++;
}

/* Noise message 2 around the answer. */
static int seal(struct noise *noise, const struct ctrl_answer *a, uint8_t body[CTRL_CREATED_BODY_MAX], size_t *ret_len)
{
	uint8_t plain[CTRL_MSG_LEN];
	size_t len;
	int r;

	r = ctrl_answer_encode(a, plain, sizeof(plain), &len);
	if (r < 0)
		return r;
	return noise_write(noise, plain, len, body, CTRL_CREATED_BODY_MAX, ret_len);
}

static int encode_created(uint64_t handle, uint8_t status, const struct in6_addr *a, struct ctrl_view body,
			  uint8_t out[CTRL_MSG_LEN])
{
	struct ctrl_msg m = { .type = CTRL_CREATED, .handle = handle };

	m.created.status = status;
	if (a)
		m.created.a = *a;
	m.created.body = body;
	return ctrl_encode(&m, out);
}

void relay_refuse(struct relay_engine *e, const struct event *ev, const struct asker *who, struct noise *noise,
		  const struct ctrl_answer *why)
{
	uint8_t body[CTRL_CREATED_BODY_MAX], msg[CTRL_MSG_LEN];
	struct ctrl_view view = { body, 0 };
	int r;

	relay_count_refusal(e, why->status);
	r = seal(noise, why, body, &view.len);
	if (r == -EMSGSIZE) /* what the next relay sent does not fit: it was no honest answer */
		r = seal(noise, &(struct ctrl_answer){ .status = CTRL_NEXT_REFUSED, .detail = CTRL_MALFORMED }, body,
			 &view.len);
	if (r < 0)
		view.len = 0;
	encode_created(who->key.handle, r < 0 ? CTRL_INTERNAL : CTRL_SEALED, NULL, view, msg);
	actions_send_bytes(ev->out, who->link, &who->key.peer, msg);
	answers_put(&e->answers, &who->key, who->digest, msg, ev->now_ms);
}

void relay_fail(struct relay_engine *e, const struct event *ev, struct circuit *c, const struct ctrl_answer *why,
		bool tell_next)
{
	struct asker who = { .link = c->prev->link, .key = c->prev_key };
	struct action *a;

	memcpy(who.digest, c->half->digest, sizeof(who.digest));
	relay_refuse(e, ev, &who, c->half->noise, why);
	if (tell_next && c->next && c->half->sent)
		relay_say_destroy(e, ev, c->next, c->next_key.handle, true, CTRL_REASON_FAILED);
	if (c->phase == CIRCUIT_INSTALLING) {
		a = actions_add(ev->out, ACTION_RELAY_REMOVE);
		if (a)
			a->relay = c->c;
	}
	table_remove(&e->table, c, ev->now_ms);
}

void relay_fail_status(struct relay_engine *e, const struct event *ev, struct circuit *c, uint8_t status,
		       bool tell_next)
{
	relay_fail(e, ev, c, &(struct ctrl_answer){ .status = status }, tell_next);
}

/* Everything that can go wrong is in here; the circuit is untouched until it has not. */
static int prepare_install(const struct event *ev, struct circuit *c, const struct ctrl_answer *answer)
{
	_cleanup_secmem_ struct layer_keys *keys = secmem_alloc(sizeof(*keys));
	_cleanup_(cleanup_noise) struct noise *copy = NULL;
	uint8_t body[CTRL_CREATED_BODY_MAX];
	struct action *a;
	size_t len;
	int r;

	if (!keys)
		return -ENOMEM;
	/* Sealed by a copy: if the kernel refuses, the refusal is sealed under another ephemeral key. */
	r = noise_copy(c->half->noise, &copy);
	if (r < 0)
		return r;
	r = seal(copy, answer, body, &len);
	if (r < 0)
		return r;
	r = handshake_layer_keys(copy, &c->c.layer, keys);
	if (r < 0)
		return r;
	r = encode_created(c->prev_key.handle, CTRL_OK, &c->c.layer.a, (struct ctrl_view){ body, len },
			   c->half->answer);
	if (r < 0)
		return r;
	a = actions_add(ev->out, ACTION_RELAY_INSTALL);
	if (!a)
		return -ENOMEM;
	a->relay = c->c;
	a->keys = keys;
	keys = NULL;
	return 0;
}

/* body: the next relay's CREATED body, empty at an exit. */
static void install(struct relay_engine *e, const struct event *ev, struct circuit *c, struct ctrl_view body)
{
	const struct ctrl_answer answer = {
		.status = CTRL_OK,
		.a = c->c.layer.a,
		.spi_fwd = c->c.layer.spi_fwd,
		.mtu = c->prev->mtu,
		.kind = c->c.exit ? CTRL_KIND_EXIT : CTRL_KIND_EXTEND,
		.next_a = c->c.next_a,
		.body = body,
		.inner = c->c.inner,
	};
	int r = prepare_install(ev, c, &answer);

	if (r == -EMSGSIZE) {
		relay_fail(e, ev, c, &(struct ctrl_answer){ .status = CTRL_NEXT_REFUSED, .detail = CTRL_MALFORMED },
			   true);
		return;
	}
	if (r < 0) {
		relay_fail_status(e, ev, c, CTRL_NO_RESOURCES, true);
		return;
	}
	c->phase = CIRCUIT_INSTALLING;
	c->half->deadline_ms = ev->now_ms + e->conf.limits.extend_timeout_ms;
	timers_set(&e->table.timers, &c->timer, c->half->deadline_ms);
}

void relay_begin_exit(struct relay_engine *e, const struct event *ev, struct circuit *c, uint8_t families)
{
	const struct relay_engine_config *conf = &e->conf;
	struct inner *in = &c->c.inner;

	if ((families & CTRL_FAMILY_V4) && conf->inner4_enabled &&
	    table_give_inner4(&e->table, c, &conf->inner4) == 0) {
		in->has4 = true;
		in->gw4.s_addr = htonl(ntohl(conf->inner4.a4.s_addr) + 1);
		in->dns4 = conf->dns_gateway ? in->gw4 : conf->dns4;
	}
	if ((families & CTRL_FAMILY_V6) && conf->inner6_enabled && table_give_inner6(&e->table, c, &e->own) == 0) {
		in->has6 = true;
		in->gw6 = overlay_gateway(&e->own);
		in->dns6 = conf->dns_gateway ? in->gw6 : conf->dns6;
	}
	if (!in->has4 && !in->has6)
		relay_fail_status(e, ev, c, CTRL_NO_RESOURCES, false);
	else
		install(e, ev, c, (struct ctrl_view){ 0 });
}

static void arm_extending(struct relay_engine *e, struct circuit *c)
{
	const struct half_open *h = c->half;

	timers_set(&e->table.timers, &c->timer,
		   h->sent && h->resend_ms < h->deadline_ms ? h->resend_ms : h->deadline_ms);
}

static void transmit_create(const struct event *ev, struct circuit *c)
{
	actions_send_bytes(ev->out, c->next->link, &c->next->addr, c->half->create);
	c->half->resend_ms = ev->now_ms + c->half->backoff_ms;
	c->half->backoff_ms *= 2;
}

void relay_send_create(struct relay_engine *e, const struct event *ev, struct circuit *c)
{
	table_sent(c);
	c->half->backoff_ms = EXTEND_FIRST_MS;
	transmit_create(ev, c);
	arm_extending(e, c);
}

static void want_link(const struct event *ev, struct peer *next)
{
	struct action *a = next->wanted ? NULL : actions_add(ev->out, ACTION_WANT_LINK);

	if (!a)
		return;
	a->relay_id = next->id;
	next->wanted = true;
}

/* The neighbour that offer names; NULL with the status to refuse with. */
static struct peer *next_peer(struct relay_engine *e, const struct event *ev, const struct relay_id *id,
			      uint8_t *ret_status)
{
	struct in6_addr addr = overlay_relay(id);
	struct peer *next = table_peer(&e->table, &addr, false);

	*ret_status = CTRL_NO_RESOURCES;
	if (!next)
		return NULL;
	table_reap_later(&e->table, next, ev->now_ms);
	/* Two identities with one overlay address: 2^56 work, so not impossible. */
	*ret_status = CTRL_BAD_NEXT;
	if (next->client || (next->id_known && memcmp(&next->id, id, sizeof(*id)) != 0))
		return NULL;
	next->id = *id;
	next->id_known = true;
	return next;
}

/*
 * The next relay's limits for a neighbour hold for all clients behind a guard together. With the defaults it takes
 * 100 CREATEs a second over the link, 200 at once, and 1024 half-open circuits. A client sends 2 a second, 8 at once:
 * 50 clients are needed to take all of the rate for as long as they go on, 25 to take all of the burst. Of the
 * half-open circuits a client may have this part at the same next relay, 8, which is its burst: 128 clients are needed
 * to take all.
 */
#define CLIENT_PART 128

static bool share_used_up(const struct relay_engine *e, const struct peer *prev, const struct peer *next)
{
	uint32_t all = e->conf.limits.half_open_per_link, share = all > CLIENT_PART ? all / CLIENT_PART : 1, n = 0;
	const struct circuit *c;

	if (!prev->client)
		return false;
	LIST_FOREACH(c, &prev->half_prev, prev_list)
	n += c->next == next;
	return n >= share;
}

void relay_begin_extend(struct relay_engine *e, const struct event *ev, struct circuit *c,
			const struct ctrl_offer *offer)
{
	struct ctrl_msg m = { .type = CTRL_CREATE, .create = offer->body };
	struct half_open *h = c->half;
	uint8_t status;
	struct peer *next = next_peer(e, ev, &offer->next, &status);

	if (!next) {
		relay_fail_status(e, ev, c, status, false);
		return;
	}
	if (share_used_up(e, c->prev, next)) {
		relay_fail_status(e, ev, c, CTRL_LIMIT, false);
		return;
	}
	c->c.next_o = next->addr;
	if (table_give_next(&e->table, c, next) < 0) {
		relay_fail_status(e, ev, c, CTRL_NO_RESOURCES, false);
		return;
	}
	m.handle = c->next_key.handle;
	if (ctrl_encode(&m, h->create) < 0) {
		relay_fail_status(e, ev, c, CTRL_MALFORMED, false);
		return;
	}
	if (offer->wait_ms < e->conf.limits.extend_timeout_ms)
		h->deadline_ms = ev->now_ms + offer->wait_ms;
	if (next->up) {
		relay_send_create(e, ev, c);
		return;
	}
	want_link(ev, next);
	arm_extending(e, c);
}

/* A_c(i+1): in the next relay's /64, on one of its links to relays, and no other circuit's. */
static bool next_a_sane(const struct circuit *c, const struct in6_addr *a)
{
	uint16_t link = overlay_link(a);

	return overlay_same_prefix(a, &c->c.next_o) && link >= LINK_FIRST && link <= LINK_LAST;
}

static void next_accepted(struct relay_engine *e, const struct event *ev, struct circuit *c, const struct ctrl_msg *m)
{
	if (!next_a_sane(c, &m->created.a) || m->created.body.len < CTRL_NOISE_OVERHEAD ||
	    table_take_next_a(&e->table, c, &m->created.a) < 0)
		relay_fail(e, ev, c, &(struct ctrl_answer){ .status = CTRL_NEXT_REFUSED, .detail = CTRL_MALFORMED },
			   true);
	else
		install(e, ev, c, m->created.body);
}

void relay_on_created(struct relay_engine *e, const struct event *ev, const struct in6_addr *from, uint16_t link,
		      const struct ctrl_msg *m)
{
	const struct side_key key = { *from, m->handle };
	struct circuit *c = table_by_next(&e->table, &key);
	struct ctrl_msg orphan = { .type = CTRL_DESTROY, .handle = m->handle };

	if (!c) {
		e->counters.unknown_message++;
		if (m->created.status != CTRL_OK)
			return;
		orphan.destroy.by_creator = true;
		orphan.destroy.reason = CTRL_REASON_NO_CIRCUIT;
		actions_send(ev->out, link, from, &orphan);
		return;
	}
	if (c->phase != CIRCUIT_EXTENDING || !c->half->sent)
		return; /* again, because our CREATE went out again */
	if (m->created.status == CTRL_OK)
		next_accepted(e, ev, c, m);
	else if (m->created.status == CTRL_SEALED)
		relay_fail(e, ev, c, &(struct ctrl_answer){ .status = CTRL_NEXT_SEALED, .body = m->created.body },
			   false);
	else
		relay_fail(e, ev, c, &(struct ctrl_answer){ .status = CTRL_NEXT_REFUSED, .detail = m->created.status },
			   false);
}

void relay_half_open_due(struct relay_engine *e, const struct event *ev, struct circuit *c)
{
	if (ev->now_ms < c->half->deadline_ms) {
		transmit_create(ev, c);
		arm_extending(e, c);
	} else if (c->phase == CIRCUIT_INSTALLING) {
		relay_fail_status(e, ev, c, CTRL_INTERNAL, true);
	} else {
		relay_fail_status(e, ev, c, c->half->sent ? CTRL_NEXT_TIMEOUT : CTRL_NEXT_UNREACHABLE, true);
	}
}

static uint8_t status_of(int error)
{
	switch (error) {
	case -EEXIST:
		return CTRL_SPI_TAKEN;
	case -ENOMEM:
	case -ENOBUFS:
	case -ENOSPC:
		return CTRL_NO_RESOURCES;
	default:
		return CTRL_INTERNAL;
	}
}

void relay_on_installed(struct relay_engine *e, const struct event *ev, struct circuit *c, int error)
{
	if (error < 0) {
		c->phase = CIRCUIT_EXTENDING; /* nothing of it is in the kernel */
		relay_fail_status(e, ev, c, status_of(error), true);
		return;
	}
	actions_send_bytes(ev->out, c->prev->link, &c->prev->addr, c->half->answer);
	answers_put(&e->answers, &c->prev_key, c->half->digest, c->half->answer, ev->now_ms);
	table_ready(&e->table, c);
	timers_set(&e->table.timers, &c->timer, c->expires_ms);
	e->counters.created++;
}
