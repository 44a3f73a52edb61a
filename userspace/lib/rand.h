/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An injected source of randomness, so that decisions can be tested; the real one is libsodium's. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct rng {
	void (*fill)(void *ctx, void *out, size_t len);
	void *ctx;
};

extern const struct rng rng_system; /* randombytes_buf */

uint32_t rng_u32(const struct rng *rng);
uint64_t rng_u64(const struct rng *rng);
/* Uniform in [0, bound), without modulo bias (rejection sampling). bound > 0. */
uint32_t rng_below(const struct rng *rng, uint32_t bound);
uint64_t rng_below64(const struct rng *rng, uint64_t bound);
