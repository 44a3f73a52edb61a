/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "crypto/noise.h"

#include <errno.h>
#include <sodium.h>
#include <stdbool.h>
#include <string.h>

#include "lib/secmem.h"

enum noise_step { STEP_MESSAGE1, STEP_MESSAGE2, STEP_DONE, STEP_DEAD };

struct noise {
	uint8_t ck[NOISE_HASH_LEN]; /* chaining key */
	uint8_t h[NOISE_HASH_LEN];
	uint8_t k[NOISE_KEY_LEN]; /* drawn anew by each MixKey, so its nonce is always 0 here */
	uint8_t s[NOISE_KEY_LEN]; /* responder: own static secret */
	uint8_t e[NOISE_KEY_LEN]; /* own ephemeral secret */
	uint8_t rs[NOISE_KEY_LEN];
	uint8_t re[NOISE_KEY_LEN];
	enum noise_step step;
	bool initiator;
	const struct rng *rng;
};

static const uint8_t nonce_zero[crypto_aead_chacha20poly1305_ietf_NPUBBYTES];

/* The symbols are those of section 5.2. */
static void mix_hash(struct noise *n, const void *data, size_t len)
{
	crypto_hash_sha256_state st;

	crypto_hash_sha256_init(&st);
	crypto_hash_sha256_update(&st, n->h, sizeof(n->h));
	crypto_hash_sha256_update(&st, data, len);
	crypto_hash_sha256_final(&st, n->h);
	sodium_memzero(&st, sizeof(st));
}

static void hmac(const uint8_t key[32], const uint8_t *a, size_t a_len, uint8_t last, uint8_t out[32])
{
	crypto_auth_hmacsha256_state st;

	crypto_auth_hmacsha256_init(&st, key, 32);
	crypto_auth_hmacsha256_update(&st, a, a_len);
	if (last)
		crypto_auth_hmacsha256_update(&st, &last, 1);
	crypto_auth_hmacsha256_final(&st, out);
	sodium_memzero(&st, sizeof(st));
}

/* HKDF(ck, ikm, 2) of section 4.3. The outputs may be ck itself. */
static void hkdf2(const uint8_t ck[32], const uint8_t *ikm, size_t len, uint8_t out1[32], uint8_t out2[32])
{
	uint8_t temp[32], first[32];

	hmac(ck, ikm, len, 0, temp);
	hmac(temp, NULL, 0, 1, first);
	hmac(temp, first, sizeof(first), 2, out2);
	memcpy(out1, first, sizeof(first));
	sodium_memzero(temp, sizeof(temp));
	sodium_memzero(first, sizeof(first));
}

/* MixKey(DH(secret, public)). Section 9.1 lets an all-zero output pass; we refuse it (RFC 7748 section 6.1). */
static int mix_dh(struct noise *n, const uint8_t secret[32], const uint8_t public[32])
{
	uint8_t shared[32];
	int r;

	r = crypto_scalarmult(shared, secret, public) == 0 ? 0 : -EKEYREJECTED;
	if (r == 0)
		hkdf2(n->ck, shared, sizeof(shared), n->ck, n->k);
	sodium_memzero(shared, sizeof(shared));
	return r;
}

static int noise_new(const void *prologue, size_t prologue_len, const uint8_t responder_public[32],
		     const struct rng *rng, struct noise **ret)
{
	struct noise *n = secmem_alloc(sizeof(*n));

	if (!n)
		return -ENOMEM;
	/* The name is HASHLEN bytes long, so it is h itself (section 5.2, InitializeSymmetric). */
	_Static_assert(sizeof(NOISE_PROTOCOL) - 1 == NOISE_HASH_LEN, "protocol name is not hashed");
	memcpy(n->h, NOISE_PROTOCOL, sizeof(n->h));
	memcpy(n->ck, n->h, sizeof(n->ck));
	mix_hash(n, prologue, prologue_len);
	mix_hash(n, responder_public, NOISE_KEY_LEN); /* the pre-message */
	n->rng = rng;
	*ret = n;
	return 0;
}

int noise_initiator_new(const void *prologue, size_t prologue_len, const uint8_t remote_static[NOISE_KEY_LEN],
			const struct rng *rng, struct noise **ret)
{
	int r = noise_new(prologue, prologue_len, remote_static, rng, ret);

	if (r < 0)
		return r;
	(*ret)->initiator = true;
	memcpy((*ret)->rs, remote_static, NOISE_KEY_LEN);
	return 0;
}

