/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The originator against relays that hold the right keys and lie: message 2 of each of three hops is properly sealed
 * around a payload that the input chooses, or is raw. Then arbitrary events. No input may lead to an installation
 * whose layers do not hold together.
 */
#include <stdlib.h>

#include "circuit/inner.h"
#include "tests/circuit_fixture.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HOPS 3

static struct fix_relay relays[HOPS];

static void require(bool ok)
{
	if (!ok)
		abort();
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	require(sodium_init() >= 0);
	for (uint8_t i = 0; i < HOPS; i++)
		fix_relay_make(&relays[i], i);
	return 0;
}

/* What origin_verify promises. */
static void check_circuit(const struct origin_circuit *c)
{
	for (size_t i = 0; i < HOPS; i++) {
		const struct layer *l = &c->layers[i];

		require(overlay_same_prefix(&l->a, &relays[i].addr) && !IN6_ARE_ADDR_EQUAL(&l->a, &relays[i].addr));
		require(l->spi_fwd >= SPI_MIN && l->spi_fwd <= SPI_MAX);
	}
	require(inner_valid(&c->inner, &relays[HOPS - 1].addr, true, true));
}

static void carry_out(struct origin *o, struct actions *out)
{
	for (size_t i = 0; i < out->n; i++)
		if (out->v[i].type == ACTION_ORIGIN_INSTALL)
			check_circuit(origin_circuit(o));
	actions_clear(out);
}

/* Open the CREATE that went out, hop by hop. */
static uint64_t open_create(const struct actions *out, const struct rng *rng, struct noise *n[HOPS])
{
	static uint8_t plain[HOPS][CTRL_MSG_LEN];
	struct ctrl_msg m = { 0 };
	struct ctrl_view body, sealed;
	struct ctrl_offer offer;
	uint32_t id;
	size_t len;

	for (size_t i = 0; i < out->n; i++)
		if (out->v[i].type == ACTION_SEND)
			require(ctrl_decode(out->v[i].msg, CTRL_MSG_LEN, &m) == 0 && m.type == CTRL_CREATE);
	body = m.create;
	for (size_t i = 0; i < HOPS; i++) {
		require(ctrl_body_decode(body, &id, &sealed) == 0);
		require(handshake_responder(&relays[i].desc.id, relays[i].secret, rng, &n[i]) == 0);
		require(noise_read(n[i], sealed.p, sealed.len, plain[i], CTRL_MSG_LEN, &len) == 0);
		require(ctrl_offer_decode(plain[i], len, &offer) == 0);
		body = offer.body;
	}
	return m.handle;
}

/*
 * An honest answer of hop i, in which the input changes single bytes: the interesting lies are one field away from the
 * truth.
 */
static size_t answer_payload(size_t i, struct ctrl_view body, struct reader *r, uint8_t *out, size_t cap)
{
	struct ctrl_answer a = { .a = overlay_addr(&relays[i].addr, i ? 7 : LINK_CLIENTS, i ? 50 + i : 0x1001),
				 .next_a = overlay_addr(&relays[(i + 1) % HOPS].addr, 7, 51 + i),
				 .spi_fwd = SPI_MIN + 9,
				 .mtu = FIX_MTU,
				 .kind = i + 1 < HOPS ? CTRL_KIND_EXTEND : CTRL_KIND_EXIT,
				 .body = body };
	size_t len = 0, changes = read_u8(r) % 4;

	a.inner = (struct inner){
		.has4 = true, .has6 = true, .addr4 = { htonl(0x64600009) }, .gw4 = { htonl(0x64600001) }
	};
	a.inner.addr6 = overlay_addr(&relays[i].addr, LINK_INNER, 9);
	a.inner.gw6 = overlay_addr(&relays[i].addr, LINK_INNER, 1);
	a.status = changes == 3 ? read_u8(r) : CTRL_OK;
	if (ctrl_answer_encode(&a, out, cap, &len) < 0)
		return 0;
	while (changes-- > 0 && len > 0) {
		size_t at = read_u8(r) % len;

		out[at] ^= read_u8(r);
	}
	return len;
}

