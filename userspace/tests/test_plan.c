/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
/* cmocka.h needs the headers above */
#include <cmocka.h>

#include "model/overlay.h"
#include "plan/mtu.h"
#include "plan/nft.h"
#include "plan/plan.h"

static struct in6_addr addr6(const char *s)
{
	struct in6_addr a;
	assert_int_equal(inet_pton(AF_INET6, s, &a), 1);
	return a;
}

static struct in_addr addr4(const char *s)
{
	struct in_addr a;
	assert_int_equal(inet_pton(AF_INET, s, &a), 1);
	return a;
}

static size_t count(const struct plan *p, enum kobject_type type)
{
	size_t n = 0;
	for (size_t i = 0; i < p->n; i++)
		n += p->v[i].type == type;
	return n;
}

static const struct kobject *nth(const struct plan *p, enum kobject_type type, size_t n)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->v[i].type == type && n-- == 0)
			return &p->v[i];
	fail();
	return NULL;
}

static const struct kobj_nft *chain_named(const struct plan *p, const char *name)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->v[i].type == KOBJ_NFT && p->v[i].nft.kind == NFT_CHAIN && !strcmp(p->v[i].nft.name, name))
			return &p->v[i].nft;
	return NULL;
}

static void assert_rule(const struct plan *p, const char *chain, const char *rule)
{
	const struct kobj_nft *c = chain_named(p, chain);
	assert_non_null(c);
	if (!strstr(c->rules, rule)) {
		print_message("%s lacks: %s\nit has:\n%s", chain, rule, c->rules);
		fail();
	}
}

#define TO(list, count) (&(const struct selection){ .prefixes = (list), .n = (count) })
#define HOSTS(list, count) (&(const struct selection){ .prefixes = (list), .n = (count), .lan = true })

static struct relay_circuit middle(void)
{
	return (struct relay_circuit){ .number = 7,
				       .layer = { .a = addr6("fd22::2:0:0:9"),
						  .o = addr6("fd22::1"),
						  .spi_fwd = SPI_MIN,
						  .spi_back = SPI_MAX,
						  .suite = SUITE_AES128_GCM_8 },
				       .next_a = addr6("fd33::3:0:0:9"),
				       .next_o = addr6("fd33::1") };
}

static struct relay_circuit at_exit(void)
{
	struct relay_circuit c = middle();
	c.exit = true;
	c.layer.suite = SUITE_AES128_GCM_16;
	c.inner = (struct inner){ .has4 = true,
				  .has6 = true,
				  .addr4 = addr4("100.96.0.5"),
				  .gw4 = addr4("100.96.0.1"),
				  .addr6 = addr6("fd22::ffff:0:0:5") };
	return c;
}

static struct origin_circuit circuit(uint32_t slot)
{
	struct origin_circuit c = { .slot = slot, .n_layers = 3, .guard_link = 2, .link_mtu = LINK_MTU };
	static const char *const o[] = { "fd11::1", "fd22::1", "fd33::1" };
	for (size_t i = 0; i < 3; i++) {
		struct in6_addr relay = addr6(o[i]);
		c.layers[i] = (struct layer){ .a = overlay_addr(&relay, i ? 2 : 1, i ? 0x100 + slot : 0x42),
					      .o = relay,
					      .spi_fwd = SPI_MIN + slot * 16 + (uint32_t)i * 2,
					      .spi_back = SPI_MIN + slot * 16 + (uint32_t)i * 2 + 1,
					      .suite = i == 2 ? SUITE_AES128_GCM_16 : SUITE_AES128_GCM_8 };
	}
	c.inner = (struct inner){ .has4 = true, .has6 = true, .addr4 = { htonl(0x64600005 + slot) } };
	c.inner.addr6 = overlay_addr(&c.layers[2].o, LINK_INNER, 5 + slot);
	return c;
}

static void prefixes(void **state)
{
	(void)state;
	struct in6_addr a = addr6("fd12:3456:789a:bcde:ffff:ffff:ffff:ffff"), want = addr6("fd12:3456:789a:bcc0::");
	struct prefix p = prefix6(&a, 58);
	assert_memory_equal(&p.a6, &want, 16);
	assert_true(prefix_valid(&p));
	p.a6.s6_addr[15] = 1;
	assert_false(prefix_valid(&p));
	p = prefix4(addr4("10.1.2.3"), 8);
	assert_int_equal(p.a4.s_addr, addr4("10.0.0.0").s_addr);
	p.len = 33;
	assert_false(prefix_valid(&p));
	p = (struct prefix){ .family = AF_INET6, .len = 129 };
	assert_false(prefix_valid(&p));
	p = (struct prefix){ .family = 0 };
	assert_false(prefix_valid(&p));
}

static void every_field_counts(void **state)
{
	(void)state;
	struct kobject a = { .type = KOBJ_SA }, b;
	b = a;
	assert_true(kobject_equal(&a, &b));
	b.sa.key = (const uint8_t *)"not compared";
	assert_true(kobject_equal(&a, &b));
#define DIFFERS(field, value)                                                                                          \
	do {                                                                                                           \
		b = a;                                                                                                 \
		b.field = (value);                                                                                     \
		assert_false(kobject_equal(&a, &b));                                                                   \
	} while (0)
	DIFFERS(sa.src.s6_addr[3], 1);
	DIFFERS(sa.dst.s6_addr[3], 1);
	DIFFERS(sa.spi, 1);
	DIFFERS(sa.if_id, 1);
	DIFFERS(sa.reqid, 1);
	DIFFERS(sa.mode, SA_BEET);
	DIFFERS(sa.suite, SUITE_AES128_GCM_8);
	DIFFERS(sa.inbound, true);
	DIFFERS(sa.mark, 1);
	DIFFERS(sa.set_mark, 1);
	DIFFERS(sa.sel_src.s6_addr[0], 1);
	DIFFERS(sa.sel_dst.s6_addr[0], 1);
	/* the kernel counts down what is left; a plan made later for the same SA is no other SA */
	b = a;
	b.sa.expires = 1;
	assert_true(kobject_equal(&a, &b));
	a = (struct kobject){ .type = KOBJ_ROUTE };
	DIFFERS(route.type, ROUTE_UNREACHABLE);
	DIFFERS(route.dst.len, 1);
	DIFFERS(route.from.family, AF_INET6);
	DIFFERS(route.src.family, AF_INET);
	DIFFERS(route.dev[0], 'x');
	DIFFERS(route.table, 1);
	DIFFERS(route.metric, 1);
	DIFFERS(route.mtu, 1);
	DIFFERS(route.hoplimit, 1);
#undef DIFFERS
}

static void scripts(void **state)
{
	(void)state;
	_cleanup_plan_ struct plan p = { 0 };
	struct kobject o = { .type = KOBJ_NFT };
	o.nft = (struct kobj_nft){ .kind = NFT_TABLE, .family = NFT_INET, .name = "anon" };
	assert_int_equal(plan_add_copy(&p, &o), 0);
	o.nft = (struct kobj_nft){ .kind = NFT_CHAIN,
				   .family = NFT_INET,
				   .name = "c",
				   .spec = (char *)(uintptr_t) "hook;",
				   .rules = (char *)(uintptr_t) "one\ntwo\n" };
	assert_int_equal(plan_add_copy(&p, &o), 0);
	_cleanup_free_ char *add = nft_script_add(p.v, p.n), *del = nft_script_remove(p.v, p.n);
	assert_string_equal(add, "add table inet anon\n"
				 "add chain inet anon c { hook; }\n"
				 "flush chain inet anon c\n"
				 "add rule inet anon c one\n"
				 "add rule inet anon c two\n");
	assert_string_equal(del, "add chain inet anon c\n"
				 "flush chain inet anon c\n"
				 "delete chain inet anon c\n"
				 "add table inet anon\n"
				 "delete table inet anon\n");
}

