/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "circuit/answers.h"

#include <stdlib.h>
#include <string.h>

#include "lib/hash.h"

struct answer {
	struct side_key key;
	uint8_t digest[DIGEST_LEN];
	struct timer age;
	UT_hash_handle hh;
	uint8_t msg[CTRL_MSG_LEN];
};

static void forget(struct answers *as, struct answer *a)
{
	timers_unset(&as->by_age, &a->age);
	HASH_DEL(as->entries, a);
	as->n--;
	free(a);
}

static void forget_due(struct answers *as, uint64_t now_ms)
{
	struct timer *t;

	while ((t = timers_take(&as->by_age, now_ms)))
		forget(as, timer_entry(t, struct answer, age));
}

static struct answer *find(const struct answers *as, const struct side_key *key)
{
	struct answer *a;

	HASH_FIND(hh, as->entries, key, sizeof(*key), a);
	return a;
}

void answers_put(struct answers *as, const struct side_key *key, const uint8_t digest[DIGEST_LEN],
		 const uint8_t msg[CTRL_MSG_LEN], uint64_t now_ms)
{
	struct timer *oldest;
	struct answer *a;

	answers_drop(as, key);
	oldest = as->n >= as->max ? timers_take(&as->by_age, UINT64_MAX) : NULL;
	if (oldest)
		forget(as, timer_entry(oldest, struct answer, age));
	a = calloc(1, sizeof(*a));
	if (!a)
		return;
	a->key = *key;
	memcpy(a->digest, digest, sizeof(a->digest));
	memcpy(a->msg, msg, sizeof(a->msg));
	if (timers_set(&as->by_age, &a->age, now_ms + ANSWER_KEEP_MS) < 0) {
		free(a);
		return;
	}
	HASH_ADD(hh, as->entries, key, sizeof(a->key), a);
	as->n++;
}

const uint8_t *answers_find(const struct answers *as, const struct side_key *key, const uint8_t **ret_digest)
{
	struct answer *a = find(as, key);

	if (!a)
		return NULL;
	*ret_digest = a->digest;
	return a->msg;
}

void answers_drop(struct answers *as, const struct side_key *key)
{
	struct answer *a = find(as, key);

	if (a)
		forget(as, a);
}

void answers_tick(struct answers *as, uint64_t now_ms)
{
	forget_due(as, now_ms);
}

void answers_release(struct answers *as)
{
	forget_due(as, UINT64_MAX);
	timers_release(&as->by_age);
}
