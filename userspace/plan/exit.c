/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plan/exit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>

#include "plan/plan.h"

/* No time-out: the kernel itself forgets a circuit that has no connection left (nft_connlimit_gc). */
#define FLOWS_SET "type mark; size 524288; flags dynamic;"
#define TELL_RATE "limit rate 50/second burst 100 packets"
#define RATE_SET "type mark; size 524288; flags dynamic,timeout; timeout 1m;"

/* The destination part of a rule; empty for any. */
static void match_dst(const struct prefix *dst, char *ret, size_t size)
{
	ret[0] = '\0';
	if (dst->family && !dst->len)
		snprintf(ret, size, "meta nfproto %s ", dst->family == AF_INET ? "ipv4" : "ipv6");
	else if (dst->family)
		snprintf(ret, size, "%s daddr %s ", dst->family == AF_INET ? "ip" : "ip6", text_prefix(dst).s);
}

static void match_proto(const struct policy_rule *r, char *ret, size_t size)
{
	static const char *const all[] = { [POLICY_ANY] = "",
					   [POLICY_TCP] = "meta l4proto tcp ",
					   [POLICY_UDP] = "meta l4proto udp ",
					   [POLICY_ICMP] = "meta l4proto { icmp, ipv6-icmp } " };
	static const char *const ported[] = {
		[POLICY_ANY] = MATCH_PORTED " th", [POLICY_TCP] = "tcp", [POLICY_UDP] = "udp"
	};
	if (!r->port_min)
		snprintf(ret, size, "%s", all[r->proto]);
	else if (r->port_min == r->port_max)
		snprintf(ret, size, "%s dport %u ", ported[r->proto], r->port_min);
	else
		snprintf(ret, size, "%s dport %u-%u ", ported[r->proto], r->port_min, r->port_max);
}

static bool rule_ok(const struct policy_rule *r)
{
	return r->proto >= POLICY_ANY && r->proto <= POLICY_ICMP && (!r->dst.family || prefix_valid(&r->dst)) &&
	       r->port_min <= r->port_max && !(r->port_min ? r->proto == POLICY_ICMP : r->port_max);
}

/* mark: which of the packet's names its circuit here. */
static int refuse_chain(struct plan *p, const char *name, const char *mark, const char *counter)
{
	struct chain c;
	chain_open(&c, NFT_INET, name, NULL);
	chain_rule(&c,
		   "meta l4proto tcp update @exit_told { %s mark " TELL_RATE " } counter name %s reject with tcp reset",
		   mark, counter);
	chain_rule(&c,
		   "meta l4proto != tcp update @exit_told { %s mark " TELL_RATE
		   " } counter name %s reject with icmpx admin-prohibited",
		   mark, counter);
	chain_rule(&c, "counter name %s drop", counter);
	return chain_close(&c, p);
}

static int refuse_chains(struct plan *p)
{
	int r = build_nft(p, NFT_SET, NFT_INET, "exit_told", RATE_SET);
	if (r >= 0)
		r = refuse_chain(p, "exit_refuse", "ct", "drop_policy");
	if (r >= 0)
		r = refuse_chain(p, "exit_crowded", "ct", "drop_busy");
	return r < 0 ? r : refuse_chain(p, CHAIN_EXIT_PRIVATE, "meta", "drop_private");
}

static int policy_chain(struct plan *p, const struct exit_policy *policy)
{
	struct chain c;
	chain_open(&c, NFT_INET, "exit_policy", NULL);
	for (size_t i = 0; i < policy->n; i++) {
		const struct policy_rule *r = &policy->rules[i];
		char dst[80], proto[64];
		if (!rule_ok(r)) {
			c.error = -EINVAL;
			break;
		}
		match_dst(&r->dst, dst, sizeof(dst));
		match_proto(r, proto, sizeof(proto));
		chain_rule(&c, "%s%s%s", dst, proto, r->accept ? "return" : "goto exit_refuse");
	}
	chain_rule(&c, "goto exit_refuse");
	return chain_close(&c, p);
}

/*
 * An element keeps the limit that it was made with. So the name of a set has its limit in it: after a restart with
 * another one each circuit begins anew.
 */
static int limit_set(struct plan *p, const char *what, uint32_t limit, const char *spec, char ret[NFT_NAME_MAX])
{
	snprintf(ret, NFT_NAME_MAX, "exit_%s_%u", what, limit);
	return build_nft(p, NFT_SET, NFT_INET, ret, spec);
}

/* Flows at once. Who has too many is told so: waiting does not help. */
static int count_chain(struct plan *p, uint32_t flows)
{
	char set[NFT_NAME_MAX];
	struct chain c;
	int r = flows ? limit_set(p, "flows", flows, FLOWS_SET, set) : 0;
	if (r < 0)
		return r;
	chain_open(&c, NFT_INET, "exit_count", NULL);
	if (flows)
		chain_rule(&c, "add @%s { ct mark ct count %u } return", set, flows);
	else
		chain_rule(&c, "return");
	chain_rule(&c, "goto exit_crowded");
	return chain_close(&c, p);
}

/*
 * The mark is what the circuit's SA set, bound to the flow by relay_flows. The first packet's connection is not in
 * conntrack's table yet; what is refused here never is. A circuit for which the sets have no room is refused too.
 */
