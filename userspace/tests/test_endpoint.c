/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where servers are: addresses and ports as people write them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "lib/cleanup.h"
#include "model/endpoint.h"

static void good(void **state)
{
	static const struct {
		const char *text, *again;
	} all[] = {
		{ "192.0.2.1", "192.0.2.1:9030" },
		{ "192.0.2.1:1", "192.0.2.1:1" },
		{ "10.0.0.1:65535", "10.0.0.1:65535" },
		{ "[2001:db8::1]", "[2001:db8::1]:9030" },
		{ "[2001:DB8:0::1]:80", "[2001:db8::1]:80" },
		{ "[2001:db8:1111:2222:3333:4444:5555:6666]:65535", "[2001:db8:1111:2222:3333:4444:5555:6666]:65535" },
	};
	char text[ENDPOINT_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		struct endpoint e, same;

		assert_int_equal(endpoint_parse(all[i].text, strlen(all[i].text), 9030, &e), 0);
		endpoint_format(&e, text);
		assert_string_equal(text, all[i].again);
		assert_int_equal(endpoint_parse(text, strlen(text), 1, &same), 0);
		assert_true(endpoint_same(&e, &same));
		same.port ^= 1;
		assert_false(endpoint_same(&e, &same));
	}
}

static void bad(void **state)
{
	static const char *const all[] = {
		"",
		"192.0.2.1:",
		"192.0.2.1:0",
		"192.0.2.1:65536",
		"192.0.2.1:080",
		"192.0.2.1:8 ",
		"192.0.2:80",
		"192.0.2.1 ",
		"example.org",
		"0.0.0.0:80",
		"127.0.0.1:80",
		"224.0.0.1:80",
		"2001:db8::1",
		"[2001:db8::1",
		"[]:80",
		"[::]:80",
		"[::1]:80",
		"[fe80::1]:80",
		"[ff02::1]:80",
		"[192.0.2.1]",
		"[2001:db8::1]80",
		"[2001:db8::1]:",
		"[::ffff:1.2.3.4]",
		"192.0.2.1:80:80",
		"192.0.2.1:99999999999999999999",
		"192.0.2.1:+1",
		"[2001:db8:1111:2222:3333:4444:5555:6666]:6553500000000000000",
	};
	struct endpoint e;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		if (endpoint_parse(all[i], strlen(all[i]), 9030, &e) != -EINVAL)
			fail_msg("taken: %s", all[i]);
	assert_int_equal(endpoint_parse("192.0.2.1\0x", 11, 9030, &e), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(good), cmocka_unit_test(bad) };

	return cmocka_run_group_tests_name("endpoint", tests, NULL, NULL);
}
