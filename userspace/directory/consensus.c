/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "directory/consensus.h"

#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <string.h>

#include "crypto/sign.h"
#include "lib/cleanup.h"

#define KIND "consensus"
#define VERSION 1

/* ---- computing ---- */

/* The votes that are counted, ascending by authority, each with the relay that is next in it. */
struct count {
	const struct vote *v[AUTHORITIES_MAX];
	size_t next[AUTHORITIES_MAX];
	size_t n, n_authorities;
};

/* Of all authorities, not of those that happened to vote: who keeps some of them away must not decide by that. */
static bool is_most(const struct count *c, size_t n)
{
	return 2 * n > c->n_authorities;
}

static int compare_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static uint64_t low_median(uint64_t *v, size_t n)
{
	qsort(v, n, sizeof(*v), compare_u64);
	return v[(n - 1) / 2];
}

static int compare_authority(const void *a, const void *b)
{
	const struct vote *const *x = a, *const *y = b;

	return memcmp((*x)->authority, (*y)->authority, sizeof((*x)->authority));
}

static int count_votes(const struct vote *const *votes, size_t n, size_t n_authorities, struct count *ret,
		       struct error *err)
{
	struct count c = { .n = n, .n_authorities = n_authorities };

	if (2 * n <= n_authorities || n > n_authorities || n > AUTHORITIES_MAX)
		return error_set(err, -ENODATA, "%zu votes of %zu authorities are too few or too many", n,
				 n_authorities);
	memcpy(c.v, votes, n * sizeof(*votes));
	qsort(c.v, n, sizeof(*c.v), compare_authority);
	for (size_t i = 1; i < n; i++) {
		if (compare_authority(&c.v[i - 1], &c.v[i]) == 0)
			return error_set(err, -EINVAL, "an authority has two votes");
		if (c.v[i]->interval.valid_after != c.v[0]->interval.valid_after)
			return error_set(err, -EINVAL, "votes of different intervals");
	}
	*ret = c;
	return 0;
}

static struct interval median_interval(const struct count *c)
{
	uint64_t fresh[AUTHORITIES_MAX] = { 0 }, valid[AUTHORITIES_MAX] = { 0 }, mtu[AUTHORITIES_MAX] = { 0 };

	for (size_t i = 0; i < c->n; i++) {
		fresh[i] = c->v[i]->interval.fresh_until;
		valid[i] = c->v[i]->interval.valid_until;
		mtu[i] = c->v[i]->interval.link_mtu;
	}
	return (struct interval){ .valid_after = c->v[0]->interval.valid_after,
				  .fresh_until = low_median(fresh, c->n),
				  .valid_until = low_median(valid, c->n),
				  .link_mtu = (uint16_t)low_median(mtu, c->n) };
}

/* What the votes say of the relay that is next, which not all have. */
struct opinions {
	const struct listing *v[AUTHORITIES_MAX];
	size_t n;
};

static const struct listing *next_of(const struct count *c, size_t i)
{
	return c->next[i] < c->v[i]->relays.n ? &c->v[i]->relays.v[c->next[i]] : NULL;
}

/* The smallest identity that is next in any vote. False: all are through. */
static bool next_relay(struct count *c, struct opinions *ret)
{
	const struct listing *least = NULL, *v;

	ret->n = 0;
	for (size_t i = 0; i < c->n; i++) {
		v = next_of(c, i);
		if (v && (!least || memcmp(&v->id, &least->id, sizeof(v->id)) < 0))
			least = v;
	}
	if (!least)
		return false;
	for (size_t i = 0; i < c->n; i++) {
		v = next_of(c, i);
		if (!v || memcmp(&v->id, &least->id, sizeof(v->id)) != 0)
			continue;
		ret->v[ret->n++] = v;
		c->next[i]++;
	}
	return true;
}

static bool same_text(struct document_text a, struct document_text b)
{
	return a.len == b.len && memcmp(a.s, b.s, a.len) == 0;
}

static size_t count_flag(const struct opinions *o, const char *flag)
{
	size_t n = 0;

	for (size_t i = 0; i < o->n; i++)
		n += flags_have(&o->v[i]->flags, flag);
	return n;
}

/*
 * The opinion whose facts most have; NULL: none. Nothing less will do: the facts are not signed by the relay, and one
 * authority could make up some if a tie were decided by anything at all.
 */
