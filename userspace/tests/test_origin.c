/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "circuit/inner.h"
#include "tests/circuit_fixture.h"

/* An originator, and three relays whose part the test plays: it opens their layers and seals what it likes. */
struct bed {
	struct fix_relay r[3];
	struct relay path[3];
	struct rng rng;
	uint64_t seed;
	struct link link;
	struct origin_config conf;
	struct origin *o;
	struct actions out;
	uint64_t now_ms, now_s;

	uint64_t handle;
	struct noise *n[3];
	struct ctrl_offer offers[3];
	uint8_t plain[3][CTRL_MSG_LEN];
	struct ctrl_answer answers[3]; /* honest, until a test changes them */
	struct in6_addr outer_a;
	uint8_t outer_status;
};

static int setup(void **state)
{
	struct bed *b = calloc(1, sizeof(*b));

	b->rng = (struct rng){ fix_fill, &b->seed };
	for (uint8_t i = 0; i < 3; i++) {
		fix_relay_make(&b->r[i], i);
		b->path[i] = b->r[i].desc;
	}
	b->link = fix_guard_link(&b->r[0], 1);
	b->now_ms = FIX_NOW_MS;
	b->now_s = FIX_NOW_S;
	b->conf = (struct origin_config){ .slot = 4,
					  .path = b->path,
					  .n_hops = 3,
					  .want4 = true,
					  .want6 = true,
					  .suite = SUITE_CHACHA20_POLY1305,
					  .suite_beet = SUITE_AES128_GCM_8,
					  .timing = origin_timing_default,
					  .rng = &b->rng };
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bed *b = *state;

	actions_clear(&b->out);
	origin_free(b->o);
	for (int i = 0; i < 3; i++) {
		noise_free(b->n[i]);
		fix_relay_free(&b->r[i]);
	}
	free(b);
	return 0;
}

static const struct action *find(const struct bed *b, enum action_type type)
{
	for (size_t i = 0; i < b->out.n; i++)
		if (b->out.v[i].type == type)
			return &b->out.v[i];
	return NULL;
}

static bool sent(const struct bed *b, enum ctrl_type type, struct ctrl_msg *ret)
{
	for (size_t i = 0; i < b->out.n; i++) {
		const struct action *a = &b->out.v[i];

		if (a->type != ACTION_SEND)
			continue;
		assert_int_equal(a->link, b->link.number);
		assert_memory_equal(&a->peer, &b->r[0].addr, 16);
		assert_int_equal(ctrl_decode(a->msg, CTRL_MSG_LEN, ret), 0);
		if (ret->type == type)
			return true;
	}
	return false;
}

static void begin(struct bed *b)
{
	actions_clear(&b->out);
	assert_int_equal(origin_new(&b->conf, b->now_ms, b->now_s, &b->out, &b->o), 0);
	assert_memory_equal(&find(b, ACTION_WANT_LINK)->relay_id, &b->path[0].id, 32);
}

static void link_up(struct bed *b)
{
	actions_clear(&b->out);
	origin_link_up(b->o, b->now_ms, &b->link, &b->out);
}

static void link_down(struct bed *b)
{
	actions_clear(&b->out);
	origin_link_down(b->o, b->now_ms, &b->out);
}

static uint64_t tick(struct bed *b, uint64_t ms)
{
	uint64_t next;

	b->now_ms += ms;
	b->now_s += ms / 1000;
	actions_clear(&b->out);
	origin_tick(b->o, b->now_ms, b->now_s, &b->out, &next);
	assert_true(next > b->now_ms);
	return next;
}

/* Open every layer of the CREATE that went out, and prepare what honest relays would say. */
static void open_create(struct bed *b)
{
	struct ctrl_msg m = { 0 };
	struct ctrl_view body, noise;

	assert_true(sent(b, CTRL_CREATE, &m));
	b->handle = m.handle;
	body = m.create;
	for (size_t i = 0; i < b->conf.n_hops; i++) {
		uint32_t id;
		size_t len;

		noise_free(b->n[i]);
		assert_int_equal(ctrl_body_decode(body, &id, &noise), 0);
		assert_int_equal(id, b->path[i].onion_key_id);
		assert_int_equal(handshake_responder(&b->path[i].id, b->r[i].secret, &b->rng, &b->n[i]), 0);
		assert_int_equal(noise_read(b->n[i], noise.p, noise.len, b->plain[i], CTRL_MSG_LEN, &len), 0);
		assert_int_equal(ctrl_offer_decode(b->plain[i], len, &b->offers[i]), 0);
		body = b->offers[i].body;
	}
}