static int limit_chain(struct plan *p, const struct exit_limits *l)
{
	char set[NFT_NAME_MAX];
	struct chain c;
	int r = l->new_flows_per_second ? limit_set(p, "rate", l->new_flows_per_second, RATE_SET, set) : 0;
	if (r < 0)
		return r;
	chain_open(&c, NFT_INET, CHAIN_EXIT_LIMIT, NULL);
	if (l->new_flows_per_second) {
		chain_rule(&c, "update @%s { ct mark limit rate %u/second burst %u packets } goto exit_count", set,
			   l->new_flows_per_second, l->new_flows_per_second * 5);
		/* In silence: who asks again gets through, only later. */
		chain_rule(&c, "counter name drop_busy drop");
	} else {
		chain_rule(&c, "goto exit_count");
	}
	return chain_close(&c, p);
}

static int flow_chain(struct plan *p)
{
	struct chain c;
	chain_open(&c, NFT_INET, CHAIN_EXIT_FLOW, NULL);
	chain_rule(&c, "jump exit_policy");
	chain_rule(&c, "goto " CHAIN_EXIT_LIMIT);
	return chain_close(&c, p);
}

static int speed_chain(struct plan *p, const char *name, const char *what, uint32_t kib)
{
	char set[NFT_NAME_MAX];
	struct chain c;
	int r = limit_set(p, what, kib, RATE_SET, set);
	if (r < 0)
		return r;
	chain_open(&c, NFT_INET, name, NULL);
	chain_rule(&c, "update @%s { ct mark limit rate %u kbytes/second burst %u kbytes } return", set, kib,
		   kib > EXIT_BURST_KIB ? kib : EXIT_BURST_KIB);
	chain_rule(&c, "counter name drop_speed drop");
	return chain_close(&c, p);
}

int plan_exit(struct plan *p, const struct exit_policy *policy, const struct exit_limits *limits)
{
	int r = refuse_chains(p);
	if (r >= 0)
		r = policy_chain(p, policy);
	if (r >= 0)
		r = count_chain(p, limits->flows);
	if (r >= 0)
		r = limit_chain(p, limits);
	if (r >= 0)
		r = flow_chain(p);
	if (r >= 0 && limits->kib_per_second)
		r = speed_chain(p, CHAIN_EXIT_UP, "up", limits->kib_per_second);
	if (r >= 0 && limits->kib_per_second)
		r = speed_chain(p, CHAIN_EXIT_DOWN, "down", limits->kib_per_second);
	return r;
}

/* Ports away from those of the host's own services, IKE among them. */
#define NAT_PORTS "10000-65535"
#define OUTSIDE "oifname != \"lo\" oifname != \"" DEV_CIRC "\" oifname != \"" DEV_LINK_PREFIX "*\""

static void masquerade(struct chain *c, const char *family, const char *inner)
{
	chain_rule(c, "%s saddr %s " OUTSIDE " " MATCH_PORTED " masquerade to :" NAT_PORTS " fully-random", family,
		   inner);
	chain_rule(c, "%s saddr %s " OUTSIDE " masquerade fully-random", family, inner);
}

static struct addr_text text4(uint32_t a)
{
	struct prefix p = host4((struct in_addr){ htonl(a) });
	return text_prefix(&p);
}

/* The addresses as nft's source NAT takes them. */
static void pool4_text(const struct exit_pool *pool, char *ret, size_t size)
{
	uint32_t first = ntohl(pool->first4.s_addr), last = ntohl(pool->last4.s_addr);
	size_t len;
	if (!pool->by_destination || first == last) {
		snprintf(ret, size, first == last ? "%s" : "%s-%s", text4(first).s, text4(last).s);
		return;
	}
	len = (size_t)snprintf(ret, size, "jhash ip daddr mod %u seed 0x616e6f6e map { ", last - first + 1);
	for (uint32_t i = 0; i <= last - first; i++)
		len += (size_t)snprintf(ret + len, size - len, "%s%u : %s", i ? ", " : "", i, text4(first + i).s);
	snprintf(ret + len, size - len, " }");
}

/* `persistent`: the kernel chooses by the source alone (find_best_ips_proto), and that is the circuit's. */
void exit_nat4(struct chain *c, const char *inner, const struct exit_pool *pool)
{
	char to[POOL4_MAX * 24 + 64];
	const char *same = pool->by_destination ? "" : ",persistent";
	if (!pool->has4) {
		masquerade(c, "ip", inner);
		return;
	}
	pool4_text(pool, to, sizeof(to));
	chain_rule(c, "ip saddr %s " OUTSIDE " " MATCH_PORTED " snat ip to %s:" NAT_PORTS " fully-random%s", inner, to,
		   same);
	chain_rule(c, "ip saddr %s " OUTSIDE " snat ip to %s fully-random%s", inner, to, same);
}

void exit_nat6(struct chain *c, const char *inner, const struct exit_pool *pool)
{
	if (pool->has6)
		chain_rule(c, "ip6 saddr %s " OUTSIDE " snat ip6 prefix to %s", inner,
			   text_net6(&pool->pool6.a6, POOL6_LEN_MAX).s);
	else
		masquerade(c, "ip6", inner);
}

static int blocked(struct plan *p, struct prefix dst)
{
	return build_unreachable(p, dst, RT_TABLE_MAIN, ROUTE_METRIC_UNREACHABLE);
}

int exit_pool_routes(struct plan *p, const struct exit_pool *pool)
{
	uint32_t first = ntohl(pool->first4.s_addr), n = ntohl(pool->last4.s_addr) - first + 1;
	int r = 0;
	for (uint32_t i = 0; pool->has4 && r >= 0 && i < n; i++)
		r = blocked(p, host4((struct in_addr){ htonl(first + i) }));
	if (r >= 0 && pool->has6)
		r = blocked(p, prefix6(&pool->pool6.a6, POOL6_LEN_MAX));
	return r;
}
