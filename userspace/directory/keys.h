/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Key files. Each is one line, `<kind> <base64 of 32 bytes>`, and for the onion key `<kind> <id> <base64>`:
 *   DIR/identity  anond-identity-key   Ed25519 seed: who the relay is
 *   DIR/onion     anond-onion-key      X25519 secret: opens CREATE; a relay that replaces it (onion_keys.h) erases it
 *   DIR/link      anond-link-key       Ed25519 seed: raw public key authentication of the IKE links
 *   FILE          anond-network-key    Ed25519 seed: signs the network file; FILE.pub is the public key, base64
 *   FILE          anond-authority-key  Ed25519 seed: signs votes and consensus; FILE.pub as well
 *   FILE          anond-family-key     Ed25519 seed: an operator's, signs that a relay is of its family; FILE.pub too
 *
 * A file that someone else than its owner may read or write is refused, and so is a directory that someone else may
 * write to. Files are never overwritten.
 */
#pragma once

#include <stdint.h>

#include "lib/cleanup.h"
#include "lib/error.h"
#include "model/relay.h"

#define KEY_LEN 32u

/* All in secmem. */
struct relay_keys {
	struct relay_id id; /* public half of identity_seed */
	uint8_t identity_seed[KEY_LEN];
	uint8_t link_public[KEY_LEN];
	uint8_t link_seed[KEY_LEN];
};

/* In secmem. */
struct onion_pair {
	uint32_t id; /* names it in CREATE */
	uint8_t public_key[KEY_LEN], secret[KEY_LEN];
};

/* Draws the keys and writes them into dir, which is made (0700) if it does not exist. -EEXIST if one is there. */
int relay_keys_make(const char *dir, struct error *err);
/* Identity and link key. -EACCES: its mode; -EINVAL: not a key file of that kind; -ENOMEM; what open(2) and read(2)
 * return. */
int relay_keys_load(const char *dir, struct relay_keys **ret, struct error *err);
void relay_keys_free(struct relay_keys *k);
/* DIR/onion. Errors as relay_keys_load; -ENOENT also where the relay has erased it. */
int relay_onion_load(const char *dir, struct onion_pair *ret, struct error *err);
/* Overwrites and removes DIR/onion. Errors of file_wipe. */
int relay_onion_erase(const char *dir, struct error *err);

/* Makes file and file.pub. -EEXIST if one of them is there. */
int network_key_make(const char *file, struct error *err);
int authority_key_make(const char *file, struct error *err);
/* *ret is KEY_LEN bytes of secmem, the seed; secmem_free. Errors as relay_keys_load. */
int network_key_load(const char *file, uint8_t **ret, struct error *err);
int authority_key_load(const char *file, uint8_t **ret, struct error *err);
/* The same for a family's. */
int family_key_make(const char *file, struct error *err);
int family_key_load(const char *file, uint8_t **ret, struct error *err);

static inline void cleanup_relay_keys(struct relay_keys **p)
{
	relay_keys_free(*p);
}
#define _cleanup_relay_keys_ _cleanup_(cleanup_relay_keys)
