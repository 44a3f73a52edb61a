/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A gateway: the selector extended to forwarded traffic (Kiraly and Lo Cigno, section 4). What a circuit carries for
 * the LAN has its inner address by source NAT, and in conntrack the mark ifid_layer of anon<slot>, by which it is told
 * from all else: also from what this host itself sends about it, an ICMP error say, which must not name it in clear.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "model/prefix.h"
#include "plan/build.h"
#include "plan/lan.h"
#include "plan/origin.h"
#include "plan/plan.h"

#define MARK_MASK 0xfff00000u /* IFID_LAYER_BASE to IFID_LAYER_END */
_Static_assert((IFID_LAYER_BASE & MARK_MASK) == IFID_LAYER_BASE &&
		       ((IFID_LAYER_END - 1) & MARK_MASK) == IFID_LAYER_BASE,
	       "the mask is the range");

static const uint8_t families[] = { AF_INET, AF_INET6 };

struct lans_text text_lans(const struct lans *lans)
{
	struct lans_text t = { "{ " };
	size_t len = 2;
	for (size_t i = 0; i < lans->n; i++)
		len += (size_t)snprintf(t.s + len, sizeof(t.s) - len, "%s\"%s\"", i ? ", " : "", lans->dev[i]);
	snprintf(t.s + len, sizeof(t.s) - len, " }");
	return t;
}

/* ---- what stands as long as the host is a gateway ---- */

/*
 * Who lies about the address that it sends from makes this host answer to whoever has it, in clear: an echo, an error
 * with the packet in it. Only addresses that are routed to the LAN may come from there.
 */
static int lan_sources(struct plan *p, const char *lan)
{
	struct chain c;
	chain_open(&c, NFT_INET, "kill_lan_pre", "type filter hook prerouting priority mangle; policy accept;");
	chain_rule(&c, "iifname %s fib saddr type unicast fib saddr oifname != %s counter name drop_killed drop", lan,
		   lan);
	/* What has its circuit already: served_bound. */
	chain_rule(&c, "iifname %s ct mark & 0x%x == 0x%x meta mark set ct mark", lan, MARK_MASK, IFID_LAYER_BASE);
	return chain_close(&c, p);
}

/* Ahead of the chains of others: one that hands a flow to a flowtable would let the rest of it pass by. */
static int lan_forward(struct plan *p, const char *lan)
{
	struct chain c;
	chain_open(&c, NFT_INET, "kill_lan", "type filter hook forward priority -10; policy accept;");
	chain_rule(&c, "iifname %s oifname %s accept", lan, lan);
	/* The rest of a connection whose circuit is gone: through another it would tie the two together. */
	chain_rule(&c,
		   "iifname %s oifname \"" DEV_ANON_PREFIX "*\" ct state new tcp flags & (fin|syn|rst|ack) != syn "
		   "counter name drop_killed reject with tcp reset",
		   lan);
	chain_rule(&c, "iifname %s oifname \"" DEV_ANON_PREFIX "*\" ct state new,established,related accept", lan);
	/* conntrack calls a redirect "related" */
	chain_rule(&c, "iifname \"" DEV_ANON_PREFIX "*\" icmp type redirect counter name drop_killed drop");
	chain_rule(&c, "iifname \"" DEV_ANON_PREFIX "*\" oifname %s ct state established,related accept", lan);
	chain_rule(&c, "iifname %s counter name drop_killed drop", lan);
	chain_rule(&c, "oifname %s counter name drop_killed drop", lan);
	return chain_close(&c, p);
}

/* A resolver on this host would ask on in its own way, in clear. While a circuit stands, questions are led into it. */
static int lan_input(struct plan *p, const char *lan)
{
	struct chain c;
	chain_open(&c, NFT_INET, "kill_lan_in", "type filter hook input priority 10; policy accept;");
	chain_rule(&c, "iifname %s " MATCH_PORTED " th dport { 53, 853 } counter name drop_killed drop", lan);
	return chain_close(&c, p);
}

