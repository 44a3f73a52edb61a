/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a relay says of itself to the authorities, signed with its identity key (wire/document.h has the format). */
#pragma once

#include "directory/relay_facts.h"

#define SERVER_DESCRIPTOR_MAX 8192u	   /* bytes */
#define SERVER_DESCRIPTOR_LIFE_MAX 172800u /* seconds */

struct server_descriptor {
	uint64_t published, valid_until; /* seconds since 1970 UTC */
	struct relay_facts facts;
	struct document_text facts_text; /* what parse read them from, of its text: votes have the same bytes */
	uint8_t link_proof[64];
	uint8_t family_proofs[FAMILIES_MAX][64]; /* of facts.families, in their order */
	size_t n_family_proofs;
};

/* The document (malloc, NUL-terminated). seed: of the relay's identity. -EINVAL: parse would refuse it; -ENOMEM. */
int server_descriptor_make(const struct server_descriptor *d, const uint8_t seed[32], char **ret, size_t *ret_len,
			   struct error *err);
/* -EFBIG; -EINVAL with line and field; -EPROTONOSUPPORT: another version; -EKEYREJECTED: a signature does not match. */
int server_descriptor_parse(const void *text, size_t len, struct server_descriptor *ret, struct error *err);
/* That the link key is this relay's: for facts.relay.link_key and link_proof. seed: of the link key. */
void server_descriptor_link(const struct relay_id *id, const uint8_t seed[32], uint8_t ret_key[32],
			    uint8_t ret_proof[64]);
/* That a relay is of a family: for facts.families and family_proofs. seed: of the family's key. */
void server_descriptor_family(const struct relay_id *id, const uint8_t seed[32], uint8_t ret_key[32],
			      uint8_t ret_proof[64]);
