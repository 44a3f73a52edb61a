/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A relay: circ0 and the rules that fence it, and the objects of one circuit. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "model/overlay.h"
#include "plan/build.h"
#include "plan/exit.h"
#include "plan/mtu.h"
#include "plan/plan.h"

/*
 * Where an exit does not lead (RFC 6890 and successors): its own networks and machine, and the ranges through
 * which those can be reached (IPv4-mapped, NAT64, 6to4). The exit's own public addresses are caught by the type of
 * route. 168.63.129.16 looks public, but is the host's own service to each virtual machine of one large cloud (Azure).
 */
#define PRIVATE4                                                                                                       \
	"0.0.0.0/8, 10.0.0.0/8, 100.64.0.0/10, 127.0.0.0/8, 169.254.0.0/16, 172.16.0.0/12, 192.0.0.0/24, "             \
	"168.63.129.16, 192.168.0.0/16, 198.18.0.0/15, 224.0.0.0/3"
#define PRIVATE6                                                                                                       \
	"::/127, ::ffff:0:0/96, 64:ff9b::/96, 64:ff9b:1::/48, 2002::/16, fc00::/7, fe80::/10, fec0::/10, ff00::/8"

/* A client asks its exit's gateway every few seconds at most. */
#define ECHO_RATE "limit rate 5/second burst 10 packets"
#define ECHO_SET "flags dynamic,timeout; timeout 1m; size 131072;"

#define IKE_PORTS "{ 500, 4500 }"

/* What the rule texts of one relay have in common. */
struct fence {
	bool exit4, exit6;
	bool speed;    /* circuits have a limited one */
	bool resolver; /* listens at the gateway addresses */
	struct exit_pool pool;
	struct in_addr public4;
	struct in6_addr public6;
	struct addr_text own64;	 /* the relay's prefix */
	struct addr_text inner6; /* inner addresses of its clients */
	struct addr_text inner4;
	struct addr_text gw4, gw6;
	struct in_addr gw4_addr;
	struct in6_addr gw6_addr;
};

static int fence_of(const struct relay_base *b, struct fence *ret)
{
	struct fence f = { .exit4 = b->exit && b->inner4_enabled,
			   .exit6 = b->exit && b->inner6_enabled,
			   .speed = b->limits.kib_per_second > 0,
			   .resolver = b->resolver,
			   .pool = b->pool,
			   .public4 = b->public4,
			   .public6 = b->public6 };
	if (b->own.s6_addr[0] != 0xfd || ((f.exit4 || f.exit6) && !b->policy))
		return -EINVAL;
	f.own64 = text_net6(&b->own, 64);
	f.gw6_addr = overlay_gateway(&b->own);
	f.inner6 = text_net6(&f.gw6_addr, 80);
	f.gw6 = text_addr6(&f.gw6_addr);
	if (f.exit4) {
		if (b->inner4.family != AF_INET || b->inner4.len > 30 || !prefix_valid(&b->inner4))
			return -EINVAL;
		f.inner4 = text_prefix(&b->inner4);
		f.gw4_addr.s_addr = htonl(ntohl(b->inner4.a4.s_addr) + 1);
		struct prefix gw = host4(f.gw4_addr);
		f.gw4 = text_prefix(&gw);
	}
	*ret = f;
	return 0;
}

/*
 * Everything that comes out of an SA of this relay. The mark is what that SA set: 0 at a middle, where BEET has
 * rebuilt the header from the outer one, which nobody authenticated; the circuit's own number at an exit.
 */
