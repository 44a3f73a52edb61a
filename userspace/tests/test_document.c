/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Directory documents: what is a line, a word, a section; one sentence with line and field for all else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "lib/cleanup.h"
#include "wire/document.h"

struct seen {
	uint64_t number, pair[2];
	uint8_t key[2];
	char name[8];
	bool flag;
};

static int take_number(void *ctx, struct document_words *w, struct error *err)
{
	return document_number(w, 1, 100, &((struct seen *)ctx)->number, err);
}

static int take_pair(void *ctx, struct document_words *w, struct error *err)
{
	struct seen *s = ctx;
	int r = document_number(w, 0, UINT64_MAX, &s->pair[0], err);

	return r < 0 ? r : document_number(w, 0, UINT64_MAX, &s->pair[1], err);
}

static int take_key(void *ctx, struct document_words *w, struct error *err)
{
	return document_bytes(w, ((struct seen *)ctx)->key, 2, err);
}

static int take_name(void *ctx, struct document_words *w, struct error *err)
{
	return document_string(w, ((struct seen *)ctx)->name, sizeof(((struct seen *)ctx)->name), err);
}

static int take_flag(void *ctx, struct document_words *w, struct error *err)
{
	(void)w;
	(void)err;
	((struct seen *)ctx)->flag = true;
	return 0;
}

static const struct document_field fields[] = {
	{ "number", take_number, false }, { "pair", take_pair, true }, { "key", take_key, false },
	{ "name", take_name, true },	  { "flag", take_flag, true },
};
static const char *const stops[] = { "number", "end", NULL };

static int read_text(const char *text, size_t len, struct seen *s, struct error *err)
{
	struct document_reader r = document_reader_of(text, len);
	int e = document_begin(&r, "test", 1, err);

	return e < 0 ? e : document_section(&r, fields, ARRAY_SIZE(fields), stops, s, err);
}

static void sections(void **state)
{
	static const char text[] = "anond-test 1\n"
				   "from-later one two\n"
				   "number 7\npair 0 18446744073709551615\nkey AQI=\n"
				   "x\n"
				   "name r1\nflag\n"
				   "number 8\nkey AwQ=\n"
				   "end\n";
	struct document_reader r = document_reader_of(text, strlen(text));
	struct document_line line;
	struct seen s = { .name = "zzzzzzz" };
	struct error err;

	(void)state;
	assert_int_equal(document_begin(&r, "test", 1, &err), 0);
	assert_int_equal(document_section(&r, fields, ARRAY_SIZE(fields), stops, &s, &err), 0);
	assert_true(s.number == 7 && s.pair[0] == 0 && s.pair[1] == UINT64_MAX && s.key[1] == 2 && s.flag);
	assert_memory_equal(s.name, "r1\0\0\0\0\0\0", 8); /* nothing of what was there before */
	memset(&s, 0, sizeof(s));
	assert_int_equal(document_section(&r, fields, ARRAY_SIZE(fields), stops, &s, &err), 0);
	assert_true(s.number == 8 && s.key[0] == 3 && !s.flag);
	assert_int_equal(document_peek(&r, &line, &err), 1);
	assert_true(document_is(&line, "end") && !document_is(&line, "en") && !document_is(&line, "end-"));
	assert_int_equal(line.number, 11);
	document_skip(&r, &line);
	assert_int_equal(document_peek(&r, &line, &err), 0);
}

