/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/cleanup.h"
#include "wire/ctrl.h"

#define HANDLE 0x1122334455667788u

static uint8_t body[CTRL_CREATE_BODY_MAX + 1];

static int fill_body(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(body); i++)
		body[i] = (uint8_t)(i * 7);
	return 0;
}

static void test_create(void **state)
{
	struct ctrl_msg m = { .type = CTRL_CREATE, .handle = HANDLE, .create = { body, 300 } }, got;
	static const uint8_t head[] = { 1, 1, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 300 >> 8, 300 & 255 };
	uint8_t msg[CTRL_MSG_LEN], zero[CTRL_MSG_LEN] = { 0 };

	(void)state;
	memset(msg, 0xff, sizeof(msg));
	assert_int_equal(ctrl_encode(&m, msg), 0);
	assert_memory_equal(msg, head, sizeof(head));
	assert_memory_equal(msg + 12, body, 300);
	assert_memory_equal(msg + 312, zero, sizeof(msg) - 312);
	memset(msg + 312, 0xaa, sizeof(msg) - 312); /* padding is ignored */
	assert_int_equal(ctrl_decode(msg, sizeof(msg), &got), 0);
	assert_int_equal(got.type, CTRL_CREATE);
	assert_int_equal(got.handle, HANDLE);
	assert_int_equal(got.create.len, 300);
	assert_memory_equal(got.create.p, body, 300);
}

static void test_created(void **state)
{
	struct ctrl_msg m = { .type = CTRL_CREATED, .handle = HANDLE }, got;
	uint8_t msg[CTRL_MSG_LEN];

	(void)state;
	m.created.status = CTRL_SEALED;
	m.created.a.s6_addr[15] = 9;
	m.created.body = (struct ctrl_view){ body, 100 };
	assert_int_equal(ctrl_encode(&m, msg), 0);
	assert_int_equal(msg[10], CTRL_SEALED);
	assert_int_equal(msg[26], 9);
	assert_int_equal(ctrl_decode(msg, sizeof(msg), &got), 0);
	assert_int_equal(got.created.status, CTRL_SEALED);
	assert_memory_equal(&got.created.a, &m.created.a, 16);
	assert_int_equal(got.created.body.len, 100);
	assert_memory_equal(got.created.body.p, body, 100);
}

static void test_destroy(void **state)
{
	(void)state;
	for (int type = CTRL_DESTROY; type <= CTRL_DESTROY_ACK; type++) {
		struct ctrl_msg m = { .type = (enum ctrl_type)type, .handle = HANDLE }, got;
		uint8_t msg[CTRL_MSG_LEN];

		m.destroy.by_creator = true;
		m.destroy.reason = CTRL_REASON_LINK_LOST;
		assert_int_equal(ctrl_encode(&m, msg), 0);
		assert_int_equal(ctrl_decode(msg, sizeof(msg), &got), 0);
		assert_int_equal(got.type, type);
		assert_true(got.destroy.by_creator);
		assert_int_equal(got.destroy.reason, CTRL_REASON_LINK_LOST);
		msg[10] = 2; /* no boolean */
		assert_int_equal(ctrl_decode(msg, sizeof(msg), &got), -EBADMSG);
	}
}

static void test_probe(void **state)
{
	static const size_t lengths[] = { CTRL_PROBE_MIN, 1300, CTRL_PROBE_MAX };
	_cleanup_free_ uint8_t *msg = malloc(CTRL_PROBE_MAX + 1);
	struct ctrl_msg got;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		size_t len = lengths[i];

		assert_int_equal(ctrl_probe_encode(CTRL_PROBE_ACK, HANDLE, msg, len), 0);
		assert_int_equal(ctrl_decode(msg, len, &got), 0);
		assert_int_equal(got.type, CTRL_PROBE_ACK);
		assert_int_equal(got.handle, HANDLE);
		assert_int_equal(got.probe_len, len);
		assert_int_equal(ctrl_decode(msg, len - 1, &got), -EBADMSG);
		msg[len] = 0;
		assert_int_equal(ctrl_decode(msg, len + 1, &got), -EBADMSG);
	}
	assert_int_equal(ctrl_probe_encode(CTRL_PROBE, 1, msg, CTRL_PROBE_MIN - 1), -EMSGSIZE);
	assert_int_equal(ctrl_probe_encode(CTRL_PROBE, 1, msg, CTRL_PROBE_MAX + 1), -EMSGSIZE);
	assert_int_equal(ctrl_probe_encode(CTRL_CREATE, 1, msg, 100), -EINVAL);
}

