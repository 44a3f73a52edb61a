/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every number and name that this project claims in a namespace it shares with others (kernel, charon,
 * the administrator). charon counts its reqids from 1 and takes SPIs from 0xc0000000 to 0xcfffffff.
 */
#pragma once

#define ANON_CTRL_PORT 4711 /* UDP, control protocol, overlay addresses only */

/* XFRM interface identifiers. */
#define IFID_CIRC 0x616e0001u	    /* circ0: all circuits of a relay */
#define IFID_LINK_BASE 0x616f0000u  /* + link number */
#define IFID_LAYER_BASE 0x61700000u /* + slot * 8 + layer (0 = T_1), originator */
#define IFID_LAYER_END 0x61800000u

/* XFRM request ids. */
#define REQID_RELAY_BASE 0x40000000u /* + relay circuit number; also the circuit's mark at an exit */
#define REQID_LAYER_BASE 0x50000000u /* + slot * 8 + layer, originator */
#define RELAY_CIRCUIT_MAX 0x0fffffffu

/* SPIs that we draw: [SPI_MIN, SPI_MAX]. 1..255 are reserved (RFC 4303 section 2.1). */
#define SPI_MIN 0x10000000u
#define SPI_MAX 0x7fffffffu

/* Packet marks. */
#define MARK_LINK 0x616e0042u	    /* charon's own packets and link ESP: routed by the main table */
#define MARK_GROUP_BASE 0x67000000u /* + group id, at most GROUP_MAX: sockets of a group (kernel/groups.h) */
#define GROUP_MAX 0x00ffffffu

/*
 * Routing: one table for the destinations that circuits carry, one for each selection by more than that, one for each
 * circuit, and the rules that lead there, by their preference.
 */
#define RT_TABLE_ANON 7042
#define RT_TABLE_SELECTION_BASE 0x616c0000u /* + selection */
#define RT_TABLE_SLOT_BASE 0x616e0000u	    /* + slot: what belongs to one circuit already */
#define RULE_PREF_LINK 7037		    /* fwmark MARK_LINK: main */
#define RULE_PREF_OVERLAY 7038		    /* overlay addresses: main; keeps nested ESP out of what selectors route */
#define RULE_PREF_BOUND 7039   /* a circuit's address, or its mark (the if_id of its device): into that circuit */
#define RULE_PREF_LAN_OWN 7040 /* a gateway's own packets, to what main knows other than by its default route */
#define RULE_PREF_NARROW 7041  /* users, groups and ports: the tables of their selections */
#define RULE_PREF_ANON 7042    /* RT_TABLE_ANON */
#define RULE_PREF_NAMES 7043   /* questions for names to what RT_TABLE_ANON throws out: the table of that selection */
/* At a client charon has a routing rule to a table of its own, which stays empty (scripts/anon-charon). */
#define RT_TABLE_CHARON 7043
#define RULE_PREF_CHARON 7043
/*
 * At a gateway, for what comes in from the LAN: first to the exits' resolvers, then what the main table knows of other
 * than by its default route, then the circuits', the rest into nowhere. What names some hosts comes before what names
 * all.
 */
#define RULE_PREF_LAN_DNS 7044 /* + 1: of circuits for all hosts */
#define RULE_PREF_LAN_LOCAL 7046
#define RULE_PREF_LAN 7047 /* + 1: of circuits for all hosts */
#define RULE_PREF_LAN_END 7049
#define RT_TABLE_LAN_END 7044
#define RTPROT_ANON 142 /* route protocol of every route that is ours */

/* Interface names. */
#define DEV_CIRC "circ0"
#define DEV_LINK_PREFIX "ovl"  /* ovl<link number>: overlay link */
#define DEV_LAYER_PREFIX "hop" /* hop<slot>-<layer, from 1>: T_1 .. T_(k-1) at the originator */
#define DEV_ANON_PREFIX "anon" /* anon<slot>: T_k at the originator; the user's packets enter here */

/* Link numbers, 16 bits, local to one node. They stand in the circuit addresses of the node's /64. */
#define LINK_NONE 0    /* ::1, the relay's own overlay address, lies here */
#define LINK_CLIENTS 1 /* all anonymous clients of a guard */
#define LINK_FIRST 2   /* first neighbour */
#define LINK_LAST 0xfffeu
#define LINK_INNER 0xffffu /* inner client addresses of an exit */

/*
 * A selection has two slots, so that a fresh circuit can take over from one that still carries what began in it:
 * devices anon<id> and anon<id>b.
 */
#define CIRCUIT_ID_MAX 0xfffeu
#define SLOT_OTHER 0x10000u /* + id */

#define HOPS_MAX 5
#define HOPS_DEFAULT 3
