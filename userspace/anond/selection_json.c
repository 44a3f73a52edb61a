/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "anond/selection_json.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/cleanup.h"
#include "model/ids.h"
#include "model/prefix.h"

static bool absent(const json_t *v)
{
	return !v || json_is_null(v);
}

static int read_prefixes(const json_t *j, bool everything, struct selection *s, struct error *err)
{
	static const char *const all_texts[] = { "0.0.0.0/0", "::/0" };
	const json_t *to = json_object_get(j, "to"), *from = json_object_get(j, "from");
	bool all = everything && absent(to) && absent(from);
	const char *name;
	size_t n;

	if (!absent(to) && !absent(from))
		return error_set(err, -EINVAL, "to and from exclude each other");
	s->lan = !absent(from);
	name = s->lan ? "from" : "to";
	if (s->lan)
		to = from;
	n = json_array_size(to); /* 0 of what is no array */
	if (!all && (n < 1 || n > SELECTORS_MAX))
		return error_set(err, -EINVAL, "%s: a list of 1 to %d prefixes", name, SELECTORS_MAX);
	if (all)
		n = ARRAY_SIZE(all_texts);
	s->prefixes = calloc(n, sizeof(*s->prefixes));
	if (!s->prefixes)
		return error_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < n; i++) {
		const char *text = all ? all_texts[i] : json_string_value(json_array_get(to, i));

		if (!text || prefix_parse(text, &s->prefixes[i]) < 0)
			return error_set(err, -EINVAL, "%s: %s is not a prefix such as 192.0.2.0/24", name,
					 text ? text : "an element");
		s->n++;
	}
	return 0;
}

/* Numbers of users or groups, USERS_MAX at most. */
static int read_ids(const json_t *j, const char *name, json_int_t max, uint32_t *ids, size_t *ret_n, struct error *err)
{
	const json_t *list = json_object_get(j, name);
	size_t n = json_array_size(list);

	if (absent(list))
		return 0;
	if (n < 1 || n > USERS_MAX)
		return error_set(err, -EINVAL, "%s: a list of 1 to %d numbers", name, USERS_MAX);
	for (size_t i = 0; i < n; i++) {
		const json_t *v = json_array_get(list, i);

		if (!json_is_integer(v) || json_integer_value(v) < 0 || json_integer_value(v) > max)
			return error_set(err, -EINVAL, "%s: an element is no number from 1 to %lld", name,
					 (long long)max);
		/* sock_net_uid: what no socket sends is routed as root's; root's group is that of most services */
		if (json_integer_value(v) == 0)
			return error_set(err, -EINVAL, "%s: root's packets cannot be told from the system's own", name);
		ids[(*ret_n)++] = (uint32_t)json_integer_value(v);
	}
	return 0;
}

static int read_owners(const json_t *j, struct selection *s, struct error *err)
{
	int r = read_ids(j, "users", UINT32_MAX - 1, s->users, &s->n_users, err);

	if (r == 0)
		r = read_ids(j, "groups", GROUP_MAX, s->groups, &s->n_groups, err);
	if (r == 0 && s->n_users && s->n_groups)
		r = error_set(err, -EINVAL, "users and groups exclude each other");
	return r;
}

static int read_ports(const json_t *list, struct selection *s, struct error *err)
{
	size_t n = json_array_size(list);

	if (absent(list))
		return 0;
	if (n < 1 || n > PORTS_MAX)
		return error_set(err, -EINVAL, "ports: a list of 1 to %d ports", PORTS_MAX);
	for (size_t i = 0; i < n; i++) {
		const char *text = json_string_value(json_array_get(list, i));

		if (!text || routed_ports_parse(text, &s->ports[i]) < 0)
			return error_set(err, -EINVAL, "ports: %.40s is not a port such as tcp/443, 1 to 65534",
					 text ? text : "an element");
		s->n_ports++;
	}
	return 0;
}

static int read_except(const json_t *list, struct selection *s, struct error *err)
{
	size_t n = json_array_size(list);

	if (absent(list))
		return 0;
	if (n < 1 || n > EXCEPT_MAX)
		return error_set(err, -EINVAL, "except: a list of 1 to %d prefixes", EXCEPT_MAX);
	for (size_t i = 0; i < n; i++) {
		const char *text = json_string_value(json_array_get(list, i));
		bool again = false;

		if (!text || prefix_parse(text, &s->except[s->n_except]) < 0 || !s->except[s->n_except].len)
			return error_set(err, -EINVAL, "except: %.60s is not a prefix such as 192.168.1.0/24",
					 text ? text : "an element");
		for (size_t k = 0; k < s->n_except && !again; k++)
			again = prefix_same(&s->except[k], &s->except[s->n_except]);
		s->n_except += !again;
	}
	return 0;
}

int selection_from_json(const json_t *j, bool everything, struct selection *ret, struct error *err)
{
	struct selection s = { 0 };
	int r = read_prefixes(j, everything, &s, err);

	if (r == 0)
		r = read_owners(j, &s, err);
	if (r == 0)
		r = read_ports(json_object_get(j, "ports"), &s, err);
	if (r == 0)
		r = read_except(json_object_get(j, "except"), &s, err);
	if (r == 0 && s.n_except && (s.lan || selection_narrow(&s)))
		r = error_set(err, -EINVAL, "except goes neither with from, nor with users, groups or ports");
	if (r == 0 && s.lan && selection_narrow(&s))
		r = error_set(err, -EINVAL, "from goes neither with users or groups nor with ports");
	if (r == 0 && s.n_except && !selection_valid(&s))
		r = error_set(err, -EINVAL,
			      "except: each within a destination and around none; of fd00::/8 a /48 at most");
	if (r == 0 && !selection_valid(&s))
		r = error_set(err, -EINVAL, "more than %d combinations of destinations, owners and ports",
			      SELECTORS_MAX);
	if (r < 0) {
		selection_clear(&s);
		return r;
	}
	*ret = s;
	return 0;
}

static json_t *prefixes_json(const struct prefix *v, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++) {
		char text[PREFIX_TEXT_MAX];

		prefix_format(&v[i], text);
		json_array_append_new(list, json_string(text));
	}
	return list;
}

static json_t *ids_json(const uint32_t *ids, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, json_integer(ids[i]));
	return list;
}

void selection_to_json(const struct selection *s, json_t *j)
{
	json_t *ports = json_array();

	for (size_t i = 0; i < s->n_ports; i++) {
		char text[PORT_RANGE_TEXT_MAX];

		port_range_format(&s->ports[i], text);
		json_array_append_new(ports, json_string(text));
	}
	json_object_set_new(j, s->lan ? "from" : "to", prefixes_json(s->prefixes, s->n));
	if (s->n_users)
		json_object_set_new(j, "users", ids_json(s->users, s->n_users));
	if (s->n_groups)
		json_object_set_new(j, "groups", ids_json(s->groups, s->n_groups));
	if (s->n_ports)
		json_object_set(j, "ports", ports);
	if (s->n_except)
		json_object_set_new(j, "except", prefixes_json(s->except, s->n_except));
	json_decref(ports);
}
