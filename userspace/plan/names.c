/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>

#include "plan/plan.h"

void dev_link(uint16_t number, char *ret)
{
	snprintf(ret, IFNAMSIZ, DEV_LINK_PREFIX "%u", number);
}

void dev_layer(uint32_t slot, unsigned int layer, size_t n, char *ret)
{
	const char *other = slot & SLOT_OTHER ? "b" : "";
	uint16_t id = (uint16_t)slot_selection(slot);
	if (layer + 1 == n)
		snprintf(ret, IFNAMSIZ, DEV_ANON_PREFIX "%u%s", id, other);
	else
		snprintf(ret, IFNAMSIZ, DEV_LAYER_PREFIX "%u%s-%u", id, other, (uint8_t)(layer + 1));
}

uint32_t ifid_layer(uint32_t slot, unsigned int layer)
{
	return IFID_LAYER_BASE + slot * 8 + layer;
}

uint32_t reqid_layer(uint32_t slot, unsigned int layer)
{
	return REQID_LAYER_BASE + slot * 8 + layer;
}

uint32_t reqid_relay(uint32_t number)
{
	return REQID_RELAY_BASE + number;
}