static int lan_post(struct plan *p, const char *lan)
{
	struct chain c;
	chain_open(&c, NFT_INET, "kill_lan_judge", NULL);
	chain_rule(&c, "oifname %s accept", lan);
	chain_rule(&c, "oifname \"" DEV_ANON_PREFIX "*\" ct mark . ip saddr @lan4 accept");
	chain_rule(&c, "oifname \"" DEV_ANON_PREFIX "*\" ct mark . ip6 saddr @lan6 accept");
	chain_rule(&c, NOT_WRAPPED "counter name drop_killed drop");
	int r = chain_close(&c, p);
	if (r < 0)
		return r;
	chain_open(&c, NFT_INET, "kill_lan_post", "type filter hook " HOOK_POST "; policy accept;");
	chain_rule(&c, "ct mark & 0x%x == 0x%x goto kill_lan_judge", MARK_MASK, IFID_LAYER_BASE);
	chain_rule(&c, "iifname %s oifname \"" DEV_ANON_PREFIX "*\" counter name drop_killed drop", lan);
	return chain_close(&c, p);
}

/* A rule for what comes in by one of the interfaces. */
static int lan_rule(struct plan *p, const char *lan, struct kobj_rule rule)
{
	snprintf(rule.iif, sizeof(rule.iif), "%s", lan);
	return build_rule(p, &rule);
}

static int lan_rules(struct plan *p, const struct lans *lans)
{
	int r = build_nowhere(p, RT_TABLE_LAN_END, ROUTE_METRIC_UNREACHABLE);
	for (size_t f = 0; f < ARRAY_SIZE(families) && r >= 0; f++)
		r = build_rule(p, &(struct kobj_rule){ .family = families[f],
						       .pref = RULE_PREF_LAN_OWN,
						       .local = true,
						       .specific = true,
						       .table = RT_TABLE_MAIN });
	for (size_t i = 0; i < lans->n; i++)
		for (size_t f = 0; f < ARRAY_SIZE(families) && r >= 0; f++) {
			r = lan_rule(p, lans->dev[i],
				     (struct kobj_rule){ .family = families[f],
							 .pref = RULE_PREF_LAN_LOCAL,
							 .specific = true,
							 .table = RT_TABLE_MAIN });
			if (r >= 0)
				r = lan_rule(p, lans->dev[i],
					     (struct kobj_rule){ .family = families[f],
								 .pref = RULE_PREF_LAN_END,
								 .table = RT_TABLE_LAN_END });
		}
	return r;
}

int lan_base(struct plan *p, const struct lans *lans)
{
	struct lans_text lan = text_lans(lans);
	int r = build_nft(p, NFT_SET, NFT_INET, "lan4", "type mark . ipv4_addr;");
	if (r >= 0)
		r = build_nft(p, NFT_SET, NFT_INET, "lan6", "type mark . ipv6_addr;");
	if (r >= 0)
		r = lan_sources(p, lan.s);
	if (r >= 0)
		r = lan_forward(p, lan.s);
	if (r >= 0)
		r = lan_input(p, lan.s);
	if (r >= 0)
		r = lan_post(p, lan.s);
	return r < 0 ? r : lan_rules(p, lans);
}

/* ---- a circuit for hosts of the LAN ---- */

/*
 * The rule that leads hosts to a table. All hosts: no restriction, so that the kernel shows the rule
 * as we made it, and behind those for some.
 */
static struct kobj_rule rule_for(uint32_t table, const struct prefix *from, uint32_t pref)
{
	struct kobj_rule rule = { .family = from->family, .pref = pref + (from->len == 0), .table = table };
	if (from->len)
		rule.from = *from;
	return rule;
}

/* Hosts that are named leave by their own circuit or not at all, whatever the routing rules say. */
static int named_chain(struct plan *p, uint32_t id, const struct selection *sel, const struct lans *lans)
{
	struct lans_text lan = text_lans(lans);
	struct devices_text own = text_devices(id);
	char name[NFT_NAME_MAX];
	struct chain c;
	bool any = false;
	for (size_t i = 0; i < sel->n && !any; i++)
		any = sel->prefixes[i].len > 0;
	if (!any)
		return 0;
	snprintf(name, sizeof(name), "kill%u_lan", id);
	chain_open(&c, NFT_INET, name, "type filter hook forward priority -10; policy accept;");
	for (size_t i = 0; i < sel->n; i++)
		if (sel->prefixes[i].len)
			chain_rule(&c,
				   "iifname %s %s saddr %s oifname \"" DEV_ANON_PREFIX
				   "*\" oifname != %s counter name drop_killed drop",
				   lan.s, sel->prefixes[i].family == AF_INET6 ? "ip6" : "ip",
				   text_prefix(&sel->prefixes[i]).s, own.s);
	return chain_close(&c, p);
}

