/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ike/peer.h"

#include <stdio.h>
#include <string.h>

#include "model/overlay.h"

static bool has6(const struct in6_addr *a)
{
	return !IN6_IS_ADDR_UNSPECIFIED(a);
}

static void families(struct peer *p, const struct links_config *config)
{
	bool client = p->link.kind == LINK_KIND_GUARD; /* does not know its own addresses: tries both */

	p->usable4 = p->relay.addr4.s_addr != 0 && (client || config->public4.s_addr != 0);
	p->usable6 = has6(&p->relay.addr6) && (client || has6(&config->public6));
	if (!p->usable4 || !p->usable6)
		p->prefer6 = p->usable6;
}

void peer_init(struct peer *p, const struct links_config *config, enum link_kind kind, const struct relay *relay,
	       uint16_t number, uint64_t now)
{
	p->relay = *relay;
	p->link.kind = kind;
	p->link.number = number;
	p->link.peer = relay->id;
	p->link.remote = overlay_relay(&relay->id);
	p->link.mtu = config->link_mtu;
	if (kind == LINK_KIND_RELAY)
		p->link.self = config->overlay_self;
	p->decides = kind == LINK_KIND_GUARD || memcmp(config->self.b, relay->id.b, sizeof(relay->id.b)) < 0;
	p->since = now;
	p->need_load = p->need_list = true;
	families(p, config);
}

bool peer_update(struct peer *p, const struct links_config *config, const struct relay *relay)
{
	bool key = memcmp(p->relay.link_key, relay->link_key, sizeof(relay->link_key)) != 0;
	bool address = p->relay.addr4.s_addr != relay->addr4.s_addr ||
		       memcmp(&p->relay.addr6, &relay->addr6, sizeof(relay->addr6)) != 0;

	p->relay = *relay;
	families(p, config);
	if (key || address)
		p->need_load = true;
	return key;
}

static void set_state(struct peer *p, enum link_state state, uint64_t now)
{
	if (p->state != state)
		p->since = now;
	p->state = state;
}

static void set_error(struct peer *p, const char *reason)
{
	snprintf(p->last_error, sizeof(p->last_error), "%s", reason);
}

bool peer_in_demand(const struct peer *p)
{
	return p->wanted || p->restore;
}

bool peer_has_wish(const struct peer *p)
{
	return p->need_load || p->n_kill > 0 || p->need_initiate || p->need_list;
}

static void attempt_begin(struct peer *p)
{
	p->need_initiate = true;
	p->hint[0] = '\0';
}

static void attempt_end(struct peer *p)
{
	p->attempt = false;
	p->need_initiate = false;
	p->deadline = 0;
}

void peer_want(struct peer *p, bool wanted, uint64_t now)
{
	bool before = peer_in_demand(p);

	p->wanted = wanted;
	if (before == peer_in_demand(p) || p->state == LINK_UP)
		return;
	attempt_end(p);
	p->failures = 0;
	set_state(p, wanted ? LINK_CONNECTING : LINK_DOWN, now);
	/* Look first: the link may be there already. */
	if (wanted)
		p->need_list = true;
}

void peer_look_begin(struct peer *p)
{
	p->look = (struct peer_look){ .active = true };
}

static void note(uint32_t ids[PEER_KILL_MAX], unsigned int *n, uint32_t id)
{
	if (*n < PEER_KILL_MAX)
		ids[(*n)++] = id;
}

void peer_look_sa(struct peer *p, const struct sa *sa)
{
	struct peer_look *look = &p->look;

	look->any = true;
	/* charon's ids count up, so the largest is the newest; what a crashed peer left is never rekeyed to a larger.
	 */
	if (sa->up && (!look->best.up || sa->ike_id > look->best.ike_id)) {
		if (look->best.up)
			note(look->extra, &look->n_extra, look->best.ike_id);
		look->best = *sa;
	} else if (sa->up && sa->ike_id != look->best.ike_id) {
		note(look->extra, &look->n_extra, sa->ike_id);
	} else if (!sa->up && sa->ours) {
		note(look->attempt, &look->n_attempt, sa->ike_id);
	}
}

