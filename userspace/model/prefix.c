/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/prefix.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* 0..max in plain decimal: no sign, no leading zero. */
static int parse_len(const char *text, unsigned int max, uint8_t *ret)
{
	unsigned int v = 0;

	if (text[0] == '\0' || (text[0] == '0' && text[1] != '\0'))
		return -EINVAL;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return -EINVAL;
		v = v * 10 + (unsigned int)(*text - '0');
		if (v > max)
			return -EINVAL;
	}
	*ret = (uint8_t)v;
	return 0;
}

static int check_host_bits(const struct prefix *p, unsigned int bits)
{
	const uint8_t *b = p->family == AF_INET ? (const uint8_t *)&p->a4 : p->a6.s6_addr;

	for (unsigned int i = p->len; i < bits; i++)
		if (b[i / 8] & (0x80u >> (i % 8)))
			return -EINVAL;
	return 0;
}

int prefix_parse(const char *text, struct prefix *ret)
{
	struct prefix p = { 0 };
	const char *slash = strchr(text, '/');
	size_t len = slash ? (size_t)(slash - text) : strlen(text);
	char addr[INET6_ADDRSTRLEN];
	unsigned int bits;

	if (len >= sizeof(addr))
		return -EINVAL;
	memcpy(addr, text, len);
	addr[len] = '\0';
	p.family = strchr(addr, ':') ? AF_INET6 : AF_INET;
	bits = p.family == AF_INET ? 32 : 128;
	p.len = (uint8_t)bits;
	if (inet_pton(p.family, addr, p.family == AF_INET ? (void *)&p.a4 : (void *)&p.a6) != 1)
		return -EINVAL;
	if (slash && parse_len(slash + 1, bits, &p.len) < 0)
		return -EINVAL;
	if (check_host_bits(&p, bits) < 0)
		return -EINVAL;
	*ret = p;
	return 0;
}

bool addr4_is_shared(struct in_addr a)
{
	return (ntohl(a.s_addr) & 0xffc00000u) == 0x64400000u;
}

bool addr6_is_global(const struct in6_addr *a)
{
	return (a->s6_addr[0] & 0xe0) == 0x20;
}

void prefix_format(const struct prefix *p, char ret[PREFIX_TEXT_MAX])
{
	char addr[INET6_ADDRSTRLEN] = "";

	inet_ntop(p->family, p->family == AF_INET ? (const void *)&p->a4 : (const void *)&p->a6, addr, sizeof(addr));
	snprintf(ret, PREFIX_TEXT_MAX, "%s/%u", addr, p->len);
}

bool prefix_same(const struct prefix *a, const struct prefix *b)
{
	return a->family == b->family && a->len == b->len &&
	       memcmp(&a->a6, &b->a6, a->family == AF_INET ? sizeof(a->a4) : sizeof(a->a6)) == 0;
}

bool prefix_overlaps(const struct prefix *a, const struct prefix *b)
{
	uint8_t len = a->len < b->len ? a->len : b->len;
	const uint8_t *x = (const uint8_t *)&a->a6, *y = (const uint8_t *)&b->a6;

	if (a->family != b->family || memcmp(x, y, len / 8) != 0)
		return false;
	return len % 8 == 0 || ((x[len / 8] ^ y[len / 8]) & (0xff00u >> (len % 8)) & 0xff) == 0;
}
