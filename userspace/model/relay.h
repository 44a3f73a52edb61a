/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RELAY_NAME_MAX 32 /* with the final NUL: letters, digits, '-' */

/* A relay's identity: its Ed25519 public key. Everything else about a relay is looked up by it. */
struct relay_id {
	uint8_t b[32];
};

/* What the network file says of a relay. */
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

/* The network as one signed file describes it. Freed by network_free (directory/network.h). */
struct network {
	uint64_t valid_from, valid_until; /* seconds since 1970 UTC */
	uint16_t link_mtu;		  /* overlay link MTU, bytes: a constant of the network */
	size_t n_relays;
	struct relay *relays;
};
