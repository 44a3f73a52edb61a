/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "circuit/answers.h"
#include "circuit/farewell.h"
#include "circuit/relay_engine.h"
#include "circuit/replay.h"
#include "circuit/timers.h"
#include "tests/circuit_fixture.h"

/* One relay under test, the neighbours before and after it, and what it did last. */
struct bed {
	struct fix_relay own, prev, next;
	struct link from_prev, to_next, clients;
	struct rng rng;
	uint64_t seed;
	struct relay_engine *e;
	struct actions out;
	uint64_t now_ms, now_s;
	uint8_t msg[CTRL_MSG_LEN]; /* the last CREATE */
	struct noise *noise;	   /* its initiator */
	uint64_t handle;
};

static void bed_engine(struct bed *b, const struct relay_engine_config *conf)
{
	relay_engine_free(b->e);
	assert_int_equal(relay_engine_new(conf, &b->e), 0);
}

static int setup(void **state)
{
	struct bed *b = calloc(1, sizeof(*b));
	struct relay_engine_config conf;

	fix_relay_make(&b->own, 0);
	fix_relay_make(&b->prev, 1);
	fix_relay_make(&b->next, 2);
	b->from_prev = fix_link(&b->own, &b->prev, 2);
	b->to_next = fix_link(&b->own, &b->next, 3);
	b->clients = fix_clients(&b->own);
	b->rng = (struct rng){ fix_fill, &b->seed };
	b->now_ms = FIX_NOW_MS;
	b->now_s = FIX_NOW_S;
	conf = fix_config(&b->own, &b->rng);
	bed_engine(b, &conf);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bed *b = *state;

	actions_clear(&b->out);
	relay_engine_free(b->e);
	noise_free(b->noise);
	fix_relay_free(&b->own);
	fix_relay_free(&b->prev);
	fix_relay_free(&b->next);
	free(b);
	return 0;
}

static void limits(struct bed *b, const struct relay_limits *l)
{
	struct relay_engine_config conf = fix_config(&b->own, &b->rng);

	conf.limits = *l;
	bed_engine(b, &conf);
}

/* Feed one datagram; what it led to is in b->out. */
static void feed_from(struct bed *b, const struct link *link, const struct in6_addr *from, const uint8_t *msg)
{
	actions_clear(&b->out);
	relay_engine_message(b->e, b->now_ms, b->now_s, link, from, msg, CTRL_MSG_LEN, &b->out);
}

static void feed_prev(struct bed *b)
{
	feed_from(b, &b->from_prev, &b->prev.addr, b->msg);
}

static void make(struct bed *b, const struct ctrl_offer *o)
{
	noise_free(b->noise);
	fix_create(&b->own, o, ++b->handle, &b->rng, b->msg, &b->noise);
}

static void create(struct bed *b, const struct ctrl_offer *o)
{
	make(b, o);
	feed_prev(b);
}

static void client_create(struct bed *b, uint32_t client)
{
	struct ctrl_offer o = fix_exit_offer();
	struct in6_addr from = fix_client_addr(&b->own, client);

	o.spi_back += (uint32_t)b->handle;
	make(b, &o);
	feed_from(b, &b->clients, &from, b->msg);
}

static void installed(struct bed *b, uint32_t number, int error)
{
	actions_clear(&b->out);
	relay_engine_installed(b->e, b->now_ms, number, error, &b->out);
}

static uint64_t tick(struct bed *b, uint64_t ms)
{
	uint64_t next;

	b->now_ms += ms;
	b->now_s += ms / 1000;
	actions_clear(&b->out);
	relay_engine_tick(b->e, b->now_ms, b->now_s, &b->out, &next);
	assert_true(next > b->now_ms);
	return next;
}

static void link_up(struct bed *b, const struct link *l)
{
	actions_clear(&b->out);
	relay_engine_link_up(b->e, b->now_ms, l, &b->out);
}

static void link_down(struct bed *b, const struct fix_relay *r)
{
	actions_clear(&b->out);
	relay_engine_link_down(b->e, b->now_ms, &r->desc.id, &b->out);
}

/* What came out. */

static const struct action *find(const struct bed *b, enum action_type type)
{
	for (size_t i = 0; i < b->out.n; i++)
		if (b->out.v[i].type == type)
			return &b->out.v[i];
	return NULL;
}

static size_t count(const struct bed *b, enum action_type type)
{
	size_t n = 0;

	for (size_t i = 0; i < b->out.n; i++)
		n += b->out.v[i].type == type;
	return n;
}

/* The datagram of this type sent to this neighbour. */
static bool sent(const struct bed *b, const struct in6_addr *to, enum ctrl_type type, struct ctrl_msg *ret)
{
	for (size_t i = 0; i < b->out.n; i++) {
		const struct action *a = &b->out.v[i];

		if (a->type != ACTION_SEND || !IN6_ARE_ADDR_EQUAL(&a->peer, to))
			continue;
		assert_int_equal(ctrl_decode(a->msg, CTRL_MSG_LEN, ret), 0);
		if (ret->type == type)
			return true;
	}
	return false;
}

static void open_answer(struct noise *n, struct ctrl_view body, struct ctrl_answer *ret, uint8_t plain[CTRL_MSG_LEN])
{
	size_t len;

	assert_int_equal(noise_read(n, body.p, body.len, plain, CTRL_MSG_LEN, &len), 0);
	assert_int_equal(ctrl_answer_decode(plain, len, ret), 0);
}

/* The refusal that the asker finds sealed in the last CREATED. */
static uint8_t sealed_status(struct bed *b, const struct in6_addr *to)
{
	uint8_t plain[CTRL_MSG_LEN];
	struct ctrl_msg m;
	struct ctrl_answer a;

	assert_true(sent(b, to, CTRL_CREATED, &m));
	assert_int_equal(m.handle, b->handle);
	assert_int_equal(m.created.status, CTRL_SEALED);
	open_answer(b->noise, m.created.body, &a, plain);
	return a.status;
}

static uint8_t outer_status(struct bed *b, const struct in6_addr *to)
{
	struct ctrl_msg m;

	assert_true(sent(b, to, CTRL_CREATED, &m));
	assert_int_equal(m.handle, b->handle);
	if (m.created.status != CTRL_OK)
		assert_int_equal(m.created.body.len, 0);
	return m.created.status;
}

static struct relay_circuit created_exit(struct bed *b)
{
	struct ctrl_offer o = fix_exit_offer();
	const struct action *a;
	struct relay_circuit c;

	o.spi_back += (uint32_t)b->handle;
	create(b, &o);
	a = find(b, ACTION_RELAY_INSTALL);
	assert_non_null(a);
	c = a->relay;
	installed(b, c.number, 0);
	return c;
}

/* CREATE to the next relay: its handle. */
static uint64_t extend(struct bed *b)
{
	static const uint8_t inner[100] = "opaque to the relay under test";
	struct ctrl_offer o = fix_exit_offer();
	struct ctrl_msg m;

	o.kind = CTRL_KIND_EXTEND;
	o.spi_back += (uint32_t)b->handle;
	o.wait_ms = 5000;
	o.next = b->next.desc.id;
	o.body = (struct ctrl_view){ inner, sizeof(inner) };
	create(b, &o);
	if (!sent(b, &b->next.addr, CTRL_CREATE, &m))
		return 0;
	assert_int_equal(m.create.len, sizeof(inner));
	assert_memory_equal(m.create.p, inner, sizeof(inner));
	return m.handle;
}

static struct ctrl_msg answer_of_next(const struct bed *b, uint64_t handle, uint8_t status)
{
	static const uint8_t body[60] = "sealed by the next relay";
	struct ctrl_msg m = { .type = CTRL_CREATED, .handle = handle };

	m.created.status = status;
	m.created.a = overlay_addr(&b->next.addr, 9, handle);
	if (status == CTRL_OK || status == CTRL_SEALED)
		m.created.body = (struct ctrl_view){ body, sizeof(body) };
	return m;
}

static void feed_next(struct bed *b, const struct ctrl_msg *m)
{
	uint8_t msg[CTRL_MSG_LEN];

	assert_int_equal(ctrl_encode(m, msg), 0);
	feed_from(b, &b->to_next, &b->next.addr, msg);
}

static struct relay_circuit extended(struct bed *b, uint64_t *ret_handle)
{
	const struct action *a;
	struct relay_circuit c;
	struct ctrl_msg m;

	link_up(b, &b->to_next);
	*ret_handle = extend(b);
	assert_int_not_equal(*ret_handle, 0);
	m = answer_of_next(b, *ret_handle, CTRL_OK);
	feed_next(b, &m);
	a = find(b, ACTION_RELAY_INSTALL);
	assert_non_null(a);
	c = a->relay;
	installed(b, c.number, 0);
	return c;
}

static const struct relay_counters *counters(const struct bed *b)
{
	return relay_engine_counters(b->e);
}

struct records {
	struct relay_record r[8];
	size_t n;
};

static void collect(void *ctx, const struct relay_record *r)
{
	struct records *rs = ctx;

	rs->r[rs->n++] = *r;
}

static void assert_empty(struct bed *b)
{
	assert_int_equal(counters(b)->half_open, 0);
	assert_int_equal(counters(b)->circuits, 0);
}

