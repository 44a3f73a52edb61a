/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "circuit/origin.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "circuit/handshake.h"
#include "circuit/inner.h"
#include "circuit/origin_verify.h"
#include "lib/bytes.h"
#include "lib/secmem.h"
#include "model/overlay.h"

const struct origin_timing origin_timing_default = {
	.link_timeout_ms = 20000,
	.create_first_ms = 1000,
	.create_timeout_ms = 15000,
	.probe_first_ms = 500,
	.probe_timeout_ms = 10000,
	.keepalive_ms = 15000,
	.keepalive_misses = 3,
	.lifetime_s = 3600,
};

#define EXPIRY_GRAIN_S 300	 /* `expires` is a multiple of it */
#define EXPIRY_FAR_S 1000000000u /* no need to look further ahead */

struct origin {
	struct relay path[HOPS_MAX];
	bool want4, want6;
	struct origin_timing timing;
	const struct rng *rng;

	struct origin_state state;
	struct origin_circuit circuit; /* layers[].o, suite and spi_back from the start, the rest by CREATED */
	uint64_t handle;
	bool link_down;	     /* PROBING, OPEN: and the grace runs */
	uint64_t grace_ms;   /* its end */
	uint64_t timeout_ms; /* LINKING, CREATING, PROBING */
	uint64_t send_ms;    /* the next CREATE or echo */
	uint32_t backoff_ms;
	uint32_t unanswered; /* echoes in a row */

	/* Until CREATED is verified. */
	struct noise *handshakes[HOPS_MAX];
	uint8_t create[CTRL_MSG_LEN];
};

/* Phases. */

static void forget_handshakes(struct origin *o)
{
	for (size_t i = 0; i < HOPS_MAX; i++) {
		noise_free(o->handshakes[i]);
		o->handshakes[i] = NULL;
	}
	sodium_memzero(o->create, sizeof(o->create));
}

static void enter(struct origin *o, enum origin_phase phase, uint64_t now_ms, struct actions *out)
{
	o->state.phase = phase;
	o->state.since_ms = now_ms;
	actions_add(out, ACTION_ORIGIN_STATE);
}

static bool is_over(const struct origin *o)
{
	return o->state.phase == ORIGIN_FAILED || o->state.phase == ORIGIN_CLOSED;
}

static void send_to_guard(const struct origin *o, const struct ctrl_msg *m, struct actions *out)
{
	actions_send(out, o->circuit.guard_link, &o->circuit.layers[0].o, m);
}

/* Best effort: the relays drop it at `expires` in any case. */
static void send_destroy(const struct origin *o, uint8_t reason, struct actions *out)
{
	struct ctrl_msg m = { .type = CTRL_DESTROY, .handle = o->handle };

	if (o->state.phase == ORIGIN_LINKING || o->link_down)
		return;
	m.destroy.by_creator = true;
	m.destroy.reason = reason;
	send_to_guard(o, &m, out);
}

static void fail(struct origin *o, enum origin_failure failure, uint64_t now_ms, struct actions *out)
{
	switch (failure) {
	case ORIGIN_LINK_FAILED:
	case ORIGIN_LINK_LOST:
	case ORIGIN_REFUSED:   /* nothing of it is left */
	case ORIGIN_DESTROYED: /* likewise */
		break;
	case ORIGIN_EXPIRED:
		send_destroy(o, CTRL_REASON_EXPIRED, out);
		break;
	default:
		send_destroy(o, CTRL_REASON_FAILED, out);
		break;
	}
	o->state.failure = failure;
	forget_handshakes(o);
	enter(o, ORIGIN_FAILED, now_ms, out);
}

static void probe(struct origin *o, struct actions *out)
{
	actions_add(out, ACTION_ORIGIN_PROBE);
	o->unanswered++;
}

/* Beginning. */

static bool path_valid(const struct relay *path, size_t n)
{
	if (n < 1 || n > HOPS_MAX)
		return false;
	for (size_t i = 0; i < n; i++) {
		struct in6_addr a = overlay_relay(&path[i].id);

		for (size_t j = 0; j < i; j++) {
			struct in6_addr b = overlay_relay(&path[j].id);

			if (overlay_same_prefix(&a, &b))
				return false;
		}
	}
	return true;
}

