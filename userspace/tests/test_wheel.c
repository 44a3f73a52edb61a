/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Paths by weight: the distribution against the weights (chi-square, fixed seed), and every constraint. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/cleanup.h"
#include "path/wheel.h"
#include "tests/chance.h"

#define MANY 10000

static uint64_t seed;

static const struct rng rng = { chance_fill, &seed };

struct world {
	struct relay relay[MANY];
	struct relay_traits traits[MANY];
	uint32_t weight[MANY];
	struct path_relays r;
	struct path_wheel *wheel;
};

/* Relays of n networks, ASes and weights of their own; every third is a guard, every fifth an exit for tcp/80, 443. */
static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	seed = 88172645463325252u;
	w->r = (struct path_relays){ 0, w->relay, w->traits, w->weight };
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	path_wheel_free(w->wheel);
	free(w);
	return 0;
}

static void build(struct world *w, size_t n)
{
	w->r.n = n;
	for (size_t i = 0; i < n; i++) {
		memcpy(w->relay[i].id.b, &i, sizeof(i));
		w->relay[i].addr4.s_addr = htonl((uint32_t)(0x0b000000 + (i << 16)));
		w->relay[i].guard = i % 3 == 0;
		w->relay[i].exit = i % 5 == 0;
		w->traits[i].as = (uint32_t)(i + 1);
		memcpy(w->traits[i].country, i % 2 ? "AT" : "CH", 3);
		if (w->relay[i].exit) {
			w->traits[i].exit4.v[0].proto = w->traits[i].exit4.v[1].proto = IPPROTO_TCP;
			w->traits[i].exit4.v[0].first = w->traits[i].exit4.v[0].last = 80;
			w->traits[i].exit4.v[1].first = w->traits[i].exit4.v[1].last = 443;
			w->traits[i].exit4.n = 2;
		}
		w->weight[i] = (uint32_t)(1 + i * 7919 % 997);
	}
}

static void turn(struct world *w)
{
	path_wheel_free(w->wheel);
	assert_int_equal(path_wheel_new(&w->r, &w->wheel), 0);
}

/* Of relays with those weights (0: never), drawn that often. */
static void compare(const char *what, const double *weight, const uint32_t *hits, size_t n, double draws)
{
	double all = 0, chi = 0, df = -1;

	for (size_t i = 0; i < n; i++)
		all += weight[i];
	for (size_t i = 0; i < n; i++) {
		double want = draws * weight[i] / all, d = hits[i] - want;

		if (weight[i] == 0) {
			assert_int_equal(hits[i], 0);
			continue;
		}
		chi += d * d / want;
		df++;
	}
	if (chi > chi_square_limit(df))
		fail_msg("%s: chi-square %f with %f degrees of freedom", what, chi, df);
}

/*
 * Exits are drawn first, so they have their weights; the guard, given the exit, has the weights of those that are left.
 * An exit here is a fifth of all weight: scarce, so it stands nowhere else; guards are a third: just so too.
 */
static void by_weight(void **state)
{
	enum { N = 60, DRAWS = 200000 };
	static uint32_t exits[N], guards[N], middles[N];
	static double exit_w[N], guard_w[N], middle_w[N];
	struct path_wish wish = { .hops = 3 };
	struct world *w = *state;
	struct path_choice c;
	struct error err;
	double all = 0, guard_all = 0, of_guards;
	int given = 0;

	build(w, N);
	for (size_t i = 0; i < N; i++)
		w->weight[i] = w->relay[i].guard ? w->weight[i] * 3 : w->weight[i]; /* not scarce */
	turn(w);
	for (size_t i = 0; i < N; i++) {
		all += w->weight[i];
		guard_all += w->relay[i].guard ? w->weight[i] : 0;
	}
	of_guards = (double)(256 - (uint64_t)(256 * all / (3 * guard_all))) / 256;
	assert_true(of_guards > 0.1);
	for (int i = 0; i < DRAWS; i++) {
		assert_int_equal(path_wheel_choose(w->wheel, &wish, &rng, &c, &err), 0);
		assert_int_equal(c.alike, PATH_APART);
		assert_true(c.index[0] != c.index[1] && c.index[1] != c.index[2] && c.index[0] != c.index[2]);
		exits[c.index[2]]++;
		if (c.index[2] != 5) /* one exit that is no guard: those beside it */
			continue;
		given++;
		guards[c.index[0]]++;
		middles[c.index[1]] += c.index[0] == 3;
	}
	for (size_t i = 0; i < N; i++) {
		exit_w[i] = w->relay[i].exit ? w->weight[i] * (w->relay[i].guard ? of_guards : 1) : 0;
		guard_w[i] = w->relay[i].guard && !w->relay[i].exit ? w->weight[i] : 0;
		middle_w[i] = w->relay[i].exit || i == 3 ? 0 : w->weight[i] * (w->relay[i].guard ? of_guards : 1);
	}
	compare("exits", exit_w, exits, N, DRAWS);
	compare("guards", guard_w, guards, N, given);
	compare("middles", middle_w, middles, N, guards[3]);
	/* it can fail: the same hits against other weights */
	exit_w[5] *= 1.2;
	double a = 0, chi = 0;
	for (size_t i = 0; i < N; i++)
		a += exit_w[i];
	for (size_t i = 0; i < N; i++)
		chi += exit_w[i] ? (exits[i] - DRAWS * exit_w[i] / a) * (exits[i] - DRAWS * exit_w[i] / a) /
					   (DRAWS * exit_w[i] / a)
				 : 0;
	assert_true(chi > chi_square_limit(11));
}

