/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What more than half of the authorities say of the network (wire/document.h has the format). Every authority that has
 * the same votes computes the same bytes; a client believes what more than half of its authorities have signed.
 */
#pragma once

#include "directory/relay_facts.h"
#include "directory/vote.h"

/* More than half of the authorities name each relay, so there are fewer than twice as many as in a vote. */
#define CONSENSUS_RELAYS_MAX (2 * VOTE_RELAYS_MAX)
#define CONSENSUS_MAX (2 * VOTE_MAX) /* bytes */
#define AUTHORITIES_MAX 16u

struct consensus_relay {
	struct relay_facts facts;
	struct flags flags;
	uint32_t weight; /* KiB/s */
};

struct consensus_vote {
	uint8_t authority[32], hash[32];
};

struct consensus {
	struct interval interval;
	struct consensus_vote votes[AUTHORITIES_MAX]; /* that were counted, ascending by authority */
	size_t n_votes;
	struct consensus_relay *relays; /* malloc, ascending by identity */
	size_t n;
	size_t n_unread; /* relays whose facts we do not understand: they are left out */
};

/*
 * The consensus without signatures (malloc, NUL-terminated) of n votes of one interval, each of another authority of
 * n_authorities in all; that these are ours was checked before. Pure: the order of votes does not count.
 * -ENODATA: not more than half; -EINVAL: two votes of one authority, or of different intervals; -ENOMEM.
 */
int consensus_compute(const struct vote *const *votes, size_t n, size_t n_authorities, char **ret, size_t *ret_len,
		      struct error *err);

/* An authority's signature. text: a consensus, its signatures do not count. */
struct consensus_signature {
	uint8_t authority[32], signature[64];
};
/*
 * Its line. What is behind the body is signed by nobody, and nothing else may stand there: -EINVAL. Errors of put are
 * f's.
 */
int consensus_signature_read(struct document_reader *r, struct consensus_signature *ret, struct error *err);
void consensus_signature_put(FILE *f, const struct consensus_signature *s);
/* -EINVAL: no consensus. seed: of the authority. */
int consensus_sign(const void *text, size_t len, const uint8_t seed[32], struct consensus_signature *ret,
		   struct error *err);
/* Whether it is the authority's over that text. */
bool consensus_signed_by(const void *text, size_t len, const struct consensus_signature *s);
/* The text without signatures, and these behind it, in their order, each authority's once (malloc). -EINVAL, -ENOMEM.
 */
int consensus_with(const void *text, size_t len, const struct consensus_signature *sigs, size_t n, char **ret,
		   size_t *ret_len, struct error *err);

/*
 * -ENOKEY: fewer than more than half of the n authorities have signed it. Others' signatures, and wrong ones, do not
 * count. Whether the time fits is the caller's business. -EFBIG; -EINVAL with line and field; -EPROTONOSUPPORT;
 * -ENOMEM.
 */
int consensus_parse(const void *text, size_t len, const uint8_t (*authorities)[32], size_t n, struct consensus *ret,
		    struct error *err);
void consensus_clear(struct consensus *c);
