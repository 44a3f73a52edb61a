/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One circuit at its originator: a chain of xfrm interfaces, one per layer, each with one outbound policy. A
 * packet enters at anon<slot>, is wrapped in T_k, leaves that through hop<slot>-<k-1> into T_(k-1), and so on.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "model/overlay.h"
#include "model/prefix.h"
#include "plan/build.h"
#include "plan/lan.h"
#include "plan/mtu.h"
#include "plan/origin.h"
#include "plan/plan.h"

static const uint8_t families[] = { AF_INET, AF_INET6 };

static bool layer_ok(const struct origin_circuit *c, size_t i)
{
	const struct layer *l = &c->layers[i];
	if (l->spi_fwd < SPI_MIN || l->spi_fwd > SPI_MAX || l->spi_back < SPI_MIN || l->spi_back > SPI_MAX)
		return false;
	if (l->o.s6_addr[0] != 0xfd || !overlay_same_prefix(&l->a, &l->o) || !memcmp(&l->a, &l->o, sizeof(l->a)))
		return false;
	/* A relay twice in a circuit would meet its own address as a selector. */
	for (size_t j = 0; j < i; j++)
		if (overlay_same_prefix(&c->layers[j].o, &l->o))
			return false;
	return true;
}

int chainlink_of(const struct origin_circuit *c, struct chainlink *ret)
{
	struct chainlink k = { .c = c };
	enum suite suites[HOPS_MAX];
	if (slot_selection(c->slot) > CIRCUIT_ID_MAX || c->slot > SLOT_MAX || !c->n_layers || c->n_layers > HOPS_MAX ||
	    c->guard_link < LINK_FIRST || c->guard_link > LINK_LAST)
		return -EINVAL;
	for (size_t i = 0; i < c->n_layers; i++) {
		if (!layer_ok(c, i))
			return -EINVAL;
		suites[i] = c->layers[i].suite;
		dev_layer(c->slot, (unsigned int)i, c->n_layers, k.dev[i]);
	}
	int r = mtu_layers(c->link_mtu, c->n_layers, suites, k.mtu);
	if (r < 0)
		return r;
	uint16_t *inner = &k.mtu[c->n_layers - 1];
	if (c->inner.mtu && c->inner.mtu < *inner)
		*inner = c->inner.mtu;
	k.inner4 = c->inner.has4;
	k.inner6 = c->inner.has6 && *inner >= MTU_INNER6;
	if (!k.inner4 && !k.inner6)
		return -EINVAL;
	/* An inner address is used as a source and opens a fence: only ranges that exits give addresses from. */
	if (k.inner4 && !addr4_is_shared(c->inner.addr4))
		return -EINVAL;
	const struct layer *last = &c->layers[c->n_layers - 1];
	if (k.inner6 &&
	    (!overlay_same_prefix(&c->inner.addr6, &last->o) || overlay_link(&c->inner.addr6) != LINK_INNER))
		return -EINVAL;
	*ret = k;
	return 0;
}

static bool carries(const struct chainlink *k, uint8_t family)
{
	return family == AF_INET6 ? k->inner6 : k->inner4;
}

bool chainlink_resolver(const struct chainlink *k, uint8_t family, struct prefix *ret)
{
	const struct inner *in = &k->c->inner;
	bool six = family == AF_INET6;
	*ret = six ? host6(&in->dns6) : host4(in->dns4);
	return carries(k, family) && (six ? !IN6_IS_ADDR_UNSPECIFIED(&in->dns6) : in->dns4.s_addr != 0);
}

uint32_t chainlink_mark(const struct chainlink *k)
{
	return ifid_layer(k->c->slot, (unsigned int)k->c->n_layers - 1);
}

