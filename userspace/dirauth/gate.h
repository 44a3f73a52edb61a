/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who may have how many connections to an authority, on all that it listens on together. Strangers share what there is,
 * and each network of theirs, an IPv4 address or an IPv6 /64, has a part of it. Each address of an authority has its
 * own part, which no stranger can take: else whoever keeps connections open would keep authorities from each other.
 *
 * Pure.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>

#include "directory/dir_servers.h"

#define GATE_STRANGERS_MAX 512u
#define GATE_NETWORK_MAX 16u
#define GATE_AUTHORITY_MAX 8u /* by address */
/* In all. */
#define GATE_MAX (GATE_STRANGERS_MAX + GATE_AUTHORITY_MAX * 2 * AUTHORITIES_MAX)

struct gate;
struct gate *gate_new(const struct dir_servers *authorities); /* NULL: no memory */
void gate_free(struct gate *g);				      /* NULL is fine */
/* from: IPv4 mapped. */
bool gate_is_open(const struct gate *g, const struct in6_addr *from);
/* One more. -ENOMEM: it is not counted. */
int gate_enter(struct gate *g, const struct in6_addr *from);
/* One that was counted has ended. */
void gate_leave(struct gate *g, const struct in6_addr *from);