static void honest_answers(struct bed *b)
{
	for (size_t i = 0; i < 3; i++)
		b->answers[i] =
			(struct ctrl_answer){ .a = overlay_addr(&b->r[i].addr, 7, 100 + i),
					      .spi_fwd = SPI_MIN + 100 + (uint32_t)i,
					      .mtu = FIX_MTU,
					      .kind = i + 1 < b->conf.n_hops ? CTRL_KIND_EXTEND : CTRL_KIND_EXIT };
	b->answers[0].a = b->outer_a = b->link.self;
	b->answers[0].next_a = b->answers[1].a;
	b->answers[1].next_a = b->answers[2].a;
	b->answers[2].inner = (struct inner){ .has4 = true,
					      .has6 = true,
					      .addr4 = { htonl(0x64600007) },
					      .gw4 = { htonl(0x64600001) },
					      .dns4 = { htonl(0x09090909) },
					      .addr6 = overlay_addr(&b->r[2].addr, LINK_INNER, 77),
					      .gw6 = overlay_addr(&b->r[2].addr, LINK_INNER, 1) };
	b->outer_status = CTRL_OK;
}

/* Seal the answers from the last hop inward and hand the CREATED to the originator. */
static void answer(struct bed *b)
{
	uint8_t body[3][CTRL_MSG_LEN], plain[CTRL_MSG_LEN], msg[CTRL_MSG_LEN];
	struct ctrl_msg m = { .type = CTRL_CREATED, .handle = b->handle };

	m.created.status = b->outer_status;
	m.created.a = b->outer_a;
	for (size_t i = b->conf.n_hops; i-- > 0;) {
		size_t len;

		b->answers[i].body = m.created.body;
		assert_int_equal(ctrl_answer_encode(&b->answers[i], plain, sizeof(plain), &len), 0);
		assert_int_equal(noise_write(b->n[i], plain, len, body[i], sizeof(body[i]), &len), 0);
		m.created.body = (struct ctrl_view){ body[i], len };
	}
	if (b->outer_status != CTRL_OK && b->outer_status != CTRL_SEALED)
		m.created.body.len = 0;
	assert_int_equal(ctrl_encode(&m, msg), 0);
	actions_clear(&b->out);
	assert_true(origin_message(b->o, b->now_ms, msg, sizeof(msg), &b->out));
}

static void created(struct bed *b)
{
	begin(b);
	link_up(b);
	open_create(b);
	honest_answers(b);
}

static void open_circuit(struct bed *b)
{
	created(b);
	answer(b);
	actions_clear(&b->out);
	origin_installed(b->o, b->now_ms, 0, &b->out);
	actions_clear(&b->out);
	origin_echo(b->o, b->now_ms, 1234, &b->out);
	assert_int_equal(origin_state(b->o)->phase, ORIGIN_OPEN);
}

static void renew(struct bed *b)
{
	origin_free(b->o);
	b->o = NULL;
	b->now_ms = FIX_NOW_MS;
	b->now_s = FIX_NOW_S;
}

static void assert_failed(const struct bed *b, enum origin_failure failure)
{
	assert_int_equal(origin_state(b->o)->phase, ORIGIN_FAILED);
	assert_int_equal(origin_state(b->o)->failure, failure);
	assert_non_null(find(b, ACTION_ORIGIN_STATE));
	assert_null(find(b, ACTION_ORIGIN_INSTALL));
}

/* The way to OPEN. */