static const struct listing *most_facts(const struct count *c, const struct opinions *o)
{
	for (size_t i = 0; i < o->n; i++) {
		size_t n = 0;

		for (size_t k = 0; k < o->n; k++)
			n += same_text(o->v[i]->facts, o->v[k]->facts);
		if (is_most(c, n))
			return o->v[i];
	}
	return NULL;
}

/* Ascending; fewer than FLAGS_MAX, for each is in more than half of the votes. */
static struct flags most_flags(const struct count *c, const struct opinions *o)
{
	struct flags ret = { 0 };
	size_t at[AUTHORITIES_MAX] = { 0 };

	for (;;) {
		const char *least = NULL;

		for (size_t i = 0; i < o->n; i++) {
			const struct flags *f = &o->v[i]->flags;

			if (at[i] < f->n && (!least || strcmp(f->v[at[i]], least) < 0))
				least = f->v[at[i]];
		}
		if (!least)
			return ret;
		if (is_most(c, count_flag(o, least)))
			(void)flags_add(&ret, least);
		for (size_t i = 0; i < o->n; i++) {
			const struct flags *f = &o->v[i]->flags;

			/* least may lie in one of these, which stays where it is */
			if (at[i] < f->n && strcmp(f->v[at[i]], least) == 0)
				at[i]++;
		}
	}
}

static uint32_t weight_of(const struct opinions *o)
{
	uint64_t weight[AUTHORITIES_MAX] = { 0 };

	for (size_t i = 0; i < o->n; i++)
		weight[i] = o->v[i]->weight;
	return (uint32_t)low_median(weight, o->n);
}

/* What most say, 0 or "" if that is nothing or they do not agree. */
static uint32_t most_as(const struct count *c, const struct opinions *o)
{
	for (size_t i = 0; i < o->n; i++) {
		size_t n = 0;

		for (size_t k = 0; k < o->n; k++)
			n += o->v[k]->as == o->v[i]->as;
		if (is_most(c, n))
			return o->v[i]->as;
	}
	return 0;
}

/* Of three characters. */
static const char *most_country(const struct count *c, const struct opinions *o)
{
	static const char none[3];

	for (size_t i = 0; i < o->n; i++) {
		size_t n = 0;

		for (size_t k = 0; k < o->n; k++)
			n += strcmp(o->v[k]->country, o->v[i]->country) == 0;
		if (is_most(c, n))
			return o->v[i]->country;
	}
	return none;
}

static void put_all(FILE *f, struct count *c)
{
	const struct interval interval = median_interval(c);
	struct opinions o;

	fprintf(f, "anond-" KIND " %d\n", VERSION);
	interval_put(f, &interval);
	fputs("votes", f);
	for (size_t i = 0; i < c->n; i++) {
		document_put_bytes(f, c->v[i]->authority, sizeof(c->v[i]->authority));
		document_put_bytes(f, c->v[i]->hash, sizeof(c->v[i]->hash));
	}
	fputc('\n', f);
	while (next_relay(c, &o)) {
		const struct listing *facts = most_facts(c, &o);
		struct listing out;

		if (!facts || !is_most(c, count_flag(&o, FLAG_RUNNING)))
			continue;
		out = (struct listing){
			.facts = facts->facts, .flags = most_flags(c, &o), .weight = weight_of(&o), .as = most_as(c, &o)
		};
		memcpy(out.country, most_country(c, &o), sizeof(out.country));
		listing_put(f, &out);
	}
}

static int close_text(FILE *f, struct error *err)
{
	bool bad = ferror(f);

	return fclose(f) != 0 || bad ? error_set(err, -ENOMEM, "out of memory") : 0;
}

/* ---- signatures ---- */

/* All before the first line of signatures. 0: there is none. -EINVAL: no document. */
static int body_of(const void *text, size_t len, size_t *ret_len, struct error *err)
{
	struct document_reader r = document_reader_of(text, len);
	struct document_line line;
	int e = document_begin(&r, KIND, VERSION, err);

	if (e < 0)
		return e;
	while ((e = document_peek(&r, &line, err)) > 0 && !document_is(&line, "signature"))
		document_skip(&r, &line);
	*ret_len = (size_t)(r.s - (const char *)text);
	return e < 0 ? e : 0;
}

int consensus_sign(const void *text, size_t len, const uint8_t seed[32], struct consensus_signature *ret,
		   struct error *err)
{
	size_t body = 0;
	int r = body_of(text, len, &body, err);

	if (r == 0)
		sign_with_seed(text, body, seed, ret->authority, ret->signature);
	return r;
}

