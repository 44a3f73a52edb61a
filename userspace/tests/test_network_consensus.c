/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A consensus as the network that a client uses: what is taken over, and who is left out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "directory/consensus.h"
#include "directory/network.h"

/* n relays of which no two share anything, guards by their own word and the majority's. */
static struct consensus make(size_t n)
{
	struct consensus c = { .interval = { 1700000000, 1700003600, 1700010800, 1400 }, .n = n };

	c.relays = calloc(n + 1, sizeof(*c.relays));
	for (size_t i = 0; i < n; i++) {
		struct consensus_relay *v = &c.relays[i];
		struct relay *r = &v->facts.relay;
		uint32_t number = htonl((uint32_t)i + 1); /* so that they ascend */

		memcpy(r->id.b, &number, sizeof(number));
		memcpy(r->onion_key, &number, sizeof(number));
		memcpy(r->link_key, &number, sizeof(number));
		snprintf(r->name, sizeof(r->name), "r%zu", i);
		r->addr4.s_addr = htonl((uint32_t)(0x0b000000 + i));
		r->guard = true;
		v->weight = (uint32_t)(100 + i);
		v->facts.traits.as = (uint32_t)(7 + i);
		assert_true(flags_add(&v->flags, FLAG_GUARD));
		assert_true(flags_add(&v->flags, FLAG_RUNNING));
	}
	return c;
}

static struct network *turn(struct consensus *c)
{
	struct network *net = NULL;

	assert_int_equal(network_from_consensus(c, &net), 0);
	return net;
}

static void done(struct consensus *c, struct network *net)
{
	network_free(net);
	consensus_clear(c);
}

static void taken_over(void **state)
{
	struct consensus c = make(5);
	struct network *net;

	(void)state;
	c.n_unread = 3;
	c.relays[1].facts.relay.guard = false;	       /* does not want to */
	c.relays[2].flags = (struct flags){ 0 };       /* is not fit for it */
	memcpy(c.relays[3].facts.relay.name, "r4", 3); /* a name is nobody's */
	c.relays[4].facts.relay.exit = true;
	c.relays[4].facts.traits.exit6.n = 1;
	memcpy(c.relays[4].facts.traits.country, "AT", 3);
	net = turn(&c);
	assert_true(net->valid_from == 1700000000 && net->valid_until == 1700010800 && net->link_mtu == 1400);
	assert_int_equal(net->n_relays, 5);
	assert_int_equal(net->n_left_out, 3);
	for (size_t i = 0; i < 5; i++) {
		assert_ptr_equal(network_find(net, &c.relays[i].facts.relay.id), &net->relays[i]);
		assert_int_equal(net->relays[i].guard, i != 1 && i != 2);
		assert_int_equal(net->relays[i].exit, i == 4);
		assert_int_equal(net->weights[i], 100 + i);
		assert_int_equal(net->traits[i].as, 7 + i);
	}
	assert_string_equal(net->traits[4].country, "AT");
	assert_int_equal(net->traits[4].exit6.n, 1);
	assert_null(network_find(net, &(struct relay_id){ { 1 } }));
	done(&c, net);
}

/* Of a network that only begins no path can be made, nor of one whose time is over: what waits goes on waiting. */
static void usable(void **state)
{
	struct consensus none = make(0), one = make(1);
	struct network *net = turn(&none);
	struct error err;

	(void)state;
	assert_int_equal(network_usable(net, 1700000000, &err), -ENOENT);
	done(&none, net);
	net = turn(&one);
	assert_int_equal(network_usable(net, 1700000000, &err), 0);
	assert_int_equal(network_usable(net, 1700010800, &err), -ESTALE);
	done(&one, net);
}

/* Whoever shares something is out, all of them; nobody else is. */
static void shared(void **state)
{
	(void)state;
	for (int kind = 0; kind < 5; kind++) {
		struct consensus c = make(6);
		struct relay *a = &c.relays[1].facts.relay, *b = &c.relays[4].facts.relay,
			     *third = &c.relays[5].facts.relay;
		size_t out = 2;
		struct network *net;

		switch (kind) {
		case 0:
			memcpy(b->link_key, a->link_key, sizeof(b->link_key));
			break;
		case 1:
			memcpy(b->onion_key, a->onion_key, sizeof(b->onion_key)); /* anybody can say that */
			out = 0;
			break;
		case 2: /* three at one address */
			b->addr4 = third->addr4 = a->addr4;
			out = 3;
			break;
		case 3:
			a->addr6.s6_addr[0] = b->addr6.s6_addr[0] = 0x20;
			a->addr4.s_addr = 0; /* none: two that have none share nothing */
			third->addr4.s_addr = 0;
			third->addr6.s6_addr[0] = 0x21;
			break;
		default: /* the control: only alike */
			b->link_key[31] = a->link_key[31] = 1;
			b->addr4.s_addr = a->addr4.s_addr ^ htonl(1u << 8);
			out = 0;
			break;
		}
		net = turn(&c);
		assert_int_equal(net->n_left_out, out);
		assert_int_equal(net->n_relays, 6 - out);
		for (size_t i = 0; i < 6; i++) {
			bool is_out = out && (i == 1 || i == 4 || (out == 3 && i == 5));

			assert_int_equal(!network_find(net, &c.relays[i].facts.relay.id), is_out);
		}
		done(&c, net);
	}
}

static double seconds(const struct timespec *a, const struct timespec *b)
{
	return (double)(b->tv_sec - a->tv_sec) + (double)(b->tv_nsec - a->tv_nsec) / 1e9;
}

/* Nothing is quadratic: as many as a consensus may have, all at one address. */
static void many(void **state)
{
	static const size_t sizes[] = { 10000, CONSENSUS_RELAYS_MAX };
	struct timespec begin, end;

	(void)state;
	for (size_t k = 0; k < 2; k++) {
		struct consensus c = make(sizes[k]);
		struct network *net;

		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begin);
		net = turn(&c);
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
		print_message("%zu relays: %.0f ms with sanitizers\n", sizes[k], seconds(&begin, &end) * 1e3);
		assert_int_equal(net->n_relays, sizes[k]);
		assert_true(seconds(&begin, &end) < 2);
		network_free(net);
		for (size_t i = 0; i < c.n; i++)
			c.relays[i].facts.relay.addr4.s_addr = htonl(0x0b000001);
		net = turn(&c);
		assert_int_equal(net->n_relays, 0);
		assert_int_equal(net->n_left_out, sizes[k]);
		assert_null(network_find(net, &c.relays[0].facts.relay.id));
		done(&c, net);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(taken_over),
		cmocka_unit_test(usable),
		cmocka_unit_test(shared),
		cmocka_unit_test(many),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests_name("network of a consensus", tests, NULL, NULL);
}
