/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "crypto/sign.h"

#include <sodium.h>

void sign_with_seed(const void *msg, size_t len, const uint8_t seed[32], uint8_t ret_key[32], uint8_t ret_sig[64])
{
	uint8_t secret[crypto_sign_SECRETKEYBYTES];

	crypto_sign_seed_keypair(ret_key, secret, seed);
	crypto_sign_detached(ret_sig, NULL, msg, len, secret);
	sodium_memzero(secret, sizeof(secret));
}