static void test_create_asks(void **state)
{
	struct bed *b = *state;

	created(b);
	assert_int_equal(origin_state(b->o)->phase, ORIGIN_CREATING);
	for (size_t i = 0; i < 3; i++) {
		assert_true(b->offers[i].expires > FIX_NOW_S + 3600 - 300);
		assert_true(b->offers[i].expires <= FIX_NOW_S + 3600);
		assert_int_equal(b->offers[i].expires % 300, 0); /* says nothing of our clock's seconds */
		assert_int_equal(b->offers[i].suite, i == 2 ? SUITE_CHACHA20_POLY1305 : SUITE_AES128_GCM_8);
		assert_true(b->offers[i].spi_back >= SPI_MIN && b->offers[i].spi_back <= SPI_MAX);
		assert_int_equal(b->offers[i].kind, i == 2 ? CTRL_KIND_EXIT : CTRL_KIND_EXTEND);
	}
	assert_memory_equal(&b->offers[0].next, &b->path[1].id, 32);
	assert_memory_equal(&b->offers[1].next, &b->path[2].id, 32);
	assert_int_equal(b->offers[2].families, 3);
	assert_int_not_equal(b->offers[0].spi_back, b->offers[1].spi_back);
	/* The later hop gives up first, and all before we do. */
	assert_true(b->offers[1].wait_ms < b->offers[0].wait_ms);
	assert_true(b->offers[0].wait_ms < origin_timing_default.create_timeout_ms);
}

static void test_opens(void **state)
{
	struct bed *b = *state;
	_cleanup_secmem_ struct layer_keys *keys = secmem_alloc(sizeof(*keys));
	const struct origin_circuit *c;
	const struct action *a;

	created(b);
	answer(b);
	assert_int_equal(origin_state(b->o)->phase, ORIGIN_INSTALLING);
	c = origin_circuit(b->o);
	assert_int_equal(c->slot, 4);
	assert_int_equal(c->n_layers, 3);
	assert_int_equal(c->guard_link, b->link.number);
	assert_int_equal(c->link_mtu, FIX_MTU);
	assert_int_equal(c->inner.mtu, 1314); /* as measured: BEET layers with ICV 8 on a 1500-byte IPv4 wire */
	assert_memory_equal(&c->inner.addr6, &b->answers[2].inner.addr6, 16);
	a = find(b, ACTION_ORIGIN_INSTALL);
	assert_non_null(a);
	for (size_t i = 0; i < 3; i++) {
		assert_memory_equal(&c->layers[i].a, &b->answers[i].a, 16);
		assert_memory_equal(&c->layers[i].o, &b->r[i].addr, 16);
		assert_int_equal(c->layers[i].spi_fwd, b->answers[i].spi_fwd);
		assert_int_equal(c->layers[i].spi_back, b->offers[i].spi_back);
		assert_int_equal(handshake_layer_keys(b->n[i], &c->layers[i], keys), 0);
		assert_memory_equal(keys, &a->keys[i], sizeof(*keys));
	}
	actions_clear(&b->out);
	origin_installed(b->o, b->now_ms, 0, &b->out);
	assert_int_equal(origin_state(b->o)->phase, ORIGIN_PROBING);
	assert_non_null(find(b, ACTION_ORIGIN_PROBE));
	actions_clear(&b->out);
	origin_echo(b->o, b->now_ms + 20, 20000, &b->out);
	assert_int_equal(origin_state(b->o)->phase, ORIGIN_OPEN);
	assert_int_equal(origin_state(b->o)->rtt_us, 20000);
}

static void test_one_hop(void **state)
{
	struct bed *b = *state;

	b->conf.n_hops = 1;
	b->path[0] = b->r[2].desc;
	b->r[0] = b->r[2];
	b->link = fix_guard_link(&b->r[0], 1);
	begin(b);
	link_up(b);
	open_create(b);
	honest_answers(b);
	b->answers[0].inner = b->answers[2].inner;
	answer(b);
	assert_int_equal(origin_state(b->o)->phase, ORIGIN_INSTALLING);
	b->r[0].secret = NULL; /* shared with r[2] */
}

static void test_create_is_repeated(void **state)
{
	struct bed *b = *state;
	uint8_t first[CTRL_MSG_LEN];
	struct ctrl_msg m;

	created(b);
	memcpy(first, find(b, ACTION_SEND)->msg, sizeof(first));
	for (uint64_t wait = 1000; wait <= 4000; wait *= 2) {
		tick(b, wait - 1);
		assert_int_equal(b->out.n, 0);
		tick(b, 1);
		assert_memory_equal(find(b, ACTION_SEND)->msg, first, sizeof(first));
	}
	tick(b, 8000);
	assert_failed(b, ORIGIN_TIMEOUT);
	assert_true(sent(b, CTRL_DESTROY, &m));
	assert_true(m.handle == b->handle && m.destroy.by_creator);
	assert_true(tick(b, 100000) == UINT64_MAX);
	assert_int_equal(b->out.n, 0);
}

