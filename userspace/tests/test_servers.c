/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "directory/servers.h"
#include "lib/base64.h"
#include "lib/cleanup.h"

static void urls(void **state)
{
	char url[SERVER_URL_MAX], path[SERVER_URL_MAX];
	struct server s;

	(void)state;
	assert_int_equal(server_parse("192.0.2.10:80", &s), 0);
	assert_int_equal(server_url(&s, false, "consensus", url), 0);
	assert_string_equal(url, "http://192.0.2.10:80/anond/1/consensus");
	assert_int_equal(server_url(&s, true, "consensus", url), -ENOENT);
	assert_int_equal(server_parse("[2001:db8::10],192.0.2.10", &s), 0);
	assert_int_equal(server_url(&s, true, "consensus", url), 0);
	assert_string_equal(url, "http://[2001:db8::10]:9030/anond/1/consensus");
	assert_int_equal(server_url(&s, false, "x", url), 0);
	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(server_url(&s, false, path, url), -ENAMETOOLONG);
}

static void what_is_no_server(void **state)
{
	static const char *const bad[] = {
		"",
		"example.org",
		"192.0.2.10:",
		"192.0.2.10:0",
		"192.0.2.10:+1",
		"192.0.2.10: 80",
		"192.0.2.10:080",
		"192.0.2.10:65536",
		"192.0.2.10:80x",
		"192.0.2.10,192.0.2.11",
		"[2001:db8::1],[2001:db8::2]",
		"192.0.2.10,",
		",192.0.2.10",
		"2001:db8::1",
		"[2001:db8::1",
		"[2001:db8::1]80",
		"[192.0.2.10]",
		"0.0.0.0",
		"127.0.0.1",
		"[::1]",
		"224.0.0.1",
		"http://192.0.2.10",
	};
	struct server s;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (server_parse(bad[i], &s) != -EINVAL)
			fail_msg("%s was taken", bad[i]);
	assert_int_equal(server_parse("192.0.2.10:65535", &s), 0);
}

static void authorities(void **state)
{
	struct authorities a = { 0 };
	uint8_t key[32] = { 0 }, keys[AUTHORITIES_MAX][32];
	char text[128];

	(void)state;
	for (uint8_t i = 0; i < AUTHORITIES_MAX; i++) {
		key[0] = i;
		base64_write(key, sizeof(key), text);
		strcat(text, "@192.0.2.10:80");
		assert_int_equal(authorities_add(&a, text), 0);
		assert_int_equal(authorities_add(&a, text), -EEXIST);
	}
	authorities_keys(&a, keys);
	assert_memory_equal(keys[AUTHORITIES_MAX - 1], key, 32);
	assert_int_equal(authorities_find(&a, key), AUTHORITIES_MAX - 1);
	key[0] = 99;
	assert_int_equal(authorities_find(&a, key), -ENOENT);
	base64_write(key, sizeof(key), text);
	assert_int_equal(authorities_add(&a, text), -EINVAL);
	strcat(text, "@192.0.2.10:80");
	assert_int_equal(authorities_add(&a, text), -ENOSPC);
	text[0] = '!';
	assert_int_equal(authorities_add(&a, text), -EINVAL);
	assert_int_equal(authorities_add(&a, "AAAA@192.0.2.10"), -EINVAL);
	assert_int_equal(authorities_add(&a, "@192.0.2.10"), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(urls), cmocka_unit_test(what_is_no_server),
					    cmocka_unit_test(authorities) };

	return cmocka_run_group_tests_name("servers", tests, NULL, NULL);
}
