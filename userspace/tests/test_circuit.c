/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Originators and relay engines joined by a network in memory that may lose, repeat and reorder datagrams. Nobody
 * plays a part here: what one engine asks for is carried out, and the keys of both ends of each layer are compared.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/circuit_fixture.h"

#define RELAYS HOPS_MAX
#define CLIENTS 4
#define INSTALLED_MAX 256
#define QUEUE_MAX 4096

/* What one relay has in its kernel. */
struct installed {
	bool used;
	struct relay_circuit c;
	struct layer_keys keys; /* a copy for the comparison only */
};

struct packet {
	int to; /* relay, or RELAYS + client */
	struct in6_addr from;
	uint8_t msg[CTRL_MSG_LEN];
};

struct client {
	struct origin *o;
	bool installed;
	struct layer_keys keys[HOPS_MAX];
};

struct world {
	struct fix_relay r[RELAYS];
	struct relay_engine *e[RELAYS];
	struct installed kernel[RELAYS][INSTALLED_MAX];
	struct client c[CLIENTS];
	struct rng rng;
	uint64_t seed;
	uint64_t now_ms, now_s;
	struct packet *queue;
	size_t n_queue;
	uint32_t loss, repeat; /* percent */
	int install_fails_at;  /* relay, or -1 */
	int link_fails_to;     /* relay, or -1 */
	int deaf;	       /* relay that gets nothing, or -1 */
	size_t sent;
};

static void carry_out(struct world *w, int at, struct actions *as);

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	w->queue = calloc(QUEUE_MAX, sizeof(*w->queue));
	w->rng = (struct rng){ fix_fill, &w->seed };
	w->now_ms = FIX_NOW_MS;
	w->now_s = FIX_NOW_S;
	w->install_fails_at = w->link_fails_to = w->deaf = -1;
	for (uint8_t i = 0; i < RELAYS; i++) {
		struct relay_engine_config conf;

		fix_relay_make(&w->r[i], i);
		conf = fix_config(&w->r[i], &w->rng);
		assert_int_equal(relay_engine_new(&conf, &w->e[i]), 0);
	}
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	for (int i = 0; i < RELAYS; i++) {
		relay_engine_free(w->e[i]);
		fix_relay_free(&w->r[i]);
	}
	for (int i = 0; i < CLIENTS; i++)
		origin_free(w->c[i].o);
	free(w->queue);
	free(w);
	return 0;
}

/* The network. */

static uint16_t number_of(int relay)
{
	return (uint16_t)(LINK_FIRST + relay);
}

static int node_of(const struct world *w, const struct in6_addr *a)
{
	for (int i = 0; i < RELAYS; i++)
		if (IN6_ARE_ADDR_EQUAL(&w->r[i].addr, a))
			return i;
	return RELAYS + (a->s6_addr[15] & 0xf);
}

static void enqueue(struct world *w, int at, const struct action *a)
{
	struct packet *p = &w->queue[w->n_queue];

	assert_true(w->n_queue < QUEUE_MAX);
	w->sent++;
	if (rng_below(&w->rng, 100) < w->loss)
		return;
	p->to = node_of(w, &a->peer);
	p->from = at < RELAYS ? w->r[at].addr : fix_client_addr(&w->r[0], (uint32_t)(at - RELAYS));
	memcpy(p->msg, a->msg, CTRL_MSG_LEN);
	w->n_queue++;
	if (at < RELAYS && p->to < RELAYS)
		assert_int_equal(a->link, number_of(p->to));
	if (rng_below(&w->rng, 100) < w->repeat)
		enqueue(w, at, a);
}

static void bring_up(struct world *w, int at, const struct relay_id *to)
{
	struct in6_addr addr = overlay_relay(to);
	int peer = node_of(w, &addr);
	struct actions out = { 0 }, out2 = { 0 };
	struct link l;

	if (peer == w->link_fails_to && at < RELAYS) {
		relay_engine_link_down(w->e[at], w->now_ms, to, &out);
		carry_out(w, at, &out);
		return;
	}
	if (at >= RELAYS) {
		l = fix_guard_link(&w->r[peer], (uint32_t)(at - RELAYS));
		l.mtu = 1500; /* enough for five layers and IPv6 */
		origin_link_up(w->c[at - RELAYS].o, w->now_ms, &l, &out);
		carry_out(w, at, &out);
		return;
	}
	l = fix_link(&w->r[at], &w->r[peer], number_of(peer));
	l.mtu = 1500;
	relay_engine_link_up(w->e[at], w->now_ms, &l, &out);
	l = fix_link(&w->r[peer], &w->r[at], number_of(at));
	l.mtu = 1500;
	relay_engine_link_up(w->e[peer], w->now_ms, &l, &out2);
	carry_out(w, at, &out);
	carry_out(w, peer, &out2);
}

