/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * uthash with a keyed hash: peers choose many of our keys (handles, replay tags), so the hash
 * function must not be predictable (SipHash-2-4 with a key drawn at start).
 */
#pragma once

#include <stddef.h>

unsigned int hash_keyed(const void *key, size_t len);

#define HASH_FUNCTION(keyptr, keylen, hashv) ((hashv) = hash_keyed((keyptr), (keylen)))
#include <uthash.h>
