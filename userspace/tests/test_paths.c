/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The sample of guards over the networks of a client's life, the first of which may be nobody's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>

#include "anond/guards_file.h"
#include "anond/paths.h"
#include "directory/network.h"

#define RELAYS 12
#define DATE (20000 * GUARDS_DAY)

static const uint8_t network_key[1][32] = { { 7 } };

struct world {
	char dir[32];
	struct config conf;
	struct relay relays[RELAYS];
	struct relay_traits traits[RELAYS];
	uint32_t weights[RELAYS];
	struct network net;
	struct network *nobody;
};

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	strcpy(w->dir, "/tmp/test_paths.XXXXXX");
	if (!mkdtemp(w->dir) || network_empty(1418, &w->nobody) < 0)
		return -1;
	w->conf.state = w->dir;
	memcpy(w->conf.network_key, network_key, sizeof(network_key));
	for (size_t i = 0; i < RELAYS; i++) {
		w->relays[i].id.b[0] = (uint8_t)(i + 1);
		w->relays[i].addr4.s_addr = htonl((uint32_t)(0x0b000001 + (i << 16)));
		w->relays[i].guard = true;
		w->weights[i] = 100;
	}
	w->net = (struct network){ .valid_from = DATE,
				   .valid_until = DATE + GUARDS_DAY,
				   .n_relays = RELAYS,
				   .relays = w->relays,
				   .traits = w->traits,
				   .weights = w->weights };
	*state = w;
	return 0;
}

static int drop(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int teardown(void **state)
{
	struct world *w = *state;
	int r = nftw(w->dir, drop, 8, FTW_DEPTH | FTW_PHYS);

	network_free(w->nobody);
	free(w);
	return r;
}

static struct guards kept(const struct world *w)
{
	struct guards g;
	struct error err = { "" };

	if (guards_file_load(w->dir, &(struct signers){ network_key, 1 }, &g, &err) < 0)
		fail_msg("%s", err.text);
	return g;
}

static struct paths *begin(const struct world *w, const struct network *net)
{
	struct paths *p = NULL;
	struct error err;

	assert_int_equal(paths_new(&w->conf, net, &p, &err), 0);
	return p;
}

static void next(const struct world *w, struct paths *p)
{
	struct path_wheel *wheel = NULL;

	assert_int_equal(paths_turn(&w->net, &wheel), 0);
	paths_set_network(p, &w->net, wheel);
}

/* A host whose clock stands in 1970, or that lost its consensus, starts with a network of nobody. */
static void nobody_knows_of_guards(void **state)
{
	struct world *w = *state;
	struct paths *p = begin(w, &w->net);
	struct guards before, after;

	before = kept(w);
	assert_int_equal(before.n, GUARDS_SAMPLE);
	paths_guard_worked(p, &before.v[2].id);
	paths_free(p);
	before = kept(w);
	assert_true(before.v[0].confirmed > 0);
	for (size_t i = 0; i < GUARDS_SAMPLE; i++)
		assert_true(before.v[i].added > 0);
	p = begin(w, w->nobody);
	after = kept(w);
	assert_memory_equal(&after, &before, sizeof(before));
	/* Nor is that one the last word. */
	w->net.valid_from += 3600;
	next(w, p);
	paths_free(p);
	after = kept(w);
	assert_memory_equal(&after, &before, sizeof(before));
	/* The control: another consensus does say who is no guard any more. */
	for (size_t i = 0; i < RELAYS; i++)
		w->relays[i].guard = memcmp(&w->relays[i].id, &before.v[0].id, sizeof(struct relay_id)) != 0;
	p = begin(w, &w->net);
	paths_free(p);
	after = kept(w);
	assert_int_equal(after.v[0].unlisted, w->net.valid_from);
}

/* The very first start is one without a network, too. */
static void the_first_sample(void **state)
{
	struct world *w = *state;
	struct paths *p = begin(w, w->nobody);

	next(w, p);
	paths_free(p);
	assert_int_equal(kept(w).n, GUARDS_SAMPLE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(nobody_knows_of_guards, setup, teardown),
		cmocka_unit_test_setup_teardown(the_first_sample, setup, teardown),
	};

	return cmocka_run_group_tests_name("paths", tests, NULL, NULL);
}
