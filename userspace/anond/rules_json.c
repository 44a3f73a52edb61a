/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "anond/rules_json.h"

#include <errno.h>
#include <string.h>

#include "lib/base64.h"
#include "model/relay.h"

static const char *add_exit(struct path_rules *r, const char *text)
{
	return countries_add(&r->exits, text);
}

static const char *add_never(struct path_rules *r, const char *text)
{
	return countries_add(&r->never, text);
}

static const struct {
	const char *name;
	const char *(*add)(struct path_rules *r, const char *text);
} lists[] = { { "exit_countries", add_exit },
	      { "never_countries", add_never },
	      { "never_operators", path_rules_add_operator } };

static int read_list(const json_t *list, size_t i, struct path_rules *r, struct error *err)
{
	json_t *v;
	size_t k;

	if (!list || json_is_null(list))
		return 0;
	if (!json_array_size(list))
		return error_set(err, -EINVAL, "%s: not a list with something in it", lists[i].name);
	json_array_foreach (list, k, v) {
		const char *text = json_string_value(v);
		const char *wrong = text ? lists[i].add(r, text) : "an element is no text";

		if (wrong)
			return error_set(err, -EINVAL, "%s: %s", lists[i].name, wrong);
	}
	return 0;
}

int rules_from_json(const json_t *j, struct path_rules *ret, struct error *err)
{
	const json_t *life = json_object_get(j, "min_life");
	struct path_rules rules = { .min_life = 0 };
	int r = 0;

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]) && r == 0; i++)
		r = read_list(json_object_get(j, lists[i].name), i, &rules, err);
	if (r < 0)
		return r;
	if (life && !json_is_null(life)) {
		if (!json_is_integer(life) || json_integer_value(life) < 1 || json_integer_value(life) > RULES_LIFE_MAX)
			return error_set(err, -EINVAL, "min_life: 1 to %u seconds", RULES_LIFE_MAX);
		rules.min_life = (uint32_t)json_integer_value(life);
	}
	*ret = rules;
	return 0;
}

static void put_countries(const struct countries *c, const char *name, json_t *j)
{
	json_t *list = json_array();

	for (size_t i = 0; i < c->n; i++)
		json_array_append_new(list, json_string(c->v[i]));
	if (c->n)
		json_object_set(j, name, list);
	json_decref(list);
}

void rules_to_json(const struct path_rules *r, json_t *j)
{
	json_t *operators = json_array();

	put_countries(&r->exits, "exit_countries", j);
	put_countries(&r->never, "never_countries", j);
	for (size_t i = 0; i < r->n_never_operators; i++) {
		char text[BASE64_LEN(32)];

		base64_write(r->never_operators[i], 32, text);
		json_array_append_new(operators, json_string(text));
	}
	if (r->n_never_operators)
		json_object_set(j, "never_operators", operators);
	json_decref(operators);
	if (r->min_life)
		json_object_set_new(j, "min_life", json_integer(r->min_life));
}

int pins_from_json(const json_t *path, size_t hops, const char *ret[HOPS_MAX])
{
	if (!path || json_is_null(path))
		return 0;
	if (json_array_size(path) != hops)
		return -EBADMSG;
	for (size_t i = 0; i < hops; i++) {
		ret[i] = json_string_value(json_array_get(path, i));
		if (!ret[i] || strlen(ret[i]) >= RELAY_PIN_MAX)
			return -EBADMSG;
	}
	return 1;
}
