/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The relay engine under an arbitrary sequence of events: raw datagrams, well-sealed CREATEs with an arbitrary payload,
 * answers and DESTROYs under handles that are in use, links, time, results of the kernel. Each input is a program:
 * one byte of operation, then its operands. After it the model of the kernel must agree with the engine: every INSTALL
 * was answered or removed, nothing was removed twice, and at the end of time nothing is left.
 */
#include <stdlib.h>

#include "tests/circuit_fixture.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define KERNEL_MAX 64
#define HANDLES 8

struct world {
	struct relay_engine *e;
	uint64_t now_ms, now_s;
	uint32_t pending[KERNEL_MAX]; /* numbers whose installation is to be reported */
	size_t n_pending;
	uint32_t live[KERNEL_MAX];
	size_t n_live;
	uint64_t to_next[HANDLES]; /* handles of CREATEs that went to the next relay */
	size_t n_to_next;
	struct rng rng;
	uint64_t seed;
};

static struct fix_relay own, prev, next;

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
	fix_relay_make(&own, 0);
	fix_relay_make(&prev, 1);
	fix_relay_make(&next, 2);
	return 0;
}

static bool take_out(uint32_t *v, size_t *n, uint32_t number)
{
	for (size_t i = 0; i < *n; i++) {
		if (v[i] == number) {
			v[i] = v[--*n];
			return true;
		}
	}
	return false;
}

static void carry_out(struct world *w, struct actions *as)
{
	for (size_t i = 0; i < as->n; i++) {
		const struct action *a = &as->v[i];
		struct ctrl_msg m;

		switch (a->type) {
		case ACTION_SEND:
			require(ctrl_decode(a->msg, CTRL_MSG_LEN, &m) == 0);
			if (m.type == CTRL_CREATE && IN6_ARE_ADDR_EQUAL(&a->peer, &next.addr))
				w->to_next[w->n_to_next++ % HANDLES] = m.handle;
			break;
		case ACTION_RELAY_INSTALL:
			require(a->keys && w->n_pending < KERNEL_MAX);
			w->pending[w->n_pending++] = a->relay.number;
			break;
		case ACTION_RELAY_REMOVE:
			require(take_out(w->pending, &w->n_pending, a->relay.number) ||
				take_out(w->live, &w->n_live, a->relay.number));
			break;
		case ACTION_RELAY_REMEMBER:
			require(a->seen.expires > w->now_s);
			break;
		default:
			require(a->type == ACTION_WANT_LINK);
			break;
		}
	}
	actions_clear(as);
}

static struct link link_of(uint8_t which)
{
	switch (which % 3) {
	case 0:
		return fix_link(&own, &prev, 2);
	case 1:
		return fix_link(&own, &next, which & 0x40 ? 4 : 3);
	default:
		return fix_clients(&own);
	}
}

static void feed(struct world *w, uint8_t which, const uint8_t *msg, size_t len)
{
	struct link l = link_of(which);
	struct in6_addr from = which % 3 == 2 ? fix_client_addr(&own, which >> 5) : l.remote;
	struct actions out = { 0 };

	relay_engine_message(w->e, w->now_ms, w->now_s, &l, &from, msg, len, &out);
	carry_out(w, &out);
}

static void raw(struct world *w, uint8_t which, struct reader *r)
{
	uint8_t msg[CTRL_MSG_LEN] = { CTRL_VERSION };
	size_t len = read_u8(r);
	const uint8_t *p = read_view(r, len);

	if (p)
		memcpy(msg + 1, p, len);
	feed(w, which, msg, sizeof(msg));
}

static void sealed_create(struct world *w, uint8_t which, struct reader *r)
{
	uint8_t body[CTRL_CREATE_BODY_MAX], msg[CTRL_MSG_LEN];
	struct ctrl_msg m = { .type = CTRL_CREATE, .handle = read_u8(r) };
	struct noise *n = NULL;
	size_t len = read_u8(r);
	const uint8_t *plain = read_view(r, len);
	struct writer wr = writer_of(body, sizeof(body));

	if (!plain)
		return;
	require(handshake_initiator(&own.desc, &w->rng, &n) == 0);
	write_u32(&wr, own.desc.onion_key_id);
	require(noise_write(n, plain, len, body + wr.len, wr.cap - wr.len, &len) == 0);
	noise_free(n);
	m.create = (struct ctrl_view){ body, wr.len + len };
	require(ctrl_encode(&m, msg) == 0);
	feed(w, which, msg, sizeof(msg));
}