/* What may come out of layer i (T_(i+1)): only the next layer, from the relay and for the address of that layer. */
static int layer_ingress(struct plan *p, const struct chainlink *k, size_t i)
{
	struct chain c;
	const struct layer *next = &k->c->layers[i + 1];
	chain_open(&c, NFT_NETDEV, k->dev[i], "type filter hook ingress device \"%s\" priority 0; policy drop;",
		   k->dev[i]);
	chain_rule(&c, "ip6 nexthdr esp ip6 saddr %s ip6 daddr %s meta mark set 0x%x accept", text_addr6(&next->o).s,
		   text_addr6(&next->a).s, ifid_layer(k->c->slot, (unsigned int)i));
	chain_rule(&c, "counter name drop_layer drop");
	return chain_close(&c, p);
}

static int anon_ingress(struct plan *p, const struct chainlink *k)
{
	struct chain c;
	const char *dev = k->dev[k->c->n_layers - 1];
	chain_open(&c, NFT_NETDEV, dev, "type filter hook ingress device \"%s\" priority 0; policy drop;", dev);
	if (k->inner4) {
		struct prefix a = host4(k->c->inner.addr4);
		chain_rule(&c, "ip daddr %s accept", text_prefix(&a).s);
	}
	if (k->inner6)
		chain_rule(&c, "ip6 daddr %s accept", text_addr6(&k->c->inner.addr6).s);
	chain_rule(&c, "counter name drop_anon drop");
	return chain_close(&c, p);
}

/*
 * Where a circuit's addresses may stand. In OUT the device is what the first routing decision said; another one (a mark
 * or a changed destination, ip_route_me_harder) is only seen in POST. There, a packet that a transformation is ahead of
 * comes by with the device behind it: `rt ipsec missing` leaves it out.
 */
enum fence { FENCE_IN, FENCE_OUT, FENCE_POST };

/* One address of the circuit, which belongs to dev. Nobody else sends from it, so it comes in as a source from nowhere.
 */
static void fence_addr(struct chain *c, enum fence which, const char *ip, const char *addr, const char *dev)
{
	if (which == FENCE_IN) {
		chain_rule(c, "%s daddr %s iifname != \"%s\" counter name drop_public drop", ip, addr, dev);
		chain_rule(c, "%s saddr %s counter name drop_public drop", ip, addr);
	} else {
		chain_rule(c, "%s saddr %s oifname != \"%s\" %scounter name drop_output drop", ip, addr, dev,
			   which == FENCE_POST ? NOT_WRAPPED : "");
	}
}

static int circuit_fence(struct plan *p, const struct chainlink *k, enum fence which)
{
	static const struct {
		const char *name, *hook;
	} fences[] = { [FENCE_IN] = { "in", "prerouting priority raw" },
		       [FENCE_OUT] = { "out", "output priority 10" },
		       [FENCE_POST] = { "post", HOOK_POST } };
	const char *anon = k->dev[k->c->n_layers - 1];
	char name[NFT_NAME_MAX];
	struct chain c;
	snprintf(name, sizeof(name), "%s_%s", fences[which].name, anon);
	chain_open(&c, NFT_INET, name, "type filter hook %s; policy accept;", fences[which].hook);
	chain_rule(&c, "%s \"lo\" accept", which == FENCE_IN ? "iifname" : "oifname");
	for (size_t i = 1; i < k->c->n_layers; i++)
		fence_addr(&c, which, "ip6", text_addr6(&k->c->layers[i].a).s, k->dev[i - 1]);
	if (k->inner4) {
		struct prefix a = host4(k->c->inner.addr4);
		fence_addr(&c, which, "ip", text_prefix(&a).s, anon);
	}
	if (k->inner6)
		fence_addr(&c, which, "ip6", text_addr6(&k->c->inner.addr6).s, anon);
	return chain_close(&c, p);
}

static int circuit_devices(struct plan *p, const struct chainlink *k)
{
	size_t n = k->c->n_layers;
	int r = 0;
	for (size_t i = 0; i < n && r >= 0; i++)
		r = build_link(p, k->dev[i], ifid_layer(k->c->slot, (unsigned int)i), k->mtu[i], false);
	for (size_t i = 0; i + 1 < n && r >= 0; i++)
		r = layer_ingress(p, k, i);
	if (r >= 0)
		r = anon_ingress(p, k);
	for (enum fence f = FENCE_IN; f <= FENCE_POST && r >= 0; f++)
		r = circuit_fence(p, k, f);
	return r;
}

