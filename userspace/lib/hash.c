/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/hash.h"

#include <sodium.h>
#include <stdbool.h>
#include <string.h>

unsigned int hash_keyed(const void *key, size_t len)
{
	static unsigned char secret[crypto_shorthash_KEYBYTES];
	static bool ready;
	unsigned char out[crypto_shorthash_BYTES];
	unsigned int h;

	if (!ready) {
		randombytes_buf(secret, sizeof(secret));
		ready = true;
	}
	crypto_shorthash(out, key, len, secret);
	memcpy(&h, out, sizeof(h));
	return h;
}
