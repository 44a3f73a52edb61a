/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Overlay addresses. A relay owns the /64 whose first byte is 0xfd (RFC 4193) and whose other seven
 * are the first of BLAKE2b-256 of its identity; ::1 in it is the relay itself (OR_i). The rest of a circuit
 * address is 16 bits for the link the circuit came over and 48 random bits.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "model/relay.h"

struct in6_addr overlay_relay(const struct relay_id *id); /* OR_i */
/* prefix::<link>:<low 48 bits of tail>, prefix taken from any address in the /64. */
struct in6_addr overlay_addr(const struct in6_addr *in_prefix, uint16_t link, uint64_t tail);
/* An exit's gateway in IPv6, from any address in its /64. */
struct in6_addr overlay_gateway(const struct in6_addr *in_prefix);
uint16_t overlay_link(const struct in6_addr *a);			      /* the 16 link bits */
bool overlay_same_prefix(const struct in6_addr *a, const struct in6_addr *b); /* same /64 */