static int choose(struct world *w, const struct path_wish *wish, struct path_choice *c, struct error *err)
{
	return path_wheel_choose(w->wheel, wish, &rng, c, err);
}

/* One /16, /32, AS or family: never together, as long as there is another path. */
static void apart(void **state)
{
	struct path_wish wish = { .hops = 3 };
	struct world *w = *state;
	struct path_choice c;
	struct error err = { "" };

	for (int kind = 0; kind < 4; kind++) {
		build(w, 9);
		for (size_t i = 0; i < 9; i++) {
			size_t group = i / 3; /* three groups of three: a path has one of each */

			w->relay[i].guard = w->relay[i].exit = true;
			if (kind == 0)
				w->relay[i].addr4.s_addr = htonl((uint32_t)(0x0b000000 + (group << 16) + i));
			if (kind == 1)
				w->relay[i].addr6.s6_addr32[0] = (uint32_t)(0x20010db8 + group);
			if (kind == 2)
				w->traits[i].as = (uint32_t)(group + 1);
			if (kind == 3) {
				w->traits[i].n_families = 2;
				w->traits[i].families[0][0] = (uint8_t)(100 + i);
				w->traits[i].families[1][0] = (uint8_t)group;
			}
		}
		turn(w);
		for (int i = 0; i < 500; i++) {
			assert_int_equal(choose(w, &wish, &c, &err), 0);
			assert_int_equal(c.alike, PATH_APART);
			assert_int_not_equal(c.index[0] / 3, c.index[1] / 3);
			assert_int_not_equal(c.index[0] / 3, c.index[2] / 3);
			assert_int_not_equal(c.index[1] / 3, c.index[2] / 3);
		}
		/* four hops of three groups: there is none that is not alike; not unless it may be, and then it says so
		 */
		wish.hops = 4;
		assert_int_equal(choose(w, &wish, &c, &err), -ENOENT);
		wish.may = PATH_NETWORKS_ALIKE;
		assert_int_equal(choose(w, &wish, &c, &err), kind == 3 ? -ENOENT : 0);
		wish.may = PATH_FAMILIES_ALIKE;
		assert_int_equal(choose(w, &wish, &c, &err), 0);
		assert_int_equal(c.alike, kind == 3 ? PATH_FAMILIES_ALIKE : PATH_NETWORKS_ALIKE);
		assert_int_equal(path_alike(&w->r, c.index, 4), c.alike);
		assert_int_equal(path_alike(&w->r, (size_t[]){ 0, 3, 6 }, 3), PATH_APART);
		wish = (struct path_wish){ .hops = 3 };
	}
}

/* An exit with nearly all weight, of whose network all guards are: the other one, as long as there is another one. */
static void never_alike_for_weight(void **state)
{
	struct path_wish wish = { .hops = 3 };
	struct world *w = *state;
	struct path_choice c;
	struct error err = { "" };

	build(w, 12);
	for (size_t i = 0; i < 12; i++) {
		w->relay[i].exit = i < 2;
		w->relay[i].guard = i >= 2 && i < 6;
		w->weight[i] = i == 0 ? 1000000 : 10;
		w->traits[i].as = i == 0 || w->relay[i].guard ? 7 : (uint32_t)(100 + i);
	}
	turn(w);
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(choose(w, &wish, &c, &err), 0);
		assert_int_equal(c.alike, PATH_APART);
		assert_int_equal(c.index[2], 1);
	}
}

