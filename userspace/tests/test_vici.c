/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ike/vici.h"

#include <errno.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "ike/sa.h"

/* What finish gives, without the length field, parsed. */
static struct vici_packet parsed(struct vici_msg *m)
{
	struct vici_packet packet;
	const uint8_t *p;
	size_t len, framed;

	assert_int_equal(vici_msg_finish(m, &p, &len), 0);
	assert_int_equal(vici_header_parse(p, &framed), 0);
	assert_int_equal(framed + VICI_HEADER_LEN, len);
	assert_int_equal(vici_packet_parse(p + VICI_HEADER_LEN, framed, &packet), 0);
	return packet;
}

/* A list-sa event with two children. */
static struct vici_msg *sample(void)
{
	struct vici_msg *m = vici_msg_new(VICI_EVENT, "list-sa", false);

	vici_section_start(m, "guard-00");
	vici_put(m, "uniqueid", "17");
	vici_put(m, "state", "ESTABLISHED");
	vici_put(m, "initiator", "yes");
	vici_list_start(m, "local-vips");
	vici_list_item(m, "192.0.2.1");
	vici_list_item(m, "fd00::1:0:0:7");
	vici_list_end(m);
	vici_section_start(m, "child-sas");
	vici_section_start(m, "link-3");
	vici_put(m, "uniqueid", "3");
	vici_put(m, "state", "REKEYED");
	vici_put(m, "bytes-in", "5");
	vici_section_end(m);
	vici_section_start(m, "link-4");
	vici_put(m, "uniqueid", "4");
	vici_put(m, "state", "INSTALLED");
	vici_put(m, "if-id-in", "616f0002");
	vici_putf(m, "bytes-in", "%llu", 18446744073709551615ull);
	vici_section_end(m);
	vici_section_start(m, "link-9");
	vici_put(m, "uniqueid", "9");
	vici_put(m, "state", "DELETING");
	vici_section_end(m);
	vici_section_end(m);
	vici_section_end(m);
	return m;
}

static void test_bytes(void **state)
{
	/* Framing and element codes of the vici README: length, CMD_REQUEST, name, KEY_VALUE. */
	static const uint8_t want[] = { 0, 0, 0, 13, 0, 3, 'a', 'b', 'c', 3, 1, 'k', 0, 3, 'v', 'a', 'l' };
	struct vici_msg *m = vici_msg_new(VICI_CMD_REQUEST, "abc", false);
	const uint8_t *p;
	size_t len;

	(void)state;
	vici_put(m, "k", "val");
	assert_int_equal(vici_msg_finish(m, &p, &len), 0);
	assert_int_equal(len, sizeof(want));
	assert_memory_equal(p, want, len);
	vici_msg_free(m);
}

static void test_read(void **state)
{
	_cleanup_vici_msg_ struct vici_msg *m = sample();
	struct vici_packet packet = parsed(m);
	struct vici_view view, section, list;
	struct vici_item item;
	uint64_t n;
	char text[16];

	(void)state;
	assert_int_equal(packet.type, VICI_EVENT);
	assert_string_equal(packet.name, "list-sa");
	view = packet.message;
	assert_true(vici_next(&view, &item));
	assert_int_equal(item.kind, VICI_SECTION);
	assert_true(vici_item_named(&item, "guard-00"));
	assert_false(vici_item_named(&item, "guard-0"));
	section = item.body;
	assert_false(vici_next(&view, &item));

	assert_int_equal(vici_get_str(&section, "child-sas/link-4/state", text, sizeof(text)), 0);
	assert_string_equal(text, "INSTALLED");
	assert_int_equal(vici_get_str(&section, "child-sas/link-4/state", text, 9), -ENAMETOOLONG);
	assert_int_equal(vici_get_str(&section, "child-sas/link-5/state", text, sizeof(text)), -ENOENT);
	assert_int_equal(vici_get_str(&section, "child-sas", text, sizeof(text)), -ENOENT);
	assert_int_equal(vici_get_u64(&section, "child-sas/link-4/if-id-in", 16, UINT32_MAX, &n), 0);
	assert_int_equal(n, 0x616f0002);
	assert_int_equal(vici_get_u64(&section, "child-sas/link-4/if-id-in", 10, UINT32_MAX, &n), -EBADMSG);
	assert_int_equal(vici_get_u64(&section, "child-sas/link-4/if-id-in", 16, 0xffff, &n), -ERANGE);
	assert_int_equal(vici_get_u64(&section, "child-sas/link-4/bytes-in", 10, UINT64_MAX, &n), 0);
	assert_true(n == UINT64_MAX);
	assert_true(vici_is(&section, "initiator", "yes"));
	assert_false(vici_is(&section, "initiator", "ye"));

	assert_int_equal(vici_find(&section, "local-vips", VICI_LIST, &list), 0);
	assert_true(vici_next(&list, &item));
	assert_true(vici_next(&list, &item));
	assert_true(vici_view_is(&item.body, "fd00::1:0:0:7"));
	assert_null(item.name);
	assert_false(vici_next(&list, &item));
}

