/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/overlay.h"

#include <sodium.h>
#include <string.h>

#include "model/ids.h"

struct in6_addr overlay_relay(const struct relay_id *id)
{
	struct in6_addr a = { 0 };
	uint8_t h[32];

	crypto_generichash(h, sizeof(h), id->b, sizeof(id->b), NULL, 0);
	a.s6_addr[0] = 0xfd;
	memcpy(&a.s6_addr[1], h, 7);
	a.s6_addr[15] = 1;
	return a;
}

struct in6_addr overlay_addr(const struct in6_addr *in_prefix, uint16_t link, uint64_t tail)
{
	struct in6_addr a = *in_prefix;

	a.s6_addr[8] = (uint8_t)(link >> 8);
	a.s6_addr[9] = (uint8_t)link;
	for (int i = 0; i < 6; i++)
		a.s6_addr[15 - i] = (uint8_t)(tail >> (8 * i));
	return a;
}

struct in6_addr overlay_gateway(const struct in6_addr *in_prefix)
{
	return overlay_addr(in_prefix, LINK_INNER, 1);
}

uint16_t overlay_link(const struct in6_addr *a)
{
	return (uint16_t)(a->s6_addr[8] << 8 | a->s6_addr[9]);
}

bool overlay_same_prefix(const struct in6_addr *a, const struct in6_addr *b)
{
	return memcmp(a->s6_addr, b->s6_addr, 8) == 0;
}