/* Refusals and lies. */

static void test_refusals(void **state)
{
	static const struct {
		uint8_t outer, status[3], detail[3];
		uint8_t hop;
		uint8_t reported;
		bool sealed;
	} cases[] = {
		{ CTRL_RATE, { 0 }, { 0 }, 1, CTRL_RATE, false },
		{ 200, { 0 }, { 0 }, 1, 200, false },
		{ CTRL_SEALED, { CTRL_SUITE }, { 0 }, 1, CTRL_SUITE, true },
		{ CTRL_SEALED, { CTRL_NEXT_REFUSED }, { CTRL_DECRYPT }, 2, CTRL_DECRYPT, false },
		{ CTRL_SEALED, { CTRL_NEXT_TIMEOUT }, { 0 }, 2, CTRL_NEXT_TIMEOUT, false },
		{ CTRL_SEALED, { CTRL_NEXT_SEALED, CTRL_LIMIT }, { 0 }, 2, CTRL_LIMIT, true },
		{ CTRL_SEALED, { CTRL_NEXT_SEALED, CTRL_NEXT_UNREACHABLE }, { 0 }, 3, CTRL_NEXT_UNREACHABLE, false },
		{ CTRL_SEALED, { CTRL_NEXT_SEALED, CTRL_NEXT_SEALED, CTRL_NOT_EXIT }, { 0 }, 3, CTRL_NOT_EXIT, true },
	};
	struct bed *b = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		created(b);
		b->outer_status = cases[i].outer;
		for (int hop = 0; hop < 3; hop++) {
			b->answers[hop].status = cases[i].status[hop];
			b->answers[hop].detail = cases[i].detail[hop];
		}
		answer(b);
		assert_failed(b, ORIGIN_REFUSED);
		assert_int_equal(origin_state(b->o)->hop, cases[i].hop);
		assert_int_equal(origin_state(b->o)->status, cases[i].reported);
		assert_int_equal(origin_state(b->o)->sealed, cases[i].sealed);
		assert_null(find(b, ACTION_SEND)); /* nothing of it is left to destroy */
		renew(b);
	}
}

static void expect_bad(struct bed *b, unsigned int hop)
{
	struct ctrl_msg m;

	answer(b);
	assert_failed(b, ORIGIN_BAD_ANSWER);
	assert_int_equal(origin_state(b->o)->hop, hop);
	assert_true(sent(b, CTRL_DESTROY, &m));
	renew(b);
}

#define BAD(h, change) (created(b), b->change, expect_bad(b, h))

static void test_wrong_addresses(void **state)
{
	struct bed *b = *state;
	struct in6_addr other = overlay_addr(&b->r[1].addr, 7, 999);

	BAD(2, answers[0].next_a = other); /* what OR_1 installed is not what OR_2 gave */
	BAD(2, answers[1].a = other);
	BAD(3, answers[1].next_a = other);
	BAD(3, answers[2].a = other);
	BAD(1, outer_a = other);
	BAD(1, answers[0].a = other);
	created(b); /* both agree, but it is not in OR_3's /64 */
	b->answers[2].a = b->answers[1].next_a = other;
	expect_bad(b, 3);
	created(b); /* in it, but the relay's own, or a user's */
	b->answers[1].a = b->answers[0].next_a = b->r[1].addr;
	expect_bad(b, 2);
	created(b);
	b->answers[1].a = b->answers[0].next_a = overlay_addr(&b->r[1].addr, LINK_INNER, 5);
	expect_bad(b, 2);
	created(b); /* not the address our link has */
	b->answers[0].a = b->outer_a = fix_client_addr(&b->r[0], 2);
	expect_bad(b, 1);
}

static void test_wrong_numbers(void **state)
{
	struct bed *b = *state;

	BAD(1, answers[0].spi_fwd = SPI_MIN - 1);
	BAD(2, answers[1].spi_fwd = SPI_MAX + 1);
	BAD(3, answers[2].spi_fwd = 0);
	BAD(2, answers[1].mtu = FIX_MTU - 1); /* would mark our packets by their size */
}

