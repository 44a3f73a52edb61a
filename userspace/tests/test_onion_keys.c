/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A relay's onion keys through the months, with restarts, sleeps and clocks that are set; and their file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "directory/file.h"
#include "directory/onion_store.h"
#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/secmem.h"
#include "tests/circuit_fixture.h"

#define HOUR 3600u
#define DAY 86400u
#define YEAR (365u * DAY)
#define LOOK HOUR /* the longest that anond sleeps */

static const struct onion_schedule week = { 7 * DAY, DAY };
static const struct relay_id own = { { 7 } };

/* One relay and its world: `now` is the truth, which no clock need show. */
struct life {
	struct onion_keys *k;
	uint64_t now, boot;
	int64_t wrong; /* what the wall clock shows too much */
	char disk[ONION_KEYS_TEXT_MAX];
	size_t disk_len;
	struct rng rng;
	uint64_t seed;
	/* What is observed, by the truth. */
	uint64_t made_at, current_since;
	unsigned int made, promoted, dropped;
	uint32_t last_id;
	bool strict; /* nothing was slept through, and no start with a wrong clock */
};

static void save(struct life *l)
{
	l->disk_len = onion_keys_format(l->k, &own, l->disk);
	l->k->stored = l->k->since;
	l->k->is_stored = true;
}

static struct life *begin(void)
{
	struct life *l = calloc(1, sizeof(*l));
	struct onion_pair *first = secmem_alloc(sizeof(*first));

	l->k = secmem_alloc(sizeof(*l->k));
	l->now = l->current_since = 1800000000;
	l->boot = l->now - 1000;
	l->rng = (struct rng){ fix_fill, &l->seed };
	l->strict = true;
	onion_pair_draw(first, &l->rng);
	first->id = 1000;
	l->last_id = 1000;
	onion_keys_begin(l->k, first, l->now);
	secmem_free(first);
	save(l);
	return l;
}

static void end(struct life *l)
{
	onion_keys_free(l->k);
	free(l);
}

static void observe(struct life *l, enum onion_step step)
{
	const struct onion_keys *k = l->k;

	assert_false(k->has_next && k->has_previous);
	switch (step) {
	case ONION_WAIT:
		break;
	case ONION_MAKE:
		assert_true(k->other.id > l->last_id && k->other.id <= l->last_id + 65536);
		assert_memory_not_equal(k->other.secret, k->current.secret, 32);
		l->last_id = k->other.id;
		l->made_at = l->now;
		l->made++;
		break;
	case ONION_PROMOTE:
		assert_int_equal(k->current.id, l->last_id);
		if (l->strict) {
			assert_true(l->now - l->made_at >= week.overlap_s);
			assert_true(l->now - l->made_at <= week.overlap_s + LOOK);
			assert_true(l->now - l->current_since >= week.life_s);
			assert_true(l->now - l->current_since <= week.life_s + 2 * LOOK);
		}
		l->current_since = l->now;
		l->promoted++;
		break;
	case ONION_DROP:
		assert_true(sodium_is_zero((const uint8_t *)&k->other, sizeof(k->other)));
		if (l->strict) {
			assert_true(l->now - l->current_since >= week.overlap_s);
			assert_true(l->now - l->current_since <= week.overlap_s + LOOK);
		}
		l->dropped++;
		break;
	}
}

/* What anond does: returns when it wants to look again. */
static uint64_t look(struct life *l)
{
	enum onion_step step;
	uint64_t wait;

	if (onion_keys_follow(l->k, l->now - l->boot, (uint64_t)((int64_t)l->now + l->wrong)))
		save(l);
	for (int i = 0; (step = onion_keys_due(l->k, &week, &wait)) != ONION_WAIT; i++) {
		assert_true(i < 2); /* a look does not make keys without end */
		onion_keys_take(l->k, step, &l->rng);
		save(l);
		observe(l, step);
	}
	assert_true(wait > 0);
	return wait < LOOK ? wait : LOOK;
}

static void run(struct life *l, uint64_t seconds)
{
	uint64_t until = l->now + seconds;

	for (;;) {
		uint64_t wait = look(l);

		if (l->now + wait > until)
			break;
		l->now += wait;
	}
	l->now = until;
}