static void relay_link(void **state)
{
	(void)state;
	_cleanup_plan_ struct plan p = { 0 };
	struct link l = { .kind = LINK_KIND_RELAY,
			  .number = 9,
			  .self = addr6("fd22::1"),
			  .remote = addr6("fd33::1"),
			  .mtu = LINK_MTU };
	assert_int_equal(plan_link(&p, &l), 0);
	assert_string_equal(chain_named(&p, "ovl9")->rules,
			    "ip6 nexthdr esp ip6 saddr fd22::9:0:0:0/80 ip6 daddr fd22::1 @nh,0,32 set 0x60000000 "
			    "ip6 hoplimit set 64 meta mark set 0x616f0009 accept\n"
			    "ip6 nexthdr esp ip6 saddr fd33::1 ip6 daddr fd33::/64 @nh,0,32 set 0x60000000 ip6 "
			    "hoplimit set 64 accept\n"
			    "ip6 nexthdr udp ip6 saddr fd33::1 ip6 daddr fd22::1 udp dport 4711 accept\n"
			    "ip6 nexthdr 59 ip6 saddr fd33::1 ip6 daddr fd22::1 drop\n"
			    "counter name drop_link drop\n");
	assert_string_equal(chain_named(&p, "ovl9")->spec,
			    "type filter hook ingress device \"ovl9\" priority 0; policy drop;");
	/* policies stay checked on a link: no disable_policy */
	for (size_t i = 0; i < p.n; i++)
		assert_true(p.v[i].type != KOBJ_SYSCTL || !strstr(p.v[i].sysctl.name, "disable_policy"));
	assert_int_equal(count(&p, KOBJ_ROUTE), 3);
	assert_int_equal(nth(&p, KOBJ_ROUTE, 1)->route.dst.len, 127);
	assert_int_equal(nth(&p, KOBJ_ROUTE, 1)->route.hoplimit, 63);
	assert_string_equal(nth(&p, KOBJ_ROUTE, 2)->route.dev, "circ0");
}

static void clients_link(void **state)
{
	(void)state;
	_cleanup_plan_ struct plan p = { 0 };
	struct link l = { .kind = LINK_KIND_CLIENTS, .number = 1, .self = addr6("fd22::1"), .mtu = LINK_MTU };
	assert_int_equal(plan_link(&p, &l), 0);
	assert_string_equal(chain_named(&p, "ovl1")->rules,
			    "ip6 nexthdr esp ip6 saddr fd22::1:0:0:0/80 ip6 daddr fd22::1 @nh,0,32 set 0x60000000 "
			    "ip6 hoplimit set 64 meta mark set 0x616f0001 accept\n"
			    "ip6 nexthdr udp ip6 saddr fd22::1:0:0:0/80 ip6 daddr fd22::1 udp dport 4711 accept\n"
			    "ip6 nexthdr 59 ip6 saddr fd22::1:0:0:0/80 ip6 daddr fd22::1 drop\n"
			    "counter name drop_link drop\n");
	assert_int_equal(count(&p, KOBJ_ROUTE), 1);
}

static size_t index_of(const struct plan *p, enum kobject_type type)
{
	size_t i = 0;
	while (i < p->n && p->v[i].type != type)
		i++;
	return i;
}

static void shaped_links(void **state)
{
	(void)state;
	_cleanup_plan_ struct plan p = { 0 }, clients = { 0 }, client = { 0 };
	const struct link_shape shape = {
		.interval_ns = 10000000, .steps = 2, .step_time_ns = 5, .idle_ns = 6, .window_ns = 7
	};
	struct link l = { .kind = LINK_KIND_RELAY,
			  .number = 9,
			  .self = addr6("fd22::1"),
			  .remote = addr6("fd33::1"),
			  .mtu = LINK_MTU,
			  .shape = shape };
	assert_int_equal(plan_link(&p, &l), 0);
	/* nothing may leave before it is shaped */
	assert_true(index_of(&p, KOBJ_LINK) < index_of(&p, KOBJ_TFC));
	assert_true(index_of(&p, KOBJ_TFC) < index_of(&p, KOBJ_TFC_PEER));
	assert_true(index_of(&p, KOBJ_TFC_PEER) < index_of(&p, KOBJ_LINK_UP));
	const struct kobj_tfc *t = &nth(&p, KOBJ_TFC, 0)->tfc;
	assert_string_equal(t->dev, "ovl9");
	assert_int_equal(t->size, LINK_MTU);
	assert_false(t->shared);
	assert_int_equal(t->interval_ns, 10000000);
	assert_int_equal(t->window_ns, 7);
	assert_memory_equal(&nth(&p, KOBJ_TFC_PEER, 0)->tfc_peer.dst, &l.remote, 16);
	/* the clients' has no far end before they come */
	l.kind = LINK_KIND_CLIENTS;
	l.number = LINK_CLIENTS;
	assert_int_equal(plan_link(&clients, &l), 0);
	assert_true(nth(&clients, KOBJ_TFC, 0)->tfc.shared);
	assert_int_equal(count(&clients, KOBJ_TFC_PEER), 0);
	struct in6_addr a = addr6("fd22::1:0:0:1042"), wrong = addr6("fd33::1:0:0:1042");
	assert_int_equal(plan_link_client(&client, &l, &a), 0);
	assert_int_equal(nth(&client, KOBJ_TFC_PEER, 0)->tfc_peer.number, 0x1042);
	assert_int_equal(plan_link_client(&client, &l, &wrong), -EINVAL);
	l.shape = (struct link_shape){ 0 };
	assert_int_equal(plan_link_client(&client, &l, &a), -EINVAL);
}

static void guard_link(void **state)
{
	(void)state;
	_cleanup_plan_ struct plan p = { 0 };
	struct link l = { .kind = LINK_KIND_GUARD,
			  .number = 2,
			  .self = addr6("fd11::1:0:0:42"),
			  .remote = addr6("fd11::1"),
			  .mtu = LINK_MTU };
	assert_int_equal(plan_link(&p, &l), 0);
	assert_string_equal(
		chain_named(&p, "ovl2")->rules,
		"ip6 nexthdr esp ip6 saddr fd11::1 ip6 daddr fd11::1:0:0:42 meta mark set 0x616f0002 accept\n"
		"ip6 nexthdr udp ip6 saddr fd11::1 ip6 daddr fd11::1:0:0:42 udp dport 4711 accept\n"
		"ip6 nexthdr 59 ip6 saddr fd11::1 ip6 daddr fd11::1:0:0:42 drop\n"
		"counter name drop_link drop\n");
	assert_string_equal(nth(&p, KOBJ_ADDR, 0)->addr.dev, "lo");
	assert_rule(&p, "out_ovl2", "ip6 saddr fd11::1:0:0:42 oifname != \"ovl2\" oifname != \"lo\"");
	/* nothing that the link's policy would refuse */
	assert_rule(&p, "out_ovl2",
		    "oifname \"ovl2\" ip6 saddr fd11::1:0:0:42 ip6 daddr fd11::1 accept\noifname \"ovl2\" drop\n");
	assert_rule(&p, "in_ovl2", "ip6 saddr fd11::1:0:0:42 iifname != \"lo\" counter name drop_public drop\n");
	/* a guard gives addresses of its pool, no others: they become the client's own */
	static const char *const wrong[] = { "fd11::1",	       "fd11::1:0:0:0",	    "fd22::1:0:0:42",
					     "fd11::2:0:0:42", "fd11::ffff:0:0:42", "fd11::42",
					     "fd11::1:0:1:42", "2001:db8::1:0:0:42" };
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		plan_clear(&p);
		l.self = addr6(wrong[i]);
		assert_int_equal(plan_link(&p, &l), -EINVAL);
	}
	plan_clear(&p);
	l.self = addr6("fd11::1:0:0:ffff");
	assert_int_equal(plan_link(&p, &l), 0);
}

static void links_refused(void **state)
{
	(void)state;
	struct link good = { .kind = LINK_KIND_RELAY,
			     .number = 9,
			     .self = addr6("fd22::1"),
			     .remote = addr6("fd33::1"),
			     .mtu = LINK_MTU };
	for (int i = 0; i < 7; i++) {
		_cleanup_plan_ struct plan p = { 0 };
		struct link l = good;
		switch (i) {
		case 0:
			l.remote = addr6("fd22::5"); /* our own prefix behind a neighbour */
			break;
		case 1:
			l.number = LINK_CLIENTS;
			break;
		case 2:
			l.number = LINK_INNER;
			break;
		case 3:
			l.mtu = 1279;
			break;
		case 4:
			l.remote = addr6("2001:db8::1");
			break;
		case 5:
			l.kind = LINK_KIND_CLIENTS; /* with a number of its own */
			break;
		default:
			l.self = addr6("::1");
			break;
		}
		assert_int_equal(plan_link(&p, &l), -EINVAL);
	}
}

