/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What both ends of a layer have to do in the same way. Prologue of the Noise handshake:
 *
 *     "anond circuit"(13 bytes) CTRL_VERSION(1) identity of the responding relay(32)
 */
#pragma once

#include "crypto/noise.h"
#include "model/circuit.h"
#include "model/relay.h"

int handshake_initiator(const struct relay *to, const struct rng *rng, struct noise **ret); /* 0, -ENOMEM */
int handshake_responder(const struct relay_id *own, const uint8_t onion_secret[NOISE_KEY_LEN], const struct rng *rng,
			struct noise **ret); /* 0, -ENOMEM, -EINVAL: a secret without a public key */
/* ESP keys of the layer from the finished handshake. ret is secmem. -ENOMEM, -EINVAL: suite, -EPROTO: not finished. */
int handshake_layer_keys(const struct noise *n, const struct layer *layer, struct layer_keys *ret);
