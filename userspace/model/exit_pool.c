/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/exit_pool.h"

#include <arpa/inet.h>
#include <string.h>

#include "model/prefix.h"

static bool parse_range(const char *text, struct in_addr *first, struct in_addr *last)
{
	char copy[2 * INET_ADDRSTRLEN];
	char *dash;

	if (strlen(text) >= sizeof(copy))
		return false;
	memcpy(copy, text, strlen(text) + 1);
	dash = strchr(copy, '-');
	if (!dash)
		return false;
	*dash = '\0';
	return inet_pton(AF_INET, copy, first) == 1 && inet_pton(AF_INET, dash + 1, last) == 1;
}

const char *exit_pool_set4(struct exit_pool *p, const char *text)
{
	struct in_addr first, last;
	struct prefix prefix;

	if (prefix_parse(text, &prefix) == 0 && prefix.family == AF_INET && prefix.len >= 24) {
		first = prefix.a4;
		last.s_addr = htonl(ntohl(first.s_addr) | (uint32_t)(UINT64_C(0xffffffff) >> prefix.len));
	} else if (!parse_range(text, &first, &last)) {
		return "not FIRST-LAST, nor an IPv4 prefix of 24 bits or more, nor an IPv4 address";
	}
	if (ntohl(last.s_addr) < ntohl(first.s_addr) || ntohl(last.s_addr) - ntohl(first.s_addr) >= POOL4_MAX)
		return "not 1 to 256 addresses";
	p->first4 = first;
	p->last4 = last;
	p->has4 = true;
	return NULL;
}

const char *exit_pool_set6(struct exit_pool *p, const char *text)
{
	struct prefix prefix;

	if (prefix_parse(text, &prefix) < 0 || prefix.family != AF_INET6 || prefix.len > POOL6_LEN_MAX ||
	    !addr6_is_global(&prefix.a6))
		return "not a global IPv6 prefix of at most 80 bits";
	p->pool6 = prefix;
	p->has6 = true;
	return NULL;
}