static void middle_circuit(void **state)
{
	(void)state;
	_cleanup_plan_ struct plan p = { 0 };
	struct relay_circuit c = middle();
	struct layer_keys keys;
	assert_int_equal(plan_relay_circuit(&p, &c, &keys), 0);
	assert_int_equal(p.n, 3);
	const struct kobj_sa *in = &nth(&p, KOBJ_SA, 0)->sa, *out = &nth(&p, KOBJ_SA, 1)->sa;
	assert_true(in->inbound && !out->inbound);
	assert_int_equal(in->mode, SA_BEET);
	assert_ptr_equal(in->key, keys.fwd);
	assert_ptr_equal(out->key, keys.back);
	assert_int_equal(in->spi, SPI_MIN);
	assert_int_equal(out->spi, SPI_MAX);
	assert_int_equal(in->mark, IFID_LINK_BASE + 2); /* the link that A_c names */
	assert_int_equal(in->set_mark, 0);
	assert_int_equal(out->mark, 0);
	assert_memory_equal(&in->sel_src, &c.next_a, 16);
	assert_memory_equal(&out->sel_src, &c.next_o, 16);
	const struct kobj_sp *sp = &nth(&p, KOBJ_SP, 0)->sp;
	assert_memory_equal(&sp->src.a6, &c.next_o, 16);
	assert_memory_equal(&sp->dst.a6, &c.next_a, 16);
	assert_memory_equal(&sp->tmpl_dst, &c.layer.a, 16);
	assert_int_equal(sp->if_id, IFID_CIRC);
}

static void exit_circuit(void **state)
{
	(void)state;
	_cleanup_plan_ struct plan p = { 0 };
	struct relay_circuit c = at_exit();
	assert_int_equal(plan_relay_circuit(&p, &c, NULL), 0);
	assert_int_equal(count(&p, KOBJ_SA), 2);
	assert_int_equal(count(&p, KOBJ_SP), 2);
	assert_int_equal(count(&p, KOBJ_ELEM), 4);
	/* nothing else: no route, rule or interface for a circuit */
	assert_int_equal(p.n, 8);
	const struct kobj_sa *in = &nth(&p, KOBJ_SA, 0)->sa;
	uint32_t mark = REQID_RELAY_BASE + 7;
	assert_int_equal(in->mode, SA_TUNNEL);
	assert_int_equal(in->set_mark, mark);
	assert_null(in->key);
	const struct kobj_elem *e = &nth(&p, KOBJ_ELEM, 0)->elem;
	assert_string_equal(e->set, "circ4");
	assert_int_equal(e->len, 8);
	assert_memory_equal(e->key, &mark, 4);
	assert_memory_equal(e->key + 4, &c.inner.addr4, 4);
	assert_int_equal(e->family, NFT_NETDEV);
	/* the same for the way back */
	const struct kobj_elem *live = &nth(&p, KOBJ_ELEM, 1)->elem;
	assert_string_equal(live->set, "live4");
	assert_int_equal(live->family, NFT_INET);
	assert_memory_equal(live->key, e->key, 8);
	assert_string_equal(nth(&p, KOBJ_ELEM, 2)->elem.set, "circ6");
	assert_int_equal(nth(&p, KOBJ_ELEM, 2)->elem.len, 20);
	assert_string_equal(nth(&p, KOBJ_ELEM, 3)->elem.set, "live6");
	assert_memory_equal(nth(&p, KOBJ_ELEM, 3)->elem.key, nth(&p, KOBJ_ELEM, 2)->elem.key, 20);
	/* only what the circuit has been given */
	plan_clear(&p);
	c.inner.has6 = false;
	assert_int_equal(plan_relay_circuit(&p, &c, NULL), 0);
	assert_int_equal(count(&p, KOBJ_SP), 1);
	assert_int_equal(count(&p, KOBJ_ELEM), 2);
}

static void relay_circuits_refused(void **state)
{
	(void)state;
	for (int i = 0; i < 12; i++) {
		_cleanup_plan_ struct plan p = { 0 };
		struct relay_circuit c = i < 7 ? middle() : at_exit();
		switch (i) {
		case 0:
			c.number = 0;
			break;
		case 1:
			c.number = RELAY_CIRCUIT_MAX + 1;
			break;
		case 2:
			c.layer.spi_fwd = 0xc0000001; /* charon's */
			break;
		case 3:
			c.layer.a = addr6("fd99::2:0:0:9"); /* not ours */
			break;
		case 4:
			c.layer.a = addr6("fd22::ffff:0:0:9"); /* an inner address */
			break;
		case 5:
			c.next_o = addr6("fd22::1"); /* next is ourselves */
			c.next_a = addr6("fd22::2:0:0:3");
			break;
		case 6:
			c.next_a = addr6("fd44::3:0:0:9"); /* not in next's prefix */
			break;
		case 7:
			c.inner.has4 = c.inner.has6 = false;
			break;
		case 8:
			c.inner.addr4 = c.inner.gw4;
			break;
		case 9:
			c.inner.addr6 = addr6("fd22::ffff:0:0:1"); /* the gateway */
			break;
		case 10:
			c.inner.addr6 = addr6("fd22::2:0:0:5"); /* a circuit address */
			break;
		default:
			c.inner.addr6 = addr6("2001:db8::5");
			break;
		}
		assert_int_equal(plan_relay_circuit(&p, &c, NULL), -EINVAL);
	}
}

static void relay_fences(void **state)
{
	(void)state;
	_cleanup_plan_ struct plan p = { 0 };
	static struct exit_policy policy;
	struct relay_base b = { .own = addr6("fd22::1") };
	assert_int_equal(plan_relay_base(&p, &b), 0);
	/* a middle has no inner addresses, no NAT, and no way from circ0 to the outside */
	assert_null(chain_named(&p, "relay_masquerade"));
	assert_null(strstr(chain_named(&p, "circ0")->rules, "@circ"));
	assert_null(strstr(chain_named(&p, "relay_forward")->rules, "ct state"));
	assert_null(chain_named(&p, "relay_flows"));
	assert_rule(&p, "relay_forward", "iifname \"circ0\" counter name drop_forward drop\n");
	plan_clear(&p);
	b.exit = b.inner4_enabled = b.inner6_enabled = true;
	b.inner4 = prefix4(addr4("100.96.0.0"), 16);
	assert_int_equal(plan_relay_base(&p, &b), -EINVAL); /* an exit has a policy */
	plan_clear(&p);
	b.policy = &policy;
	assert_int_equal(plan_relay_base(&p, &b), 0);
	/* the first packet of a flow is judged before the rules that let it out */
	assert_rule(&p, "relay_forward",
		    "iifname \"circ0\" ct state new ct status & confirmed == 0 jump exit_flow\n"
		    "iifname \"circ0\" ip saddr 100.96.0.0/16 tcp flags syn");
	assert_null(strstr(chain_named(&p, "relay_forward")->rules, "exit_up"));
	/* the mark goes on to relay_flows, which binds the flow to it and takes it away */
	assert_rule(&p, "circ0", "\nmeta mark . ip saddr @circ4 accept\nmeta mark . ip6 saddr @circ6 accept\n");
	assert_string_equal(chain_named(&p, "relay_flows")->rules,
			    "iifname != \"circ0\" accept\n"
			    "meta mark 0 meta l4proto esp accept\n"
			    "ct state new ct mark 0 ct mark set meta mark\n"
			    "meta mark set 0\n"
			    "ip daddr 100.96.0.1 icmp type echo-request accept\n"
			    "ip6 daddr fd22::ffff:0:0:1 icmpv6 type echo-request accept\n"
			    "ct mark . ip saddr @live4 accept\n"
			    "ct mark . ip6 saddr @live6 accept\n"
			    "counter name drop_flow drop\n");
	assert_rule(&p, "relay_forward",
		    "oifname \"circ0\" ct mark . ip daddr @live4 ct state established,related accept\n"
		    "oifname \"circ0\" ct mark . ip6 daddr @live6 ct state established,related accept\n"
		    "oifname \"circ0\" ct state established,related counter name drop_flow drop\n"
		    "oifname \"circ0\" counter name drop_forward drop\n");
	assert_null(strstr(chain_named(&p, "relay_forward")->rules,
			   "oifname \"circ0\" ct state established,related accept"));
	assert_rule(&p, "relay_circ",
		    "ip daddr 100.96.0.1 icmp type echo-request update @echo4 { ip saddr limit rate 5/second burst 10 "
		    "packets } accept\n");
	assert_rule(&p, "relay_circ", "update @echo6 { ip6 saddr limit rate ");
	assert_rule(&p, "relay_circ", " 168.63.129.16, ");
	assert_rule(&p, "relay_circ", "fib daddr type != unicast goto exit_private\n");
	assert_rule(&p, "relay_masquerade", "ip saddr 100.96.0.0/16 ");
	assert_rule(&p, "relay_masquerade", "ip6 saddr fd22::ffff:0:0:0/80 ");
	assert_rule(&p, "relay_prerouting", "ip6 daddr fd22::/64 counter name drop_public drop\n");
	assert_int_equal(nth(&p, KOBJ_ADDR, 1)->addr.addr.a4.s_addr, addr4("100.96.0.1").s_addr);
	assert_null(strstr(chain_named(&p, "relay_circ")->rules, "ip daddr 203.0.113.1 "));
	plan_clear(&p);
	b.limits.kib_per_second = 1;
	b.resolver = true;
	b.public4 = addr4("203.0.113.1");
	b.public6 = addr6("2001:db8::1");
	assert_int_equal(plan_relay_base(&p, &b), 0);
	assert_rule(&p, "relay_circ", "ip daddr 100.96.0.1 meta l4proto { tcp, udp } th dport 53 accept\n");
	assert_rule(&p, "relay_input",
		    "iifname \"circ0\" ip6 daddr fd22::ffff:0:0:1 meta l4proto { tcp, udp } th dport 53 ct state new "
		    "ct status & confirmed == 0 jump exit_limit\n");
	assert_rule(&p, "relay_forward", "iifname \"circ0\" jump exit_up\n");
	assert_rule(&p, "relay_forward", "oifname \"circ0\" jump exit_down\n");
	assert_rule(&p, "relay_circ",
		    "ip daddr 203.0.113.1 goto exit_private\nip6 daddr 2001:db8::1 goto exit_private\n");
	plan_clear(&p);
	b.inner4.a4 = addr4("100.96.0.1"); /* host bits */
	assert_int_equal(plan_relay_base(&p, &b), -EINVAL);
}