/* What is wanted, only one has who counts for nothing by the weights: then it counts in full. */
static void the_only_one(void **state)
{
	struct path_need need = { false, IPPROTO_TCP, 22 };
	struct path_wish wish = { .hops = 3, .needs = &need, .n_needs = 1 };
	struct world *w = *state;
	struct path_choice c;
	struct error err = { "" };

	build(w, 30);
	w->traits[15].exit4.v[0].first = w->traits[15].exit4.v[0].last = 22; /* guard and exit, both scarce */
	turn(w);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(choose(w, &wish, &c, &err), 0);
		assert_int_equal(c.index[2], 15);
	}
}

static void wishes(void **state)
{
	static const char at[][3] = { "AT" }, both[][3] = { "AT", "CH" };
	static const uint8_t family[][32] = { { 9 } };
	struct relay_id dead[4] = { 0 }, guard = { { 0 } };
	struct path_need needs[] = { { false, IPPROTO_TCP, 443 } };
	struct path_wish wish = { .hops = 3 };
	struct world *w = *state;
	struct path_choice c;
	struct error err = { "" };
	const size_t last = 27;

	build(w, 30);
	turn(w);
	wish.exit_countries = at;
	wish.n_exit_countries = 1;
	for (int i = 0; i < 200; i++) {
		assert_int_equal(choose(w, &wish, &c, &err), 0);
		assert_int_equal(c.index[2] % 2, 1);
	}
	wish.never_countries = at;
	wish.n_never_countries = 1;
	assert_int_equal(choose(w, &wish, &c, &err), -ENOENT);
	assert_string_equal(err.text, "no exit fits: 6 relays can be one, 6 in other countries than wanted");
	wish = (struct path_wish){ .hops = 3, .never_countries = both, .n_never_countries = 2 };
	assert_int_equal(choose(w, &wish, &c, &err), -ENOENT);
	/* nor who says none */
	for (size_t i = 0; i < 30; i++)
		w->traits[i].country[0] = '\0';
	wish.n_never_countries = 1;
	assert_int_equal(choose(w, &wish, &c, &err), -ENOENT);
	/* what it is for */
	wish = (struct path_wish){ .hops = 3, .needs = needs, .n_needs = 1 };
	assert_int_equal(choose(w, &wish, &c, &err), 0);
	needs[0].port = 25;
	assert_int_equal(choose(w, &wish, &c, &err), -ENOENT);
	assert_string_equal(err.text, "no exit fits: 6 relays can be one, 6 not leading there");
	needs[0] = (struct path_need){ true, IPPROTO_TCP, 443 };
	assert_int_equal(choose(w, &wish, &c, &err), -ENOENT);
	needs[0] = (struct path_need){ false, IPPROTO_UDP, 443 };
	assert_int_equal(choose(w, &wish, &c, &err), -ENOENT);
	/* who ends soon, an operator that is not wanted, who failed */
	wish = (struct path_wish){ .hops = 3, .alive_until = 1000, .never_families = family, .n_never_families = 1 };
	for (size_t i = 0; i < 15; i++)
		w->traits[i].ends = 999;
	w->traits[15].ends = 1000;
	w->traits[20].n_families = 1;
	w->traits[20].families[0][0] = 9;
	for (size_t i = 0; i < 4; i++)
		memcpy(dead[i].b, &(size_t){ 16 + i }, sizeof(size_t));
	wish.exclude = dead;
	wish.n_exclude = 4;
	for (int i = 0; i < 200; i++) {
		assert_int_equal(choose(w, &wish, &c, &err), 0);
		assert_true(c.index[2] == 15 || c.index[2] == 25);
		for (size_t k = 0; k < 3; k++)
			assert_true(c.index[k] == 15 || c.index[k] > 20);
	}
	/* a guard that is given */
	memcpy(guard.b, &last, sizeof(last));
	wish.guard = &guard;
	for (int i = 0; i < 100; i++) {
		assert_int_equal(choose(w, &wish, &c, &err), 0);
		assert_int_equal(c.index[0], last);
	}
	memcpy(guard.b, &(size_t){ 26 }, sizeof(size_t)); /* is none */
	assert_int_equal(choose(w, &wish, &c, &err), -ENOENT);
	assert_string_equal(err.text, "the guard that is kept does not fit");
	/* one that is an exit too, and counts for nothing as a guard */
	memcpy(guard.b, &(size_t){ 15 }, sizeof(size_t));
	for (int i = 0; i < 100; i++) {
		assert_int_equal(choose(w, &wish, &c, &err), 0);
		assert_true(c.index[0] == 15 && c.index[2] == 25);
	}
	wish.hops = 0;
	assert_int_equal(choose(w, &wish, &c, &err), -EINVAL);
	wish.hops = HOPS_MAX + 1;
	assert_int_equal(choose(w, &wish, &c, &err), -EINVAL);
}

