/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "directory/relay_json.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "directory/field.h"
#include "lib/base64.h"
#include "lib/cleanup.h"

static const char *const members[] = { "name",	   "identity", "onion-key", "onion-key-id", "link-key",
				       "address4", "address6", "guard",	    "exit" };

static int parse_name(const json_t *obj, char ret[RELAY_NAME_MAX], struct error *err)
{
	const char *name = NULL;
	int r = field_text(obj, "name", &name, err);

	if (r < 0)
		return r;
	if (!name || !relay_name_valid(name))
		return error_set(err, -EINVAL, "name: not 1 to %d letters, digits and inner '-'", RELAY_NAME_MAX - 1);
	memcpy(ret, name, strlen(name) + 1);
	return 0;
}

static int parse_addresses(const json_t *obj, struct relay *r, struct error *err)
{
	const char *text4 = NULL, *text6 = NULL;
	int e;

	e = field_text(obj, "address4", &text4, err);
	if (e == 0)
		e = field_text(obj, "address6", &text6, err);
	if (e < 0)
		return e;
	if (!text4 && !text6)
		return error_set(err, -EINVAL, "address4: a relay needs it or address6");
	if (text4 && (inet_pton(AF_INET, text4, &r->addr4) != 1 || !addr4_is_host(r->addr4)))
		return error_set(err, -EINVAL, "address4: not the IPv4 address of a host");
	if (text6 && (inet_pton(AF_INET6, text6, &r->addr6) != 1 || !addr6_is_host(&r->addr6)))
		return error_set(err, -EINVAL, "address6: not the IPv6 address of a host");
	return 0;
}

int relay_from_json(const json_t *obj, struct relay *ret, struct error *err)
{
	struct relay r = { 0 };
	uint64_t onion_key_id;

	if (!json_is_object(obj))
		return error_set(err, -EINVAL, "not an object");
	if (parse_name(obj, r.name, err) < 0 || field_bytes(obj, "identity", r.id.b, sizeof(r.id.b), err) < 0 ||
	    field_bytes(obj, "onion-key", r.onion_key, sizeof(r.onion_key), err) < 0 ||
	    field_uint(obj, "onion-key-id", 0, UINT32_MAX, &onion_key_id, err) < 0 ||
	    field_bytes(obj, "link-key", r.link_key, sizeof(r.link_key), err) < 0 ||
	    parse_addresses(obj, &r, err) < 0 || field_bool(obj, "guard", &r.guard, err) < 0 ||
	    field_bool(obj, "exit", &r.exit, err) < 0)
		return -EINVAL;
	r.onion_key_id = (uint32_t)onion_key_id;
	*ret = r;
	return 0;
}

int relay_json_only(json_t *obj, const char *extra, struct error *err)
{
	const char *names[ARRAY_SIZE(members) + 1];
	size_t n = ARRAY_SIZE(members);

	memcpy(names, members, sizeof(members));
	if (extra)
		names[n++] = extra;
	return field_only(obj, names, n, err);
}

static int set_bytes(json_t *obj, const char *name, const uint8_t key[32])
{
	char text[BASE64_LEN(32)];

	base64_write(key, 32, text);
	return json_object_set_new(obj, name, json_string(text));
}

json_t *relay_to_json(const struct relay *relay)
{
	json_t *obj = json_object();
	char addr[INET6_ADDRSTRLEN];
	int r = 0;

	if (!obj)
		return NULL;
	r |= json_object_set_new(obj, "name", json_string(relay->name));
	r |= set_bytes(obj, "identity", relay->id.b);
	r |= set_bytes(obj, "onion-key", relay->onion_key);
	r |= json_object_set_new(obj, "onion-key-id", json_integer(relay->onion_key_id));
	r |= set_bytes(obj, "link-key", relay->link_key);
	if (relay->addr4.s_addr != INADDR_ANY)
		r |= json_object_set_new(obj, "address4",
					 json_string(inet_ntop(AF_INET, &relay->addr4, addr, sizeof(addr))));
	if (!IN6_IS_ADDR_UNSPECIFIED(&relay->addr6))
		r |= json_object_set_new(obj, "address6",
					 json_string(inet_ntop(AF_INET6, &relay->addr6, addr, sizeof(addr))));
	r |= json_object_set_new(obj, "guard", json_boolean(relay->guard));
	r |= json_object_set_new(obj, "exit", json_boolean(relay->exit));
	if (r != 0) {
		json_decref(obj);
		return NULL;
	}
	return obj;
}