static void test_refused_datagrams(void **state)
{
	struct ctrl_msg m = { .type = CTRL_CREATE, .handle = HANDLE, .create = { body, CTRL_CREATE_BODY_MAX } };
	struct ctrl_msg got = { .handle = 77 };
	uint8_t msg[CTRL_MSG_LEN + 1] = { 0 };

	(void)state;
	assert_int_equal(ctrl_encode(&m, msg), 0);
	assert_int_equal(ctrl_decode(msg, CTRL_MSG_LEN, &got), 0);
	got.handle = 77;
	assert_int_equal(ctrl_decode(msg, CTRL_MSG_LEN - 1, &got), -EBADMSG);
	assert_int_equal(ctrl_decode(msg, CTRL_MSG_LEN + 1, &got), -EBADMSG);
	assert_int_equal(ctrl_decode(msg, 0, &got), -EBADMSG);
	assert_int_equal(ctrl_decode(msg, 1, &got), -EBADMSG);
	msg[11]++; /* one byte more than there is */
	assert_int_equal(ctrl_decode(msg, CTRL_MSG_LEN, &got), -EBADMSG);
	msg[11]--;
	msg[0] = 2;
	assert_int_equal(ctrl_decode(msg, CTRL_MSG_LEN, &got), -EPROTONOSUPPORT);
	msg[0] = 1;
	msg[1] = 0;
	assert_int_equal(ctrl_decode(msg, CTRL_MSG_LEN, &got), -EBADMSG);
	msg[1] = 7;
	assert_int_equal(ctrl_decode(msg, CTRL_MSG_LEN, &got), -EBADMSG);
	assert_int_equal(got.handle, 77); /* untouched on failure */
	m.create.len++;
	memset(msg, 0x55, sizeof(msg));
	assert_int_equal(ctrl_encode(&m, msg), -EMSGSIZE);
	assert_int_equal(msg[0], 0x55);
	m.type = CTRL_PROBE;
	assert_int_equal(ctrl_encode(&m, msg), -EINVAL);
}

static void test_create_body(void **state)
{
	struct ctrl_view noise;
	uint32_t id;

	(void)state;
	assert_int_equal(ctrl_body_decode((struct ctrl_view){ body, CTRL_CREATE_BODY_MIN }, &id, &noise), 0);
	assert_int_equal(id, 0x00070e15);
	assert_ptr_equal(noise.p, body + 4);
	assert_int_equal(noise.len, CTRL_NOISE_OVERHEAD);
	assert_int_equal(ctrl_body_decode((struct ctrl_view){ body, CTRL_CREATE_BODY_MIN - 1 }, &id, &noise), -EBADMSG);
	assert_int_equal(ctrl_body_decode((struct ctrl_view){ body, 0 }, &id, &noise), -EBADMSG);
}

static void refuse_every_cut(const uint8_t *p, size_t len, bool answer)
{
	struct ctrl_offer o;
	struct ctrl_answer a;
	uint8_t longer[CTRL_MSG_LEN + 1];

	for (size_t cut = 0; cut < len; cut++)
		assert_int_equal(answer ? ctrl_answer_decode(p, cut, &a) : ctrl_offer_decode(p, cut, &o), -EBADMSG);
	memcpy(longer, p, len);
	longer[len] = 0;
	assert_int_equal(answer ? ctrl_answer_decode(longer, len + 1, &a) : ctrl_offer_decode(longer, len + 1, &o),
			 -EBADMSG);
}

