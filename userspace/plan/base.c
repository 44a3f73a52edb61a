/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What stands as long as the daemon has a role: tables, counters, routing rules, and the client's fences. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "model/overlay.h"
#include "plan/build.h"
#include "plan/lan.h"
#include "plan/plan.h"

/* Why a packet was dropped; the names are what kernel_counters reports. */
static const char *const counters_netdev[] = { "drop_link", "drop_layer", "drop_anon", "drop_circ" };
static const char *const counters_inet[] = {
	"drop_public",	"drop_private", "drop_hairpin", "drop_forward", "drop_input", "drop_unasked", "drop_output",
	"drop_unnated", "drop_killed",	"drop_flow",	"drop_policy",	"drop_busy",  "drop_speed",
};

static int add_hthresh(struct plan *p)
{
	struct kobject *o = plan_add(p, KOBJ_HTHRESH);
	if (!o)
		return -ENOMEM;
	/* Our policies name one remote host each; whole-address hashing keeps inserting them O(1). */
	o->hthresh = (struct kobj_hthresh){ .local4 = 0, .remote4 = 32, .local6 = 0, .remote6 = 128 };
	return 0;
}

int plan_base(struct plan *p)
{
	int r = add_hthresh(p);
	if (r < 0)
		return r;
	r = build_nft(p, NFT_TABLE, NFT_NETDEV, NFT_TABLE_NAME, NULL);
	if (r < 0)
		return r;
	r = build_nft(p, NFT_TABLE, NFT_INET, NFT_TABLE_NAME, NULL);
	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(counters_netdev); i++) {
		r = build_nft(p, NFT_COUNTER, NFT_NETDEV, counters_netdev[i], NULL);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < ARRAY_SIZE(counters_inet); i++) {
		r = build_nft(p, NFT_COUNTER, NFT_INET, counters_inet[i], NULL);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ESP of ours need not be tracked; what leaves a circuit must be. */
static int client_untracked(struct plan *p)
{
	struct chain c;
	chain_open(&c, NFT_INET, "client_prerouting", "type filter hook prerouting priority raw; policy accept;");
	chain_rule(&c, "iifname \"" DEV_LINK_PREFIX "*\" notrack");
	chain_rule(&c, "iifname \"" DEV_LAYER_PREFIX "*\" notrack");
	int r = chain_close(&c, p);
	if (r < 0)
		return r;
	chain_open(&c, NFT_INET, "client_output", "type filter hook output priority raw; policy accept;");
	chain_rule(&c, "oifname \"" DEV_LINK_PREFIX "*\" notrack");
	chain_rule(&c, "oifname \"" DEV_LAYER_PREFIX "*\" notrack");
	return chain_close(&c, p);
}

/*
 * The routing rules choose by mark, and answers of a guard carry none: the check of their source (rp_filter,
 * fib_validate_source) would look for the way back in the circuits' table, find it blocked and drop them. So they get
 * the mark of what they answer, and the check is told to honour it. The same for servers of the directory, by TCP.
 */
static int client_answers(struct plan *p, const struct endpoints *servers)
{
	const char *protos = servers->n ? "{ tcp, udp }" : "udp";
	struct chain c;
	int r = build_sysctl(p, "ipv4", "all", "src_valid_mark", "1");
	if (r < 0)
		return r;
	chain_open(&c, NFT_INET, "client_asks", "type filter hook output priority mangle; policy accept;");
	chain_rule(&c, "meta mark 0x%x meta l4proto %s ct mark set 0x%x", MARK_LINK, protos, MARK_LINK);
	r = chain_close(&c, p);
	if (r < 0)
		return r;
	chain_open(&c, NFT_INET, "client_answers", "type filter hook prerouting priority mangle; policy accept;");
	chain_rule(&c, "meta l4proto %s ct mark 0x%x meta mark set 0x%x", protos, MARK_LINK, MARK_LINK);
	return chain_close(&c, p);
}

/* Or whoever is on the local wire finds out by ARP which inner addresses this host has. Stricter is fine. */
static int client_arp(struct plan *p)
{
	int r = build_sysctl(p, "ipv4", "all", "arp_ignore", "1");
	if (r < 0)
		return r;
	p->v[p->n - 1].sysctl.at_least = true;
	return 0;
}

static int client_input(struct plan *p)
{
	struct chain c;
	chain_open(&c, NFT_INET, "client_input", "type filter hook input priority filter; policy accept;");
	/* conntrack calls a redirect "related" */
	chain_rule(&c, "iifname \"" DEV_ANON_PREFIX "*\" icmp type redirect counter name drop_unasked drop");
	chain_rule(&c, "iifname \"" DEV_ANON_PREFIX "*\" ct state established,related accept");
	chain_rule(&c, "iifname \"" DEV_ANON_PREFIX "*\" counter name drop_unasked drop");
	chain_rule(&c, "iifname \"" DEV_LAYER_PREFIX "*\" meta l4proto esp accept");
	chain_rule(&c, "iifname \"" DEV_LAYER_PREFIX "*\" counter name drop_input drop");
	chain_rule(&c, "iifname \"" DEV_LINK_PREFIX "*\" meta l4proto esp accept");
	chain_rule(&c, "iifname \"" DEV_LINK_PREFIX "*\" udp dport %d accept", ANON_CTRL_PORT);
	chain_rule(&c, "iifname \"" DEV_LINK_PREFIX "*\" counter name drop_input drop");
	return chain_close(&c, p);
}

static int client_forward(struct plan *p, const struct lans *lans)
{
	static const char *const devs[] = { DEV_ANON_PREFIX, DEV_LAYER_PREFIX };
	struct chain c;
	chain_open(&c, NFT_INET, "client_forward", "type filter hook forward priority filter; policy accept;");
	if (lans->n) { /* lan_forward judges */
		chain_rule(&c, "iifname %s oifname \"" DEV_ANON_PREFIX "*\" accept", text_lans(lans).s);
		chain_rule(&c, "iifname \"" DEV_ANON_PREFIX "*\" oifname %s accept", text_lans(lans).s);
	}
	for (size_t i = 0; i < ARRAY_SIZE(devs); i++) {
		chain_rule(&c, "iifname \"%s*\" counter name drop_forward drop", devs[i]);
		chain_rule(&c, "oifname \"%s*\" counter name drop_forward drop", devs[i]);
	}
	/* between links and circ0: a relay on the same host, whose own chain judges that */
	chain_rule(&c, "iifname \"" DEV_LINK_PREFIX "*\" oifname != \"" DEV_CIRC "\" counter name drop_forward drop");
	chain_rule(&c, "oifname \"" DEV_LINK_PREFIX "*\" iifname != \"" DEV_CIRC "\" counter name drop_forward drop");
	return chain_close(&c, p);
}

/*
 * A socket that is bound to an address of a circuit or link outlives it, and with it the fence of that address
 * (out_*). IPv6 sends with a source that the host no longer has: the packet would go out by the public device and name
 * the circuit there. The forms that exits and guards give such addresses are blocked for good (model/overlay.h; first
 * byte fd, the link bits LINK_INNER, or LINK_CLIENTS and a number from the guard's pool, PLAN_POOL_BITS); a private
 * network of the user's with the same first byte has other addresses.
 * IPv4 needs no such rule: ip_route_output_key_hash_rcu refuses a source that the host has not, and the routes that
 * sockets remember end with the address (fib_del_ifaddr); only with IP_TRANSPARENT or IP_HDRINCL, which need
 * privileges, a process sends with any source.
 */
static int sources_chain(struct plan *p, const char *name, const char *hook, const char *only)
{
	static const char *const ours[] = { "lo", DEV_ANON_PREFIX "*", DEV_LAYER_PREFIX "*", DEV_LINK_PREFIX "*",
					    DEV_CIRC };
	const struct in6_addr first = { .s6_addr = { 0xfd } };
	struct in6_addr inner = overlay_addr(&first, LINK_INNER, 0), pool = overlay_addr(&first, LINK_CLIENTS, 0);
	struct in6_addr inner_bits = { .s6_addr = { [0] = 0xff, [8] = 0xff, [9] = 0xff } }, pool_bits = inner_bits;
	struct chain c;
	memset(&pool_bits.s6_addr[10], 0xff, 6 - PLAN_POOL_BITS / 8);
	chain_open(&c, NFT_INET, name, "type filter hook %s; policy accept;", hook);
	/* clients of an exit on the same host, with their addresses until the NAT */
	chain_rule(&c, "iifname \"" DEV_CIRC "\" accept");
	for (size_t i = 0; i < ARRAY_SIZE(ours); i++)
		chain_rule(&c, "oifname \"%s\" accept", ours[i]);
	chain_rule(&c, "ip6 saddr & %s == %s %scounter name drop_output drop", text_addr6(&inner_bits).s,
		   text_addr6(&inner).s, only);
	chain_rule(&c, "ip6 saddr & %s == %s %scounter name drop_output drop", text_addr6(&pool_bits).s,
		   text_addr6(&pool).s, only);
	return chain_close(&c, p);
}

static int client_sources(struct plan *p)
{
	int r = sources_chain(p, "client_sources", "output priority 10", "");
	if (r >= 0)
		r = sources_chain(p, "client_passing", "forward priority 10", "");
	return r < 0 ? r : sources_chain(p, "client_leaving", HOOK_POST, NOT_WRAPPED);
}

/*
 * Header fields that a sender may use as a mark or that tell its system, and that the encapsulation would copy
 * outwards. The first word of an IPv6 header is version, traffic class and flow label (RFC 8200 section 3).
 */
static int client_normalise(struct plan *p)
{
	struct chain c;
	chain_open(&c, NFT_INET, "client_postrouting", "type filter hook postrouting priority mangle; policy accept;");
	chain_rule(&c, "oifname \"" DEV_ANON_PREFIX "*\" meta nfproto ipv6 @nh,0,32 set 0x60000000");
	chain_rule(&c, "oifname \"" DEV_ANON_PREFIX "*\" ip dscp set cs0 ip ecn set not-ect");
	return chain_close(&c, p);
}

/* The directory is fetched before there is a circuit to fetch it through: from these, and by nobody but us. */
static void judge_servers(struct chain *c, const struct endpoints *servers, uint8_t family)
{
	char list[ENDPOINTS_MAX * (INET6_ADDRSTRLEN + 12)];
	size_t len = 0;
	for (size_t i = 0; i < servers->n; i++) {
		const struct endpoint *e = &servers->v[i];
		struct prefix at = e->family == AF_INET6 ? host6(&e->a6) : host4(e->a4);
		if (e->family == family)
			len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%s . %u", len ? ", " : "",
						text_prefix(&at).s, e->port);
	}
	if (len)
		chain_rule(c, "meta mark 0x%x %s daddr . tcp dport { %s } accept", MARK_LINK,
			   family == AF_INET6 ? "ip6" : "ip", list);
}