static void test_wrong_kind(void **state)
{
	struct bed *b = *state;

	created(b);
	b->answers[1].kind = CTRL_KIND_EXIT; /* the middle plays exit */
	b->answers[1].inner = b->answers[2].inner;
	expect_bad(b, 2);
	created(b);
	b->answers[0].kind = CTRL_KIND_EXIT; /* the guard does */
	b->answers[0].inner = b->answers[2].inner;
	expect_bad(b, 1);
	created(b);
	b->answers[2].kind = CTRL_KIND_EXTEND;
	expect_bad(b, 3);
}

static void test_wrong_inner(void **state)
{
	struct bed *b = *state;

	BAD(3, answers[2].inner.addr4.s_addr = htonl(0xc0a80107)); /* of the user's own network */
	BAD(3, answers[2].inner.gw4.s_addr = htonl(0xc0a80101));
	BAD(3, answers[2].inner.dns4.s_addr = htonl(0xc0a80101)); /* would ask the user's router, in clear */
	BAD(3, answers[2].inner.dns4.s_addr = htonl(0x7f000001));
	BAD(3, answers[2].inner.dns4.s_addr = htonl(0x0a000001));
	BAD(3, answers[2].inner.dns4.s_addr = htonl(0xe0000001));
	BAD(3, answers[2].inner.addr4.s_addr = htonl(0x64600001)); /* the gateway's */
	BAD(3, answers[2].inner.addr6 = overlay_addr(&b->r[1].addr, LINK_INNER, 77));
	BAD(3, answers[2].inner.addr6 = overlay_addr(&b->r[2].addr, 5, 77));
	BAD(3, answers[2].inner.gw6 = in6addr_loopback);
	BAD(3, answers[2].inner.dns6 = in6addr_loopback);
	/* inside, but not the gateway: the originator's routes do not lead there through the circuit */
	BAD(3, answers[2].inner.dns6 = overlay_addr(&b->r[2].addr, LINK_INNER, 2));
	BAD(3, answers[2].inner.gw6 = overlay_addr(&b->r[2].addr, LINK_INNER, 2));
	BAD(3, answers[2].inner.dns4 = (struct in_addr){ htonl(0x6463ffee) });
	b->conf.want4 = false;
	created(b);
	expect_bad(b, 3); /* given, not wanted */
	created(b);
	b->answers[2].inner.has4 = false;
	answer(b);
	assert_int_equal(origin_state(b->o)->phase, ORIGIN_INSTALLING);
	renew(b);
	b->conf.want4 = true;
	b->conf.want6 = false;
	BAD(3, answers[2].inner.has4 = false);
}

static void test_contradictions(void **state)
{
	struct bed *b = *state;

	BAD(1, answers[0].status = CTRL_LIMIT); /* OK outside, refused inside */
	BAD(3, answers[2].status = CTRL_LIMIT);
	BAD(1, outer_status = CTRL_SEALED); /* refused outside, OK inside */
	created(b);
	b->outer_status = CTRL_SEALED;
	b->answers[0].status = b->answers[1].status = CTRL_NEXT_SEALED;
	b->answers[2].status = CTRL_NEXT_TIMEOUT; /* the last hop has no next one */
	expect_bad(b, 3);
}

/* Any changed byte of the sealed body is noticed; which of the hops it was is not always known. */
static void test_tampering(void **state)
{
	struct bed *b = *state;

	for (size_t pos = 0; pos < 300; pos += 7) {
		uint8_t body[CTRL_MSG_LEN], plain[CTRL_MSG_LEN], msg[CTRL_MSG_LEN];
		struct ctrl_msg m = { .type = CTRL_CREATED };
		size_t len;

		b->conf.n_hops = 1;
		b->path[0] = b->r[0].desc;
		created(b);
		m.handle = b->handle;
		b->answers[0].kind = CTRL_KIND_EXIT;
		b->answers[0].inner =
			(struct inner){ .has4 = true, .addr4 = { htonl(0x64600007) }, .gw4 = { htonl(0x64600001) } };
		ctrl_answer_encode(&b->answers[0], plain, sizeof(plain), &len);
		noise_write(b->n[0], plain, len, body, sizeof(body), &len);
		if (pos < len)
			body[pos] ^= 0x20;
		m.created.a = b->outer_a;
		m.created.body = (struct ctrl_view){ body, len };
		ctrl_encode(&m, msg);
		assert_true(origin_message(b->o, b->now_ms, msg, sizeof(msg), &b->out));
		assert_int_equal(origin_state(b->o)->phase, pos < len ? ORIGIN_FAILED : ORIGIN_INSTALLING);
		renew(b);
	}
}

