/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which relays an authority knows, whose claim holds, and what it votes: also against who wants to fill or steal it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>

#include "directory/roster.h"
#include "lib/cleanup.h"
#include "tests/descriptor_fixture.h"

#define T0 UINT64_C(1700000000)
#define HOUR 3600u
#define DAY 86400u

static struct roster *roster_of(struct roster_rules rules)
{
	struct roster *r = NULL;

	assert_true(sodium_init() >= 0);
	if (!rules.unmeasured_max)
		rules.unmeasured_max = 100000;
	assert_int_equal(roster_new(&rules, &r), 0);
	return r;
}

static int add(struct roster *r, struct test_relay t, bool direct, uint64_t now)
{
	struct error err = { "" };
	size_t len;
	_cleanup_free_ char *text = test_descriptor(&t, &len);
	struct in6_addr from = test_address(t.host ? t.host : t.id);

	return roster_add(r, text, len, direct ? &from : NULL, now, &err);
}

/* Posted from its IPv6 address. */
static int add6(struct roster *r, struct test_relay t, uint64_t now)
{
	struct error err = { "" };
	size_t len;
	_cleanup_free_ char *text = test_descriptor(&t, &len);
	struct in6_addr from = test_address6(t.host6);

	return roster_add(r, text, len, &from, now, &err);
}

/* Which relays it votes for, by their number, ascending; 0 ends. */
static void votes(const struct roster *r, uint64_t at, const uint8_t *ids)
{
	struct listings l;
	size_t n = 0;

	assert_int_equal(roster_listings(r, at, at, &l), 0);
	for (size_t i = 1; i < l.n; i++)
		assert_true(memcmp(&l.v[i - 1].id, &l.v[i].id, sizeof(l.v[i].id)) < 0);
	for (; ids[n]; n++) {
		struct relay_id id = test_relay_id(ids[n]);
		size_t i = 0;

		while (i < l.n && memcmp(&l.v[i].id, &id, sizeof(id)) != 0)
			i++;
		if (i == l.n)
			fail_msg("no vote for r%u", ids[n]);
	}
	assert_int_equal(l.n, n);
	listings_clear(&l);
}
#define VOTES(r, at, ...) votes(r, at, (const uint8_t[]){ __VA_ARGS__, 0 })

static struct listing vote_of(const struct roster *r, uint8_t relay, uint64_t at)
{
	struct relay_id id = test_relay_id(relay);
	struct listing ret = { 0 };
	struct listings l;

	assert_int_equal(roster_listings(r, at, at, &l), 0);
	for (size_t i = 0; i < l.n; i++)
		if (memcmp(&l.v[i].id, &id, sizeof(id)) == 0)
			ret = l.v[i];
	listings_clear(&l);
	return ret;
}

/* It must run to have a vote at all. */
static bool is_guard(const struct roster *r, uint8_t relay, uint64_t at)
{
	struct listing l = vote_of(r, relay, at);

	assert_true(flags_have(&l.flags, FLAG_RUNNING));
	return flags_have(&l.flags, FLAG_GUARD);
}

static void newest_counts(void **state)
{
	struct roster *r = roster_of((struct roster_rules){ .max = 10 });
	struct test_relay old = { .id = 1, .published = T0, .bandwidth = 1 },
			  fresh = { .id = 1, .published = T0 + 60, .bandwidth = 2 };

	(void)state;
	assert_int_equal(add(r, old, true, T0), 1);
	assert_int_equal(add(r, old, true, T0), 0);
	assert_int_equal(add(r, fresh, true, T0 + 60), 1);
	assert_int_equal(add(r, old, true, T0 + 60), 0);
	assert_int_equal(vote_of(r, 1, T0 + 60).weight, 2);
	assert_int_equal(roster_count(r), 1);
	roster_free(r);
}

/* Whichever comes first, all authorities end with the same. */
static void two_of_one_second(void **state)
{
	struct test_relay a = { .id = 1, .published = T0, .bandwidth = 1 },
			  b = { .id = 1, .published = T0, .bandwidth = 2 };
	struct roster *x = roster_of((struct roster_rules){ .max = 10 }),
		      *y = roster_of((struct roster_rules){ .max = 10 });

	(void)state;
	add(x, a, true, T0);
	add(x, b, true, T0);
	add(y, b, true, T0);
	add(y, a, true, T0);
	assert_int_equal(vote_of(x, 1, T0).weight, vote_of(y, 1, T0).weight);
	roster_free(x);
	roster_free(y);
}

