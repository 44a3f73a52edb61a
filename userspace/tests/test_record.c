/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What survives a crash: the records and the journal that holds them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <unistd.h>

#include "anond/journal.h"
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
	j = record_of_origin(&r);
	assert_int_equal(record_to_origin(j, &back), 0);
	assert_int_equal(back.circuit.n_layers, HOPS_MAX);
	assert_memory_equal(back.path[4].b, r.path[4].b, 32);
	assert_true(back.handle == r.handle);
	json_array_append_new(json_object_get(j, "layers"), json_object());
	assert_int_equal(record_to_origin(j, &back), -EBADMSG);
	json_decref(j);
}

/* ---- journal ---- */

struct seen {
	size_t n;
	json_int_t last;
};

static void load(void *ctx, const json_t *line)
{
	struct seen *s = ctx;

	s->n++;
	s->last = json_integer_value(json_object_get(line, "n"));
}

static void dump_two(void *ctx, struct journal *j)
{
	(void)ctx;
	journal_append(j, json_pack("{s:i}", "n", 1));
	journal_append(j, json_pack("{s:i}", "n", 2));
}

static int make_path(void **state)
{
	char *path = strdup("/tmp/anond-journal-XXXXXX");
	int fd = mkstemp(path);

	close(fd);
	*state = path;
	return 0;
}

static int remove_path(void **state)
{
	unlink(*state);
	free(*state);
	return 0;
}

static void journal_survives_a_torn_line(void **state)
{
	struct seen s = { 0 };
	struct journal *j;
	int fd;

	assert_int_equal(journal_open(*state, load, &s, &j), 0);
	assert_int_equal(journal_append(j, json_pack("{s:i}", "n", 7)), 0);
	assert_int_equal(journal_append(j, NULL), -ENOMEM);
	journal_close(j);
	fd = open(*state, O_WRONLY | O_APPEND);
	assert_int_equal(write(fd, "{\"n\":", 5), 5);
	close(fd);
	assert_int_equal(journal_open(*state, load, &s, &j), 0);
	assert_int_equal(s.n, 1);
	assert_int_equal(journal_append(j, json_pack("{s:i}", "n", 8)), 0);
	journal_close(j);
	s = (struct seen){ 0 };
	assert_int_equal(journal_open(*state, load, &s, &j), 0);
	assert_true(s.n == 2 && s.last == 8);
	journal_close(j);
}

static void journal_refuses_garbage(void **state)
{
	struct seen s = { 0 };
	struct journal *j;
	int fd = open(*state, O_WRONLY);

	assert_int_equal(write(fd, "garbage\n", 8), 8);
	close(fd);
	assert_int_equal(journal_open(*state, load, &s, &j), -EBADMSG);
}

static void journal_compacts(void **state)
{
	struct seen s = { 0 };
	struct journal *j;

	assert_int_equal(journal_open(*state, load, &s, &j), 0);
	for (int i = 0; i < 300; i++)
		assert_int_equal(journal_append(j, json_pack("{s:i}", "n", i)), 0);
	assert_int_equal(journal_compact(j, 200, dump_two, NULL), 0); /* not yet worth it */
	assert_int_equal(journal_compact(j, 2, dump_two, NULL), 0);
	assert_int_equal(journal_append(j, json_pack("{s:i}", "n", 3)), 0);
	journal_close(j);
	assert_int_equal(journal_open(*state, load, &s, &j), 0);
	assert_true(s.n == 3 && s.last == 3);
	journal_close(j);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(relay_record_comes_back),
		cmocka_unit_test(damaged_relay_record_is_refused),
		cmocka_unit_test(origin_record_comes_back),
		cmocka_unit_test_setup_teardown(journal_survives_a_torn_line, make_path, remove_path),
		cmocka_unit_test_setup_teardown(journal_refuses_garbage, make_path, remove_path),
		cmocka_unit_test_setup_teardown(journal_compacts, make_path, remove_path),
	};

	return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