static void relay_install(struct world *w, int at, const struct action *a)
{
	struct actions out = { 0 };
	struct installed *k = &w->kernel[at][a->relay.number % INSTALLED_MAX];
	int error = w->install_fails_at == at ? -ENOBUFS : 0;

	if (error == 0) {
		assert_false(k->used);
		*k = (struct installed){ true, a->relay, *a->keys };
	}
	relay_engine_installed(w->e[at], w->now_ms, a->relay.number, error, &out);
	carry_out(w, at, &out);
}

static void origin_action(struct world *w, int client, const struct action *a)
{
	struct client *c = &w->c[client];
	struct actions out = { 0 };

	if (a->type == ACTION_ORIGIN_INSTALL) {
		memcpy(c->keys, a->keys, origin_circuit(c->o)->n_layers * sizeof(c->keys[0]));
		c->installed = true;
		origin_installed(c->o, w->now_ms, 0, &out);
	} else if (a->type == ACTION_ORIGIN_PROBE) {
		origin_echo(c->o, w->now_ms, 10, &out);
	}
	carry_out(w, RELAYS + client, &out);
}

/* Carry out what node `at` asks for, in order; what that leads to at once comes after. */
static void carry_out(struct world *w, int at, struct actions *as)
{
	for (size_t i = 0; i < as->n; i++) {
		const struct action *a = &as->v[i];

		switch (a->type) {
		case ACTION_SEND:
			enqueue(w, at, a);
			break;
		case ACTION_WANT_LINK:
			bring_up(w, at, &a->relay_id);
			break;
		case ACTION_RELAY_INSTALL:
			relay_install(w, at, a);
			break;
		case ACTION_RELAY_REMOVE:
			assert_true(w->kernel[at][a->relay.number % INSTALLED_MAX].used);
			w->kernel[at][a->relay.number % INSTALLED_MAX].used = false;
			break;
		default:
			if (at >= RELAYS && w->c[at - RELAYS].o)
				origin_action(w, at - RELAYS, a);
			break;
		}
	}
	actions_clear(as);
}

static void deliver(struct world *w, const struct packet *p)
{
	struct actions out = { 0 };
	int from = node_of(w, &p->from);
	struct link l;

	if (p->to == w->deaf)
		return;
	if (p->to >= RELAYS) {
		if (w->c[p->to - RELAYS].o)
			origin_message(w->c[p->to - RELAYS].o, w->now_ms, p->msg, CTRL_MSG_LEN, &out);
	} else {
		l = from < RELAYS ? fix_link(&w->r[p->to], &w->r[from], number_of(from)) : fix_clients(&w->r[p->to]);
		l.mtu = 1500;
		relay_engine_message(w->e[p->to], w->now_ms, w->now_s, &l, &p->from, p->msg, CTRL_MSG_LEN, &out);
	}
	carry_out(w, p->to, &out);
}

/* Deliver everything under way, in random order. */
static void settle(struct world *w)
{
	while (w->n_queue > 0) {
		size_t i = rng_below(&w->rng, (uint32_t)w->n_queue);
		struct packet p = w->queue[i];

		w->queue[i] = w->queue[--w->n_queue];
		deliver(w, &p);
	}
}

static void advance(struct world *w, uint64_t ms)
{
	w->now_ms += ms;
	w->now_s = FIX_NOW_S + (w->now_ms - FIX_NOW_MS) / 1000;
	for (int i = 0; i < RELAYS + CLIENTS; i++) {
		struct actions out = { 0 };
		uint64_t next;

		if (i < RELAYS)
			relay_engine_tick(w->e[i], w->now_ms, w->now_s, &out, &next);
		else if (w->c[i - RELAYS].o)
			origin_tick(w->c[i - RELAYS].o, w->now_ms, w->now_s, &out, &next);
		carry_out(w, i, &out);
	}
	settle(w);
}

static void start(struct world *w, int client, size_t hops)
{
	struct relay path[HOPS_MAX];
	struct origin_config conf = { .slot = (uint32_t)client,
				      .path = path,
				      .n_hops = hops,
				      .want4 = true,
				      .want6 = hops < 5,
				      .suite = SUITE_AES128_GCM_16,
				      .suite_beet = SUITE_AES128_GCM_8,
				      .timing = origin_timing_default,
				      .rng = &w->rng };
	struct actions out = { 0 };

	for (size_t i = 0; i < hops; i++)
		path[i] = w->r[i].desc;
	assert_int_equal(origin_new(&conf, w->now_ms, w->now_s, &out, &w->c[client].o), 0);
	carry_out(w, RELAYS + client, &out);
}

