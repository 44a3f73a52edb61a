/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside plan/ only. */
#pragma once

#include "plan/object.h"

/* An origin_circuit with what follows from it. */
struct chainlink {
	const struct origin_circuit *c;
	char dev[HOPS_MAX][IFNAMSIZ]; /* the last one is anon<slot> */
	uint16_t mtu[HOPS_MAX];
	bool inner4, inner6; /* which families it carries */
};

/* In a table, for each family that it carries; src: with its address as the preferred source. */
int origin_default_routes(struct plan *p, const struct chainlink *k, uint32_t table, bool src);
uint32_t chainlink_mark(const struct chainlink *k);
/* The exit's resolver for one family, if it has one and the circuit carries the family. */
bool chainlink_resolver(const struct chainlink *k, uint8_t family, struct prefix *ret);
/* -EINVAL: it must not reach the kernel. */
int chainlink_of(const struct origin_circuit *c, struct chainlink *ret);