static int circ_ingress(struct plan *p, const struct fence *f)
{
	struct chain c;
	chain_open(&c, NFT_NETDEV, DEV_CIRC,
		   "type filter hook ingress device \"" DEV_CIRC "\" priority 0; policy drop;");
	chain_rule(&c,
		   "meta mark 0 ip6 nexthdr esp ip6 saddr " OVERLAY_PREFIX " ip6 saddr != %s ip6 daddr " OVERLAY_PREFIX
		   " ip6 daddr != %s @nh,0,32 set 0x60000000 ip6 hoplimit set 64 accept",
		   f->own64.s, f->own64.s);
	if (f->exit4)
		chain_rule(&c, "meta mark . ip saddr @circ4 accept");
	if (f->exit6)
		chain_rule(&c, "meta mark . ip6 saddr @circ6 accept");
	chain_rule(&c, "counter name drop_circ drop");
	return chain_close(&c, p);
}

/* What fits the match must not leave; the application is told, or it would wait in vain. */
#define NEVER_LEAVES "goto " CHAIN_EXIT_PRIVATE

/* Its own addresses, if a router before it translates them: to its services they would seem the exit's own. */
static void never_public(struct chain *c, const struct fence *f)
{
	struct prefix p4 = host4(f->public4);
	if (f->public4.s_addr)
		chain_rule(c, "ip daddr %s " NEVER_LEAVES, text_prefix(&p4).s);
	if (!IN6_IS_ADDR_UNSPECIFIED(&f->public6))
		chain_rule(c, "ip6 daddr %s " NEVER_LEAVES, text_addr6(&f->public6).s);
}

static void gateway_dns(struct chain *c, const struct fence *f, const char *before, const char *then)
{
	if (f->resolver && f->exit4)
		chain_rule(c, "%sip daddr %s " MATCH_DNS " %s", before, f->gw4.s, then);
	if (f->resolver && f->exit6)
		chain_rule(c, "%sip6 daddr %s " MATCH_DNS " %s", before, f->gw6.s, then);
}

/* User packets at an exit, before the routing decision: where they may go at all. */
static int circ_prerouting(struct plan *p, const struct fence *f)
{
	struct chain c;
	chain_open(&c, NFT_INET, "relay_circ", NULL);
	chain_rule(&c, "meta l4proto esp ip6 saddr != %s notrack accept", f->own64.s);
	/* Rationed for each inner address: a client's flood must not silence the echoes that keep others' circuits. */
	if (f->exit4)
		chain_rule(&c, "ip daddr %s icmp type echo-request update @echo4 { ip saddr " ECHO_RATE " } accept",
			   f->gw4.s);
	if (f->exit6)
		chain_rule(&c, "ip6 daddr %s icmpv6 type echo-request update @echo6 { ip6 saddr " ECHO_RATE " } accept",
			   f->gw6.s);
	chain_rule(&c, "fib daddr type { broadcast, anycast, multicast } counter name drop_private drop");
	if (!f->exit4 && !f->exit6) {
		chain_rule(&c, "counter name drop_private drop");
		return chain_close(&c, p);
	}
	gateway_dns(&c, f, "", "accept");
	chain_rule(&c, "fib daddr type != unicast " NEVER_LEAVES);
	/* From the exit's address it would look like a link of the exit's own, and so would the answers. */
	chain_rule(&c, "meta l4proto { esp, ah } counter name drop_private drop");
	chain_rule(&c, "ip daddr { " PRIVATE4 " } " NEVER_LEAVES);
	chain_rule(&c, "ip6 daddr { " PRIVATE6 " } " NEVER_LEAVES);
	never_public(&c, f);
	chain_rule(&c, "accept");
	return chain_close(&c, p);
}

/*
 * conntrack knows flows by addresses and ports only and outlives circuits, so the next user of an inner address would
 * meet the flows of the last one. Each flow is therefore marked with the number of the circuit that began it (see
 * relay_forward for the way back), and numbers come back much later than addresses. An address is of one circuit at a
 * time: if the flow's circuit has this source now, it is the one that sent the packet, whose mark circ_ingress has
 * compared. Behind conntrack and before the routing decision, which shall see no mark.
 */