static void times(void **state)
{
	struct roster *r = roster_of((struct roster_rules){ .max = 10 });

	(void)state;
	assert_int_equal(add(r, (struct test_relay){ .id = 1, .published = T0 + ROSTER_SKEW + 1 }, true, T0), -EAGAIN);
	assert_int_equal(add(r, (struct test_relay){ .id = 1, .published = T0 + ROSTER_SKEW }, true, T0), 1);
	assert_int_equal(add(r, (struct test_relay){ .id = 2, .published = T0 - DAY }, true, T0), -ESTALE);
	assert_int_equal(add(r, (struct test_relay){ .id = 2, .published = T0 - DAY + 1 }, true, T0), 1);
	VOTES(r, T0, 1, 2);
	VOTES(r, T0 + 1, 1);
	/* One that ends is not in an interval that begins later. */
	assert_int_equal(add(r, (struct test_relay){ .id = 3, .published = T0, .ends = T0 + HOUR }, true, T0), 1);
	VOTES(r, T0 + HOUR - 1, 1, 3);
	VOTES(r, T0 + HOUR, 1);
	roster_free(r);
}

static void count_gone(void *ctx, const struct relay_id *id)
{
	(void)id;
	(*(int *)ctx)++;
}

static void who_comes_back_is_not_new(void **state)
{
	struct roster *r = roster_of((struct roster_rules){ .max = 10, .guard_age = 8 * DAY });
	uint64_t back = T0 + 10 * DAY;
	int gone = 0;

	(void)state;
	add(r, (struct test_relay){ .id = 1, .published = T0, .guard = true }, true, T0);
	assert_false(is_guard(r, 1, T0));
	roster_expire(r, back, count_gone, &gone);
	assert_int_equal(gone, 0);
	add(r, (struct test_relay){ .id = 1, .published = back, .guard = true }, true, back);
	assert_true(is_guard(r, 1, back));
	/* Without its will it is no guard, however old. */
	add(r, (struct test_relay){ .id = 1, .published = back + 1 }, true, back);
	assert_false(is_guard(r, 1, back));
	roster_expire(r, back + 1 + DAY + ROSTER_KEEP, count_gone, &gone);
	assert_int_equal(gone, 1);
	assert_int_equal(roster_count(r), 0);
	roster_free(r);
}

static void weights(void **state)
{
	struct roster *r = roster_of((struct roster_rules){ .max = 10, .unmeasured_max = 500, .guard_weight = 400 });
	struct relay_id id = test_relay_id(1);

	(void)state;
	add(r, (struct test_relay){ .id = 1, .published = T0, .bandwidth = 4000000000, .guard = true }, true, T0);
	add(r, (struct test_relay){ .id = 2, .published = T0, .bandwidth = 399, .guard = true }, true, T0);
	assert_int_equal(vote_of(r, 1, T0).weight, 500);
	assert_true(is_guard(r, 1, T0));
	assert_int_equal(vote_of(r, 2, T0).weight, 399);
	assert_false(is_guard(r, 2, T0));
	roster_measure(r, &id, 90000);
	assert_int_equal(vote_of(r, 1, T0).weight, 90000);
	roster_unmeasure(r);
	assert_int_equal(vote_of(r, 1, T0).weight, 500);
	roster_free(r);
}

