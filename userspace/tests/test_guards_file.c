/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The file of guards: what was written is read, nothing else is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "anond/guards_file.h"
#include "directory/file.h"
#include "lib/cleanup.h"

static const uint8_t keys[][32] = { { 1 }, { 2 }, { 3 }, { 4 }, { 5 } };
static const struct signers one = { keys, 1 }, other = { keys + 1, 1 };

static struct guards sample(size_t n)
{
	struct guards g = { .n = n, .grown = 1700000000 };

	for (size_t i = 0; i < n; i++)
		g.v[i] = (struct guard){ .id = { { (uint8_t)(i + 1) } },
					 .added = 1600000000 + i,
					 .confirmed = i == 0 ? 1650000000 : 0,
					 .unlisted = i == 1 ? 1660000000 : 0,
					 .failures = 3, /* of this run only */
					 .retry_at = 99 };
	return g;
}

static void round_trip(void **state)
{
	(void)state;
	for (size_t n = 0; n <= GUARDS_MAX; n += 5) {
		struct guards g = sample(n), back;
		char *text = guards_format(&one, &g);

		assert_int_equal(guards_parse(text, strlen(text), &one, &back), 0);
		assert_int_equal(back.n, n);
		assert_int_equal(back.grown, g.grown);
		for (size_t i = 0; i < n; i++) {
			g.v[i].failures = 0;
			g.v[i].retry_at = 0;
			assert_memory_equal(&back.v[i], &g.v[i], sizeof(g.v[i]));
		}
		/* another network's are none of ours, and no damage */
		assert_int_equal(guards_parse(text, strlen(text), &other, &back), 0);
		assert_int_equal(back.n, 0);
		free(text);
	}
}

/* An authority more, or another one in the place of one, is the same network; a new majority is not. */
static void signers_change(void **state)
{
	static const struct {
		struct signers then, now;
		bool same;
	} cases[] = {
		{ { keys, 3 }, { keys, 3 }, true },	 { { keys, 3 }, { keys, 5 }, true },
		{ { keys, 3 }, { keys + 1, 3 }, true },	 { { keys, 5 }, { keys, 1 }, true },
		{ { keys, 3 }, { keys + 2, 3 }, false }, { { keys, 2 }, { keys, 4 }, false },
		{ { keys, 1 }, { keys + 1, 4 }, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct guards g = sample(3), back;
		char *text = guards_format(&cases[i].then, &g);

		assert_int_equal(guards_parse(text, strlen(text), &cases[i].now, &back), 0);
		assert_int_equal(back.n, cases[i].same ? 3 : 0);
		free(text);
	}
}

#define KEY "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define GUARD "{\"identity\":\"" KEY "\",\"added\":5,\"confirmed\":0,\"unlisted\":0}"
#define OTHER                                                                                                          \
	"{\"identity\":\"ZQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\",\"added\":5,\"confirmed\":0,\"unlisted\":0}"
#define FILE_OF(rest) "{\"version\":1,\"signers\":[\"" KEY "\"]," rest "}"

static void strict(void **state)
{
	static const char good[] = FILE_OF("\"grown\":7,\"guards\":[" GUARD "]");
	static const char *const bad[] = {
		"",
		"[]",
		"{}",
		FILE_OF("\"grown\":7"),
		FILE_OF("\"guards\":[]"),
		FILE_OF("\"grown\":7,\"guards\":{}"),
		FILE_OF("\"grown\":-1,\"guards\":[]"),
		FILE_OF("\"grown\":253402300800,\"guards\":[]"),
		FILE_OF("\"grown\":\"7\",\"guards\":[]"),
		FILE_OF("\"grown\":7,\"guards\":[],\"more\":1"),
		FILE_OF("\"grown\":7,\"grown\":7,\"guards\":[]"),
		FILE_OF("\"grown\":7,\"guards\":[" GUARD "," GUARD "]"), /* twice */
		FILE_OF("\"grown\":7,\"guards\":[{\"identity\":\"AQ==\",\"added\":5,\"confirmed\":0,\"unlisted\":0}]"),
		FILE_OF("\"grown\":7,\"guards\":[{\"identity\":\"" KEY "\",\"added\":5,\"confirmed\":0}]"),
		FILE_OF("\"grown\":7,\"guards\":[7]"),
		"{\"version\":2,\"signers\":[\"" KEY "\"],\"grown\":7,\"guards\":[]}",
		"{\"version\":1,\"signers\":[\"x\"],\"grown\":7,\"guards\":[]}",
		"{\"version\":1,\"signers\":[],\"grown\":7,\"guards\":[]}",
		"{\"version\":1,\"signers\":\"" KEY "\",\"grown\":7,\"guards\":[]}",
		FILE_OF("\"grown\":7,\"guards\":[]") "x",
	};
	struct guards g = sample(3), many = sample(GUARDS_MAX);
	char *text, *list, *more;

	(void)state;
	assert_int_equal(guards_parse(good, strlen(good), &one, &g), 0);
	assert_int_equal(g.n, 1);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		g = sample(3);
		assert_int_equal(guards_parse(bad[i], strlen(bad[i]), &one, &g), -EBADMSG);
		assert_int_equal(g.n, 0);
	}
	/* one more than there may be */
	text = guards_format(&one, &many);
	assert_int_equal(guards_parse(text, strlen(text), &one, &g), 0);
	assert_int_equal(g.n, GUARDS_MAX);
	list = strstr(text, "\"guards\": [") + strlen("\"guards\": [");
	assert_true(asprintf(&more, "%.*s" OTHER ",%s", (int)(list - text), text, list) > 0);
	free(text);
	text = more;
	assert_int_equal(guards_parse(text, strlen(text), &one, &g), -EBADMSG);
	free(text);
}

static void in_a_directory(void **state)
{
	char dir[] = "/tmp/test_guards_file.XXXXXX", path[64];
	struct guards g = sample(3), back;
	struct stat before, after;
	struct error err;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/" GUARDS_FILE, dir);
	assert_int_equal(guards_file_load(dir, &one, &back, &err), 0);
	assert_int_equal(back.n, 0);
	assert_int_equal(guards_file_save(dir, &one, &g, &err), 0);
	assert_int_equal(stat(path, &before), 0);
	assert_int_equal(before.st_mode & 07777, 0600);
	g.v[0].failures = 7; /* is not written down, so nothing is */
	assert_int_equal(guards_file_save(dir, &one, &g, &err), 0);
	assert_int_equal(stat(path, &after), 0);
	assert_int_equal(after.st_ino, before.st_ino);
	assert_int_equal(guards_file_load(dir, &one, &back, &err), 0);
	assert_int_equal(back.n, 3);
	g.v[1].confirmed = 1670000000;
	assert_int_equal(guards_file_save(dir, &one, &g, &err), 0);
	assert_int_equal(guards_file_load(dir, &one, &back, &err), 0);
	assert_int_equal(back.v[1].confirmed, 1670000000);
	assert_int_equal(file_replace(path, "{", 1, 0600, &err), 0);
	assert_int_equal(guards_file_load(dir, &one, &back, &err), -EBADMSG);
	assert_non_null(strstr(err.text, "guards: damaged"));
	unlink(path);
	rmdir(dir);
	assert_true(guards_file_save(dir, &one, &g, &err) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip),
		cmocka_unit_test(signers_change),
		cmocka_unit_test(strict),
		cmocka_unit_test(in_a_directory),
	};

	return cmocka_run_group_tests_name("file of guards", tests, NULL, NULL);
}
