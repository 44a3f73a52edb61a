/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "directory/server_descriptor.h"

#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <string.h>

#include "crypto/sign.h"
#include "lib/cleanup.h"
#include "lib/clock.h"

#define KIND "server-descriptor"
#define VERSION 1

/* Their NUL is signed too. */
static const char family_context[] = "anond family 1", link_context[] = "anond link 1";

static int take_published(void *ctx, struct document_words *w, struct error *err)
{
	return document_number(w, 0, CLOCK_WALL_MAX, &((struct server_descriptor *)ctx)->published, err);
}

static int take_valid_until(void *ctx, struct document_words *w, struct error *err)
{
	struct server_descriptor *d = ctx;

	return document_number(w, d->published + 1, d->published + SERVER_DESCRIPTOR_LIFE_MAX, &d->valid_until, err);
}

#define PROOF_MAX 64

/* What a key says of a relay. */
static size_t statement(const char *context, const struct relay_id *id, uint8_t ret[PROOF_MAX])
{
	size_t len = strlen(context) + 1;

	memcpy(ret, context, len);
	memcpy(ret + len, id->b, sizeof(id->b));
	return len + sizeof(id->b);
}

static bool proves(const char *context, const struct relay_id *id, const uint8_t key[32], const uint8_t proof[64])
{
	uint8_t msg[PROOF_MAX];

	return crypto_sign_verify_detached(proof, msg, statement(context, id, msg), key) == 0;
}

static int take_link_proof(void *ctx, struct document_words *w, struct error *err)
{
	struct server_descriptor *d = ctx;
	int r = document_bytes(w, d->link_proof, sizeof(d->link_proof), err);

	if (r == 0 && !proves(link_context, &d->facts.relay.id, d->facts.relay.link_key, d->link_proof))
		r = error_set(err, -EKEYREJECTED, "not by the link key");
	return r;
}

static int take_family_proof(void *ctx, struct document_words *w, struct error *err)
{
	struct server_descriptor *d = ctx;

	if (d->facts.traits.n_families == 0)
		return error_set(err, -EINVAL, "of no family");
	for (; d->n_family_proofs < d->facts.traits.n_families; d->n_family_proofs++) {
		int r = document_bytes(w, d->family_proofs[d->n_family_proofs], sizeof(d->family_proofs[0]), err);

		if (r < 0)
			return r;
		if (!proves(family_context, &d->facts.relay.id, d->facts.traits.families[d->n_family_proofs],
			    d->family_proofs[d->n_family_proofs]))
			return error_set(err, -EKEYREJECTED, "a signature is not the family's");
	}
	return 0;
}

static const struct document_field head[] = { { "published", take_published, false },
					      { "valid-until", take_valid_until, false } };
static const struct document_field tail[] = { { "link-proof", take_link_proof, false },
					      { "family-proof", take_family_proof, true } };
static const char *const head_ends[] = { "identity", "link-proof", "signature", NULL };
static const char *const tail_ends[] = { "signature", NULL };

/* Nothing else that ends facts: what is not the authority's word would look like it in a vote. */
static int proofs_follow(const struct document_reader *r, struct error *err)
{
	struct document_line line;
	int e = document_peek(r, &line, err);

	if (e < 0)
		return e;
	return e > 0 && document_is(&line, "link-proof")
		       ? 0
		       : error_set(err, -EINVAL, "line %u: link-proof: it lacks before this line", r->number);
}

int server_descriptor_parse(const void *text, size_t len, struct server_descriptor *ret, struct error *err)
{
	struct document_reader r = document_reader_of(text, len);
	struct server_descriptor d = { 0 };
	int e;

	if (len > SERVER_DESCRIPTOR_MAX)
		return error_set(err, -EFBIG, "larger than %u bytes", SERVER_DESCRIPTOR_MAX);
	e = document_begin(&r, KIND, VERSION, err);
	if (e == 0)
		e = document_section(&r, head, ARRAY_SIZE(head), head_ends, &d, err);
	d.facts_text.s = r.s;
	if (e == 0)
		e = relay_facts_read(&r, &d.facts, err);
	d.facts_text.len = (size_t)(r.s - d.facts_text.s);
	if (e == 0)
		e = proofs_follow(&r, err);
	if (e == 0)
		e = document_section(&r, tail, ARRAY_SIZE(tail), tail_ends, &d, err);
	if (e == 0 && d.n_family_proofs != d.facts.traits.n_families)
		e = error_set(err, -EINVAL, "line %u: family-proof: it lacks", r.number);
	if (e == 0)
		e = document_end_signed(&r, text, d.facts.relay.id.b, err);
	if (e < 0)
		return e;
	*ret = d;
	return 0;
}

static void put_all(FILE *f, const struct server_descriptor *d)
{
	fprintf(f, "anond-" KIND " %d\npublished %" PRIu64 "\nvalid-until %" PRIu64 "\n", VERSION, d->published,
		d->valid_until);
	relay_facts_put(f, &d->facts);
	fputs("link-proof", f);
	document_put_bytes(f, d->link_proof, sizeof(d->link_proof));
	fputc('\n', f);
	if (!d->n_family_proofs)
		return;
	fputs("family-proof", f);
	for (size_t i = 0; i < d->n_family_proofs; i++)
		document_put_bytes(f, d->family_proofs[i], sizeof(d->family_proofs[i]));
	fputc('\n', f);
}

int server_descriptor_make(const struct server_descriptor *d, const uint8_t seed[32], char **ret, size_t *ret_len,
			   struct error *err)
{
	_cleanup_free_ char *text = NULL;
	struct server_descriptor check;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	int r;

	if (!f)
		return error_set(err, -ENOMEM, "out of memory");
	put_all(f, d);
	r = document_close_signed(f, &text, &len, seed, err);
	if (r == 0)
		r = server_descriptor_parse(text, len, &check, err);
	if (r < 0)
		return r == -EKEYREJECTED ? -EINVAL : r;
	*ret = text;
	text = NULL;
	*ret_len = len;
	return 0;
}

static void state(const char *context, const struct relay_id *id, const uint8_t seed[32], uint8_t ret_key[32],
		  uint8_t ret_proof[64])
{
	uint8_t msg[PROOF_MAX];

	sign_with_seed(msg, statement(context, id, msg), seed, ret_key, ret_proof);
}

void server_descriptor_link(const struct relay_id *id, const uint8_t seed[32], uint8_t ret_key[32],
			    uint8_t ret_proof[64])
{
	state(link_context, id, seed, ret_key, ret_proof);
}

void server_descriptor_family(const struct relay_id *id, const uint8_t seed[32], uint8_t ret_key[32],
			      uint8_t ret_proof[64])
{
	state(family_context, id, seed, ret_key, ret_proof);
}
