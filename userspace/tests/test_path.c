/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Paths as a client draws them, with a sample of guards; what somebody gets who makes relays fail; and named paths. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/base64.h"
#include "lib/cleanup.h"
#include "model/prefix.h"
#include "path/need.h"
#include "path/path.h"
#include "tests/chance.h"

#define D0 (20000 * GUARDS_DAY)

static uint64_t seed;
static const struct rng rng = { chance_fill, &seed };

struct world {
	struct network net;
	struct path_wheel *wheel;
	struct guards g;
	struct path_wish wish, always;
	struct path_request req;
	struct path_answer a;
	struct error err;
};

/* Where a relay is. */
struct place {
	uint8_t net, family; /* 0: of its own, of none */
	const char *country;
};

/* roles: one character a relay: g guard, e exit, b both, m neither. Names: r0, r1, ... */
static void make(struct world *w, const char *roles, const struct place *at)
{
	size_t n = strlen(roles);
	struct path_relays r;

	seed = 88172645463325252u;
	*w = (struct world){ .net = { .n_relays = n }, .wish = { .hops = 3, .may = PATH_FAMILIES_ALIKE } };
	w->net.relays = calloc(n + 1, sizeof(*w->net.relays));
	w->net.traits = calloc(n + 1, sizeof(*w->net.traits));
	w->net.weights = calloc(n + 1, sizeof(*w->net.weights));
	for (size_t i = 0; i < n; i++) {
		struct relay *relay = &w->net.relays[i];
		uint8_t family = at ? at[i].family : 0;

		snprintf(relay->name, RELAY_NAME_MAX, "r%zu", i);
		memcpy(relay->id.b, &i, sizeof(i));
		relay->addr4.s_addr = htonl(0x0b000000u + (uint32_t)((at && at[i].net ? 5000u + at[i].net : i) << 16));
		relay->guard = roles[i] == 'g' || roles[i] == 'b';
		relay->exit = roles[i] == 'e' || roles[i] == 'b';
		w->net.weights[i] = 1;
		w->net.traits[i].n_families = family ? 1 : 0;
		w->net.traits[i].families[0][0] = family;
		if (at && at[i].country)
			memcpy(w->net.traits[i].country, at[i].country, 3);
	}
	r = (struct path_relays){ n, w->net.relays, w->net.traits, w->net.weights };
	assert_int_equal(path_wheel_new(&r, &w->wheel), 0);
	w->req = (struct path_request){ .wish = &w->wish, .always = &w->always, .date = D0 };
	path_guards_refresh(w->wheel, &w->g, &w->always, &rng, D0);
}

static void unmake(struct world *w)
{
	path_wheel_free(w->wheel);
	free(w->net.relays);
	free(w->net.traits);
	free(w->net.weights);
}

static int draw(struct world *w)
{
	return path_draw(w->wheel, &w->g, &w->req, &rng, &w->a, &w->err);
}

static size_t drawn(struct world *w)
{
	if (draw(w) < 0)
		fail_msg("%s", w->err.text);
	return w->a.choice.index[0];
}

static void failed(struct world *w, size_t i)
{
	guards_failed(&w->g, &w->net.relays[i].id, w->req.now);
}

/* One guard for all paths; it dies, the next comes at once; it is back, it is used again. */
static void guard_stays(void **state)
{
	struct world w;
	unsigned int exits = 0, middles = 0;
	size_t first, second;

	(void)state;
	make(&w, "ggggggggggmmmmmeeeee", NULL);
	assert_int_equal(w.g.n, GUARDS_SAMPLE);
	first = drawn(&w);
	for (int i = 0; i < 300; i++) {
		assert_int_equal(drawn(&w), first);
		assert_int_equal(w.a.choice.alike, PATH_APART);
		middles |= 1u << w.a.choice.index[1];
		exits |= 1u << w.a.choice.index[2];
	}
	assert_int_equal(exits, 0x1fu << 15);
	assert_int_equal(middles, 0x7fff & ~(1u << first)); /* exits are scarce here */
	guards_worked(&w.g, &w.net.relays[first].id, &rng, D0);
	w.req.now = 100;
	failed(&w, first);
	second = drawn(&w);
	assert_int_not_equal(second, first);
	w.req.now = 129;
	assert_int_equal(drawn(&w), second);
	w.req.now = 130;
	assert_int_equal(drawn(&w), first);
	unmake(&w);
}