static bool config_valid(const struct origin_config *c)
{
	const struct origin_timing *t = &c->timing;

	return c->rng && path_valid(c->path, c->n_hops) && (c->want4 || c->want6) && suite_get(c->suite) &&
	       suite_get(c->suite_beet) && c->suite != SUITE_AES128_GCM_8 && t->create_first_ms > 0 &&
	       t->probe_first_ms > 0 && t->keepalive_ms > 0 && t->keepalive_misses > 0 && t->lifetime_s > 0;
}

static int origin_alloc(const struct origin_config *conf, struct origin **ret)
{
	struct origin *o;

	if (!config_valid(conf))
		return -EINVAL;
	o = calloc(1, sizeof(*o));
	if (!o)
		return -ENOMEM;
	memcpy(o->path, conf->path, conf->n_hops * sizeof(o->path[0]));
	o->want4 = conf->want4;
	o->want6 = conf->want6;
	o->timing = conf->timing;
	o->rng = conf->rng;
	o->circuit.slot = conf->slot;
	o->circuit.n_layers = conf->n_hops;
	*ret = o;
	return 0;
}

static bool spi_used(const struct origin *o, size_t n, uint32_t spi)
{
	for (size_t i = 0; i < n; i++)
		if (o->circuit.layers[i].spi_back == spi)
			return true;
	return false;
}

static void plan_layers(struct origin *o, const struct origin_config *conf)
{
	for (size_t i = 0; i < conf->n_hops; i++) {
		struct layer *l = &o->circuit.layers[i];
		uint32_t spi;

		do
			spi = SPI_MIN + rng_below(o->rng, SPI_MAX - SPI_MIN + 1);
		while (spi_used(o, i, spi));
		l->spi_back = spi;
		l->o = overlay_relay(&conf->path[i].id);
		l->suite = i + 1 == conf->n_hops ? conf->suite : conf->suite_beet;
	}
}

/* Coarse, for every hop reads it: to the second it would tell them how wrong our clock goes, and that tells us apart.
 */
static uint64_t expiry(uint64_t now_s, uint32_t lifetime_s)
{
	uint64_t grain = lifetime_s / 4 < EXPIRY_GRAIN_S ? lifetime_s / 4 : EXPIRY_GRAIN_S;
	uint64_t t = now_s + lifetime_s;

	return grain > 1 ? t - t % grain : t;
}

int origin_new(const struct origin_config *conf, uint64_t now_ms, uint64_t now_s, struct actions *out,
	       struct origin **ret)
{
	struct action *want;
	struct origin *o;
	int r;

	r = origin_alloc(conf, &o);
	if (r < 0)
		return r;
	want = actions_add(out, ACTION_WANT_LINK);
	if (!want) {
		origin_free(o);
		return -ENOMEM;
	}
	want->relay_id = o->path[0].id;
	plan_layers(o, conf);
	o->handle = rng_u64(o->rng);
	o->state.expires = o->circuit.expires = expiry(now_s, conf->timing.lifetime_s);
	o->timeout_ms = now_ms + conf->timing.link_timeout_ms;
	enter(o, ORIGIN_LINKING, now_ms, out);
	*ret = o;
	return 0;
}

void origin_free(struct origin *o)
{
	if (!o)
		return;
	forget_handshakes(o);
	free(o);
}

/* CREATE. */

/*
 * The body for hop i around the one for hop i + 1. Each hop waits less for the rest of the path than the one before it,
 * so that the last one still waiting, which knows who hangs, is the first to give up.
 */
static int wrap(struct origin *o, size_t i, struct ctrl_view next, uint8_t body[CTRL_CREATE_BODY_MAX], size_t *ret_len)
{
	const struct layer *l = &o->circuit.layers[i];
	size_t n = o->circuit.n_layers, len;
	uint64_t wait = (uint64_t)o->timing.create_timeout_ms * (n - i - 1) / n;
	struct ctrl_offer offer = {
		.expires = o->state.expires,
		.suite = (uint8_t)l->suite,
		.spi_back = l->spi_back,
		.kind = i + 1 < n ? CTRL_KIND_EXTEND : CTRL_KIND_EXIT,
		.wait_ms = (uint16_t)(wait > UINT16_MAX ? UINT16_MAX : wait),
		.body = next,
		.families = (uint8_t)((o->want4 ? CTRL_FAMILY_V4 : 0) | (o->want6 ? CTRL_FAMILY_V6 : 0)),
	};
	uint8_t plain[CTRL_MSG_LEN];
	struct writer w = writer_of(body, CTRL_CREATE_BODY_MAX);
	int r;

	if (i + 1 < n)
		offer.next = o->path[i + 1].id;
	r = ctrl_offer_encode(&offer, plain, sizeof(plain), &len);
	if (r < 0)
		return r;
	r = handshake_initiator(&o->path[i], o->rng, &o->handshakes[i]);
	if (r < 0)
		return r;
	write_u32(&w, o->path[i].onion_key_id);
	r = noise_write(o->handshakes[i], plain, len, body + w.len, w.cap - w.len, &len);
	sodium_memzero(plain, sizeof(plain)); /* the rest of the path */
	if (r < 0)
		return r;
	*ret_len = w.len + len;
	return 0;
}

