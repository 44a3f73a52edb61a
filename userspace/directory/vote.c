/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "directory/vote.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "lib/cleanup.h"

#define KIND "vote"
#define VERSION 1

static int take_authority(void *ctx, struct document_words *w, struct error *err)
{
	return document_bytes(w, ((struct vote *)ctx)->authority, 32, err);
}

static const struct document_field authority[] = { { "authority", take_authority, false } };
static const char *const interval_ends[] = { "authority", "identity", "signature", NULL };
static const char *const head_ends[] = { "identity", "signature", NULL };

static int parse(const void *text, size_t len, struct vote *v, struct error *err)
{
	struct document_reader r = document_reader_of(text, len);
	int e = document_begin(&r, KIND, VERSION, err);

	if (e == 0)
		e = interval_read(&r, interval_ends, &v->interval, err);
	if (e == 0)
		e = document_section(&r, authority, ARRAY_SIZE(authority), head_ends, v, err);
	if (e == 0)
		e = listings_read(&r, VOTE_RELAYS_MAX, FLAGS_VOTE_MAX, &v->relays, err);
	if (e < 0)
		return e;
	crypto_generichash(v->hash, sizeof(v->hash), text, (size_t)(r.s - (const char *)text), NULL, 0);
	return document_end_signed(&r, text, v->authority, err);
}

int vote_parse(const void *text, size_t len, struct vote *ret, struct error *err)
{
	struct vote v = { 0 };
	int e;

	if (len > VOTE_MAX)
		return error_set(err, -EFBIG, "larger than %u bytes", VOTE_MAX);
	e = parse(text, len, &v, err);
	if (e < 0)
		vote_clear(&v);
	else
		*ret = v;
	return e;
}

static void put_all(FILE *f, const struct vote *v)
{
	fprintf(f, "anond-" KIND " %d\n", VERSION);
	interval_put(f, &v->interval);
	fputs("authority", f);
	document_put_bytes(f, v->authority, sizeof(v->authority));
	fputc('\n', f);
	for (size_t i = 0; i < v->relays.n; i++)
		listing_put(f, &v->relays.v[i]);
}

int vote_make(const struct vote *v, const uint8_t seed[32], char **ret, size_t *ret_len, struct error *err)
{
	_cleanup_free_ char *text = NULL;
	struct vote check = { 0 };
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	int r;

	if (!f)
		return error_set(err, -ENOMEM, "out of memory");
	put_all(f, v);
	r = document_close_signed(f, &text, &len, seed, err);
	if (r == 0)
		r = vote_parse(text, len, &check, err);
	if (r < 0)
		return r == -EKEYREJECTED ? -EINVAL : r;
	vote_clear(&check);
	*ret = text;
	text = NULL;
	*ret_len = len;
	return 0;
}

void vote_clear(struct vote *v)
{
	listings_clear(&v->relays);
	*v = (struct vote){ 0 };
}
