/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which echo replies count: by the device, from the address, with the bytes of the last request, once. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <sodium.h>
#include <string.h>

#include "anond/echo_book.h"

static struct echo_request request4(uint32_t id, unsigned int ifindex)
{
	struct echo_request r = { .id = id, .ifindex = ifindex, .family = AF_INET, .sent_us = 1000 };

	inet_pton(AF_INET, "100.96.0.1", &r.to4);
	randombytes_buf(r.nonce, sizeof(r.nonce));
	return r;
}

/* The reply that the one who was asked gives. */
static struct echo_reply true_reply(const struct echo_request *r)
{
	struct echo_reply reply = { .ifindex = r->ifindex, .family = r->family, .nonce = r->nonce };

	reply.from6 = r->to6; /* the larger of the two */
	return reply;
}

static int setup(void **state)
{
	return echo_book_new((struct echo_book **)state);
}

static int teardown(void **state)
{
	echo_book_free(*state);
	return 0;
}

static void once(void **state)
{
	struct echo_request r = request4(7, 42);
	struct echo_reply reply = true_reply(&r);
	uint32_t rtt = 0;
	uint32_t id = 0;

	assert_false(echo_book_take(*state, &reply, 2500, &id, &rtt)); /* nothing was asked */
	assert_int_equal(echo_book_add(*state, &r), 0);
	assert_true(echo_book_take(*state, &reply, 2500, &id, &rtt));
	assert_int_equal(id, 7);
	assert_int_equal(rtt, 1500);
	assert_false(echo_book_take(*state, &reply, 2500, &id, &rtt)); /* a second time */
	assert_int_equal(echo_book_waiting(*state), 0);
}

/* What an exit can do that wants to know whether an address is its client's: send a true reply to it. */
static void elsewhere(void **state)
{
	struct echo_request r = request4(7, 42);
	struct echo_reply other_device = true_reply(&r), other_source = true_reply(&r), other_family = true_reply(&r),
			  other_nonce = true_reply(&r), good = true_reply(&r);
	uint8_t nonce[ECHO_NONCE_LEN];
	uint32_t rtt;
	uint32_t id;

	other_device.ifindex = 2;
	other_source.from4.s_addr ^= htonl(1);
	other_family.family = AF_INET6;
	memcpy(nonce, r.nonce, sizeof(nonce));
	nonce[ECHO_NONCE_LEN - 1] ^= 1;
	other_nonce.nonce = nonce;
	assert_int_equal(echo_book_add(*state, &r), 0);
	assert_false(echo_book_take(*state, &other_device, 2000, &id, &rtt));
	assert_false(echo_book_take(*state, &other_source, 2000, &id, &rtt));
	assert_false(echo_book_take(*state, &other_family, 2000, &id, &rtt));
	assert_false(echo_book_take(*state, &other_nonce, 2000, &id, &rtt));
	assert_true(echo_book_take(*state, &good, 2000, &id, &rtt)); /* and none of them took it away */
}

static void last_one(void **state)
{
	struct echo_request first = request4(7, 42), second = request4(7, 42), beside = request4(8, 43);
	struct echo_reply r1 = true_reply(&first), r2 = true_reply(&second), r3 = true_reply(&beside);
	uint32_t rtt;
	uint32_t id;

	assert_int_equal(echo_book_add(*state, &first), 0);
	assert_int_equal(echo_book_add(*state, &second), 0);
	assert_int_equal(echo_book_add(*state, &beside), 0);
	assert_int_equal(echo_book_waiting(*state), 2);
	assert_false(echo_book_take(*state, &r1, 2000, &id, &rtt));
	assert_true(echo_book_take(*state, &r2, 2000, &id, &rtt));
	echo_book_forget(*state, 43);
	assert_false(echo_book_take(*state, &r3, 2000, &id, &rtt));
	echo_book_forget(*state, 43);
}

static void ipv6(void **state)
{
	struct echo_request r = { .id = 9, .ifindex = 3, .family = AF_INET6, .sent_us = 5000 };
	struct echo_reply good, bad;
	uint32_t rtt;
	uint32_t id;

	inet_pton(AF_INET6, "fd00::ffff:0:0:1", &r.to6);
	randombytes_buf(r.nonce, sizeof(r.nonce));
	good = bad = true_reply(&r);
	bad.from6.s6_addr[15] ^= 1;
	assert_int_equal(echo_book_add(*state, &r), 0);
	assert_false(echo_book_take(*state, &bad, 6000, &id, &rtt));
	assert_true(echo_book_take(*state, &good, 4000, &id, &rtt)); /* a clock that went back */
	assert_int_equal(rtt, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = { TEST(once), TEST(elsewhere), TEST(last_one), TEST(ipv6) };

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
