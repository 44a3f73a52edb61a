/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An overlay link as the rest of the program sees it; how it is made is ike/'s business. */
#pragma once

#include <net/if.h>
#include <netinet/in.h>
#include <stdint.h>

#include "model/relay.h"

enum link_kind {
	LINK_KIND_RELAY,   /* relay to relay, one per pair */
	LINK_KIND_GUARD,   /* at a client: its link to one guard */
	LINK_KIND_CLIENTS, /* at a relay: what all anonymous clients share; always LINK_CLIENTS, no peer */
};

/*
 * How what leaves over a link looks to those who watch it: one packet of one size in each interval (kmod/anon_tfc.h
 * says what each member means). interval_ns 0: as it comes.
 */
struct link_shape {
	uint64_t interval_ns;
	uint32_t steps;
	uint64_t step_time_ns, idle_ns, window_ns;
};

struct link {
	enum link_kind kind;
	uint16_t number;	 /* local; if_id = IFID_LINK_BASE + number, device ovl<number> */
	struct relay_id peer;	 /* RELAY, GUARD */
	struct in6_addr self;	 /* our address on it: OR_own at a relay, A_c1 (from the guard's pool) at a client */
	struct in6_addr remote;	 /* OR_peer; unset for CLIENTS */
	uint16_t mtu;		 /* network's link_mtu */
	struct link_shape shape; /* CLIENTS: towards each of them */
};
