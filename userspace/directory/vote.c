/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "directory/vote.h"

#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <string.h>

#include "lib/array.h"

#define KIND "vote"
#define VERSION 1

static int take_authority(void *ctx, struct document_words *w, struct error *err)
{
	return document_bytes(w, ((struct vote *)ctx)->authority, 32, err);
}

static int take_flags(void *ctx, struct document_words *w, struct error *err)
{
	return flags_take(&((struct vote_relay *)ctx)->flags, w, err);
}

static int take_measured(void *ctx, struct document_words *w, struct error *err)
{
	struct vote_relay *v = ctx;
	uint64_t kib = 0;
	int r = document_number(w, 0, UINT32_MAX, &kib, err);

	v->measured = (uint32_t)kib;
	v->has_measured = true;
	return r;
}

static const struct document_field authority[] = { { "authority", take_authority, false } };
static const struct document_field opinion[] = { { "flags", take_flags, false }, { "measured", take_measured, true } };
static const char *const interval_ends[] = { "authority", NULL };

static int one_relay(void *ctx, const struct relay_facts *facts, struct document_text text, struct document_reader *r,
		     struct error *err)
{
	struct vote *v = ctx;
	void *room = array_room(v->relays, v->n, sizeof(*v->relays));

	if (!room)
		return error_set(err, -ENOMEM, "out of memory");
	v->relays = room;
	v->relays[v->n] = (struct vote_relay){ .id = facts->relay.id, .facts = text, .bandwidth = facts->bandwidth };
	return document_section(r, opinion, ARRAY_SIZE(opinion), relay_facts_next, &v->relays[v->n++], err);
}

static int parse(const void *text, size_t len, struct vote *v, struct error *err)
{
	struct document_reader r = document_reader_of(text, len);
	int e = document_begin(&r, KIND, VERSION, err);

	if (e == 0)
		e = interval_read(&r, interval_ends, &v->interval, err);
	if (e == 0)
		e = document_section(&r, authority, ARRAY_SIZE(authority), relay_facts_next, v, err);
	if (e == 0)
		e = relay_facts_each(&r, VOTE_RELAYS_MAX, one_relay, v, err);
	return e < 0 ? e : document_end_signed(&r, text, v->authority, err);
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
	for (size_t i = 0; i < v->n; i++) {
		fwrite(v->relays[i].facts.s, 1, v->relays[i].facts.len, f);
		flags_put(f, &v->relays[i].flags);
		if (v->relays[i].has_measured)
			fprintf(f, "measured %" PRIu32 "\n", v->relays[i].measured);
	}
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
	free(v->relays);
	*v = (struct vote){ 0 };
}