static int relay_flows(struct plan *p, const struct fence *f)
{
	struct chain c;
	if (!f->exit4 && !f->exit6)
		return 0;
	chain_open(&c, NFT_INET, "relay_flows", "type filter hook prerouting priority mangle; policy accept;");
	chain_rule(&c, "iifname != \"" DEV_CIRC "\" accept");
	/* transit: untracked */
	chain_rule(&c, "meta mark 0 meta l4proto esp accept");
	chain_rule(&c, "ct state new ct mark 0 ct mark set meta mark");
	chain_rule(&c, "meta mark set 0");
	/* Answered by this host to the source itself, and a client must get its answers whoever asked before. */
	if (f->exit4)
		chain_rule(&c, "ip daddr %s icmp type echo-request accept", f->gw4.s);
	if (f->exit6)
		chain_rule(&c, "ip6 daddr %s icmpv6 type echo-request accept", f->gw6.s);
	if (f->exit4)
		chain_rule(&c, "ct mark . ip saddr @live4 accept");
	if (f->exit6)
		chain_rule(&c, "ct mark . ip6 saddr @live6 accept");
	chain_rule(&c, "counter name drop_flow drop");
	return chain_close(&c, p);
}

static int relay_prerouting(struct plan *p, const struct fence *f)
{
	struct chain c;
	chain_open(&c, NFT_INET, "relay_prerouting", "type filter hook prerouting priority raw; policy accept;");
	chain_rule(&c, "iifname \"lo\" accept");
	chain_rule(&c, "iifname \"" DEV_LINK_PREFIX "*\" notrack accept");
	chain_rule(&c, "iifname \"" DEV_CIRC "\" goto relay_circ");
	/* a client on the same host: its own chains judge these */
	chain_rule(&c, "iifname \"" DEV_LAYER_PREFIX "*\" accept");
	chain_rule(&c, "iifname \"" DEV_ANON_PREFIX "*\" accept");
	/*
	 * Anything else is the public side. conntrack takes no part in what links consist of: otherwise a flow that a
	 * client began through the exit's NAT could make another relay's ESP or IKE its answer.
	 */
	chain_rule(&c, "meta l4proto esp notrack");
	chain_rule(&c, "udp dport " IKE_PORTS " fib daddr type local notrack");
	chain_rule(&c, "ip6 saddr %s counter name drop_public drop", f->own64.s);
	chain_rule(&c, "ip6 daddr %s counter name drop_public drop", f->own64.s);
	if (f->exit4) {
		chain_rule(&c, "ip saddr %s counter name drop_public drop", f->inner4.s);
		chain_rule(&c, "ip daddr %s counter name drop_public drop", f->inner4.s);
	}
	return chain_close(&c, p);
}

static int relay_input(struct plan *p, const struct fence *f)
{
	struct chain c;
	chain_open(&c, NFT_INET, "relay_input", "type filter hook input priority filter; policy accept;");
	if (f->exit4)
		chain_rule(&c, "iifname \"" DEV_CIRC "\" ip daddr %s icmp type echo-request accept", f->gw4.s);
	if (f->exit6)
		chain_rule(&c, "iifname \"" DEV_CIRC "\" ip6 daddr %s icmpv6 type echo-request accept", f->gw6.s);
	gateway_dns(&c, f, "iifname \"" DEV_CIRC "\" ", FIRST_PACKET " jump " CHAIN_EXIT_LIMIT);
	gateway_dns(&c, f, "iifname \"" DEV_CIRC "\" ", "accept");
	chain_rule(&c, "iifname \"" DEV_CIRC "\" counter name drop_input drop");
	chain_rule(&c, "iifname \"" DEV_LINK_PREFIX "*\" meta l4proto esp accept");
	chain_rule(&c, "iifname \"" DEV_LINK_PREFIX "*\" udp dport %d accept", ANON_CTRL_PORT);
	chain_rule(&c, "iifname \"" DEV_LINK_PREFIX "*\" counter name drop_input drop");
	return chain_close(&c, p);
}