/* Everything that lets packets in stands behind the chain that judges them. */
static void assert_fenced(const struct plan *p)
{
	for (size_t i = 0; i < p->n; i++) {
		bool fenced = false;
		if (p->v[i].type != KOBJ_LINK_UP)
			continue;
		for (size_t j = 0; j < i; j++)
			fenced |= p->v[j].type == KOBJ_NFT && p->v[j].nft.family == NFT_NETDEV &&
				  !strcmp(p->v[j].nft.name, p->v[i].link.dev) &&
				  strstr(p->v[j].nft.spec, "policy drop") != NULL;
		assert_true(fenced);
	}
}

static void origin(void **state)
{
	(void)state;
	_cleanup_plan_ struct plan p = { 0 };
	struct origin_circuit c = circuit(3);
	struct layer_keys keys[3];
	assert_int_equal(plan_origin_circuit(&p, &c, keys), 0);
	assert_fenced(&p);
	assert_int_equal(count(&p, KOBJ_LINK), 3);
	assert_int_equal(count(&p, KOBJ_SA), 6);
	assert_int_equal(count(&p, KOBJ_SP), 4);
	assert_string_equal(nth(&p, KOBJ_LINK, 0)->link.dev, "hop3-1");
	assert_string_equal(nth(&p, KOBJ_LINK, 2)->link.dev, "anon3");
	assert_int_equal(nth(&p, KOBJ_LINK, 2)->link.mtu, 1286);
	/* T_(i+1) is only found by what came out of T_i, T_1 by what came over the guard's link */
	assert_int_equal(nth(&p, KOBJ_SA, 1)->sa.mark, IFID_LINK_BASE + 2);
	assert_int_equal(nth(&p, KOBJ_SA, 3)->sa.mark, ifid_layer(3, 0));
	assert_int_equal(nth(&p, KOBJ_SA, 5)->sa.mark, ifid_layer(3, 1));
	assert_ptr_equal(nth(&p, KOBJ_SA, 5)->sa.key, keys[2].back);
	assert_string_equal(
		chain_named(&p, "hop3-2")->rules,
		"ip6 nexthdr esp ip6 saddr fd33::1 ip6 daddr fd33::2:0:0:103 meta mark set 0x61700019 accept\n"
		"counter name drop_layer drop\n");
	assert_string_equal(chain_named(&p, "anon3")->rules, "ip daddr 100.96.0.8 accept\n"
							     "ip6 daddr fd33::ffff:0:0:8 accept\n"
							     "counter name drop_anon drop\n");
	assert_rule(&p, "out_anon3", "ip6 saddr fd22::2:0:0:103 oifname != \"hop3-1\" counter name drop_output drop\n");
	assert_rule(&p, "out_anon3", "ip saddr 100.96.0.8 oifname != \"anon3\" counter name drop_output drop\n");
	assert_rule(&p, "in_anon3", "ip saddr 100.96.0.8 counter name drop_public drop\n");
	assert_rule(&p, "in_anon3", "ip6 saddr fd33::ffff:0:0:8 counter name drop_public drop\n");
	assert_rule(&p, "in_anon3", "ip6 saddr fd22::2:0:0:103 counter name drop_public drop\n");
	assert_rule(&p, "in_anon3", "ip daddr 100.96.0.8 iifname != \"anon3\" counter name drop_public drop\n");
	/* the link's address and route are not the circuit's */
	for (size_t i = 0; i < count(&p, KOBJ_ADDR); i++)
		assert_string_not_equal(nth(&p, KOBJ_ADDR, i)->addr.dev, "lo");
	/* what is sent from other addresses is led by none of its routes: a rule asks for its own */
	for (size_t i = 0; i < count(&p, KOBJ_ROUTE); i++)
		assert_true(nth(&p, KOBJ_ROUTE, i)->route.from.len == 128 ||
			    nth(&p, KOBJ_ROUTE, i)->route.type == ROUTE_UNREACHABLE ||
			    nth(&p, KOBJ_ROUTE, i)->route.table == RT_TABLE_SLOT_BASE + 3);
	for (size_t i = 0; i < count(&p, KOBJ_RULE); i++)
		assert_true(nth(&p, KOBJ_RULE, i)->rule.from.family && nth(&p, KOBJ_RULE, i)->rule.local);
	/* by the device that the packet leaves by, too: a mark may have led it away after the first decision */
	assert_string_equal(chain_named(&p, "post_anon3")->spec,
			    "type filter hook postrouting priority 150; policy accept;");
	assert_rule(&p, "post_anon3",
		    "ip saddr 100.96.0.8 oifname != \"anon3\" rt ipsec missing counter name drop_output drop\n");
}

/* Two circuits over the same relays have no object in common, so that one may go without the other. */
static int lead_into(struct plan *p, const struct origin_circuit *c, const struct selection *sel,
		     const struct lans *lans)
{
	int r = plan_origin_service(p, c, sel, lans);
	return r < 0 ? r : plan_origin_routes(p, c, sel, lans);
}

/* A fresh circuit of the same selection stands beside the old one; what leads into both differs by the metric. */
static void two_of_one_selection(void **state)
{
	(void)state;
	_cleanup_plan_ struct plan p = { 0 }, q = { 0 };
	struct prefix all[] = { { .family = AF_INET }, { .family = AF_INET6 } };
	struct selection user = { .prefixes = all, .n = 2, .users = { 1000 }, .n_users = 1 };
	struct origin_circuit a = circuit(0), b = circuit(1);
	b.slot = a.slot + SLOT_OTHER;
	a.inner.dns4 = b.inner.dns4 = addr4("100.96.0.1");
	for (int i = 0; i < 2; i++) {
		const struct selection *sel = i ? &user : TO(all, 2);
		assert_int_equal(plan_origin_circuit(&p, &a, NULL), 0);
		assert_int_equal(lead_into(&p, &a, sel, NULL), 0);
		assert_int_equal(plan_origin_circuit(&q, &b, NULL), 0);
		assert_int_equal(lead_into(&q, &b, sel, NULL), 0);
	}
	for (size_t i = 0; i < p.n; i++)
		for (size_t j = 0; j < q.n; j++)
			assert_false(kobject_equal(&p.v[i], &q.v[j]));
	assert_non_null(chain_named(&q, "in_anon0b"));
	assert_string_equal(nth(&q, KOBJ_LINK, 0)->link.dev, "hop0b-1");
	/* by its addresses: whatever new connections do */
	assert_int_equal(nth(&q, KOBJ_RULE, 0)->rule.pref, RULE_PREF_BOUND);
	assert_int_equal(nth(&q, KOBJ_RULE, 0)->rule.from.a4.s_addr, b.inner.addr4.s_addr);
	assert_int_equal(nth(&q, KOBJ_RULE, 1)->rule.from.family, AF_INET6);
	assert_int_equal(nth(&q, KOBJ_RULE, 1)->rule.table, RT_TABLE_SLOT_BASE + SLOT_OTHER);
}

