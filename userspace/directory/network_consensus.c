/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "directory/consensus.h"
#include "directory/network.h"
#include "directory/network_index.h"
#include "model/overlay.h"

/*
 * What no two relays may share. Not the onion key: it is public, so whoever names another's takes nothing from that one
 * but would take it out, and a handshake that is for the one is not for the other. The overlay prefix follows from the
 * identity, but has only 56 bits of it: whoever draws keys for long enough finds one that has some relay's.
 */
enum claim_kind { LINK_KEY, ADDRESS4, ADDRESS6, OVERLAY, CLAIM_KINDS };

struct claim {
	uint8_t what[32];
	size_t relay;
};

/* False: it makes none. */
static bool claim_of(const struct relay *r, enum claim_kind kind, uint8_t what[32])
{
	struct in6_addr overlay;

	memset(what, 0, 32);
	switch (kind) {
	case LINK_KEY:
		memcpy(what, r->link_key, sizeof(r->link_key));
		return true;
	case ADDRESS4:
		memcpy(what, &r->addr4, sizeof(r->addr4));
		return r->addr4.s_addr != INADDR_ANY;
	case ADDRESS6:
		memcpy(what, &r->addr6, sizeof(r->addr6));
		return !IN6_IS_ADDR_UNSPECIFIED(&r->addr6);
	case OVERLAY:
		overlay = overlay_relay(&r->id);
		memcpy(what, &overlay, 8);
		return true;
	case CLAIM_KINDS:
		break;
	}
	return false;
}

static int compare_claim(const void *a, const void *b)
{
	return memcmp(((const struct claim *)a)->what, ((const struct claim *)b)->what, 32);
}

/* Marks all that share one with another. claims: room for each relay. */
static void mark_shared(const struct consensus *c, enum claim_kind kind, struct claim *claims, bool *shared)
{
	size_t n = 0;

	for (size_t i = 0; i < c->n; i++) {
		claims[n].relay = i;
		n += claim_of(&c->relays[i].facts.relay, kind, claims[n].what);
	}
	qsort(claims, n, sizeof(*claims), compare_claim);
	for (size_t i = 1; i < n; i++)
		if (compare_claim(&claims[i - 1], &claims[i]) == 0)
			shared[claims[i - 1].relay] = shared[claims[i].relay] = true;
}

static void take(struct network_indexed *ix, const struct consensus_relay *from)
{
	size_t i = ix->net.n_relays++;
	struct relay *relay = &ix->net.relays[i];

	*relay = from->facts.relay;
	relay->guard = relay->guard && flags_have(&from->flags, FLAG_GUARD);
	ix->net.traits[i] = from->facts.traits;
	ix->net.weights[i] = from->weight;
	ix->by_id[i] = relay; /* a consensus is in this order */
}

int network_from_consensus(const struct consensus *c, struct network **ret)
{
	_cleanup_free_ struct claim *claims = calloc(c->n + 1, sizeof(*claims));
	_cleanup_free_ bool *shared = calloc(c->n + 1, sizeof(*shared));
	struct network_indexed *ix = network_allocate(c->n);

	if (!claims || !shared || !ix) {
		network_free(ix ? &ix->net : NULL);
		return -ENOMEM;
	}
	ix->net.valid_from = c->interval.valid_after;
	ix->net.valid_until = c->interval.valid_until;
	ix->net.link_mtu = c->interval.link_mtu;
	ix->net.n_left_out = c->n_unread;
	for (enum claim_kind kind = LINK_KEY; kind < CLAIM_KINDS; kind++)
		mark_shared(c, kind, claims, shared);
	for (size_t i = 0; i < c->n; i++)
		if (shared[i])
			ix->net.n_left_out++;
		else
			take(ix, &c->relays[i]);
	*ret = &ix->net;
	return 0;
}
