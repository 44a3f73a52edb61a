/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "directory/roster.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/hash.h"
#include "model/overlay.h"

#define CLAIM_LEN 33u
#define CLAIMS_MAX 4u

/* By which of its addresses a relay posted its descriptor. */
enum { FROM_4 = 1, FROM_6 = 2 };

struct member;

/* That a key or an address is this relay's. */
struct claim {
	uint8_t what[CLAIM_LEN]; /* its kind, and it */
	struct member *of;
	UT_hash_handle hh;
};

struct member {
	struct relay_id id;
	char *text;
	size_t len;
	struct server_descriptor d; /* facts_text is of text */
	uint64_t known_since, probed;
	/*
	 * What is kept of it beside its descriptor. wasted: when it last counted as running for having come itself and
	 * did not answer, chances: how often, since it last answered.
	 */
	uint64_t posted, answered, wasted, chances;
	uint64_t silent; /* since when, whenever it was asked; 0: it answered, or was not asked */
	uint8_t from; /* FROM_*: the addresses that it has and came from */
	bool measured;
	uint32_t kib;
	struct claim claims[CLAIMS_MAX];
	size_t n_claims;
	UT_hash_handle hh;
};

struct roster {
	struct roster_rules rules;
	uint64_t told; /* when a probe last said that a relay answers or does not; 0: never */
	struct member *members;
	struct claim *claims;
};

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

static struct member *find(const struct roster *r, const struct relay_id *id)
{
	struct member *m;

	HASH_FIND(hh, r->members, id, sizeof(*id), m);
	return m;
}

static bool is_valid(const struct member *m, uint64_t now)
{
	return now < m->d.valid_until;
}

/* What was seen in the future was seen by another clock. */
static bool is_recent(uint64_t then, uint64_t now, uint64_t life)
{
	return then != 0 && (then > now ? then - now : now - then) < life;
}

#define WAITS_MAX 24u

/* It came anew itself, and not too soon after that was of no use. */
static bool has_grace(const struct roster *r, const struct member *m, uint64_t now)
{
	uint64_t waits = m->chances < WAITS_MAX ? m->chances : WAITS_MAX;

	return is_recent(m->posted, now, r->rules.probe_grace) &&
	       (waits == 0 || m->posted > m->wasted + waits * r->rules.probe_grace);
}

/* Answers age while probes tell something: when they do not, who probes is at fault and not the relays. */
static bool answers(const struct roster *r, const struct member *m, uint64_t now)
{
	uint64_t told = r->told < now ? r->told : now;

	return r->rules.probe_life == 0 || is_recent(m->answered, told, r->rules.probe_life) || has_grace(r, m, now);
}

/* Whether its place is free for another one that can show more. */
static bool gives_place(const struct roster *r, const struct member *m, uint64_t now)
{
	return !is_valid(m, now) || (!answers(r, m, now) && !is_recent(m->known_since, now, ROSTER_FIRST_PROBE));
}

