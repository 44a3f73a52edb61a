/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a relay's operator hands to the operator of the network file: the relay's object of the network file, and
 * "signature": an Ed25519 signature by the relay's identity key, base64, over this canonical encoding:
 *
 *   "anond relay descriptor 1" and a zero byte
 *   8 bits length of name, name
 *   32 bytes identity, 32 bytes onion key, 32 bits onion key id, 32 bytes link key
 *   4 bytes IPv4 address (zero: none), 16 bytes IPv6 address (zero: none)
 *   8 bits flags: 1 guard, 2 exit
 *
 * It proves that whoever wrote the descriptor holds the identity key.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lib/error.h"
#include "model/relay.h"

#define DESCRIPTOR_MAX 4096u /* bytes of JSON */

/* One JSON object on one line (malloc). seed belongs to relay->id. -EINVAL: a field is wrong; -ENOMEM. */
int descriptor_make(const struct relay *relay, const uint8_t *seed, char **ret, struct error *err);
/* -EFBIG, -EINVAL: not a descriptor; -EKEYREJECTED: the signature does not match. */
int descriptor_parse(const void *text, size_t len, struct relay *ret, struct error *err);