int noise_responder_new(const void *prologue, size_t prologue_len, const uint8_t own_secret[NOISE_KEY_LEN],
			const struct rng *rng, struct noise **ret)
{
	uint8_t public[NOISE_KEY_LEN];
	int r;

	if (crypto_scalarmult_base(public, own_secret) != 0)
		return -EINVAL;
	r = noise_new(prologue, prologue_len, public, rng, ret);
	if (r < 0)
		return r;
	memcpy((*ret)->s, own_secret, NOISE_KEY_LEN);
	return 0;
}

int noise_copy(const struct noise *n, struct noise **ret)
{
	struct noise *copy = secmem_alloc(sizeof(*copy));

	if (!copy)
		return -ENOMEM;
	*copy = *n;
	*ret = copy;
	return 0;
}

void noise_free(struct noise *n)
{
	secmem_free(n);
}

static bool our_turn(const struct noise *n, bool to_write)
{
	if (n->step == STEP_MESSAGE1)
		return n->initiator == to_write;
	if (n->step == STEP_MESSAGE2)
		return n->initiator != to_write;
	return false;
}

int noise_write(struct noise *n, const void *payload, size_t len, uint8_t *out, size_t cap, size_t *ret_len)
{
	int r;

	if (!our_turn(n, true))
		return -EPROTO;
	if (len > NOISE_MESSAGE_MAX - NOISE_OVERHEAD || cap < len + NOISE_OVERHEAD)
		return -EMSGSIZE;
	n->rng->fill(n->rng->ctx, n->e, sizeof(n->e));
	crypto_scalarmult_base(out, n->e);
	mix_hash(n, out, NOISE_KEY_LEN);
	r = mix_dh(n, n->e, n->initiator ? n->rs : n->re); /* es or ee */
	if (r < 0) {
		n->step = STEP_DEAD;
		return r;
	}
	crypto_aead_chacha20poly1305_ietf_encrypt(out + NOISE_KEY_LEN, NULL, payload, len, n->h, sizeof(n->h), NULL,
						  nonce_zero, n->k);
	mix_hash(n, out + NOISE_KEY_LEN, len + NOISE_TAG_LEN);
	n->step++;
	*ret_len = len + NOISE_OVERHEAD;
	return 0;
}

int noise_read(struct noise *n, const uint8_t *msg, size_t len, uint8_t *out, size_t cap, size_t *ret_len)
{
	const uint8_t *sealed = msg + NOISE_KEY_LEN;
	int r;

	if (!our_turn(n, false))
		return -EPROTO;
	if (len > NOISE_MESSAGE_MAX || (len >= NOISE_OVERHEAD && cap < len - NOISE_OVERHEAD))
		return -EMSGSIZE;
	r = -EBADMSG;
	if (len < NOISE_OVERHEAD)
		goto dead;
	memcpy(n->re, msg, NOISE_KEY_LEN);
	mix_hash(n, n->re, NOISE_KEY_LEN);
	r = mix_dh(n, n->initiator ? n->e : n->s, n->re); /* ee or es */
	if (r < 0)
		goto dead;
	r = -EBADMSG;
	if (crypto_aead_chacha20poly1305_ietf_decrypt(out, NULL, NULL, sealed, len - NOISE_KEY_LEN, n->h, sizeof(n->h),
						      nonce_zero, n->k) != 0)
		goto dead;
	mix_hash(n, sealed, len - NOISE_KEY_LEN);
	/* Not needed again; the static secret may be wiped where it came from while this waits for its answer. */
	sodium_memzero(n->s, sizeof(n->s));
	sodium_memzero(n->k, sizeof(n->k));
	n->step++;
	*ret_len = len - NOISE_OVERHEAD;
	return 0;
dead:
	n->step = STEP_DEAD;
	return r;
}

int noise_split(const struct noise *n, struct noise_keys *ret)
{
	if (n->step != STEP_DONE)
		return -EPROTO;
	hkdf2(n->ck, NULL, 0, ret->forward, ret->back);
	memcpy(ret->hash, n->h, sizeof(ret->hash));
	return 0;
}
