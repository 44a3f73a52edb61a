/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Selections: what is one, which two are the same, which two cannot stand beside one another. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <jansson.h>
#include <netinet/in.h>
#include <string.h>

#include "anond/selection_json.h"
#include "lib/cleanup.h"

static struct selection parsed(const char *text)
{
	json_t *j = json_loads(text, 0, NULL);
	struct selection s = { 0 };
	struct error err = { "" };

	assert_non_null(j);
	if (selection_from_json(j, true, &s, &err) < 0) {
		print_message("%s: %s\n", text, err.text);
		fail();
	}
	json_decref(j);
	return s;
}

static void conflicts(void **state)
{
	static const struct {
		const char *a, *b;
		bool conflict;
	} cases[] = {
		/* destinations alone: the longest counts, so only the same one is in the way */
		{ "{}", "{\"to\":[\"192.0.2.0/24\"]}", false },
		{ "{\"to\":[\"192.0.2.0/24\"]}", "{\"to\":[\"192.0.2.7\"]}", false },
		{ "{\"to\":[\"192.0.2.0/24\",\"::/0\"]}", "{\"to\":[\"192.0.2.0/24\"]}", true },
		{ "{}", "{\"to\":[\"::/0\"]}", true },
		/* more than destinations stands before them */
		{ "{}", "{\"users\":[7]}", false },
		{ "{\"users\":[7]}", "{\"users\":[8]}", false },
		{ "{\"users\":[7,8]}", "{\"users\":[8,9]}", true },
		{ "{\"users\":[7]}", "{\"ports\":[\"tcp/80\"]}", true },
		{ "{}", "{\"groups\":[7]}", false },
		{ "{\"groups\":[7]}", "{\"groups\":[8]}", false },
		{ "{\"groups\":[7,8]}", "{\"groups\":[8,9]}", true },
		/* a user may be in a group */
		{ "{\"users\":[7]}", "{\"groups\":[8]}", true },
		{ "{\"users\":[7],\"ports\":[\"tcp/80\"]}", "{\"groups\":[8],\"ports\":[\"udp/80\"]}", false },
		{ "{\"users\":[7],\"ports\":[\"tcp/80\"]}", "{\"users\":[7],\"ports\":[\"udp/80\"]}", false },
		{ "{\"users\":[7],\"ports\":[\"tcp/80-90\"]}", "{\"users\":[7],\"ports\":[\"tcp/90-91\"]}", true },
		{ "{\"users\":[7],\"ports\":[\"tcp/80-90\"]}", "{\"users\":[7],\"ports\":[\"tcp/91\"]}", false },
		{ "{\"users\":[7],\"to\":[\"192.0.2.0/24\"]}", "{\"users\":[7],\"to\":[\"192.0.2.7\"]}", true },
		{ "{\"users\":[7],\"to\":[\"192.0.2.0/24\"]}", "{\"users\":[7],\"to\":[\"192.0.3.0/24\",\"::/0\"]}",
		  false },
		/* what is excepted is thrown out of the table for all destinations */
		{ "{\"except\":[\"192.168.1.0/24\"]}", "{\"to\":[\"192.168.0.0/16\"]}", true },
		{ "{\"except\":[\"192.168.1.0/24\"]}", "{\"to\":[\"192.168.1.0/24\"]}", false },
		{ "{\"except\":[\"192.168.1.0/24\"]}", "{\"to\":[\"192.168.1.7\"]}", false },
		{ "{\"except\":[\"192.168.1.0/24\"]}", "{\"to\":[\"10.0.0.0/8\"]}", false },
		{ "{\"except\":[\"192.168.1.0/24\"]}", "{\"users\":[7]}", false },
		{ "{\"except\":[\"192.168.1.0/24\"]}", "{\"from\":[\"192.168.0.0/16\"]}", false },
		/* hosts of a LAN: named once, or all others */
		{ "{\"from\":[\"0.0.0.0/0\"]}", "{\"from\":[\"192.168.1.0/24\"]}", false },
		{ "{\"from\":[\"192.168.1.0/24\"]}", "{\"from\":[\"192.168.1.7\"]}", true },
		{ "{\"from\":[\"0.0.0.0/0\"]}", "{\"from\":[\"::/0\",\"0.0.0.0/0\"]}", true },
		{ "{\"from\":[\"192.168.1.0/24\"]}", "{\"to\":[\"192.168.1.0/24\"]}", false },
		{ "{\"from\":[\"0.0.0.0/0\"]}", "{\"users\":[7]}", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct selection a = parsed(cases[i].a), b = parsed(cases[i].b);

		if (selection_conflict(&a, &b) != cases[i].conflict ||
		    selection_conflict(&b, &a) != cases[i].conflict) {
			print_message("%s and %s\n", cases[i].a, cases[i].b);
			fail();
		}
		assert_true(selection_same(&a, &a));
		assert_false(selection_same(&a, &b));
		selection_clear(&a);
		selection_clear(&b);
	}
}

static void sameness(void **state)
{
	struct selection a =
		parsed("{\"to\":[\"192.0.2.1\",\"::/0\"],\"users\":[1,2],\"ports\":[\"tcp/1\",\"udp/2-3\"]}");
	struct selection b =
		parsed("{\"to\":[\"::/0\",\"192.0.2.1/32\"],\"users\":[2,1],\"ports\":[\"udp/2-3\",\"tcp/1\"]}");

	(void)state;
	assert_true(selection_same(&a, &b));
	b.ports[0].last = 4;
	assert_false(selection_same(&a, &b));
	b.ports[0].last = 3;
	b.except[b.n_except++] = (struct prefix){ .family = AF_INET6, .len = 8 };
	assert_false(selection_same(&a, &b));
	assert_false(selection_same(&b, &a));
	b.n_except = 0;
	b.n_groups = 1;
	assert_false(selection_same(&a, &b));
	assert_false(selection_same(&b, &a));
	b.n_groups = 0;
	b.n_users = 1;
	assert_false(selection_same(&a, &b));
	assert_false(selection_same(&b, &a));
	selection_clear(&a);
	selection_clear(&b);
}

/* There and back; nothing is taken for something else. */
static void as_json(void **state)
{
	static const char *const bad[] = {
		"{\"to\":[]}",
		"{\"to\":\"::/0\"}",
		"{\"to\":[\"::/0\"],\"from\":[\"::/0\"]}",
		"{\"from\":[\"::/0\"],\"users\":[1]}",
		"{\"from\":[\"::/0\"],\"ports\":[\"tcp/1\"]}",
		"{\"except\":[]}",
		"{\"except\":\"192.168.1.0/24\"}",
		"{\"except\":[7]}",
		"{\"except\":[\"::/0\"]}",
		"{\"except\":[\"fd00::/8\"]}",
		"{\"except\":[\"fc00::/7\"]}",
		"{\"except\":[\"fd12:3456:7800::/40\"]}",
		"{\"to\":[\"10.0.0.0/8\"],\"except\":[\"10.0.0.0/8\"]}",
		"{\"to\":[\"10.0.0.0/8\"],\"except\":[\"192.168.1.0/24\"]}",
		"{\"to\":[\"0.0.0.0/0\",\"10.1.0.0/16\"],\"except\":[\"10.0.0.0/8\"]}",
		"{\"except\":[\"192.168.1.7/24\"]}",
		"{\"except\":[\"192.168.1.0/24\"],\"users\":[1]}",
		"{\"except\":[\"192.168.1.0/24\"],\"ports\":[\"tcp/1\"]}",
		"{\"except\":[\"192.168.1.0/24\"],\"from\":[\"::/0\"]}",
		"{\"users\":[1.5]}",
		"{\"users\":[0]}",
		"{\"users\":[\"root\"]}",
		"{\"users\":[4294967295]}",
		"{\"users\":[1,2,3,4,5,6,7,8,9]}",
		"{\"groups\":[]}",
		"{\"groups\":[0]}",
		"{\"groups\":[\"wheel\"]}",
		"{\"groups\":[16777216]}",
		"{\"groups\":[1,2,3,4,5,6,7,8,9]}",
		"{\"groups\":[1],\"users\":[1]}",
		"{\"from\":[\"::/0\"],\"groups\":[1]}",
		"{\"except\":[\"192.168.1.0/24\"],\"groups\":[1]}",
		"{\"ports\":[\"tcp/0\"]}",
		"{\"ports\":[\"tcp/65536\"]}",
		"{\"ports\":[\"tcp/1024-65535\"]}",
		"{\"ports\":[\"tcp/1-\"]}",
		"{\"ports\":[\"tcp/1 \"]}",
		"{\"ports\":[\"tcp/+1\"]}",
		"{\"ports\":[\"icmp/1\"]}",
		"{\"ports\":[7]}",
	};
	struct selection s = parsed("{\"from\":[\"192.168.1.0/24\"]}");
	json_t *j = json_object(), *many = json_array();
	struct error err;

	(void)state;
	selection_to_json(&s, j);
	assert_string_equal(json_string_value(json_array_get(json_object_get(j, "from"), 0)), "192.168.1.0/24");
	assert_int_equal(json_object_size(j), 1);
	selection_clear(&s);
	json_decref(j);
	s = parsed("{\"groups\":[16777215,1]}");
	j = json_object();
	selection_to_json(&s, j);
	assert_int_equal(json_integer_value(json_array_get(json_object_get(j, "groups"), 0)), 16777215);
	assert_int_equal(json_object_size(j), 2);
	selection_clear(&s);
	json_decref(j);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		j = json_loads(bad[i], 0, NULL);
		assert_non_null(j);
		err.text[0] = '\0';
		assert_int_equal(selection_from_json(j, true, &s, &err), -EINVAL);
		assert_true(err.text[0] != '\0');
		json_decref(j);
	}
	/* from a file nothing is no selection */
	j = json_object();
	assert_int_equal(selection_from_json(j, false, &s, &err), -EINVAL);
	/* all combinations have to be rules */
	for (int i = 0; i < 33; i++)
		json_array_append_new(many, json_sprintf("192.0.2.%d", i));
	json_object_set_new(j, "to", many);
	json_object_set_new(j, "users", json_pack("[i, i, i, i, i, i, i, i]", 1, 2, 3, 4, 5, 6, 7, 8));
	assert_int_equal(selection_from_json(j, true, &s, &err), -EINVAL);
	json_array_remove(many, 0);
	assert_int_equal(selection_from_json(j, true, &s, &err), 0);
	assert_int_equal(s.n * s.n_users, SELECTORS_MAX);
	selection_clear(&s);
	json_decref(j);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(conflicts),
		cmocka_unit_test(sameness),
		cmocka_unit_test(as_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