static void circuits_share_nothing(void **state)
{
	(void)state;
	_cleanup_plan_ struct plan p = { 0 }, q = { 0 };
	struct origin_circuit a = circuit(0), b = circuit(1);
	assert_int_equal(plan_origin_circuit(&p, &a, NULL), 0);
	assert_int_equal(plan_origin_circuit(&q, &b, NULL), 0);
	for (size_t i = 0; i < p.n; i++)
		for (size_t j = 0; j < q.n; j++)
			assert_false(kobject_equal(&p.v[i], &q.v[j]));
}

static void origin_ipv4_only(void **state)
{
	(void)state;
	_cleanup_plan_ struct plan p = { 0 };
	struct prefix sel[] = { { .family = AF_INET6, .len = 0 }, { .family = AF_INET, .len = 0 } };
	struct origin_circuit c = circuit(0);
	c.inner.mtu = 1279;
	assert_int_equal(plan_origin_circuit(&p, &c, NULL), 0);
	assert_int_equal(count(&p, KOBJ_SP), 3);
	for (size_t i = 0; i < p.n; i++)
		assert_true(p.v[i].type != KOBJ_SYSCTL || strncmp(p.v[i].sysctl.name, "net/ipv6/conf/anon", 18) != 0);
	plan_clear(&p);
	assert_int_equal(lead_into(&p, &c, TO(sel, 2), NULL), 0);
	assert_int_equal(p.n, 1);
	assert_int_equal(p.v[0].route.dst.family, AF_INET);
	assert_int_equal(p.v[0].route.metric, 1);
	plan_clear(&p);
	/* questions to any resolver go to the exit's, if it has one and everything is selected */
	c.inner.dns4 = addr4("192.0.2.53");
	c.inner.dns6 = addr6("2001:db8::53"); /* the circuit carries no IPv6 */
	assert_int_equal(lead_into(&p, &c, TO(sel, 2), NULL), 0);
	assert_string_equal(chain_named(&p, "dns_anon0")->rules,
			    "oifname != \"anon0\" accept\n"
			    "meta l4proto { tcp, udp } th dport 53 dnat ip to 192.0.2.53\n");
	plan_clear(&p);
	c.inner.mtu = 1280;
	assert_int_equal(lead_into(&p, &c, TO(sel, 2), NULL), 0);
	assert_rule(&p, "dns_anon0", "th dport 53 dnat ip6 to 2001:db8::53\n");
	plan_clear(&p);
	sel[1].len = 1;
	sel[0].len = 1;
	assert_int_equal(lead_into(&p, &c, TO(sel, 2), NULL), 0);
	assert_null(chain_named(&p, "dns_anon0"));
	plan_clear(&p);
	c.inner.mtu = 1279;
	c.inner.has4 = false;
	assert_int_equal(plan_origin_circuit(&p, &c, NULL), -EINVAL);
}

static void origins_refused(void **state)
{
	(void)state;
	for (int i = 0; i < 9; i++) {
		_cleanup_plan_ struct plan p = { 0 };
		struct origin_circuit c = circuit(0);
		switch (i) {
		case 0:
			c.slot = SLOT_MAX + 1;
			break;
		case 1:
			c.n_layers = 0;
			break;
		case 2:
			c.n_layers = HOPS_MAX + 1;
			break;
		case 3:
			c.guard_link = LINK_CLIENTS;
			break;
		case 4:
			c.layers[2] = c.layers[0]; /* a relay twice */
			break;
		case 5:
			c.layers[1].a = addr6("fd99::2:0:0:3");
			break;
		case 6:
			c.inner.addr4 = addr4("192.0.2.1"); /* not from an exit's range */
			break;
		case 7:
			c.inner.addr6 = addr6("2001:db8::1");
			break;
		default:
			c.layers[1].spi_back = 0xc0000000;
			break;
		}
		assert_int_equal(plan_origin_circuit(&p, &c, NULL), -EINVAL);
	}
}

static void selection(void **state)
{
	(void)state;
	_cleanup_plan_ struct plan p = { 0 };
	struct in6_addr six = addr6("2001:db8:2::");
	struct prefix dst[] = { prefix4(addr4("192.0.2.0"), 24),
				prefix6(&six, 64),
				prefix4(addr4("192.0.2.0"), 24),
				{ .family = AF_INET } };
	assert_int_equal(plan_selection(&p, 4, TO(dst, 4), NULL), 0);
	/* the switch before anything that could fail over */
	assert_int_equal(p.v[0].type, KOBJ_NFT);
	assert_string_equal(p.v[0].nft.name, "kill4");
	assert_string_equal(p.v[0].nft.rules, "ip daddr { 192.0.2.0/24, 192.0.2.0/24, 0.0.0.0/0 } goto kill_judge\n"
					      "ip6 daddr { 2001:db8:2::/64 } goto kill_judge\n");
	/* for others the host carries nothing there; an exit on it is not asked */
	assert_string_equal(p.v[1].nft.name, "kill4_forward");
	assert_string_equal(p.v[1].nft.spec, "type filter hook forward priority 10; policy accept;");
	assert_string_equal(p.v[1].nft.rules,
			    "jump kill_passing\n"
			    "ip daddr { 192.0.2.0/24, 192.0.2.0/24, 0.0.0.0/0 } counter name drop_killed drop\n"
			    "ip6 daddr { 2001:db8:2::/64 } counter name drop_killed drop\n");
	/* and by the device that a packet leaves by in the end */
	assert_string_equal(p.v[2].nft.name, "kill4_post");
	assert_string_equal(p.v[2].nft.spec, "type filter hook postrouting priority 150; policy accept;");
	assert_string_equal(p.v[2].nft.rules,
			    "iifname \"circ0\" accept\n"
			    "ip daddr { 192.0.2.0/24, 192.0.2.0/24, 0.0.0.0/0 } rt ipsec missing goto kill_judge\n"
			    "ip6 daddr { 2001:db8:2::/64 } rt ipsec missing goto kill_judge\n");
	assert_int_equal(count(&p, KOBJ_ROUTE), 3);
	assert_int_equal(nth(&p, KOBJ_ROUTE, 0)->route.type, ROUTE_UNREACHABLE);
	assert_int_equal(nth(&p, KOBJ_ROUTE, 0)->route.metric, ROUTE_METRIC_UNREACHABLE + 4);
	plan_clear(&p);
	dst[0].a4 = addr4("192.0.2.1");
	assert_int_equal(plan_selection(&p, 4, TO(dst, 4), NULL), -EINVAL);
	assert_int_equal(plan_selection(&p, 4, TO(dst, 0), NULL), -EINVAL);
	assert_int_equal(plan_selection(&p, SELECTION_MAX + 1, TO(&dst[1], 1), NULL), -EINVAL);
}

/* What is excepted passes but for questions for names, which go where all else goes. */
static void exceptions(void **state)
{
	(void)state;
	_cleanup_plan_ struct plan p = { 0 };
	struct prefix to[] = { { .family = AF_INET }, { .family = AF_INET6 } };
	struct selection sel = { .prefixes = to, .n = 2, .n_except = 1 };
	struct origin_circuit c = circuit(3);
	sel.except[0] = prefix4(addr4("192.168.1.0"), 24);
	assert_int_equal(plan_selection(&p, 3, &sel, NULL), 0);
	for (int i = 0; i < 3; i++) {
		static const char *const chains[] = { "kill3", "kill3_post", "kill3_forward" };
		const char *rules = chain_named(&p, chains[i])->rules;
		const char *passes = strstr(rules, "ip daddr { 192.168.1.0/24 } meta l4proto { tcp, udp } th dport != "
						   "{ 53, 137, 853, 5353, 5355 } accept\n"
						   "ip daddr { 192.168.1.0/24 } meta l4proto != { tcp, udp } accept\n");
		assert_non_null(passes);
		assert_true(passes < strstr(rules, "0.0.0.0/0"));
	}
	assert_int_equal(count(&p, KOBJ_RULE), 2);
	assert_int_equal(nth(&p, KOBJ_RULE, 0)->rule.port.first, 53);
	assert_true(nth(&p, KOBJ_RULE, 0)->rule.pref > RULE_PREF_ANON); /* what others say of it comes first */
	assert_int_equal(nth(&p, KOBJ_RULE, 0)->rule.to.len, 24);
	assert_int_equal(nth(&p, KOBJ_RULE, 0)->rule.table, RT_TABLE_SELECTION_BASE + 3);
	const struct kobj_route *throw = &nth(&p, KOBJ_ROUTE, count(&p, KOBJ_ROUTE) - 1)->route;
	assert_int_equal(throw->type, ROUTE_THROW);
	assert_int_equal(throw->table, RT_TABLE_ANON);
	assert_true(throw->metric > ROUTE_METRIC_UNREACHABLE + SELECTION_MAX);
	plan_clear(&p);
	c.inner.dns4 = addr4("100.96.0.1");
	assert_int_equal(lead_into(&p, &c, &sel, NULL), 0);
	assert_non_null(chain_named(&p, "asks_anon3")); /* a resolver in what is excepted */
	assert_int_equal(count(&p, KOBJ_ROUTE), 4);	/* of the selection's table too */
	plan_clear(&p);
	sel.users[0] = 1000;
	sel.n_users = 1;
	assert_int_equal(plan_selection(&p, 3, &sel, NULL), -EINVAL);
	sel.n_users = 0;
	sel.except[0].len = 0;
	assert_int_equal(plan_selection(&p, 3, &sel, NULL), -EINVAL);
}

