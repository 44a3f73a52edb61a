/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/endpoint.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "model/relay.h"

/* ":80", or nothing. */
static bool parse_port(const char *text, uint16_t *port)
{
	unsigned int v = 0;

	if (*text == '\0')
		return true;
	if (text[0] != ':' || text[1] < '1' || text[1] > '9')
		return false;
	for (text++; *text >= '0' && *text <= '9' && v <= UINT16_MAX; text++)
		v = v * 10 + (unsigned int)(*text - '0');
	*port = (uint16_t)v;
	return *text == '\0' && v <= UINT16_MAX;
}

/* Ends the address where it ends; what is behind it, or NULL. */
static char *cut(char *text, uint8_t family)
{
	char *end = family == AF_INET6 ? strchr(text, ']') : strchr(text, ':');

	if (family == AF_INET6) {
		if (end)
			*end++ = '\0';
		return end;
	}
	return end ? end : text + strlen(text);
}

static bool parse_address(char *text, struct endpoint *e)
{
	if (e->family == AF_INET6)
		return inet_pton(AF_INET6, text + 1, &e->a6) == 1 && addr6_is_host(&e->a6);
	return inet_pton(AF_INET, text, &e->a4) == 1 && addr4_is_host(e->a4);
}

int endpoint_parse(const char *text, size_t len, uint16_t port, struct endpoint *ret)
{
	struct endpoint e = { .family = len && text[0] == '[' ? AF_INET6 : AF_INET, .port = port };
	char copy[ENDPOINT_TEXT_MAX], *rest;

	if (len >= sizeof(copy) || memchr(text, '\0', len))
		return -EINVAL;
	memcpy(copy, text, len);
	copy[len] = '\0';
	rest = cut(copy, e.family);
	if (!rest || !parse_port(rest, &e.port))
		return -EINVAL;
	*rest = '\0'; /* for IPv6 it is behind the address already */
	if (!parse_address(copy, &e))
		return -EINVAL;
	*ret = e;
	return 0;
}

void endpoint_format(const struct endpoint *e, char ret[ENDPOINT_TEXT_MAX])
{
	char text[INET6_ADDRSTRLEN] = "";

	if (e->family == AF_INET6) {
		inet_ntop(AF_INET6, &e->a6, text, sizeof(text));
		snprintf(ret, ENDPOINT_TEXT_MAX, "[%s]:%u", text, e->port);
	} else {
		inet_ntop(AF_INET, &e->a4, text, sizeof(text));
		snprintf(ret, ENDPOINT_TEXT_MAX, "%s:%u", text, e->port);
	}
}

struct in6_addr endpoint_address(const struct endpoint *e)
{
	struct in6_addr ret = { .s6_addr = { [10] = 0xff, [11] = 0xff } };

	if (e->family == AF_INET6)
		return e->a6;
	memcpy(&ret.s6_addr[12], &e->a4, sizeof(e->a4));
	return ret;
}

bool endpoint_same(const struct endpoint *a, const struct endpoint *b)
{
	if (a->family != b->family || a->port != b->port)
		return false;
	return a->family == AF_INET6 ? IN6_ARE_ADDR_EQUAL(&a->a6, &b->a6) : a->a4.s_addr == b->a4.s_addr;
}
