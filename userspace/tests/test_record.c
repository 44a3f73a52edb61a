/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What survives a crash: circuits as the journal holds them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "anond/record.h"
#include "lib/cleanup.h"

static void random_layer(struct layer *l)
{
	randombytes_buf(l, sizeof(*l));
	l->suite = SUITE_AES128_GCM_8;
}

static void random_inner(struct inner *in)
{
	memset(in, 0, sizeof(*in));
	in->has4 = true;
	randombytes_buf(&in->addr4, sizeof(in->addr4));
	randombytes_buf(&in->addr6, sizeof(in->addr6));
	randombytes_buf(&in->gw6, sizeof(in->gw6));
	in->mtu = 1286;
}

static void relay_record_comes_back(void **state)
{
	struct relay_record r = { 0 }, back = { 0 };
	json_t *j;

	(void)state;
	r.circuit.number = 77;
	random_layer(&r.circuit.layer);
	random_inner(&r.circuit.inner);
	r.circuit.exit = true;
	r.prev_link = 1;
	r.next_link = 0xfffe;
	r.prev_handle = UINT64_MAX;
	r.next_handle = 1;
	r.expires = 1900000000;
	j = record_of_relay(&r);
	assert_int_equal(record_to_relay(j, &back), 0);
	assert_int_equal(back.circuit.number, 77);
	assert_memory_equal(&back.circuit.layer.a, &r.circuit.layer.a, 16);
	assert_int_equal(back.circuit.layer.spi_back, r.circuit.layer.spi_back);
	assert_memory_equal(&back.circuit.inner.gw6, &r.circuit.inner.gw6, 16);
	assert_true(back.prev_handle == UINT64_MAX && back.next_handle == 1 && back.expires == r.expires);
	assert_true(back.circuit.expires == r.expires); /* the kernel's lifetime of its SAs */
	json_decref(j);
}

static void damaged_relay_record_is_refused(void **state)
{
	static const char *const keys[] = { "number", "layer", "exit", "inner", "prev_handle", "expires" };
	struct relay_record r = { 0 }, back;

	(void)state;
	r.circuit.number = 1;
	random_layer(&r.circuit.layer);
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		json_t *j = record_of_relay(&r);

		json_object_del(j, keys[i]);
		assert_int_equal(record_to_relay(j, &back), -EBADMSG);
		json_object_set_new(j, keys[i], json_string("zz"));
		assert_int_equal(record_to_relay(j, &back), -EBADMSG);
		json_decref(j);
	}
	assert_int_equal(record_to_relay(NULL, &back), -EBADMSG);
}

static void replay_record_comes_back(void **state)
{
	struct replay_record r = { .expires = 1900000000, .client = true }, back = { 0 };
	json_t *j;

	(void)state;
	randombytes_buf(r.tag, sizeof(r.tag));
	j = record_of_replay(&r);
	assert_int_equal(record_to_replay(j, &back), 0);
	assert_memory_equal(back.tag, r.tag, sizeof(r.tag));
	assert_true(back.expires == r.expires && back.client);
	json_object_set_new(j, "tag", json_string("00"));
	assert_int_equal(record_to_replay(j, &back), -EBADMSG);
	assert_int_equal(record_to_replay(NULL, &back), -EBADMSG);
	json_decref(j);
}

static void origin_record_comes_back(void **state)
{
	struct origin_record r = { 0 }, back = { 0 };
	json_t *j;

	(void)state;
	r.circuit.slot = 3;
	r.circuit.n_layers = HOPS_MAX;
	for (size_t i = 0; i < HOPS_MAX; i++) {
		random_layer(&r.circuit.layers[i]);
		randombytes_buf(r.path[i].b, 32);
	}
	random_inner(&r.circuit.inner);
	r.handle = 0x8000000000000001;
	r.expires = 1900000000;
	j = record_of_origin(&r);
	assert_int_equal(record_to_origin(j, &back), 0);
	assert_int_equal(back.circuit.n_layers, HOPS_MAX);
	assert_memory_equal(back.path[4].b, r.path[4].b, 32);
	assert_true(back.handle == r.handle);
	assert_true(back.expires == 1900000000 && back.circuit.expires == back.expires);
	json_array_append_new(json_object_get(j, "layers"), json_object());
	assert_int_equal(record_to_origin(j, &back), -EBADMSG);
	json_decref(j);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(relay_record_comes_back),
		cmocka_unit_test(damaged_relay_record_is_refused),
		cmocka_unit_test(replay_record_comes_back),
		cmocka_unit_test(origin_record_comes_back),
	};

	return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