/* Off for some time, and started from what is on the disk. */
static void restart(struct life *l, uint64_t off)
{
	struct error err;

	sodium_memzero(l->k, sizeof(*l->k));
	if (onion_keys_parse(l->disk, l->disk_len, &own, l->k, &err) < 0)
		fail_msg("%s", err.text);
	l->now += off;
	l->boot = l->now - 30;
}

/* ---- the schedule ---- */

static void phases(void **state)
{
	struct life *l = begin();
	struct relay_facts f = { 0 };
	uint8_t a[32], b[32];
	uint32_t id_b;

	(void)state;
	memcpy(a, l->k->current.secret, 32);
	run(l, 6 * DAY - 1);
	onion_keys_facts(l->k, &f);
	assert_int_equal(f.relay.onion_key_id, 1000);
	assert_false(f.has_next_onion);
	assert_int_equal(onion_keys_replaced_at(l->k, &week), 1800000000 + 7 * DAY);
	assert_false(onion_keys_have(l->k, 0)); /* the empty slot's number is nobody's */
	run(l, 1);
	look(l);
	onion_keys_facts(l->k, &f);
	id_b = f.next_onion_id;
	memcpy(b, l->k->other.secret, 32);
	assert_true(f.has_next_onion);
	assert_int_equal(f.relay.onion_key_id, 1000);
	assert_memory_equal(f.next_onion_key, l->k->other.public_key, 32);
	assert_true(onion_keys_have(l->k, 1000) && onion_keys_have(l->k, id_b));
	assert_int_equal(onion_keys_replaced_at(l->k, &week), 1800000000 + 7 * DAY);
	run(l, DAY);
	look(l);
	onion_keys_facts(l->k, &f);
	assert_int_equal(f.relay.onion_key_id, id_b);
	assert_false(f.has_next_onion);
	assert_true(onion_keys_have(l->k, 1000) && onion_keys_have(l->k, id_b));
	assert_memory_equal(l->k->current.secret, b, 32);
	assert_memory_equal(l->k->other.secret, a, 32);
	assert_int_equal(onion_keys_replaced_at(l->k, &week), 1800000000 + 14 * DAY);
	run(l, DAY);
	look(l);
	assert_false(onion_keys_have(l->k, 1000));
	assert_true(onion_keys_have(l->k, id_b));
	assert_int_equal(onion_keys_replaced_at(l->k, &week), 1800000000 + 14 * DAY);
	end(l);
}

static void two_years_with_restarts(void **state)
{
	struct life *l = begin();
	uint64_t until = l->now + 2 * YEAR;

	(void)state;
	while (l->now < until) {
		run(l, rng_below(&l->rng, 3 * DAY));
		restart(l, rng_below(&l->rng, LOOK / 2));
	}
	/* 104 weeks and two days */
	assert_true(l->promoted >= 102 && l->promoted <= 104);
	assert_true(l->made - l->promoted <= 1 && l->promoted - l->dropped <= 1);
	end(l);
}

/* Without the wall clock being followed these would end keys early or never: the invariants of observe() see it. */
static void clock_set_while_it_runs(void **state)
{
	struct life *l = begin();
	uint64_t until = l->now + 2 * YEAR;

	(void)state;
	while (l->now < until) {
		run(l, rng_below(&l->rng, 3 * DAY));
		l->wrong = (int64_t)rng_below(&l->rng, 20 * YEAR) - 10 * (int64_t)YEAR;
		look(l);
		/* Stored in the time that the clock shows now, so that a restart changes nothing. */
		run(l, LOOK);
		restart(l, 10);
	}
	assert_true(l->promoted >= 100 && l->promoted <= 104);
	end(l);
}