static void test_numbers(void **state)
{
	_cleanup_vici_msg_ struct vici_msg *m = vici_msg_new(VICI_CMD_RESPONSE, NULL, false);
	static const char nul[] = { 'a', 0, 'b' };
	struct vici_packet packet;
	uint64_t n = 77;
	char text[16];

	(void)state;
	vici_put(m, "empty", "");
	vici_put(m, "minus", "-1");
	vici_put(m, "over", "18446744073709551616");
	vici_put(m, "far", "99999999999999999999999999");
	vici_put_bytes(m, "nul", nul, sizeof(nul));
	packet = parsed(m);
	assert_int_equal(vici_get_u64(&packet.message, "empty", 10, 9, &n), -EBADMSG);
	assert_int_equal(vici_get_u64(&packet.message, "minus", 10, 9, &n), -EBADMSG);
	assert_int_equal(vici_get_u64(&packet.message, "over", 10, UINT64_MAX, &n), -ERANGE);
	assert_int_equal(vici_get_u64(&packet.message, "far", 10, UINT64_MAX, &n), -ERANGE);
	assert_int_equal(n, 77);
	assert_int_equal(vici_get_str(&packet.message, "nul", text, sizeof(text)), -EBADMSG);
}

static void test_limits(void **state)
{
	const uint8_t zero[VICI_HEADER_LEN] = { 0 }, large[VICI_HEADER_LEN] = { 0, 8, 0, 1 };
	char name[VICI_NAME_MAX + 2];
	struct vici_msg *m;
	const uint8_t *p;
	size_t len;

	(void)state;
	assert_int_equal(vici_header_parse(zero, &len), -EMSGSIZE);
	assert_int_equal(vici_header_parse(large, &len), -EMSGSIZE);

	memset(name, 'n', sizeof(name));
	name[VICI_NAME_MAX + 1] = '\0';
	m = vici_msg_new(VICI_CMD_REQUEST, "c", false);
	vici_put(m, name, "v");
	assert_int_equal(vici_msg_finish(m, &p, &len), -EMSGSIZE);
	vici_msg_free(m);
	m = vici_msg_new(VICI_CMD_REQUEST, name, false);
	assert_int_equal(vici_msg_finish(m, &p, &len), -EMSGSIZE);
	vici_msg_free(m);

	name[VICI_NAME_MAX] = '\0';
	m = vici_msg_new(VICI_CMD_REQUEST, "c", false);
	vici_put(m, name, "v");
	parsed(m);
	vici_msg_free(m);

	m = vici_msg_new(VICI_CMD_REQUEST, "c", false);
	for (int i = 0; i <= VICI_DEPTH_MAX; i++)
		vici_section_start(m, "s");
	assert_int_equal(vici_msg_finish(m, &p, &len), -EMSGSIZE);
	vici_msg_free(m);
}