static const struct origin_state *state_of(const struct world *w, int client)
{
	return origin_state(w->c[client].o);
}

static void assert_nothing_left(const struct world *w)
{
	for (int i = 0; i < RELAYS; i++) {
		assert_int_equal(relay_engine_counters(w->e[i])->circuits, 0);
		assert_int_equal(relay_engine_counters(w->e[i])->half_open, 0);
		for (int k = 0; k < INSTALLED_MAX; k++)
			assert_false(w->kernel[i][k].used);
	}
}

static const struct installed *installed_with(const struct world *w, int relay, uint32_t spi_fwd)
{
	for (int k = 0; k < INSTALLED_MAX; k++)
		if (w->kernel[relay][k].used && w->kernel[relay][k].c.layer.spi_fwd == spi_fwd)
			return &w->kernel[relay][k];
	return NULL;
}

/* Each layer is the same at both ends, and each relay knows the next layer's ends and no more. */
static void assert_agree(const struct world *w, int client)
{
	const struct origin_circuit *c = origin_circuit(w->c[client].o);

	for (size_t i = 0; i < c->n_layers; i++) {
		const struct installed *k = installed_with(w, (int)i, c->layers[i].spi_fwd);
		bool last = i + 1 == c->n_layers;

		assert_non_null(k);
		assert_memory_equal(&k->c.layer, &c->layers[i], sizeof(k->c.layer));
		assert_memory_equal(&k->keys, &w->c[client].keys[i], sizeof(k->keys));
		assert_int_equal(k->c.exit, last);
		if (!last) {
			assert_memory_equal(&k->c.next_a, &c->layers[i + 1].a, 16);
			assert_memory_equal(&k->c.next_o, &c->layers[i + 1].o, 16);
		} else {
			assert_int_equal(k->c.inner.addr4.s_addr, c->inner.addr4.s_addr);
			assert_memory_equal(&k->c.inner.addr6, &c->inner.addr6, 16);
		}
	}
	for (size_t i = 1; i < c->n_layers; i++)
		assert_memory_not_equal(&w->c[client].keys[i - 1], &w->c[client].keys[i], SUITE_KEY_MAX);
}

static void close_client(struct world *w, int client)
{
	struct actions out = { 0 };

	origin_close(w->c[client].o, w->now_ms, &out);
	carry_out(w, RELAYS + client, &out);
	origin_free(w->c[client].o);
	w->c[client].o = NULL;
}

static void test_one_to_five_hops(void **state)
{
	struct world *w = *state;

	for (size_t hops = 1; hops <= HOPS_MAX; hops++) {
		size_t before = w->sent;

		start(w, 0, hops);
		settle(w);
		assert_int_equal(state_of(w, 0)->phase, ORIGIN_OPEN);
		assert_int_equal(w->sent - before, 2 * hops); /* one round trip for the whole circuit */
		assert_agree(w, 0);
		close_client(w, 0);
		settle(w);
		assert_nothing_left(w);
		advance(w, 1000);
	}
}

static void test_clients_side_by_side(void **state)
{
	struct world *w = *state;

	for (int i = 0; i < CLIENTS; i++)
		start(w, i, 3);
	settle(w);
	for (int i = 0; i < CLIENTS; i++) {
		assert_int_equal(state_of(w, i)->phase, ORIGIN_OPEN);
		assert_agree(w, i);
	}
	assert_int_equal(relay_engine_counters(w->e[2])->circuits, CLIENTS);
	close_client(w, 1);
	settle(w);
	assert_agree(w, 0);
	assert_agree(w, 2);
	assert_int_equal(relay_engine_counters(w->e[2])->circuits, CLIENTS - 1);
}

static void run_until_settled(struct world *w, int client)
{
	for (int i = 0; i < 200; i++) {
		if (state_of(w, client)->phase == ORIGIN_OPEN || state_of(w, client)->phase == ORIGIN_FAILED)
			return;
		advance(w, 250);
	}
	fail_msg("neither open nor failed after 50 s");
}

