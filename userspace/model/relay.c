/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/relay.h"

#include <arpa/inet.h>
#include <string.h>

static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool relay_name_valid(const char *name)
{
	size_t len = strlen(name);
	bool good = len >= 1 && len < RELAY_NAME_MAX && name[0] != '-';

	for (size_t i = 0; i < len && good; i++)
		good = is_alnum(name[i]) || name[i] == '-';
	return good;
}

bool addr4_is_host(struct in_addr a)
{
	uint32_t h = ntohl(a.s_addr);

	return h >> 24 != 0 && h >> 24 != 127 && h >> 28 < 0xe;
}

bool addr6_is_host(const struct in6_addr *a)
{
	return !IN6_IS_ADDR_UNSPECIFIED(a) && !IN6_IS_ADDR_LOOPBACK(a) && !IN6_IS_ADDR_MULTICAST(a) &&
	       !IN6_IS_ADDR_LINKLOCAL(a) && !IN6_IS_ADDR_V4MAPPED(a) && !IN6_IS_ADDR_V4COMPAT(a);
}
