/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The relays that one authority knows, by their descriptors, and what it thinks of them: what it votes.
 *
 * Of each relay the newest descriptor counts. A link key or an address belongs to one relay, that which claimed it
 * first. Another one gets an address if it posts from it and the first never did: so nobody keeps a relay away by
 * naming its address. It gets either when the first is not valid any more, or, if relays are probed, does not answer.
 * Onion keys are public, and may be anybody's claim.
 *
 * When the roster is full, a relay that posted its descriptor itself, from one of its addresses, takes the place of one
 * that other authorities told of, or of one that does not answer; and one that came from its IPv4 address that of one
 * that only came by IPv6, where one host has more addresses than there are places: so nobody fills it with relays that
 * are not there.
 *
 * Pure: time is given. Relays stay for a while after their descriptor has ended, so that who comes back is not new.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "directory/listing.h"
#include "directory/server_descriptor.h"
#include "directory/vote.h"
#include "lib/error.h"

#define ROSTER_SKEW 600u       /* seconds: a relay's clock may be so much ahead */
#define ROSTER_KEEP 1209600u   /* seconds after the end of the descriptor: two weeks */
#define ROSTER_NETWORK_MAX 8u  /* relays of one IPv6 /48 that get a vote without having come from an IPv4 address */
#define ROSTER_FIRST_PROBE 60u /* seconds after it came: until then it does not count as one that does not answer */

struct roster_rules {
	size_t max;	     /* relays, 1..VOTE_RELAYS_MAX */
	uint32_t probe_life; /* seconds for which an answer counts; 0: relays are not probed, all count as running */
	/*
	 * Seconds for which one counts as running that posted a descriptor anew, for what is in no consensus cannot be
	 * probed. Who does not answer then has to wait so much longer, each time, before that counts again.
	 */
	uint32_t probe_grace;
	/*
	 * Where an address belongs: *ret_as 0 and ret_country "" if that is not known. NULL: nothing is. IPv4 mapped.
	 */
	void (*locate)(void *ctx, const struct in6_addr *addr, uint32_t *ret_as, char ret_country[3]);
	void *locate_ctx;
	uint32_t guard_age;	 /* seconds that a relay must have been known to be a guard */
	uint32_t guard_weight;	 /* KiB/s that it must have */
	uint32_t unmeasured_max; /* KiB/s: no relay that was not measured has more */
};

struct roster_entry {
	struct relay_id id;
	const char *text; /* the descriptor, NUL-terminated; gone with the next change of the roster */
	size_t len;
	uint64_t known_since; /* seconds since 1970 UTC */
	uint64_t valid_until; /* of the descriptor */
	bool direct;	      /* it posted a descriptor itself */
};

struct roster;
int roster_new(const struct roster_rules *rules, struct roster **ret); /* -EINVAL, -ENOMEM */
void roster_free(struct roster *r);				       /* NULL is fine */

/*
 * 1: taken; 0: this one or a newer one is there. from: who posted it, IPv4 mapped (RFC 4291 section 2.5.5.2); NULL:
 * others told of it. As server_descriptor_parse, and -ESTALE: its time is over; -EAGAIN: it comes from the future;
 * -EACCES: posted from an address that is none of its; -EEXIST: a key or an address is another's; -ENOSPC: the roster
 * is full; -ENOMEM.
 */
int roster_add(struct roster *r, const char *text, size_t len, const struct in6_addr *from, uint64_t now,
	       struct error *err);
/*
 * Descriptors one behind the other, as others tell of them. Those that are not taken are passed over. The number of
 * those taken; -EINVAL: what is there is no row of descriptors; -EFBIG: more than VOTE_RELAYS_MAX; those before are
 * taken.
 */
int roster_add_all(struct roster *r, const char *text, size_t len, uint64_t now, struct error *err);

/*
 * All of it, to be kept: before each descriptor a line "relay KNOWN-SINCE FROM POSTED ANSWERED WASTED CHANCES", with
 * seconds since 1970 UTC, or 0: never; FROM: by which of its addresses it came itself, 1 for IPv4 and 2 for IPv6,
 * added. Errors are f's. load passes over what is over or damaged; *ret_damaged: how many of these. -EINVAL: it is
 * nothing of that kind.
 */
void roster_dump(const struct roster *r, FILE *f);
int roster_load(struct roster *r, const char *text, size_t len, uint64_t now, size_t *ret_damaged, struct error *err);
#define ROSTER_DUMP_MAX (VOTE_RELAYS_MAX * (SERVER_DESCRIPTOR_MAX + 64u)) /* bytes */

bool roster_find(const struct roster *r, const struct relay_id *id, struct roster_entry *ret);
/* By no order. */
void roster_each(const struct roster *r, void (*fn)(void *ctx, const struct roster_entry *e), void *ctx);
/* Forgets those that ended long ago. `gone` before each. */
void roster_expire(struct roster *r, uint64_t now, void (*gone)(void *ctx, const struct relay_id *id), void *ctx);
size_t roster_count(const struct roster *r);

enum probe { PROBE_ANSWERED, PROBE_SILENT, PROBE_UNKNOWN };
/* What came of a probe. Of a relay that is not there, nothing. */
void roster_probed(struct roster *r, const struct relay_id *id, enum probe result, uint64_t now);
/* The valid relay that was probed the longest ago. False: there is none. O(n). */
bool roster_next_probe(const struct roster *r, uint64_t now, struct relay_id *ret, uint64_t *ret_last);

/* What was measured, KiB/s; those not named since roster_unmeasure are not measured. */
void roster_unmeasure(struct roster *r);
void roster_measure(struct roster *r, const struct relay_id *id, uint32_t kib);

/*
 * What to vote for the interval that begins at valid_after: those that run, are valid then and do not end before, and
 * of those that cost no IPv4 address the first few of each IPv6 network, for one host has as many as it likes. The
 * facts are of the roster's memory: gone with its next change. -ENOMEM.
 */
int roster_listings(const struct roster *r, uint64_t valid_after, uint64_t now, struct listings *ret);