static void kill_all(struct peer *p, const uint32_t *ids, unsigned int n, bool force)
{
	memcpy(p->kill, ids, n * sizeof(*ids));
	p->n_kill = n;
	p->kill_force = force;
}

static void settle(struct peer *p, const struct links_timing *timing, uint64_t now)
{
	if (p->look.n_extra == 0 || !p->decides) {
		p->settle_at = 0;
	} else if (p->settle_at == 0) {
		p->settle_at = now + timing->settle_s * 1000ull;
	} else if (now >= p->settle_at) {
		p->settle_at = 0;
		kill_all(p, p->look.extra, p->look.n_extra, false);
	}
}

static enum peer_outcome look_up(struct peer *p, const struct links_timing *timing, uint64_t now)
{
	const struct sa *best = &p->look.best;
	bool was_up = p->state == LINK_UP, moved = false;

	if (p->link.kind == LINK_KIND_GUARD) {
		moved = memcmp(&p->link.self, &best->vip, sizeof(best->vip)) != 0;
		p->link.self = best->vip;
	}
	if (!was_up)
		p->rekeys = 0;
	else if (p->child_id != best->child_id)
		p->rekeys++;
	p->ike_id = best->ike_id;
	p->child_id = best->child_id;
	p->bytes_in = best->bytes_in;
	p->bytes_out = best->bytes_out;
	p->restore = false;
	p->failures = p->misses = 0;
	p->retry_at = 0;
	attempt_end(p);
	settle(p, timing, now);
	set_state(p, LINK_UP, now);
	if (!was_up)
		return PEER_UP;
	if (moved)
		set_error(p, "the guard gave us another address");
	return moved ? PEER_MOVED : PEER_SAME;
}

static enum peer_outcome look_down(struct peer *p, uint64_t now)
{
	p->settle_at = 0;
	p->ike_id = p->child_id = 0;
	/* charon lists its SAs one by one, not at one moment: one that is being replaced can be missed once. */
	if (++p->misses < 2) {
		p->need_list = true;
		return PEER_SAME;
	}
	p->misses = 0;
	set_error(p, p->restore ? "charon was restarted" : "closed, or the peer does not answer");
	set_state(p, peer_in_demand(p) ? LINK_CONNECTING : LINK_DOWN, now);
	if (peer_in_demand(p))
		attempt_begin(p);
	return PEER_DOWN;
}

/* Its guard may give a client only addresses of the pool for clients, which lies in its own prefix. */
static bool address_fits(const struct peer *p)
{
	const struct in6_addr *vip = &p->look.best.vip;
	uint64_t tail = (uint64_t)vip->s6_addr[14] << 8 | vip->s6_addr[15];
	struct in6_addr want = overlay_addr(&p->link.remote, LINK_CLIENTS, tail);

	return tail >= 1 && tail <= LINKS_CLIENTS_MAX && memcmp(vip, &want, sizeof(want)) == 0;
}

static enum peer_outcome look_misfit(struct peer *p, const struct links_timing *timing, const struct rng *rng,
				     uint64_t now)
{
	kill_all(p, &p->look.best.ike_id, 1, false);
	if (p->state == LINK_UP)
		return look_down(p, now);
	p->hint[0] = '\0';
	return peer_failed(p, timing, rng, now, "the guard gave us an address outside its pool");
}

enum peer_outcome peer_look_end(struct peer *p, const struct links_timing *timing, const struct rng *rng, uint64_t now)
{
	/* A guard's link without an address from its pool carries nothing. */
	bool up = p->look.best.up && (p->link.kind != LINK_KIND_GUARD || p->look.best.has_vip);

	p->look.active = false;
	if (up && p->link.kind == LINK_KIND_GUARD && !address_fits(p))
		return look_misfit(p, timing, rng, now);
	if (up)
		return look_up(p, timing, now);
	if (p->state == LINK_UP)
		return look_down(p, now);
	if (p->attempt && now >= p->deadline) {
		kill_all(p, p->look.attempt, p->look.n_attempt, true);
		return peer_failed(p, timing, rng, now, "no answer");
	}
	if (p->attempt && !p->look.any)
		return peer_failed(p, timing, rng, now, "refused or unreachable");
	if (p->state == LINK_CONNECTING && !p->attempt)
		attempt_begin(p);
	return PEER_SAME;
}