static int make_create(struct origin *o)
{
	uint8_t body[2][CTRL_CREATE_BODY_MAX];
	struct ctrl_msg m = { .type = CTRL_CREATE, .handle = o->handle };
	int r;

	/* From the last hop inward to outward; two buffers, for one body is sealed into the next. */
	for (size_t i = o->circuit.n_layers; i-- > 0;) {
		uint8_t *to = body[i % 2];
		size_t len;

		r = wrap(o, i, m.create, to, &len);
		if (r < 0)
			return r;
		m.create = (struct ctrl_view){ to, len };
	}
	return ctrl_encode(&m, o->create);
}

static void transmit_create(struct origin *o, uint64_t now_ms, struct actions *out)
{
	actions_send_bytes(out, o->circuit.guard_link, &o->circuit.layers[0].o, o->create);
	o->send_ms = now_ms + o->backoff_ms;
	o->backoff_ms *= 2;
}

static void fail_locally(struct origin *o, int error, uint64_t now_ms, struct actions *out)
{
	o->state.error = error;
	fail(o, ORIGIN_INSTALL_FAILED, now_ms, out);
}

/* IPv6 needs 1280 (RFC 8200 section 5); below 576 nothing useful is left of IPv4 (RFC 791). */
static bool mtu_suffices(const struct origin *o)
{
	return o->circuit.inner.mtu >= (o->want6 ? 1280 : 576);
}

static void begin_create(struct origin *o, uint64_t now_ms, const struct link *link, struct actions *out)
{
	const struct layer *last = &o->circuit.layers[o->circuit.n_layers - 1];
	int r;

	o->circuit.guard_link = link->number;
	o->circuit.link_mtu = link->mtu;
	o->circuit.layers[0].a = link->self;
	o->circuit.inner.mtu = inner_mtu(link->mtu, o->circuit.n_layers, last->suite, o->circuit.layers[0].suite);
	r = mtu_suffices(o) ? make_create(o) : -EMSGSIZE;
	if (r < 0) {
		fail_locally(o, r, now_ms, out);
		return;
	}
	enter(o, ORIGIN_CREATING, now_ms, out);
	o->timeout_ms = now_ms + o->timing.create_timeout_ms;
	o->backoff_ms = o->timing.create_first_ms;
	transmit_create(o, now_ms, out);
}

/* Links. */

static bool link_is_guards(const struct origin *o, const struct link *link)
{
	return link->kind == LINK_KIND_GUARD && memcmp(&link->peer, &o->path[0].id, sizeof(link->peer)) == 0 &&
	       IN6_ARE_ADDR_EQUAL(&link->remote, &o->circuit.layers[0].o);
}

void origin_link_up(struct origin *o, uint64_t now_ms, const struct link *link, struct actions *out)
{
	if (!link_is_guards(o, link) || is_over(o))
		return;
	if (o->state.phase == ORIGIN_LINKING) {
		begin_create(o, now_ms, link, out);
		return;
	}
	/* It came back. The circuit hangs on our address, and its devices on the link's number. */
	if (link->number != o->circuit.guard_link || !IN6_ARE_ADDR_EQUAL(&link->self, &o->circuit.layers[0].a)) {
		fail(o, ORIGIN_LINK_LOST, now_ms, out);
		return;
	}
	if (!o->link_down)
		return;
	o->link_down = false;
	o->unanswered = 0;
	o->send_ms = now_ms;
	if (o->state.phase == ORIGIN_PROBING)
		o->timeout_ms = now_ms + o->timing.probe_timeout_ms;
}

