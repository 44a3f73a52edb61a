/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * That a relay is of an operator's family, as text: "KEY:PROOF", both base64. The family's secret key stays with the
 * operator; a relay has only this, which is good for it and no other.
 */
#pragma once

#include <stdint.h>

#include "lib/base64.h"
#include "model/relay.h"

struct family_proof {
	uint8_t key[32], proof[64]; /* Ed25519 (server_descriptor.h) */
};

#define FAMILY_PROOF_TEXT (BASE64_LEN(32) + BASE64_LEN(64)) /* with the final NUL */

/* seed: of the family's key. */
void family_proof_make(const struct relay_id *id, const uint8_t seed[32], struct family_proof *ret);
void family_proof_format(const struct family_proof *f, char ret[FAMILY_PROOF_TEXT]);
/* -EINVAL. Whose it is is not looked at. */
int family_proof_parse(const char *text, struct family_proof *ret);