static void long_sleep(void **state)
{
	struct life *l = begin();
	uint32_t first = l->k->current.id;

	(void)state;
	l->strict = false;
	/* Alone and far past its life: the next is made, announced for all of the overlap, then takes over. */
	run(l, 2 * DAY);
	restart(l, YEAR);
	look(l);
	assert_int_equal(l->made, 1);
	assert_int_equal(l->k->current.id, first);
	run(l, DAY - 1);
	assert_int_equal(l->promoted, 0);
	run(l, 2);
	assert_int_equal(l->promoted, 1);
	run(l, DAY - 2);
	assert_int_equal(l->dropped, 0);
	/* Slept through the overlap: the old key goes at once, and the current one is past its life too. */
	restart(l, YEAR);
	look(l);
	assert_int_equal(l->dropped, 1);
	assert_int_equal(l->made, 2);
	/* Slept while the next was announced: it takes over, the one before is opened for all of the overlap. */
	restart(l, YEAR);
	look(l);
	assert_int_equal(l->promoted, 2);
	run(l, DAY - 1);
	assert_int_equal(l->dropped, 1);
	run(l, 2);
	assert_int_equal(l->dropped, 2);
	assert_int_equal(l->made, 2);
	end(l);
}

/* A start with a wrong clock, years ahead or behind, in each phase; and the clock put right while it runs, or later. */
static void clock_wrong_at_the_start(void **state)
{
	static const int64_t wrongs[] = { -40 * (int64_t)YEAR, -(int64_t)YEAR, (int64_t)YEAR, 100 * (int64_t)YEAR };
	static const uint64_t days[] = { 1, 6, 7, 8, 12 };

	(void)state;
	for (size_t w = 0; w < ARRAY_SIZE(wrongs); w++)
		for (size_t d = 0; d < ARRAY_SIZE(days); d++)
			for (int later = 0; later < 2; later++) {
				struct life *l = begin();
				unsigned int made;
				uint32_t current;

				run(l, days[d] * DAY + HOUR);
				made = l->made;
				current = l->k->current.id;
				l->strict = false;
				l->wrong = wrongs[w];
				restart(l, 10);
				run(l, 2 * HOUR);
				/* One new key at most, and the one that was published is opened still. */
				assert_true(l->made <= made + 1);
				assert_true(onion_keys_have(l->k, current));
				l->wrong = 0;
				if (later)
					restart(l, 10);
				run(l, 2 * HOUR);
				assert_true(l->made <= made + 2);
				assert_true(onion_keys_have(l->k, current));
				/* It goes on as ever after: nothing waits for a time that is decades away. */
				run(l, 8 * DAY);
				current = l->k->current.id;
				made = l->made;
				l->strict = true;
				run(l, 21 * DAY);
				assert_true(l->made >= made + 2 && l->made <= made + 4);
				assert_true(l->k->current.id > current);
				end(l);
			}
}

/* A clock that is behind at each start, and put right a little later, as of a board without a battery. */
static void clock_behind_at_each_start(void **state)
{
	struct life *l = begin();

	(void)state;
	l->strict = false;
	run(l, 5 * DAY);
	l->wrong = -(int64_t)YEAR;
	restart(l, 60);
	look(l);
	assert_int_equal(l->made, 0);
	l->now += 20;
	l->wrong = 0;
	look(l);
	assert_int_equal(l->made, 0);
	/* The phase has begun again, and that is all. */
	run(l, 6 * DAY - 60);
	assert_int_equal(l->made, 0);
	run(l, 120);
	assert_int_equal(l->made, 1);
	end(l);
}

static void numbers_begin_again(void **state)
{
	struct life *l = begin();
	uint64_t wait;

	(void)state;
	l->k->current.id = UINT32_MAX;
	onion_keys_follow(l->k, 1, l->now + 6 * DAY);
	assert_int_equal(onion_keys_due(l->k, &week, &wait), ONION_MAKE);
	onion_keys_take(l->k, ONION_MAKE, &l->rng);
	assert_true(l->k->other.id < 65536);
	save(l);
	restart(l, 0);
	assert_true(l->k->other.id < 65536);
	assert_int_equal(l->k->current.id, UINT32_MAX);
	end(l);
}

