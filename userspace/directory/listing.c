/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "directory/listing.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "directory/relay_facts.h"
#include "lib/array.h"
#include "lib/cleanup.h"

struct opinion {
	struct listing *listing;
	size_t max_flags;
};

static int take_flags(void *ctx, struct document_words *w, struct error *err)
{
	struct opinion *o = ctx;

	return flags_take(&o->listing->flags, o->max_flags, w, err);
}

static int take_weight(void *ctx, struct document_words *w, struct error *err)
{
	uint64_t kib = 0;
	int r = document_number(w, 0, UINT32_MAX, &kib, err);

	((struct opinion *)ctx)->listing->weight = (uint32_t)kib;
	return r;
}

static int take_as(void *ctx, struct document_words *w, struct error *err)
{
	uint64_t as = 0;
	int r = document_number(w, 1, UINT32_MAX, &as, err);

	((struct opinion *)ctx)->listing->as = (uint32_t)as;
	return r;
}

static int take_country(void *ctx, struct document_words *w, struct error *err)
{
	return country_take(w, ((struct opinion *)ctx)->listing->country, err);
}

static const struct document_field fields[] = { { "flags", take_flags, false },
						{ "weight", take_weight, false },
						{ "seen-as", take_as, true },
						{ "seen-country", take_country, true } };
static const char *const ends[] = { "identity", "signature", NULL };

/* Takes the lines from the identity to the flags. */
static int delimit(struct document_reader *r, struct listing *ret, struct error *err)
{
	struct document_line line;
	const char *begin = r->s;
	int e = document_peek(r, &line, err);

	if (e > 0)
		e = document_bytes(&line.words, ret->id.b, sizeof(ret->id), err);
	if (e < 0 || line.words.s != line.words.end)
		return error_set(err, -EINVAL, "line %u: identity: not 32 bytes in base64", line.number);
	document_skip(r, &line);
	while ((e = document_peek(r, &line, err)) > 0 && !relay_facts_end_at(&line))
		document_skip(r, &line);
	if (e < 0)
		return e;
	ret->facts = (struct document_text){ begin, (size_t)(r->s - begin) };
	if (ret->facts.len > RELAY_FACTS_MAX)
		return error_set(err, -EINVAL, "line %u: facts of more than %u bytes before it", r->number,
				 RELAY_FACTS_MAX);
	return 0;
}

static int read_one(struct document_reader *r, size_t max_flags, struct listing *ret, struct error *err)
{
	struct opinion o = { ret, max_flags };
	int e;

	*ret = (struct listing){ 0 };
	e = delimit(r, ret, err);
	return e < 0 ? e : document_section(r, fields, ARRAY_SIZE(fields), ends, &o, err);
}

static int read_all(struct document_reader *r, size_t max_relays, size_t max_flags, struct listings *l,
		    struct error *err)
{
	struct document_line line;
	int e;

	while ((e = document_peek(r, &line, err)) > 0 && document_is(&line, "identity")) {
		void *room = array_room(l->v, l->n, sizeof(*l->v));

		if (!room)
			return error_set(err, -ENOMEM, "out of memory");
		l->v = room;
		if (l->n == max_relays)
			return error_set(err, -EFBIG, "line %u: more than %zu relays", line.number, max_relays);
		e = read_one(r, max_flags, &l->v[l->n], err);
		if (e < 0)
			return e;
		if (l->n && memcmp(&l->v[l->n - 1].id, &l->v[l->n].id, sizeof(struct relay_id)) >= 0)
			return error_set(err, -EINVAL, "line %u: identity: not ascending", line.number);
		l->n++;
	}
	return e < 0 ? e : 0;
}

int listings_read(struct document_reader *r, size_t max_relays, size_t max_flags, struct listings *ret,
		  struct error *err)
{
	struct listings l = { 0 };
	int e = read_all(r, max_relays, max_flags, &l, err);

	if (e < 0)
		listings_clear(&l);
	else
		*ret = l;
	return e;
}

void listing_put(FILE *f, const struct listing *v)
{
	fwrite(v->facts.s, 1, v->facts.len, f);
	flags_put(f, &v->flags);
	fprintf(f, "weight %" PRIu32 "\n", v->weight);
	if (v->as)
		fprintf(f, "seen-as %" PRIu32 "\n", v->as);
	if (v->country[0])
		fprintf(f, "seen-country %s\n", v->country);
}

void listings_clear(struct listings *l)
{
	free(l->v);
	*l = (struct listings){ 0 };
}
