/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What of the Internet the exit of a circuit has to reach, from what the circuit carries. Pure. */
#pragma once

#include "model/selection.h"
#include "path/wheel.h"

#define PATH_NEEDS_MAX (2 * 3 * PORTS_MAX)

/*
 * Where ports are named: each of them; of a range its first and its last, or if the Web's are in it (tcp 80 and 443,
 * udp 443) those. Else the Web's of TCP. For IPv4 if there is any among the destinations; for IPv6 if some of it is
 * named, or nothing else: where all of both is meant a program that does not get there by IPv6 tries IPv4.
 */
size_t path_needs(const struct selection *sel, struct path_need ret[PATH_NEEDS_MAX]);
