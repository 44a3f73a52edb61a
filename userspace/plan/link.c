/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One overlay link: its device, the chain at its entry, its routes. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "model/overlay.h"
#include "plan/build.h"
#include "plan/mtu.h"
#include "plan/plan.h"

/* The first word of an IPv6 header and the hop limit (64, which forwarding turns to OVERLAY_HOPLIMIT): nothing to mark.
 */
#define NORMALISE "@nh,0,32 set 0x60000000 ip6 hoplimit set 64"

/* Whether a guard may give its client this address, which will be the client's own: one that its pool can hold. */
static bool pool_addr(const struct in6_addr *a, const struct in6_addr *guard)
{
	struct in6_addr zero = overlay_addr(guard, LINK_CLIENTS, 0);
	return !memcmp(a, &zero, sizeof(zero) - PLAN_POOL_BITS / 8) && memcmp(a, &zero, sizeof(zero)) != 0;
}

static bool link_ok(const struct link *l)
{
	if (l->mtu < MTU_INNER6 || l->self.s6_addr[0] != 0xfd)
		return false;
	if (l->kind == LINK_KIND_CLIENTS)
		return l->number == LINK_CLIENTS;
	if (l->number < LINK_FIRST || l->number > LINK_LAST || l->remote.s6_addr[0] != 0xfd)
		return false;
	if (l->kind == LINK_KIND_RELAY)
		return !overlay_same_prefix(&l->self, &l->remote);
	return pool_addr(&l->self, &l->remote);
}

static void relay_ingress(struct chain *c, const struct link *l, uint32_t mark)
{
	struct addr_text own = text_addr6(&l->self), peer = text_addr6(&l->remote);
	struct in6_addr circuits = overlay_addr(&l->self, l->number, 0);
	struct addr_text net = text_net6(&circuits, 80), behind = text_net6(&l->remote, 64);

	/* forward: to one of our SAs, which its mark ties to this link */
	chain_rule(c, "ip6 nexthdr esp ip6 saddr %s ip6 daddr %s " NORMALISE " meta mark set 0x%x accept", net.s, own.s,
		   mark);
	if (l->kind == LINK_KIND_CLIENTS) {
		chain_rule(c, "ip6 nexthdr udp ip6 saddr %s ip6 daddr %s udp dport %d accept", net.s, own.s,
			   ANON_CTRL_PORT);
		return;
	}
	/* back: through circ0 to where the circuit came from */
	chain_rule(c, "ip6 nexthdr esp ip6 saddr %s ip6 daddr %s " NORMALISE " accept", peer.s, behind.s);
	chain_rule(c, "ip6 nexthdr udp ip6 saddr %s ip6 daddr %s udp dport %d accept", peer.s, own.s, ANON_CTRL_PORT);
}

static void guard_ingress(struct chain *c, const struct link *l, uint32_t mark)
{
	struct addr_text own = text_addr6(&l->self), guard = text_addr6(&l->remote);
	chain_rule(c, "ip6 nexthdr esp ip6 saddr %s ip6 daddr %s meta mark set 0x%x accept", guard.s, own.s, mark);
	chain_rule(c, "ip6 nexthdr udp ip6 saddr %s ip6 daddr %s udp dport %d accept", guard.s, own.s, ANON_CTRL_PORT);
}

/*
 * What a far end that sends at a constant rate sends when it has nothing to send: no next header (RFC 8200 section
 * 4.7). The stack would discard it as silently, but later.
 */
static void link_cover(struct chain *c, const struct link *l)
{
	struct in6_addr from = l->kind == LINK_KIND_CLIENTS ? overlay_addr(&l->self, l->number, 0) : l->remote;
	struct addr_text own = text_addr6(&l->self);
	struct addr_text peer = l->kind == LINK_KIND_CLIENTS ? text_net6(&from, 80) : text_addr6(&from);
	chain_rule(c, "ip6 nexthdr 59 ip6 saddr %s ip6 daddr %s drop", peer.s, own.s);
}

static int link_ingress(struct plan *p, const struct link *l, const char *dev)
{
	struct chain c;
	uint32_t mark = IFID_LINK_BASE + l->number;
	chain_open(&c, NFT_NETDEV, dev, "type filter hook ingress device \"%s\" priority 0; policy drop;", dev);
	if (l->kind == LINK_KIND_GUARD)
		guard_ingress(&c, l, mark);
	else
		relay_ingress(&c, l, mark);
	link_cover(&c, l);
	chain_rule(&c, "counter name drop_link drop");
	return chain_close(&c, p);
}

/*
 * A_c1 belongs to this device and no other, as source and as destination; nobody else sends from it. What the link's
 * policy would refuse (a program's multicast, the kernel's own) does not reach the device: it would take a turn of a
 * link of a constant rate, and leave a gap that is seen.
 */