static void forward_exit(struct chain *c, const struct fence *f)
{
	if (!f->exit4 && !f->exit6)
		return;
	if (f->speed)
		chain_rule(c, "iifname \"" DEV_CIRC "\" jump " CHAIN_EXIT_UP);
	chain_rule(c, "iifname \"" DEV_CIRC "\" " FIRST_PACKET " jump " CHAIN_EXIT_FLOW);
	/* Towards the server: a client behind which others sit may not know its MTU. 40 and 60: IP and TCP headers. */
	if (f->exit4) {
		chain_rule(c,
			   "iifname \"" DEV_CIRC "\" ip saddr %s tcp flags syn tcp option maxseg size > %d "
			   "tcp option maxseg size set %d",
			   f->inner4.s, EXIT_CLIENT_MTU - 40, EXIT_CLIENT_MTU - 40);
		chain_rule(c, "iifname \"" DEV_CIRC "\" ip saddr %s accept", f->inner4.s);
	}
	if (f->exit6) {
		chain_rule(c,
			   "iifname \"" DEV_CIRC "\" ip6 saddr %s tcp flags syn tcp option maxseg size > %d "
			   "tcp option maxseg size set %d",
			   f->inner6.s, EXIT_CLIENT_MTU - 60, EXIT_CLIENT_MTU - 60);
		chain_rule(c, "iifname \"" DEV_CIRC "\" ip6 saddr %s accept", f->inner6.s);
	}
}

static int relay_forward(struct plan *p, const struct fence *f)
{
	static const char *const never[] = { DEV_CIRC, DEV_LINK_PREFIX "*", DEV_LAYER_PREFIX "*", DEV_ANON_PREFIX "*" };
	struct chain c;
	chain_open(&c, NFT_INET, "relay_forward", "type filter hook forward priority filter; policy accept;");
	chain_rule(&c, "iifname \"" DEV_LINK_PREFIX "*\" oifname \"" DEV_CIRC "\" meta l4proto esp accept");
	chain_rule(&c,
		   "iifname \"" DEV_CIRC "\" oifname \"" DEV_LINK_PREFIX "*\" meta l4proto esp ip6 saddr != %s accept",
		   f->own64.s);
	for (size_t i = 0; i < ARRAY_SIZE(never); i++)
		chain_rule(&c, "iifname \"" DEV_CIRC "\" oifname \"%s\" counter name drop_hairpin drop", never[i]);
	forward_exit(&c, f);
	chain_rule(&c, "iifname \"" DEV_CIRC "\" counter name drop_forward drop");
	if (f->exit4 || f->exit6) {
		if (f->speed)
			chain_rule(&c, "oifname \"" DEV_CIRC "\" jump " CHAIN_EXIT_DOWN);
		chain_rule(&c, "oifname \"" DEV_CIRC "\" ct state established tcp flags syn "
			       "tcp option maxseg size set rt mtu");
		/* The address behind the NAT again, and only if it still is the circuit's that began the flow. */
		if (f->exit4)
			chain_rule(&c, "oifname \"" DEV_CIRC "\" ct mark . ip daddr @live4 "
				       "ct state established,related accept");
		if (f->exit6)
			chain_rule(&c, "oifname \"" DEV_CIRC "\" ct mark . ip6 daddr @live6 "
				       "ct state established,related accept");
		chain_rule(&c, "oifname \"" DEV_CIRC "\" ct state established,related counter name drop_flow drop");
	}
	chain_rule(&c, "oifname \"" DEV_CIRC "\" counter name drop_forward drop");
	chain_rule(&c, "iifname \"" DEV_LINK_PREFIX "*\" counter name drop_forward drop");
	chain_rule(&c, "oifname \"" DEV_LINK_PREFIX "*\" counter name drop_forward drop");
	return chain_close(&c, p);
}