static void test_foreign_messages(void **state)
{
	struct bed *b = *state;
	struct ctrl_msg m = { .type = CTRL_DESTROY };
	uint8_t msg[CTRL_MSG_LEN];

	created(b);
	actions_clear(&b->out);
	m.handle = b->handle + 1;
	ctrl_encode(&m, msg);
	assert_false(origin_message(b->o, b->now_ms, msg, sizeof(msg), &b->out));
	m.handle = b->handle;
	m.destroy.by_creator = true; /* the guard did not choose our handle */
	ctrl_encode(&m, msg);
	assert_true(origin_message(b->o, b->now_ms, msg, sizeof(msg), &b->out));
	assert_false(origin_message(b->o, b->now_ms, msg, 100, &b->out));
	assert_int_equal(b->out.n, 0);
	assert_int_equal(origin_state(b->o)->phase, ORIGIN_CREATING);
	m.destroy.by_creator = false;
	ctrl_encode(&m, msg);
	assert_true(origin_message(b->o, b->now_ms, msg, sizeof(msg), &b->out));
	assert_failed(b, ORIGIN_DESTROYED);
	assert_true(sent(b, CTRL_DESTROY_ACK, &m));
	actions_clear(&b->out);
	assert_true(origin_message(b->o, b->now_ms, msg, sizeof(msg), &b->out)); /* again: acknowledged again */
	assert_int_equal(b->out.n, 1);
}

/* Links and time. */

static void test_link_phases(void **state)
{
	struct bed *b = *state;
	struct ctrl_msg m;

	begin(b);
	link_down(b);
	assert_failed(b, ORIGIN_LINK_FAILED);
	renew(b);
	begin(b);
	tick(b, origin_timing_default.link_timeout_ms);
	assert_failed(b, ORIGIN_LINK_FAILED);
	renew(b);
	created(b);
	link_down(b);
	assert_failed(b, ORIGIN_LINK_LOST);
	assert_false(sent(b, CTRL_DESTROY, &m));
	link_up(b); /* terminal */
	assert_int_equal(b->out.n, 0);
}

static void test_not_the_guards_link(void **state)
{
	struct bed *b = *state;

	begin(b);
	b->link.peer = b->path[1].id;
	link_up(b);
	assert_int_equal(b->out.n, 0);
	b->link.peer = b->path[0].id;
	b->link.kind = LINK_KIND_RELAY;
	link_up(b);
	assert_int_equal(b->out.n, 0);
	b->link.kind = LINK_KIND_GUARD;
	b->link.remote = b->r[1].addr;
	link_up(b);
	assert_int_equal(b->out.n, 0);
	assert_int_equal(origin_state(b->o)->phase, ORIGIN_LINKING);
}

static void test_link_grace(void **state)
{
	struct bed *b = *state;

	open_circuit(b);
	link_down(b);
	assert_int_equal(b->out.n, 0);
	tick(b, ORIGIN_LINK_GRACE_MS - 1);
	assert_null(find(b, ACTION_ORIGIN_PROBE)); /* and no miss is counted */
	link_up(b);
	tick(b, 1);
	assert_non_null(find(b, ACTION_ORIGIN_PROBE));
	assert_int_equal(origin_state(b->o)->phase, ORIGIN_OPEN);
	link_down(b);
	tick(b, ORIGIN_LINK_GRACE_MS);
	assert_failed(b, ORIGIN_LINK_LOST);
	renew(b);
	open_circuit(b);
	link_down(b);
	b->link.self = fix_client_addr(&b->r[0], 9); /* the guard gave us another address */
	link_up(b);
	assert_failed(b, ORIGIN_LINK_LOST);
}

