/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ike/sa.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "lib/cleanup.h"

void conn_name(const char *prefix, const struct relay_id *id, char ret_name[CONN_NAME_MAX])
{
	char hex[2 * sizeof(id->b) + 1];

	sodium_bin2hex(hex, sizeof(hex), id->b, sizeof(id->b));
	snprintf(ret_name, CONN_NAME_MAX, "%s%s", prefix, hex);
}

int conn_name_parse(const char *name, size_t len, const char *prefix, struct relay_id *ret_id)
{
	size_t prefix_len = strlen(prefix), bytes;
	struct relay_id id;
	const char *end;

	if (len != prefix_len + 2 * sizeof(id.b) || memcmp(name, prefix, prefix_len) != 0)
		return -EINVAL;
	if (sodium_hex2bin(id.b, sizeof(id.b), name + prefix_len, len - prefix_len, NULL, &bytes, &end) < 0 ||
	    bytes != sizeof(id.b) || end != name + len)
		return -EINVAL;
	*ret_id = id;
	return 0;
}

/* strongSwan, src/libcharon/sa/child_sa.c: child_sa_state_names. */
static bool child_carries(const struct vici_view *child)
{
	static const char *const states[] = { "INSTALLED", "UPDATING", "REKEYING", "REKEYED", "RETRYING" };

	for (size_t i = 0; i < ARRAY_SIZE(states); i++)
		if (vici_is(child, "state", states[i]))
			return true;
	return false;
}

static void child_parse(const struct vici_view *child, struct sa *sa)
{
	uint64_t id;

	if (!child_carries(child) || vici_get_u64(child, "uniqueid", 10, UINT32_MAX, &id) < 0)
		return;
	if (sa->up && id <= sa->child_id)
		return;
	sa->up = true;
	sa->child_id = (uint32_t)id;
	sa->bytes_in = sa->bytes_out = 0;
	(void)vici_get_u64(child, "bytes-in", 10, UINT64_MAX, &sa->bytes_in);
	(void)vici_get_u64(child, "bytes-out", 10, UINT64_MAX, &sa->bytes_out);
}

/* The first IPv6 address of a list. */
static bool vip_parse(const struct vici_view *section, const char *name, struct in6_addr *ret)
{
	struct vici_view list;
	struct vici_item item;
	bool found = false;

	if (vici_find(section, name, VICI_LIST, &list) < 0)
		return false;
	while (!found && vici_next(&list, &item)) {
		char text[INET6_ADDRSTRLEN];

		if (item.body.len >= sizeof(text))
			continue;
		memcpy(text, item.body.p, item.body.len);
		text[item.body.len] = '\0';
		found = inet_pton(AF_INET6, text, ret) == 1;
	}
	return found;
}

int sa_parse(const struct vici_view *section, struct sa *ret_sa)
{
	struct sa sa = { 0 };
	struct vici_view children;
	struct vici_item item;
	uint64_t id;

	if (vici_get_u64(section, "uniqueid", 10, UINT32_MAX, &id) < 0 || id == 0)
		return -EBADMSG;
	sa.ike_id = (uint32_t)id;
	sa.established = vici_is(section, "state", "ESTABLISHED") || vici_is(section, "state", "REKEYING");
	sa.ours = vici_is(section, "initiator", "yes");
	sa.has_vip = vip_parse(section, "local-vips", &sa.vip);
	sa.has_remote_vip = vip_parse(section, "remote-vips", &sa.remote_vip);
	if (vici_find(section, "child-sas", VICI_SECTION, &children) == 0)
		while (vici_next(&children, &item))
			if (item.kind == VICI_SECTION)
				child_parse(&item.body, &sa);
	*ret_sa = sa;
	return 0;
}
