/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "crypto/keys.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "lib/bytes.h"

enum { DIRECTION_FWD = 1, DIRECTION_BACK = 2 };

#define INFO_LEN (sizeof(KEYS_LABEL) - 1 + 1 + 1 + 4 + 4)

/* T(i) of RFC 5869 section 2.3; prev_len is 0 for the first. */
static void expand_block(const uint8_t prk[32], const uint8_t *prev, size_t prev_len, const void *info, size_t info_len,
			 uint8_t i, uint8_t out[32])
{
	crypto_auth_hmacsha256_state st;

	crypto_auth_hmacsha256_init(&st, prk, 32);
	crypto_auth_hmacsha256_update(&st, prev, prev_len);
	crypto_auth_hmacsha256_update(&st, info, info_len);
	crypto_auth_hmacsha256_update(&st, &i, 1);
	crypto_auth_hmacsha256_final(&st, out);
	sodium_memzero(&st, sizeof(st));
}

int hkdf_sha256(const void *salt, size_t salt_len, const void *ikm, size_t ikm_len, const void *info, size_t info_len,
		uint8_t *okm, size_t okm_len)
{
	crypto_auth_hmacsha256_state st;
	uint8_t prk[32], t[32];
	size_t done = 0;

	if (okm_len > HKDF_SHA256_MAX)
		return -EINVAL;
	crypto_auth_hmacsha256_init(&st, salt, salt_len);
	crypto_auth_hmacsha256_update(&st, ikm, ikm_len);
	crypto_auth_hmacsha256_final(&st, prk);
	sodium_memzero(&st, sizeof(st));
	for (unsigned int i = 1; done < okm_len; i++) {
		size_t take = okm_len - done < sizeof(t) ? okm_len - done : sizeof(t);

		expand_block(prk, t, i == 1 ? 0 : sizeof(t), info, info_len, (uint8_t)i, t);
		memcpy(okm + done, t, take);
		done += take;
	}
	sodium_memzero(prk, sizeof(prk));
	sodium_memzero(t, sizeof(t));
	return 0;
}

static void derive_one(const uint8_t hash[NOISE_HASH_LEN], const uint8_t key[NOISE_KEY_LEN], uint8_t direction,
		       const struct suite_info *suite, uint32_t spi_fwd, uint32_t spi_back, uint8_t out[SUITE_KEY_MAX])
{
	uint8_t info[INFO_LEN];
	struct writer w = writer_of(info, sizeof(info));

	write_bytes(&w, KEYS_LABEL, sizeof(KEYS_LABEL) - 1);
	write_u8(&w, direction);
	write_u8(&w, (uint8_t)suite->id);
	write_u32(&w, spi_fwd);
	write_u32(&w, spi_back);
	memset(out, 0, SUITE_KEY_MAX);
	hkdf_sha256(hash, NOISE_HASH_LEN, key, NOISE_KEY_LEN, info, w.len, out, suite->key_len);
}

int keys_derive(const struct noise_keys *from, unsigned int suite, uint32_t spi_fwd, uint32_t spi_back,
		struct layer_keys *ret)
{
	const struct suite_info *info = suite_get(suite);

	if (!info)
		return -EINVAL;
	derive_one(from->hash, from->forward, DIRECTION_FWD, info, spi_fwd, spi_back, ret->fwd);
	derive_one(from->hash, from->back, DIRECTION_BACK, info, spi_fwd, spi_back, ret->back);
	return 0;
}
