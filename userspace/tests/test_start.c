/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a start looks at first: is another anond there, is the network file an old one, is there such an account. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "anond/lock.h"
#include "anond/newest.h"
#include "anond/privilege.h"
#include "directory/file.h"

static char dir[64];

static int setup(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/test_start.XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	static const char *const names[] = { "lock", "network-newest", "elsewhere" };
	char path[96];

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		unlink(path);
	}
	return rmdir(dir);
}

static void one_at_a_time(void **state)
{
	char lock[96], elsewhere[96];
	struct error err = { "" };
	int first = -1, second = -1;

	(void)state;
	assert_int_equal(lock_take(dir, &first, &err), 0);
	assert_int_equal(lock_take(dir, &second, &err), -EWOULDBLOCK);
	assert_non_null(strstr(err.text, "another anond is running"));
	assert_int_equal(second, -1);
	close(first);
	assert_int_equal(lock_take(dir, &second, &err), 0);
	close(second);
	/* Not through a link that somebody put there. */
	snprintf(lock, sizeof(lock), "%s/lock", dir);
	snprintf(elsewhere, sizeof(elsewhere), "%s/elsewhere", dir);
	unlink(lock);
	assert_int_equal(symlink(elsewhere, lock), 0);
	assert_int_equal(lock_take(dir, &first, &err), -ELOOP);
	assert_int_not_equal(access(elsewhere, F_OK), 0);
}

static void newest(void **state)
{
	static const char *const damaged[] = { "", "{}", "[1]", "{\"network-key\":\"00\",\"valid-from\":1}",
					       "{\"network-key\":1,\"valid-from\":1}" };
	uint8_t key[NETWORK_KEY_LEN] = { 1 }, other[NETWORK_KEY_LEN] = { 2 };
	struct error err = { "" };
	uint64_t seen = 9;
	char path[96];

	(void)state;
	assert_int_equal(newest_load(dir, key, &seen, &err), 0);
	assert_int_equal(seen, 0);
	assert_int_equal(newest_save(dir, key, 1700000000, &err), 0);
	assert_int_equal(newest_load(dir, key, &seen, &err), 0);
	assert_int_equal(seen, 1700000000);
	/* An older one does not take its place. */
	assert_int_equal(newest_save(dir, key, 1600000000, &err), 0);
	assert_int_equal(newest_load(dir, key, &seen, &err), 0);
	assert_int_equal(seen, 1700000000);
	/* Another network begins anew. */
	assert_int_equal(newest_load(dir, other, &seen, &err), 0);
	assert_int_equal(seen, 0);
	assert_int_equal(newest_save(dir, other, 1600000000, &err), 0);
	assert_int_equal(newest_load(dir, other, &seen, &err), 0);
	assert_int_equal(seen, 1600000000);
	snprintf(path, sizeof(path), "%s/network-newest", dir);
	for (size_t i = 0; i < sizeof(damaged) / sizeof(damaged[0]); i++) {
		assert_int_equal(file_replace(path, damaged[i], strlen(damaged[i]), 0600, &err), 0);
		assert_int_equal(newest_load(dir, key, &seen, &err), -EBADMSG);
	}
	assert_int_equal(newest_save(dir, key, 5, &err), 0);
	assert_int_equal(newest_load(dir, key, &seen, &err), 0);
	assert_int_equal(seen, 5);
	assert_true(newest_save("/nonexistent", key, 5, &err) < 0);
}

static void accounts(void **state)
{
	struct account a = { .uid = 77, .gid = 77 };
	struct error err = { "" };

	(void)state;
	assert_int_equal(account_find("root", NULL, &a, &err), 0);
	assert_int_equal(a.uid, 0);
	assert_int_equal(a.gid, 0);
	assert_int_equal(account_find("daemon", "root", &a, &err), 0);
	assert_int_not_equal(a.uid, 0);
	assert_int_equal(a.gid, 0);
	assert_int_equal(account_find("no-such-user", NULL, &a, &err), -ENOENT);
	assert_string_equal(err.text, "user no-such-user: there is none");
	assert_int_equal(account_find("root", "no-such-group", &a, &err), -ENOENT);
	assert_string_equal(err.text, "group no-such-group: there is none");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = { TEST(one_at_a_time), TEST(newest), TEST(accounts) };

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