/* Somebody has every relay fail that is not his, as a middle and as an exit: the guards stay where they are. */
static void attacker_kills_the_rest(void **state)
{
	struct relay_id suspects[20];
	struct world w;
	size_t first;

	(void)state;
	make(&w, "ggggggggggmmmmmeeeee", NULL);
	first = drawn(&w);
	for (size_t i = 0; i < 20; i++)
		suspects[i] = w.net.relays[i].id; /* the guard among them */
	w.req.suspects = suspects;
	for (w.req.n_suspects = 1; w.req.n_suspects <= 20; w.req.n_suspects++)
		for (int i = 0; i < 20; i++) {
			bool too_many = w.req.n_suspects >= 19; /* a middle and an exit have to be left */

			assert_int_equal(drawn(&w), first);
			assert_int_equal(w.a.forgiven, too_many);
			for (size_t k = 1; k < 3 && !too_many; k++)
				assert_true(w.a.choice.index[k] >= w.req.n_suspects);
			w.req.now++;
		}
	assert_int_equal(w.g.n, GUARDS_SAMPLE);
	unmake(&w);
}

/* All guards fail: it is waited for, nobody else comes; and where none is, it is said. */
static void waits(void **state)
{
	struct world w;

	(void)state;
	make(&w, "ggmme", NULL);
	failed(&w, 0);
	failed(&w, 1);
	assert_int_equal(draw(&w), -EAGAIN);
	assert_int_equal(w.a.wait, 30);
	assert_string_equal(w.err.text, "every guard that may be tried failed lately");
	guards_forget_failures(&w.g);
	assert_true(drawn(&w) < 2);
	unmake(&w);
	make(&w, "mmmee", NULL);
	assert_int_equal(draw(&w), -ENOENT);
	assert_string_equal(w.err.text, "no guard fits: 0 relays can be one");
	unmake(&w);
	make(&w, "gme", NULL);
	w.wish.hops = 4;
	assert_int_equal(draw(&w), -ENOENT);
	assert_string_equal(w.err.text, "4 hops need as many relays, but only 3 are usable");
	unmake(&w);
}

/* Three relays in one network, as on somebody's table: two ways, and the guard that is the one exit is none here. */
static void small(void **state)
{
	static const struct place table[] = { { 1, 0, NULL }, { 1, 0, NULL }, { 1, 0, NULL } };
	struct relay_id left[2];
	struct world w;
	size_t first;

	(void)state;
	for (int k = 0; k < 20; k++) {
		make(&w, "ggb", table);
		seed += (uint64_t)k;
		first = drawn(&w);
		assert_true(first < 2 && w.a.choice.index[1] == 1 - first && w.a.choice.index[2] == 2);
		assert_int_equal(w.a.choice.alike, PATH_NETWORKS_ALIKE);
		failed(&w, first);
		assert_int_equal(drawn(&w), 1 - first);
		failed(&w, 1 - first);
		assert_int_equal(draw(&w), -EAGAIN); /* not the exit */
		/* another path than this there is none */
		guards_forget_failures(&w.g);
		left[0] = w.net.relays[1 - first].id;
		left[1] = w.net.relays[2].id;
		w.req.left = left;
		w.req.n_left = 2;
		assert_int_equal(drawn(&w), first);
		/* one hop: only that one */
		w.wish.hops = 1;
		w.req.n_left = 0;
		assert_int_equal(drawn(&w), 2);
		assert_int_equal(w.a.choice.alike, PATH_APART);
		unmake(&w);
	}
}