static bool is_over(const void *text, size_t body, const struct consensus_signature *s)
{
	return crypto_sign_verify_detached(s->signature, text, body, s->authority) == 0;
}

bool consensus_signed_by(const void *text, size_t len, const struct consensus_signature *s)
{
	struct error ignored;
	size_t body = 0;

	return body_of(text, len, &body, &ignored) == 0 && is_over(text, body, s);
}

static int compare_signature(const void *a, const void *b)
{
	const struct consensus_signature *const *x = a, *const *y = b;

	return memcmp((*x)->authority, (*y)->authority, sizeof((*x)->authority));
}

void consensus_signature_put(FILE *f, const struct consensus_signature *s)
{
	fputs("signature", f);
	document_put_bytes(f, s->authority, sizeof(s->authority));
	document_put_bytes(f, s->signature, sizeof(s->signature));
	fputc('\n', f);
}

static void put_signatures(FILE *f, const void *text, size_t body, const struct consensus_signature *const *v, size_t n)
{
	const struct consensus_signature *last = NULL;

	for (size_t i = 0; i < n; i++) {
		if ((last && compare_signature(&last, &v[i]) == 0) || !is_over(text, body, v[i]))
			continue;
		last = v[i];
		consensus_signature_put(f, last);
	}
}

int consensus_with(const void *text, size_t len, const struct consensus_signature *sigs, size_t n, char **ret,
		   size_t *ret_len, struct error *err)
{
	const struct consensus_signature *sorted[AUTHORITIES_MAX];
	_cleanup_free_ char *out = NULL;
	size_t body = 0, out_len;
	int r = body_of(text, len, &body, err);
	FILE *f;

	if (r < 0)
		return r;
	if (n > AUTHORITIES_MAX)
		return error_set(err, -EINVAL, "more than %u signatures", AUTHORITIES_MAX);
	f = open_memstream(&out, &out_len);
	if (!f)
		return error_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < n; i++)
		sorted[i] = &sigs[i];
	qsort(sorted, n, sizeof(*sorted), compare_signature);
	fwrite(text, 1, body, f);
	put_signatures(f, text, body, sorted, n);
	r = close_text(f, err);
	if (r < 0)
		return r;
	*ret = out;
	out = NULL;
	*ret_len = out_len;
	return 0;
}

/* ---- reading ---- */

static int take_votes(void *ctx, struct document_words *w, struct error *err)
{
	struct consensus *c = ctx;

	do {
		struct consensus_vote *v = &c->votes[c->n_votes];
		int r = 0;

		if (c->n_votes == AUTHORITIES_MAX)
			return error_set(err, -EINVAL, "more than %u", AUTHORITIES_MAX);
		r = document_bytes(w, v->authority, sizeof(v->authority), err);
		if (r == 0)
			r = document_bytes(w, v->hash, sizeof(v->hash), err);
		if (r < 0)
			return r;
		if (c->n_votes && memcmp(v[-1].authority, v->authority, sizeof(v->authority)) >= 0)
			return error_set(err, -EINVAL, "not ascending");
		c->n_votes++;
	} while (w->s != w->end);
	return 0;
}

static const struct document_field votes_fields[] = { { "votes", take_votes, false } };
static const char *const interval_ends[] = { "votes", "identity", NULL };
static const char *const head_ends[] = { "identity", NULL };

/* What the authorities know of its address counts more than its own word. */
static void locate(struct relay_traits *t, const struct listing *l)
{
	if (l->as)
		t->as = l->as;
	if (l->country[0])
		memcpy(t->country, l->country, sizeof(t->country));
}

/* What we do not understand of one relay must not take the others away. */
static void understand(struct consensus *c, const struct listings *l)
{
	for (size_t i = 0; i < l->n; i++) {
		struct document_reader r = document_reader_of(l->v[i].facts.s, l->v[i].facts.len);
		struct consensus_relay *v = &c->relays[c->n];
		struct error ignored;

		if (relay_facts_read(&r, &v->facts, &ignored) < 0) {
			c->n_unread++;
			continue;
		}
		v->flags = l->v[i].flags;
		v->weight = l->v[i].weight;
		locate(&v->facts.traits, &l->v[i]);
		c->n++;
	}
}

static int all_relays(struct document_reader *r, struct consensus *c, struct error *err)
{
	struct listings l;
	int e = listings_read(r, CONSENSUS_RELAYS_MAX, FLAGS_MAX, &l, err);

	if (e < 0)
		return e;
	c->relays = calloc(l.n + 1, sizeof(*c->relays));
	if (c->relays)
		understand(c, &l);
	else
		e = error_set(err, -ENOMEM, "out of memory");
	listings_clear(&l);
	return e;
}

