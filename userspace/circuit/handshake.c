/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "circuit/handshake.h"

#include <errno.h>

#include "crypto/keys.h"
#include "lib/bytes.h"
#include "lib/secmem.h"
#include "wire/ctrl.h"

#define PROLOGUE_NAME "anond circuit"
#define PROLOGUE_LEN (sizeof(PROLOGUE_NAME) - 1 + 1 + 32)

_Static_assert(CTRL_NOISE_OVERHEAD == NOISE_OVERHEAD, "the codec does not know the cipher");

static void prologue_of(const struct relay_id *id, uint8_t out[PROLOGUE_LEN])
{
	struct writer w = writer_of(out, PROLOGUE_LEN);

	write_bytes(&w, PROLOGUE_NAME, sizeof(PROLOGUE_NAME) - 1);
	write_u8(&w, CTRL_VERSION);
	write_bytes(&w, id->b, sizeof(id->b));
}

int handshake_initiator(const struct relay *to, const struct rng *rng, struct noise **ret)
{
	uint8_t prologue[PROLOGUE_LEN];

	prologue_of(&to->id, prologue);
	return noise_initiator_new(prologue, sizeof(prologue), to->onion_key, rng, ret);
}

int handshake_responder(const struct relay_id *own, const uint8_t onion_secret[NOISE_KEY_LEN], const struct rng *rng,
			struct noise **ret)
{
	uint8_t prologue[PROLOGUE_LEN];

	prologue_of(own, prologue);
	return noise_responder_new(prologue, sizeof(prologue), onion_secret, rng, ret);
}

int handshake_layer_keys(const struct noise *n, const struct layer *layer, struct layer_keys *ret)
{
	_cleanup_secmem_ struct noise_keys *keys = secmem_alloc(sizeof(*keys));
	int r;

	if (!keys)
		return -ENOMEM;
	r = noise_split(n, keys);
	if (r < 0)
		return r;
	return keys_derive(keys, layer->suite, layer->spi_fwd, layer->spi_back, ret);
}