/* Building. */

static void test_exit_circuit(void **state)
{
	struct bed *b = *state;
	struct ctrl_offer o = fix_exit_offer();
	_cleanup_secmem_ struct layer_keys *keys = secmem_alloc(sizeof(*keys));
	uint8_t plain[CTRL_MSG_LEN], relay_fwd[SUITE_KEY_MAX];
	const struct action *a;
	struct relay_circuit c;
	struct ctrl_answer ans;
	struct ctrl_msg m;

	create(b, &o);
	assert_int_equal(b->out.n, 2);
	assert_int_equal(b->out.v[0].type, ACTION_RELAY_REMEMBER); /* before anything is done */
	a = find(b, ACTION_RELAY_INSTALL);
	assert_non_null(a);
	c = a->relay;
	memcpy(relay_fwd, a->keys->fwd, sizeof(relay_fwd));
	assert_true(c.number >= 1 && c.exit);
	assert_true(c.expires == o.expires);
	assert_true(overlay_same_prefix(&c.layer.a, &b->own.addr));
	assert_int_equal(overlay_link(&c.layer.a), 2);
	assert_memory_equal(&c.layer.o, &b->own.addr, 16);
	assert_int_equal(c.layer.spi_back, o.spi_back);
	assert_true(c.inner.has4 && c.inner.has6);
	assert_int_equal(overlay_link(&c.inner.addr6), LINK_INNER);
	assert_int_equal(counters(b)->half_open, 1);
	installed(b, c.number, 0);
	assert_true(sent(b, &b->prev.addr, CTRL_CREATED, &m));
	assert_int_equal(m.created.status, CTRL_OK);
	assert_memory_equal(&m.created.a, &c.layer.a, 16);
	open_answer(b->noise, m.created.body, &ans, plain);
	assert_int_equal(ans.status, CTRL_OK);
	assert_memory_equal(&ans.a, &c.layer.a, 16);
	assert_int_equal(ans.spi_fwd, c.layer.spi_fwd);
	assert_int_equal(ans.mtu, FIX_MTU);
	assert_int_equal(ans.inner.addr4.s_addr, c.inner.addr4.s_addr);
	assert_int_equal(ans.inner.dns4.s_addr, htonl(0x64600001));
	assert_int_equal(handshake_layer_keys(b->noise, &c.layer, keys), 0);
	assert_memory_equal(keys->fwd, relay_fwd, sizeof(relay_fwd));
	assert_int_equal(counters(b)->created, 1);
	assert_int_equal(counters(b)->half_open, 0);
	assert_int_equal(counters(b)->circuits, 1);
}

static void test_extend_circuit(void **state)
{
	struct bed *b = *state;
	uint64_t handle;
	struct relay_circuit c = extended(b, &handle);
	uint8_t plain[CTRL_MSG_LEN];
	struct ctrl_answer ans;
	struct ctrl_msg m, expect = answer_of_next(b, handle, CTRL_OK);

	assert_false(c.exit);
	assert_memory_equal(&c.next_o, &b->next.addr, 16);
	assert_memory_equal(&c.next_a, &expect.created.a, 16);
	assert_true(sent(b, &b->prev.addr, CTRL_CREATED, &m));
	open_answer(b->noise, m.created.body, &ans, plain);
	assert_int_equal(ans.status, CTRL_OK);
	assert_int_equal(ans.kind, CTRL_KIND_EXTEND);
	assert_memory_equal(&ans.next_a, &expect.created.a, 16);
	assert_int_equal(ans.body.len, expect.created.body.len);
	assert_memory_equal(ans.body.p, expect.created.body.p, ans.body.len);
	feed_next(b, &expect); /* a second one is no news */
	assert_int_equal(b->out.n, 0);
}

static void test_client_circuits_share_address(void **state)
{
	struct bed *b = *state;
	struct in6_addr from = fix_client_addr(&b->own, 7);
	uint32_t spi = 0;

	for (int i = 0; i < 2; i++) {
		const struct action *a;

		client_create(b, 7);
		a = find(b, ACTION_RELAY_INSTALL);
		assert_non_null(a);
		assert_memory_equal(&a->relay.layer.a, &from, 16);
		assert_int_not_equal(a->relay.layer.spi_fwd, spi);
		spi = a->relay.layer.spi_fwd;
		installed(b, a->relay.number, 0);
		assert_int_equal(outer_status(b, &from), CTRL_OK);
	}
}

static void test_wants_link_once(void **state)
{
	struct bed *b = *state;
	struct ctrl_msg m;

	assert_int_equal(extend(b), 0);
	assert_int_equal(count(b, ACTION_WANT_LINK), 1);
	assert_memory_equal(&find(b, ACTION_WANT_LINK)->relay_id, &b->next.desc.id, 32);
	assert_int_equal(extend(b), 0);
	assert_int_equal(count(b, ACTION_WANT_LINK), 0);
	link_up(b, &b->to_next);
	assert_int_equal(count(b, ACTION_SEND), 2);
	assert_true(sent(b, &b->next.addr, CTRL_CREATE, &m));
	assert_int_equal(find(b, ACTION_SEND)->link, 3);
}

static void test_link_cannot_be_had(void **state)
{
	struct bed *b = *state;

	extend(b);
	link_down(b, &b->next);
	assert_int_equal(sealed_status(b, &b->prev.addr), CTRL_NEXT_UNREACHABLE);
	assert_int_equal(counters(b)->extend_failed, 1);
	assert_empty(b);
	extend(b);
	tick(b, 5000); /* no word of the link */
	assert_int_equal(sealed_status(b, &b->prev.addr), CTRL_NEXT_UNREACHABLE);
	assert_empty(b);
}

static void test_create_retransmission_and_timeout(void **state)
{
	static const uint64_t waits[] = { 500, 1000, 2000 };
	struct bed *b = *state;
	struct ctrl_msg m;
	uint64_t handle;

	link_up(b, &b->to_next);
	handle = extend(b);
	for (size_t i = 0; i < ARRAY_SIZE(waits); i++) {
		tick(b, waits[i] - 1);
		assert_int_equal(b->out.n, 0);
		tick(b, 1);
		assert_true(sent(b, &b->next.addr, CTRL_CREATE, &m));
		assert_int_equal(m.handle, handle);
	}
	tick(b, 1499);
	assert_int_equal(b->out.n, 0);
	tick(b, 1); /* wait_ms is over */
	assert_int_equal(sealed_status(b, &b->prev.addr), CTRL_NEXT_TIMEOUT);
	assert_true(sent(b, &b->next.addr, CTRL_DESTROY, &m));
	assert_true(m.destroy.by_creator && m.handle == handle);
	assert_int_equal(counters(b)->extend_timeout, 1);
	assert_empty(b);
	m = answer_of_next(b, handle, CTRL_OK); /* too late */
	feed_next(b, &m);
	assert_true(sent(b, &b->next.addr, CTRL_DESTROY, &m));
	assert_int_equal(m.destroy.reason, CTRL_REASON_NO_CIRCUIT);
}

static void test_extend_timeout_is_bounded(void **state)
{
	struct bed *b = *state;
	struct relay_limits l = relay_limits_default;

	l.extend_timeout_ms = 3000; /* the offer's wait_ms is 5000 */
	limits(b, &l);
	link_up(b, &b->to_next);
	extend(b);
	tick(b, 3000);
	assert_int_equal(sealed_status(b, &b->prev.addr), CTRL_NEXT_TIMEOUT);
}

/* Retransmission and replay. */

static void test_same_answer_again(void **state)
{
	struct bed *b = *state;
	uint8_t first[CTRL_MSG_LEN];
	struct ctrl_offer o = fix_exit_offer();
	struct relay_circuit c;

	create(b, &o);
	c = find(b, ACTION_RELAY_INSTALL)->relay;
	feed_prev(b); /* in progress: absorbed */
	assert_int_equal(b->out.n, 0);
	installed(b, c.number, 0);
	memcpy(first, find(b, ACTION_SEND)->msg, sizeof(first));
	feed_prev(b);
	assert_int_equal(b->out.n, 1);
	assert_memory_equal(find(b, ACTION_SEND)->msg, first, sizeof(first));
	assert_int_equal(counters(b)->retransmitted, 2);
	assert_int_equal(counters(b)->created, 1);
	tick(b, ANSWER_KEEP_MS);
	feed_prev(b); /* nobody asks so late */
	assert_int_equal(b->out.n, 0);
	assert_int_equal(counters(b)->circuits, 1);
}

static void test_same_refusal_again(void **state)
{
	struct bed *b = *state;
	struct ctrl_offer o = fix_exit_offer();
	uint8_t first[CTRL_MSG_LEN];

	o.suite = 77;
	create(b, &o);
	memcpy(first, find(b, ACTION_SEND)->msg, sizeof(first));
	feed_prev(b);
	assert_memory_equal(find(b, ACTION_SEND)->msg, first, sizeof(first));
	assert_int_equal(sealed_status(b, &b->prev.addr), CTRL_SUITE);
}

static void test_other_bytes_same_handle(void **state)
{
	struct bed *b = *state;
	struct relay_circuit c = created_exit(b);
	uint64_t before = counters(b)->refused_malformed;

	b->msg[CTRL_MSG_LEN - 1] ^= 1;
	feed_prev(b);
	assert_int_equal(b->out.n, 0);
	assert_int_equal(counters(b)->refused_malformed, before + 1);
	assert_int_equal(counters(b)->circuits, 1);
	(void)c;
}