int lan_selection(struct plan *p, uint32_t id, const struct selection *sel, const struct lans *lans)
{
	uint32_t table = RT_TABLE_SELECTION_BASE + id;
	int r = named_chain(p, id, sel, lans);
	if (r >= 0)
		r = build_nowhere(p, table, ROUTE_METRIC_UNREACHABLE + id);
	for (size_t i = 0; i < sel->n; i++)
		for (size_t k = 0; k < lans->n && r >= 0; k++)
			r = lan_rule(p, lans->dev[k], rule_for(table, &sel->prefixes[i], RULE_PREF_LAN));
	return r;
}

/* A circuit at its originator with those whom it serves. */
struct served {
	const struct chainlink *k;
	const char *dev; /* anon<slot> */
	uint32_t mark;	 /* in conntrack */
	const struct lans *lans;
	struct lans_text lan;
	const struct selection *sel;
};

/* First in the plan: taken away last, when nothing makes new flows any more, and the flows with it. */
static int served_elems(struct plan *p, const struct served *s)
{
	const struct inner *in = &s->k->c->inner;
	int r = 0;
	if (s->k->inner4)
		r = build_elem(p, NFT_INET, "lan4", s->mark, &in->addr4, sizeof(in->addr4));
	if (r >= 0 && s->k->inner6)
		r = build_elem(p, NFT_INET, "lan6", s->mark, &in->addr6, sizeof(in->addr6));
	return r;
}

static int served_nat(struct plan *p, const struct served *s)
{
	char name[NFT_NAME_MAX];
	struct chain c;
	struct prefix a4 = host4(s->k->c->inner.addr4);
	snprintf(name, sizeof(name), "nat_%s", s->dev);
	chain_open(&c, NFT_INET, name, "type nat hook postrouting priority 99; policy accept;");
	if (s->k->inner4)
		chain_rule(&c, "iifname %s oifname \"%s\" meta nfproto ipv4 ct mark set 0x%x snat ip to %s", s->lan.s,
			   s->dev, s->mark, text_prefix(&a4).s);
	if (s->k->inner6)
		chain_rule(&c, "iifname %s oifname \"%s\" meta nfproto ipv6 ct mark set 0x%x snat ip6 to %s", s->lan.s,
			   s->dev, s->mark, text_addr6(&s->k->c->inner.addr6).s);
	return chain_close(&c, p);
}

/* In both directions, or hosts whose network drops ICMP would hang: TCP and IP header without options. */
static int served_mss(struct plan *p, const struct served *s)
{
	static const char *const side[] = { "iifname", "oifname" };
	unsigned int mtu = s->k->mtu[s->k->c->n_layers - 1];
	char name[NFT_NAME_MAX];
	struct chain c;
	snprintf(name, sizeof(name), "mss_%s", s->dev);
	chain_open(&c, NFT_INET, name, "type filter hook forward priority mangle; policy accept;");
	for (size_t i = 0; i < ARRAY_SIZE(side); i++) {
		chain_rule(&c, "%s \"%s\" meta nfproto ipv4 tcp flags syn tcp option maxseg size set %u", side[i],
			   s->dev, mtu - 40);
		chain_rule(&c, "%s \"%s\" meta nfproto ipv6 tcp flags syn tcp option maxseg size set %u", side[i],
			   s->dev, mtu - 60);
	}
	return chain_close(&c, p);
}

static bool exits_own(const struct prefix *dns)
{
	return dns->family == AF_INET ? addr4_is_shared(dns->a4) : dns->a6.s6_addr[0] == 0xfd;
}