static void test_offer_extend(void **state)
{
	struct ctrl_offer o = { .expires = 0x0102030405060708u,
				.suite = 3,
				.spi_back = 0x0a0b0c0d,
				.kind = CTRL_KIND_EXTEND,
				.wait_ms = 5000,
				.body = { body, CTRL_CREATE_BODY_MIN } },
			  got;
	uint8_t p[CTRL_MSG_LEN];
	size_t len;

	(void)state;
	memset(o.next.b, 0x42, sizeof(o.next.b));
	assert_int_equal(ctrl_offer_encode(&o, p, sizeof(p), &len), 0);
	assert_int_equal(len, 8 + 1 + 4 + 1 + 2 + 32 + 2 + CTRL_CREATE_BODY_MIN);
	assert_int_equal(ctrl_offer_decode(p, len, &got), 0);
	assert_int_equal(got.expires, o.expires);
	assert_int_equal(got.suite, 3);
	assert_int_equal(got.spi_back, o.spi_back);
	assert_int_equal(got.kind, CTRL_KIND_EXTEND);
	assert_int_equal(got.wait_ms, 5000);
	assert_memory_equal(got.next.b, o.next.b, 32);
	assert_int_equal(got.body.len, CTRL_CREATE_BODY_MIN);
	refuse_every_cut(p, len, false);
	assert_int_equal(ctrl_offer_encode(&o, p, len - 1, &len), -EMSGSIZE);
	o.body.len--; /* too short for any body */
	assert_int_equal(ctrl_offer_encode(&o, p, sizeof(p), &len), 0);
	assert_int_equal(ctrl_offer_decode(p, len, &got), -EBADMSG);
}

static void test_offer_exit(void **state)
{
	struct ctrl_offer o = { .kind = CTRL_KIND_EXIT, .families = 3 }, got;
	uint8_t p[CTRL_MSG_LEN];
	size_t len;

	(void)state;
	assert_int_equal(ctrl_offer_encode(&o, p, sizeof(p), &len), 0);
	assert_int_equal(ctrl_offer_decode(p, len, &got), 0);
	assert_int_equal(got.families, 3);
	refuse_every_cut(p, len, false);
	p[14] = 4;
	assert_int_equal(ctrl_offer_decode(p, len, &got), -EBADMSG);
	p[14] = 0;
	assert_int_equal(ctrl_offer_decode(p, len, &got), -EBADMSG);
	p[14] = 1;
	p[13] = 3;
	assert_int_equal(ctrl_offer_decode(p, len, &got), -EBADMSG);
	o.families = 0;
	assert_int_equal(ctrl_offer_encode(&o, p, sizeof(p), &len), -EINVAL);
	o.kind = 0;
	assert_int_equal(ctrl_offer_encode(&o, p, sizeof(p), &len), -EINVAL);
}

static void test_answer_extend(void **state)
{
	struct ctrl_answer a = { .spi_fwd = 0x12345678, .mtu = 1446, .kind = CTRL_KIND_EXTEND, .body = { body, 200 } },
			   got;
	uint8_t p[CTRL_MSG_LEN];
	size_t len;

	(void)state;
	a.a.s6_addr[3] = 5;
	a.next_a.s6_addr[4] = 6;
	assert_int_equal(ctrl_answer_encode(&a, p, sizeof(p), &len), 0);
	assert_int_equal(ctrl_answer_decode(p, len, &got), 0);
	assert_memory_equal(&got.a, &a.a, 16);
	assert_memory_equal(&got.next_a, &a.next_a, 16);
	assert_int_equal(got.spi_fwd, a.spi_fwd);
	assert_int_equal(got.mtu, 1446);
	assert_int_equal(got.body.len, 200);
	refuse_every_cut(p, len, true);
}

static void test_answer_exit(void **state)
{
	struct ctrl_answer a = { .kind = CTRL_KIND_EXIT }, got;
	uint8_t p[CTRL_MSG_LEN];
	size_t len;

	(void)state;
	a.inner.addr4.s_addr = 1;
	a.inner.gw4.s_addr = 2;
	a.inner.dns4.s_addr = 3;
	a.inner.addr6.s6_addr[0] = 4;
	a.inner.gw6.s6_addr[0] = 5;
	a.inner.dns6.s6_addr[0] = 6;
	assert_int_equal(ctrl_answer_encode(&a, p, sizeof(p), &len), -EINVAL); /* no family */
	a.inner.has4 = a.inner.has6 = true;
	assert_int_equal(ctrl_answer_encode(&a, p, sizeof(p), &len), 0);
	assert_int_equal(ctrl_answer_decode(p, len, &got), 0);
	assert_true(got.inner.has4 && got.inner.has6);
	assert_int_equal(got.inner.addr4.s_addr, 1);
	assert_int_equal(got.inner.gw4.s_addr, 2);
	assert_int_equal(got.inner.dns4.s_addr, 3);
	assert_int_equal(got.inner.addr6.s6_addr[0], 4);
	assert_int_equal(got.inner.gw6.s6_addr[0], 5);
	assert_int_equal(got.inner.dns6.s6_addr[0], 6);
	refuse_every_cut(p, len, true);
	p[2 + 16 + 4 + 2 + 1] = CTRL_FAMILY_V6; /* what it does not give does not come through */
	assert_int_equal(ctrl_answer_decode(p, len, &got), 0);
	assert_false(got.inner.has4);
	assert_int_equal(got.inner.addr4.s_addr, 0);
	assert_int_equal(got.inner.gw4.s_addr, 0);
	p[2 + 16 + 4 + 2 + 1] = 0;
	assert_int_equal(ctrl_answer_decode(p, len, &got), -EBADMSG);
	a.inner.has4 = false; /* nor is it sent */
	assert_int_equal(ctrl_answer_encode(&a, p, sizeof(p), &len), 0);
	assert_int_equal(p[2 + 16 + 4 + 2 + 1 + 4], 0);
}