static int guard_fence(struct plan *p, const struct link *l, const char *dev)
{
	struct addr_text own = text_addr6(&l->self), guard = text_addr6(&l->remote);
	char name[NFT_NAME_MAX];
	struct chain c;
	snprintf(name, sizeof(name), "in_%s", dev);
	chain_open(&c, NFT_INET, name, "type filter hook prerouting priority raw; policy accept;");
	chain_rule(&c, "ip6 daddr %s iifname != \"%s\" iifname != \"lo\" counter name drop_public drop", own.s, dev);
	chain_rule(&c, "ip6 saddr %s iifname != \"lo\" counter name drop_public drop", own.s);
	int r = chain_close(&c, p);
	if (r < 0)
		return r;
	snprintf(name, sizeof(name), "out_%s", dev);
	chain_open(&c, NFT_INET, name, "type filter hook output priority 10; policy accept;");
	chain_rule(&c, "ip6 saddr %s oifname != \"%s\" oifname != \"lo\" counter name drop_output drop", own.s, dev);
	chain_rule(&c, "oifname \"%s\" ip6 saddr %s ip6 daddr %s accept", dev, own.s, guard.s);
	chain_rule(&c, "oifname \"%s\" drop", dev);
	return chain_close(&c, p);
}

static int tfc_peer(struct plan *p, const char *dev, uint16_t number, const struct in6_addr *src,
		    const struct in6_addr *dst)
{
	struct kobject *o = plan_add(p, KOBJ_TFC_PEER);
	if (!o)
		return -ENOMEM;
	snprintf(o->tfc_peer.dev, sizeof(o->tfc_peer.dev), "%s", dev);
	o->tfc_peer.number = number;
	o->tfc_peer.src = *src;
	o->tfc_peer.dst = *dst;
	return 0;
}

int plan_link_shape(struct plan *p, const struct link *l)
{
	const struct link_shape *s = &l->shape;
	struct kobject *o = plan_add(p, KOBJ_TFC);
	if (!o)
		return -ENOMEM;
	dev_link(l->number, o->tfc.dev);
	o->tfc.size = l->mtu;
	o->tfc.shared = l->kind == LINK_KIND_CLIENTS;
	o->tfc.interval_ns = s->interval_ns;
	o->tfc.steps = s->steps;
	o->tfc.step_time_ns = s->step_time_ns;
	o->tfc.idle_ns = s->idle_ns;
	o->tfc.window_ns = s->window_ns;
	return 0;
}

int plan_link_client(struct plan *p, const struct link *l, const struct in6_addr *client)
{
	char dev[IFNAMSIZ];
	if (l->kind != LINK_KIND_CLIENTS || !l->shape.interval_ns || !pool_addr(client, &l->self))
		return -EINVAL;
	dev_link(l->number, dev);
	/* The pool differs in PLAN_POOL_BITS, which are those of a class. */
	return tfc_peer(p, dev, (uint16_t)(client->s6_addr[14] << 8 | client->s6_addr[15]), &l->self, client);
}

/* Before the device is up: nothing leaves that has not its shape. Clients come with plan_link_client. */
static int link_shape(struct plan *p, const struct link *l, const char *dev)
{
	if (!l->shape.interval_ns)
		return 0;
	int r = plan_link_shape(p, l);
	if (r >= 0 && l->kind != LINK_KIND_CLIENTS)
		r = tfc_peer(p, dev, 1, &l->self, &l->remote);
	return r;
}

static int overlay_route(struct plan *p, struct prefix dst, const char *dev, const struct in6_addr *src)
{
	struct kobj_route r = { .type = ROUTE_UNICAST, .dst = dst, .table = RT_TABLE_MAIN, .metric = ROUTE_METRIC };
	snprintf(r.dev, sizeof(r.dev), "%s", dev);
	if (src) {
		r.src = host6(src);
		r.hoplimit = OVERLAY_HOPLIMIT;
	}
	return build_route(p, &r);
}

/*
 * The peer gets a /127 (::1 and the unused ::0), not a /128: the routes of circuits that meet this relay further on
 * are OR/128 with a source, and fib6_node_lookup_1 skips a node's routes without source once it has any with one.
 */
static int link_routes(struct plan *p, const struct link *l, const char *dev)
{
	struct in6_addr circuits = overlay_addr(&l->self, l->number, 0);
	int r = 0;
	if (l->kind != LINK_KIND_GUARD)
		r = overlay_route(p, prefix6(&circuits, 80), dev, &l->self);
	if (r >= 0 && l->kind != LINK_KIND_CLIENTS)
		r = overlay_route(p, prefix6(&l->remote, 127), dev, &l->self);
	if (r >= 0 && l->kind == LINK_KIND_RELAY)
		r = overlay_route(p, prefix6(&l->remote, 64), DEV_CIRC, NULL);
	return r;
}

int plan_link(struct plan *p, const struct link *l)
{
	char dev[IFNAMSIZ];
	if (!link_ok(l))
		return -EINVAL;
	dev_link(l->number, dev);
	/* Policies are checked here: that is what holds a client to the address its guard gave it. */
	int r = build_link(p, dev, IFID_LINK_BASE + l->number, l->mtu, true);
	if (r >= 0)
		r = link_ingress(p, l, dev);
	if (r >= 0 && l->kind == LINK_KIND_GUARD)
		r = guard_fence(p, l, dev);
	if (r >= 0 && l->kind == LINK_KIND_GUARD)
		r = build_addr(p, "lo", host6(&l->self));
	if (r >= 0)
		r = link_shape(p, l, dev);
	if (r >= 0)
		r = build_up(p, dev);
	if (r >= 0)
		r = link_routes(p, l, dev);
	return r;
}