/* The wall clock's ends, and a steady clock that stands. */
static void times_of_no_sense(void **state)
{
	struct life *l = begin();
	uint64_t wait;

	(void)state;
	onion_keys_follow(l->k, 5, UINT64_MAX);
	assert_int_equal(onion_keys_due(l->k, &week, &wait), ONION_MAKE);
	onion_keys_take(l->k, ONION_MAKE, &l->rng);
	assert_int_equal(l->k->since, CLOCK_WALL_MAX);
	onion_keys_follow(l->k, 5, 0);
	assert_int_equal(onion_keys_due(l->k, &week, &wait), ONION_WAIT);
	assert_int_equal(wait, DAY);
	onion_keys_follow(l->k, 4, UINT64_MAX);
	assert_int_equal(onion_keys_due(l->k, &week, &wait), ONION_WAIT);
	assert_int_equal(wait, DAY);
	end(l);
}

/* ---- the text ---- */

static size_t text_of(struct life *l, char *out)
{
	return onion_keys_format(l->k, &own, out);
}

static int parse(const char *text, size_t len, struct error *err)
{
	_cleanup_onion_keys_ struct onion_keys *k = secmem_alloc(sizeof(*k));
	int r = onion_keys_parse(text, len, &own, k, err);

	if (r < 0)
		assert_true(sodium_is_zero((const uint8_t *)k, sizeof(*k)));
	return r;
}

static void text_is_all_or_nothing(void **state)
{
	struct life *l = begin();
	char text[ONION_KEYS_TEXT_MAX], bad[ONION_KEYS_TEXT_MAX + 8];
	struct error err;
	size_t len;

	(void)state;
	run(l, 6 * DAY);
	for (int i = 0; i < 3; i++, run(l, DAY)) {
		look(l);
		len = text_of(l, text);
		assert_int_equal(parse(text, len, &err), 0);
		assert_non_null(memmem(text, len, i == 0 ? "\nnext " : i == 1 ? "\nprevious " : "\ncurrent ", 6));
		/* Cut anywhere, or one bit of it turned: the sum covers what the lines' form does not. */
		for (size_t n = 0; n < len; n++) {
			assert_true(parse(text, n, &err) < 0);
			for (int bit = 0; bit < 8; bit++) {
				memcpy(bad, text, len);
				bad[n] = (char)(bad[n] ^ 1 << bit);
				assert_true(parse(bad, len, &err) < 0);
			}
		}
		memcpy(bad, text, len);
		memcpy(bad + len, "x 1\n", 4);
		assert_int_equal(parse(bad, len + 4, &err), -EINVAL);
	}
	end(l);
}

/* With a sum that fits: what a later version, or a hand, may have written. */
static size_t with_sum(const char *lines, char *out)
{
	uint8_t sum[32];
	size_t len = strlen(lines);

	crypto_generichash(sum, sizeof(sum), (const uint8_t *)lines, len, NULL, 0);
	memcpy(out, lines, len);
	memcpy(out + len, "sum ", 4);
	sodium_bin2base64(out + len + 4, 45, sum, sizeof(sum), sodium_base64_VARIANT_ORIGINAL);
	strcpy(out + len + 48, "\n");
	return len + 49;
}

#define K1 "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define K7 "BwAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define HEAD "anond-onion-keys 1\nidentity " K7 "\nsince 5\n"

static void text_is_strict(void **state)
{
	static const struct {
		const char *text;
		int r;
	} cases[] = {
		{ HEAD "current 1 " K1 "\n", 0 },
		{ HEAD "current 1 " K1 "\nnext 2 " K7 "\n", 0 },
		{ HEAD "current 1 " K1 "\nprevious 0 " K7 "\n", 0 },
		{ HEAD "current 1 " K1 "\nnext 2 " K7 "\nprevious 0 " K7 "\n", -EINVAL },
		{ HEAD "current 1 " K1 "\nnext 1 " K7 "\n", -EINVAL },
		{ HEAD "current 4294967296 " K1 "\n", -EINVAL },
		{ HEAD "current 01 " K1 "\n", -EINVAL },
		{ HEAD "current 1 " K1 " x\n", -EINVAL },
		{ HEAD "current 1 " K1 "\nlater 1\n", -EINVAL }, /* would be lost when it is written again */
		{ HEAD "next 1 " K1 "\n", -EINVAL },
		{ HEAD, -EINVAL },
		{ "anond-onion-keys 2\nidentity " K7 "\nsince 5\ncurrent 1 " K1 "\n", -EPROTONOSUPPORT },
		{ "anond-onion-keys 1\nidentity " K7 "\nsince 253402300800\ncurrent 1 " K1 "\n", -EINVAL },
		{ "anond-onion-keys 1\nidentity " K1 "\nsince 5\ncurrent 1 " K1 "\n", -EKEYREJECTED },
	};
	char text[ONION_KEYS_TEXT_MAX];
	struct error err;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int r = parse(text, with_sum(cases[i].text, text), &err);

		if (r != cases[i].r)
			fail_msg("case %zu gives %d: %s", i, r, err.text);
		assert_true(r == 0 || !strstr(err.text, "AAAA")); /* a complaint never quotes a key */
	}
}

