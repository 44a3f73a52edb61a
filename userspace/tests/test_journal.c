/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The journal: torn, damaged and half-written lines, and its compaction. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "anond/journal.h"

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

static void damaged_line_is_passed_over(void **state)
{
	static const char text[] = "{\"n\":1}\ngarbage\n[1]\n{\"n\":2}\n{\"n\":3";
	struct seen s = { 0 };
	struct journal *j;
	int fd = open(*state, O_WRONLY);

	assert_int_equal(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
	close(fd);
	assert_int_equal(journal_open(*state, load, &s, &j), 0);
	assert_true(s.n == 2 && s.last == 2);
	assert_int_equal(journal_damaged(j), 2); /* the torn one is no damage */
	assert_int_equal(journal_append(j, json_pack("{s:i}", "n", 4)), 0);
	journal_close(j);
	s = (struct seen){ 0 };
	assert_int_equal(journal_open(*state, load, &s, &j), 0);
	assert_true(s.n == 3 && s.last == 4);
	journal_close(j);
}

static off_t size_of(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_size;
}

/* The file may grow to max bytes and not further: the write that reaches it is a short one, as on a full disk. */
static void file_max(rlim_t max)
{
	const struct rlimit l = { max, RLIM_INFINITY };

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &l), 0);
}

static void no_part_of_a_line_stays(void **state)
{
	struct seen s = { 0 };
	struct journal *j;
	off_t before;

	assert_int_equal(journal_open(*state, load, &s, &j), 0);
	assert_int_equal(journal_append(j, json_pack("{s:i}", "n", 1)), 0);
	before = size_of(*state);
	file_max((rlim_t)before + 4);
	assert_int_equal(journal_append(j, json_pack("{s:i, s:s}", "n", 2, "rest", "of a long line")), -EFBIG);
	assert_int_equal(size_of(*state), before);
	file_max(RLIM_INFINITY);
	assert_int_equal(journal_append(j, json_pack("{s:i}", "n", 3)), 0);
	journal_close(j);
	assert_int_equal(journal_open(*state, load, &s, &j), 0);
	assert_true(s.n == 2 && s.last == 3);
	assert_int_equal(journal_damaged(j), 0);
	journal_close(j);
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

static void dump_nothing(void *ctx, struct journal *j)
{
	(void)j;
	++*(int *)ctx;
}

static void failed_compaction_waits(void **state)
{
	struct seen s = { 0 };
	struct journal *j;
	int tried = 0, i = 0;

	assert_int_equal(journal_open(*state, load, &s, &j), 0);
	for (; i < 300; i++)
		assert_int_equal(journal_append(j, json_pack("{s:i}", "n", i)), 0);
	assert_int_equal(journal_compact(j, 1, dump_nothing, &tried), -EIO);
	for (; i < 599; i++) {
		assert_int_equal(journal_append(j, json_pack("{s:i}", "n", i)), 0);
		assert_int_equal(journal_compact(j, 1, dump_nothing, &tried), 0);
	}
	assert_int_equal(tried, 1);
	assert_int_equal(journal_append(j, json_pack("{s:i}", "n", i)), 0);
	assert_int_equal(journal_compact(j, 2, dump_two, NULL), 0);
	journal_close(j);
	assert_int_equal(journal_open(*state, load, &s, &j), 0);
	assert_int_equal(s.n, 2);
	journal_close(j);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(journal_survives_a_torn_line, make_path, remove_path),
		cmocka_unit_test_setup_teardown(damaged_line_is_passed_over, make_path, remove_path),
		cmocka_unit_test_setup_teardown(no_part_of_a_line_stays, make_path, remove_path),
		cmocka_unit_test_setup_teardown(journal_compacts, make_path, remove_path),
		cmocka_unit_test_setup_teardown(failed_compaction_waits, make_path, remove_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