static void set_handle(struct bed *b, uint64_t handle)
{
	b->handle = handle;
	for (int i = 0; i < 8; i++)
		b->msg[2 + i] = (uint8_t)(handle >> (56 - 8 * i));
}

static void test_replay(void **state)
{
	struct bed *b = *state;
	struct in6_addr client = fix_client_addr(&b->own, 1);

	created_exit(b);
	set_handle(b, 999);
	feed_prev(b); /* same link, another handle */
	assert_int_equal(outer_status(b, &b->prev.addr), CTRL_REPLAY);
	feed_from(b, &b->clients, &client, b->msg); /* another link */
	assert_int_equal(outer_status(b, &client), CTRL_REPLAY);
	assert_int_equal(counters(b)->refused_replay, 2);
	assert_int_equal(counters(b)->circuits, 1);
	tick(b, 3599 * 1000u); /* until it expires */
	set_handle(b, 1000);
	feed_prev(b);
	assert_int_equal(outer_status(b, &b->prev.addr), CTRL_REPLAY);
	b->now_s -= 400; /* the wall clock is set back: within the slack nothing reopens */
	tick(b, 500 * 1000u);
	set_handle(b, 1001);
	feed_prev(b);
	assert_int_equal(outer_status(b, &b->prev.addr), CTRL_REPLAY);
	tick(b, 2 * REPLAY_SLACK_S * 1000u);
	assert_int_equal(counters(b)->replay_entries, 0);
	set_handle(b, 1002);
	feed_prev(b);
	assert_int_equal(sealed_status(b, &b->prev.addr), CTRL_EXPIRED);
}

/* A refusal that takes nothing takes no place in the cache either, and is the same the second time. */
static void test_refused_is_not_remembered(void **state)
{
	struct bed *b = *state;
	struct ctrl_offer o = fix_exit_offer();

	o.kind = CTRL_KIND_EXTEND;
	o.next = b->own.desc.id;
	o.body = (struct ctrl_view){ (const uint8_t[100]){ 0 }, 100 };
	make(b, &o);
	for (uint64_t i = 0; i < 2; i++) {
		set_handle(b, 998 + i);
		feed_prev(b);
		assert_int_equal(counters(b)->refused_malformed, i + 1);
		assert_null(find(b, ACTION_RELAY_REMEMBER));
		assert_int_equal(counters(b)->replay_entries, 0);
		assert_empty(b);
	}
}

static void keep_tag(void *ctx, const struct replay_record *r)
{
	*(struct replay_record *)ctx = *r;
}

static void test_replay_after_restart(void **state)
{
	struct bed *b = *state;
	struct relay_engine_config conf = fix_config(&b->own, &b->rng);
	struct replay_record told, kept = { .expires = 0 }, bad;

	created_exit(b);
	set_handle(b, 999);
	relay_engine_replay_each(b->e, keep_tag, &kept);
	assert_true(kept.expires == FIX_NOW_S + 3600 && !kept.client);
	bed_engine(b, &conf);
	assert_int_equal(relay_engine_replay_add(b->e, b->now_ms, b->now_s, &kept), 0);
	assert_int_equal(relay_engine_replay_add(b->e, b->now_ms, b->now_s, &kept), -EEXIST);
	assert_int_equal(counters(b)->replay_entries, 1);
	feed_prev(b);
	assert_int_equal(outer_status(b, &b->prev.addr), CTRL_REPLAY);
	bad = kept;
	bad.tag[0] ^= 1;
	bad.expires = b->now_s - REPLAY_SLACK_S;
	assert_int_equal(relay_engine_replay_add(b->e, b->now_ms, b->now_s, &bad), -ESTALE);
	bad.expires = UINT64_MAX;
	assert_int_equal(relay_engine_replay_add(b->e, b->now_ms, b->now_s, &bad), -EINVAL);
	client_create(b, 1);
	told = find(b, ACTION_RELAY_REMEMBER)->seen;
	assert_true(told.client && told.expires == kept.expires);
	tick(b, (3600 + REPLAY_SLACK_S) * 1000u);
	assert_int_equal(counters(b)->replay_entries, 0);
	/* clients' share, and the whole, also hold for what is put back */
	conf.limits.replay_entries = 2;
	bed_engine(b, &conf);
	told.expires = b->now_s + 1;
	assert_int_equal(relay_engine_replay_add(b->e, b->now_ms, b->now_s, &told), 0);
	client_create(b, 2);
	assert_null(find(b, ACTION_RELAY_INSTALL));
	kept.expires = b->now_s + 1;
	assert_int_equal(relay_engine_replay_add(b->e, b->now_ms, b->now_s, &kept), 0);
	told.tag[0] ^= 1;
	assert_int_equal(relay_engine_replay_add(b->e, b->now_ms, b->now_s, &told), -ENOSPC);
}

/* A forged CREATE with somebody else's ephemeral key must not use it up. */
static void test_forgery_does_not_spend_ephemeral(void **state)
{
	struct bed *b = *state;
	struct ctrl_offer o = fix_exit_offer();

	make(b, &o);
	b->msg[CTRL_CREATE_HEAD + 4 + 40] ^= 1;
	feed_prev(b);
	assert_int_equal(outer_status(b, &b->prev.addr), CTRL_DECRYPT);
	assert_int_equal(counters(b)->replay_entries, 0);
	b->msg[CTRL_CREATE_HEAD + 4 + 40] ^= 1;
	feed_prev(b);
	assert_non_null(find(b, ACTION_RELAY_INSTALL));
}

/* Onion keys. */

/* An onion key that the relay under test may have beside its first, and the CREATEs that are sealed to it. */
static struct fix_relay another_key(const struct bed *b, uint8_t n)
{
	struct fix_relay r;

	fix_relay_make(&r, n);
	r.desc.id = b->own.desc.id;
	r.addr = b->own.addr;
	return r;
}

/* A CREATE sealed to this key; the relay's answer, or CTRL_OK if it goes on to the kernel. */
static uint8_t create_with(struct bed *b, const struct fix_relay *key)
{
	struct ctrl_offer o = fix_exit_offer();
	const struct action *a;

	o.spi_back += (uint32_t)b->handle;
	noise_free(b->noise);
	fix_create(key, &o, ++b->handle, &b->rng, b->msg, &b->noise);
	feed_prev(b);
	a = find(b, ACTION_RELAY_INSTALL);
	if (!a)
		return outer_status(b, &b->prev.addr);
	installed(b, a->relay.number, 0);
	return outer_status(b, &b->prev.addr);
}

static void test_onion_keys_change(void **state)
{
	struct bed *b = *state;
	struct fix_relay next = another_key(b, 7);
	struct onion_key both[2] = { b->own.key, next.key }, one[1] = { next.key }, twice[2] = { next.key, next.key };

	assert_int_equal(create_with(b, &b->own), CTRL_OK);
	assert_int_equal(create_with(b, &next), CTRL_UNKNOWN_KEY); /* not made yet */
	assert_int_equal(relay_engine_set_onion_keys(b->e, both, 2), 0);
	assert_int_equal(create_with(b, &b->own), CTRL_OK);
	assert_int_equal(create_with(b, &next), CTRL_OK); /* announced */
	both[0] = next.key;
	both[1] = b->own.key;
	assert_int_equal(relay_engine_set_onion_keys(b->e, both, 2), 0);
	assert_int_equal(create_with(b, &b->own), CTRL_OK); /* by an old consensus */
	assert_int_equal(create_with(b, &next), CTRL_OK);
	/* Of no sense: all stays. */
	assert_int_equal(relay_engine_set_onion_keys(b->e, both, 0), -EINVAL);
	assert_int_equal(relay_engine_set_onion_keys(b->e, twice, 2), -EINVAL);
	assert_int_equal(create_with(b, &b->own), CTRL_OK);
	assert_int_equal(relay_engine_set_onion_keys(b->e, one, 1), 0);
	memset(b->own.secret, 0, 32);
	assert_int_equal(create_with(b, &b->own), CTRL_UNKNOWN_KEY); /* wiped */
	assert_int_equal(create_with(b, &next), CTRL_OK);
	assert_int_equal(counters(b)->refused_unknown_key, 2);
	assert_int_equal(counters(b)->circuits, 7);
	/* The number of one key with another's secret: to be told apart from a number that is not known. */
	memset(next.secret, 0x5a, 32);
	assert_int_equal(create_with(b, &next), CTRL_DECRYPT);
	fix_relay_free(&next);
}

