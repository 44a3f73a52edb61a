/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka.h needs the four above */
#include <cmocka.h>

#include "model/ids.h"
#include "plan/mtu.h"

static const enum suite beet8[HOPS_MAX] = { SUITE_AES128_GCM_8, SUITE_AES128_GCM_8, SUITE_AES128_GCM_8,
					    SUITE_AES128_GCM_8, SUITE_AES128_GCM_8 };

static void suites_of(size_t n, enum suite beet, enum suite last, enum suite *ret)
{
	for (size_t i = 0; i < n; i++)
		ret[i] = i + 1 == n ? last : beet;
}

static void link_constant(void **state)
{
	(void)state;
	assert_int_equal(LINK_MTU, 1418);
}

/* The largest inner packets as measured on the wire (1500 bytes): four kinds of link, ICV 16 and 8 in BEET layers. */
static void measured_values(void **state)
{
	(void)state;
	static const struct {
		uint16_t link;
		uint16_t icv16, icv8;
	} v[] = { { 1446, 1298, 1314 }, { 1438, 1290, 1306 }, { 1426, 1278, 1294 }, { 1418, 1270, 1286 } };
	for (size_t i = 0; i < 4; i++) {
		enum suite s[3];
		suites_of(3, SUITE_AES128_GCM_16, SUITE_AES128_GCM_16, s);
		/* 1278 and 1270 leave the second hop its IPv6, only the last one is small */
		assert_int_equal(mtu_inner(v[i].link, 3, s), v[i].icv16);
		assert_int_equal(plan_inner6_possible(v[i].link, 3, s), v[i].icv16 >= 1280);
		suites_of(3, SUITE_AES128_GCM_8, SUITE_AES128_GCM_16, s);
		assert_int_equal(mtu_inner(v[i].link, 3, s), v[i].icv8);
		assert_true(plan_inner6_possible(v[i].link, 3, s));
	}
}

static void every_layer(void **state)
{
	(void)state;
	enum suite s[3];
	uint16_t m[3];
	suites_of(3, SUITE_AES128_GCM_8, SUITE_CHACHA20_POLY1305, s);
	assert_int_equal(mtu_layers(LINK_MTU, 3, s, m), 0);
	assert_int_equal(m[0], 1390);
	assert_int_equal(m[1], 1362);
	assert_int_equal(m[2], 1286);
	suites_of(1, SUITE_AES128_GCM_8, SUITE_AES128_GCM_16, s);
	assert_int_equal(mtu_inner(LINK_MTU, 1, s), 1342);
}

static void longer_circuits_carry_ipv4_only(void **state)
{
	(void)state;
	for (size_t n = 1; n <= HOPS_MAX; n++) {
		enum suite s[HOPS_MAX];
		suites_of(n, SUITE_AES128_GCM_8, SUITE_AES128_GCM_16, s);
		assert_true(mtu_inner(LINK_MTU, n, s) >= 1230);
		assert_int_equal(plan_inner6_possible(LINK_MTU, n, s), n <= 3);
	}
}

static void refused(void **state)
{
	(void)state;
	enum suite s[HOPS_MAX];
	uint16_t m[HOPS_MAX] = { 7, 7, 7, 7, 7 };
	suites_of(HOPS_MAX, SUITE_AES128_GCM_16, SUITE_AES128_GCM_16, s);
	/* the fourth hop would fall below 1280 and lose the IPv6 it carries ESP in */
	assert_int_equal(mtu_layers(LINK_MTU, HOPS_MAX, s, m), -EINVAL);
	assert_int_equal(mtu_layers(LINK_MTU, 0, beet8, m), -EINVAL);
	assert_int_equal(mtu_layers(LINK_MTU, HOPS_MAX + 1, beet8, m), -EINVAL);
	assert_int_equal(mtu_layers(60, 1, beet8, m), -EINVAL);
	assert_int_equal(mtu_layers(0, 1, beet8, m), -EINVAL);
	s[0] = (enum suite)99;
	assert_int_equal(mtu_layers(LINK_MTU, 1, s, m), -EINVAL);
	for (size_t i = 0; i < HOPS_MAX; i++)
		assert_int_equal(m[i], 7);
	assert_int_equal(mtu_inner(60, 1, beet8), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(link_constant), cmocka_unit_test(measured_values),
		cmocka_unit_test(every_layer),	 cmocka_unit_test(longer_circuits_carry_ipv4_only),
		cmocka_unit_test(refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