/* Loss, repetition and reordering: it opens and both ends agree, or fails; and nothing stays behind. */
static void test_bad_network(void **state)
{
	struct world *w = *state;
	int opened = 0;

	for (int round = 0; round < 60; round++) {
		w->loss = 20;
		w->repeat = 30;
		start(w, 0, 1 + (size_t)round % HOPS_MAX);
		settle(w);
		run_until_settled(w, 0);
		if (state_of(w, 0)->phase == ORIGIN_OPEN) {
			opened++;
			assert_agree(w, 0);
		}
		w->loss = 0; /* our own DESTROY goes out once; what relays say to each other is repeated */
		close_client(w, 0);
		settle(w);
		for (int i = 0; i < 10; i++)
			advance(w, 2000);
	}
	assert_true(opened > 50);
	for (int i = 0; i < 4; i++) /* a DESTROY of ours can come before the CREATE that it is for */
		advance(w, 1800 * 1000u);
	assert_nothing_left(w);
}

/* Everything lost that a relay could tell: the circuit ends where it said it would. */
static void test_expires_everywhere(void **state)
{
	struct world *w = *state;

	start(w, 0, 3);
	settle(w);
	w->loss = 100;
	close_client(w, 0);
	advance(w, 3600 * 1000u);
	assert_nothing_left(w);
}

static void test_destroy_travels_to_the_end(void **state)
{
	struct world *w = *state;
	struct actions out = { 0 };
	const struct installed *k;

	start(w, 0, 3);
	settle(w);
	k = installed_with(w, 1, origin_circuit(w->c[0].o)->layers[1].spi_fwd);
	relay_engine_sa_gone(w->e[1], w->now_ms, k->c.number, k->c.layer.spi_fwd, &out); /* the middle lost it */
	carry_out(w, 1, &out);
	settle(w);
	assert_int_equal(state_of(w, 0)->phase, ORIGIN_FAILED);
	assert_int_equal(state_of(w, 0)->failure, ORIGIN_DESTROYED);
	assert_nothing_left(w);
}

static void expect_refusal(struct world *w, unsigned int hop, uint8_t status)
{
	assert_int_equal(state_of(w, 0)->phase, ORIGIN_FAILED);
	assert_int_equal(state_of(w, 0)->failure, ORIGIN_REFUSED);
	assert_int_equal(state_of(w, 0)->hop, hop);
	assert_int_equal(state_of(w, 0)->status, status);
	for (int i = 0; i < 10; i++)
		advance(w, 1000);
	assert_nothing_left(w);
	origin_free(w->c[0].o);
	w->c[0].o = NULL;
}

/* Whichever hop fails, the originator learns which and why, and nothing stays behind. */
static void test_failing_hop_is_named(void **state)
{
	struct world *w = *state;

	for (int hop = 0; hop < 4; hop++) {
		w->install_fails_at = hop;
		start(w, 0, 4);
		settle(w);
		expect_refusal(w, (unsigned int)hop + 1, CTRL_NO_RESOURCES);
	}
	w->install_fails_at = -1;
	for (int hop = 1; hop < 4; hop++) {
		w->r[hop].desc.onion_key_id++; /* the originator's network file is old */
		start(w, 0, 4);
		w->r[hop].desc.onion_key_id--;
		settle(w);
		expect_refusal(w, (unsigned int)hop + 1, CTRL_UNKNOWN_KEY);
	}
	for (int hop = 1; hop < 4; hop++) {
		w->r[hop].desc.onion_key[0] ^= 1;
		start(w, 0, 4);
		w->r[hop].desc.onion_key[0] ^= 1;
		settle(w);
		expect_refusal(w, (unsigned int)hop + 1, CTRL_DECRYPT);
	}
}

static void test_unreachable_hop_is_named(void **state)
{
	struct world *w = *state;

	w->link_fails_to = 2;
	start(w, 0, 4);
	settle(w);
	expect_refusal(w, 3, CTRL_NEXT_UNREACHABLE);
}

/* A relay that hangs is named by the one before it, although every relay before that waits too. */
static void test_silent_hop_is_named(void **state)
{
	struct world *w = *state;

	for (int hop = 1; hop < 4; hop++) {
		w->deaf = hop;
		start(w, 0, 4);
		settle(w);
		run_until_settled(w, 0);
		w->deaf = -1;
		expect_refusal(w, (unsigned int)hop + 1, CTRL_NEXT_TIMEOUT);
	}
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_one_to_five_hops),	  T(test_clients_side_by_side),	      T(test_bad_network),
		T(test_expires_everywhere),	  T(test_destroy_travels_to_the_end), T(test_failing_hop_is_named),
		T(test_unreachable_hop_is_named), T(test_silent_hop_is_named),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