/* ---- the files ---- */

static char dir[32];

static int setup(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/onion_keys.XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int teardown(void **state)
{
	(void)state;
	return nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static char *in_dir(const char *name)
{
	static char path[4][96];
	static unsigned int next;
	char *p = path[next++ % 4];

	snprintf(p, sizeof(path[0]), "%s/%s", dir, name);
	return p;
}

static bool exists(const char *name)
{
	struct stat st;

	return lstat(in_dir(name), &st) == 0;
}

static bool all_zero(int fd)
{
	char buf[1024];
	ssize_t n = pread(fd, buf, sizeof(buf), 0);

	assert_true(n > 0);
	return sodium_is_zero((const uint8_t *)buf, (size_t)n);
}

static void wiping(void **state)
{
	struct error err;
	int fd;

	(void)state;
	assert_int_equal(file_wipe(in_dir("none"), &err), 0);
	assert_int_equal(file_create(in_dir("a"), "secret", 6, 0600, &err), 0);
	fd = open(in_dir("a"), O_RDONLY | O_CLOEXEC);
	assert_false(all_zero(fd));
	/* Of two names one goes; the content is the other's. */
	assert_int_equal(link(in_dir("a"), in_dir("b")), 0);
	assert_int_equal(file_wipe(in_dir("b"), &err), 0);
	assert_false(exists("b"));
	assert_false(all_zero(fd));
	/* Not what a link leads to. */
	assert_int_equal(symlink(in_dir("a"), in_dir("c")), 0);
	assert_int_equal(file_wipe(in_dir("c"), &err), -ELOOP);
	assert_false(all_zero(fd));
	assert_int_equal(file_wipe(in_dir("a"), &err), 0);
	assert_false(exists("a"));
	assert_true(all_zero(fd));
	close(fd);
}

static void replacing(void **state)
{
	char *text = NULL;
	struct error err;
	struct stat st;
	size_t len;
	int fd;

	(void)state;
	assert_int_equal(file_replace_secret(in_dir("s"), "first", 5, &err), 0);
	assert_int_equal(stat(in_dir("s"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	fd = open(in_dir("s"), O_RDONLY | O_CLOEXEC);
	assert_int_equal(file_replace_secret(in_dir("s"), "second", 6, &err), 0);
	assert_true(all_zero(fd)); /* what was there is overwritten, not only without a name */
	close(fd);
	assert_int_equal(file_read(in_dir("s"), 10, &text, &len, &err), 0);
	assert_string_equal(text, "second");
	free(text);
	assert_false(exists("s.new") || exists("s.old"));
	assert_int_equal(file_replace_secret(in_dir("none/s"), "x", 1, &err), -ENOENT);
}

static struct onion_keys *stored(void)
{
	struct onion_keys *k = NULL;
	struct error err = { "" };

	if (onion_store_load(dir, &own, &k, &err) < 0)
		fail_msg("%s", err.text);
	return k;
}

/* Wherever a crash comes while the keys are written, the old or the new are there, and nothing else stays. */
static void torn_writes(void **state)
{
	struct life *l = begin();
	struct onion_keys *k;
	uint32_t old_id = l->k->current.id, new_id;
	char text[ONION_KEYS_TEXT_MAX];
	struct error err;
	size_t len;
	int fd;

	(void)state;
	assert_int_equal(onion_store_save(dir, &own, l->k, &err), 0);
	run(l, 7 * DAY);
	look(l);
	new_id = l->k->current.id;
	assert_true(new_id != old_id);
	len = text_of(l, text);
	/* 1. The new file has begun. */
	for (size_t n = 0; n <= len; n += len / 3) {
		assert_int_equal(file_create(in_dir("onion-keys.new"), text, n, 0600, &err), 0);
		k = stored();
		assert_int_equal(k->current.id, old_id);
		onion_keys_free(k);
		fd = open(in_dir("onion-keys.new"), O_RDONLY | O_CLOEXEC);
		assert_int_equal(onion_store_wipe_rest(dir, &err), 0);
		assert_false(exists("onion-keys.new"));
		assert_true(n == 0 || all_zero(fd));
		close(fd);
	}
	/* 2. And the old one has its second name: wiping that must not take the old one's content. */
	assert_int_equal(file_create(in_dir("onion-keys.new"), text, len, 0600, &err), 0);
	assert_int_equal(link(in_dir("onion-keys"), in_dir("onion-keys.old")), 0);
	assert_int_equal(onion_store_wipe_rest(dir, &err), 0);
	k = stored();
	assert_int_equal(k->current.id, old_id);
	onion_keys_free(k);
	/* 3. And the new one has taken its place. */
	assert_int_equal(file_create(in_dir("onion-keys.new"), text, len, 0600, &err), 0);
	assert_int_equal(link(in_dir("onion-keys"), in_dir("onion-keys.old")), 0);
	assert_int_equal(rename(in_dir("onion-keys.new"), in_dir("onion-keys")), 0);
	fd = open(in_dir("onion-keys.old"), O_RDONLY | O_CLOEXEC);
	assert_int_equal(onion_store_wipe_rest(dir, &err), 0);
	assert_true(all_zero(fd));
	close(fd);
	assert_false(exists("onion-keys.old"));
	k = stored();
	assert_int_equal(k->current.id, new_id);
	assert_int_equal(k->other.id, old_id);
	/* The next save begins with the same cleaning. */
	assert_int_equal(file_create(in_dir("onion-keys.new"), "x", 1, 0600, &err), 0);
	assert_int_equal(onion_store_save(dir, &own, k, &err), 0);
	assert_false(exists("onion-keys.new") || exists("onion-keys.old"));
	onion_keys_free(k);
	end(l);
}

static void modes_and_damage(void **state)
{
	struct life *l = begin();
	struct onion_keys *k = NULL;
	struct relay_id other = { { 8 } };
	struct error err;

	(void)state;
	assert_int_equal(onion_store_load(dir, &own, &k, &err), -ENOENT);
	assert_int_equal(onion_store_save(dir, &own, l->k, &err), 0);
	for (mode_t bit = 1; bit <= 040; bit <<= 1) {
		chmod(in_dir("onion-keys"), 0600 | bit);
		assert_int_equal(onion_store_load(dir, &own, &k, &err), -EACCES);
	}
	chmod(in_dir("onion-keys"), 0600);
	assert_int_equal(onion_store_load(dir, &other, &k, &err), -EKEYREJECTED);
	assert_non_null(strstr(err.text, "another identity"));
	assert_int_equal(rename(in_dir("onion-keys"), in_dir("x")), 0);
	assert_int_equal(symlink(in_dir("x"), in_dir("onion-keys")), 0);
	assert_int_equal(onion_store_load(dir, &own, &k, &err), -ELOOP);
	unlink(in_dir("onion-keys"));
	assert_int_equal(mkdir(in_dir("onion-keys"), 0700), 0);
	assert_int_equal(onion_store_load(dir, &own, &k, &err), -EINVAL);
	rmdir(in_dir("onion-keys"));
	assert_int_equal(rename(in_dir("x"), in_dir("onion-keys")), 0);
	assert_int_equal(truncate(in_dir("onion-keys"), 100), 0);
	assert_int_equal(onion_store_load(dir, &own, &k, &err), -EINVAL);
	assert_non_null(strstr(err.text, "onion-keys: this relay's onion keys are not known, see anond(8): line 4"));
	assert_int_equal(truncate(in_dir("onion-keys"), ONION_KEYS_TEXT_MAX + 1), 0);
	assert_int_equal(onion_store_load(dir, &own, &k, &err), -EFBIG);
	assert_null(k);
	end(l);
}

/* With which keys a relay starts, and what becomes of DIR/onion. */
static void what_to_start_with(void **state)
{
	_cleanup_free_ char *keys = strdup(in_dir("keys"));
	struct onion_keys *k = NULL;
	struct onion_pair *first = secmem_alloc(sizeof(*first));
	struct rng rng = rng_system;
	struct error err;
	int fd;

	(void)state;
	assert_int_equal(relay_keys_make(keys, &err), 0);
	assert_int_equal(relay_onion_load(keys, first, &err), 0);
	/* Nothing is stored: the first key, whether it is going to be replaced or not. */
	for (int replace = 0; replace < 2; replace++) {
		assert_int_equal(onion_keys_open(dir, keys, &own, replace, 77, &k, &err), 0);
		assert_memory_equal(&k->current, first, sizeof(*first));
		assert_false(k->is_stored || k->has_next || k->has_previous);
		assert_int_equal(k->since, 77);
		assert_int_equal(onion_keys_erase_first(keys, k, &err), 0);
		assert_true(exists("keys/onion"));
		if (!replace)
			onion_keys_free(k);
	}
	/* Replaced, and opened still. */
	onion_keys_follow(k, 1, 100);
	onion_keys_take(k, ONION_MAKE, &rng);
	onion_keys_take(k, ONION_PROMOTE, &rng);
	assert_int_equal(onion_store_save(dir, &own, k, &err), 0);
	assert_int_equal(onion_keys_erase_first(keys, k, &err), 0);
	assert_true(exists("keys/onion"));
	onion_keys_free(k);
	/* A restart does not go back to it, with or without replacing. */
	for (int replace = 0; replace < 2; replace++) {
		assert_int_equal(onion_keys_open(dir, keys, &own, replace, 200, &k, &err), 0);
		assert_true(k->is_stored && k->has_previous);
		assert_int_equal(k->other.id, first->id);
		assert_memory_not_equal(k->current.secret, first->secret, 32);
		if (!replace)
			onion_keys_free(k);
	}
	/* Wiped: nothing of it stays. */
	onion_keys_take(k, ONION_DROP, &rng);
	assert_int_equal(onion_store_save(dir, &own, k, &err), 0);
	fd = open(in_dir("keys/onion"), O_RDONLY | O_CLOEXEC);
	assert_int_equal(onion_keys_erase_first(keys, k, &err), 1);
	assert_true(all_zero(fd));
	close(fd);
	assert_false(exists("keys/onion"));
	assert_int_equal(onion_keys_erase_first(keys, k, &err), 0);
	onion_keys_free(k);
	/* Damaged: no way back to another key. */
	assert_int_equal(truncate(in_dir("onion-keys"), 100), 0);
	k = NULL;
	assert_int_equal(onion_keys_open(dir, keys, &own, true, 300, &k, &err), -EINVAL);
	assert_null(k);
	/* All lost: one that publishes its key draws another, one whose key others name cannot. */
	unlink(in_dir("onion-keys"));
	assert_int_equal(onion_keys_open(dir, keys, &own, false, 300, &k, &err), -ENOENT);
	assert_int_equal(onion_keys_open(dir, keys, &own, true, 300, &k, &err), 0);
	assert_false(sodium_is_zero(k->current.secret, 32));
	onion_keys_free(k);
	secmem_free(first);
}

#define FILES(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(phases),
		cmocka_unit_test(two_years_with_restarts),
		cmocka_unit_test(clock_set_while_it_runs),
		cmocka_unit_test(long_sleep),
		cmocka_unit_test(clock_wrong_at_the_start),
		cmocka_unit_test(clock_behind_at_each_start),
		cmocka_unit_test(numbers_begin_again),
		cmocka_unit_test(times_of_no_sense),
		cmocka_unit_test(text_is_all_or_nothing),
		cmocka_unit_test(text_is_strict),
		FILES(wiping),
		FILES(replacing),
		FILES(torn_writes),
		FILES(modes_and_damage),
		FILES(what_to_start_with),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