/* Another path: by another exit, else by another middle, by the same guard. */
static void elsewhere(void **state)
{
	struct relay_id left[2];
	struct world w;
	size_t first, middle;

	(void)state;
	for (int k = 0; k < 2; k++) {
		make(&w, k ? "gmmme" : "gmmmee", NULL);
		first = drawn(&w);
		for (int i = 0; i < 100; i++) {
			size_t exit = w.a.choice.index[2];

			middle = w.a.choice.index[1];
			left[0] = w.net.relays[middle].id;
			left[1] = w.net.relays[exit].id;
			w.req.left = left;
			w.req.n_left = 2;
			assert_int_equal(drawn(&w), first);
			if (k == 0)
				assert_int_not_equal(w.a.choice.index[2], exit);
			else
				assert_int_not_equal(w.a.choice.index[1], middle);
			assert_false(w.a.forgiven);
		}
		unmake(&w);
	}
}

/* A guard that is the exit's neighbour is passed over, as long as there is another one that is not. */
static void guard_apart_from_exit(void **state)
{
	static const struct place at[] = { { 0, 7, "AT" }, { 0, 7, "AT" }, { 0, 0, "AT" }, { 0, 0, "AT" },
					   { 0, 0, "AT" }, { 0, 0, "AT" }, { 0, 7, "CH" }, { 0, 0, "DE" } };
	static const char ch[][3] = { "CH" };
	struct world w;

	(void)state;
	make(&w, "gggmmmee", at);
	/* so that those of the family come first */
	w.g.n = 3;
	for (size_t i = 0; i < 3; i++)
		w.g.v[i] = (struct guard){ .id = w.net.relays[i].id, .added = D0 };
	assert_int_equal(drawn(&w), 0);
	w.wish.exit_countries = ch;
	w.wish.n_exit_countries = 1;
	for (int i = 0; i < 50; i++) {
		assert_int_equal(drawn(&w), 2);
		assert_int_equal(w.a.choice.alike, PATH_APART);
	}
	/* it is waited for rather than to have one operator at both ends */
	failed(&w, 2);
	assert_int_equal(draw(&w), -EAGAIN);
	/* but where there is no other path at all ... */
	unmake(&w);
	make(&w, "ggmmmmee", at);
	w.wish.exit_countries = ch;
	w.wish.n_exit_countries = 1;
	assert_true(drawn(&w) < 2);
	assert_int_equal(w.a.choice.alike, PATH_FAMILIES_ALIKE);
	/* and never against what is wished */
	w.wish.may = PATH_NETWORKS_ALIKE;
	assert_int_equal(draw(&w), -ENOENT);
	unmake(&w);
}

/* What is wished of all relays: another guard of the sample, else one more; where always, the sample has no other. */
static void wished(void **state)
{
	static const struct place at[] = { { 0, 0, "AT" }, { 0, 0, "AT" }, { 0, 0, "AT" }, { 0, 0, "AT" },
					   { 0, 0, "AT" }, { 0, 0, "AT" }, { 0, 0, "AT" }, { 0, 0, "CH" },
					   { 0, 0, "CH" }, { 0, 0, "CH" } };
	static const char never[][3] = { "AT" };
	struct world w;
	size_t n, k = 0;

	(void)state;
	make(&w, "gggggggbmb", at);
	w.always.never_countries = w.wish.never_countries = never;
	w.wish.n_never_countries = 1;
	/* only those of AT are known */
	for (size_t i = 0; i < GUARDS_SAMPLE; i++)
		w.g.v[i] = (struct guard){ .id = w.net.relays[i].id, .added = D0 };
	n = drawn(&w);
	assert_true(n == 7 || n == 9);
	assert_int_equal(w.g.n, GUARDS_SAMPLE + 1);
	for (int i = 0; i < 50; i++)
		assert_int_equal(drawn(&w), n);
	assert_int_equal(w.g.n, GUARDS_SAMPLE + 1);
	/* who does not wish it has the first as before */
	w.wish.n_never_countries = 0;
	assert_int_equal(drawn(&w), 0);
	/* always: those of AT are guards no more */
	w.always.n_never_countries = 1;
	path_guards_refresh(w.wheel, &w.g, &w.always, &rng, D0);
	assert_int_equal(drawn(&w), n);
	for (size_t i = 0; i < w.g.n; i++)
		k += !w.g.v[i].unlisted;
	assert_int_equal(k, 1);
	unmake(&w);
	/* a full sample that does not suit: said, not replaced */
	make(&w, "gggggggggggggggggggggge", NULL);
	while (w.g.n < GUARDS_MAX)
		for (size_t i = 0; i < 22 && w.g.n < GUARDS_MAX; i++)
			guards_add(&w.g, &w.net.relays[i].id, &rng, D0);
	w.wish.alive_until = 1000;
	for (size_t i = 0; i < w.g.n; i++) {
		memcpy(&n, w.g.v[i].id.b, sizeof(n));
		w.net.traits[n].ends = 999;
	}
	w.wish.hops = 2;
	assert_int_equal(draw(&w), -ENOENT);
	assert_string_equal(w.err.text, "none of the 20 guards that are kept fits");
	unmake(&w);
}