/* More than destinations: a routing rule for each combination, and out of no circuit but its own. */
static void narrow_selection(void **state)
{
	(void)state;
	_cleanup_plan_ struct plan p = { 0 };
	struct prefix to[] = { { .family = AF_INET }, { .family = AF_INET6 } };
	struct selection sel = { .prefixes = to, .n = 2, .users = { 1000, 1001 }, .n_users = 2 };
	struct origin_circuit c = circuit(3);
	assert_int_equal(plan_selection(&p, 3, &sel, NULL), 0);
	assert_string_equal(
		chain_named(&p, "kill3")->rules,
		"ip daddr { 0.0.0.0/0 } tcp option mptcp subtype 1 oifname != { \"anon3\", \"anon3b\" } counter name "
		"drop_killed drop\n"
		"ip daddr { 0.0.0.0/0 } meta skuid { 1000, 1001 } oifname != { \"anon3\", \"anon3b\" } meta l4proto { "
		"tcp, udp } th "
		"dport "
		"53 counter name drop_killed drop\n"
		"ip daddr { 0.0.0.0/0 } meta skuid { 1000, 1001 } oifname \"anon*\" oifname != { \"anon3\", \"anon3b\" "
		"} "
		"counter name drop_killed drop\n"
		"ip daddr { 0.0.0.0/0 } meta skuid { 1000, 1001 } goto kill_judge_narrow\n"
		"ip6 daddr { ::/0 } tcp option mptcp subtype 1 oifname != { \"anon3\", \"anon3b\" } counter name "
		"drop_killed drop\n"
		"ip6 daddr { ::/0 } meta skuid { 1000, 1001 } oifname != { \"anon3\", \"anon3b\" } meta l4proto { tcp, "
		"udp } th dport "
		"53 counter name drop_killed drop\n"
		"ip6 daddr { ::/0 } meta skuid { 1000, 1001 } oifname \"anon*\" oifname != { \"anon3\", \"anon3b\" } "
		"counter name drop_killed drop\n"
		"ip6 daddr { ::/0 } meta skuid { 1000, 1001 } goto kill_judge_narrow\n");
	assert_rule(&p, "kill3_post", "meta skuid { 1000, 1001 } rt ipsec missing goto kill_judge_narrow\n");
	assert_null(chain_named(&p, "kill3_forward")); /* others' packets are of no user */
	assert_int_equal(count(&p, KOBJ_RULE), 4);
	assert_true(nth(&p, KOBJ_RULE, 1)->rule.user.on && nth(&p, KOBJ_RULE, 1)->rule.local);
	assert_int_equal(nth(&p, KOBJ_RULE, 1)->rule.user.id, 1001);
	assert_int_equal(nth(&p, KOBJ_RULE, 1)->rule.table, RT_TABLE_SELECTION_BASE + 3);
	assert_int_equal(nth(&p, KOBJ_ROUTE, 0)->route.type, ROUTE_UNREACHABLE);
	assert_int_equal(nth(&p, KOBJ_ROUTE, 0)->route.table, RT_TABLE_SELECTION_BASE + 3);
	plan_clear(&p);
	c.inner.dns4 = addr4("100.96.0.1");
	assert_int_equal(lead_into(&p, &c, &sel, NULL), 0);
	assert_non_null(chain_named(&p, "dns_anon3"));
	assert_rule(&p, "asks_anon3",
		    "oifname \"anon3\" meta l4proto { tcp, udp } th dport 53 meta mark set 0x6170001a\n");
	assert_int_equal(count(&p, KOBJ_RULE), 2);
	assert_int_equal(nth(&p, KOBJ_RULE, 0)->rule.fwmark, 0x6170001a);
	assert_int_equal(nth(&p, KOBJ_RULE, 0)->rule.table, RT_TABLE_SLOT_BASE + 3);
	assert_int_equal(count(&p, KOBJ_ROUTE), 2);
	assert_int_equal(nth(&p, KOBJ_ROUTE, 0)->route.table, RT_TABLE_SELECTION_BASE + 3);
	assert_int_equal(nth(&p, KOBJ_ROUTE, 0)->route.src.a4.s_addr, c.inner.addr4.s_addr);
	plan_clear(&p);
	/* by ports: questions for names are not among them */
	sel.ports[0] = (struct port_range){ IPPROTO_TCP, 443, 443 };
	sel.ports[1] = (struct port_range){ IPPROTO_UDP, 5000, 5010 };
	sel.n_ports = 2;
	sel.n = sel.n_users = 1;
	assert_int_equal(plan_selection(&p, 3, &sel, NULL), 0);
	assert_rule(&p, "kill3",
		    "ip daddr { 0.0.0.0/0 } meta skuid { 1000 } udp dport 5000-5010 goto kill_judge_narrow\n");
	assert_int_equal(count(&p, KOBJ_RULE), 2);
	assert_int_equal(nth(&p, KOBJ_RULE, 1)->rule.port.last, 5010);
	plan_clear(&p);
	assert_int_equal(lead_into(&p, &c, &sel, NULL), 0);
	assert_null(chain_named(&p, "dns_anon3"));
	plan_clear(&p);
	/* by ports alone: others' packets too; of all destinations no part has a rule of its own */
	sel.n_users = 0;
	sel.n = 2;
	to[1] = prefix4(addr4("192.0.2.0"), 24);
	assert_int_equal(plan_selection(&p, 3, &sel, NULL), 0);
	assert_string_equal(chain_named(&p, "kill3_forward")->rules,
			    "jump kill_passing\n"
			    "ip daddr { 0.0.0.0/0, 192.0.2.0/24 } tcp dport 443-443 counter name drop_killed drop\n"
			    "ip daddr { 0.0.0.0/0, 192.0.2.0/24 } udp dport 5000-5010 counter name drop_killed drop\n");
	assert_int_equal(count(&p, KOBJ_RULE), 2);
	plan_clear(&p);
	sel.ports[0].last = 442;
	assert_int_equal(plan_selection(&p, 3, &sel, NULL), -EINVAL);
	sel.ports[0].last = 443;
	sel.lan = true;
	assert_int_equal(plan_selection(&p, 3, &sel, NULL), -EINVAL);
}

