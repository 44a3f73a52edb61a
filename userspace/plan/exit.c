/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plan/exit.h"

#include <errno.h>
#include <stdio.h>

#include "plan/build.h"

/* No time-out: the kernel itself forgets a circuit that has no connection left (nft_connlimit_gc). */
#define FLOWS_SET "type mark; size 524288; flags dynamic;"
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
		[POLICY_ANY] = "meta l4proto { tcp, udp } th", [POLICY_TCP] = "tcp", [POLICY_UDP] = "udp"
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

static int refuse_chain(struct plan *p)
{
	struct chain c;
	chain_open(&c, NFT_INET, "exit_refuse", NULL);
	chain_rule(&c, "meta l4proto tcp counter name drop_policy " REFUSE_TCP);
	chain_rule(&c, "counter name drop_policy " REFUSE);
	return chain_close(&c, p);
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

/* Flows at once. Who has too many is told so: waiting does not help. */
static int count_chain(struct plan *p, uint32_t flows)
{
	struct chain c;
	int r = build_nft(p, NFT_SET, NFT_INET, "exit_flows", FLOWS_SET);
	if (r < 0)
		return r;
	chain_open(&c, NFT_INET, "exit_count", NULL);
	if (flows)
		chain_rule(&c, "add @exit_flows { ct mark ct count %u } return", flows);
	else
		chain_rule(&c, "return");
	chain_rule(&c, "meta l4proto tcp counter name drop_busy " REFUSE_TCP);
	chain_rule(&c, "counter name drop_busy " REFUSE);
	return chain_close(&c, p);
}

/*
 * The mark is what the circuit's SA set, bound to the flow by relay_flows. The first packet's connection is not in
 * conntrack's table yet; what is refused here never is. A circuit for which the sets have no room is refused too.
 */
static int limit_chain(struct plan *p, const struct exit_limits *l)
{
	struct chain c;
	int r = build_nft(p, NFT_SET, NFT_INET, "exit_rate", RATE_SET);
	if (r < 0)
		return r;
	chain_open(&c, NFT_INET, CHAIN_EXIT_LIMIT, NULL);
	if (l->new_flows_per_second) {
		chain_rule(&c, "update @exit_rate { ct mark limit rate %u/second burst %u packets } goto exit_count",
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

static int speed_chain(struct plan *p, const char *name, const char *set, uint32_t kib)
{
	struct chain c;
	int r = build_nft(p, NFT_SET, NFT_INET, set, RATE_SET);
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
	int r = refuse_chain(p);
	if (r >= 0)
		r = policy_chain(p, policy);
	if (r >= 0)
		r = count_chain(p, limits->flows);
	if (r >= 0)
		r = limit_chain(p, limits);
	if (r >= 0)
		r = flow_chain(p);
	if (r >= 0 && limits->kib_per_second)
		r = speed_chain(p, CHAIN_EXIT_UP, "exit_speed_up", limits->kib_per_second);
	if (r >= 0 && limits->kib_per_second)
		r = speed_chain(p, CHAIN_EXIT_DOWN, "exit_speed_down", limits->kib_per_second);
	return r;
}