/* A key is wiped while a CREATE that it opened is under way, and the same CREATE comes again. */
static void test_onion_key_wiped_meanwhile(void **state)
{
	struct bed *b = *state;
	struct fix_relay next = another_key(b, 7);
	uint8_t first[CTRL_MSG_LEN], plain[CTRL_MSG_LEN];
	struct ctrl_answer a;
	struct ctrl_msg m;
	uint64_t to_next;

	link_up(b, &b->to_next);
	to_next = extend(b);
	assert_true(to_next != 0);
	memcpy(first, b->msg, sizeof(first));
	assert_int_equal(relay_engine_set_onion_keys(b->e, &next.key, 1), 0);
	memset(b->own.secret, 0, 32);
	feed_prev(b); /* absorbed */
	assert_int_equal(b->out.n, 0);
	m = answer_of_next(b, to_next, CTRL_OK);
	feed_next(b, &m);
	assert_non_null(find(b, ACTION_RELAY_INSTALL));
	installed(b, find(b, ACTION_RELAY_INSTALL)->relay.number, 0);
	assert_int_equal(outer_status(b, &b->prev.addr), CTRL_OK);
	assert_true(sent(b, &b->prev.addr, CTRL_CREATED, &m));
	open_answer(b->noise, m.created.body, &a, plain); /* sealed by the handshake that the wiped key began */
	assert_int_equal(a.status, CTRL_OK);
	feed_from(b, &b->from_prev, &b->prev.addr, first);
	assert_int_equal(outer_status(b, &b->prev.addr), CTRL_OK); /* the same answer again */
	assert_int_equal(counters(b)->refused_unknown_key, 0);
	assert_int_equal(counters(b)->retransmitted, 2);
	fix_relay_free(&next);
}

/* Refusals. */

static void test_refused_unopened(void **state)
{
	struct bed *b = *state;
	struct ctrl_offer o = fix_exit_offer();
	struct ctrl_msg m = { .type = CTRL_CREATE, .handle = 5 };

	make(b, &o);
	b->msg[CTRL_CREATE_HEAD + 3] ^= 1;
	feed_prev(b);
	assert_int_equal(outer_status(b, &b->prev.addr), CTRL_UNKNOWN_KEY);
	assert_int_equal(counters(b)->refused_unknown_key, 1);
	b->handle = 5;
	m.create = (struct ctrl_view){ b->msg, CTRL_CREATE_BODY_MIN - 1 };
	ctrl_encode(&m, b->msg);
	feed_prev(b);
	assert_int_equal(outer_status(b, &b->prev.addr), CTRL_MALFORMED);
	assert_empty(b);
}

static void test_refused_opened(void **state)
{
	struct bed *b = *state;
	static const uint8_t inner[CTRL_CREATE_BODY_MIN];
	struct {
		struct ctrl_offer o;
		uint8_t status;
	} cases[10];
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		cases[i].o = fix_exit_offer();
#define CASE(change, s) (cases[n].o.change, cases[n++].status = (s))
	CASE(expires = FIX_NOW_S, CTRL_EXPIRED);
	CASE(expires = FIX_NOW_S + relay_limits_default.lifetime_max + 1, CTRL_EXPIRED);
	CASE(expires = UINT64_MAX, CTRL_EXPIRED);
	CASE(suite = 0, CTRL_SUITE);
	CASE(suite = SUITE_AES128_GCM_8, CTRL_SUITE); /* never on the last layer */
	CASE(spi_back = SPI_MIN - 1, CTRL_MALFORMED);
	CASE(spi_back = SPI_MAX + 1, CTRL_MALFORMED);
	cases[n].o.next = b->own.desc.id;
	CASE(kind = CTRL_KIND_EXTEND, CTRL_BAD_NEXT);
	cases[n].o.next = b->prev.desc.id;
	CASE(kind = CTRL_KIND_EXTEND, CTRL_BAD_NEXT);
#undef CASE
	for (size_t i = 0; i < n; i++) {
		cases[i].o.body = (struct ctrl_view){ inner, sizeof(inner) };
		create(b, &cases[i].o);
		assert_int_equal(b->out.n, 1);
		assert_int_equal(sealed_status(b, &b->prev.addr), cases[i].status);
		assert_empty(b);
	}
	assert_int_equal(counters(b)->refused_expired, 3);
	assert_int_equal(counters(b)->refused_malformed, 6);
}

static void test_bad_payload_is_sealed(void **state)
{
	struct bed *b = *state;
	uint8_t body[CTRL_CREATE_BODY_MAX] = { 0 };
	struct ctrl_msg m = { .type = CTRL_CREATE, .handle = ++b->handle };
	size_t len;

	assert_int_equal(handshake_initiator(&b->own.desc, &b->rng, &b->noise), 0);
	body[2] = 1; /* onion key id 0x100 */
	noise_write(b->noise, "garbage", 7, body + 4, sizeof(body) - 4, &len);
	m.create = (struct ctrl_view){ body, len + 4 };
	ctrl_encode(&m, b->msg);
	feed_prev(b);
	assert_int_equal(sealed_status(b, &b->prev.addr), CTRL_MALFORMED);
}

static void test_not_exit(void **state)
{
	struct bed *b = *state;
	struct relay_engine_config conf = fix_config(&b->own, &b->rng);
	struct ctrl_offer o = fix_exit_offer();

	conf.exit = false;
	bed_engine(b, &conf);
	create(b, &o);
	assert_int_equal(sealed_status(b, &b->prev.addr), CTRL_NOT_EXIT);
	conf.exit = true;
	conf.inner6_enabled = false;
	bed_engine(b, &conf);
	o.families = CTRL_FAMILY_V6;
	create(b, &o);
	assert_int_equal(sealed_status(b, &b->prev.addr), CTRL_NO_FAMILY);
	o.families = CTRL_FAMILY_V6 | CTRL_FAMILY_V4; /* gets what there is */
	create(b, &o);
	assert_true(find(b, ACTION_RELAY_INSTALL)->relay.inner.has4);
	assert_false(find(b, ACTION_RELAY_INSTALL)->relay.inner.has6);
}

static void test_strangers(void **state)
{
	struct bed *b = *state;
	struct ctrl_offer o = fix_exit_offer();
	struct in6_addr client = fix_client_addr(&b->own, 1), foreign = fix_client_addr(&b->prev, 1);
	struct link guard = fix_guard_link(&b->prev, 0);
	struct ctrl_msg m = answer_of_next(b, 1, CTRL_OK);
	uint8_t msg[CTRL_MSG_LEN];

	make(b, &o);
	feed_from(b, &b->from_prev, &b->next.addr, b->msg); /* not that link's neighbour */
	assert_int_equal(b->out.n, 0);
	feed_from(b, &b->clients, &b->prev.addr, b->msg); /* a relay's address among the clients */
	assert_int_equal(b->out.n, 0);
	feed_from(b, &b->clients, &foreign, b->msg);
	assert_int_equal(b->out.n, 0);
	feed_from(b, &b->clients, &b->own.addr, b->msg);
	assert_int_equal(b->out.n, 0);
	feed_from(b, &guard, &b->prev.addr, b->msg); /* there we are the client */
	assert_int_equal(b->out.n, 0);
	assert_int_equal(counters(b)->unknown_message, 5);
	ctrl_encode(&m, msg);
	feed_from(b, &b->clients, &client, msg); /* clients answer nothing */
	assert_int_equal(b->out.n, 0);
	relay_engine_message(b->e, b->now_ms, b->now_s, &b->from_prev, &b->prev.addr, b->msg, 100, &b->out);
	assert_int_equal(b->out.n, 0);
	assert_int_equal(counters(b)->unknown_message, 7);
}

/* Only the neighbour that a circuit belongs to may answer or end it. */
static void test_other_neighbour_cannot_touch(void **state)
{
	struct bed *b = *state;
	struct ctrl_msg m;
	uint8_t msg[CTRL_MSG_LEN];
	uint64_t handle;

	link_up(b, &b->to_next);
	handle = extend(b);
	m = answer_of_next(b, handle, CTRL_OK);
	ctrl_encode(&m, msg);
	feed_from(b, &b->from_prev, &b->prev.addr, msg); /* CREATED by the neighbour before */
	assert_null(find(b, ACTION_RELAY_INSTALL));
	m = (struct ctrl_msg){ .type = CTRL_DESTROY, .handle = handle };
	m.destroy.by_creator = true; /* the next one claims to have made it */
	feed_next(b, &m);
	assert_int_equal(counters(b)->half_open, 1);
	m.destroy.by_creator = false;
	ctrl_encode(&m, msg);
	feed_from(b, &b->from_prev, &b->prev.addr, msg);
	assert_int_equal(counters(b)->half_open, 1);
	assert_int_equal(counters(b)->destroyed, 0);
}

/* Limits. */

static void test_limit_half_open(void **state)
{
	struct bed *b = *state;
	struct relay_limits l = relay_limits_default;
	struct ctrl_offer o = fix_exit_offer();

	l.half_open = 3;
	limits(b, &l);
	for (uint32_t i = 0; i < 3; i++) {
		client_create(b, i);
		assert_non_null(find(b, ACTION_RELAY_INSTALL));
	}
	create(b, &o);
	assert_int_equal(outer_status(b, &b->prev.addr), CTRL_LIMIT);
	assert_int_equal(counters(b)->refused_limit, 1);
	installed(b, 1, 0);
	create(b, &o);
	assert_non_null(find(b, ACTION_RELAY_INSTALL));
}