/* The resolver for the i-th prefix, if that one is for all hosts or for some, as asked. */
static bool asks(const struct served *s, size_t i, bool all, struct prefix *ret_dns)
{
	const struct prefix *from = &s->sel->prefixes[i];
	return (from->len == 0) == all && chainlink_resolver(s->k, from->family, ret_dns);
}

static int served_dns_chain(struct plan *p, const struct served *s, bool all)
{
	char name[NFT_NAME_MAX], whom[80];
	struct prefix dns;
	struct chain c;
	snprintf(name, sizeof(name), "%s_%s", all ? "alldns" : "landns", s->dev);
	chain_open(&c, NFT_INET, name, "type nat hook prerouting priority %d; policy accept;", all ? -101 : -102);
	for (size_t i = 0; i < s->sel->n; i++) {
		const struct prefix *from = &s->sel->prefixes[i];
		bool six = from->family == AF_INET6;
		if (!asks(s, i, all, &dns))
			continue;
		snprintf(whom, sizeof(whom), all ? "meta nfproto %s" : "%s saddr %s",
			 all ? (six ? "ipv6" : "ipv4") : (six ? "ip6" : "ip"), text_prefix(from).s);
		chain_rule(&c, "iifname %s %s " MATCH_DNS " dnat %s to %s", s->lan.s, whom, six ? "ip6" : "ip",
			   text_prefix(&dns).s);
	}
	return chain_close(&c, p);
}

/*
 * Before NAT of others, for the first one counts. Questions to any resolver go to the exit's, of the hosts named before
 * of all hosts; as circuit_dns does for this host.
 */
static int served_dns(struct plan *p, const struct served *s, bool all)
{
	struct prefix dns;
	size_t first = 0;
	while (first < s->sel->n && !asks(s, first, all, &dns))
		first++;
	if (first == s->sel->n)
		return 0;
	int r = served_dns_chain(p, s, all);
	/* An exit's own addresses may lie in a network that the main table knows. */
	for (size_t i = first; i < s->sel->n; i++) {
		if (!asks(s, i, all, &dns) || !exits_own(&dns))
			continue;
		struct kobj_rule rule =
			rule_for(RT_TABLE_SLOT_BASE + s->k->c->slot, &s->sel->prefixes[i], RULE_PREF_LAN_DNS);
		rule.to = dns;
		for (size_t k = 0; k < s->lans->n && r >= 0; k++)
			r = lan_rule(p, s->lans->dev[k], rule);
	}
	return r;
}

/* What it began to carry stays in it: conntrack's mark, which lan_sources gives to the packet. */
static int served_bound(struct plan *p, const struct served *s)
{
	int r = 0;
	for (size_t i = 0; i < s->lans->n; i++)
		for (size_t f = 0; f < ARRAY_SIZE(families) && r >= 0; f++)
			r = lan_rule(p, s->lans->dev[i],
				     (struct kobj_rule){ .family = families[f],
							 .pref = RULE_PREF_BOUND,
							 .fwmark = s->mark,
							 .table = RT_TABLE_SLOT_BASE + s->k->c->slot });
	return r;
}

static struct served served_of(const struct chainlink *k, const struct selection *sel, const struct lans *lans)
{
	return (struct served){ .k = k,
				.dev = k->dev[k->c->n_layers - 1],
				.mark = chainlink_mark(k),
				.lans = lans,
				.lan = text_lans(lans),
				.sel = sel };
}

int lan_service(struct plan *p, const struct chainlink *k, const struct selection *sel, const struct lans *lans)
{
	struct served s = served_of(k, sel, lans);
	int r = served_elems(p, &s);
	if (r >= 0)
		r = served_nat(p, &s);
	if (r >= 0)
		r = served_mss(p, &s);
	return r < 0 ? r : served_bound(p, &s);
}

int lan_routes(struct plan *p, const struct chainlink *k, const struct selection *sel, const struct lans *lans)
{
	struct served s = served_of(k, sel, lans);
	int r = 0;
	for (int all = 0; all <= 1 && r >= 0; all++)
		r = served_dns(p, &s, all);
	return r < 0 ? r : origin_default_routes(p, k, RT_TABLE_SELECTION_BASE + slot_selection(k->c->slot), false);
}