void peer_initiated(struct peer *p, const struct links_timing *timing, uint64_t now)
{
	p->attempt = true;
	p->deadline = now + timing->connect_s * 1000ull;
}

enum peer_outcome peer_failed(struct peer *p, const struct links_timing *timing, const struct rng *rng, uint64_t now,
			      const char *reason)
{
	uint64_t pause = timing->retry_min_s * 1000ull, limit = timing->retry_max_s * 1000ull;

	set_error(p, p->hint[0] ? p->hint : reason);
	p->hint[0] = '\0';
	attempt_end(p);
	p->failures++;
	if (p->failures >= PEER_RESTORE_ATTEMPTS)
		p->restore = false;
	for (unsigned int i = 1; i < p->failures && pause < limit; i++)
		pause *= 2;
	if (pause > limit)
		pause = limit;
	/* Jitter, lest two relays keep meeting half way. */
	p->retry_at = now + pause / 2 + rng_below(rng, (uint32_t)(pause / 2 + 1));
	set_state(p, peer_in_demand(p) ? LINK_FAILED : LINK_DOWN, now);
	if (p->usable4 && p->usable6) {
		p->prefer6 = !p->prefer6;
		p->need_load = true;
	}
	return PEER_FAILED;
}

static bool contains(const struct vici_view *line, const char *word)
{
	return line->len > 0 && memmem(line->p, line->len, word, strlen(word));
}

void peer_hint(struct peer *p, const struct vici_view *line)
{
	/* Our words, never charon's: its lines hold addresses. Later lines are nearer to the end of the attempt,
	 * but "received AUTHENTICATION_FAILED" and the like say more than what follows them. */
	static const struct {
		const char *word, *reason;
	} table[] = {
		{ "AUTHENTICATION_FAILED", "the peer refused our identity" },
		{ "signature validation failed", "the peer does not hold the key in the network file" },
		{ "no trusted", "the peer does not hold the key in the network file" },
		{ "constraint check failed", "the peer does not hold the key in the network file" },
		{ "NO_PROPOSAL_CHOSEN", "the peer is not ready for us" },
		{ "INTERNAL_ADDRESS_FAILURE", "the guard has no address left" },
		{ "TS_UNACCEPTABLE", "the peer refused the traffic selectors" },
		{ "giving up after", "no answer" },
		{ "unable to resolve", "no route to the peer" },
		{ "Network is unreachable", "no route to the peer" },
	};

	if (p->state != LINK_CONNECTING || p->hint[0])
		return;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		if (contains(line, table[i].word)) {
			snprintf(p->hint, sizeof(p->hint), "%s", table[i].reason);
			return;
		}
	}
}

void peer_hurry(struct peer *p, uint64_t now)
{
	if (p->state == LINK_FAILED)
		p->retry_at = now;
}

void peer_restart(struct peer *p)
{
	if (p->state == LINK_UP)
		kill_all(p, &p->ike_id, 1, true);
}

void peer_lost(struct peer *p)
{
	p->restore = p->restore || p->state == LINK_UP;
	p->look.active = false;
	p->settle_at = 0;
	p->misses = 0;
	p->n_kill = 0;
	p->need_load = p->need_list = false;
	attempt_end(p);
}

void peer_ready(struct peer *p, uint64_t now)
{
	/* The full list that follows the loading is the look. */
	p->need_load = true;
	p->failures = 0;
	if (p->state == LINK_FAILED)
		set_state(p, LINK_CONNECTING, now);
}

uint64_t peer_wake_at(const struct peer *p, uint64_t now)
{
	if (p->state == LINK_UP)
		return p->settle_at;
	if (p->state == LINK_FAILED)
		return p->retry_at;
	return p->attempt ? now + PEER_POLL_MS : 0;
}

void peer_timer(struct peer *p, uint64_t now)
{
	if (p->state == LINK_FAILED && now < p->retry_at)
		return;
	if (p->state == LINK_FAILED)
		set_state(p, LINK_CONNECTING, now);
	p->need_list = true;
}
