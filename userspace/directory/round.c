/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "directory/round.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "directory/vote.h"
#include "lib/cleanup.h"

#define HEX_LEN 64u

struct ballot {
	char *text;
	size_t len;
	struct vote vote; /* of text */
};

struct place { /* of one authority */
	uint8_t key[32];
	struct ballot ballots[2];
	size_t n;
	bool has_signed;
	struct consensus_signature signature;
};

struct round {
	uint64_t valid_after;
	struct place places[AUTHORITIES_MAX];
	size_t n;
	bool closed;
	char *body; /* the consensus without signatures, NULL: not computed */
	size_t body_len;
};

static struct place *place_of(const struct round *r, const uint8_t key[32])
{
	for (size_t i = 0; i < r->n; i++)
		if (memcmp(r->places[i].key, key, 32) == 0)
			return (struct place *)&r->places[i];
	return NULL;
}

int round_new(uint64_t valid_after, const uint8_t (*keys)[32], size_t n, struct round **ret)
{
	struct round *r;

	if (n == 0 || n > AUTHORITIES_MAX)
		return -EINVAL;
	r = calloc(1, sizeof(*r));
	if (!r)
		return -ENOMEM;
	r->valid_after = valid_after;
	for (; r->n < n; r->n++) {
		if (place_of(r, keys[r->n])) {
			free(r);
			return -EINVAL;
		}
		memcpy(r->places[r->n].key, keys[r->n], 32);
	}
	*ret = r;
	return 0;
}

void round_free(struct round *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->n; i++)
		for (size_t k = 0; k < r->places[i].n; k++) {
			vote_clear(&r->places[i].ballots[k].vote);
			free(r->places[i].ballots[k].text);
		}
	free(r->body);
	free(r);
}

uint64_t round_valid_after(const struct round *r)
{
	return r->valid_after;
}

/* ---- votes ---- */

static const struct ballot *ballot_of(const struct place *p, const uint8_t hash[32])
{
	for (size_t i = 0; i < p->n; i++)
		if (memcmp(p->ballots[i].vote.hash, hash, 32) == 0)
			return &p->ballots[i];
	return NULL;
}

/* Where it belongs; NULL with 0: it is not wanted. */
static int place_for(struct round *r, const struct vote *v, struct place **ret, struct error *err)
{
	struct place *p = place_of(r, v->authority);

	*ret = NULL;
	if (!p)
		return error_set(err, -EPERM, "a vote of somebody who is no authority");
	if (v->interval.valid_after != r->valid_after)
		return error_set(err, -ESTALE, "a vote for another interval");
	if (p->n < ARRAY_SIZE(p->ballots) && !ballot_of(p, v->hash))
		*ret = p;
	return 0;
}

int round_add_vote(struct round *r, char **text, size_t len, struct error *err)
{
	struct place *p;
	struct vote v;
	int e = vote_parse(*text, len, &v, err);

	if (e < 0)
		return e;
	e = place_for(r, &v, &p, err);
	if (!p) {
		vote_clear(&v);
		return e;
	}
	p->ballots[p->n++] = (struct ballot){ *text, len, v };
	*text = NULL;
	return 1;
}

/* One that two votes are known of needs no third. */
bool round_wants(const struct round *r, const uint8_t from[32], const uint8_t authority[32], const uint8_t hash[32])
{
	const struct place *p = place_of(r, authority);

	return p && p->n < ARRAY_SIZE(p->ballots) && !ballot_of(p, hash) &&
	       !(r->closed && memcmp(from, authority, sizeof(p->key)) == 0);
}

void round_close(struct round *r)
{
	r->closed = true;
}

size_t round_votes_of(const struct round *r, const uint8_t authority[32], struct round_vote ret[2])
{
	const struct place *p = place_of(r, authority);

	for (size_t i = 0; p && i < p->n; i++) {
		const struct ballot *b = &p->ballots[i];

		ret[i] = (struct round_vote){ .text = b->text, .len = b->len };
		memcpy(ret[i].authority, p->key, sizeof(ret[i].authority));
		memcpy(ret[i].hash, b->vote.hash, sizeof(ret[i].hash));
	}
	return p ? p->n : 0;
}

size_t round_counted(const struct round *r)
{
	size_t n = 0;

	for (size_t i = 0; i < r->n; i++)
		n += r->places[i].n == 1;
	return n;
}

/* Closes f, which is open_memstream's of *text. */
static int finish(FILE *f, char **text, struct error *err)
{
	bool bad = ferror(f);

	if (fclose(f) == 0 && !bad)
		return 0;
	free(*text);
	*text = NULL;
	return error_set(err, -ENOMEM, "out of memory");
}

static void put_hex(FILE *f, const uint8_t key[32], char end)
{
	char hex[HEX_LEN + 1];

	fprintf(f, "%s%c", sodium_bin2hex(hex, sizeof(hex), key, 32), end);
}

