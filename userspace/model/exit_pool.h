/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The public addresses that an exit's circuits leave with, if they are not the exit's own. Their packets must reach it.
 */
#pragma once

#include "model/circuit.h"

#define POOL4_MAX 256	 /* addresses */
#define POOL6_LEN_MAX 80 /* bits: the 48 of a circuit's inner address must fit behind it */

struct exit_pool {
	/* IPv4: first to last. */
	bool has4;
	struct in_addr first4, last4;
	/*
	 * false: each circuit has one of them, by a hash of its inner address. true: each destination sees all circuits
	 * with the same one.
	 */
	bool by_destination;
	/* IPv6: each circuit has an address of its own, the last 48 bits its inner address's. */
	bool has6;
	struct prefix pool6;
};

/* "198.51.100.8-198.51.100.15", a prefix or one address; "2001:db8::/64". NULL, or what is wrong. */
const char *exit_pool_set4(struct exit_pool *p, const char *text);
const char *exit_pool_set6(struct exit_pool *p, const char *text);