static void first_claim_holds(void **state)
{
	struct test_relay thieves[] = { { .id = 2, .link = 1, .published = T0 + 1 },
					{ .id = 2, .host = 1, .published = T0 + 1 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(thieves); i++) {
		struct roster *r = roster_of((struct roster_rules){ .max = 10 });
		struct test_relay late = thieves[i];

		add(r, (struct test_relay){ .id = 1, .published = T0 }, true, T0);
		assert_int_equal(add(r, thieves[i], true, T0 + 1), -EEXIST);
		VOTES(r, T0 + 1, 1);
		/* It may have what nobody has any more. */
		late.published = T0 + DAY;
		assert_int_equal(add(r, late, true, T0 + DAY), 1);
		assert_int_equal(roster_count(r), 1);
		VOTES(r, T0 + DAY, 2);
		roster_free(r);
	}
}

/* Who only claims does not answer, and is no obstacle to the one who does. */
static void who_answers_has_it(void **state)
{
	struct roster *r = roster_of((struct roster_rules){ .max = 10, .probe_life = HOUR });
	struct relay_id squatter = test_relay_id(2), relay = test_relay_id(1);

	(void)state;
	assert_int_equal(add(r, (struct test_relay){ .id = 2, .host = 1, .published = T0 }, true, T0), 1);
	assert_int_equal(add(r, (struct test_relay){ .id = 1, .published = T0 }, true, T0 + HOUR), -EEXIST);
	roster_probed(r, &squatter, PROBE_SILENT, T0 + HOUR);
	/* Others' word is not enough. */
	assert_int_equal(add(r, (struct test_relay){ .id = 1, .published = T0 }, false, T0 + HOUR), -EEXIST);
	assert_int_equal(add(r, (struct test_relay){ .id = 1, .published = T0 }, true, T0 + HOUR), 1);
	assert_int_equal(roster_count(r), 1);
	roster_probed(r, &relay, PROBE_ANSWERED, T0 + HOUR);
	assert_int_equal(add(r, (struct test_relay){ .id = 2, .host = 1, .published = T0 + 1 }, true, T0 + HOUR),
			 -EEXIST);
	roster_free(r);
}

/* Nobody keeps a relay away by naming its address before it, from another one or through another authority. */
static void who_comes_from_it_has_it(void **state)
{
	const struct test_relay relay = { .id = 1, .host6 = 1, .published = T0 },
				by6 = { .id = 2, .host = 1, .host6 = 2, .published = T0 },
				by4 = { .id = 3, .host6 = 1, .published = T0 };
	struct roster *r = roster_of((struct roster_rules){ .max = 10 });

	(void)state;
	assert_int_equal(add(r, by4, false, T0), 1);
	assert_int_equal(add6(r, by6, T0), 1);
	assert_int_equal(add(r, by4, true, T0), 0);
	/* Its IPv4 address is its own, and it has not shown the other one. */
	assert_int_equal(add(r, relay, true, T0), -EEXIST);
	assert_int_equal(add(r, (struct test_relay){ .id = 1, .published = T0 }, true, T0), 1);
	VOTES(r, T0, 1, 3);
	assert_int_equal(add6(r, (struct test_relay){ .id = 1, .host6 = 1, .published = T0 + 1 }, T0 + 1), 1);
	VOTES(r, T0 + 1, 1);
	/* Nor by taking it from one that is there. */
	assert_int_equal(add6(r, (struct test_relay){ .id = 2, .host = 1, .host6 = 2, .published = T0 + 2 }, T0 + 2),
			 -EEXIST);
	assert_int_equal(add(r, (struct test_relay){ .id = 3, .host6 = 1, .published = T0 + 2 }, true, T0 + 2),
			 -EEXIST);
	VOTES(r, T0 + 2, 1);
	roster_free(r);
}

/* What was shown of an address is of no use for the next one, and is not forgotten with a restart. */
static void an_address_is_shown_once(void **state)
{
	struct roster *r = roster_of((struct roster_rules){ .max = 10 });
	struct error err = { "" };
	char *text = NULL;
	size_t len, damaged;
	FILE *f = open_memstream(&text, &len);

	(void)state;
	assert_int_equal(add(r, (struct test_relay){ .id = 1, .host6 = 1, .published = T0 }, true, T0), 1);
	assert_int_equal(add6(r, (struct test_relay){ .id = 1, .host6 = 1, .published = T0 }, T0), 0);
	assert_int_equal(add(r, (struct test_relay){ .id = 2, .host6 = 2, .published = T0 }, true, T0), 1);
	assert_int_equal(add6(r, (struct test_relay){ .id = 2, .host = 3, .host6 = 2, .published = T0 + 1 }, T0 + 1),
			 1);
	roster_dump(r, f);
	fclose(f);
	roster_free(r);
	r = roster_of((struct roster_rules){ .max = 10 });
	assert_int_equal(roster_load(r, text, len, T0 + 1, &damaged, &err), 0);
	assert_int_equal(add6(r, (struct test_relay){ .id = 4, .host6 = 1, .published = T0 + 1 }, T0 + 1), -EEXIST);
	assert_int_equal(add(r, (struct test_relay){ .id = 4, .host = 1, .published = T0 + 1 }, true, T0 + 1), -EEXIST);
	assert_int_equal(add6(r, (struct test_relay){ .id = 4, .host6 = 2, .published = T0 + 1 }, T0 + 1), -EEXIST);
	VOTES(r, T0 + 1, 1, 2);
	assert_int_equal(add(r, (struct test_relay){ .id = 3, .published = T0 + 1 }, true, T0 + 1), 1);
	VOTES(r, T0 + 1, 1, 3);
	roster_free(r);
	free(text);
}

/* Onion keys are public, and readers do not mind: who names another's keeps nobody out. */
static void onion_keys_are_no_claims(void **state)
{
	struct roster *r = roster_of((struct roster_rules){ .max = 10 });

	(void)state;
	assert_int_equal(add(r, (struct test_relay){ .id = 2, .onion = 1, .published = T0 }, false, T0), 1);
	assert_int_equal(add(r, (struct test_relay){ .id = 1, .published = T0 }, true, T0), 1);
	VOTES(r, T0, 1, 2);
	roster_free(r);
}

static void probes(void **state)
{
	struct roster *r = roster_of((struct roster_rules){ .max = 10, .probe_life = HOUR });
	struct relay_id one = test_relay_id(1), two = test_relay_id(2), next;
	uint64_t last;

	(void)state;
	assert_false(roster_next_probe(r, T0, &next, &last));
	add(r, (struct test_relay){ .id = 1, .published = T0 }, true, T0);
	add(r, (struct test_relay){ .id = 2, .published = T0 }, true, T0);
	VOTES(r, T0, 0);
	roster_probed(r, &one, PROBE_ANSWERED, T0 + 1);
	assert_true(roster_next_probe(r, T0 + 1, &next, &last) && last == 0);
	assert_memory_equal(&next, &two, sizeof(next));
	roster_probed(r, &two, PROBE_SILENT, T0 + 2);
	assert_true(roster_next_probe(r, T0 + 2, &next, &last) && last == T0 + 1);
	assert_memory_equal(&next, &one, sizeof(next));
	VOTES(r, T0 + 2, 1);
	roster_probed(r, &one, PROBE_SILENT, T0 + 3);
	VOTES(r, T0 + HOUR, 1);
	/* As long as no probe tells anything, nobody grows old by it. */
	roster_probed(r, &one, PROBE_UNKNOWN, T0 + HOUR);
	VOTES(r, T0 + DAY - 1, 1);
	roster_probed(r, &two, PROBE_SILENT, T0 + HOUR + 1);
	VOTES(r, T0 + HOUR + 1, 0);
	/* A clock that was set back: an answer of long after now is none. */
	roster_probed(r, &two, PROBE_ANSWERED, T0 + 5 * HOUR);
	VOTES(r, T0 + HOUR, 1);
	assert_false(roster_next_probe(r, T0 + DAY, &next, &last));
	roster_free(r);
}

/* An authority that was away, or could not ask, does not find everybody gone that it has not asked again yet. */
static void probing_pauses(void **state)
{
	struct roster *r = roster_of((struct roster_rules){ .max = 10, .probe_life = HOUR });
	struct relay_id one = test_relay_id(1), two = test_relay_id(2);

	(void)state;
	for (uint8_t i = 1; i <= 3; i++)
		add(r, (struct test_relay){ .id = i, .published = T0 }, true, T0);
	roster_probed(r, &one, PROBE_ANSWERED, T0 + 1);
	roster_probed(r, &two, PROBE_SILENT, T0 + 2);
	VOTES(r, T0 + 5 * HOUR, 1);
	roster_probed(r, &two, PROBE_SILENT, T0 + 5 * HOUR);
	VOTES(r, T0 + 5 * HOUR, 1);
	roster_probed(r, &two, PROBE_SILENT, T0 + 5 * HOUR + HOUR / 2);
	VOTES(r, T0 + 5 * HOUR + HOUR / 2, 1);
	roster_probed(r, &one, PROBE_SILENT, T0 + 6 * HOUR);
	VOTES(r, T0 + 6 * HOUR, 0);
	roster_free(r);
}

/* One that is new, or was started anew, can be in a consensus before it can be probed; but not for ever. */
static void grace(void **state)
{
	struct roster *r =
		roster_of((struct roster_rules){ .max = 10, .probe_life = HOUR / 2, .probe_grace = 2 * HOUR });
	struct relay_id one = test_relay_id(1);

	(void)state;
	add(r, (struct test_relay){ .id = 1, .published = T0 }, true, T0);
	add(r, (struct test_relay){ .id = 2, .published = T0 }, false, T0);
	VOTES(r, T0 + HOUR, 1);
	roster_probed(r, &one, PROBE_UNKNOWN, T0 + HOUR);
	VOTES(r, T0 + HOUR, 1);
	/* Who asks may know it before those do that are on the way to it. */
	roster_probed(r, &one, PROBE_SILENT, T0 + HOUR / 2);
	roster_probed(r, &one, PROBE_SILENT, T0 + HOUR - 1);
	VOTES(r, T0 + HOUR, 1);
	roster_probed(r, &one, PROBE_SILENT, T0 + HOUR);
	VOTES(r, T0 + HOUR, 0);
	/* The same descriptor again is no new one, and a new one counts only after a while. */
	add(r, (struct test_relay){ .id = 1, .published = T0 }, true, T0 + 4 * HOUR);
	VOTES(r, T0 + 4 * HOUR, 0);
	add(r, (struct test_relay){ .id = 1, .published = T0 + 2 * HOUR }, true, T0 + 2 * HOUR);
	VOTES(r, T0 + 2 * HOUR, 0);
	add(r, (struct test_relay){ .id = 1, .published = T0 + 4 * HOUR }, true, T0 + 4 * HOUR);
	VOTES(r, T0 + 4 * HOUR, 1);
	roster_probed(r, &one, PROBE_SILENT, T0 + 5 * HOUR);
	roster_probed(r, &one, PROBE_SILENT, T0 + 5 * HOUR + HOUR / 2);
	add(r, (struct test_relay){ .id = 1, .published = T0 + 8 * HOUR }, true, T0 + 8 * HOUR);
	VOTES(r, T0 + 8 * HOUR, 0);
	roster_probed(r, &one, PROBE_ANSWERED, T0 + 8 * HOUR);
	VOTES(r, T0 + 8 * HOUR, 1);
	/* One that answered and is away for long has wasted nothing: when it comes back it counts at once. */
	for (uint64_t t = T0 + 11 * HOUR; t < T0 + 20 * HOUR; t += HOUR / 4)
		roster_probed(r, &one, PROBE_SILENT, t);
	VOTES(r, T0 + 20 * HOUR, 0);
	add(r, (struct test_relay){ .id = 1, .published = T0 + 20 * HOUR }, true, T0 + 20 * HOUR);
	VOTES(r, T0 + 20 * HOUR, 1);
	roster_probed(r, &one, PROBE_SILENT, T0 + 20 * HOUR + 1);
	VOTES(r, T0 + 20 * HOUR + 1, 1);
	roster_free(r);
}

/* Another authority tells of many that nobody has seen: who comes itself finds a place nevertheless. */
static void no_filling_up(void **state)
{
	struct roster *r = roster_of((struct roster_rules){ .max = 3 });

	(void)state;
	add(r, (struct test_relay){ .id = 1, .published = T0 }, true, T0);
	add(r, (struct test_relay){ .id = 2, .published = T0 }, false, T0);
	add(r, (struct test_relay){ .id = 3, .published = T0 }, false, T0 + 1);
	assert_int_equal(add(r, (struct test_relay){ .id = 4, .published = T0 }, false, T0 + 2), -ENOSPC);
	assert_int_equal(add(r, (struct test_relay){ .id = 4, .published = T0 }, true, T0 + 2), 1);
	VOTES(r, T0 + 2, 1, 2, 4);
	assert_int_equal(add(r, (struct test_relay){ .id = 5, .published = T0 }, true, T0 + 2), 1);
	VOTES(r, T0 + 2, 1, 4, 5);
	assert_int_equal(add(r, (struct test_relay){ .id = 6, .published = T0 }, true, T0 + 2), -ENOSPC);
	/* One that others told of and that then came itself has its place too. */
	assert_int_equal(add(r, (struct test_relay){ .id = 6, .published = T0 + DAY }, true, T0 + DAY), 1);
	roster_free(r);
}

/* One host has IPv6 addresses without end, with a relay that answers behind each: by IPv4 there is a place
 * nevertheless. */
static void no_filling_up_by_ipv6(void **state)
{
	struct roster *r = roster_of((struct roster_rules){ .max = 2 });

	(void)state;
	assert_int_equal(add6(r, (struct test_relay){ .id = 1, .host = NO_HOST, .host6 = 1, .published = T0 }, T0), 1);
	assert_int_equal(add6(r, (struct test_relay){ .id = 2, .host6 = 2, .published = T0 }, T0 + 1), 1);
	assert_int_equal(add6(r, (struct test_relay){ .id = 3, .host = NO_HOST, .host6 = 3, .published = T0 }, T0 + 2),
			 -ENOSPC);
	assert_int_equal(add(r, (struct test_relay){ .id = 4, .published = T0 }, true, T0 + 2), 1);
	VOTES(r, T0 + 2, 1, 4);
	assert_int_equal(add(r, (struct test_relay){ .id = 5, .published = T0 }, true, T0 + 2), 1);
	assert_int_equal(add(r, (struct test_relay){ .id = 6, .published = T0 }, true, T0 + 2), -ENOSPC);
	VOTES(r, T0 + 2, 4, 5);
	roster_free(r);
}

/* Nor is one IPv6 network most of a consensus; who has an IPv4 address too, or is elsewhere, is not touched. */
static void one_ipv6_network_is_few_relays(void **state)
{
	struct roster *r = roster_of((struct roster_rules){ .max = 100 });
	struct listings l;

	(void)state;
	for (uint8_t i = 1; i <= 20; i++)
		assert_int_equal(add6(r, (struct test_relay){ .id = i, .host6 = i, .published = T0 }, T0), 1);
	assert_int_equal(roster_listings(r, T0, T0, &l), 0);
	assert_int_equal(l.n, ROSTER_NETWORK_MAX);
	listings_clear(&l);
	/* It stays so: who is known longest, of these by their identities. */
	assert_int_equal(add6(r, (struct test_relay){ .id = 21, .host6 = 21, .published = T0 + 1 }, T0 + 1), 1);
	assert_int_equal(vote_of(r, 21, T0 + 1).facts.len, 0);
	assert_int_equal(add(r, (struct test_relay){ .id = 15, .host6 = 15, .published = T0 + 1 }, true, T0 + 1), 1);
	assert_int_equal(add(r, (struct test_relay){ .id = 30, .published = T0 + 1 }, true, T0 + 1), 1);
	assert_true(vote_of(r, 15, T0 + 1).facts.len > 0 && vote_of(r, 30, T0 + 1).facts.len > 0);
	assert_int_equal(roster_listings(r, T0 + 1, T0 + 1, &l), 0);
	assert_true(l.n == ROSTER_NETWORK_MAX + 1 || l.n == ROSTER_NETWORK_MAX + 2);
	listings_clear(&l);
	roster_free(r);
}

/* Where they are probed, even those that came themselves give way if they do not answer. */
static void no_filling_up_with_the_dead(void **state)
{
	struct roster *r = roster_of((struct roster_rules){ .max = 2, .probe_life = HOUR });
	struct relay_id one = test_relay_id(1);

	(void)state;
	add(r, (struct test_relay){ .id = 1, .published = T0 }, true, T0);
	add(r, (struct test_relay){ .id = 2, .published = T0 }, true, T0);
	roster_probed(r, &one, PROBE_ANSWERED, T0);
	assert_int_equal(add(r, (struct test_relay){ .id = 3, .published = T0 }, true, T0 + ROSTER_FIRST_PROBE - 1),
			 -ENOSPC);
	assert_int_equal(add(r, (struct test_relay){ .id = 3, .published = T0 }, true, T0 + ROSTER_FIRST_PROBE), 1);
	VOTES(r, T0 + ROSTER_FIRST_PROBE, 1);
	assert_int_equal(roster_count(r), 2);
	roster_free(r);
}

static void put_entry(void *ctx, const struct roster_entry *e)
{
	fwrite(e->text, 1, e->len, ctx);
}

static void many(struct roster *r)
{
	static const char one[] = "anond-server-descriptor 1\n";
	struct error err = { "" };
	char *row = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&row, &len);

	for (unsigned int i = 0; i < VOTE_RELAYS_MAX; i++)
		fputs(one, f);
	fflush(f);
	assert_int_equal(roster_add_all(r, row, len, T0, &err), 0);
	fputs(one, f);
	fclose(f);
	assert_int_equal(roster_add_all(r, row, len, T0, &err), -EFBIG);
	free(row);
}

