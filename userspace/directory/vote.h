/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What one authority thinks of all relays (wire/document.h has the format). */
#pragma once

#include "directory/interval.h"
#include "directory/listing.h"

#define VOTE_MAX (32u << 20) /* bytes */
#define VOTE_RELAYS_MAX 10000u

struct vote {
	struct interval interval;
	uint8_t authority[32];
	struct listings relays;
	uint8_t hash[32]; /* set by parse: of all that is signed */
};

/*
 * The text must live as long as the vote. Whether its authority is one of ours is the caller's business.
 * -EFBIG; -EINVAL with line and field; -EPROTONOSUPPORT: another version; -EKEYREJECTED: the signature; -ENOMEM.
 */
int vote_parse(const void *text, size_t len, struct vote *ret, struct error *err);
/* The document (malloc, NUL-terminated). seed: of the authority. -EINVAL: parse would refuse it; -ENOMEM. */
int vote_make(const struct vote *v, const uint8_t seed[32], char **ret, size_t *ret_len, struct error *err);
void vote_clear(struct vote *v);