static void answer(struct origin *o, struct noise *n[HOPS], uint64_t handle, struct reader *r, struct actions *out)
{
	uint8_t body[HOPS][CTRL_MSG_LEN], plain[CTRL_MSG_LEN], msg[CTRL_MSG_LEN];
	struct ctrl_msg m = { .type = CTRL_CREATED, .handle = handle };

	m.created.a = overlay_addr(&relays[0].addr, LINK_CLIENTS, 0x1001);
	for (size_t i = HOPS; i-- > 0;) {
		size_t len = answer_payload(i, m.created.body, r, plain, sizeof(plain));

		require(noise_write(n[i], plain, len, body[i], sizeof(body[i]), &len) == 0);
		m.created.body = (struct ctrl_view){ body[i], len };
	}
	m.created.status = read_u8(r);
	require(ctrl_encode(&m, msg) == 0);
	msg[read_u8(r)] ^= read_u8(r);
	origin_message(o, FIX_NOW_MS, msg, sizeof(msg), out);
	carry_out(o, out);
}

static void raw(struct origin *o, uint64_t handle, uint64_t now_ms, struct reader *r, struct actions *out)
{
	uint8_t msg[CTRL_MSG_LEN] = { CTRL_VERSION, read_u8(r) };
	size_t len = read_u8(r);
	const uint8_t *p = read_view(r, len);

	for (int i = 0; i < 8; i++)
		msg[2 + i] = (uint8_t)(handle >> (56 - 8 * i));
	if (p)
		memcpy(msg + 10, p, len);
	origin_message(o, now_ms, msg, sizeof(msg), out);
}

static void events(struct origin *o, uint64_t handle, const struct link *link, struct reader *r)
{
	uint64_t now_ms = FIX_NOW_MS, next;
	struct actions out = { 0 };

	for (int i = 0; i < 100 && r->left > 0; i++) {
		uint8_t op = read_u8(r);

		now_ms += (uint64_t)op * 8;
		if (op % 7 == 0)
			origin_link_up(o, now_ms, link, &out);
		else if (op % 7 == 1)
			origin_link_down(o, now_ms, &out);
		else if (op % 7 == 2)
			origin_installed(o, now_ms, op & 0x80 ? -12 : 0, &out);
		else if (op % 7 == 3)
			origin_echo(o, now_ms, op, &out);
		else if (op % 7 == 4)
			raw(o, handle, now_ms, r, &out);
		else if (op == 0xfe)
			origin_close(o, now_ms, &out);
		origin_tick(o, now_ms, FIX_NOW_S + (now_ms - FIX_NOW_MS) / 1000, &out, &next);
		require(next > now_ms);
		carry_out(o, &out);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t seed = 0, handle;
	struct rng rng = { fix_fill, &seed };
	struct reader r = reader_of(data, size);
	struct relay path[HOPS] = { relays[0].desc, relays[1].desc, relays[2].desc };
	struct origin_config conf = { .path = path,
				      .n_hops = HOPS,
				      .want4 = true,
				      .want6 = true,
				      .suite = SUITE_AES128_GCM_16,
				      .suite_beet = SUITE_AES128_GCM_16,
				      .timing = origin_timing_default,
				      .rng = &rng };
	struct link link = fix_guard_link(&relays[0], 1);
	struct noise *n[HOPS] = { NULL };
	struct actions out = { 0 };
	struct origin *o;

	require(origin_new(&conf, FIX_NOW_MS, FIX_NOW_S, &out, &o) == 0);
	origin_link_up(o, FIX_NOW_MS, &link, &out);
	handle = open_create(&out, &rng, n);
	actions_clear(&out);
	if (read_u8(&r) & 1)
		answer(o, n, handle, &r, &out);
	events(o, handle, &link, &r);
	for (size_t i = 0; i < HOPS; i++)
		noise_free(n[i]);
	origin_free(o);
	return 0;
}