/* Overlay and inner addresses never stand as the source of a packet on the public side. */
static void only_inside(struct chain *c, const struct fence *f, const char *match, const char *counter)
{
	static const char *const inside[] = { "lo", DEV_CIRC, DEV_LINK_PREFIX "*" };
	for (size_t i = 0; i < ARRAY_SIZE(inside); i++)
		chain_rule(c, "oifname \"%s\" accept", inside[i]);
	chain_rule(c, "ip6 saddr %s %scounter name %s drop", f->own64.s, match, counter);
	if (f->exit4)
		chain_rule(c, "ip saddr %s %scounter name %s drop", f->inner4.s, match, counter);
}

static int relay_output(struct plan *p, const struct fence *f)
{
	struct chain c;
	/* Untracked, so that no other NAT rule of the host can touch what goes into a link. */
	chain_open(&c, NFT_INET, "relay_untracked", "type filter hook output priority raw; policy accept;");
	chain_rule(&c, "oifname \"" DEV_LINK_PREFIX "*\" notrack");
	chain_rule(&c, "oifname != \"lo\" meta l4proto esp notrack");
	chain_rule(&c, "oifname != \"lo\" udp sport " IKE_PORTS " notrack");
	int r = chain_close(&c, p);
	if (r < 0)
		return r;
	chain_open(&c, NFT_INET, "relay_output", "type filter hook output priority 10; policy accept;");
	only_inside(&c, f, "", "drop_output");
	return chain_close(&c, p);
}

static int relay_nat(struct plan *p, const struct fence *f)
{
	if (!f->exit4 && !f->exit6)
		return 0;
	struct chain c;
	chain_open(&c, NFT_INET, "relay_normalise", "type filter hook postrouting priority mangle; policy accept;");
	/* Back into a circuit: what a server set must not be readable in the outer headers. */
	chain_rule(&c, "oifname \"" DEV_CIRC "\" meta nfproto ipv6 @nh,0,32 set 0x60000000");
	chain_rule(&c, "oifname \"" DEV_CIRC "\" ip dscp set cs0 ip ecn set not-ect");
	int r = chain_close(&c, p);
	if (r < 0)
		return r;
	chain_open(&c, NFT_INET, "relay_masquerade", "type nat hook postrouting priority srcnat; policy accept;");
	if (f->exit4)
		exit_nat4(&c, f->inner4.s, &f->pool);
	if (f->exit6)
		exit_nat6(&c, f->inner6.s, &f->pool);
	r = chain_close(&c, p);
	if (r < 0)
		return r;
	/*
	 * conntrack does not translate what it finds invalid; behind the NAT no inner address may be left. What a
	 * link is about to wrap comes by here with the device behind the link: it still has a transformation ahead.
	 */
	chain_open(&c, NFT_INET, "relay_unnated", "type filter hook postrouting priority 150; policy accept;");
	only_inside(&c, f, "rt ipsec missing ", "drop_unnated");
	return chain_close(&c, p);
}

/*
 * Which circuit has which inner address, once for each family of nft: circ4 and circ6 for what comes out of a circuit,
 * live4 and live6 for what goes back. And who has sent echoes of late, which the kernel fills in; an address that finds
 * no room gets no answer.
 */
static int relay_sets(struct plan *p, const struct fence *f)
{
	static const struct {
		bool six;
		enum nft_family family;
		const char *name, *spec;
	} sets[] = {
		{ false, NFT_NETDEV, "circ4", "type mark . ipv4_addr;" },
		{ false, NFT_INET, "live4", "type mark . ipv4_addr;" },
		{ false, NFT_INET, "echo4", "type ipv4_addr; " ECHO_SET },
		{ true, NFT_NETDEV, "circ6", "type mark . ipv6_addr;" },
		{ true, NFT_INET, "live6", "type mark . ipv6_addr;" },
		{ true, NFT_INET, "echo6", "type ipv6_addr; " ECHO_SET },
	};
	int r = 0;
	for (size_t i = 0; i < ARRAY_SIZE(sets) && r >= 0; i++)
		if (sets[i].six ? f->exit6 : f->exit4)
			r = build_nft(p, NFT_SET, sets[i].family, sets[i].name, sets[i].spec);
	return r;
}

