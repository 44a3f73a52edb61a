/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdlib.h>

#define ARRAY_BEGIN 64u

/* An array of n elements that grows only by this, with room for one more: the same, or a larger one. NULL: no memory.
 */
static inline void *array_room(void *v, size_t n, size_t size)
{
	if (n == 0)
		return reallocarray(v, ARRAY_BEGIN, size);
	return n >= ARRAY_BEGIN && (n & (n - 1)) == 0 ? reallocarray(v, 2 * n, size) : v;
}