static void good_create(struct world *w, uint8_t which, struct reader *r)
{
	static const uint8_t inner[CTRL_CREATE_BODY_MIN];
	struct ctrl_offer o = fix_exit_offer();
	uint8_t msg[CTRL_MSG_LEN], kind = read_u8(r);
	struct noise *n = NULL;

	o.expires = w->now_s + 60;
	o.wait_ms = (uint16_t)(kind * 64);
	o.next = next.desc.id;
	o.body = (struct ctrl_view){ inner, sizeof(inner) };
	o.kind = kind & 1 ? CTRL_KIND_EXTEND : CTRL_KIND_EXIT;
	fix_create(&own, &o, read_u8(r), &w->rng, msg, &n);
	noise_free(n);
	feed(w, which, msg, sizeof(msg));
	if (kind & 2)
		feed(w, which, msg, sizeof(msg));
}

static void answer(struct world *w, struct reader *r)
{
	static const uint8_t body[200];
	struct ctrl_msg m = { .type = CTRL_CREATED };
	uint8_t msg[CTRL_MSG_LEN], how = read_u8(r);

	m.handle = w->to_next[how % HANDLES];
	if (how & 0x80)
		m.type = how & 0x40 ? CTRL_DESTROY_ACK : CTRL_DESTROY;
	if (m.type == CTRL_CREATED) {
		m.created.status = how & 0x40 ? how >> 4 : CTRL_OK;
		m.created.a = overlay_addr(&next.addr, 9, read_u8(r));
		m.created.body = (struct ctrl_view){ body, read_u8(r) % sizeof(body) };
	} else {
		m.destroy.by_creator = how & 0x20;
	}
	require(ctrl_encode(&m, msg) == 0);
	feed(w, how & 0x10 ? 0x41 : 1, msg, sizeof(msg));
}

static void destroy(struct world *w, uint8_t which, struct reader *r)
{
	struct ctrl_msg m = { .type = CTRL_DESTROY, .handle = read_u8(r) };
	uint8_t msg[CTRL_MSG_LEN];

	m.destroy.by_creator = true;
	require(ctrl_encode(&m, msg) == 0);
	feed(w, which, msg, sizeof(msg));
}

static void report(struct world *w, uint8_t how)
{
	struct actions out = { 0 };
	uint32_t number;

	if (w->n_pending == 0)
		return;
	number = w->pending[how % w->n_pending];
	take_out(w->pending, &w->n_pending, number);
	if (!(how & 0x80))
		w->live[w->n_live++] = number;
	relay_engine_installed(w->e, w->now_ms, number, how & 0x80 ? -17 : 0, &out);
	carry_out(w, &out);
}

static void pass(struct world *w, uint64_t ms)
{
	struct actions out = { 0 };
	uint64_t due;

	w->now_ms += ms;
	w->now_s += ms / 1000;
	relay_engine_tick(w->e, w->now_ms, w->now_s, &out, &due);
	require(due > w->now_ms);
	carry_out(w, &out);
}

static void link_event(struct world *w, uint8_t which, bool up)
{
	struct link l = link_of(which);
	struct actions out = { 0 };

	if (up)
		relay_engine_link_up(w->e, w->now_ms, &l, &out);
	else
		relay_engine_link_down(w->e, w->now_ms, &l.peer, &out);
	carry_out(w, &out);
}

static void step(struct world *w, struct reader *r)
{
	uint8_t op = read_u8(r), arg = read_u8(r);

	switch (op % 9) {
	case 0:
		raw(w, arg, r);
		break;
	case 1:
		sealed_create(w, arg, r);
		break;
	case 2:
		good_create(w, arg, r);
		break;
	case 3:
		answer(w, r);
		break;
	case 4:
		destroy(w, arg, r);
		break;
	case 5:
		report(w, arg);
		break;
	case 6:
		pass(w, (uint64_t)arg * arg * 4);
		break;
	case 7:
		link_event(w, arg, true);
		break;
	default:
		link_event(w, arg, false);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world w = { .now_ms = FIX_NOW_MS, .now_s = FIX_NOW_S };
	struct reader r = reader_of(data, size);
	struct relay_engine_config conf;

	w.rng = (struct rng){ fix_fill, &w.seed };
	conf = fix_config(&own, &w.rng);
	conf.limits.circuits = KERNEL_MAX - 1;
	conf.limits.half_open = 8;
	conf.limits.replay_entries = 64;
	conf.inner4.len = 28;
	require(relay_engine_new(&conf, &w.e) == 0);
	for (int i = 0; i < 200 && r.left > 0; i++)
		step(&w, &r);
	require(relay_engine_counters(w.e)->circuits >= w.n_live + w.n_pending);
	pass(&w, 3 * 7200 * 1000u);
	pass(&w, 3 * 7200 * 1000u);
	require(w.n_live == 0 && w.n_pending == 0 && relay_engine_counters(w.e)->circuits == 0 &&
		relay_engine_counters(w.e)->half_open == 0);
	relay_engine_free(w.e);
	return 0;
}