static void test_operator_closes(void **state)
{
	struct bed *b = *state;
	uint64_t next;
	struct ctrl_msg m;

	link_up(b, &b->from_prev);
	link_up(b, &b->to_next);
	next = extend(b);
	actions_clear(&b->out);
	assert_int_equal(relay_engine_close(b->e, b->now_ms, 1, &b->out), -ENOENT); /* half-open */
	m = answer_of_next(b, next, CTRL_OK);
	feed_next(b, &m);
	installed(b, 1, 0);
	actions_clear(&b->out);
	assert_int_equal(relay_engine_close(b->e, b->now_ms, 2, &b->out), -ENOENT);
	assert_int_equal(b->out.n, 0);
	assert_int_equal(relay_engine_close(b->e, b->now_ms, 1, &b->out), 0);
	assert_non_null(find(b, ACTION_RELAY_REMOVE));
	assert_true(sent(b, &b->prev.addr, CTRL_DESTROY, &m));
	assert_int_equal(m.destroy.reason, CTRL_REASON_OPERATOR);
	assert_true(sent(b, &b->next.addr, CTRL_DESTROY, &m));
	assert_int_equal(counters(b)->circuits, 0);
}

/* Draining: what is there goes on, nothing new; over when the last has gone and every neighbour has heard of it. */
static void test_drain(void **state)
{
	struct bed *b = *state;
	struct ctrl_offer o = fix_exit_offer();
	struct relay_circuit c = created_exit(b);
	uint64_t handle = b->handle;
	struct ctrl_msg m;

	link_up(b, &b->from_prev);
	assert_false(relay_engine_drained(b->e));
	relay_engine_drain(b->e, true);
	assert_false(relay_engine_drained(b->e));
	create(b, &o);
	assert_int_equal(outer_status(b, &b->prev.addr), CTRL_DRAINING);
	assert_int_equal(counters(b)->refused_draining, 1);
	assert_int_equal(counters(b)->circuits, 1);
	actions_clear(&b->out);
	relay_engine_close_all(b->e, b->now_ms, &b->out);
	assert_int_equal(find(b, ACTION_RELAY_REMOVE)->relay.number, c.number);
	assert_true(sent(b, &b->prev.addr, CTRL_DESTROY, &m));
	assert_true(m.handle == handle);
	assert_false(relay_engine_drained(b->e)); /* has it arrived? */
	m.type = CTRL_DESTROY_ACK;
	m.destroy.by_creator = false;
	assert_int_equal(ctrl_encode(&m, b->msg), 0);
	feed_prev(b);
	assert_true(relay_engine_drained(b->e));
	relay_engine_drain(b->e, false);
	assert_false(relay_engine_drained(b->e));
	created_exit(b);
	assert_int_equal(counters(b)->circuits, 1);
}

static void test_drain_is_not_for_ever(void **state)
{
	struct bed *b = *state;

	created_exit(b);
	link_up(b, &b->from_prev);
	relay_engine_drain(b->e, true);
	actions_clear(&b->out);
	relay_engine_close_all(b->e, b->now_ms, &b->out);
	for (int i = 0; i < FAREWELL_SENDS; i++)
		tick(b, FAREWELL_FIRST_MS << i);
	assert_true(relay_engine_drained(b->e)); /* a neighbour that never answers */
}

static void test_limit_half_open_per_link(void **state)
{
	struct bed *b = *state;
	struct relay_limits l = relay_limits_default;
	struct ctrl_offer o = fix_exit_offer();
	struct in6_addr client = fix_client_addr(&b->own, 1);

	l.half_open_per_link = 2;
	l.client_half_open = 1;
	limits(b, &l);
	create(b, &o);
	create(b, &o);
	create(b, &o);
	assert_int_equal(outer_status(b, &b->prev.addr), CTRL_LIMIT);
	client_create(b, 1);
	assert_non_null(find(b, ACTION_RELAY_INSTALL));
	client_create(b, 1);
	assert_int_equal(outer_status(b, &client), CTRL_LIMIT);
	client_create(b, 2); /* another client is not hurt */
	assert_non_null(find(b, ACTION_RELAY_INSTALL));
	installed(b, 1, 0); /* one of the neighbour's is no longer half-open */
	create(b, &o);
	assert_non_null(find(b, ACTION_RELAY_INSTALL));
}

static void client_extend(struct bed *b, uint32_t client)
{
	static const uint8_t inner[100] = "opaque to the relay under test";
	struct in6_addr from = fix_client_addr(&b->own, client);
	struct ctrl_offer o = fix_exit_offer();

	o.kind = CTRL_KIND_EXTEND;
	o.spi_back += (uint32_t)b->handle;
	o.next = b->next.desc.id;
	o.body = (struct ctrl_view){ inner, sizeof(inner) };
	make(b, &o);
	feed_from(b, &b->clients, &from, b->msg);
}

/* What hangs beyond a link to a next relay is shared out among clients. */
static void test_limit_client_share_of_next(void **state)
{
	struct bed *b = *state;
	struct relay_limits l = relay_limits_default;
	struct in6_addr client = fix_client_addr(&b->own, 1);
	struct ctrl_msg m;

	l.half_open_per_link = 2 * 128;
	limits(b, &l);
	link_up(b, &b->to_next);
	for (int i = 0; i < 3; i++) {
		client_extend(b, 1);
		assert_int_equal(sent(b, &b->next.addr, CTRL_CREATE, &m), i < 2);
	}
	assert_int_equal(sealed_status(b, &client), CTRL_LIMIT);
	assert_int_equal(counters(b)->refused_limit, 1);
	assert_int_equal(counters(b)->half_open, 2);
	client_create(b, 1); /* other ways are open to it */
	assert_non_null(find(b, ACTION_RELAY_INSTALL));
	client_extend(b, 2);
	assert_true(sent(b, &b->next.addr, CTRL_CREATE, &m));
	for (int i = 0; i < 3; i++) /* a relay speaks for many */
		assert_int_not_equal(extend(b), 0);
}

static void test_limit_circuits(void **state)
{
	struct bed *b = *state;
	struct relay_limits l = relay_limits_default;
	struct ctrl_offer o = fix_exit_offer();

	l.circuits = 2;
	limits(b, &l);
	created_exit(b);
	created_exit(b);
	create(b, &o);
	assert_int_equal(outer_status(b, &b->prev.addr), CTRL_LIMIT);
	l = relay_limits_default;
	l.circuits_per_link = 1;
	l.client_circuits = 1;
	limits(b, &l);
	created_exit(b);
	create(b, &o);
	assert_int_equal(outer_status(b, &b->prev.addr), CTRL_LIMIT);
	client_create(b, 1);
	installed(b, 2, 0);
	client_create(b, 1);
	assert_null(find(b, ACTION_RELAY_INSTALL));
}

static void test_limit_rate(void **state)
{
	struct bed *b = *state;
	struct relay_limits l = relay_limits_default;
	struct ctrl_offer o = fix_exit_offer();

	l.creates_per_second = 2;
	l.client_creates_per_second = 1;
	limits(b, &l);
	for (int i = 0; i < 4; i++) {
		create(b, &o);
		assert_non_null(find(b, ACTION_RELAY_INSTALL));
	}
	create(b, &o);
	assert_int_equal(outer_status(b, &b->prev.addr), CTRL_RATE);
	assert_int_equal(counters(b)->refused_rate, 1);
	tick(b, 500);
	create(b, &o);
	assert_non_null(find(b, ACTION_RELAY_INSTALL));
	create(b, &o);
	assert_int_equal(outer_status(b, &b->prev.addr), CTRL_RATE);
	for (int i = 0; i < 4; i++) { /* a client's bucket holds more seconds' worth */
		client_create(b, 1);
		assert_non_null(find(b, ACTION_RELAY_INSTALL));
	}
	client_create(b, 1);
	assert_null(find(b, ACTION_RELAY_INSTALL));
	client_create(b, 2);
	assert_non_null(find(b, ACTION_RELAY_INSTALL));
}

/* Who has no circuit is forgotten in the end, but not before its bucket is full by itself. */
static void test_forgetting_fills_no_bucket(void **state)
{
	struct bed *b = *state;
	struct in6_addr client = fix_client_addr(&b->own, 1);
	struct ctrl_offer o = fix_exit_offer();

	make(b, &o);
	b->msg[CTRL_CREATE_HEAD + 4 + 40] ^= 1; /* does not open, so it leaves nothing but a token less */
	for (uint64_t i = 0; i < 300; i++) {	/* ten a second for half a minute */
		set_handle(b, 1000 + i);
		feed_from(b, &b->clients, &client, b->msg);
		tick(b, 100);
	}
	/* the burst and what 29.9 s add */
	assert_int_equal(counters(b)->refused_decrypt, (4 + 30) * relay_limits_default.client_creates_per_second - 1);
	tick(b, 2 * REAP_AFTER_MS);
	assert_null(b->e->table.peers);
}

static void test_limit_replay_cache(void **state)
{
	struct bed *b = *state;
	struct relay_limits l = relay_limits_default;
	struct ctrl_offer o = fix_exit_offer();

	l.replay_entries = 2 * REPLAY_PART_RELAY;
	limits(b, &l);
	created_exit(b);
	created_exit(b);
	assert_int_equal(counters(b)->replay_entries, 2);
	create(b, &o);
	assert_int_equal(outer_status(b, &b->prev.addr), CTRL_LIMIT);
	client_create(b, 1); /* it has its own share */
	assert_non_null(find(b, ACTION_RELAY_INSTALL));
	tick(b, (3600 + REPLAY_SLACK_S) * 1000u);
	o.expires = b->now_s + 10;
	create(b, &o);
	assert_non_null(find(b, ACTION_RELAY_INSTALL));
}