int round_list(const struct round *r, char **ret, size_t *ret_len)
{
	FILE *f = open_memstream(ret, ret_len);

	if (!f)
		return -ENOMEM;
	for (size_t i = 0; i < r->n; i++)
		for (size_t k = 0; k < r->places[i].n; k++) {
			put_hex(f, r->places[i].key, ' ');
			put_hex(f, r->places[i].ballots[k].vote.hash, '\n');
		}
	return finish(f, ret, NULL);
}

static bool take_hex(const char *s, uint8_t ret[32])
{
	size_t len = 0;

	return strspn(s, "0123456789abcdef") >= HEX_LEN && sodium_hex2bin(ret, 32, s, HEX_LEN, NULL, &len, NULL) == 0 &&
	       len == 32;
}

#define LIST_LINE (2 * HEX_LEN + 2)

int round_list_read(const char *text, size_t len,
		    void (*fn)(void *ctx, const uint8_t authority[32], const uint8_t hash[32]), void *ctx)
{
	char line[LIST_LINE + 1];
	uint8_t authority[32], hash[32];

	if (len > ROUND_LIST_MAX || len % LIST_LINE != 0)
		return -EINVAL;
	for (const char *end = text + len; text < end; text += LIST_LINE) {
		memcpy(line, text, LIST_LINE);
		line[LIST_LINE] = '\0';
		if (line[HEX_LEN] != ' ' || line[LIST_LINE - 1] != '\n' || !take_hex(line, authority) ||
		    !take_hex(line + HEX_LEN + 1, hash))
			return -EINVAL;
		fn(ctx, authority, hash);
	}
	return 0;
}

/* ---- the consensus ---- */

/* One is left out that has two votes. */
static size_t counted(const struct round *r, const struct vote *ret[AUTHORITIES_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < r->n; i++)
		if (r->places[i].n == 1)
			ret[n++] = &r->places[i].ballots[0].vote;
	return n;
}

static void note_signature(struct round *r, const struct consensus_signature *s)
{
	struct place *p = place_of(r, s->authority);

	if (!p)
		return;
	p->signature = *s;
	p->has_signed = true;
}

int round_compute(const struct round *r, char **ret, size_t *ret_len, struct error *err)
{
	const struct vote *votes[AUTHORITIES_MAX];

	return consensus_compute(votes, counted(r, votes), r->n, ret, ret_len, err);
}

int round_sign(struct round *r, const char *body, size_t len, const uint8_t seed[32], struct error *err)
{
	struct consensus_signature own;
	int e;

	if (r->body)
		return 0;
	e = consensus_sign(body, len, seed, &own, err);
	if (e < 0)
		return e;
	r->body = strndup(body, len);
	if (!r->body)
		return error_set(err, -ENOMEM, "out of memory");
	r->body_len = len;
	note_signature(r, &own);
	return 0;
}

const char *round_body(const struct round *r, size_t *ret_len)
{
	*ret_len = r->body_len;
	return r->body;
}

static int need_body(const struct round *r, struct error *err)
{
	return r->body ? 0 : error_set(err, -ENODATA, "no consensus is signed yet");
}

int round_signatures(const struct round *r, char **ret, size_t *ret_len, struct error *err)
{
	int e = need_body(r, err);
	FILE *f;

	if (e < 0)
		return e;
	f = open_memstream(ret, ret_len);
	if (!f)
		return error_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < r->n; i++)
		if (r->places[i].has_signed)
			consensus_signature_put(f, &r->places[i].signature);
	return finish(f, ret, err);
}

int round_add_signatures(struct round *r, const char *text, size_t len, size_t *ret_other, struct error *err)
{
	struct document_reader doc = document_reader_of(text, len);
	struct consensus_signature s;
	int taken = 0, e = need_body(r, err);

	*ret_other = 0;
	if (e < 0)
		return e;
	if (len > ROUND_SIGNATURES_MAX)
		return error_set(err, -EINVAL, "longer than %u bytes", ROUND_SIGNATURES_MAX);
	while (doc.s != doc.end) {
		const struct place *p;

		e = consensus_signature_read(&doc, &s, err);
		if (e < 0)
			return e;
		p = place_of(r, s.authority);
		if (!p || p->has_signed)
			continue;
		if (!consensus_signed_by(r->body, r->body_len, &s)) {
			(*ret_other)++;
			continue;
		}
		note_signature(r, &s);
		taken++;
	}
	return taken;
}

static size_t signatures(const struct round *r, struct consensus_signature ret[AUTHORITIES_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < r->n; i++)
		if (r->places[i].has_signed)
			ret[n++] = r->places[i].signature;
	return n;
}

size_t round_signed(const struct round *r)
{
	struct consensus_signature ignored[AUTHORITIES_MAX];

	return signatures(r, ignored);
}

int round_result(const struct round *r, char **ret, size_t *ret_len, struct error *err)
{
	struct consensus_signature s[AUTHORITIES_MAX];
	size_t n = signatures(r, s);
	int e = need_body(r, err);

	if (e < 0)
		return e;
	if (2 * n <= r->n)
		return error_set(err, -ENOKEY, "signed by %zu of %zu authorities", n, r->n);
	return consensus_with(r->body, r->body_len, s, n, ret, ret_len, err);
}