static void test_sizes(void **state)
{
	uint8_t *value = calloc(1, VICI_VALUE_MAX + 1);
	struct vici_msg *m = vici_msg_new(VICI_CMD_REQUEST, "c", false);
	const uint8_t *p;
	size_t len;

	(void)state;
	for (int i = 0; i < 7; i++)
		vici_put_bytes(m, "k", value, VICI_VALUE_MAX);
	parsed(m);
	vici_put_bytes(m, "k", value, VICI_VALUE_MAX);
	assert_int_equal(vici_msg_finish(m, &p, &len), -EMSGSIZE);
	vici_msg_free(m);

	m = vici_msg_new(VICI_CMD_REQUEST, "c", false);
	vici_put_bytes(m, "k", value, VICI_VALUE_MAX + 1);
	assert_int_equal(vici_msg_finish(m, &p, &len), -EMSGSIZE);
	vici_msg_free(m);

	/* A secret message does not move, so it cannot grow. */
	m = vici_msg_new(VICI_CMD_REQUEST, "c", true);
	vici_put_bytes(m, "k", value, VICI_SECRET_MAX - 100);
	parsed(m);
	vici_put_bytes(m, "k", value, 200);
	assert_int_equal(vici_msg_finish(m, &p, &len), -EMSGSIZE);
	vici_msg_free(m);
	vici_msg_free(NULL);
	free(value);
}

static void test_unbalanced(void **state)
{
	const uint8_t *p;
	size_t len;
	struct vici_msg *m = vici_msg_new(VICI_CMD_REQUEST, "c", false);

	(void)state;
	vici_section_start(m, "s");
	assert_int_equal(vici_msg_finish(m, &p, &len), -EINVAL);
	vici_section_end(m);
	parsed(m);
	vici_section_end(m);
	assert_int_equal(vici_msg_finish(m, &p, &len), -EINVAL);
	vici_msg_free(m);

	m = vici_msg_new(VICI_CMD_REQUEST, "c", false);
	vici_list_start(m, "l");
	vici_put(m, "k", "v");
	assert_int_equal(vici_msg_finish(m, &p, &len), -EINVAL);
	vici_msg_free(m);

	m = vici_msg_new(VICI_CMD_REQUEST, "c", false);
	vici_list_item(m, "v");
	assert_int_equal(vici_msg_finish(m, &p, &len), -EINVAL);
	vici_msg_free(m);
}

static void test_refused(void **state)
{
	static const struct {
		const char *what;
		uint8_t len, bytes[16];
	} cases[] = {
		{ "nothing", 0, { 0 } },
		{ "type 8", 1, { 8 } },
		{ "no name", 1, { 0 } },
		{ "cut name", 3, { 0, 5, 'a' } },
		{ "NUL in name", 4, { 0, 2, 'a', 0 } },
		{ "message after a confirm", 2, { 5, 2 } },
		{ "section without end", 4, { 1, 1, 1, 'a' } },
		{ "end without section", 2, { 1, 2 } },
		{ "item without list", 5, { 1, 5, 0, 1, 'a' } },
		{ "list without end", 4, { 1, 4, 1, 'a' } },
		{ "section in a list", 7, { 1, 4, 1, 'a', 1, 1, 'b' } },
		{ "section end in a list", 8, { 1, 1, 1, 'a', 4, 1, 'b', 2 } },
		{ "list end in a section", 5, { 1, 1, 1, 'a', 6 } },
		{ "cut value", 7, { 1, 3, 1, 'a', 0, 2, 'b' } },
		{ "element 0", 2, { 1, 0 } },
		{ "element 7", 2, { 1, 7 } },
	};
	struct vici_packet packet = { .type = VICI_EVENT_UNKNOWN };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (vici_packet_parse(cases[i].bytes, cases[i].len, &packet) != -EBADMSG)
			fail_msg("%s was accepted", cases[i].what);
	assert_int_equal(packet.type, VICI_EVENT_UNKNOWN); /* untouched */
}