/* All clients together leave half of it to the neighbour relays. */
static void test_clients_cannot_fill_replay_cache(void **state)
{
	struct bed *b = *state;
	struct relay_limits l = relay_limits_default;
	struct in6_addr client = fix_client_addr(&b->own, 1);
	struct ctrl_offer o = fix_exit_offer();

	l.replay_entries = 8; /* one for each client */
	limits(b, &l);
	client_create(b, 1);
	assert_non_null(find(b, ACTION_RELAY_INSTALL));
	client_create(b, 1);
	assert_int_equal(outer_status(b, &client), CTRL_LIMIT);
	for (uint32_t i = 2; i <= 4; i++) {
		client_create(b, i);
		assert_non_null(find(b, ACTION_RELAY_INSTALL));
	}
	client = fix_client_addr(&b->own, 5);
	client_create(b, 5);
	assert_int_equal(outer_status(b, &client), CTRL_LIMIT);
	assert_int_equal(counters(b)->replay_entries, 4);
	create(b, &o);
	assert_non_null(find(b, ACTION_RELAY_INSTALL));
}

static void test_inner4_pool(void **state)
{
	struct bed *b = *state;
	struct relay_engine_config conf = fix_config(&b->own, &b->rng);
	bool seen[8] = { false };
	struct ctrl_offer o = fix_exit_offer();
	struct relay_circuit last = { 0 };

	conf.inner4.len = 29;
	conf.inner6_enabled = false;
	bed_engine(b, &conf);
	for (int i = 0; i < 5; i++) { /* 8 less network, gateway, broadcast */
		uint32_t host;

		last = created_exit(b);
		host = ntohl(last.inner.addr4.s_addr) - 0x64600000;
		assert_true(host >= 2 && host <= 6);
		assert_false(seen[host]);
		seen[host] = true;
		assert_int_equal(last.inner.gw4.s_addr, htonl(0x64600001));
	}
	create(b, &o);
	assert_int_equal(sealed_status(b, &b->prev.addr), CTRL_NO_RESOURCES);
	actions_clear(&b->out);
	relay_engine_sa_gone(b->e, b->now_ms, last.number, last.layer.spi_fwd, &b->out);
	/* the pool is used up rather than an address given again too early */
	create(b, &o);
	assert_int_equal(sealed_status(b, &b->prev.addr), CTRL_NO_RESOURCES);
	tick(b, INNER4_REST_MS - 1);
	create(b, &o);
	assert_int_equal(sealed_status(b, &b->prev.addr), CTRL_NO_RESOURCES);
	tick(b, 1);
	assert_int_equal(created_exit(b).inner.addr4.s_addr, last.inner.addr4.s_addr);
}

/* One that never was in the kernel needs no rest; a restored circuit's does. */
static void test_inner4_rest(void **state)
{
	struct bed *b = *state;
	struct relay_engine_config conf = fix_config(&b->own, &b->rng);
	struct records rs = { 0 };
	struct ctrl_offer o = fix_exit_offer();
	struct in_addr a;

	conf.inner4.len = 29;
	bed_engine(b, &conf);
	for (int i = 0; i < 20; i++) {
		const struct action *install;

		create(b, &o);
		install = find(b, ACTION_RELAY_INSTALL);
		assert_true(install->relay.inner.has4);
		installed(b, install->relay.number, -ENOMEM);
	}
	a = created_exit(b).inner.addr4;
	relay_engine_each(b->e, collect, &rs);
	bed_engine(b, &conf);
	assert_int_equal(relay_engine_restore(b->e, &rs.r[0]), 0);
	actions_clear(&b->out);
	relay_engine_sa_gone(b->e, b->now_ms, rs.r[0].circuit.number, rs.r[0].circuit.layer.spi_back, &b->out);
	assert_empty(b);
	for (int i = 0; i < 5; i++) {
		struct relay_circuit c = created_exit(b);

		assert_int_equal(c.inner.has4, i < 4); /* the fifth has IPv6 only */
		assert_true(!c.inner.has4 || c.inner.addr4.s_addr != a.s_addr);
	}
}

/* Answers of the next relay. */

static void assert_next_refused(struct bed *b, const struct ctrl_msg *m, uint8_t status, uint8_t detail, bool destroy)
{
	uint8_t plain[CTRL_MSG_LEN];
	struct ctrl_answer a;
	struct ctrl_msg got;

	feed_next(b, m);
	assert_null(find(b, ACTION_RELAY_INSTALL));
	assert_true(sent(b, &b->prev.addr, CTRL_CREATED, &got));
	assert_int_equal(got.created.status, CTRL_SEALED);
	open_answer(b->noise, got.created.body, &a, plain);
	assert_int_equal(a.status, status);
	assert_int_equal(a.detail, detail);
	if (status == CTRL_NEXT_SEALED)
		assert_memory_equal(a.body.p, m->created.body.p, m->created.body.len);
	assert_int_equal(sent(b, &b->next.addr, CTRL_DESTROY, &got), destroy);
	assert_empty(b);
}

static void test_next_refuses(void **state)
{
	struct bed *b = *state;
	struct ctrl_msg m;

	link_up(b, &b->to_next);
	m = answer_of_next(b, extend(b), CTRL_RATE);
	assert_next_refused(b, &m, CTRL_NEXT_REFUSED, CTRL_RATE, false);
	m = answer_of_next(b, extend(b), CTRL_SEALED);
	assert_next_refused(b, &m, CTRL_NEXT_SEALED, 0, false);
	assert_int_equal(counters(b)->extend_failed, 2);
	m = (struct ctrl_msg){ .type = CTRL_DESTROY, .handle = extend(b) };
	assert_next_refused(b, &m, CTRL_NEXT_REFUSED, CTRL_INTERNAL, false);
}

static void test_next_lies(void **state)
{
	static const uint8_t large[CTRL_CREATED_BODY_MAX];
	struct bed *b = *state;
	struct ctrl_msg m;
	uint64_t first;
	struct relay_circuit c;

	link_up(b, &b->to_next);
	m = answer_of_next(b, extend(b), CTRL_OK);
	m.created.a = overlay_addr(&b->prev.addr, 9, 1); /* not its prefix */
	assert_next_refused(b, &m, CTRL_NEXT_REFUSED, CTRL_MALFORMED, true);
	m = answer_of_next(b, extend(b), CTRL_OK);
	m.created.a = b->next.addr;
	assert_next_refused(b, &m, CTRL_NEXT_REFUSED, CTRL_MALFORMED, true);
	m = answer_of_next(b, extend(b), CTRL_OK);
	m.created.a = overlay_addr(&b->next.addr, LINK_INNER, 9); /* a user's */
	assert_next_refused(b, &m, CTRL_NEXT_REFUSED, CTRL_MALFORMED, true);
	m = answer_of_next(b, extend(b), CTRL_OK);
	m.created.body.len = CTRL_NOISE_OVERHEAD - 1;
	assert_next_refused(b, &m, CTRL_NEXT_REFUSED, CTRL_MALFORMED, true);
	m = answer_of_next(b, extend(b), CTRL_OK);
	m.created.body = (struct ctrl_view){ large, sizeof(large) }; /* does not fit once sealed */
	assert_next_refused(b, &m, CTRL_NEXT_REFUSED, CTRL_MALFORMED, true);
	m = answer_of_next(b, extend(b), CTRL_SEALED);
	m.created.body = (struct ctrl_view){ large, sizeof(large) };
	assert_next_refused(b, &m, CTRL_NEXT_REFUSED, CTRL_MALFORMED, false);
	c = extended(b, &first);
	m = answer_of_next(b, extend(b), CTRL_OK);
	m.created.a = c.next_a; /* another circuit's */
	feed_next(b, &m);
	assert_int_equal(sealed_status(b, &b->prev.addr), CTRL_NEXT_REFUSED);
	assert_int_equal(counters(b)->circuits, 1);
}

static void test_install_fails(void **state)
{
	static const struct {
		int error;
		uint8_t status;
	} cases[] = { { -EEXIST, CTRL_SPI_TAKEN }, { -ENOBUFS, CTRL_NO_RESOURCES }, { -EPERM, CTRL_INTERNAL } };
	struct bed *b = *state;
	struct ctrl_offer o = fix_exit_offer();

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		create(b, &o);
		installed(b, find(b, ACTION_RELAY_INSTALL)->relay.number, cases[i].error);
		assert_int_equal(sealed_status(b, &b->prev.addr), cases[i].status);
		assert_null(find(b, ACTION_RELAY_REMOVE));
	}
	assert_int_equal(counters(b)->install_failed, 3);
	create(b, &o); /* no answer from the kernel at all */
	tick(b, relay_limits_default.extend_timeout_ms);
	assert_int_equal(sealed_status(b, &b->prev.addr), CTRL_INTERNAL);
	assert_non_null(find(b, ACTION_RELAY_REMOVE));
	assert_empty(b);
	installed(b, 4, 0);
	assert_int_equal(b->out.n, 0);
}

/* The end of circuits. */