static int layer_sas(struct plan *p, const struct chainlink *k, size_t i, const struct layer_keys *keys)
{
	const struct origin_circuit *c = k->c;
	const struct layer *l = &c->layers[i];
	bool last = i + 1 == c->n_layers;
	struct kobj_sa sa = {
		.src = l->a,
		.dst = l->o,
		.spi = l->spi_fwd,
		.if_id = ifid_layer(c->slot, (unsigned int)i),
		.reqid = reqid_layer(c->slot, (unsigned int)i),
		.mode = last ? SA_TUNNEL : SA_BEET,
		.suite = l->suite,
		.key = keys ? keys[i].fwd : NULL,
		.expires = c->expires ? c->expires + SA_EXPIRY_SLACK : 0,
	};
	if (!last) {
		sa.sel_src = l[1].a;
		sa.sel_dst = l[1].o;
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
	sa.key = keys ? keys[i].back : NULL;
	sa.inbound = true;
	sa.mark = i ? ifid_layer(c->slot, (unsigned int)i - 1) : IFID_LINK_BASE + c->guard_link;
	if (!last) {
		sa.sel_src = l[1].o;
		sa.sel_dst = l[1].a;
	}
	o->sa = sa;
	return 0;
}

static int layer_sp(struct plan *p, const struct chainlink *k, size_t i, struct prefix src, struct prefix dst)
{
	struct kobject *o = plan_add(p, KOBJ_SP);
	if (!o)
		return -ENOMEM;
	o->sp = (struct kobj_sp){
		.src = src,
		.dst = dst,
		.tmpl_src = k->c->layers[i].a,
		.tmpl_dst = k->c->layers[i].o,
		.mode = i + 1 == k->c->n_layers ? SA_TUNNEL : SA_BEET,
		.if_id = ifid_layer(k->c->slot, (unsigned int)i),
		.reqid = reqid_layer(k->c->slot, (unsigned int)i),
	};
	return 0;
}

static int circuit_xfrm(struct plan *p, const struct chainlink *k, const struct layer_keys *keys)
{
	const struct layer *l = k->c->layers;
	size_t n = k->c->n_layers;
	int r = 0;
	for (size_t i = 0; i < n && r >= 0; i++)
		r = layer_sas(p, k, i, keys);
	for (size_t i = 0; i + 1 < n && r >= 0; i++)
		r = layer_sp(p, k, i, host6(&l[i + 1].a), host6(&l[i + 1].o));
	if (r >= 0 && k->inner4)
		r = layer_sp(p, k, n - 1, host4(k->c->inner.addr4), (struct prefix){ .family = AF_INET });
	if (r >= 0 && k->inner6)
		r = layer_sp(p, k, n - 1, host6(&k->c->inner.addr6), (struct prefix){ .family = AF_INET6 });
	return r;
}

/*
 * A_c(i+1) belongs to the device that T_(i+1) comes out of the previous layer by: the kernel asks the device that owns
 * an IPv6 address whether inbound policies are checked, and on these they are not (lo keeps its checks).
 */
static int circuit_addresses(struct plan *p, const struct chainlink *k)
{
	size_t n = k->c->n_layers;
	int r = 0;
	for (size_t i = 0; i < n && r >= 0; i++)
		r = build_up(p, k->dev[i]);
	for (size_t i = 1; i < n && r >= 0; i++)
		r = build_addr(p, k->dev[i - 1], host6(&k->c->layers[i].a));
	if (r >= 0 && k->inner4)
		r = build_addr(p, k->dev[n - 1], host4(k->c->inner.addr4));
	if (r >= 0 && k->inner6)
		r = build_addr(p, k->dev[n - 1], host6(&k->c->inner.addr6));
	return r;
}

/*
 * OR_(i+1) lies behind layer i, but only for packets from this circuit's address: another circuit may meet the same
 * relay behind other guards.
 */
static int circuit_layer_routes(struct plan *p, const struct chainlink *k)
{
	int r = 0;
	for (size_t i = 1; i < k->c->n_layers && r >= 0; i++) {
		const struct layer *l = &k->c->layers[i];
		struct kobj_route route = { .type = ROUTE_UNICAST,
					    .dst = host6(&l->o),
					    .from = host6(&l->a),
					    .table = RT_TABLE_MAIN,
					    .metric = ROUTE_METRIC,
					    .hoplimit = OVERLAY_HOPLIMIT };
		memcpy(route.dev, k->dev[i - 1], IFNAMSIZ);
		r = build_route(p, &route);
	}
	return r;
}

/* The exit's gateway, which lies in the overlay's range. */
static int circuit_gateway(struct plan *p, const struct chainlink *k)
{
	if (!k->inner6)
		return 0;
	struct in6_addr gw6 = overlay_gateway(&k->c->inner.addr6);
	struct kobj_route route = { .type = ROUTE_UNICAST,
				    .dst = host6(&gw6),
				    .from = host6(&k->c->inner.addr6),
				    .table = RT_TABLE_MAIN,
				    .metric = ROUTE_METRIC };
	memcpy(route.dev, k->dev[k->c->n_layers - 1], IFNAMSIZ);
	/* Whatever else lies in the exit's inner range: not over the default route. */
	int r = build_unreachable(p, prefix6(&gw6, 80), RT_TABLE_MAIN, ROUTE_METRIC_UNREACHABLE + k->c->slot);
	return r < 0 ? r : build_route(p, &route);
}

static struct prefix inner_addr(const struct chainlink *k, uint8_t family)
{
	const struct inner *in = &k->c->inner;
	return family == AF_INET6 ? host6(&in->addr6) : host4(in->addr4);
}

static struct kobj_route route_into(const struct chainlink *k, const struct prefix *dst, uint32_t table, bool src)
{
	struct kobj_route route = { .type = ROUTE_UNICAST, .dst = *dst, .table = table, .metric = 1 + k->c->slot };
	if (src)
		route.src = inner_addr(k, dst->family);
	memcpy(route.dev, k->dev[k->c->n_layers - 1], IFNAMSIZ);
	return route;
}

int origin_default_routes(struct plan *p, const struct chainlink *k, uint32_t table, bool src)
{
	int r = 0;
	for (size_t i = 0; i < ARRAY_SIZE(families) && r >= 0; i++) {
		struct kobj_route route = route_into(k, &(struct prefix){ .family = families[i] }, table, src);
		if (carries(k, families[i]))
			r = build_route(p, &route);
	}
	return r;
}

/*
 * What has one of its addresses stays in this circuit, whatever new connections do: sockets keep theirs, and the
 * kernel's own answers for a connection, of no socket and so of no user (ip_send_unicast_reply), have it too.
 */
static int circuit_bound(struct plan *p, const struct chainlink *k)
{
	uint32_t table = RT_TABLE_SLOT_BASE + k->c->slot;
	int r = origin_default_routes(p, k, table, true);
	for (size_t i = 0; i < ARRAY_SIZE(families) && r >= 0; i++)
		if (carries(k, families[i]))
			r = build_rule(p, &(struct kobj_rule){ .family = families[i],
							       .pref = RULE_PREF_BOUND,
							       .from = inner_addr(k, families[i]),
							       .local = true,
							       .table = table });
	return r;
}

int plan_origin_circuit(struct plan *p, const struct origin_circuit *c, const struct layer_keys *keys)
{
	struct chainlink k;
	int r = chainlink_of(c, &k);
	if (r >= 0)
		r = circuit_devices(p, &k);
	if (r >= 0)
		r = circuit_xfrm(p, &k, keys);
	if (r >= 0)
		r = circuit_addresses(p, &k);
	if (r >= 0)
		r = circuit_layer_routes(p, &k);
	if (r >= 0)
		r = circuit_gateway(p, &k);
	return r < 0 ? r : circuit_bound(p, &k);
}

/*
 * A changed destination is routed once more, in IPv4 without regard to user and port (ip_route_me_harder): so what is
 * going to be changed gets a mark that leads to the same table.
 */
static int circuit_dns_way(struct plan *p, const struct chainlink *k)
{
	const char *dev = k->dev[k->c->n_layers - 1];
	char name[NFT_NAME_MAX];
	struct chain chain;
	snprintf(name, sizeof(name), "asks_%s", dev);
	chain_open(&chain, NFT_INET, name, "type route hook output priority mangle; policy accept;");
	chain_rule(&chain, "oifname \"%s\" " MATCH_DNS " meta mark set 0x%x", dev, chainlink_mark(k));
	int r = chain_close(&chain, p);
	for (size_t i = 0; i < ARRAY_SIZE(families) && r >= 0; i++)
		r = build_rule(p, &(struct kobj_rule){ .family = families[i],
						       .pref = RULE_PREF_BOUND,
						       .fwmark = chainlink_mark(k),
						       .local = true,
						       .table = RT_TABLE_SLOT_BASE + k->c->slot });
	return r;
}

/*
 * A circuit that carries everything carries every question to a resolver too, of the local network's as well, where the
 * exit does not lead: all go to the exit's own. It asks for many, and it is the one party that sees the destinations
 * anyway.
 */
static int circuit_dns(struct plan *p, const struct chainlink *k, const struct selection *sel)
{
	const char *dev = k->dev[k->c->n_layers - 1];
	struct prefix dns4, dns6;
	bool four = selection_all(sel, AF_INET) && chainlink_resolver(k, AF_INET, &dns4);
	bool six = selection_all(sel, AF_INET6) && chainlink_resolver(k, AF_INET6, &dns6);
	char name[NFT_NAME_MAX];
	struct chain chain;
	if (!four && !six)
		return 0;
	if (selection_has_table(sel)) {
		int r = circuit_dns_way(p, k);
		if (r < 0)
			return r;
	}
	snprintf(name, sizeof(name), "dns_%s", dev);
	chain_open(&chain, NFT_INET, name, "type nat hook output priority -100; policy accept;");
	chain_rule(&chain, "oifname != \"%s\" accept", dev);
	if (four)
		chain_rule(&chain, MATCH_DNS " dnat ip to %s", text_prefix(&dns4).s);
	if (six)
		chain_rule(&chain, MATCH_DNS " dnat ip6 to %s", text_prefix(&dns6).s);
	return chain_close(&chain, p);
}

/* Destinations alone: one table for all circuits, the longest prefix counts. */
static int destination_routes(struct plan *p, const struct chainlink *k, const struct selection *sel)
{
	int r = 0;
	for (size_t i = 0; i < sel->n && r >= 0; i++) {
		struct kobj_route route = route_into(k, &sel->prefixes[i], RT_TABLE_ANON, true);
		if (carries(k, sel->prefixes[i].family))
			r = build_route(p, &route);
	}
	return r;
}

int plan_origin_service(struct plan *p, const struct origin_circuit *c, const struct selection *sel,
			const struct lans *lans)
{
	struct chainlink k;
	int r = chainlink_of(c, &k);
	if (r < 0)
		return r;
	if (sel->lan)
		return lans && lans->n ? lan_service(p, &k, sel, lans) : -EINVAL;
	return circuit_dns(p, &k, sel);
}

int plan_origin_routes(struct plan *p, const struct origin_circuit *c, const struct selection *sel,
		       const struct lans *lans)
{
	struct chainlink k;
	int r = chainlink_of(c, &k);
	if (r < 0)
		return r;
	if (sel->lan)
		return lans && lans->n ? lan_routes(p, &k, sel, lans) : -EINVAL;
	if (!selection_narrow(sel))
		r = destination_routes(p, &k, sel);
	if (r < 0 || !selection_has_table(sel))
		return r;
	return origin_default_routes(p, &k, RT_TABLE_SELECTION_BASE + slot_selection(c->slot), true);
}
