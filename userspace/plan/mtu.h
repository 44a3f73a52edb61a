/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How large a packet still fits, layer by layer. ESP (RFC 4303 section 2) adds SPI, sequence number, an 8-byte IV, two
 * trailer bytes and the ICV, and pads payload and trailer to 4 bytes; the values are exact, so that a packet that is
 * too large is refused where it starts and with the right size.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/suite.h"

#define MTU_WIRE 1500	/* bytes: what every path between relays carries */
#define MTU_INNER6 1280 /* RFC 8200 section 5: below it the kernel turns IPv6 off on a device */

/* A link in ESP tunnel mode, UDP-encapsulated over IPv6 (the worst case), 16-byte ICV, on a MTU_WIRE wire. */
#define LINK_MTU ((((MTU_WIRE - 40 - 8 - 16 - 16) & ~3) - 2))

/*
 * Device MTUs of a circuit with n layers over a link: ret[0] is T_1's device (hop1, or anon if n is 1), ret[n-1] is
 * anon's. suites[i] is T_(i+1)'s. 0, or -EINVAL: n, an unknown suite, or nothing left.
 */
int mtu_layers(uint16_t link_mtu, size_t n, const enum suite *suites, uint16_t *ret);
/* The largest packet into the circuit, 0 if there is none. */
uint16_t mtu_inner(uint16_t link_mtu, size_t n, const enum suite *suites);
/* Whether the circuit can carry IPv6; if not it is IPv4 only. */
bool plan_inner6_possible(uint16_t link_mtu, size_t n, const enum suite *suites);