static int relay_rules(struct plan *p, const struct fence *f)
{
	int (*const steps[])(struct plan *, const struct fence *) = { relay_sets,	circ_ingress, circ_prerouting,
								      relay_prerouting, relay_flows,  relay_input,
								      relay_forward,	relay_output, relay_nat };
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		int r = steps[i](p, f);
		if (r < 0)
			return r;
	}
	return 0;
}

static int inner_route(struct plan *p, struct prefix dst)
{
	return build_route(p, &(struct kobj_route){ .type = ROUTE_UNICAST,
						    .dst = dst,
						    .dev = DEV_CIRC,
						    .table = RT_TABLE_MAIN,
						    .metric = ROUTE_METRIC,
						    .mtu = EXIT_CLIENT_MTU });
}

static int relay_addresses(struct plan *p, const struct relay_base *b, const struct fence *f)
{
	struct in6_addr overlay = { .s6_addr = { 0xfd } };
	int r = build_addr(p, "lo", host6(&b->own));
	if (r >= 0 && f->exit4)
		r = build_addr(p, DEV_CIRC, host4(f->gw4_addr));
	if (r >= 0 && f->exit6)
		r = build_addr(p, DEV_CIRC, host6(&f->gw6_addr));
	if (r >= 0 && f->exit4)
		r = inner_route(p, b->inner4);
	if (r >= 0 && f->exit6)
		r = inner_route(p, prefix6(&f->gw6_addr, 80));
	if (r >= 0 && (f->exit4 || f->exit6))
		r = exit_pool_routes(p, &f->pool);
	if (r >= 0)
		r = build_unreachable(p, prefix6(&overlay, 8), RT_TABLE_MAIN, ROUTE_METRIC_UNREACHABLE);
	return r;
}

int plan_relay_base(struct plan *p, const struct relay_base *b)
{
	struct fence f;
	int r = fence_of(b, &f);
	if (r >= 0)
		r = build_link(p, DEV_CIRC, IFID_CIRC, CIRC_MTU, false);
	if (r >= 0 && (f.exit4 || f.exit6))
		r = plan_exit(p, b->policy, &b->limits);
	if (r >= 0)
		r = relay_rules(p, &f);
	if (r >= 0)
		r = build_up(p, DEV_CIRC);
	if (r >= 0)
		r = relay_addresses(p, b, &f);
	return r;
}

static bool spi_ok(uint32_t spi)
{
	return spi >= SPI_MIN && spi <= SPI_MAX;
}

static bool circuit_ok(const struct relay_circuit *c)
{
	const struct layer *l = &c->layer;
	uint16_t link = overlay_link(&l->a);
	if (!c->number || c->number > RELAY_CIRCUIT_MAX || !suite_get(l->suite) || !spi_ok(l->spi_fwd) ||
	    !spi_ok(l->spi_back))
		return false;
	if (l->o.s6_addr[0] != 0xfd || !overlay_same_prefix(&l->a, &l->o) || link < LINK_CLIENTS || link > LINK_LAST)
		return false;
	if (!c->exit)
		return c->next_o.s6_addr[0] == 0xfd && overlay_same_prefix(&c->next_a, &c->next_o) &&
		       !overlay_same_prefix(&c->next_o, &l->o) && !IN6_ARE_ADDR_EQUAL(&c->next_a, &c->next_o);
	if (!c->inner.has4 && !c->inner.has6)
		return false;
	if (c->inner.has4 && (!c->inner.addr4.s_addr || c->inner.addr4.s_addr == c->inner.gw4.s_addr))
		return false;
	struct in6_addr gw6 = overlay_gateway(&l->o);
	return !c->inner.has6 ||
	       (overlay_same_prefix(&c->inner.addr6, &l->o) && overlay_link(&c->inner.addr6) == LINK_INNER &&
		!IN6_ARE_ADDR_EQUAL(&c->inner.addr6, &gw6));
}