/* ---- named paths ---- */

static void pinned(void **state)
{
	const char *names[HOPS_MAX + 1] = { "r0", "r1", "r2" };
	struct path_pins pins = { names, 3 };
	char id[BASE64_LEN(32)];
	size_t at[HOPS_MAX];
	struct error err;
	struct world w;

	(void)state;
	assert_int_equal(sizeof(id), RELAY_PIN_MAX);
	make(&w, "gmeb", NULL);
	assert_int_equal(path_pin(&w.net, &pins, at, &err), 0);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(at[i], i);
	base64_write(w.net.relays[1].id.b, 32, id);
	names[1] = id;
	assert_int_equal(path_pin(&w.net, &pins, at, &err), 0);
	assert_int_equal(at[1], 1);
	names[2] = "r1";
	assert_int_equal(path_pin(&w.net, &pins, at, &err), -EINVAL);
	assert_string_equal(err.text, "relay r1 stands twice in the path");
	id[0] = id[0] == 'A' ? 'B' : 'A';
	assert_int_equal(path_pin(&w.net, &pins, at, &err), -ENOENT);
	names[1] = "r9";
	assert_int_equal(path_pin(&w.net, &pins, at, &err), -ENOENT);
	assert_string_equal(err.text, "the network has no relay r9");
	names[0] = "r1", names[1] = "r0";
	assert_int_equal(path_pin(&w.net, &pins, at, &err), -EINVAL);
	names[0] = "r1", names[1] = "r0", names[2] = "r2";
	assert_int_equal(path_pin(&w.net, &pins, at, &err), -EINVAL);
	assert_string_equal(err.text, "relay r1 is no guard and cannot be first");
	names[0] = "r0", names[1] = "r2", names[2] = "r1";
	assert_int_equal(path_pin(&w.net, &pins, at, &err), -EINVAL);
	assert_string_equal(err.text, "relay r1 is no exit and cannot be last");
	names[0] = "r3";
	pins.n = 1;
	assert_int_equal(path_pin(&w.net, &pins, at, &err), 0);
	names[0] = "r0";
	assert_int_equal(path_pin(&w.net, &pins, at, &err), -EINVAL);
	pins.n = 0;
	assert_int_equal(path_pin(&w.net, &pins, at, &err), -EINVAL);
	pins.n = HOPS_MAX + 1;
	assert_int_equal(path_pin(&w.net, &pins, at, &err), -EINVAL);
	/* names that a consensus has twice: by their identities */
	memcpy(w.net.relays[1].name, "r3", 3);
	names[0] = "r0", names[1] = "r2", names[2] = "r3";
	pins.n = 3;
	assert_int_equal(path_pin(&w.net, &pins, at, &err), -EINVAL);
	assert_string_equal(err.text, "2 relays are called r3: say which by its identity, see `anonctl relay list`");
	base64_write(w.net.relays[3].id.b, 32, id);
	names[2] = id;
	assert_int_equal(path_pin(&w.net, &pins, at, &err), 0);
	assert_int_equal(at[2], 3);
	unmake(&w);
}