/*
 * Where packets to selected destinations are sent by the chains of plan_selection. What does not leave the local wire
 * and is sent by the host itself passes, but not what is selected by its user or port.
 */
static int client_judge(struct plan *p, const struct lans *lans, const struct endpoints *servers, bool narrow)
{
	struct chain c;
	chain_open(&c, NFT_INET, narrow ? "kill_judge_narrow" : "kill_judge", NULL);
	chain_rule(&c, "oifname \"" DEV_ANON_PREFIX "*\" accept");
	chain_rule(&c, "oifname \"lo\" accept");
	if (lans->n) /* a router that its hosts cannot ask for an address is none */
		chain_rule(&c, "oifname %s accept", text_lans(lans).s);
	/* charon and link ESP, to the guard */
	chain_rule(&c, "meta mark 0x%x meta l4proto { udp, esp } accept", MARK_LINK);
	judge_servers(&c, servers, AF_INET);
	judge_servers(&c, servers, AF_INET6);
	/* layers of circuits, which a selection of ::/0 covers too */
	chain_rule(&c, "oifname \"" DEV_LAYER_PREFIX "*\" meta l4proto esp accept");
	chain_rule(&c, "oifname \"" DEV_LINK_PREFIX "*\" meta l4proto esp accept");
	chain_rule(&c, "oifname \"" DEV_LINK_PREFIX "*\" udp dport %d accept", ANON_CTRL_PORT);
	chain_rule(&c, "oifname \"" DEV_CIRC "\" accept");
	if (!narrow) {
		/* router and neighbour discovery (RFC 4861), listener reports (RFC 3810), DHCP */
		chain_rule(&c, "icmpv6 type { 133, 134, 135, 136 } ip6 hoplimit 255 ip6 daddr { fe80::/10, ff02::/16 } "
			       "accept");
		chain_rule(&c, "icmpv6 type { 131, 132, 143 } ip6 hoplimit 1 ip6 daddr ff02::/16 accept");
		chain_rule(&c, "ip protocol udp udp sport 68 udp dport 67 accept");
		chain_rule(&c, "ip6 daddr { fe80::/10, ff02::1:2 } udp sport 546 udp dport 547 accept");
	}
	chain_rule(&c, "counter name drop_killed drop");
	return chain_close(&c, p);
}

