/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "circuit/inner.h"

#include <arpa/inet.h>
#include <string.h>

#include "lib/cleanup.h"
#include "model/overlay.h"
#include "model/prefix.h"

#define IPV6_HEADER 40
#define ESP_HEADER (8 + 8) /* SPI, sequence number; explicit IV of all three suites */
#define ESP_TRAILER 2	   /* pad length, next header */

struct range4 {
	uint32_t base; /* host order */
	uint8_t len;
};

static bool in_range4(uint32_t a, struct range4 r)
{
	return (a ^ r.base) >> (32 - r.len) == 0;
}

bool inner_pool_valid(const struct prefix *pool)
{
	uint32_t base = ntohl(pool->a4.s_addr);

	if (pool->family != AF_INET || pool->len < 10 || pool->len > 29)
		return false;
	return addr4_is_shared(pool->a4) && (base & (UINT32_MAX >> pool->len)) == 0;
}

/* Not global: IANA's IPv4 special-purpose registry, as far as it names networks that a host may be part of. */
static bool is_local4(uint32_t a)
{
	static const struct range4 local[] = {
		{ 0x00000000, 8 }, /* this network */
		{ 0x0a000000, 8 },  { 0x7f000000, 8 },	{ 0xa9fe0000, 16 },
		{ 0xac100000, 12 }, { 0xc0a80000, 16 }, { 0xe0000000, 3 }, /* multicast, reserved, broadcast */
	};

	for (size_t i = 0; i < ARRAY_SIZE(local); i++)
		if (in_range4(a, local[i]))
			return true;
	return false;
}

bool inner_dns4_valid(struct in_addr dns)
{
	return dns.s_addr == 0 || !is_local4(ntohl(dns.s_addr));
}

static bool is_inner6(const struct in6_addr *a, const struct in6_addr *exit)
{
	return overlay_same_prefix(a, exit) && overlay_link(a) == LINK_INNER;
}

bool inner_dns6_valid(const struct in6_addr *dns, const struct in6_addr *exit)
{
	struct in6_addr gw6 = overlay_gateway(exit);

	return IN6_IS_ADDR_UNSPECIFIED(dns) || IN6_ARE_ADDR_EQUAL(dns, &gw6) || addr6_is_global(dns);
}

static bool valid4(const struct inner *in)
{
	return addr4_is_shared(in->addr4) && addr4_is_shared(in->gw4) && in->addr4.s_addr != in->gw4.s_addr &&
	       in->addr4.s_addr != in->dns4.s_addr && inner_dns4_valid(in->dns4) &&
	       (!addr4_is_shared(in->dns4) || in->dns4.s_addr == in->gw4.s_addr);
}

static bool valid6(const struct inner *in, const struct in6_addr *exit)
{
	struct in6_addr gw6 = overlay_gateway(exit);

	return is_inner6(&in->addr6, exit) && IN6_ARE_ADDR_EQUAL(&in->gw6, &gw6) &&
	       !IN6_ARE_ADDR_EQUAL(&in->addr6, &gw6) && inner_dns6_valid(&in->dns6, exit);
}

bool inner_valid(const struct inner *in, const struct in6_addr *exit, bool want4, bool want6)
{
	if (!in->has4 && !in->has6)
		return false;
	if (in->has4 && (!want4 || !valid4(in)))
		return false;
	return !in->has6 || (want6 && valid6(in, exit));
}

static unsigned int into_layer(unsigned int mtu, enum suite suite, bool beet)
{
	const struct suite_info *info = suite_get(suite);
	unsigned int overhead;

	if (!info)
		return 0;
	overhead = IPV6_HEADER + ESP_HEADER + info->icv_len;
	if (mtu < overhead + 4)
		return 0;
	/* BEET carries the inner IPv6 header as the outer one; a tunnel adds its own. */
	return ((mtu - overhead) & ~3u) - ESP_TRAILER + (beet ? IPV6_HEADER : 0);
}

uint16_t inner_mtu(uint16_t link_mtu, size_t n_layers, enum suite suite, enum suite suite_beet)
{
	unsigned int mtu = link_mtu;

	for (size_t i = 1; i < n_layers; i++)
		mtu = into_layer(mtu, suite_beet, true);
	return (uint16_t)into_layer(mtu, suite, false);
}
