/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How authorities come to one consensus for one interval, seen by one of them: it collects votes, its own among them,
 * then computes and signs, once, then collects signatures. Pure; who fetches what from whom and when is not seen here.
 *
 * An authority of which two votes turn up has told different things to different ones: neither counts. Both are kept
 * and handed on, so that all see it. From whoever made it a vote is taken early only, and then from the others that
 * have it: so nobody can give one to some when it is too late for the rest to hear of it. What turns up after the
 * computation is evidence only: nobody signs twice.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "directory/consensus.h"
#include "lib/error.h"

struct round;
/* keys: of all authorities, n up to AUTHORITIES_MAX, different ones. -EINVAL, -ENOMEM. */
int round_new(uint64_t valid_after, const uint8_t (*keys)[32], size_t n, struct round **ret);
void round_free(struct round *r); /* NULL is fine */
uint64_t round_valid_after(const struct round *r);

struct round_vote {
	uint8_t authority[32], hash[32];
	const char *text; /* the round's */
	size_t len;
};

/*
 * Takes *text (malloc, at least len bytes and a NUL) and sets it NULL if it is a new vote. 1: it is; 0: it is there
 * already, or its authority has two. -EPERM: by no authority; -ESTALE: of another interval; as vote_parse.
 */
int round_add_vote(struct round *r, char **text, size_t len, struct error *err);
/* Whether a vote that authority `from` has should be fetched from it. */
bool round_wants(const struct round *r, const uint8_t from[32], const uint8_t authority[32], const uint8_t hash[32]);
/* From now on no vote is wanted from who made it. */
void round_close(struct round *r);
/* Of an authority, or both. */
size_t round_votes_of(const struct round *r, const uint8_t authority[32], struct round_vote ret[2]);
/* How many authorities have just one. */
size_t round_counted(const struct round *r);

/* The votes that it has, as wire/dirhttp.h wants them (malloc). -ENOMEM. */
int round_list(const struct round *r, char **ret, size_t *ret_len);
#define ROUND_LIST_MAX (AUTHORITIES_MAX * 2 * 130u) /* bytes */
/* Such a list, of another authority: calls fn for those that it names. -EINVAL: it is none, also after calls. */
int round_list_read(const char *text, size_t len,
		    void (*fn)(void *ctx, const uint8_t authority[32], const uint8_t hash[32]), void *ctx);

/* What follows from the votes that it has, without signatures (malloc). As consensus_compute. */
int round_compute(const struct round *r, char **ret, size_t *ret_len, struct error *err);
/*
 * That this is the consensus: what was computed, and is kept so that it is not another one after a restart. Once: later
 * calls change nothing. seed: of one authority. -EINVAL: it is no consensus; -ENOMEM.
 */
int round_sign(struct round *r, const char *body, size_t len, const uint8_t seed[32], struct error *err);
/* What was signed, without signatures; NULL: nothing yet. */
const char *round_body(const struct round *r, size_t *ret_len);
/* Its signatures, as lines (malloc). -ENODATA: nothing is signed; -ENOMEM. */
int round_signatures(const struct round *r, char **ret, size_t *ret_len, struct error *err);
#define ROUND_SIGNATURES_MAX (AUTHORITIES_MAX * 160u) /* bytes */
/*
 * Another authority's lines: the number of those that are new and good; those of another consensus are no error, but
 * are counted in *ret_other. -EINVAL: no such lines; -ENODATA.
 */
int round_add_signatures(struct round *r, const char *text, size_t len, size_t *ret_other, struct error *err);
size_t round_signed(const struct round *r);
/* The consensus with its signatures (malloc). -ENOKEY: more than half of the authorities have not signed it. */
int round_result(const struct round *r, char **ret, size_t *ret_len, struct error *err);
