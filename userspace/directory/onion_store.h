/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The onion keys of a relay that replaces them, on the disk: STATE/onion-keys, mode 0600, lines as in wire/document.h:
 *
 *     anond-onion-keys 1
 *     identity         BYTES32          of the relay whose they are
 *     since            SECONDS          struct onion_keys has it
 *     current          ID BYTES32       X25519 secret
 *   ? next             ID BYTES32       one of these two at most
 *   ? previous         ID BYTES32
 *     sum              BYTES32          BLAKE2b-256 of all before: a key that is damaged would be one that nobody uses
 *
 * Only what is written like this, byte by byte, is read. As long as it is there DIR/onion is not used; without it
 * DIR/onion is the first key.
 */
#pragma once

#include "directory/onion_keys.h"

#define ONION_KEYS_FILE "onion-keys"
#define ONION_KEYS_TEXT_MAX 512u /* bytes */

/* Into ONION_KEYS_TEXT_MAX bytes of secmem; the length. */
size_t onion_keys_format(const struct onion_keys *k, const struct relay_id *id, char *out);
/* ret: in secmem. -EINVAL with line and field, never with their content; -EPROTONOSUPPORT: another version; -ENOMEM;
 * -EKEYREJECTED: of another relay. */
int onion_keys_parse(const char *text, size_t len, const struct relay_id *id, struct onion_keys *ret,
		     struct error *err);

/* -ENOENT: nothing is stored; errors of onion_keys_parse and file_read_secret. */
int onion_store_load(const char *state, const struct relay_id *id, struct onion_keys **ret, struct error *err);
/* Errors of file_replace_secret, of which one may come when the new is there already. */
int onion_store_save(const char *state, const struct relay_id *id, struct onion_keys *k, struct error *err);
/* Wipes what a crash while saving has left. */
int onion_store_wipe_rest(const char *state, struct error *err);

/*
 * Those to start with: the stored ones (state NULL: there are none); else DIR/onion; else, if replace, one that is
 * drawn. -ENOENT: none of these; errors of onion_store_load and relay_onion_load. wall_s: seconds since 1970 UTC.
 */
int onion_keys_open(const char *state, const char *dir, const struct relay_id *id, bool replace, uint64_t wall_s,
		    struct onion_keys **ret, struct error *err);
/*
 * Erases DIR/onion if it is none of k: it has been replaced, and who gets it opens what was sealed to it. 1: erased; 0:
 * it is one of k, or not there; errors of relay_onion_load and relay_onion_erase.
 */
int onion_keys_erase_first(const char *dir, const struct onion_keys *k, struct error *err);

void onion_keys_free(struct onion_keys *k); /* wipes; NULL is fine */

static inline void cleanup_onion_keys(struct onion_keys **p)
{
	onion_keys_free(*p);
}
#define _cleanup_onion_keys_ _cleanup_(cleanup_onion_keys)
