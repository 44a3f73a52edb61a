/* SPDX-License-Identifier: GPL-2.0-or-later */
/* For tests of distributions: chance that repeats, and what chi-square may be. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lib/rand.h"

/* xorshift64*: repeatable, good enough for a chi-square test. ctx: its state, a uint64_t that is not zero. */
static inline void chance_fill(void *ctx, void *out, size_t len)
{
	uint64_t *s = ctx;

	for (size_t i = 0; i < len; i++) {
		*s ^= *s >> 12;
		*s ^= *s << 25;
		*s ^= *s >> 27;
		((uint8_t *)out)[i] = (uint8_t)((*s * UINT64_C(2685821657736338717)) >> 56);
	}
}

/* Upper 0.1 % point of chi-square with df degrees of freedom (Wilson and Hilferty's approximation), 3.09 sigma. */
static inline double chi_square_limit(double df)
{
	double a = 2 / (9 * df), root = 1;

	for (int i = 0; i < 40; i++) /* Newton: the square root of a, without libm */
		root = (root + a / root) / 2;
	double c = 1 - a + 3.09 * root;

	return df * c * c * c;
}
