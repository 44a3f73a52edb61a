/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A relay's descriptor from nothing but numbers: who wants to fill a directory, or to steal from another in it, makes
 * such ones.
 *
 *   server-descriptor SEED NAME ADDRESS [link=SEED] [onion=SEED] [age=SECONDS] [bandwidth=KIB] [guard] [exit]
 */
#include <arpa/inet.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "directory/server_descriptor.h"
#include "lib/clock.h"

static void seed_of(const char *text, uint8_t kind, uint8_t ret[32])
{
	memset(ret, 0, 32);
	ret[0] = kind;
	snprintf((char *)ret + 1, 31, "%s", text);
}

static const char *value(int argc, char **argv, const char *name, const char *otherwise)
{
	size_t len = strlen(name);

	for (int i = 4; i < argc; i++)
		if (strncmp(argv[i], name, len) == 0 && (argv[i][len] == '=' || argv[i][len] == '\0'))
			return argv[i][len] ? argv[i] + len + 1 : "yes";
	return otherwise;
}

int main(int argc, char **argv)
{
	struct server_descriptor d = { .facts.software = "tool" };
	struct relay *relay = &d.facts.relay;
	uint8_t identity[32], link[32], onion[32], secret[64];
	struct error err = { "" };
	char *text;
	size_t len;

	if (argc < 4 || sodium_init() < 0)
		return 2;
	seed_of(argv[1], 1, identity);
	seed_of(value(argc, argv, "link", argv[1]), 2, link);
	seed_of(value(argc, argv, "onion", argv[1]), 3, onion);
	crypto_sign_seed_keypair(relay->id.b, secret, identity);
	crypto_scalarmult_base(relay->onion_key, onion);
	server_descriptor_link(&relay->id, link, relay->link_key, d.link_proof);
	snprintf(relay->name, sizeof(relay->name), "%s", argv[2]);
	if (inet_pton(AF_INET, argv[3], &relay->addr4) != 1 && inet_pton(AF_INET6, argv[3], &relay->addr6) != 1)
		return 2;
	relay->guard = value(argc, argv, "guard", NULL);
	if (value(argc, argv, "exit", NULL)) {
		d.facts.traits.exit4.v[0] = (struct port_range){ IPPROTO_TCP, 1, 65535 };
		d.facts.traits.exit4.n = 1;
	}
	d.facts.bandwidth = (uint32_t)strtoul(value(argc, argv, "bandwidth", "1000"), NULL, 10);
	d.published = clock_wall_s() - strtoull(value(argc, argv, "age", "0"), NULL, 10);
	d.valid_until = d.published + 86400;
	if (server_descriptor_make(&d, identity, &text, &len, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	fwrite(text, 1, len, stdout);
	free(text);
	return 0;
}
