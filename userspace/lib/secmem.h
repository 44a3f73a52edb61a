/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory for secrets: guarded, locked, never dumped, wiped when freed (libsodium's guarded heap). */
#pragma once

#include <stddef.h>

#include "lib/cleanup.h"

/* Zeroed memory or NULL. The owner releases it with secmem_free (NULL is fine). */
void *secmem_alloc(size_t size);
void secmem_free(void *p);

static inline void cleanup_secmem(void *p)
{
	secmem_free(*(void **)p);
}

#define _cleanup_secmem_ _cleanup_(cleanup_secmem)
