/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "directory/roster.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "directory/roster_member.h"
#include "lib/cleanup.h"
#include "lib/clock.h"
#include "model/overlay.h"

int roster_new(const struct roster_rules *rules, struct roster **ret)
{
	struct roster *r;

	if (rules->max == 0 || rules->max > VOTE_RELAYS_MAX)
		return -EINVAL;
	r = calloc(1, sizeof(*r));
	if (!r)
		return -ENOMEM;
	r->rules = *rules;
	*ret = r;
	return 0;
}

static void unclaim(struct roster *r, struct member *m)
{
	for (size_t i = 0; i < m->n_claims; i++)
		HASH_DEL(r->claims, &m->claims[i]); /* NOLINT(clang-analyzer-core.NullDereference): inside uthash */
	m->n_claims = 0;
}

static void drop(struct roster *r, struct member *m)
{
	unclaim(r, m);
	HASH_DEL(r->members, m); /* NOLINT(clang-analyzer-core.NullDereference): inside uthash */
	free(m->text);
	free(m);
}

void roster_free(struct roster *r)
{
	struct member *m, *next;

	if (!r)
		return;
	HASH_ITER (hh, r->members, m, next)
		drop(r, m);
	free(r);
}

struct member *roster_member(const struct roster *r, const struct relay_id *id)
{
	struct member *m;

	HASH_FIND(hh, r->members, id, sizeof(*id), m);
	return m;
}

/* Whether its place is free for another one that can show more. */
static bool gives_place(const struct roster *r, const struct member *m, uint64_t now)
{
	return !member_is_valid(m, now) ||
	       (!member_answers(r, m, now) && !member_recently(m->known_since, now, ROSTER_FIRST_PROBE));
}

/* And what it claims: not before it was asked. */
static bool gives_claims(const struct roster *r, const struct member *m, uint64_t now)
{
	return !member_is_valid(m, now) || (!member_answers(r, m, now) && m->silent);
}

/* ---- claims ---- */

enum { CLAIM_LINK = 1, CLAIM_ADDR4, CLAIM_ADDR6, CLAIM_OVERLAY };
#define OVERLAY_PREFIX 8u /* bytes of the address that follow from the identity */

static void claim(struct claim *v, size_t *n, uint8_t kind, const void *what, size_t len)
{
	struct claim *c = &v[(*n)++];

	*c = (struct claim){ .what = { kind } };
	memcpy(c->what + 1, what, len);
}

static size_t claims_of(const struct relay_facts *f, struct claim v[CLAIMS_MAX])
{
	const struct relay *relay = &f->relay;
	const struct in6_addr overlay = overlay_relay(&relay->id);
	size_t n = 0;

	claim(v, &n, CLAIM_OVERLAY, &overlay, OVERLAY_PREFIX);
	claim(v, &n, CLAIM_LINK, relay->link_key, sizeof(relay->link_key));
	if (relay->addr4.s_addr != INADDR_ANY)
		claim(v, &n, CLAIM_ADDR4, &relay->addr4, sizeof(relay->addr4));
	if (!IN6_IS_ADDR_UNSPECIFIED(&relay->addr6))
		claim(v, &n, CLAIM_ADDR6, &relay->addr6, sizeof(relay->addr6));
	return n;
}

static struct member *holder(const struct roster *r, const struct claim *c)
{
	struct claim *found;

	HASH_FIND(hh, r->claims, c->what, CLAIM_LEN, found);
	return found ? found->of : NULL;
}

static const char *const claim_names[] = { "", "link-key", "address4", "address6", "identity" };

/* Who came from an address has shown more than who only names it. */
static bool shows_more(const struct claim *c, uint8_t from, const struct member *than)
{
	uint8_t way = c->what[0] == CLAIM_ADDR4 ? FROM_4 : c->what[0] == CLAIM_ADDR6 ? FROM_6 : 0;

	return from & way & ~than->from;
}

/* Whether all that it claims is free, its own, or of relays that must give way, which go then. */
static int make_way(struct roster *r, const struct relay_id *id, const struct claim *v, size_t n, uint8_t from,
		    uint64_t now, struct error *err)
{
	for (size_t i = 0; i < n; i++) {
		const struct member *m = holder(r, &v[i]);

		if (!m || memcmp(&m->id, id, sizeof(*id)) == 0)
			continue;
		if (member_is_valid(m, now) && !(from && gives_claims(r, m, now)) && !shows_more(&v[i], from, m))
			return error_set(err, -EEXIST, "%s: it is another relay's", claim_names[v[i].what[0]]);
	}
	for (size_t i = 0; i < n; i++) {
		struct member *m = holder(r, &v[i]);

		if (m && memcmp(&m->id, id, sizeof(*id)) != 0)
			drop(r, m);
	}
	return 0;
}

