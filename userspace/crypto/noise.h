/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Noise_NK_25519_ChaChaPoly_SHA256 as "The Noise Protocol Framework", revision 34, says:
 *
 *     <- s
 *     ...
 *     -> e, es      message 1, payload encrypted to the responder's static key
 *     <- e, ee      message 2, payload with forward secrecy
 *
 * One object plays one role once: the initiator writes message 1 and reads message 2, the responder the other
 * way round. Any other order is refused, and a message that does not verify ends the handshake for good.
 * Nonces of ChaChaPoly: 32 zero bits, then the counter in little endian (section 12.3).
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lib/cleanup.h"
#include "lib/rand.h"

#define NOISE_PROTOCOL "Noise_NK_25519_ChaChaPoly_SHA256"
#define NOISE_KEY_LEN 32  /* DHLEN, and the length of a cipher key */
#define NOISE_HASH_LEN 32 /* HASHLEN */
#define NOISE_TAG_LEN 16
#define NOISE_OVERHEAD (NOISE_KEY_LEN + NOISE_TAG_LEN) /* what either message is longer than its payload */
#define NOISE_MESSAGE_MAX 65535			       /* section 3 */

struct noise; /* lives in secmem */

/* What Split() gives. Always in secmem memory. */
struct noise_keys {
	uint8_t forward[NOISE_KEY_LEN]; /* initiator to responder */
	uint8_t back[NOISE_KEY_LEN];	/* responder to initiator */
	uint8_t hash[NOISE_HASH_LEN];	/* handshake hash: binds what is built on it to this handshake (section 11.2) */
};

/* Keys are copied; rng draws the ephemeral key and must outlive the object. 0 or -ENOMEM. */
int noise_initiator_new(const void *prologue, size_t prologue_len, const uint8_t remote_static[NOISE_KEY_LEN],
			const struct rng *rng, struct noise **ret);
/* 0, -ENOMEM; -EINVAL if there is no public key to own_secret. */
int noise_responder_new(const void *prologue, size_t prologue_len, const uint8_t own_secret[NOISE_KEY_LEN],
			const struct rng *rng, struct noise **ret);
/*
 * A second object in the same state. Both will draw their own ephemeral key, so a responder may prepare one answer,
 * throw it away unsent and give another without ever using a key twice. 0 or -ENOMEM.
 */
int noise_copy(const struct noise *n, struct noise **ret);
void noise_free(struct noise *n);

static inline void cleanup_noise(struct noise **n)
{
	noise_free(*n);
}

/*
 * Seal payload into our message. out takes len + NOISE_OVERHEAD bytes and may not overlap payload.
 * -EPROTO: not our turn; -EMSGSIZE: cap or the protocol's limit; -EKEYREJECTED: the other's key gives an all-zero
 * shared secret.
 */
int noise_write(struct noise *n, const void *payload, size_t len, uint8_t *out, size_t cap, size_t *ret_len);
/* Open the other's message. Also -EBADMSG: too short or not authentic; the object is of no more use after it. */
int noise_read(struct noise *n, const uint8_t *msg, size_t len, uint8_t *out, size_t cap, size_t *ret_len);
/* -EPROTO unless both messages are done. */
int noise_split(const struct noise *n, struct noise_keys *ret);
