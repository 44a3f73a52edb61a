/* SPDX-License-Identifier: GPL-2.0-or-later */
/* plan_diff, and plans against the fake kernel. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
/* cmocka.h needs the headers above */
#include <cmocka.h>

#include "kernel/fake.h"
#include "plan/diff.h"
#include "plan/plan.h"

static const uint8_t key[SUITE_KEY_MAX]; /* an SA is not made without */

static void add_sa(struct plan *p, uint32_t spi)
{
	struct kobject *o = plan_add(p, KOBJ_SA);
	assert_non_null(o);
	o->sa.spi = spi;
	o->sa.key = key;
}

static void add_link(struct plan *p, const char *dev, uint16_t mtu)
{
	struct kobject *o = plan_add(p, KOBJ_LINK);
	assert_non_null(o);
	strcpy(o->link.dev, dev);
	o->link.mtu = mtu;
}

static void both_ways(void **state)
{
	(void)state;
	_cleanup_plan_ struct plan want = { 0 }, have = { 0 }, add = { 0 }, gone = { 0 };
	add_link(&want, "a", 1400);
	add_sa(&want, 1);
	add_sa(&want, 2);
	add_sa(&have, 2);
	add_sa(&have, 3);
	add_link(&have, "a", 1300);
	assert_int_equal(plan_diff(&want, &have, &add, &gone), 0);
	assert_int_equal(add.n, 2);
	assert_int_equal(add.v[0].type, KOBJ_LINK);
	assert_int_equal(add.v[1].sa.spi, 1);
	assert_int_equal(gone.n, 2);
	/* taken away backwards: the SA before the interface */
	assert_int_equal(gone.v[0].type, KOBJ_LINK);
	assert_int_equal(gone.v[0].link.mtu, 1300);
	assert_int_equal(gone.v[1].sa.spi, 3);
}

static void equal_plans(void **state)
{
	(void)state;
	_cleanup_plan_ struct plan want = { 0 }, add = { 0 }, gone = { 0 };
	assert_int_equal(plan_base(&want), 0);
	assert_int_equal(plan_client_base(&want, NULL, NULL), 0);
	assert_int_equal(plan_diff(&want, &want, &add, &gone), 0);
	assert_int_equal(add.n + gone.n, 0);
	struct plan none = { 0 };
	size_t in_dumps = 0;
	assert_int_equal(plan_diff(&want, &none, &add, &gone), 0);
	/* all but sysctls and the policy threshold, which dumps do not hold */
	for (size_t i = 0; i < want.n; i++)
		in_dumps += want.v[i].type != KOBJ_SYSCTL && want.v[i].type != KOBJ_HTHRESH;
	assert_true(in_dumps < want.n);
	assert_int_equal(add.n, in_dumps);
	assert_int_equal(gone.n, 0);
}

static void chains_go_before_what_they_use(void **state)
{
	(void)state;
	_cleanup_plan_ struct plan have = { 0 }, add = { 0 }, gone = { 0 };
	struct plan none = { 0 };
	static const enum nft_kind order[] = { NFT_CHAIN, NFT_TABLE, NFT_COUNTER, NFT_SET };
	for (size_t i = 0; i < 4; i++) {
		struct kobject *o = plan_add(&have, KOBJ_NFT);
		assert_non_null(o);
		o->nft.kind = order[i];
	}
	assert_int_equal(plan_diff(&none, &have, &add, &gone), 0);
	assert_int_equal(gone.v[0].nft.kind, NFT_TABLE);
	assert_int_equal(gone.v[3].nft.kind, NFT_CHAIN);
}

static void set_has_all_or_not(void **state)
{
	_cleanup_plan_ struct plan have = { 0 }, some = { 0 };
	_cleanup_plan_set_ struct plan_set *set = NULL, *empty = NULL;

	(void)state;
	add_link(&have, "a", 1400);
	add_sa(&have, 1);
	add_sa(&have, 1);
	add_sa(&have, 2);
	assert_int_equal(plan_set_new(&have, &set), 0);
	assert_int_equal(plan_set_new(&some, &empty), 0);
	assert_true(plan_set_has_all(set, &some));
	assert_true(plan_set_has_all(empty, &some));
	add_sa(&some, 2);
	assert_non_null(plan_add(&some, KOBJ_SYSCTL)); /* in no dump */
	assert_true(plan_set_has_all(set, &some));
	assert_false(plan_set_has_all(empty, &some));
	add_sa(&some, 3);
	assert_false(plan_set_has_all(set, &some));
	plan_set_free(NULL);
}

static void fake_rolls_back(void **state)
{
	(void)state;
	struct kernel *k;
	_cleanup_plan_ struct plan p = { 0 }, q = { 0 };
	add_sa(&p, 1);
	add_sa(&q, 1);
	add_sa(&q, 2);
	add_sa(&q, 3);
	assert_int_equal(kernel_fake_new(&k), 0);
	assert_int_equal(kernel_apply(k, &p), 0);
	kernel_fake_fail(k, 1, -ENOBUFS);
	assert_int_equal(kernel_apply(k, &q), -ENOBUFS);
	assert_string_not_equal(kernel_error_text(k), "");
	/* what was there before stays */
	assert_int_equal(kernel_fake_objects(k)->n, 1);
	assert_int_equal(kernel_apply(k, &q), 0);
	assert_int_equal(kernel_apply(k, &q), 0);
	assert_int_equal(kernel_fake_objects(k)->n, 3);
	_cleanup_plan_ struct plan dump = { 0 };
	assert_int_equal(kernel_dump_plan(k, KERNEL_DUMP_ALL, &dump), 0);
	assert_int_equal(dump.n, 3);
	assert_int_equal(kernel_remove(k, &q), 0);
	assert_int_equal(kernel_remove(k, &q), 0);
	assert_int_equal(kernel_fake_objects(k)->n, 0);
	kernel_free(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_ways),
		cmocka_unit_test(equal_plans),
		cmocka_unit_test(chains_go_before_what_they_use),
		cmocka_unit_test(set_has_all_or_not),
		cmocka_unit_test(fake_rolls_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
