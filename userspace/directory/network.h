/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The network file: which relays there are, signed by whoever runs the network.
 *
 * FILE is JSON (UTF-8), FILE.sig one line: the base64 (RFC 4648 section 4) of an Ed25519 signature (RFC 8032)
 * over the exact bytes of FILE, by the network key. The signature is verified before anything is parsed.
 *
 *   { "version": 1, "minor": 0,
 *     "valid-from": 1700000000, "valid-until": 1702592000,     seconds since 1970-01-01 UTC
 *     "link-mtu": 1400,                                         NETWORK_MTU_MIN .. NETWORK_MTU_MAX
 *     "relays": [ { "name": "r1", "identity": "<base64, 32 bytes>",
 *                   "onion-key": "<base64, 32 bytes>", "onion-key-id": 1, "link-key": "<base64, 32 bytes>",
 *                   "address4": "192.0.2.1", "address6": "2001:db8::1",   at least one of the two
 *                   "guard": true, "exit": false } ] }
 *
 * A reader refuses another `version`. It refuses members it does not know, unless the file's `minor` is greater
 * than NETWORK_MINOR: then they are additions that may be ignored. Names, identities, keys and addresses are
 * unique in a file. An old file is valid until it expires: whoever replaces one network by another must refuse an
 * earlier valid_from.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lib/cleanup.h"
#include "lib/error.h"
#include "model/relay.h"

#define NETWORK_VERSION 1
#define NETWORK_MINOR 0
#define NETWORK_FILE_MAX (8u << 20) /* bytes */
#define NETWORK_RELAYS_MAX 10000u
#define NETWORK_MTU_MIN 1280u
#define NETWORK_MTU_MAX 9000u
/* What fits into every 1500-byte wire: IPv6 and UDP outside, 16-byte ICV. Three hops leave 1286 bytes inside. */
#define NETWORK_MTU_DEFAULT 1418u
#define NETWORK_DAYS_MAX 366u /* valid-until minus valid-from */
#define NETWORK_KEY_LEN 32u   /* Ed25519 public key */
#define NETWORK_SIG_TEXT 89u  /* base64 of a signature, with the final NUL */

/*
 * Errors of load and parse:
 *   -ENODATA       no signature: FILE.sig is missing or empty
 *   -EKEYREJECTED  the signature does not match: altered, or signed by another key, or not a signature
 *   -EKEYEXPIRED   now_s is after valid-until
 *   -EAGAIN        now_s is before valid-from
 *   -EPROTONOSUPPORT  another version of the format
 *   -EFBIG         larger than a limit
 *   -EINVAL        signed, but the content is wrong
 *   -ENOMEM, and what open(2) and read(2) return
 */
int network_load(const char *path, const uint8_t key[NETWORK_KEY_LEN], uint64_t now_s, struct network **ret,
		 struct error *err);
/* The same from memory; sig is the content of FILE.sig. Pure. */
int network_parse(const void *file, size_t len, const void *sig, size_t sig_len, const uint8_t key[NETWORK_KEY_LEN],
		  uint64_t now_s, struct network **ret, struct error *err);
/*
 * The same of a consensus. A guard is who takes clients and has the majority's flag for it. Names need not be unique.
 * But relays that share a key, an address or an overlay prefix are all left out and counted: who of them came second
 * cannot be told here. -ENOMEM.
 */
struct consensus;
int network_from_consensus(const struct consensus *c, struct network **ret);
/* Of nobody, as long as nothing is known. -ENOMEM. */
int network_empty(uint16_t link_mtu, struct network **ret);
/* Only for a network that came from one of these: the index hides behind it. NULL is fine. */
void network_free(struct network *net);

/* Paths must not be made of it: -ESTALE, it has expired, or none was ever there (valid_until 0); -ENOENT, it names
 * nobody. */
int network_usable(const struct network *net, uint64_t now_s, struct error *err);

/* NULL if there is none. Logarithmic. The relay belongs to the network. Same restriction as network_free. */
const struct relay *network_find(const struct network *net, const struct relay_id *id);

/* Base64 of a public key, surrounding white space allowed. -EINVAL. */
int network_key_parse(const char *text, uint8_t ret[NETWORK_KEY_LEN]);

/*
 * Write what struct network says as the content of a network file (malloc, NUL-terminated); checked by the same
 * rules as when it is read. -EINVAL, -EFBIG, -ENOMEM.
 */
int network_make(const struct network *net, char **ret, size_t *ret_len, struct error *err);
/* The line for FILE.sig, without a newline. seed: 32 bytes, Ed25519. */
void network_sign(const void *file, size_t len, const uint8_t *seed, char ret[NETWORK_SIG_TEXT]);

static inline void cleanup_network(struct network **p)
{
	network_free(*p);
}
#define _cleanup_network_ _cleanup_(cleanup_network)