void origin_link_down(struct origin *o, uint64_t now_ms, struct actions *out)
{
	switch (o->state.phase) {
	case ORIGIN_LINKING:
		fail(o, ORIGIN_LINK_FAILED, now_ms, out);
		break;
	case ORIGIN_CREATING:
	case ORIGIN_INSTALLING:
		fail(o, ORIGIN_LINK_LOST, now_ms, out);
		break;
	case ORIGIN_PROBING:
	case ORIGIN_OPEN:
		if (!o->link_down)
			o->grace_ms = now_ms + ORIGIN_LINK_GRACE_MS;
		o->link_down = true;
		break;
	default:
		break;
	}
}

/* CREATED. */

static void on_created(struct origin *o, uint64_t now_ms, const struct ctrl_msg *m, struct actions *out)
{
	_cleanup_secmem_ struct layer_keys *keys = secmem_alloc(o->circuit.n_layers * sizeof(*keys));
	struct origin_verdict v = { 0 };
	struct action *install;
	int r;

	if (!keys) {
		fail_locally(o, -ENOMEM, now_ms, out);
		return;
	}
	r = origin_verify(&o->circuit, o->handshakes, o->want4, o->want6, m, keys, &v);
	if (r < 0) {
		fail_locally(o, r, now_ms, out);
		return;
	}
	if (v.failure != ORIGIN_OK) {
		o->state.hop = v.hop;
		o->state.status = v.status;
		o->state.sealed = v.sealed;
		fail(o, v.failure, now_ms, out);
		return;
	}
	forget_handshakes(o);
	enter(o, ORIGIN_INSTALLING, now_ms, out);
	install = actions_add(out, ACTION_ORIGIN_INSTALL);
	if (!install) {
		fail_locally(o, -ENOMEM, now_ms, out);
		return;
	}
	install->keys = keys;
	keys = NULL;
}

static void on_destroy(struct origin *o, uint64_t now_ms, const struct ctrl_msg *m, struct actions *out)
{
	struct ctrl_msg ack = *m;

	if (m->destroy.by_creator)
		return; /* the handle is ours: the guard cannot be its creator */
	ack.type = CTRL_DESTROY_ACK;
	send_to_guard(o, &ack, out);
	if (!is_over(o))
		fail(o, ORIGIN_DESTROYED, now_ms, out);
}

bool origin_message(struct origin *o, uint64_t now_ms, const uint8_t *msg, size_t len, struct actions *out)
{
	struct ctrl_msg m;

	if (ctrl_decode(msg, len, &m) < 0 || m.type == CTRL_PROBE || m.type == CTRL_PROBE_ACK ||
	    m.handle != o->handle || o->state.phase == ORIGIN_LINKING)
		return false;
	if (m.type == CTRL_CREATED && o->state.phase == ORIGIN_CREATING)
		on_created(o, now_ms, &m, out);
	else if (m.type == CTRL_DESTROY)
		on_destroy(o, now_ms, &m, out);
	return true;
}

/* The kernel and the echo. */

void origin_installed(struct origin *o, uint64_t now_ms, int error, struct actions *out)
{
	if (o->state.phase != ORIGIN_INSTALLING)
		return;
	if (error < 0) {
		fail_locally(o, error, now_ms, out);
		return;
	}
	enter(o, ORIGIN_PROBING, now_ms, out);
	o->timeout_ms = now_ms + o->timing.probe_timeout_ms;
	o->backoff_ms = o->timing.probe_first_ms;
	o->send_ms = now_ms + o->backoff_ms;
	probe(o, out);
}

void origin_echo(struct origin *o, uint64_t now_ms, uint32_t rtt_us, struct actions *out)
{
	if (o->state.phase != ORIGIN_PROBING && o->state.phase != ORIGIN_OPEN)
		return;
	o->state.rtt_us = rtt_us;
	o->unanswered = 0;
	if (o->state.phase == ORIGIN_OPEN)
		return;
	o->send_ms = now_ms + o->timing.keepalive_ms;
	enter(o, ORIGIN_OPEN, now_ms, out);
}

/* Time. */

static void creating_due(struct origin *o, uint64_t now_ms, struct actions *out)
{
	if (now_ms >= o->timeout_ms)
		fail(o, ORIGIN_TIMEOUT, now_ms, out);
	else if (now_ms >= o->send_ms)
		transmit_create(o, now_ms, out);
}

static void probing_due(struct origin *o, uint64_t now_ms, struct actions *out)
{
	if (now_ms >= o->timeout_ms) {
		fail(o, ORIGIN_NO_ECHO, now_ms, out);
	} else if (now_ms >= o->send_ms) {
		probe(o, out);
		o->backoff_ms *= 2;
		o->send_ms = now_ms + o->backoff_ms;
	}
}