static int take_signature(struct consensus_signature *s, struct document_words *w, struct error *err)
{
	int r = document_bytes(w, s->authority, sizeof(s->authority), err);

	return r < 0 ? r : document_bytes(w, s->signature, sizeof(s->signature), err);
}

static bool is_ours(const uint8_t key[32], const uint8_t (*authorities)[32], size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (memcmp(authorities[i], key, 32) == 0)
			return true;
	return false;
}

int consensus_signature_read(struct document_reader *r, struct consensus_signature *ret, struct error *err)
{
	struct document_line line;
	int e = document_peek(r, &line, err);

	if (e > 0 && !document_is(&line, "signature"))
		e = error_set(err, -EINVAL, "it is none");
	if (e > 0)
		e = take_signature(ret, &line.words, err);
	if (e == 0 && line.words.s != line.words.end)
		e = error_set(err, -EINVAL, "more words than it has");
	if (e == 0)
		document_skip(r, &line);
	return e;
}

/* Before anything is read of it: what is not signed is not looked at. */
static int verify(const void *text, size_t len, const uint8_t (*authorities)[32], size_t n, size_t *ret_body,
		  struct error *err)
{
	struct consensus_signature s, last = { 0 };
	struct document_reader r;
	size_t good = 0, seen = 0;
	int e = body_of(text, len, ret_body, err);

	if (e < 0)
		return e;
	for (r = document_reader_of((const char *)text + *ret_body, len - *ret_body); r.s != r.end; last = s, seen++) {
		e = consensus_signature_read(&r, &s, err);
		if (e < 0)
			return error_prefix(err, e, "signatures");
		if (seen && memcmp(last.authority, s.authority, sizeof(s.authority)) >= 0)
			return error_set(err, -EINVAL, "signatures: not ascending");
		if (seen == AUTHORITIES_MAX)
			return error_set(err, -EINVAL, "signatures: more than %u", AUTHORITIES_MAX);
		if (is_ours(s.authority, authorities, n))
			good += is_over(text, *ret_body, &s);
	}
	return 2 * good > n ? 0 : error_set(err, -ENOKEY, "signed by %zu of %zu authorities", good, n);
}

/* All that is signed. */
static int parse(const void *text, size_t body, struct consensus *c, struct error *err)
{
	struct document_reader r = document_reader_of(text, body);
	int e = document_begin(&r, KIND, VERSION, err);

	if (e == 0)
		e = interval_read(&r, interval_ends, &c->interval, err);
	if (e == 0)
		e = document_section(&r, votes_fields, ARRAY_SIZE(votes_fields), head_ends, c, err);
	if (e == 0)
		e = all_relays(&r, c, err);
	if (e == 0 && r.s != r.end)
		e = error_set(err, -EINVAL, "line %u: it belongs to no relay", r.number);
	return e;
}

int consensus_compute(const struct vote *const *votes, size_t n, size_t n_authorities, char **ret, size_t *ret_len,
		      struct error *err)
{
	_cleanup_free_ char *text = NULL;
	struct consensus check = { 0 };
	struct count c;
	size_t len;
	FILE *f;
	int r = count_votes(votes, n, n_authorities, &c, err);

	if (r < 0)
		return r;
	f = open_memstream(&text, &len);
	if (!f)
		return error_set(err, -ENOMEM, "out of memory");
	put_all(f, &c);
	r = close_text(f, err);
	if (r == 0) /* what nobody could read is not to be signed */
		r = parse(text, len, &check, err);
	consensus_clear(&check);
	if (r < 0)
		return r;
	*ret = text;
	text = NULL;
	*ret_len = len;
	return 0;
}

int consensus_parse(const void *text, size_t len, const uint8_t (*authorities)[32], size_t n, struct consensus *ret,
		    struct error *err)
{
	struct consensus c = { 0 };
	size_t body = 0;
	int e;

	if (len > CONSENSUS_MAX)
		return error_set(err, -EFBIG, "larger than %u bytes", CONSENSUS_MAX);
	e = verify(text, len, authorities, n, &body, err);
	if (e == 0)
		e = parse(text, body, &c, err);
	if (e < 0)
		consensus_clear(&c);
	else
		*ret = c;
	return e;
}

void consensus_clear(struct consensus *c)
{
	free(c->relays);
	*c = (struct consensus){ 0 };
}
