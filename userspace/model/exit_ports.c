/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/exit_ports.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"

/* Parts of all addresses: of IPv4, and of 2000::/3, which is what of IPv6 is in use. */
#define WHOLE (UINT64_C(1) << 32)
#define REFUSED_MAX (WHOLE / 128)

/* IPv4 that is nobody's on the Internet (RFC 6890, RFC 5771, RFC 1112). */
static const struct {
	uint32_t addr;
	uint8_t len;
} nobodys[] = {
	{ 0x00000000, 8 },  { 0x0a000000, 8 },	{ 0x64400000, 10 }, { 0x7f000000, 8 },
	{ 0xa9fe0000, 16 }, { 0xac100000, 12 }, { 0xc0a80000, 16 }, { 0xe0000000, 3 },
};

static uint64_t part4(const struct prefix *p)
{
	uint32_t a = ntohl(p->a4.s_addr);

	for (size_t i = 0; i < ARRAY_SIZE(nobodys); i++)
		if (p->len >= nobodys[i].len && (a ^ nobodys[i].addr) >> (32 - nobodys[i].len) == 0)
			return 0;
	return WHOLE >> p->len;
}

static uint64_t part6(const struct prefix *p)
{
	unsigned int first = p->a6.s6_addr[0] >> 5;

	if (p->len < 3) /* wider than 2000::/3: of it all or nothing */
		return p->len == 0 || first >> (3 - p->len) == 1u >> (3 - p->len) ? WHOLE : 0;
	if (first != 1)
		return 0;
	return p->len - 3u > 32 ? 1 : WHOLE >> (p->len - 3u);
}

static uint64_t part(const struct prefix *p, uint8_t family)
{
	if (p->family == 0)
		return WHOLE;
	if (p->family != family)
		return 0;
	return family == AF_INET ? part4(p) : part6(p);
}

static bool speaks_of(const struct policy_rule *r, uint8_t proto, uint16_t port)
{
	if (r->proto == POLICY_ICMP || (r->proto == POLICY_TCP && proto != IPPROTO_TCP) ||
	    (r->proto == POLICY_UDP && proto != IPPROTO_UDP))
		return false;
	return !r->port_min || (port >= r->port_min && port <= r->port_max);
}

static bool reached(const struct exit_policy *p, uint8_t family, uint8_t proto, uint16_t port)
{
	uint64_t refused = 0;

	for (size_t i = 0; i < p->n; i++) {
		const struct policy_rule *r = &p->rules[i];
		uint64_t of = speaks_of(r, proto, port) ? part(&r->dst, family) : 0;

		if (r->accept && of == WHOLE)
			return true;
		if (!r->accept)
			refused += of;
		if (refused > REFUSED_MAX)
			return false;
	}
	return false;
}

static int compare_u32(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* Where the policy may change from one port to the next, ascending, 65536 last. */
static size_t edges_of(const struct exit_policy *p, uint32_t v[2 * POLICY_RULES_MAX + 2])
{
	size_t n = 0, left = 1;

	v[n++] = 1;
	v[n++] = 65536;
	for (size_t i = 0; i < p->n; i++)
		if (p->rules[i].port_min) {
			v[n++] = p->rules[i].port_min;
			v[n++] = p->rules[i].port_max + 1u;
		}
	qsort(v, n, sizeof(*v), compare_u32);
	for (size_t i = 1; i < n; i++)
		if (v[i] != v[left - 1])
			v[left++] = v[i];
	return left;
}

#define ALL_MAX (4 * POLICY_RULES_MAX + 4)

static size_t all_ranges(const struct exit_policy *p, uint8_t family, struct port_range *v)
{
	static const uint8_t protos[] = { IPPROTO_TCP, IPPROTO_UDP };
	uint32_t edges[2 * POLICY_RULES_MAX + 2];
	size_t n_edges = edges_of(p, edges), n = 0;

	for (size_t k = 0; k < ARRAY_SIZE(protos); k++)
		for (size_t i = 0; i + 1 < n_edges; i++) {
			uint16_t first = (uint16_t)edges[i], last = (uint16_t)(edges[i + 1] - 1);

			if (!reached(p, family, protos[k], first))
				continue;
			if (n && v[n - 1].proto == protos[k] && v[n - 1].last + 1u == first)
				v[n - 1].last = last;
			else
				v[n++] = (struct port_range){ protos[k], first, last };
		}
	return n;
}

/* What is asked for most comes first. */
static const struct {
	uint8_t proto;
	uint16_t port;
} asked[] = {
	{ IPPROTO_TCP, 443 },  { IPPROTO_TCP, 80 },  { IPPROTO_UDP, 53 },  { IPPROTO_UDP, 443 },
	{ IPPROTO_TCP, 9030 }, /* the directory */
	{ IPPROTO_TCP, 53 },   { IPPROTO_TCP, 22 },  { IPPROTO_TCP, 993 }, { IPPROTO_TCP, 587 },
	{ IPPROTO_TCP, 853 },  { IPPROTO_TCP, 465 }, { IPPROTO_UDP, 853 }, { IPPROTO_TCP, 995 },
};

static size_t rank(const struct port_range *r)
{
	size_t i = 0;

	while (i < ARRAY_SIZE(asked) &&
	       !(asked[i].proto == r->proto && asked[i].port >= r->first && asked[i].port <= r->last))
		i++;
	return i;
}

static int compare_use(const void *a, const void *b)
{
	const struct port_range *x = a, *y = b;
	size_t i = rank(x), k = rank(y);
	int wide_x = x->last - x->first, wide_y = y->last - y->first;

	if (i != k)
		return i < k ? -1 : 1;
	if (wide_x != wide_y)
		return wide_x > wide_y ? -1 : 1;
	return x->proto != y->proto ? x->proto - y->proto : x->first - y->first;
}

static int compare_order(const void *a, const void *b)
{
	const struct port_range *x = a, *y = b;

	return x->proto != y->proto ? x->proto - y->proto : x->first - y->first;
}

void exit_ports_of(const struct exit_policy *p, uint8_t family, struct exit_ports *ret)
{
	struct port_range all[ALL_MAX];
	size_t n = all_ranges(p, family, all);

	qsort(all, n, sizeof(all[0]), compare_use);
	ret->n = n < EXIT_PORTS_MAX ? n : EXIT_PORTS_MAX;
	qsort(all, ret->n, sizeof(all[0]), compare_order);
	memcpy(ret->v, all, ret->n * sizeof(all[0]));
}