/* One hop: guard and exit at once, by weight; all that is wished of an exit holds. */
static void one_hop(void **state)
{
	enum { N = 60, DRAWS = 20000 };
	static uint32_t hits[N];
	static double want[N];
	struct path_need need = { false, IPPROTO_TCP, 22 };
	struct path_wish wish = { .hops = 1 };
	struct relay_id guard;
	struct world *w = *state;
	struct path_choice c;
	struct error err = { "" };

	build(w, N);
	turn(w);
	for (int i = 0; i < DRAWS; i++) {
		assert_int_equal(choose(w, &wish, &c, &err), 0);
		hits[c.index[0]]++;
	}
	for (size_t i = 0; i < N; i++)
		want[i] = i % 15 == 0 ? w->weight[i] : 0;
	compare("one hop", want, hits, N, DRAWS);
	guard = w->relay[30].id;
	wish.guard = &guard;
	assert_int_equal(choose(w, &wish, &c, &err), 0);
	assert_int_equal(c.index[0], 30);
	guard = w->relay[3].id; /* no exit */
	assert_int_equal(choose(w, &wish, &c, &err), -ENOENT);
	wish = (struct path_wish){ .hops = 1, .needs = &need, .n_needs = 1 };
	assert_int_equal(choose(w, &wish, &c, &err), -ENOENT);
	assert_string_equal(err.text, "no guard that is an exit too fits: 4 relays can be one, 4 not leading there");
}

/* A network file says of its exits no ports: they lead everywhere; and one that says some only there. */
static void ports_unknown(void **state)
{
	struct path_need needs[] = { { false, IPPROTO_TCP, 25 }, { true, IPPROTO_UDP, 9 } };
	struct path_wish wish = { .hops = 3, .needs = needs, .n_needs = 2 };
	struct world *w = *state;
	struct path_choice c;
	struct error err = { "" };

	build(w, 30);
	turn(w);
	assert_int_equal(choose(w, &wish, &c, &err), -ENOENT);
	w->traits[10].exit4.n = 0;
	assert_int_equal(choose(w, &wish, &c, &err), 0);
	assert_int_equal(c.index[2], 10);
}

/* Guards alone: by weight, but those that are had already, and never who is none. */
static void guards_alone(void **state)
{
	enum { N = 60, DRAWS = 20000 };
	static const char at[][3] = { "AT" };
	static uint32_t hits[N];
	static double want[N];
	struct path_wish wish = { 0 };
	struct relay_id none[2], id;
	struct world *w = *state;

	build(w, N);
	for (size_t i = 0; i < N; i++)
		w->relay[i].exit = false;
	turn(w);
	none[0] = w->relay[3].id;
	none[1] = w->relay[57].id;
	for (int i = 0; i < DRAWS; i++) {
		size_t k;

		assert_true(path_wheel_guard(w->wheel, &wish, none, 2, &rng, &id));
		memcpy(&k, id.b, sizeof(k));
		hits[k]++;
	}
	for (size_t i = 0; i < N; i++)
		want[i] = i % 3 == 0 && i != 3 && i != 57 ? w->weight[i] : 0;
	compare("guards", want, hits, N, DRAWS);
	wish.never_countries = at;
	wish.n_never_countries = 1;
	assert_true(path_wheel_is_guard(w->wheel, &wish, &w->relay[6].id));
	assert_false(path_wheel_is_guard(w->wheel, &wish, &w->relay[9].id)); /* AT */
	assert_false(path_wheel_is_guard(w->wheel, &wish, &w->relay[8].id)); /* no guard */
	assert_false(path_wheel_is_guard(w->wheel, &wish, &(struct relay_id){ { 200, 1 } }));
	for (int i = 0; i < 100; i++) {
		assert_true(path_wheel_guard(w->wheel, &wish, none, 2, &rng, &id));
		assert_int_equal(id.b[0] % 2, 0);
	}
	for (size_t i = 0; i < N; i++)
		w->relay[i].guard = false;
	turn(w);
	assert_false(path_wheel_guard(w->wheel, &wish, none, 2, &rng, &id));
}