static void test_no_echo(void **state)
{
	struct bed *b = *state;
	struct ctrl_msg m;

	created(b);
	answer(b);
	actions_clear(&b->out);
	origin_installed(b->o, b->now_ms, 0, &b->out);
	tick(b, 500);
	assert_non_null(find(b, ACTION_ORIGIN_PROBE));
	tick(b, 999);
	assert_null(find(b, ACTION_ORIGIN_PROBE));
	tick(b, 1);
	assert_non_null(find(b, ACTION_ORIGIN_PROBE));
	tick(b, 8500);
	assert_failed(b, ORIGIN_NO_ECHO);
	assert_true(sent(b, CTRL_DESTROY, &m));
	actions_clear(&b->out);
	origin_echo(b->o, b->now_ms, 5, &b->out); /* too late */
	assert_int_equal(b->out.n, 0);
}

static void test_keepalive(void **state)
{
	struct bed *b = *state;
	const struct origin_timing *t = &origin_timing_default;

	open_circuit(b);
	for (int i = 0; i < 10; i++) {
		tick(b, t->keepalive_ms);
		assert_non_null(find(b, ACTION_ORIGIN_PROBE));
		actions_clear(&b->out);
		origin_echo(b->o, b->now_ms, 77, &b->out);
		assert_int_equal(b->out.n, 0);
	}
	for (uint32_t i = 0; i < t->keepalive_misses; i++) {
		tick(b, t->keepalive_ms);
		assert_non_null(find(b, ACTION_ORIGIN_PROBE));
	}
	tick(b, t->keepalive_ms);
	assert_failed(b, ORIGIN_NO_ECHO);
}

static void test_expires(void **state)
{
	struct bed *b = *state;
	struct ctrl_msg m;

	b->conf.timing.lifetime_s = 10;
	open_circuit(b);
	assert_true(origin_circuit(b->o)->expires == origin_state(b->o)->expires);
	assert_true(tick(b, 7000) <= b->now_ms + 3000);
	tick(b, 3000);
	assert_failed(b, ORIGIN_EXPIRED);
	assert_true(sent(b, CTRL_DESTROY, &m));
	assert_int_equal(m.destroy.reason, CTRL_REASON_EXPIRED);
}

static void test_install_failed(void **state)
{
	struct bed *b = *state;
	struct ctrl_msg m;

	created(b);
	answer(b);
	actions_clear(&b->out);
	origin_installed(b->o, b->now_ms, -EEXIST, &b->out);
	assert_failed(b, ORIGIN_INSTALL_FAILED);
	assert_int_equal(origin_state(b->o)->error, -EEXIST);
	assert_true(sent(b, CTRL_DESTROY, &m));
}

static void test_mtu_too_small(void **state)
{
	struct bed *b = *state;
	struct ctrl_msg m;

	b->link.mtu = 1411; /* 1446 - 1411: inner 1278 */
	begin(b);
	link_up(b);
	assert_failed(b, ORIGIN_INSTALL_FAILED);
	assert_int_equal(origin_state(b->o)->error, -EMSGSIZE);
	assert_false(sent(b, CTRL_CREATE, &m));
	renew(b);
	b->conf.want6 = false;
	begin(b);
	link_up(b);
	assert_int_equal(origin_state(b->o)->phase, ORIGIN_CREATING);
}

static void test_close(void **state)
{
	struct bed *b = *state;
	struct ctrl_msg m;

	open_circuit(b);
	actions_clear(&b->out);
	origin_close(b->o, b->now_ms, &b->out);
	assert_true(sent(b, CTRL_DESTROY, &m));
	assert_int_equal(m.destroy.reason, CTRL_REASON_REQUESTED);
	assert_int_equal(origin_state(b->o)->phase, ORIGIN_CLOSED);
	actions_clear(&b->out);
	origin_close(b->o, b->now_ms, &b->out);
	assert_int_equal(b->out.n, 0);
	renew(b);
	begin(b);
	actions_clear(&b->out);
	origin_close(b->o, b->now_ms, &b->out); /* nobody knows of it */
	assert_false(sent(b, CTRL_DESTROY, &m));
}

