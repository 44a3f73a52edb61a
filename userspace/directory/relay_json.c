/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "directory/relay_json.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "directory/base64.h"
#include "directory/field.h"
#include "lib/cleanup.h"

static const char *const members[] = { "name",	   "identity", "onion-key", "onion-key-id", "link-key",
				       "address4", "address6", "guard",	    "exit" };

static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static int parse_name(const json_t *obj, char ret[RELAY_NAME_MAX], struct error *err)
{
	const char *name = NULL;
	size_t len;
	int r;

	r = field_text(obj, "name", &name, err);
	if (r < 0)
		return r;
	len = name ? strlen(name) : 0;
	if (len < 1 || len >= RELAY_NAME_MAX || name[0] == '-')
		return error_set(err, -EINVAL, "name: not 1 to %d letters, digits and inner '-'", RELAY_NAME_MAX - 1);
	for (size_t i = 0; i < len; i++)
		if (!is_alnum(name[i]) && name[i] != '-')
			return error_set(err, -EINVAL, "name: only letters, digits and '-' are allowed");
	memcpy(ret, name, len + 1);
	return 0;
}

/* Private addresses are fine, for networks that live inside one; what can be no host's address is not. */
static bool is_host4(struct in_addr a)
{
	uint32_t h = ntohl(a.s_addr);

	return h >> 24 != 0 && h >> 24 != 127 && h >> 28 < 0xe;
}

static bool is_host6(const struct in6_addr *a)
{
	return !IN6_IS_ADDR_UNSPECIFIED(a) && !IN6_IS_ADDR_LOOPBACK(a) && !IN6_IS_ADDR_MULTICAST(a) &&
	       !IN6_IS_ADDR_LINKLOCAL(a) && !IN6_IS_ADDR_V4MAPPED(a) && !IN6_IS_ADDR_V4COMPAT(a);
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
	if (text4 && (inet_pton(AF_INET, text4, &r->addr4) != 1 || !is_host4(r->addr4)))
		return error_set(err, -EINVAL, "address4: not the IPv4 address of a host");
	if (text6 && (inet_pton(AF_INET6, text6, &r->addr6) != 1 || !is_host6(&r->addr6)))
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
