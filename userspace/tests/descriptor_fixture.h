/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Relays' descriptors for tests of what authorities do with them. */
#pragma once

#include <arpa/inet.h>
#include <string.h>

#include "directory/server_descriptor.h"

#define NO_HOST 255

struct test_relay {
	uint8_t id;    /* all its keys follow from this, unless said otherwise */
	uint8_t onion; /* 0: its own */
	uint8_t link;  /* 0: its own */
	uint8_t host;  /* of its address, 0: its own; NO_HOST: it has none */
	uint8_t host6; /* of its IPv6 address, 0: it has none */
	uint64_t published, life;
	uint32_t bandwidth; /* 0: 1000 */
	uint64_t ends;
	bool guard;
};

static inline struct relay_id test_relay_id(uint8_t id)
{
	uint8_t seed[32] = { id }, secret[64];
	struct relay_id ret;

	crypto_sign_seed_keypair(ret.b, secret, seed);
	return ret;
}

/* Of a relay's host, as who posts from it is seen. */
static inline struct in6_addr test_address(uint8_t host)
{
	return (struct in6_addr){ .s6_addr = { [10] = 0xff, [11] = 0xff, 198, 51, 100, host } };
}

static inline struct in6_addr test_address6(uint8_t host)
{
	return (struct in6_addr){ .s6_addr = { 0x20, 0x01, 0x0d, 0xb8, [15] = host } };
}

/* malloc. */
static inline char *test_descriptor(const struct test_relay *t, size_t *ret_len)
{
	struct server_descriptor d = {
		.published = t->published,
		.valid_until = t->published + (t->life ? t->life : 86400),
		.facts = { .relay = { .id = test_relay_id(t->id),
				      .onion_key = { t->onion ? t->onion : t->id },
				      .guard = t->guard },
			   .bandwidth = t->bandwidth ? t->bandwidth : 1000,
			   .traits = { .ends = t->ends },
			   .software = "anond-0.1" },
	};
	uint8_t seed[32] = { t->id }, link[32] = { t->link ? t->link : t->id, 1 };
	struct error err = { "" };
	char *text = NULL;

	snprintf(d.facts.relay.name, sizeof(d.facts.relay.name), "r%u", t->id);
	if (t->host != NO_HOST)
		d.facts.relay.addr4.s_addr = htonl(0xc6336400u + (t->host ? t->host : t->id));
	if (t->host6)
		d.facts.relay.addr6 = test_address6(t->host6);
	server_descriptor_link(&d.facts.relay.id, link, d.facts.relay.link_key, d.link_proof);
	if (server_descriptor_make(&d, seed, &text, ret_len, &err) < 0)
		fail_msg("%s", err.text);
	return text;
}
