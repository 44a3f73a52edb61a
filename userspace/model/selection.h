/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What of the traffic a circuit carries. All that is said must fit: these destinations, of these users or groups, to
 * these ports. Or, at a gateway, all that these hosts of the LAN send.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/circuit.h"
#include "model/port_range.h"

#define SELECTORS_MAX 256 /* prefixes of one circuit; and of all combinations with users and ports */
#define USERS_MAX 8	  /* or groups */
#define PORTS_MAX 16
#define EXCEPT_MAX 16

struct selection {
	struct prefix *prefixes; /* malloc; destinations, or hosts of the LAN */
	size_t n;
	bool lan;
	uint32_t users[USERS_MAX];
	size_t n_users; /* 0: all */
	uint32_t groups[USERS_MAX];
	size_t n_groups; /* 0: all; not with users */
	struct port_range ports[PORTS_MAX];
	size_t n_ports; /* 0: all, and all protocols */
	struct prefix except[EXCEPT_MAX];
	size_t n_except; /* parts of the destinations that are not meant, but for names; only with destinations */
};

/* A port range that routing rules take: 1 to 65534. -EINVAL. */
int routed_ports_parse(const char *text, struct port_range *ret);

/* Of some only: what is of nobody, forwarded say, is not meant. */
static inline bool selection_owned(const struct selection *s)
{
	return s->n_users || s->n_groups;
}
/* By more than destinations. */
static inline bool selection_narrow(const struct selection *s)
{
	return selection_owned(s) || s->n_ports;
}
/* A routing table of its own, RT_TABLE_SELECTION_BASE + its id. */
static inline bool selection_has_table(const struct selection *s)
{
	return s->lan || selection_narrow(s) || s->n_except;
}
/* Everything of a family, of those users or groups. */
bool selection_all(const struct selection *s, uint8_t family);
/* Whether each of a's n numbers is among b's m. */
bool ids_within(const uint32_t *a, size_t n, const uint32_t *b, size_t m);
/* 1 to SELECTORS_MAX of all combinations, numbers in order, hosts of a LAN and exceptions by themselves. */
bool selection_valid(const struct selection *s);
bool selection_same(const struct selection *a, const struct selection *b);
/*
 * Whether they cannot stand beside one another. Of destinations alone the longest prefix counts, and what is narrow
 * comes before what is not. Hosts of a LAN are named once, or as all that are left.
 */
bool selection_conflict(const struct selection *a, const struct selection *b);
void selection_clear(struct selection *s);
