/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RELAY_NAME_MAX 32 /* with the final NUL: letters, digits, '-' */
#define RELAY_PIN_MAX 45  /* with the final NUL: how a user names a relay, by its name or its identity in base64 */

/* A relay's identity: its Ed25519 public key. Everything else about a relay is looked up by it. */
struct relay_id {
	uint8_t b[32];
};

/* What is needed to use a relay. */
struct relay {
	char name[RELAY_NAME_MAX];
	struct relay_id id;
	uint8_t onion_key[32]; /* X25519 public, responder static of Noise NK */
	uint32_t onion_key_id; /* names onion_key in CREATE */
	uint8_t link_key[32];  /* Ed25519 public, raw key of the IKE links */
	struct in_addr addr4;  /* public address, all zero if none */
	struct in6_addr addr6; /* public address, all zero if none */
	bool guard;	       /* accepts anonymous clients */
	bool exit;	       /* forwards to the Internet */
};

/* 1 to RELAY_NAME_MAX - 1 letters, digits and '-', the last not first. */
bool relay_name_valid(const char *name);
/*
 * Whether it can be a host's address. Private ones are fine, for networks that live inside one; zero, loopback,
 * multicast, link-local and mapped ones are not.
 */
bool addr4_is_host(struct in_addr a);
bool addr6_is_host(const struct in6_addr *a);

struct relay_traits;

/*
 * The network as one signed file or a consensus describes it; the arrays are parallel. A network file knows nothing but
 * the relays: no traits, and weights that are all the same. Freed by network_free (directory/network.h).
 */
struct network {
	uint64_t valid_from, valid_until; /* seconds since 1970 UTC */
	uint16_t link_mtu;		  /* overlay link MTU, bytes: a constant of the network */
	size_t n_relays;
	struct relay *relays;
	struct relay_traits *traits;
	uint32_t *weights; /* KiB/s */
	size_t n_left_out; /* relays of a consensus that could not be told apart from others, or not be understood */
};