static void open_due(struct origin *o, uint64_t now_ms, struct actions *out)
{
	if (now_ms < o->send_ms)
		return;
	if (o->unanswered >= o->timing.keepalive_misses) {
		fail(o, ORIGIN_NO_ECHO, now_ms, out);
		return;
	}
	probe(o, out);
	o->send_ms = now_ms + o->timing.keepalive_ms;
}

static void phase_due(struct origin *o, uint64_t now_ms, struct actions *out)
{
	if (o->link_down) {
		if (now_ms >= o->grace_ms)
			fail(o, ORIGIN_LINK_LOST, now_ms, out);
		return;
	}
	switch (o->state.phase) {
	case ORIGIN_LINKING:
		if (now_ms >= o->timeout_ms)
			fail(o, ORIGIN_LINK_FAILED, now_ms, out);
		break;
	case ORIGIN_CREATING:
		creating_due(o, now_ms, out);
		break;
	case ORIGIN_PROBING:
		probing_due(o, now_ms, out);
		break;
	case ORIGIN_OPEN:
		open_due(o, now_ms, out);
		break;
	default:
		break;
	}
}

static uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t next_due(const struct origin *o)
{
	if (o->link_down)
		return o->grace_ms;
	switch (o->state.phase) {
	case ORIGIN_LINKING:
		return o->timeout_ms;
	case ORIGIN_CREATING:
	case ORIGIN_PROBING:
		return min_u64(o->timeout_ms, o->send_ms);
	case ORIGIN_OPEN:
		return o->send_ms;
	default:
		return UINT64_MAX;
	}
}

void origin_tick(struct origin *o, uint64_t now_ms, uint64_t now_s, struct actions *out, uint64_t *ret_next_ms)
{
	if (!is_over(o) && now_s >= o->state.expires)
		fail(o, ORIGIN_EXPIRED, now_ms, out);
	if (!is_over(o))
		phase_due(o, now_ms, out);
	*ret_next_ms = UINT64_MAX;
	if (!is_over(o))
		*ret_next_ms = min_u64(next_due(o), now_ms + min_u64(o->state.expires - now_s, EXPIRY_FAR_S) * 1000);
}

/* The end. */

void origin_close(struct origin *o, uint64_t now_ms, struct actions *out)
{
	if (is_over(o))
		return;
	send_destroy(o, CTRL_REASON_REQUESTED, out);
	forget_handshakes(o);
	enter(o, ORIGIN_CLOSED, now_ms, out);
}

const struct origin_state *origin_state(const struct origin *o)
{
	return &o->state;
}

const struct origin_circuit *origin_circuit(const struct origin *o)
{
	return &o->circuit;
}

/* What survives a crash. */

int origin_record(const struct origin *o, struct origin_record *ret)
{
	if (o->state.phase != ORIGIN_PROBING && o->state.phase != ORIGIN_OPEN)
		return -ENOENT;
	*ret = (struct origin_record){ .circuit = o->circuit, .handle = o->handle, .expires = o->state.expires };
	for (size_t i = 0; i < o->circuit.n_layers; i++)
		ret->path[i] = o->path[i].id;
	return 0;
}

static bool record_matches(const struct origin_config *conf, const struct origin_record *r)
{
	if (r->circuit.n_layers != conf->n_hops || r->circuit.slot != conf->slot)
		return false;
	for (size_t i = 0; i < conf->n_hops; i++) {
		struct in6_addr addr = overlay_relay(&r->path[i]);

		if (memcmp(&r->path[i], &conf->path[i].id, sizeof(r->path[i])) != 0 ||
		    !IN6_ARE_ADDR_EQUAL(&r->circuit.layers[i].o, &addr))
			return false;
	}
	return true;
}

int origin_restore(const struct origin_config *conf, const struct origin_record *r, uint64_t now_ms,
		   struct actions *out, struct origin **ret)
{
	struct origin *o;
	int err;

	if (!config_valid(conf) || !record_matches(conf, r))
		return -EINVAL;
	err = origin_alloc(conf, &o);
	if (err < 0)
		return err;
	o->circuit = r->circuit;
	o->handle = r->handle;
	o->state.expires = o->circuit.expires = r->expires;
	o->send_ms = now_ms + conf->timing.keepalive_ms;
	enter(o, ORIGIN_OPEN, now_ms, out);
	probe(o, out);
	*ret = o;
	return 0;
}