static void test_answer_refusal(void **state)
{
	struct ctrl_answer a = { .status = CTRL_NEXT_REFUSED, .detail = CTRL_RATE }, got;
	uint8_t p[CTRL_MSG_LEN];
	size_t len;

	(void)state;
	assert_int_equal(ctrl_answer_encode(&a, p, sizeof(p), &len), 0);
	assert_int_equal(len, 2);
	assert_int_equal(ctrl_answer_decode(p, len, &got), 0);
	assert_int_equal(got.status, CTRL_NEXT_REFUSED);
	assert_int_equal(got.detail, CTRL_RATE);
	refuse_every_cut(p, len, true);
	a = (struct ctrl_answer){ .status = CTRL_NEXT_SEALED, .body = { body, 99 } };
	assert_int_equal(ctrl_answer_encode(&a, p, sizeof(p), &len), 0);
	assert_int_equal(ctrl_answer_decode(p, len, &got), 0);
	assert_int_equal(got.body.len, 99);
	refuse_every_cut(p, len, true);
}

static void test_names(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 300; i++) {
		assert_non_null(ctrl_status_name(i));
		assert_non_null(ctrl_reason_name(i));
	}
	assert_string_equal(ctrl_status_name(CTRL_SEALED), "refused");
	assert_string_equal(ctrl_status_name(CTRL_DRAINING + 1), "unknown status");
}

/* HOPS_MAX nested bodies, the sums of what ctrl.h says, fit into one datagram in both directions. */
static void test_five_hops_fit(void **state)
{
	size_t create = 0, created = 0;

	(void)state;
	for (int hop = 0; hop < HOPS_MAX; hop++) {
		struct ctrl_offer o = { .kind = hop ? CTRL_KIND_EXTEND : CTRL_KIND_EXIT,
					.families = 3,
					.body = { body, create } };
		struct ctrl_answer a = { .kind = hop ? CTRL_KIND_EXTEND : CTRL_KIND_EXIT,
					 .body = { body, created },
					 .inner = { .has4 = true, .has6 = true } };
		uint8_t p[CTRL_MSG_LEN];
		size_t len;

		assert_int_equal(ctrl_offer_encode(&o, p, sizeof(p), &len), 0);
		create = 4 + CTRL_NOISE_OVERHEAD + len;
		assert_int_equal(ctrl_answer_encode(&a, p, sizeof(p), &len), 0);
		created = CTRL_NOISE_OVERHEAD + len;
	}
	assert_int_equal(create, 475);
	assert_int_equal(created, 498);
	assert_true(create <= CTRL_CREATE_BODY_MAX);
	assert_true(created <= CTRL_CREATED_BODY_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_create),
		cmocka_unit_test(test_created),
		cmocka_unit_test(test_destroy),
		cmocka_unit_test(test_probe),
		cmocka_unit_test(test_refused_datagrams),
		cmocka_unit_test(test_create_body),
		cmocka_unit_test(test_offer_extend),
		cmocka_unit_test(test_offer_exit),
		cmocka_unit_test(test_answer_extend),
		cmocka_unit_test(test_answer_exit),
		cmocka_unit_test(test_answer_refusal),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_five_hops_fit),
	};

	return cmocka_run_group_tests(tests, fill_body, NULL);
}
