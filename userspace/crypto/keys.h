/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a finished handshake to the ESP keys of one layer:
 *
 *     fwd  = HKDF-SHA256(salt = handshake hash, ikm = initiator's key, info = label | 1 | suite | spi_fwd | spi_back)
 *     back = HKDF-SHA256(salt = handshake hash, ikm = responder's key, info = label | 2 | suite | spi_fwd | spi_back)
 *
 * label is KEYS_LABEL without a final NUL, direction and suite are one byte, SPIs four bytes in network order. The
 * output is as long as the suite's key and salt together, in the order in which the kernel takes them.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "crypto/noise.h"
#include "model/circuit.h"
#include "model/suite.h"

#define KEYS_LABEL "anond circuit 1 esp"
#define HKDF_SHA256_MAX (255 * 32) /* RFC 5869 section 2.3 */

/* RFC 5869 with HMAC-SHA256. -EINVAL if okm_len is above HKDF_SHA256_MAX. */
int hkdf_sha256(const void *salt, size_t salt_len, const void *ikm, size_t ikm_len, const void *info, size_t info_len,
		uint8_t *okm, size_t okm_len);

/* ret is in secmem; what is beyond the suite's key length is zero. -EINVAL: no such suite. */
int keys_derive(const struct noise_keys *from, unsigned int suite, uint32_t spi_fwd, uint32_t spi_back,
		struct layer_keys *ret);