static void destroy_from(struct bed *b, bool prev, uint64_t handle)
{
	struct ctrl_msg m = { .type = CTRL_DESTROY, .handle = handle };
	uint8_t msg[CTRL_MSG_LEN];

	m.destroy.by_creator = prev;
	ctrl_encode(&m, msg);
	if (prev)
		feed_from(b, &b->from_prev, &b->prev.addr, msg);
	else
		feed_from(b, &b->to_next, &b->next.addr, msg);
}

static void test_destroy_from_prev(void **state)
{
	struct bed *b = *state;
	struct ctrl_msg m;
	uint64_t next;
	struct relay_circuit c = extended(b, &next);

	destroy_from(b, true, b->handle);
	assert_true(sent(b, &b->prev.addr, CTRL_DESTROY_ACK, &m));
	assert_true(m.handle == b->handle && m.destroy.by_creator);
	assert_true(sent(b, &b->next.addr, CTRL_DESTROY, &m));
	assert_true(m.handle == next && m.destroy.by_creator);
	assert_int_equal(find(b, ACTION_RELAY_REMOVE)->relay.number, c.number);
	assert_int_equal(counters(b)->destroyed, 1);
	assert_empty(b);
	destroy_from(b, true, b->handle); /* its acknowledgement was lost */
	assert_int_equal(b->out.n, 1);
	assert_true(sent(b, &b->prev.addr, CTRL_DESTROY_ACK, &m));
	feed_prev(b); /* the old CREATE again: neither answer nor circuit is there, but the replay cache is */
	assert_int_equal(outer_status(b, &b->prev.addr), CTRL_REPLAY);
}

static void test_destroy_from_next(void **state)
{
	struct bed *b = *state;
	struct ctrl_msg m;
	uint64_t next;

	extended(b, &next);
	link_up(b, &b->from_prev);
	destroy_from(b, false, next);
	assert_true(sent(b, &b->prev.addr, CTRL_DESTROY, &m));
	assert_true(m.handle == b->handle && !m.destroy.by_creator);
	assert_true(sent(b, &b->next.addr, CTRL_DESTROY_ACK, &m));
	assert_non_null(find(b, ACTION_RELAY_REMOVE));
	assert_empty(b);
}

static void test_destroy_half_open(void **state)
{
	struct bed *b = *state;
	struct ctrl_msg m;
	uint64_t next;
	struct ctrl_offer o = fix_exit_offer();

	link_up(b, &b->to_next);
	next = extend(b);
	destroy_from(b, true, b->handle);
	assert_true(sent(b, &b->next.addr, CTRL_DESTROY, &m));
	assert_int_equal(m.handle, next);
	assert_null(find(b, ACTION_RELAY_REMOVE));
	create(b, &o);
	destroy_from(b, true, b->handle); /* while the kernel works on it */
	assert_non_null(find(b, ACTION_RELAY_REMOVE));
	assert_empty(b);
}

static void test_destroy_is_repeated(void **state)
{
	struct bed *b = *state;
	struct ctrl_msg m;
	uint64_t next;

	extended(b, &next);
	destroy_from(b, true, b->handle);
	for (int i = 1; i < FAREWELL_SENDS; i++) {
		tick(b, FAREWELL_FIRST_MS << (i - 1));
		assert_true(sent(b, &b->next.addr, CTRL_DESTROY, &m));
	}
	tick(b, 60000);
	assert_false(sent(b, &b->next.addr, CTRL_DESTROY, &m));
	extended(b, &next);
	destroy_from(b, true, b->handle);
	m = (struct ctrl_msg){ .type = CTRL_DESTROY_ACK, .handle = next };
	m.destroy.by_creator = true;
	feed_next(b, &m);
	tick(b, 60000);
	assert_int_equal(b->out.n, 0);
}

static void test_expiry(void **state)
{
	struct bed *b = *state;
	struct ctrl_msg m;
	uint64_t next;

	extended(b, &next);
	link_up(b, &b->from_prev);
	tick(b, 3600 * 1000u - 1);
	assert_int_equal(counters(b)->circuits, 1);
	tick(b, 1);
	assert_non_null(find(b, ACTION_RELAY_REMOVE));
	assert_true(sent(b, &b->next.addr, CTRL_DESTROY, &m));
	assert_int_equal(m.destroy.reason, CTRL_REASON_EXPIRED);
	assert_true(sent(b, &b->prev.addr, CTRL_DESTROY, &m));
	assert_int_equal(counters(b)->expired, 1);
	assert_empty(b);
}

static void test_sa_gone(void **state)
{
	struct bed *b = *state;
	struct ctrl_msg m;
	uint64_t next;
	struct relay_circuit c = extended(b, &next);

	link_up(b, &b->from_prev);
	actions_clear(&b->out);
	relay_engine_sa_gone(b->e, b->now_ms, c.number, c.layer.spi_fwd ^ 1, &b->out); /* an earlier circuit's */
	relay_engine_sa_gone(b->e, b->now_ms, c.number + 1, c.layer.spi_fwd, &b->out);
	assert_int_equal(b->out.n, 0);
	relay_engine_sa_gone(b->e, b->now_ms, c.number, c.layer.spi_back, &b->out);
	assert_true(sent(b, &b->next.addr, CTRL_DESTROY, &m));
	assert_true(sent(b, &b->prev.addr, CTRL_DESTROY, &m));
	assert_non_null(find(b, ACTION_RELAY_REMOVE));
	assert_empty(b);
}

static void test_sa_gone_while_building(void **state)
{
	struct bed *b = *state;
	struct ctrl_offer o = fix_exit_offer();
	struct relay_circuit c;

	link_up(b, &b->to_next);
	extend(b);
	actions_clear(&b->out);
	relay_engine_sa_gone(b->e, b->now_ms, 1, table_by_number(&b->e->table, 1)->c.layer.spi_fwd, &b->out);
	assert_int_equal(b->out.n, 0); /* it has none yet */
	assert_int_equal(counters(b)->half_open, 1);
	create(b, &o);
	c = find(b, ACTION_RELAY_INSTALL)->relay;
	actions_clear(&b->out);
	relay_engine_sa_gone(b->e, b->now_ms, c.number, c.layer.spi_fwd, &b->out);
	assert_int_equal(sealed_status(b, &b->prev.addr), CTRL_INTERNAL);
	assert_int_equal(counters(b)->circuits, 1);
}

/* A number comes back late, also after a restart. */
static void test_numbers_rise(void **state)
{
	struct bed *b = *state;
	struct relay_engine_config conf = fix_config(&b->own, &b->rng);
	struct relay_circuit c = { 0 };

	for (uint32_t i = 1; i <= 3; i++) {
		c = created_exit(b);
		assert_int_equal(c.number, i);
		relay_engine_sa_gone(b->e, b->now_ms, c.number, c.layer.spi_fwd, &b->out);
	}
	assert_int_equal(relay_engine_last_number(b->e), 3);
	bed_engine(b, &conf);
	relay_engine_number_used(b->e, RELAY_CIRCUIT_MAX - 1);
	relay_engine_number_used(b->e, RELAY_CIRCUIT_MAX - 3); /* installed later, but drawn before */
	relay_engine_number_used(b->e, 0);
	relay_engine_number_used(b->e, UINT32_MAX);
	assert_int_equal(created_exit(b).number, RELAY_CIRCUIT_MAX);
	assert_int_equal(created_exit(b).number, 1);
	relay_engine_number_used(b->e, 5);
	relay_engine_number_used(b->e, RELAY_CIRCUIT_MAX);
	assert_int_equal(created_exit(b).number, 6);
}

/* Links that go and come. */

static void test_link_returns_within_grace(void **state)
{
	struct bed *b = *state;
	uint64_t next;

	extended(b, &next);
	link_down(b, &b->next);
	assert_int_equal(b->out.n, 0);
	tick(b, LINK_GRACE_MS - 1);
	link_up(b, &b->to_next);
	tick(b, 10 * LINK_GRACE_MS);
	assert_null(find(b, ACTION_RELAY_REMOVE));
	assert_int_equal(counters(b)->circuits, 1);
}

static void test_link_lost(void **state)
{
	struct bed *b = *state;
	struct ctrl_msg m;
	uint64_t next;

	extended(b, &next);
	link_up(b, &b->from_prev);
	link_down(b, &b->next);
	tick(b, LINK_GRACE_MS / 2);
	link_down(b, &b->next); /* no second grace */
	tick(b, LINK_GRACE_MS / 2);
	assert_non_null(find(b, ACTION_RELAY_REMOVE));
	assert_true(sent(b, &b->prev.addr, CTRL_DESTROY, &m));
	assert_int_equal(m.destroy.reason, CTRL_REASON_LINK_LOST);
	assert_false(sent(b, &b->next.addr, CTRL_DESTROY, &m));
	assert_empty(b);
}

static void test_half_open_does_not_wait_for_link(void **state)
{
	struct bed *b = *state;
	struct ctrl_offer o = fix_exit_offer();
	struct ctrl_msg m;

	link_up(b, &b->to_next);
	extend(b);
	link_down(b, &b->next);
	assert_int_equal(sealed_status(b, &b->prev.addr), CTRL_NEXT_UNREACHABLE);
	link_up(b, &b->to_next);
	link_up(b, &b->from_prev);
	extend(b);
	create(b, &o);
	link_down(b, &b->prev); /* nobody left to answer */
	assert_false(sent(b, &b->prev.addr, CTRL_CREATED, &m));
	assert_true(sent(b, &b->next.addr, CTRL_DESTROY, &m));
	assert_non_null(find(b, ACTION_RELAY_REMOVE));
	assert_empty(b);
}