/* Every truncation of a good packet is refused, except where it ends between elements. */
static void test_truncated(void **state)
{
	_cleanup_vici_msg_ struct vici_msg *m = sample();
	struct vici_packet packet;
	const uint8_t *p;
	size_t len;

	(void)state;
	assert_int_equal(vici_msg_finish(m, &p, &len), 0);
	p += VICI_HEADER_LEN;
	len -= VICI_HEADER_LEN;
	for (size_t cut = 2 + strlen("list-sa") + 1; cut < len; cut++) {
		/* A copy of that size, for the sanitizer to watch its end. */
		uint8_t *copy = malloc(cut);

		memcpy(copy, p, cut);
		assert_int_equal(vici_packet_parse(copy, cut, &packet), -EBADMSG);
		free(copy);
	}
	assert_int_equal(vici_packet_parse(p, len, &packet), 0);
}

static void test_sa(void **state)
{
	_cleanup_vici_msg_ struct vici_msg *m = sample();
	struct vici_packet packet = parsed(m);
	struct vici_view section;
	struct in6_addr vip = { .s6_addr = { 0xfd, [9] = 1, [15] = 7 } };
	struct sa sa;

	(void)state;
	assert_int_equal(vici_find(&packet.message, "guard-00", VICI_SECTION, &section), 0);
	assert_int_equal(sa_parse(&section, &sa), 0);
	assert_int_equal(sa.ike_id, 17);
	assert_true(sa.established && sa.ours && sa.up && sa.has_vip);
	assert_int_equal(sa.child_id, 4); /* the newest that carries traffic, not the one being deleted */
	assert_true(sa.bytes_in == UINT64_MAX && sa.bytes_out == 0);
	assert_memory_equal(&sa.vip, &vip, sizeof(vip));
	/* The outer message is no SA. */
	assert_int_equal(sa_parse(&packet.message, &sa), -EBADMSG);
}

static void test_conn_name(void **state)
{
	struct relay_id id = { .b = { 1, 0xab, [31] = 0xff } }, back;
	char name[CONN_NAME_MAX];

	(void)state;
	conn_name(CONN_RELAY, &id, name);
	assert_int_equal(conn_name_parse(name, strlen(name), CONN_RELAY, &back), 0);
	assert_memory_equal(&id, &back, sizeof(id));
	assert_int_equal(conn_name_parse(name, strlen(name), CONN_GUARD, &back), -EINVAL);
	assert_int_equal(conn_name_parse(name, strlen(name) - 1, CONN_RELAY, &back), -EINVAL);
	name[10] = 'g';
	assert_int_equal(conn_name_parse(name, strlen(name), CONN_RELAY, &back), -EINVAL);
}

/* test_vici --seeds DIRECTORY writes the fuzzer's first corpus. */
static int write_seed(const char *dir, const char *name, struct vici_msg *m)
{
	_cleanup_vici_msg_ struct vici_msg *owned = m;
	_cleanup_fclose_ FILE *f = NULL;
	char path[256];
	const uint8_t *p;
	size_t len;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "we");
	if (!f || vici_msg_finish(owned, &p, &len) < 0)
		return 1;
	return fwrite(p + VICI_HEADER_LEN, 1, len - VICI_HEADER_LEN, f) != len - VICI_HEADER_LEN;
}

static int write_seeds(const char *dir)
{
	struct vici_msg *m = vici_msg_new(VICI_CMD_RESPONSE, NULL, false);

	mkdir(dir, 0755);
	vici_put(m, "success", "no");
	vici_put(m, "errmsg", "unknown");
	return write_seed(dir, "list-sa", sample()) || write_seed(dir, "answer", m) ||
	       write_seed(dir, "confirm", vici_msg_new(VICI_EVENT_CONFIRM, NULL, false)) ||
	       write_seed(dir, "register", vici_msg_new(VICI_EVENT_REGISTER, "log", false));
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes),	  cmocka_unit_test(test_read),	    cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_limits),	  cmocka_unit_test(test_sizes),	    cmocka_unit_test(test_unbalanced),
		cmocka_unit_test(test_refused),	  cmocka_unit_test(test_truncated), cmocka_unit_test(test_sa),
		cmocka_unit_test(test_conn_name),
	};

	if (sodium_init() < 0)
		return 1;
	if (argc == 3 && strcmp(argv[1], "--seeds") == 0)
		return write_seeds(argv[2]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