/* ---- what an exit must lead to ---- */

static void needed(const struct selection *sel, const char *want)
{
	struct path_need v[PATH_NEEDS_MAX];
	size_t n = path_needs(sel, v), len = 0;
	char text[512] = "";

	for (size_t i = 0; i < n; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s%d/%u", i ? " " : "",
					v[i].proto == IPPROTO_TCP ? "tcp" : "udp", v[i].six ? 6 : 4, v[i].port);
	assert_string_equal(text, want);
}

static void needs(void **state)
{
	struct prefix p[4];
	struct selection sel = { .prefixes = p, .n = 2 };

	(void)state;
	assert_int_equal(prefix_parse("0.0.0.0/0", &p[0]), 0);
	assert_int_equal(prefix_parse("::/0", &p[1]), 0);
	assert_int_equal(prefix_parse("2001:db8::/32", &p[2]), 0);
	assert_int_equal(prefix_parse("192.168.1.0/24", &p[3]), 0);
	needed(&sel, "tcp4/80 tcp4/443");
	sel.n = 3; /* some of IPv6 is named */
	needed(&sel, "tcp4/80 tcp6/80 tcp4/443 tcp6/443");
	sel.prefixes = p + 1;
	sel.n = 1;
	needed(&sel, "tcp6/80 tcp6/443");
	sel.prefixes = p + 2;
	needed(&sel, "tcp6/80 tcp6/443");
	sel.n = 2;
	sel.lan = true; /* hosts: what they reach is everything */
	needed(&sel, "tcp4/80 tcp4/443");
	sel.n = 1;
	needed(&sel, "tcp6/80 tcp6/443");
	sel = (struct selection){ .prefixes = p, .n = 1, .n_ports = 4 };
	sel.ports[0] = (struct port_range){ IPPROTO_TCP, 22, 22 };
	sel.ports[1] = (struct port_range){ IPPROTO_UDP, 5000, 5010 };
	sel.ports[2] = (struct port_range){ IPPROTO_TCP, 1, 65534 };
	sel.ports[3] = (struct port_range){ IPPROTO_UDP, 1, 65534 };
	needed(&sel, "tcp4/22 udp4/5000 udp4/5010 tcp4/80 tcp4/443 udp4/443");
}

/* ---- how long it takes ---- */

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void quick(void **state)
{
	enum { MANY = 10000, DRAWS = 500 };
	char *roles = calloc(MANY + 1, 1);
	struct world w;
	double t;

	(void)state;
	for (size_t i = 0; i < MANY; i++)
		roles[i] = i % 15 == 0 ? 'b' : i % 3 == 0 ? 'g' : i % 5 == 0 ? 'e' : 'm';
	t = now_s();
	make(&w, roles, NULL);
	print_message("wheel and sample of %d relays: %.1f ms with sanitizers\n", MANY, (now_s() - t) * 1e3);
	t = now_s();
	for (int i = 0; i < DRAWS; i++)
		drawn(&w);
	t = (now_s() - t) / DRAWS;
	print_message("a path: %.3f ms with sanitizers\n", t * 1e3);
	assert_true(t < 0.001);
	unmake(&w);
	free(roles);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(guard_stays), cmocka_unit_test(attacker_kills_the_rest),
		cmocka_unit_test(waits),       cmocka_unit_test(small),
		cmocka_unit_test(elsewhere),   cmocka_unit_test(guard_apart_from_exit),
		cmocka_unit_test(wished),      cmocka_unit_test(pinned),
		cmocka_unit_test(needs),       cmocka_unit_test(quick),
	};

	return cmocka_run_group_tests_name("path", tests, NULL, NULL);
}
