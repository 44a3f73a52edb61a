/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/secmem.h"

#include <sodium.h>

void *secmem_alloc(size_t size)
{
	void *p = sodium_malloc(size);

	if (p)
		sodium_memzero(p, size);
	return p;
}

void secmem_free(void *p)
{
	sodium_free(p);
}