/* And what it claims: not before it was asked. */
static bool gives_claims(const struct roster *r, const struct member *m, uint64_t now)
{
	return !is_valid(m, now) || (!answers(r, m, now) && m->silent);
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
		if (is_valid(m, now) && !(from && gives_claims(r, m, now)) && !shows_more(&v[i], from, m))
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
	struct member *m = find(r, id);
	int e = make_way(r, id, claims, claims_of(&d->facts, claims), origin.from, now, err);

	if (e == 0 && !m)
		e = make_room(r, origin.from, now, err);
	if (e == 0 && !m)
		e = new_member(r, id, origin.known_since, &m, err);
	if (e < 0)
		return e;
	m->from = (m->from & same(&m->d.facts.relay, &d->facts.relay)) | origin.from;
	if (origin.from) {
		if (!has_grace(r, m, now))
			m->silent = 0; /* of what was before it came anew */
		m->posted = now;
	}
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
	m = find(r, &d.facts.relay.id);
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
	m = find(r, &id);
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
	m = find(r, &id);
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
	const struct member *m = find(r, id);

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

/* ---- opinions ---- */

void roster_probed(struct roster *r, const struct relay_id *id, enum probe result, uint64_t now)
{
	struct member *m = find(r, id);

	if (!m)
		return;
	m->probed = now;
	if (result == PROBE_UNKNOWN)
		return;
	r->told = now;
	if (result == PROBE_ANSWERED) {
		m->answered = now;
		m->chances = m->silent = 0;
		return;
	}
	if (!m->silent || m->silent > now)
		m->silent = now;
	/* At first those on the way may not know it yet. */
	if (has_grace(r, m, now) && now - m->silent >= r->rules.probe_life) {
		m->wasted = now;
		m->chances++;
	}
}

bool roster_next_probe(const struct roster *r, uint64_t now, struct relay_id *ret, uint64_t *ret_last)
{
	const struct member *first = NULL;
	struct member *m, *next;

	HASH_ITER (hh, r->members, m, next)
		if (is_valid(m, now) && (!first || m->probed < first->probed))
			first = m;
	if (first) {
		*ret = first->id;
		*ret_last = first->probed;
	}
	return first != NULL;
}

void roster_unmeasure(struct roster *r)
{
	struct member *m, *next;

	HASH_ITER (hh, r->members, m, next)
		m->measured = false;
}

void roster_measure(struct roster *r, const struct relay_id *id, uint32_t kib)
{
	struct member *m = find(r, id);

	if (!m)
		return;
	m->measured = true;
	m->kib = kib;
}

static uint32_t weight_of(const struct roster *r, const struct member *m)
{
	uint32_t offered = m->d.facts.bandwidth;

	if (m->measured)
		return m->kib;
	return offered < r->rules.unmeasured_max ? offered : r->rules.unmeasured_max;
}

static bool is_guard(const struct roster *r, const struct member *m, uint64_t now)
{
	return m->d.facts.relay.guard && now >= m->known_since && now - m->known_since >= r->rules.guard_age &&
	       weight_of(r, m) >= r->rules.guard_weight;
}

/* The address that all clients can use, if there is one. */
static void locate(const struct roster *r, const struct relay *relay, struct listing *ret)
{
	struct in6_addr addr = { .s6_addr = { [10] = 0xff, [11] = 0xff } };

	if (!r->rules.locate)
		return;
	if (relay->addr4.s_addr != INADDR_ANY)
		memcpy(&addr.s6_addr[12], &relay->addr4, 4);
	else
		addr = relay->addr6;
	r->rules.locate(r->rules.locate_ctx, &addr, &ret->as, ret->country);
}

static struct listing listing_of(const struct roster *r, const struct member *m, uint64_t now)
{
	struct listing l = { .id = m->id, .facts = m->d.facts_text, .weight = weight_of(r, m) };

	if (is_guard(r, m, now))
		(void)flags_add(&l.flags, FLAG_GUARD);
	(void)flags_add(&l.flags, FLAG_RUNNING);
	locate(r, &m->d.facts.relay, &l);
	return l;
}

static int compare_listing(const void *a, const void *b)
{
	const struct listing *x = a, *y = b;

	return memcmp(&x->id, &y->id, sizeof(x->id));
}

static bool runs(const struct roster *r, const struct member *m, uint64_t valid_after, uint64_t now)
{
	uint64_t ends = m->d.facts.traits.ends;

	return is_valid(m, valid_after) && (ends == 0 || ends > valid_after) && answers(r, m, now);
}

/* The network that it is counted by; false: by none. */
static bool counted_by(const struct member *m, struct in6_addr *ret)
{
	*ret = m->d.facts.relay.addr6;
	memset(&ret->s6_addr[6], 0, 10);
	return !(m->from & FROM_4) && !IN6_IS_ADDR_UNSPECIFIED(&m->d.facts.relay.addr6);
}

static int compare_candidate(const void *a, const void *b)
{
	const struct member *const *x = a, *const *y = b;
	struct in6_addr of_x, of_y;
	bool counted_x = counted_by(*x, &of_x), counted_y = counted_by(*y, &of_y);
	int c = counted_x != counted_y ? counted_x - counted_y : memcmp(&of_x, &of_y, sizeof(of_x));

	if (c == 0 && (*x)->known_since != (*y)->known_since)
		c = (*x)->known_since < (*y)->known_since ? -1 : 1;
	return c != 0 ? c : memcmp(&(*x)->id, &(*y)->id, sizeof((*x)->id));
}

/* Leaves the first of each network. The number of those. */
static size_t thin_out(const struct member **v, size_t n)
{
	struct in6_addr network, last = { 0 };
	size_t of_last = 0, left = 0;

	qsort(v, n, sizeof(*v), compare_candidate);
	for (size_t i = 0; i < n; i++) {
		if (counted_by(v[i], &network)) {
			of_last = IN6_ARE_ADDR_EQUAL(&network, &last) ? of_last + 1 : 1;
			last = network;
			if (of_last > ROSTER_NETWORK_MAX)
				continue;
		}
		v[left++] = v[i];
	}
	return left;
}

int roster_listings(const struct roster *r, uint64_t valid_after, uint64_t now, struct listings *ret)
{
	size_t max = HASH_COUNT(r->members) + 1, n = 0;
	_cleanup_free_ const struct member **v = calloc(max, sizeof(*v));
	struct listings l = { .v = calloc(max, sizeof(*l.v)) };
	struct member *m, *next;

	if (!v || !l.v) {
		free(l.v);
		return -ENOMEM;
	}
	HASH_ITER (hh, r->members, m, next)
		if (runs(r, m, valid_after, now))
			v[n++] = m;
	n = thin_out(v, n);
	for (; l.n < n; l.n++)
		l.v[l.n] = listing_of(r, v[l.n], now);
	qsort(l.v, l.n, sizeof(*l.v), compare_listing);
	*ret = l;
	return 0;
}