static int relay_sas(struct plan *p, const struct relay_circuit *c, const struct layer_keys *keys)
{
	const struct layer *l = &c->layer;
	struct kobj_sa sa = {
		.src = l->a,
		.dst = l->o,
		.spi = l->spi_fwd,
		.if_id = IFID_CIRC,
		.reqid = reqid_relay(c->number),
		.mode = c->exit ? SA_TUNNEL : SA_BEET,
		.suite = l->suite,
		.key = keys ? keys->fwd : NULL,
		.inbound = true,
		.mark = IFID_LINK_BASE + overlay_link(&l->a),
		.set_mark = c->exit ? reqid_relay(c->number) : 0,
		.expires = c->expires ? c->expires + SA_EXPIRY_SLACK : 0,
	};
	if (!c->exit) {
		sa.sel_src = c->next_a;
		sa.sel_dst = c->next_o;
	}
	struct kobject *o = plan_add(p, KOBJ_SA);
	if (!o)
		return -ENOMEM;
	o->sa = sa;
	o = plan_add(p, KOBJ_SA);
	if (!o)
		return -ENOMEM;
	sa.src = l->o;
	sa.dst = l->a;
	sa.spi = l->spi_back;
	sa.key = keys ? keys->back : NULL;
	sa.inbound = false;
	sa.mark = sa.set_mark = 0;
	if (!c->exit) {
		sa.sel_src = c->next_o;
		sa.sel_dst = c->next_a;
	}
	o->sa = sa;
	return 0;
}

static int relay_sp(struct plan *p, const struct relay_circuit *c, struct prefix src, struct prefix dst)
{
	struct kobject *o = plan_add(p, KOBJ_SP);
	if (!o)
		return -ENOMEM;
	o->sp = (struct kobj_sp){
		.src = src,
		.dst = dst,
		.tmpl_src = c->layer.o,
		.tmpl_dst = c->layer.a,
		.mode = c->exit ? SA_TUNNEL : SA_BEET,
		.if_id = IFID_CIRC,
		.reqid = reqid_relay(c->number),
	};
	return 0;
}

/* The circuit has this inner address. */
static int relay_may_use(struct plan *p, uint32_t mark, const char *from, const char *back, const void *addr,
			 size_t len)
{
	int r = build_elem(p, NFT_NETDEV, from, mark, addr, len);
	return r < 0 ? r : build_elem(p, NFT_INET, back, mark, addr, len);
}

int plan_relay_circuit(struct plan *p, const struct relay_circuit *c, const struct layer_keys *keys)
{
	if (!circuit_ok(c))
		return -EINVAL;
	int r = relay_sas(p, c, keys);
	if (!c->exit)
		return r < 0 ? r : relay_sp(p, c, host6(&c->next_o), host6(&c->next_a));
	uint32_t mark = reqid_relay(c->number);
	if (r >= 0 && c->inner.has4)
		r = relay_sp(p, c, (struct prefix){ .family = AF_INET }, host4(c->inner.addr4));
	if (r >= 0 && c->inner.has6)
		r = relay_sp(p, c, (struct prefix){ .family = AF_INET6 }, host6(&c->inner.addr6));
	if (r >= 0 && c->inner.has4)
		r = relay_may_use(p, mark, "circ4", "live4", &c->inner.addr4, sizeof(c->inner.addr4));
	if (r >= 0 && c->inner.has6)
		r = relay_may_use(p, mark, "circ6", "live6", &c->inner.addr6, sizeof(c->inner.addr6));
	return r;
}