/* By their marks, and what has none not at all. */
static void group_selection(void **state)
{
	(void)state;
	_cleanup_plan_ struct plan p = { 0 };
	struct prefix to[] = { { .family = AF_INET } };
	struct selection sel = { .prefixes = to, .n = 1, .groups = { 1000, GROUP_MAX }, .n_groups = 2 };
	assert_int_equal(plan_selection(&p, 3, &sel, NULL), 0);
	assert_string_equal(chain_named(&p, "kill3")->rules,
			    "ip daddr { 0.0.0.0/0 } tcp option mptcp subtype 1 oifname != { \"anon3\", \"anon3b\" } "
			    "counter name drop_killed drop\n"
			    "ip daddr { 0.0.0.0/0 } meta mark { 0x61700018-0x6170001c, 0x61780018-0x6178001c, "
			    "0x670003e8, 0x67ffffff } oifname != { \"anon3\", \"anon3b\" } meta l4proto { tcp, udp } "
			    "th dport 53 counter name drop_killed drop\n"
			    "ip daddr { 0.0.0.0/0 } meta mark { 0x61700018-0x6170001c, 0x61780018-0x6178001c, "
			    "0x670003e8, 0x67ffffff } oifname \"anon*\" oifname != { \"anon3\", \"anon3b\" } "
			    "counter name drop_killed drop\n"
			    "ip daddr { 0.0.0.0/0 } meta mark { 0x61700018-0x6170001c, 0x61780018-0x6178001c, "
			    "0x670003e8, 0x67ffffff } goto kill_judge_narrow\n"
			    "ip daddr { 0.0.0.0/0 } meta skgid { 1000, 16777215 } oifname != { \"anon3\", \"anon3b\" } "
			    "meta l4proto { tcp, udp } th dport 53 counter name drop_killed drop\n"
			    "ip daddr { 0.0.0.0/0 } meta skgid { 1000, 16777215 } oifname \"anon*\" oifname != { "
			    "\"anon3\", \"anon3b\" } counter name drop_killed drop\n"
			    "ip daddr { 0.0.0.0/0 } meta skgid { 1000, 16777215 } goto kill_judge_narrow\n");
	assert_rule(&p, "kill3_post", "meta skgid { 1000, 16777215 } rt ipsec missing goto kill_judge_narrow\n");
	assert_null(chain_named(&p, "kill3_forward"));
	assert_int_equal(count(&p, KOBJ_RULE), 2);
	assert_int_equal(nth(&p, KOBJ_RULE, 0)->rule.fwmark, MARK_GROUP_BASE + 1000);
	assert_int_equal(nth(&p, KOBJ_RULE, 1)->rule.fwmark, MARK_GROUP_BASE + GROUP_MAX);
	assert_int_equal(nth(&p, KOBJ_RULE, 1)->rule.pref, RULE_PREF_NARROW);
	assert_true(nth(&p, KOBJ_RULE, 0)->rule.local && !nth(&p, KOBJ_RULE, 0)->rule.user.on);
	assert_int_equal(nth(&p, KOBJ_RULE, 0)->rule.table, RT_TABLE_SELECTION_BASE + 3);
	plan_clear(&p);
	/* the longest that there can be */
	for (size_t i = 0; i < USERS_MAX; i++)
		sel.groups[i] = GROUP_MAX - (uint32_t)i;
	sel.n_groups = USERS_MAX;
	assert_int_equal(plan_selection(&p, CIRCUIT_ID_MAX, &sel, NULL), 0);
	assert_int_equal(count(&p, KOBJ_RULE), USERS_MAX);
	plan_clear(&p);
	sel.groups[1] = GROUP_MAX + 1;
	assert_int_equal(plan_selection(&p, 3, &sel, NULL), -EINVAL);
	sel.groups[1] = 0;
	assert_int_equal(plan_selection(&p, 3, &sel, NULL), -EINVAL);
	sel.n_groups = sel.n_users = 1;
	assert_int_equal(plan_selection(&p, 3, &sel, NULL), -EINVAL);
}

static struct lans two_lans(void)
{
	struct lans l = { 0 };
	assert_null(lans_add(&l, "br-lan"));
	assert_null(lans_add(&l, "wlan0.7"));
	return l;
}

static void lan_names(void **state)
{
	(void)state;
	static const char *const bad[] = { "",	    "..",   "lo",    "a b",    "a\"b", "0123456789abcdef",
					   "anon1", "ovl2", "circ0", "wlan0.7" };
	struct lans l = two_lans();
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_non_null(lans_add(&l, bad[i]));
	for (size_t i = l.n; i < LANS_MAX; i++) {
		char name[] = { 'e', (char)('0' + i), '\0' };
		assert_null(lans_add(&l, name));
	}
	assert_string_equal(lans_add(&l, "eth9"), "too many interfaces");
}

static void gateway_base(void **state)
{
	(void)state;
	_cleanup_plan_ struct plan p = { 0 }, none = { 0 }, rules = { 0 };
	struct lans l = two_lans();
	size_t early = 0;
	assert_int_equal(plan_client_base(&none, NULL, NULL), 0);
	assert_null(chain_named(&none, "kill_lan"));
	assert_int_equal(plan_client_base(&p, &l, NULL), 0);
	assert_string_equal(
		chain_named(&p, "kill_lan")->rules,
		"iifname { \"br-lan\", \"wlan0.7\" } oifname { \"br-lan\", \"wlan0.7\" } accept\n"
		"iifname { \"br-lan\", \"wlan0.7\" } oifname \"anon*\" ct state new tcp flags & (fin|syn|rst|ack) != "
		"syn "
		"counter name drop_killed reject with tcp reset\n"
		"iifname { \"br-lan\", \"wlan0.7\" } oifname \"anon*\" ct state new,established,related accept\n"
		"iifname \"anon*\" icmp type redirect counter name drop_killed drop\n"
		"iifname \"anon*\" oifname { \"br-lan\", \"wlan0.7\" } ct state established,related accept\n"
		"iifname { \"br-lan\", \"wlan0.7\" } counter name drop_killed drop\n"
		"oifname { \"br-lan\", \"wlan0.7\" } counter name drop_killed drop\n");
	/* without a circuit's mark nothing enters one, and what has it leaves by nothing else */
	assert_rule(&p, "kill_lan_post", "ct mark & 0xfff00000 == 0x61700000 goto kill_lan_judge\n");
	assert_rule(&p, "kill_lan_judge", "oifname \"anon*\" ct mark . ip6 saddr @lan6 accept\nrt ipsec missing ");
	assert_rule(&p, "client_forward", "iifname { \"br-lan\", \"wlan0.7\" } oifname \"anon*\" accept\n");
	assert_int_equal(count(&p, KOBJ_RULE) - count(&none, KOBJ_RULE), 10);
	/* they stand before anything else of anond runs */
	assert_int_equal(plan_selection_rules(&rules, &l, NULL, &none), 0);
	for (size_t i = 0; i < rules.n; i++) {
		assert_int_equal(rules.v[i].type, KOBJ_NFT);
		early += !strncmp(rules.v[i].nft.name, "kill_lan", 8);
	}
	assert_int_equal(early, 5);
}

static void gateway_circuit(void **state)
{
	(void)state;
	_cleanup_plan_ struct plan p = { 0 };
	struct lans l = two_lans(), none = { 0 };
	struct in6_addr six = addr6("2001:db8:7::");
	struct prefix from[] = { prefix4(addr4("192.168.2.0"), 24), prefix6(&six, 64), { .family = AF_INET } };
	struct origin_circuit c = circuit(3);
	assert_int_equal(plan_selection(&p, 3, HOSTS(from, 3), &l), 0);
	assert_int_equal(count(&p, KOBJ_NFT), 1);
	assert_rule(&p, "kill3_lan",
		    "iifname { \"br-lan\", \"wlan0.7\" } ip saddr 192.168.2.0/24 oifname \"anon*\" oifname != "
		    "{ \"anon3\", \"anon3b\" } counter "
		    "name drop_killed drop\n");
	assert_int_equal(count(&p, KOBJ_RULE), 6);
	assert_int_equal(nth(&p, KOBJ_RULE, 1)->rule.pref, RULE_PREF_LAN);
	assert_string_equal(nth(&p, KOBJ_RULE, 1)->rule.iif, "wlan0.7");
	assert_int_equal(nth(&p, KOBJ_RULE, 1)->rule.from.len, 24);
	assert_int_equal(nth(&p, KOBJ_RULE, 4)->rule.pref, RULE_PREF_LAN + 1);
	assert_int_equal(nth(&p, KOBJ_RULE, 4)->rule.from.family, 0);
	assert_int_equal(nth(&p, KOBJ_ROUTE, 0)->route.type, ROUTE_UNREACHABLE);
	assert_int_equal(nth(&p, KOBJ_ROUTE, 0)->route.table, RT_TABLE_SELECTION_BASE + 3);
	plan_clear(&p);
	c.inner.dns4 = addr4("100.96.0.1");
	assert_int_equal(lead_into(&p, &c, HOSTS(from, 3), &l), 0);
	/* taken away last, and the flows with them */
	assert_int_equal(p.v[0].type, KOBJ_ELEM);
	assert_int_equal(count(&p, KOBJ_ELEM), 2);
	assert_rule(&p, "nat_anon3",
		    "iifname { \"br-lan\", \"wlan0.7\" } oifname \"anon3\" meta nfproto ipv4 ct mark set 0x6170001a "
		    "snat ip "
		    "to 100.96.0.8\n");
	assert_rule(&p, "mss_anon3", "iifname \"anon3\" meta nfproto ipv6 tcp flags syn tcp option maxseg size set ");
	/* no resolver by IPv6; the network before all hosts */
	assert_string_equal(
		chain_named(&p, "landns_anon3")->rules,
		"iifname { \"br-lan\", \"wlan0.7\" } ip saddr 192.168.2.0/24 meta l4proto { tcp, udp } th dport 53 "
		"dnat ip to 100.96.0.1\n");
	assert_string_equal(chain_named(&p, "landns_anon3")->spec,
			    "type nat hook prerouting priority -102; policy accept;");
	assert_rule(&p, "alldns_anon3", "meta nfproto ipv4 meta l4proto");
	/* what it began to carry stays in it: first in the plan, by interface and family; then the resolver's */
	assert_int_equal(count(&p, KOBJ_RULE), 8);
	assert_int_equal(nth(&p, KOBJ_RULE, 3)->rule.fwmark, 0x6170001a);
	assert_string_equal(nth(&p, KOBJ_RULE, 3)->rule.iif, "wlan0.7");
	assert_int_equal(nth(&p, KOBJ_RULE, 3)->rule.table, RT_TABLE_SLOT_BASE + 3);
	assert_int_equal(nth(&p, KOBJ_RULE, 4)->rule.to.len, 32);
	assert_int_equal(count(&p, KOBJ_ROUTE), 2);
	assert_int_equal(nth(&p, KOBJ_ROUTE, 0)->route.table, RT_TABLE_SELECTION_BASE + 3);
	plan_clear(&p);
	/* a resolver in the Internet is reached like all else there: by each host through its own circuit */
	c.inner.dns4 = addr4("192.0.2.53");
	assert_int_equal(lead_into(&p, &c, HOSTS(from, 3), &l), 0);
	assert_int_equal(count(&p, KOBJ_RULE), 4);
	plan_clear(&p);
	c.inner.has6 = false;
	assert_int_equal(lead_into(&p, &c, HOSTS(from, 3), &l), 0);
	assert_int_equal(count(&p, KOBJ_ROUTE), 1);
	plan_clear(&p);
	assert_int_equal(lead_into(&p, &c, HOSTS(from, 3), &none), -EINVAL);
	assert_int_equal(plan_selection(&p, 3, HOSTS(from, 3), &none), -EINVAL);
	assert_int_equal(plan_selection(&p, CIRCUIT_ID_MAX + 1, HOSTS(from, 3), &l), -EINVAL);
	assert_int_equal(plan_selection(&p, 3, HOSTS(from, 0), &l), -EINVAL);
	from[0].a4 = addr4("192.168.2.1");
	assert_int_equal(plan_selection(&p, 3, HOSTS(from, 3), &l), -EINVAL);
}