/*
 * What the kill switches let this host forward: what an exit or a middle on the same host carries for others, which is
 * not this user's (relay_forward), and the LAN of a gateway (lan_forward).
 */
static int client_kill_passing(struct plan *p, const struct lans *lans)
{
	struct chain c;
	chain_open(&c, NFT_INET, "kill_passing", NULL);
	chain_rule(&c, "iifname \"" DEV_CIRC "\" accept");
	chain_rule(&c, "oifname \"" DEV_CIRC "\" accept");
	if (lans->n) {
		chain_rule(&c, "iifname %s accept", text_lans(lans).s);
		chain_rule(&c, "oifname %s accept", text_lans(lans).s);
	}
	return chain_close(&c, p);
}

static int client_rules(struct plan *p)
{
	struct in6_addr overlay = { .s6_addr = { 0xfd } };
	const struct kobj_rule rules[] = {
		{ .family = AF_INET, .pref = RULE_PREF_LINK, .fwmark = MARK_LINK, .table = RT_TABLE_MAIN },
		{ .family = AF_INET6, .pref = RULE_PREF_LINK, .fwmark = MARK_LINK, .table = RT_TABLE_MAIN },
		/* `local`: what an exit or a router on the same host forwards goes its own way. */
		{ .family = AF_INET6,
		  .pref = RULE_PREF_OVERLAY,
		  .to = prefix6(&overlay, 8),
		  .local = true,
		  .table = RT_TABLE_MAIN },
		{ .family = AF_INET, .pref = RULE_PREF_ANON, .local = true, .table = RT_TABLE_ANON },
		{ .family = AF_INET6, .pref = RULE_PREF_ANON, .local = true, .table = RT_TABLE_ANON },
	};
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		int r = build_rule(p, &rules[i]);
		if (r < 0)
			return r;
	}
	return 0;
}

int plan_client_base(struct plan *p, const struct lans *lans, const struct endpoints *servers)
{
	static const struct lans none;
	static const struct endpoints nowhere;
	int (*const steps[])(struct plan *) = { client_untracked, client_arp,	    client_input,
						client_sources,	  client_normalise, client_rules };
	int r;
	if (!lans)
		lans = &none;
	if (!servers)
		servers = &nowhere;
	r = client_answers(p, servers);
	for (size_t i = 0; i < ARRAY_SIZE(steps) && r >= 0; i++)
		r = steps[i](p);
	if (r >= 0)
		r = client_forward(p, lans);
	if (r >= 0)
		r = client_kill_passing(p, lans);
	if (r >= 0)
		r = client_judge(p, lans, servers, false);
	if (r >= 0)
		r = client_judge(p, lans, servers, true);
	return r < 0 || !lans->n ? r : lan_base(p, lans);
}
