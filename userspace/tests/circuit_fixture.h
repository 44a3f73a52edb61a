/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the tests and fuzz targets of circuit/ share: relays with keys, links between them, a reproducible source. */
#pragma once

#include <arpa/inet.h>
#include <sodium.h>
#include <string.h>

#include "circuit/handshake.h"
#include "circuit/origin.h"
#include "circuit/relay.h"
#include "lib/bytes.h"
#include "lib/secmem.h"
#include "model/overlay.h"

#define FIX_NOW_MS 1000000u
#define FIX_NOW_S 1700000000u
#define FIX_MTU 1446u /* of a link over IPv4 on a 1500-byte wire */

/* SplitMix64: no secret in a test is one. */
static inline void fix_fill(void *ctx, void *out, size_t len)
{
	uint64_t *state = ctx;
	uint8_t *p = out;

	for (size_t i = 0; i < len; i++) {
		uint64_t z = (*state += 0x9e3779b97f4a7c15u);

		z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
		z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
		p[i] = (uint8_t)(z ^ (z >> 31));
	}
}

struct fix_relay {
	struct relay desc;
	struct onion_key key;
	uint8_t *secret;
	struct in6_addr addr;
};

static inline void fix_relay_make(struct fix_relay *r, uint8_t n)
{
	memset(r, 0, sizeof(*r));
	memset(r->desc.id.b, 0x10 + n, sizeof(r->desc.id.b));
	r->secret = secmem_alloc(32);
	memset(r->secret, 0x40 + n, 32);
	crypto_scalarmult_base(r->desc.onion_key, r->secret);
	r->desc.onion_key_id = 0x100u + n;
	r->key = (struct onion_key){ r->desc.onion_key_id, r->secret };
	r->addr = overlay_relay(&r->desc.id);
}

static inline void fix_relay_free(struct fix_relay *r)
{
	secmem_free(r->secret);
	r->secret = NULL;
}

static inline struct relay_engine_config fix_config(const struct fix_relay *r, const struct rng *rng)
{
	struct relay_engine_config c = {
		.id = r->desc.id,
		.onion_keys = &r->key,
		.n_onion_keys = 1,
		.exit = true,
		.inner4_enabled = true,
		.inner4 = { .family = AF_INET, .len = 12, .a4 = { htonl(0x64600000) } },
		.inner6_enabled = true,
		.dns4 = { htonl(0x64600001) },
		.limits = relay_limits_default,
		.rng = rng,
	};

	c.dns6 = overlay_addr(&r->addr, LINK_INNER, 1);
	return c;
}

/* The link at `at` to its neighbour `to`. */
static inline struct link fix_link(const struct fix_relay *at, const struct fix_relay *to, uint16_t number)
{
	return (struct link){ .kind = LINK_KIND_RELAY,
			      .number = number,
			      .peer = to->desc.id,
			      .self = at->addr,
			      .remote = to->addr,
			      .mtu = FIX_MTU };
}

static inline struct link fix_clients(const struct fix_relay *guard)
{
	return (struct link){ .kind = LINK_KIND_CLIENTS, .number = LINK_CLIENTS, .self = guard->addr, .mtu = FIX_MTU };
}

static inline struct in6_addr fix_client_addr(const struct fix_relay *guard, uint32_t n)
{
	return overlay_addr(&guard->addr, LINK_CLIENTS, 0x1000u + n);
}

static inline struct link fix_guard_link(const struct fix_relay *guard, uint32_t client)
{
	return (struct link){ .kind = LINK_KIND_GUARD,
			      .number = 2,
			      .peer = guard->desc.id,
			      .self = fix_client_addr(guard, client),
			      .remote = guard->addr,
			      .mtu = FIX_MTU };
}

static inline struct ctrl_offer fix_exit_offer(void)
{
	return (struct ctrl_offer){ .expires = FIX_NOW_S + 3600,
				    .suite = SUITE_AES128_GCM_16,
				    .spi_back = SPI_MIN + 5,
				    .kind = CTRL_KIND_EXIT,
				    .families = CTRL_FAMILY_V4 | CTRL_FAMILY_V6 };
}

/* A CREATE body for r; *ret is the initiator's half of the handshake. Returns its length. */
static inline size_t fix_body(const struct fix_relay *r, const struct ctrl_offer *o, const struct rng *rng,
			      uint8_t *body, size_t cap, struct noise **ret)
{
	uint8_t plain[CTRL_MSG_LEN];
	struct writer w = writer_of(body, cap);
	size_t len = 0;

	ctrl_offer_encode(o, plain, sizeof(plain), &len);
	handshake_initiator(&r->desc, rng, ret);
	write_u32(&w, r->desc.onion_key_id);
	noise_write(*ret, plain, len, body + w.len, cap - w.len, &len);
	return w.len + len;
}

static inline void fix_create(const struct fix_relay *r, const struct ctrl_offer *o, uint64_t handle,
			      const struct rng *rng, uint8_t msg[CTRL_MSG_LEN], struct noise **ret)
{
	uint8_t body[CTRL_CREATE_BODY_MAX];
	struct ctrl_msg m = { .type = CTRL_CREATE, .handle = handle };

	m.create.p = body;
	m.create.len = fix_body(r, o, rng, body, sizeof(body), ret);
	ctrl_encode(&m, msg);
}
