/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The user's side of an exit: which inner addresses may be given, and how large a packet may be.
 *
 * The addresses come from a stranger, and the originator configures them. One from the user's own network would send
 * what is meant for the gateway or the resolver into that network in clear, so both sides hold to the same rules:
 * IPv4 addresses and gateway in 100.64.0.0/10 (RFC 6598), IPv6 ones in the exit's /64 with the link bits LINK_INNER;
 * a resolver at the gateway or at a global unicast address: for other addresses of these ranges the originator has no
 * way into the circuit.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "model/circuit.h"

/* A pool an exit may give addresses from: in 100.64.0.0/10, no bits set beyond its length, at most a /29. */
bool inner_pool_valid(const struct prefix *pool);
bool inner_dns4_valid(struct in_addr dns);
bool inner_dns6_valid(const struct in6_addr *dns, const struct in6_addr *exit);
/* What an exit answered, against what was wanted. */
bool inner_valid(const struct inner *in, const struct in6_addr *exit, bool want4, bool want6);

/*
 * The largest packet into T_k, bytes, as the kernel's ESP code computes it (xfrm_state_mtu of net/xfrm/xfrm_state.c)
 * layer by layer from the link's MTU; 0 if nothing fits.
 */
uint16_t inner_mtu(uint16_t link_mtu, size_t n_layers, enum suite suite, enum suite suite_beet);