/* It is full: nobody looks at the signature. */
static void spoilt(struct roster *r, uint8_t id)
{
	struct error err = { "" };
	size_t len;
	_cleanup_free_ char *text = test_descriptor(&(struct test_relay){ .id = id, .published = T0 }, &len);
	struct in6_addr from = test_address(id);

	strstr(text, "bandwidth 1000")[10] = '9';
	assert_int_equal(roster_add(r, text, len, NULL, T0, &err), -ENOSPC);
	assert_int_equal(roster_add(r, text, len, &from, T0, &err), -EKEYREJECTED);
}

static void authorities_tell_each_other(void **state)
{
	struct roster *a = roster_of((struct roster_rules){ .max = 10 }),
		      *b = roster_of((struct roster_rules){ .max = 10 });
	struct roster_entry e;
	struct relay_id id = test_relay_id(2);
	struct error err = { "" };
	char *row = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&row, &len);

	(void)state;
	for (uint8_t i = 1; i <= 5; i++)
		add(a, (struct test_relay){ .id = i, .published = T0 }, true, T0);
	add(b, (struct test_relay){ .id = 2, .published = T0 + 5, .bandwidth = 77 }, true, T0 + 5);
	roster_each(a, put_entry, f);
	fclose(f);
	assert_int_equal(roster_add_all(b, row, len, T0 + 5, &err), 4);
	assert_int_equal(roster_add_all(b, row, len, T0 + 5, &err), 0);
	assert_int_equal(vote_of(b, 2, T0 + 5).weight, 77);
	assert_true(roster_find(b, &id, &e) && e.direct && e.known_since == T0 + 5);
	id = test_relay_id(3);
	assert_true(roster_find(b, &id, &e) && !e.direct);
	id = test_relay_id(9);
	assert_false(roster_find(b, &id, &e));
	/* A spoilt one does not take the others away; what is no row is an error. */
	roster_free(b);
	b = roster_of((struct roster_rules){ .max = 10 });
	strstr(row, "bandwidth 1000")[10] = '9';
	assert_int_equal(roster_add_all(b, row, len, T0 + 5, &err), 4);
	assert_int_equal(roster_add_all(b, row, len - 1, T0 + 5, &err), -EINVAL);
	assert_int_equal(roster_add_all(b, "", 0, T0 + 5, &err), 0);
	/* What costs much to verify: no more than there can be of it, and none for which there is no place. */
	roster_free(b);
	b = roster_of((struct roster_rules){ .max = 2 });
	assert_int_equal(roster_add_all(b, row, len, T0 + 5, &err), 2);
	assert_int_equal(roster_count(b), 2);
	many(b);
	spoilt(b, 9);
	roster_free(a);
	roster_free(b);
	free(row);
}