/* ---- members ---- */

/* What a place costs whoever wants many: that others told of one costs nothing, IPv6 addresses little. */
enum rank { RANK_EMPTY, RANK_TOLD, RANK_SIX, RANK_FOUR };

static enum rank rank_of(uint8_t from)
{
	return from & FROM_4 ? RANK_FOUR : from ? RANK_SIX : RANK_TOLD;
}

static enum rank rank(const struct roster *r, const struct member *m, uint64_t now)
{
	return gives_place(r, m, now) ? RANK_EMPTY : rank_of(m->from);
}

/* Who goes when there is no place: the least, and of these the one that is known shortest. */
static struct member *least(const struct roster *r, uint64_t now, enum rank *ret)
{
	struct member *m, *next, *victim = NULL;

	HASH_ITER (hh, r->members, m, next) {
		enum rank of = rank(r, m, now);

		if (victim && (of > *ret || (of == *ret && m->known_since <= victim->known_since)))
			continue;
		victim = m;
		*ret = of;
	}
	return victim;
}

static bool is_full(const struct roster *r)
{
	return HASH_COUNT(r->members) >= r->rules.max;
}

static int no_place(const struct roster *r, struct error *err)
{
	return error_set(err, -ENOSPC, "there are %zu relays already", r->rules.max);
}

static int make_room(struct roster *r, uint8_t from, uint64_t now, struct error *err)
{
	enum rank lowest = RANK_EMPTY;
	struct member *victim = is_full(r) && from ? least(r, now, &lowest) : NULL;

	if (!is_full(r))
		return 0;
	if (!victim || lowest >= rank_of(from))
		return no_place(r, err);
	drop(r, victim);
	return 0;
}

static int new_member(struct roster *r, const struct relay_id *id, uint64_t known_since, struct member **ret,
		      struct error *err)
{
	struct member *m = calloc(1, sizeof(*m));

	if (!m)
		return error_set(err, -ENOMEM, "out of memory");
	m->id = *id;
	m->known_since = known_since;
	HASH_ADD(hh, r->members, id, sizeof(m->id), m);
	*ret = m;
	return 0;
}

/* The descriptor is m's from now on; text is taken. */
static void put(struct roster *r, struct member *m, char *text, size_t len, const struct server_descriptor *d)
{
	unclaim(r, m);
	free(m->text);
	m->text = text;
	m->len = len;
	m->d = *d;
	m->n_claims = claims_of(&d->facts, m->claims);
	for (size_t i = 0; i < m->n_claims; i++) {
		m->claims[i].of = m;
		HASH_ADD(hh, r->claims, what, CLAIM_LEN, &m->claims[i]);
	}
}

/* Of two of the same second all authorities take the same one. */
static bool is_newer(const struct server_descriptor *d, const char *text, size_t len, const struct member *than)
{
	size_t common = len < than->len ? len : than->len;
	int c;

	if (d->published != than->d.published)
		return d->published > than->d.published;
	c = memcmp(text, than->text, common);
	return c != 0 ? c > 0 : len > than->len;
}

static int check_time(const struct server_descriptor *d, uint32_t keep, uint64_t now, struct error *err)
{
	if (d->published > now + ROSTER_SKEW)
		return error_set(err, -EAGAIN, "published: it is in the future");
	if (d->valid_until + keep <= now)
		return error_set(err, -ESTALE, "valid-until: it is over");
	return 0;
}

/* By which of its addresses it comes; 0: by none. */
static uint8_t way_of(const struct relay *relay, const struct in6_addr *from)
{
	if (IN6_IS_ADDR_UNSPECIFIED(from))
		return 0;
	if (!IN6_IS_ADDR_V4MAPPED(from))
		return IN6_ARE_ADDR_EQUAL(from, &relay->addr6) ? FROM_6 : 0;
	return relay->addr4.s_addr != INADDR_ANY && memcmp(&from->s6_addr[12], &relay->addr4, 4) == 0 ? FROM_4 : 0;
}

/* Which addresses are the same: what was shown of another one is of no use. */
static uint8_t same(const struct relay *a, const struct relay *b)
{
	return (a->addr4.s_addr == b->addr4.s_addr ? FROM_4 : 0) |
	       (IN6_ARE_ADDR_EQUAL(&a->addr6, &b->addr6) ? FROM_6 : 0);
}