/* Every length, with as many relays as it needs, all of them guard and exit: the weights elsewhere are small, not zero.
 */
static void lengths(void **state)
{
	struct world *w = *state;
	struct path_choice c;
	struct error err = { "" };

	for (size_t hops = 2; hops <= HOPS_MAX; hops++) {
		struct path_wish wish = { .hops = hops };

		build(w, hops);
		for (size_t i = 0; i < hops; i++)
			w->relay[i].guard = w->relay[i].exit = true;
		turn(w);
		for (int i = 0; i < 100; i++) {
			unsigned int seen = 0;

			assert_int_equal(choose(w, &wish, &c, &err), 0);
			for (size_t k = 0; k < hops; k++)
				seen |= 1u << c.index[k];
			assert_int_equal(seen, (1u << hops) - 1);
		}
		w->r.n--;
		turn(w);
		assert_int_equal(choose(w, &wish, &c, &err), -ENOENT);
		if (hops > 2)
			assert_non_null(strstr(err.text, "hops need as many relays, but only"));
	}
	/* one guard alone, which is the one exit too */
	build(w, 3);
	w->relay[0].guard = w->relay[0].exit = true;
	w->relay[1].guard = w->relay[2].guard = w->relay[1].exit = w->relay[2].exit = false;
	turn(w);
	assert_int_equal(choose(w, &(struct path_wish){ .hops = 3 }, &c, &err), -ENOENT);
	assert_string_equal(err.text, "no guard is left beside the others of the path: 1 relays can be one");
	w->r.n = 0;
	turn(w);
	assert_int_equal(choose(w, &(struct path_wish){ .hops = 3 }, &c, &err), -ENOENT);
}

static uint32_t below(uint32_t n)
{
	return rng_below(&rng, n);
}

/* Up to nine relays of few networks, ASes and families. */
static void scatter(struct world *w)
{
	uint32_t groups = 1 + below(7);

	build(w, 3 + below(7));
	memset(w->relay, 0, sizeof(w->relay[0]) * w->r.n);
	for (size_t i = 0; i < w->r.n; i++) {
		uint32_t kind = below(4);

		w->relay[i].id.b[0] = (uint8_t)(i + 1);
		if (kind != 0)
			w->relay[i].addr4.s_addr = htonl(0x0b000000u + (below(groups) << 16) + (uint32_t)i);
		if (kind <= 1)
			w->relay[i].addr6.s6_addr32[0] = htonl(0x20010000u + below(groups));
		w->relay[i].guard = below(2);
		w->relay[i].exit = below(2);
		w->weight[i] = below(3) * below(1000);
		w->traits[i].as = below(3) ? 0 : 1 + below(groups);
		w->traits[i].n_families = below(3) == 0;
		w->traits[i].families[0][0] = (uint8_t)(1 + below(3));
	}
	turn(w);
}

static bool have_link(const struct relay *a, const struct relay *b)
{
	return (a->addr4.s_addr && b->addr4.s_addr) || (a->addr6.s6_addr32[0] && b->addr6.s6_addr32[0]);
}

static bool are_linked(const struct world *w, const size_t *path, size_t hops)
{
	for (size_t i = 1; i < hops; i++)
		if (!have_link(&w->relay[path[i - 1]], &w->relay[path[i]]))
			return false;
	return true;
}

