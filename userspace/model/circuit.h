/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Circuits as both of their ends describe them to the data plane: no keys in here. */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/ids.h"
#include "model/relay.h"
#include "model/suite.h"

/*
 * Seconds. The kernel ends the SAs of a circuit itself, even if the daemon never comes back; but after the daemon
 * should have done so in order.
 */
#define SA_EXPIRY_SLACK 120

/* ESP keys of one layer, always in secmem memory. fwd: originator to relay. */
struct layer_keys {
	uint8_t fwd[SUITE_KEY_MAX];
	uint8_t back[SUITE_KEY_MAX];
};

/* One telescope layer T_i between the originator and relay i. */
struct layer {
	struct in6_addr a; /* A_ci, the originator's address for this layer, in the relay's /64 */
	struct in6_addr o; /* OR_i */
	uint32_t spi_fwd;  /* a -> o, chosen by the relay */
	uint32_t spi_back; /* o -> a, chosen by the originator */
	enum suite suite;
};

/* The user's packets inside T_k. */
struct inner {
	bool has4, has6;
	struct in_addr addr4;  /* from the exit's IPv4 pool */
	struct in6_addr addr6; /* in the exit's /64, link bits LINK_INNER */
	struct in_addr gw4;    /* the exit's gateway address: answers echo; for the OPEN test */
	struct in6_addr gw6;
	struct in_addr dns4; /* resolver behind the exit, zero if none */
	struct in6_addr dns6;
	uint16_t mtu; /* largest packet into T_k, bytes */
};

/* One circuit at a relay. */
struct relay_circuit {
	uint32_t number; /* 1..RELAY_CIRCUIT_MAX; reqid and mark are REQID_RELAY_BASE + number */
	struct layer layer;
	bool exit;
	struct in6_addr next_a, next_o; /* !exit: T_(i+1)'s ends, the BEET selector */
	struct inner inner;		/* exit: the addresses this circuit may use */
	uint64_t expires; /* unix seconds: when it ends, 0: never; its SAs outlive it by SA_EXPIRY_SLACK */
};

struct prefix {
	uint8_t family; /* AF_INET, AF_INET6 */
	uint8_t len;
	union {
		struct in_addr a4;
		struct in6_addr a6;
	};
};

/* One circuit at its originator. */
struct origin_circuit {
	uint32_t slot;	 /* local number: device anon<slot>; if_ids and reqids */
	size_t n_layers; /* 1..HOPS_MAX */
	struct layer layers[HOPS_MAX];
	uint16_t guard_link; /* number of the link that carries T_1 */
	uint16_t link_mtu;   /* of that link */
	struct inner inner;
	uint64_t expires; /* unix seconds: when it ends, 0: never; its SAs outlive it by SA_EXPIRY_SLACK */
};
