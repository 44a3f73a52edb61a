/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The part of a roster that votes: which relays run, by what probes say, how much weight they have, where they are. */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "directory/roster_member.h"
#include "lib/cleanup.h"

/* ---- whether a relay runs ---- */

bool member_is_valid(const struct member *m, uint64_t now)
{
	return now < m->d.valid_until;
}

bool member_recently(uint64_t then, uint64_t now, uint64_t life)
{
	return then != 0 && (then > now ? then - now : now - then) < life;
}

#define WAITS_MAX 24u

/* It came anew itself, and not too soon after that was of no use. */
static bool has_grace(const struct roster *r, const struct member *m, uint64_t now)
{
	uint64_t waits = m->chances < WAITS_MAX ? m->chances : WAITS_MAX;

	return member_recently(m->posted, now, r->rules.probe_grace) &&
	       (waits == 0 || m->posted > m->wasted + waits * r->rules.probe_grace);
}

void member_came(const struct roster *r, struct member *m, uint64_t now)
{
	if (!has_grace(r, m, now))
		m->silent = 0; /* of what was before it came anew */
	m->posted = now;
}

/* Answers age while probes tell something: when they do not, who probes is at fault and not the relays. */
bool member_answers(const struct roster *r, const struct member *m, uint64_t now)
{
	uint64_t told = r->told < now ? r->told : now;

	return r->rules.probe_life == 0 || member_recently(m->answered, told, r->rules.probe_life) ||
	       has_grace(r, m, now);
}

/* ---- what this authority thinks of relays ---- */

/* After a time in which nobody could be asked, who ran before it has as long again to answer. */
static void go_on(struct roster *r, uint64_t now)
{
	struct member *m, *next;

	if (r->told && now > r->told && now - r->told >= r->rules.probe_life)
		HASH_ITER (hh, r->members, m, next)
			if (member_recently(m->answered, r->told, r->rules.probe_life))
				m->answered = now;
	r->told = now;
}

void roster_probed(struct roster *r, const struct relay_id *id, enum probe result, uint64_t now)
{
	struct member *m = roster_member(r, id);

	if (!m)
		return;
	m->probed = now;
	if (result == PROBE_UNKNOWN)
		return;
	go_on(r, now);
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
		if (member_is_valid(m, now) && (!first || m->probed < first->probed))
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
	struct member *m = roster_member(r, id);

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

	return member_is_valid(m, valid_after) && (ends == 0 || ends > valid_after) && member_answers(r, m, now);
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