/* Whether there is a path, looked for one by one: relays of it from `at` on, those before it are given. */
static bool exists(const struct world *w, const struct path_wish *wish, enum path_alike may, size_t at, size_t *path)
{
	if (at == wish->hops)
		return path_alike(&w->r, path, wish->hops) <= may && are_linked(w, path, wish->hops);
	for (size_t i = 0; i < w->r.n; i++) {
		bool fits = (at > 0 || w->relay[i].guard) && (at < wish->hops - 1 || w->relay[i].exit) &&
			    (at > 0 || !wish->guard || wish->guard == &w->relay[i].id);

		for (size_t k = 0; k < at; k++)
			fits = fits && path[k] != i;
		path[at] = i;
		if (fits && exists(w, wish, may, at + 1, path))
			return true;
	}
	return false;
}

/* Where there is a path it is found, and no more alike than it has to be, in whatever order its relays are drawn. */
static void found_if_there_is_one(void **state)
{
	size_t found[PATH_FAMILIES_ALIKE + 1] = { 0 }, path[HOPS_MAX];
	struct world *w = *state;
	struct path_choice c;
	struct error err;

	for (int t = 0; t < 20000; t++) {
		struct path_wish wish = { .hops = 1 + below(HOPS_MAX), .may = PATH_FAMILIES_ALIKE };
		enum path_alike least = PATH_APART;

		scatter(w);
		wish.guard = below(2) ? &w->relay[below((uint32_t)w->r.n)].id : NULL;
		while (least <= PATH_FAMILIES_ALIKE && !exists(w, &wish, least, 0, path))
			least++;
		if (least > PATH_FAMILIES_ALIKE) {
			assert_int_equal(choose(w, &wish, &c, &err), -ENOENT);
			continue;
		}
		assert_int_equal(choose(w, &wish, &c, &err), 0);
		assert_int_equal(c.alike, least);
		assert_true(are_linked(w, c.index, wish.hops));
		found[least]++;
	}
	for (size_t i = 0; i <= PATH_FAMILIES_ALIKE; i++)
		assert_true(found[i] > 100);
}

/* Nobody has measured anything: all are as good as each other; but what weighs anything is before what does not. */
static void weightless(void **state)
{
	enum { N = 30, DRAWS = 20000 };
	static uint32_t hits[N];
	static double want[N];
	struct path_wish wish = { .hops = 3 };
	struct relay_id id;
	struct world *w = *state;
	struct path_choice c;
	struct error err;

	build(w, N);
	memset(w->weight, 0, sizeof(w->weight));
	turn(w);
	for (int i = 0; i < DRAWS; i++) {
		assert_int_equal(choose(w, &wish, &c, &err), 0);
		hits[c.index[2]]++;
	}
	for (size_t i = 0; i < N; i++)
		want[i] = w->relay[i].exit;
	compare("exits", want, hits, N, DRAWS);
	assert_true(path_wheel_guard(w->wheel, &wish, NULL, 0, &rng, &id));
	for (size_t i = 0; i < 3; i++) /* 0 is guard and exit, 3 a guard, 5 an exit */
		w->weight[(const size_t[]){ 3, 4, 5 }[i]] = 1;
	turn(w);
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(choose(w, &wish, &c, &err), 0);
		assert_true(c.index[0] == 3 && c.index[1] == 4 && c.index[2] == 5);
	}
}

/* Under a millisecond a path with 10,000 relays, sanitizers and all. */
static void quick(void **state)
{
	struct path_wish wish = { .hops = 3 };
	struct world *w = *state;
	struct path_choice c;
	struct error err;
	struct timespec a, b;

	build(w, MANY);
	turn(w);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(choose(w, &wish, &c, &err), 0);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
	assert_true((double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9 < 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(by_weight, setup, teardown),
		cmocka_unit_test_setup_teardown(apart, setup, teardown),
		cmocka_unit_test_setup_teardown(never_alike_for_weight, setup, teardown),
		cmocka_unit_test_setup_teardown(the_only_one, setup, teardown),
		cmocka_unit_test_setup_teardown(wishes, setup, teardown),
		cmocka_unit_test_setup_teardown(one_hop, setup, teardown),
		cmocka_unit_test_setup_teardown(ports_unknown, setup, teardown),
		cmocka_unit_test_setup_teardown(guards_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(lengths, setup, teardown),
		cmocka_unit_test_setup_teardown(found_if_there_is_one, setup, teardown),
		cmocka_unit_test_setup_teardown(weightless, setup, teardown),
		cmocka_unit_test_setup_teardown(quick, setup, teardown),
	};

	return cmocka_run_group_tests_name("wheel", tests, NULL, NULL);
}
