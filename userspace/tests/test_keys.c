/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/keys.h"
#include "lib/secmem.h"

static size_t unhex(const char *hex, uint8_t *out, size_t cap)
{
	size_t len;

	assert_int_equal(sodium_hex2bin(out, cap, hex, strlen(hex), NULL, &len, NULL), 0);
	return len;
}

/* RFC 5869 appendix A.1, A.2, A.3. */
static const struct {
	const char *ikm, *salt, *info, *okm;
} rfc5869[] = {
	{ "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "000102030405060708090a0b0c", "f0f1f2f3f4f5f6f7f8f9",
	  "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865" },
	{ "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f"
	  "303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f",
	  "606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f808182838485868788898a8b8c8d8e8f"
	  "909192939495969798999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeaf",
	  "b0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedf"
	  "e0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
	  "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09"
	  "da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87" },
	{ "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "", "",
	  "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8" },
};

static void test_rfc5869(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rfc5869); i++) {
		uint8_t ikm[100], salt[100], info[100], want[100], got[100];
		size_t ikm_len = unhex(rfc5869[i].ikm, ikm, sizeof(ikm));
		size_t salt_len = unhex(rfc5869[i].salt, salt, sizeof(salt));
		size_t info_len = unhex(rfc5869[i].info, info, sizeof(info));
		size_t len = unhex(rfc5869[i].okm, want, sizeof(want));

		assert_int_equal(hkdf_sha256(salt, salt_len, ikm, ikm_len, info, info_len, got, len), 0);
		assert_memory_equal(got, want, len);
		ikm[0] ^= 1;
		assert_int_equal(hkdf_sha256(salt, salt_len, ikm, ikm_len, info, info_len, got, len), 0);
		assert_memory_not_equal(got, want, len);
	}
}

static void test_hkdf_limit(void **state)
{
	static uint8_t okm[HKDF_SHA256_MAX + 1];

	(void)state;
	assert_int_equal(hkdf_sha256("s", 1, "k", 1, "i", 1, okm, HKDF_SHA256_MAX), 0);
	assert_int_equal(hkdf_sha256("s", 1, "k", 1, "i", 1, okm, HKDF_SHA256_MAX + 1), -EINVAL);
}

struct setup {
	struct noise_keys *from;
	struct layer_keys *base, *other;
};

static int setup(void **state)
{
	struct setup *s = calloc(1, sizeof(*s));

	s->from = secmem_alloc(sizeof(*s->from));
	s->base = secmem_alloc(sizeof(*s->base));
	s->other = secmem_alloc(sizeof(*s->other));
	memset(s->from->forward, 1, sizeof(s->from->forward));
	memset(s->from->back, 2, sizeof(s->from->back));
	memset(s->from->hash, 3, sizeof(s->from->hash));
	*state = s;
	return keys_derive(s->from, SUITE_CHACHA20_POLY1305, 0x10000001, 0x10000002, s->base);
}

static int teardown(void **state)
{
	struct setup *s = *state;

	secmem_free(s->from);
	secmem_free(s->base);
	secmem_free(s->other);
	free(s);
	return 0;
}

/* The definition in keys.h, written out once more by hand. */
static void test_definition(void **state)
{
	const struct setup *s = *state;
	static const uint8_t info_fwd[] = "anond circuit 1 esp\x01\x02\x10\x00\x00\x01\x10\x00\x00\x02";
	static const uint8_t info_back[] = "anond circuit 1 esp\x02\x02\x10\x00\x00\x01\x10\x00\x00\x02";
	uint8_t okm[36];

	hkdf_sha256(s->from->hash, 32, s->from->forward, 32, info_fwd, sizeof(info_fwd) - 1, okm, sizeof(okm));
	assert_memory_equal(okm, s->base->fwd, sizeof(okm));
	hkdf_sha256(s->from->hash, 32, s->from->back, 32, info_back, sizeof(info_back) - 1, okm, sizeof(okm));
	assert_memory_equal(okm, s->base->back, sizeof(okm));
	assert_memory_not_equal(s->base->fwd, s->base->back, sizeof(okm));
}

static void assert_other(const struct setup *s)
{
	assert_memory_not_equal(s->base->fwd, s->other->fwd, 20);
	assert_memory_not_equal(s->base->back, s->other->back, 20);
}

static void test_bound_to_everything(void **state)
{
	struct setup *s = *state;

	assert_int_equal(keys_derive(s->from, SUITE_AES128_GCM_16, 0x10000001, 0x10000002, s->other), 0);
	assert_other(s);
	assert_int_equal(keys_derive(s->from, SUITE_CHACHA20_POLY1305, 0x10000002, 0x10000002, s->other), 0);
	assert_other(s);
	assert_int_equal(keys_derive(s->from, SUITE_CHACHA20_POLY1305, 0x10000001, 0x10000003, s->other), 0);
	assert_other(s);
	s->from->hash[31] ^= 1;
	assert_int_equal(keys_derive(s->from, SUITE_CHACHA20_POLY1305, 0x10000001, 0x10000002, s->other), 0);
	assert_other(s);
}

static void test_length(void **state)
{
	static const uint8_t zero[SUITE_KEY_MAX];
	struct setup *s = *state;

	memset(s->other, 0xff, sizeof(*s->other));
	assert_int_equal(keys_derive(s->from, SUITE_AES128_GCM_8, 1, 2, s->other), 0);
	assert_memory_equal(s->other->fwd + 20, zero, SUITE_KEY_MAX - 20);
	assert_memory_equal(s->other->back + 20, zero, SUITE_KEY_MAX - 20);
	assert_memory_not_equal(s->other->fwd, zero, 20);
	memset(s->other, 0xff, sizeof(*s->other));
	assert_int_equal(keys_derive(s->from, 0, 1, 2, s->other), -EINVAL);
	assert_int_equal(keys_derive(s->from, 99, 1, 2, s->other), -EINVAL);
	assert_int_equal(s->other->fwd[0], 0xff);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rfc5869),
		cmocka_unit_test(test_hkdf_limit),
		cmocka_unit_test_setup_teardown(test_definition, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bound_to_everything, setup, teardown),
		cmocka_unit_test_setup_teardown(test_length, setup, teardown),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