static void bases(void **state)
{
	(void)state;
	_cleanup_plan_ struct plan p = { 0 };
	assert_int_equal(plan_base(&p), 0);
	/* before any policy exists */
	assert_int_equal(p.v[0].type, KOBJ_HTHRESH);
	plan_clear(&p);
	assert_int_equal(plan_client_base(&p, NULL, NULL), 0);
	assert_rule(&p, "client_input", "iifname \"anon*\" counter name drop_unasked drop\n");
	const struct kobj_nft *judge = chain_named(&p, "kill_judge");
	const char *last = "counter name drop_killed drop\n";
	assert_string_equal(judge->rules + strlen(judge->rules) - strlen(last), last);
	assert_int_equal(count(&p, KOBJ_RULE), 5);
	/* a relay's or router's forwarding goes its own way: but for the mark every rule is about this host's packets
	 */
	for (size_t i = 0; i < 5; i++)
		assert_true(nth(&p, KOBJ_RULE, i)->rule.local || nth(&p, KOBJ_RULE, i)->rule.fwmark == MARK_LINK);
	assert_rule(&p, "client_forward", "iifname \"ovl*\" oifname != \"circ0\" counter name drop_forward drop\n");
	assert_rule(&p, "client_forward", "oifname \"ovl*\" iifname != \"circ0\" counter name drop_forward drop\n");
	static const char *const sources =
		"oifname \"lo\" accept\n"
		"oifname \"anon*\" accept\n"
		"oifname \"hop*\" accept\n"
		"oifname \"ovl*\" accept\n"
		"oifname \"circ0\" accept\n"
		"ip6 saddr & ff00::ffff:0:0:0 == fd00::ffff:0:0:0 counter name drop_output drop\n"
		"ip6 saddr & ff00::ffff:ffff:ffff:0 == fd00::1:0:0:0 counter name drop_output drop\n";
	assert_rule(&p, "client_sources", sources);
	assert_rule(
		&p, "client_leaving",
		"ip6 saddr & ff00::ffff:0:0:0 == fd00::ffff:0:0:0 rt ipsec missing counter name drop_output drop\n");
	assert_rule(&p, "client_passing", sources);
	assert_rule(&p, "client_passing", "iifname \"circ0\" accept\n");
}

/* A hole for the directory: by TCP, with the mark that only we can give, to these addresses and ports. */
static void directory_servers(void **state)
{
	(void)state;
	static const struct endpoints servers = {
		.v = { { .family = AF_INET, .a4 = { 0 }, .port = 9030 }, { .family = AF_INET6, .port = 80 } }, .n = 2
	};
	static const char *const judges[] = { "kill_judge", "kill_judge_narrow" };
	struct endpoints at = servers;
	_cleanup_plan_ struct plan p = { 0 }, none = { 0 }, rules = { 0 };
	at.v[0].a4 = addr4("192.0.2.10");
	at.v[1].a6 = addr6("2001:db8::10");
	assert_int_equal(plan_client_base(&p, NULL, &at), 0);
	assert_int_equal(plan_client_base(&none, NULL, NULL), 0);
	for (size_t i = 0; i < 2; i++) {
		assert_rule(&p, judges[i],
			    "meta mark 0x616e0042 ip daddr . tcp dport { 192.0.2.10 . 9030 } accept\n"
			    "meta mark 0x616e0042 ip6 daddr . tcp dport { 2001:db8::10 . 80 } accept\n");
		assert_null(strstr(chain_named(&none, judges[i])->rules, "tcp"));
		/* nothing else of the judge has changed */
		assert_int_equal(strlen(chain_named(&p, judges[i])->rules) -
					 strlen(chain_named(&none, judges[i])->rules),
				 strlen("meta mark 0x616e0042 ip daddr . tcp dport { 192.0.2.10 . 9030 } accept\n"
					"meta mark 0x616e0042 ip6 daddr . tcp dport { 2001:db8::10 . 80 } accept\n"));
	}
	/* the answers pass the check of their source */
	assert_rule(&p, "client_asks", "meta mark 0x616e0042 meta l4proto { tcp, udp } ct mark set 0x616e0042\n");
	assert_rule(&p, "client_answers", "meta l4proto { tcp, udp } ct mark 0x616e0042 meta mark set 0x616e0042\n");
	assert_rule(&none, "client_answers", "meta l4proto udp ct mark 0x616e0042 meta mark set 0x616e0042\n");
	/* also before anything else of anond runs */
	assert_int_equal(plan_selection_rules(&rules, NULL, &at, &none), 0);
	assert_rule(&rules, "kill_judge", "{ 192.0.2.10 . 9030 } accept\n");
}

/* The SAs of a circuit end a little later than it does. */
static void expiry(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++) {
		_cleanup_plan_ struct plan p = { 0 };
		uint64_t at = i & 1 ? 1000 : 0, want = i & 1 ? 1000 + SA_EXPIRY_SLACK : 0;
		struct relay_circuit c = at_exit();
		struct origin_circuit o = circuit(0);
		c.expires = o.expires = at;
		assert_int_equal(i < 2 ? plan_relay_circuit(&p, &c, NULL) : plan_origin_circuit(&p, &o, NULL), 0);
		for (size_t j = 0; j < count(&p, KOBJ_SA); j++)
			assert_int_equal(nth(&p, KOBJ_SA, j)->sa.expires, want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(prefixes),
		cmocka_unit_test(every_field_counts),
		cmocka_unit_test(scripts),
		cmocka_unit_test(relay_link),
		cmocka_unit_test(clients_link),
		cmocka_unit_test(shaped_links),
		cmocka_unit_test(guard_link),
		cmocka_unit_test(links_refused),
		cmocka_unit_test(middle_circuit),
		cmocka_unit_test(exit_circuit),
		cmocka_unit_test(relay_circuits_refused),
		cmocka_unit_test(relay_fences),
		cmocka_unit_test(origin),
		cmocka_unit_test(circuits_share_nothing),
		cmocka_unit_test(two_of_one_selection),
		cmocka_unit_test(origin_ipv4_only),
		cmocka_unit_test(origins_refused),
		cmocka_unit_test(selection),
		cmocka_unit_test(exceptions),
		cmocka_unit_test(narrow_selection),
		cmocka_unit_test(group_selection),
		cmocka_unit_test(lan_names),
		cmocka_unit_test(gateway_base),
		cmocka_unit_test(gateway_circuit),
		cmocka_unit_test(bases),
		cmocka_unit_test(directory_servers),
		cmocka_unit_test(expiry),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