static void posts_come_from_the_relay(void **state)
{
	struct roster *r = roster_of((struct roster_rules){ .max = 10 });
	struct in6_addr other = test_address(9);
	struct error err = { "" };
	size_t len;
	_cleanup_free_ char *text = test_descriptor(&(struct test_relay){ .id = 1, .published = T0 }, &len);

	(void)state;
	assert_int_equal(roster_add(r, text, len, &other, T0, &err), -EACCES);
	inet_pton(AF_INET6, "2001:db8::1", &other);
	assert_int_equal(roster_add(r, text, len, &other, T0, &err), -EACCES);
	assert_int_equal(roster_add(r, text, len, &in6addr_any, T0, &err), -EACCES);
	assert_int_equal(roster_count(r), 0);
	roster_free(r);
}

static void a_restart_forgets_nothing(void **state)
{
	struct roster *r = roster_of((struct roster_rules){ .max = 10 });
	struct relay_id id = test_relay_id(1);
	struct roster_entry e;
	struct error err = { "" };
	char *text = NULL;
	size_t len, damaged;
	FILE *f = open_memstream(&text, &len);

	(void)state;
	add(r, (struct test_relay){ .id = 1, .published = T0 }, true, T0);
	add(r, (struct test_relay){ .id = 2, .published = T0, .life = 7200 }, false, T0 + 1);
	roster_probed(r, &id, PROBE_ANSWERED, T0 + 2);
	roster_dump(r, f);
	fclose(f);
	roster_free(r);
	r = roster_of((struct roster_rules){ .max = 10 });
	assert_int_equal(roster_load(r, text, len, T0 + HOUR, &damaged, &err), 0);
	assert_int_equal(damaged, 0);
	assert_true(roster_find(r, &id, &e) && e.known_since == T0 && e.direct);
	id = test_relay_id(2);
	assert_true(roster_find(r, &id, &e) && e.known_since == T0 + 1 && !e.direct);
	roster_free(r);
	/* Also who answered. */
	r = roster_of((struct roster_rules){ .max = 10, .probe_life = HOUR });
	assert_int_equal(roster_load(r, text, len, T0 + HOUR, &damaged, &err), 0);
	VOTES(r, T0 + HOUR, 1);
	VOTES(r, T0 + 2 * HOUR, 1); /* for since then nobody was probed */
	roster_free(r);
	/* What was over long ago goes, what is damaged is counted and takes no other with it. */
	r = roster_of((struct roster_rules){ .max = 10 });
	assert_int_equal(roster_load(r, text, len, T0 + 3 * HOUR, &damaged, &err), 0);
	assert_int_equal(damaged, 0);
	VOTES(r, T0 + 3 * HOUR, 1);
	assert_int_equal(roster_count(r), 2);
	roster_free(r);
	r = roster_of((struct roster_rules){ .max = 10 });
	assert_int_equal(roster_load(r, text, len, T0 + 7200 + ROSTER_KEEP, &damaged, &err), 0);
	assert_int_equal(damaged, 0);
	assert_int_equal(roster_count(r), 1);
	roster_free(r);
	r = roster_of((struct roster_rules){ .max = 10 });
	strstr(text, "bandwidth 1000")[10] = '9';
	assert_int_equal(roster_load(r, text, len, T0, &damaged, &err), 0);
	assert_int_equal(damaged, 1);
	assert_int_equal(roster_count(r), 1);
	assert_int_equal(roster_load(r, text + 1, len - 1, T0, &damaged, &err), 0);
	assert_int_equal(damaged, 1);
	assert_int_equal(roster_load(r, text, len - 1, T0, &damaged, &err), -EINVAL);
	roster_free(r);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(newest_counts),
		cmocka_unit_test(two_of_one_second),
		cmocka_unit_test(times),
		cmocka_unit_test(who_comes_back_is_not_new),
		cmocka_unit_test(weights),
		cmocka_unit_test(first_claim_holds),
		cmocka_unit_test(who_answers_has_it),
		cmocka_unit_test(who_comes_from_it_has_it),
		cmocka_unit_test(an_address_is_shown_once),
		cmocka_unit_test(onion_keys_are_no_claims),
		cmocka_unit_test(probes),
		cmocka_unit_test(probing_pauses),
		cmocka_unit_test(grace),
		cmocka_unit_test(no_filling_up),
		cmocka_unit_test(no_filling_up_by_ipv6),
		cmocka_unit_test(one_ipv6_network_is_few_relays),
		cmocka_unit_test(no_filling_up_with_the_dead),
		cmocka_unit_test(authorities_tell_each_other),
		cmocka_unit_test(posts_come_from_the_relay),
		cmocka_unit_test(a_restart_forgets_nothing),
	};

	return cmocka_run_group_tests_name("roster", tests, NULL, NULL);
}