static void test_record_and_restore(void **state)
{
	struct bed *b = *state;
	struct origin_record r = { 0 }, bad;
	struct ctrl_msg m = { 0 };

	created(b);
	assert_int_equal(origin_record(b->o, &r), -ENOENT);
	renew(b);
	open_circuit(b);
	assert_int_equal(origin_record(b->o, &r), 0);
	origin_free(b->o);
	b->o = NULL;
	actions_clear(&b->out);
	assert_int_equal(origin_restore(&b->conf, &r, b->now_ms, &b->out, &b->o), 0);
	assert_int_equal(origin_state(b->o)->phase, ORIGIN_OPEN);
	assert_non_null(find(b, ACTION_ORIGIN_PROBE));
	assert_memory_equal(origin_circuit(b->o), &r.circuit, sizeof(r.circuit));
	tick(b, 1000);
	actions_clear(&b->out);
	origin_close(b->o, b->now_ms, &b->out);
	assert_true(sent(b, CTRL_DESTROY, &m));
	assert_int_equal(m.handle, r.handle);
	bad = r;
	bad.path[1] = b->path[2].id;
	renew(b);
	assert_int_equal(origin_restore(&b->conf, &bad, b->now_ms, &b->out, &b->o), -EINVAL);
	bad = r;
	bad.circuit.n_layers = 2;
	assert_int_equal(origin_restore(&b->conf, &bad, b->now_ms, &b->out, &b->o), -EINVAL);
}

static void test_config(void **state)
{
	struct bed *b = *state;
	struct origin_config good = b->conf;
	struct origin *o;

#define REFUSED(change)                                                                                                \
	(b->conf = good, b->conf.change, assert_int_equal(origin_new(&b->conf, 0, 0, &b->out, &o), -EINVAL))
	REFUSED(n_hops = 0);
	REFUSED(n_hops = HOPS_MAX + 1);
	REFUSED(suite = SUITE_AES128_GCM_8);
	REFUSED(suite = 0);
	REFUSED(suite_beet = 9);
	REFUSED(want4 = b->conf.want6 = false);
	REFUSED(timing.create_first_ms = 0);
	REFUSED(rng = NULL);
#undef REFUSED
	b->conf = good;
	b->path[2] = b->path[0]; /* twice the same */
	assert_int_equal(origin_new(&b->conf, 0, 0, &b->out, &o), -EINVAL);
	assert_int_equal(b->out.n, 0);
	origin_free(NULL);
}

/* The table of dataplane measurements: IPv4 and IPv6 wires, with and without UDP. */
static void test_inner_mtu(void **state)
{
	(void)state;
	assert_int_equal(inner_mtu(1446, 3, SUITE_AES128_GCM_16, SUITE_AES128_GCM_16), 1298);
	assert_int_equal(inner_mtu(1438, 3, SUITE_AES128_GCM_16, SUITE_AES128_GCM_16), 1290);
	assert_int_equal(inner_mtu(1426, 3, SUITE_AES128_GCM_16, SUITE_AES128_GCM_16), 1278);
	assert_int_equal(inner_mtu(1418, 3, SUITE_AES128_GCM_16, SUITE_AES128_GCM_16), 1270);
	assert_int_equal(inner_mtu(1446, 3, SUITE_AES128_GCM_16, SUITE_AES128_GCM_8), 1314);
	assert_int_equal(inner_mtu(1418, 3, SUITE_AES128_GCM_16, SUITE_AES128_GCM_8), 1286);
	assert_int_equal(inner_mtu(1446, 1, SUITE_AES128_GCM_16, SUITE_AES128_GCM_16), 1370);
	assert_int_equal(inner_mtu(100, 3, SUITE_AES128_GCM_16, SUITE_AES128_GCM_16), 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_create_asks),	T(test_opens),
		T(test_one_hop),	T(test_create_is_repeated),
		T(test_refusals),	T(test_wrong_addresses),
		T(test_wrong_numbers),	T(test_wrong_kind),
		T(test_wrong_inner),	T(test_contradictions),
		T(test_tampering),	T(test_foreign_messages),
		T(test_link_phases),	T(test_not_the_guards_link),
		T(test_link_grace),	T(test_no_echo),
		T(test_keepalive),	T(test_expires),
		T(test_install_failed), T(test_mtu_too_small),
		T(test_close),		T(test_record_and_restore),
		T(test_config),		cmocka_unit_test(test_inner_mtu),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
