/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The CREATED datagrams sent of late, for the neighbour whose copy was lost: the same CREATE again under the same
 * handle gets the same answer again.
 */
#pragma once

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

#include "circuit/timers.h"
#include "wire/ctrl.h"

#define ANSWER_KEEP_MS 60000 /* longer than any originator goes on sending one CREATE */
#define ANSWERS_MAX 8192     /* about 10 MB; the oldest gives way */
#define DIGEST_LEN 32

/* A circuit as one neighbour names it. The address is the neighbour's on the link, so it implies the link. */
struct side_key {
	struct in6_addr peer;
	uint64_t handle;
};

struct answer;

struct answers {
	struct answer *entries;
	struct timers by_age; /* all are kept equally long: the first due is the oldest */
	size_t n, max;
};

/* Copies msg. Best effort: without memory the answer is simply not kept. */
void answers_put(struct answers *as, const struct side_key *key, const uint8_t digest[DIGEST_LEN],
		 const uint8_t msg[CTRL_MSG_LEN], uint64_t now_ms);
/* The datagram and, in ret_digest, the digest of the CREATE it answers; NULL if there is none. */
const uint8_t *answers_find(const struct answers *as, const struct side_key *key, const uint8_t **ret_digest);
void answers_drop(struct answers *as, const struct side_key *key);
void answers_tick(struct answers *as, uint64_t now_ms);
void answers_release(struct answers *as);