static void test_link_returns_under_another_number(void **state)
{
	struct bed *b = *state;
	uint64_t next;

	extended(b, &next);
	link_down(b, &b->next);
	b->to_next.number = 8;
	link_up(b, &b->to_next);
	assert_non_null(find(b, ACTION_RELAY_REMOVE));
	assert_empty(b);
}

/* Crash and restore. */

static void test_restore(void **state)
{
	struct bed *b = *state;
	struct relay_engine_config conf = fix_config(&b->own, &b->rng);
	struct records rs = { 0 };
	struct ctrl_offer o = fix_exit_offer();
	struct ctrl_msg m;
	uint64_t next, handle;

	extended(b, &next);
	handle = b->handle;
	created_exit(b);
	create(b, &o); /* half-open: not recorded */
	relay_engine_each(b->e, collect, &rs);
	assert_int_equal(rs.n, 2);
	bed_engine(b, &conf);
	for (size_t i = 0; i < rs.n; i++) {
		rs.r[i].circuit.expires = 0; /* the record's counts */
		assert_int_equal(relay_engine_restore(b->e, &rs.r[i]), 0);
	}
	assert_true(table_by_number(&b->e->table, 1)->c.expires == rs.r[0].expires);
	for (size_t i = 0; i < rs.n; i++)
		assert_int_equal(relay_engine_restore(b->e, &rs.r[i]), -EEXIST);
	assert_int_equal(counters(b)->circuits, 2);
	tick(b, 1000);
	link_up(b, &b->to_next);
	link_up(b, &b->from_prev);
	tick(b, 2 * LINK_GRACE_MS);
	assert_int_equal(counters(b)->circuits, 2);
	destroy_from(b, true, handle);
	assert_true(sent(b, &b->next.addr, CTRL_DESTROY, &m));
	assert_int_equal(m.handle, next);
	tick(b, 3600 * 1000u);
	assert_int_equal(counters(b)->expired, 1);
	assert_empty(b);
}

static void test_restored_links_stay_down(void **state)
{
	struct bed *b = *state;
	struct relay_engine_config conf = fix_config(&b->own, &b->rng);
	struct records rs = { 0 };
	uint64_t next;

	extended(b, &next);
	relay_engine_each(b->e, collect, &rs);
	bed_engine(b, &conf);
	assert_int_equal(relay_engine_restore(b->e, &rs.r[0]), 0);
	tick(b, 5);
	tick(b, LINK_GRACE_MS - 1);
	assert_int_equal(counters(b)->circuits, 1);
	tick(b, 1);
	assert_empty(b);
}

static void test_restore_refuses(void **state)
{
	struct bed *b = *state;
	struct relay_engine_config conf = fix_config(&b->own, &b->rng);
	struct records rs = { 0 };
	struct relay_record r;

	created_exit(b);
	relay_engine_each(b->e, collect, &rs);
	conf.limits.circuits = 1;
	bed_engine(b, &conf);
#define REFUSED(change) (r = rs.r[0], r.change, assert_int_equal(relay_engine_restore(b->e, &r), -EINVAL))
	REFUSED(circuit.number = 0);
	REFUSED(circuit.number = RELAY_CIRCUIT_MAX + 1);
	REFUSED(circuit.layer.suite = 0);
	REFUSED(circuit.layer.spi_fwd = 1);
	REFUSED(circuit.layer.o = b->prev.addr);
	REFUSED(circuit.layer.a = b->prev.addr);
	REFUSED(circuit.inner.addr4.s_addr = 0);
	REFUSED(circuit.exit = false);
	REFUSED(prev_link = 9);
#undef REFUSED
	assert_int_equal(relay_engine_restore(b->e, &rs.r[0]), 0);
	assert_int_equal(relay_engine_restore(b->e, &rs.r[0]), -ENOSPC);
}

static void test_config(void **state)
{
	struct bed *b = *state;
	struct relay_engine_config good = fix_config(&b->own, &b->rng), c;
	struct relay_engine *e;

#define REFUSED(change) (c = good, c.change, assert_int_equal(relay_engine_new(&c, &e), -EINVAL))
	REFUSED(n_onion_keys = 0);
	REFUSED(rng = NULL);
	REFUSED(inner4.a4.s_addr = htonl(0x0a000000)); /* a user's own network may be there */
	REFUSED(inner4.a4.s_addr = htonl(0x64600002));
	REFUSED(inner4.len = 9);
	REFUSED(inner4.len = 30);
	REFUSED(dns4.s_addr = htonl(0xc0a80001));
	REFUSED(dns6 = in6addr_loopback);
	REFUSED(limits.circuits = UINT32_MAX);
#undef REFUSED
	good.inner4_enabled = good.inner6_enabled = false;
	assert_int_equal(relay_engine_new(&good, &e), -EINVAL);
	relay_engine_free(NULL);
}

/* A full cache of answers lets the oldest go. */
static void test_answers_bounded(void **state)
{
	struct answers as = { .max = 2 };
	uint8_t digest[DIGEST_LEN] = { 0 }, msg[CTRL_MSG_LEN] = { 0 };
	const uint8_t *got;

	(void)state;
	for (uint64_t i = 0; i < 3; i++) {
		struct side_key key = { in6addr_any, i };

		answers_put(&as, &key, digest, msg, 100 + i);
	}
	for (uint64_t i = 0; i < 3; i++) {
		struct side_key key = { in6addr_any, i };

		assert_int_equal(answers_find(&as, &key, &got) != NULL, i > 0);
	}
	answers_tick(&as, 101 + ANSWER_KEEP_MS);
	assert_int_equal(as.n, 1);
	answers_release(&as);
	assert_int_equal(as.n, 0);
}

/* The heap. */
static void test_timers(void **state)
{
	enum { N = 1000 };
	static struct timer t[N];
	struct timers ts = { 0 };
	uint64_t seed = 7, last = 0;
	struct rng rng = { fix_fill, &seed };
	const struct timer *got;
	size_t n = 0;

	(void)state;
	assert_true(timers_next(&ts) == UINT64_MAX);
	for (int i = 0; i < N; i++)
		assert_int_equal(timers_set(&ts, &t[i], rng_below(&rng, 5000)), 0);
	for (int i = 0; i < N; i += 3)
		assert_int_equal(timers_set(&ts, &t[i], rng_below(&rng, 5000)), 0);
	for (int i = 0; i < N; i += 5)
		timers_unset(&ts, &t[i]);
	timers_unset(&ts, &t[0]);
	while ((got = timers_take(&ts, 10000))) {
		assert_true(got->due >= last);
		last = got->due;
		n++;
	}
	assert_int_equal(n, N - N / 5);
	timers_set(&ts, &t[0], 10);
	assert_null(timers_take(&ts, 9));
	assert_ptr_equal(timers_take(&ts, 10), &t[0]);
	timers_release(&ts);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_exit_circuit),
		T(test_extend_circuit),
		T(test_client_circuits_share_address),
		T(test_wants_link_once),
		T(test_link_cannot_be_had),
		T(test_create_retransmission_and_timeout),
		T(test_extend_timeout_is_bounded),
		T(test_same_answer_again),
		T(test_same_refusal_again),
		T(test_other_bytes_same_handle),
		T(test_replay),
		T(test_refused_is_not_remembered),
		T(test_replay_after_restart),
		T(test_forgery_does_not_spend_ephemeral),
		T(test_onion_keys_change),
		T(test_onion_key_wiped_meanwhile),
		T(test_refused_unopened),
		T(test_refused_opened),
		T(test_bad_payload_is_sealed),
		T(test_not_exit),
		T(test_strangers),
		T(test_other_neighbour_cannot_touch),
		T(test_operator_closes),
		T(test_drain),
		T(test_drain_is_not_for_ever),
		T(test_limit_half_open),
		T(test_limit_half_open_per_link),
		T(test_limit_client_share_of_next),
		T(test_limit_circuits),
		T(test_limit_rate),
		T(test_limit_replay_cache),
		T(test_clients_cannot_fill_replay_cache),
		T(test_forgetting_fills_no_bucket),
		T(test_inner4_pool),
		T(test_inner4_rest),
		T(test_next_refuses),
		T(test_next_lies),
		T(test_install_fails),
		T(test_destroy_from_prev),
		T(test_destroy_from_next),
		T(test_destroy_half_open),
		T(test_destroy_is_repeated),
		T(test_expiry),
		T(test_sa_gone),
		T(test_sa_gone_while_building),
		T(test_numbers_rise),
		T(test_link_returns_within_grace),
		T(test_link_lost),
		T(test_half_open_does_not_wait_for_link),
		T(test_link_returns_under_another_number),
		T(test_restore),
		T(test_restored_links_stay_down),
		T(test_restore_refuses),
		T(test_config),
		cmocka_unit_test(test_answers_bounded),
		cmocka_unit_test(test_timers),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
