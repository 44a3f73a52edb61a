/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A network file and a relay's descriptor; the content is signed here, for an unsigned one is never parsed. */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "directory/descriptor.h"
#include "directory/network.h"

#define NOW UINT64_C(1700000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was taken can be written again, is then taken again, and every relay is found in it. */
static void write_again(const struct network *net)
{
	struct network *again = NULL;
	char *text = NULL;
	size_t len;
	uint8_t seed[32] = { 1 }, key[32], secret[64];
	char sig[NETWORK_SIG_TEXT];

	crypto_sign_seed_keypair(key, secret, seed);
	if (network_make(net, &text, &len, NULL) < 0)
		abort();
	network_sign(text, len, seed, sig);
	if (network_parse(text, len, sig, strlen(sig), key, NOW, &again, NULL) < 0)
		abort();
	if (again->n_relays != net->n_relays)
		abort();
	for (size_t i = 0; i < net->n_relays; i++)
		if (!network_find(again, &net->relays[i].id))
			abort();
	network_free(again);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t key[32], secret[64];
	uint8_t seed[32] = { 1 };
	char sig[NETWORK_SIG_TEXT];
	struct network *net = NULL;
	struct relay relay;
	struct error err;

	if (sodium_init() < 0)
		abort();
	crypto_sign_seed_keypair(key, secret, seed);
	network_sign(data, size, seed, sig);
	if (network_parse(data, size, sig, strlen(sig), key, NOW, &net, &err) == 0) {
		write_again(net);
		network_free(net);
	}
	/* Whatever the bytes are, they are no signature of other bytes. */
	if (network_parse("{}", 2, data, size, key, NOW, &net, &err) == 0)
		abort();
	(void)descriptor_parse(data, size, &relay, &err);
	return 0;
}