#define HEAD "anond-test 1\n"
static void refused(void **state)
{
	static const struct {
		const char *text, *says;
		int error;
	} bad[] = {
		{ "", "line 1: not a document of kind test", -EINVAL },
		{ "anond-tests 1\n", "line 1: not a document of kind test", -EINVAL },
		{ "anond-test 2\n", "line 1: version: this program reads 1, not 2", -EPROTONOSUPPORT },
		{ "anond-test\n", "line 1: version: a word lacks", -EINVAL },
		{ "anond-test 1 1\n", "line 1: more than a version", -EINVAL },
		{ "anond-test 1", "line 1: it does not end", -EINVAL },
		{ HEAD, "line 2: number: it lacks before this line", -EINVAL },
		{ HEAD "end\n", "line 2: number: it lacks before this line", -EINVAL },
		{ HEAD "number 7\n", "line 3: key: it lacks", -EINVAL },
		{ HEAD "number 7\nname a\n", "line 3: key: it lacks", -EINVAL },
		{ HEAD "number 7\nkey AQI=\nkey AQI=\n", "line 4: key: it stands twice", -EINVAL },
		{ HEAD "number 7\nkey AQI=\npair 1 2\n", "line 4: pair: it stands twice, or not in its order",
		  -EINVAL },
		{ HEAD "number 0\n", "line 2: number: not a number from 1 to 100", -EINVAL },
		{ HEAD "number 101\n", "line 2: number: not a number", -EINVAL },
		{ HEAD "number 07\n", "line 2: number: not a number", -EINVAL },
		{ HEAD "number +7\n", "line 2: number: not a number", -EINVAL },
		{ HEAD "number 7x\n", "line 2: number: not a number", -EINVAL },
		{ HEAD "number\n", "line 2: number: a word lacks", -EINVAL },
		{ HEAD "number 7 8\n", "line 2: number: more words", -EINVAL },
		{ HEAD "number 7\npair 0 18446744073709551616\n", "line 3: pair: not a number", -EINVAL },
		{ HEAD "number 7\npair 0 99999999999999999999\n", "line 3: pair: not a number", -EINVAL },
		{ HEAD "number 7\nkey AQIDBA==\n", "line 3: key: not 2 bytes", -EINVAL },
		{ HEAD "number 7\nkey AQI\n", "line 3: key: not 2 bytes", -EINVAL },
		{ HEAD "number 7\nkey AQJ=\n", "line 3: key: not 2 bytes", -EINVAL }, /* bits that nobody reads */
		{ HEAD "number 7\nkey AQI=\nname 12345678\n", "line 4: name: longer than 7", -EINVAL },
		{ HEAD "number 7\nkey AQI=\nflag 1\n", "line 4: flag: more words", -EINVAL },
		{ HEAD "number  7\n", "line 2: not a keyword and words", -EINVAL },
		{ HEAD "number 7 \n", "line 2: not a keyword and words", -EINVAL },
		{ HEAD "number\t7\n", "line 2: not a keyword and words", -EINVAL },
		{ HEAD "number 7\r\n", "line 2: not a keyword and words", -EINVAL },
		{ HEAD "\n", "line 2: not a keyword and words", -EINVAL },
		{ HEAD " number 7\n", "line 2: not a keyword and words", -EINVAL },
		{ HEAD "Number 7\n", "line 2: not a keyword and words", -EINVAL },
		{ HEAD "9 7\n", "line 2: not a keyword and words", -EINVAL },
		{ HEAD "x \x80\n", "line 2: not a keyword and words", -EINVAL },
		{ HEAD "abcdefghijklmnopqrstuvwxyz1234567 7\n", "line 2: not a keyword and words", -EINVAL },
		{ HEAD "number 7\nkey AQI=", "line 3: it does not end", -EINVAL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct error err = { "" };
		struct seen s;
		int r = read_text(bad[i].text, strlen(bad[i].text), &s, &err);

		if (r != bad[i].error || strncmp(err.text, bad[i].says, strlen(bad[i].says)) != 0)
			fail_msg("%zu: %d %s", i, r, err.text);
	}
}

static void limits(void **state)
{
	char text[sizeof(HEAD) + DOCUMENT_LINE_MAX + 1] = HEAD;
	size_t begin = strlen(HEAD);
	struct error err = { "" };
	struct seen s;

	(void)state;
	memset(text + begin, 'x', DOCUMENT_LINE_MAX + 1);
	text[begin + 1] = ' ';
	text[begin + DOCUMENT_LINE_MAX - 1] = '\n';
	assert_int_equal(read_text(text, begin + DOCUMENT_LINE_MAX, &s, &err), -EINVAL);
	assert_string_equal(err.text, "line 3: number: it lacks before this line");
	text[begin + DOCUMENT_LINE_MAX - 1] = 'x';
	text[begin + DOCUMENT_LINE_MAX] = '\n';
	assert_int_equal(read_text(text, begin + DOCUMENT_LINE_MAX + 1, &s, &err), -EINVAL);
	assert_string_equal(err.text, "line 2: longer than 2048 bytes");
	/* a zero is a byte like others that are none of a line's */
	assert_int_equal(read_text(HEAD "x\0\n", begin + 3, &s, &err), -EINVAL);
	assert_string_equal(err.text, "line 2: not a keyword and words with one space before each");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sections),
		cmocka_unit_test(refused),
		cmocka_unit_test(limits),
	};

	return cmocka_run_group_tests_name("document", tests, NULL, NULL);
}
