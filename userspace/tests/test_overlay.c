/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a start does with links that an earlier run left, before charon has said a word. */

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

#include "anond/overlay.h"
#include "kernel/fake.h"
#include "model/ids.h"
#include "plan/plan.h"

#define LEFT_NUMBER 7
#define LEFT_MTU 1402

struct world {
	char dir[64], vici[96];
	struct kernel *kernel;
	struct config conf;
	struct network net;
	struct overlay_config c;
	struct overlay *overlay;
};

static bool carries(void *ctx, const struct relay_id *peer)
{
	(void)ctx;
	(void)peer;
	return true;
}

static void leave_link(struct kernel *k, uint16_t number)
{
	struct kobject o = { .type = KOBJ_LINK, .link = { .if_id = IFID_LINK_BASE + number, .mtu = LEFT_MTU } };
	const struct plan p = { .v = &o, .n = 1 };

	dev_link(number, o.link.dev);
	assert_int_equal(kernel_apply(k, &p), 0);
}

static int setup(void **state)
{
	static const struct overlay_ops ops = { .carries = carries };
	struct world *w = calloc(1, sizeof(*w));

	if (!w)
		return -1;
	snprintf(w->dir, sizeof(w->dir), "/tmp/test_overlay.XXXXXX");
	if (!mkdtemp(w->dir) || kernel_fake_new(&w->kernel) < 0)
		return -1;
	snprintf(w->vici, sizeof(w->vici), "%s/no-charon", w->dir);
	w->conf.run = w->dir;
	w->conf.vici = w->vici;
	w->conf.link.rate_steps = 1;
	w->conf.link.rate_step_s = 60;
	w->net.link_mtu = LEFT_MTU;
	w->c = (struct overlay_config){
		.loop = EV_DEFAULT, .kernel = w->kernel, .conf = &w->conf, .net = &w->net, .ops = &ops
	};
	leave_link(w->kernel, LEFT_NUMBER);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	static const char *const names[] = { "links", "client-id" };
	struct world *w = *state;
	char path[96];

	overlay_free(w->overlay);
	kernel_free(w->kernel);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", w->dir, names[i]);
		unlink(path);
	}
	int r = rmdir(w->dir);
	free(w);
	return r;
}

static const struct kobject *first(const struct kernel *k, enum kobject_type type)
{
	const struct plan *p = kernel_fake_objects(k);

	for (size_t i = 0; i < p->n; i++)
		if (p->v[i].type == type)
			return &p->v[i];
	return NULL;
}

static void unshaped(void **state)
{
	struct world *w = *state;
	struct error err = { "" };

	assert_int_equal(overlay_new(&w->c, &w->overlay, &err), 0);
	assert_null(first(w->kernel, KOBJ_TFC));
}

/* What was not shaped carries nothing until charon tells of the link: a shape without a far end. */
static void held(void **state)
{
	struct world *w = *state;
	struct error err = { "" };
	const struct kobject *shape;

	w->conf.link.pps = 50;
	w->conf.link.mix_window_ms = 30;
	assert_int_equal(overlay_new(&w->c, &w->overlay, &err), 0);
	shape = first(w->kernel, KOBJ_TFC);
	assert_non_null(shape);
	assert_string_equal(shape->tfc.dev, "ovl7");
	assert_int_equal(shape->tfc.size, LEFT_MTU);
	assert_int_equal(shape->tfc.interval_ns, 20000000);
	assert_int_equal(shape->tfc.window_ns, 30000000);
	assert_int_equal(shape->tfc.step_time_ns, 60000000000);
	assert_false(shape->tfc.shared);
	assert_null(first(w->kernel, KOBJ_TFC_PEER));
}

/* One that others share keeps their rate. */
static void clients_held(void **state)
{
	struct world *w = *state;
	struct error err = { "" };
	size_t n = 0;

	leave_link(w->kernel, LINK_CLIENTS);
	w->conf.link.pps = 50;
	w->conf.link.client_pps = 10;
	assert_int_equal(overlay_new(&w->c, &w->overlay, &err), 0);
	for (size_t i = 0; i < kernel_fake_objects(w->kernel)->n; i++) {
		const struct kobject *o = &kernel_fake_objects(w->kernel)->v[i];

		if (o->type != KOBJ_TFC || strcmp(o->tfc.dev, "ovl1") != 0)
			continue;
		assert_true(o->tfc.shared);
		assert_int_equal(o->tfc.interval_ns, 100000000);
		n++;
	}
	assert_int_equal(n, 1);
}

/* The first object is the device of the trial, the second its shape. */
static void no_module(void **state)
{
	struct world *w = *state;
	struct error err = { "" };

	w->conf.link.pps = 50;
	kernel_fake_fail(w->kernel, 1, -ENOENT);
	assert_int_equal(overlay_new(&w->c, &w->overlay, &err), -ENOENT);
	assert_null(w->overlay);
	assert_non_null(strstr(err.text, "anon_tfc"));
	assert_int_equal(kernel_fake_objects(w->kernel)->n, 1); /* what was there */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(unshaped, setup, teardown),
		cmocka_unit_test_setup_teardown(held, setup, teardown),
		cmocka_unit_test_setup_teardown(clients_held, setup, teardown),
		cmocka_unit_test_setup_teardown(no_module, setup, teardown),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