/* Where a descriptor comes from. */
struct origin {
	uint8_t from; /* FROM_*; 0: others told of it */
	uint64_t known_since;
	uint32_t keep; /* seconds for which it is of use when it is not valid any more */
};

static int take(struct roster *r, char **text, size_t len, const struct server_descriptor *d, struct origin origin,
		uint64_t now, struct error *err)
{
	struct claim claims[CLAIMS_MAX];
	const struct relay_id *id = &d->facts.relay.id;
	struct member *m = roster_member(r, id);
	int e = make_way(r, id, claims, claims_of(&d->facts, claims), origin.from, now, err);

	if (e == 0 && !m)
		e = make_room(r, origin.from, now, err);
	if (e == 0 && !m)
		e = new_member(r, id, origin.known_since, &m, err);
	if (e < 0)
		return e;
	m->from = (m->from & same(&m->d.facts.relay, &d->facts.relay)) | origin.from;
	if (origin.from)
		member_came(r, m, now);
	put(r, m, *text, len, d);
	*text = NULL;
	return 1;
}

static int add(struct roster *r, const char *text, size_t len, struct origin origin, const struct in6_addr *from,
	       uint64_t now, struct error *err)
{
	_cleanup_free_ char *copy = strndup(text, len);
	struct server_descriptor d;
	struct member *m;
	int e;

	if (!copy)
		return error_set(err, -ENOMEM, "out of memory");
	e = server_descriptor_parse(copy, len, &d, err);
	if (e == 0)
		e = check_time(&d, origin.keep, now, err);
	if (e == 0 && from) {
		origin.from = way_of(&d.facts.relay, from);
		if (!origin.from)
			e = error_set(err, -EACCES, "it was posted from an address that is none of its");
	}
	if (e < 0)
		return e;
	m = roster_member(r, &d.facts.relay.id);
	if (m && !is_newer(&d, copy, len, m)) {
		m->from |= origin.from & same(&m->d.facts.relay, &d.facts.relay);
		return 0;
	}
	return take(r, &copy, len, &d, origin, now, err);
}

/* Without looking at anything else of it. */
static int identity_of(const char *text, size_t len, struct relay_id *ret)
{
	struct document_reader doc = document_reader_of(text, len);
	struct document_line line;
	struct error ignored;
	int e;

	while ((e = document_peek(&doc, &line, &ignored)) > 0 && !document_is(&line, "identity"))
		document_skip(&doc, &line);
	return e > 0 ? document_bytes(&line.words, ret->b, sizeof(ret->b), &ignored) : -EINVAL;
}

/*
 * What others tell, before any signature is verified: most of it is known, and for what is not there may be no place.
 * 1: it is worth it; 0: it is known.
 */
static int look_at(const struct roster *r, const char *text, size_t len, struct error *err)
{
	const struct member *m;
	struct relay_id id;

	if (identity_of(text, len, &id) < 0)
		return error_set(err, -EINVAL, "line 1: no descriptor");
	m = roster_member(r, &id);
	if (!m && is_full(r))
		return no_place(r, err);
	return !m || m->len != len || memcmp(m->text, text, len) != 0;
}

int roster_add(struct roster *r, const char *text, size_t len, const struct in6_addr *from, uint64_t now,
	       struct error *err)
{
	int e = from ? 1 : look_at(r, text, len, err);

	if (e <= 0)
		return e;
	return add(r, text, len, (struct origin){ .known_since = now }, from, now, err);
}

/* The next of a row, up to the line that begins another one. */
static int next_document(struct document_reader *doc, const char *keyword, struct document_text *ret, struct error *err)
{
	const char *begin = doc->s;
	struct document_line line;
	int e;

	while ((e = document_peek(doc, &line, err)) > 0) {
		if (doc->s != begin && document_is(&line, keyword))
			break;
		document_skip(doc, &line);
	}
	*ret = (struct document_text){ begin, (size_t)(doc->s - begin) };
	return e < 0 ? e : ret->len > 0;
}

int roster_add_all(struct roster *r, const char *text, size_t len, uint64_t now, struct error *err)
{
	struct document_reader doc = document_reader_of(text, len);
	struct document_text one;
	struct error ignored;
	unsigned int n = 0;
	int taken = 0, e;

	while ((e = next_document(&doc, "anond-server-descriptor", &one, err)) > 0) {
		if (n++ == VOTE_RELAYS_MAX)
			return error_set(err, -EFBIG, "more than %u descriptors", VOTE_RELAYS_MAX);
		taken += roster_add(r, one.s, one.len, NULL, now, &ignored) > 0;
	}
	return e < 0 ? e : taken;
}

