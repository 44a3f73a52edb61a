/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/rand.h"

#include <sodium.h>

static void fill_system(void *ctx, void *out, size_t len)
{
	(void)ctx;
	randombytes_buf(out, len);
}

const struct rng rng_system = { .fill = fill_system };

uint32_t rng_u32(const struct rng *rng)
{
	uint32_t v;

	rng->fill(rng->ctx, &v, sizeof(v));
	return v;
}

uint64_t rng_u64(const struct rng *rng)
{
	uint64_t v;

	rng->fill(rng->ctx, &v, sizeof(v));
	return v;
}

uint32_t rng_below(const struct rng *rng, uint32_t bound)
{
	uint32_t min = -bound % bound; /* 2^32 mod bound: values below it would be drawn once too often */
	uint32_t v;

	do
		v = rng_u32(rng);
	while (v < min);
	return v % bound;
}

uint64_t rng_below64(const struct rng *rng, uint64_t bound)
{
	uint64_t min = -bound % bound; /* as in rng_below */
	uint64_t v;

	do
		v = rng_u64(rng);
	while (v < min);
	return v % bound;
}