/* ---- keeping ---- */

void roster_dump(const struct roster *r, FILE *f)
{
	struct member *m, *next;

	HASH_ITER (hh, r->members, m, next) {
		fprintf(f, "relay %" PRIu64 " %d %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", m->known_since,
			m->from, m->posted, m->answered, m->wasted, m->chances);
		fwrite(m->text, 1, m->len, f);
	}
}

/* The line before its descriptor. */
static int load_line(struct document_reader *doc, struct member *ret, struct error *err)
{
	struct document_line line;
	uint64_t from = 0;
	int e = document_peek(doc, &line, err);

	if (e <= 0 || !document_is(&line, "relay"))
		return error_set(err, -EINVAL, "no line `relay` where one must be");
	e = document_number(&line.words, 0, CLOCK_WALL_MAX, &ret->known_since, err);
	if (e == 0)
		e = document_number(&line.words, 0, FROM_4 | FROM_6, &from, err);
	if (e == 0)
		e = document_number(&line.words, 0, CLOCK_WALL_MAX, &ret->posted, err);
	if (e == 0)
		e = document_number(&line.words, 0, CLOCK_WALL_MAX, &ret->answered, err);
	if (e == 0)
		e = document_number(&line.words, 0, CLOCK_WALL_MAX, &ret->wasted, err);
	if (e == 0)
		e = document_number(&line.words, 0, CLOCK_WALL_MAX, &ret->chances, err);
	if (e < 0 || line.words.s != line.words.end)
		return error_set(err, -EINVAL, "a line `relay` that is none");
	document_skip(doc, &line);
	ret->from = (uint8_t)from;
	return 0;
}

static int load_one(struct roster *r, struct document_text one, uint64_t now, struct error *err)
{
	struct document_reader doc = document_reader_of(one.s, one.len);
	struct relay_id id;
	struct member was = { 0 };
	struct member *m;
	int e = load_line(&doc, &was, err);

	if (e == 0)
		e = add(r, doc.s, (size_t)(doc.end - doc.s),
			(struct origin){ .from = was.from, .known_since = was.known_since, .keep = ROSTER_KEEP }, NULL,
			now, err);
	if (e <= 0 || identity_of(doc.s, (size_t)(doc.end - doc.s), &id) < 0)
		return e;
	m = roster_member(r, &id);
	m->posted = was.posted;
	m->answered = was.answered;
	if (m->answered > r->told)
		r->told = m->answered;
	m->wasted = was.wasted;
	m->chances = was.chances;
	return e;
}

int roster_load(struct roster *r, const char *text, size_t len, uint64_t now, size_t *ret_damaged, struct error *err)
{
	struct document_reader doc = document_reader_of(text, len);
	struct document_text one;
	int e;

	*ret_damaged = 0;
	while ((e = next_document(&doc, "relay", &one, err)) > 0) {
		e = load_one(r, one, now, err);
		if (e < 0 && e != -ESTALE)
			(*ret_damaged)++;
	}
	return e;
}

static struct roster_entry entry_of(const struct member *m)
{
	return (struct roster_entry){ .id = m->id,
				      .text = m->text,
				      .len = m->len,
				      .known_since = m->known_since,
				      .valid_until = m->d.valid_until,
				      .direct = m->from != 0 };
}

bool roster_find(const struct roster *r, const struct relay_id *id, struct roster_entry *ret)
{
	const struct member *m = roster_member(r, id);

	if (m)
		*ret = entry_of(m);
	return m != NULL;
}

void roster_each(const struct roster *r, void (*fn)(void *ctx, const struct roster_entry *e), void *ctx)
{
	struct member *m, *next;

	HASH_ITER (hh, r->members, m, next) {
		struct roster_entry e = entry_of(m);

		fn(ctx, &e);
	}
}

void roster_expire(struct roster *r, uint64_t now, void (*gone)(void *ctx, const struct relay_id *id), void *ctx)
{
	struct member *m, *next;

	HASH_ITER (hh, r->members, m, next) {
		if (now < m->d.valid_until + ROSTER_KEEP)
			continue;
		gone(ctx, &m->id);
		drop(r, m);
	}
}

size_t roster_count(const struct roster *r)
{
	return HASH_COUNT(r->members);
}
