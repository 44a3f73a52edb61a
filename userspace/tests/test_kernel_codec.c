/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Objects to netlink messages and back. With a folder as argument: writes seeds for fuzz_netlink there. */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
/* cmocka.h needs the headers above */
#include <cmocka.h>

#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <linux/xfrm.h>

#include <linux/fib_rules.h>
#include <linux/gen_stats.h>
#include <linux/rtnetlink.h>

#include "kernel/eventmsg.h"
#include "kernel/fake.h"
#include "kernel/rtmsg.h"
#include "kernel/tfcmsg.h"
#include "kernel/xfrmmsg.h"
#include "lib/clock.h"
#include "plan/plan.h"

static unsigned int fake_index(const char *name)
{
	return strcmp(name, "missing") ? 100 + (unsigned int)strlen(name) : 0;
}

static char *fake_name(unsigned int index, char *ret)
{
	static const char *const names[] = { "lo", "ovl2", "anon0", "hop0-1" };
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (fake_index(names[i]) == index)
			return strcpy(ret, names[i]);
	return NULL;
}

static const struct devices devs = { .index = fake_index, .name = fake_name };
static const uint8_t key[SUITE_KEY_MAX] = "0123456789abcdefghijklmnopqrstuvwxy";

static struct in6_addr addr6(const char *s)
{
	struct in6_addr a;
	assert_int_equal(inet_pton(AF_INET6, s, &a), 1);
	return a;
}

/* One of everything, in every variety. */
#define TO(list, count) (&(const struct selection){ .prefixes = (list), .n = (count) })
#define HOSTS(list, count) (&(const struct selection){ .prefixes = (list), .n = (count), .lan = true })

static void objects(struct plan *p)
{
	struct in6_addr self = addr6("fd11::1:0:0:42"), far = addr6("fd11::1");
	struct link l = { .kind = LINK_KIND_GUARD, .number = 2, .self = self, .remote = far, .mtu = 1418 };
	struct origin_circuit c = { .slot = 0, .n_layers = 2, .guard_link = 2, .link_mtu = 1418 };
	static const enum suite suites[] = { SUITE_AES128_GCM_8, SUITE_CHACHA20_POLY1305 };
	static struct layer_keys keys[2];
	struct prefix sel[] = { { .family = AF_INET }, { .family = AF_INET6 } };
	memcpy(keys[0].fwd, key, sizeof(key));
	for (size_t i = 0; i < 2; i++)
		c.layers[i] = (struct layer){ .a = i ? addr6("fd22::2:0:0:7") : self,
					      .o = i ? addr6("fd22::1") : far,
					      .spi_fwd = SPI_MIN,
					      .spi_back = SPI_MAX,
					      .suite = suites[i] };
	c.inner = (struct inner){ .has4 = true, .has6 = true, .addr6 = addr6("fd22::ffff:0:0:7") };
	c.inner.addr4.s_addr = htonl(0x64600007);
	struct lans lans = { .dev = { "br-lan" }, .n = 1 };
	struct prefix from[] = { prefix4((struct in_addr){ htonl(0xc0a80200) }, 24), prefix6(&far, 64) };
	const struct selection narrow = { .prefixes = sel,
					  .n = 2,
					  .users = { 1000 },
					  .n_users = 1,
					  .ports = { { IPPROTO_UDP, 5000, 5010 } },
					  .n_ports = 1 };
	const struct selection most = { .prefixes = sel, .n = 2, .except = { from[0], from[1] }, .n_except = 2 };
	assert_int_equal(plan_client_base(p, &lans, NULL), 0);
	assert_int_equal(plan_selection(p, 4, &narrow, NULL), 0);
	assert_int_equal(plan_selection(p, 5, &most, NULL), 0);
	assert_int_equal(plan_selection(p, 3, HOSTS(from, 2), &lans), 0);
	assert_int_equal(plan_selection(p, 3, TO(sel, 2), NULL), 0);
	l.shape = (struct link_shape){
		.interval_ns = 10000000, .steps = 4, .step_time_ns = 1, .idle_ns = 2, .window_ns = 3
	};
	assert_int_equal(plan_link(p, &l), 0);
	assert_int_equal(plan_origin_circuit(p, &c, keys), 0);
	assert_int_equal(plan_origin_routes(p, &c, TO(sel, 2), NULL), 0);
	c.inner.dns4.s_addr = htonl(0x64600001);
	assert_int_equal(plan_origin_service(p, &c, HOSTS(from, 2), &lans), 0);
	assert_int_equal(plan_origin_routes(p, &c, HOSTS(from, 2), &lans), 0);
	struct kobject *o = plan_add(p, KOBJ_ROUTE);
	o->route = (struct kobj_route){ .type = ROUTE_UNICAST,
					.dst = prefix6(&far, 80),
					.dev = "ovl2",
					.table = RT_TABLE_MAIN,
					.metric = 1,
					.mtu = 1280,
					.hoplimit = 63 };
}

static bool is_rt(enum kobject_type t)
{
	return t == KOBJ_LINK || t == KOBJ_ADDR || t == KOBJ_ROUTE || t == KOBJ_RULE;
}

static bool is_xfrm(enum kobject_type t)
{
	return t == KOBJ_SA || t == KOBJ_SP;
}

static bool is_tfc(enum kobject_type t)
{
	return t == KOBJ_TFC || t == KOBJ_TFC_PEER;
}

static bool is_message(enum kobject_type t)
{
	return is_rt(t) || is_xfrm(t) || is_tfc(t);
}

static struct nl_msg *encoded(const struct kobject *o)
{
	struct nl_msg *m = NULL;
	int r = is_rt(o->type)	  ? rtmsg_encode(o, true, &devs, &m)
		: is_tfc(o->type) ? tfcmsg_encode(o, true, &devs, &m)
				  : xfrmmsg_encode(o, true, &m);
	assert_int_equal(r, 0);
	return m;
}

/* The two protocols number their messages from 16 on alike. */
static int decoded(enum kobject_type type, const struct nlmsghdr *h, struct kobject *ret)
{
	if (is_tfc(type)) {
		struct tfc_info info;
		int r = tfcmsg_decode(h, &devs, &info);
		*ret = info.o;
		return r;
	}
	return is_rt(type) ? rtmsg_decode(h, &devs, ret, NULL) : xfrmmsg_decode(h, ret);
}

/* A message at an address that is aligned to 4 bytes and not to 8, as it may lie in a dump. */
static void unaligned(void **state)
{
	(void)state;
	_cleanup_plan_ struct plan p = { 0 };
	objects(&p);
	for (size_t i = 0; i < p.n; i++) {
		struct kobject back;
		if (!is_message(p.v[i].type))
			continue;
		struct nl_msg *m = encoded(&p.v[i]);
		size_t len = nlmsg_hdr(m)->nlmsg_len;
		uint8_t *room = malloc(len + 4);
		assert_non_null(room);
		memcpy(room + 4, nlmsg_hdr(m), len);
		assert_int_equal(decoded(p.v[i].type, (struct nlmsghdr *)(void *)(room + 4), &back), 0);
		assert_true(kobject_equal(&p.v[i], &back));
		free(room);
		nlmsg_free(m);
	}
}

static void there_and_back(void **state)
{
	(void)state;
	_cleanup_plan_ struct plan p = { 0 };
	size_t n = 0;
	objects(&p);
	for (size_t i = 0; i < p.n; i++) {
		const struct kobject *o = &p.v[i];
		struct kobject back;
		if (!is_message(o->type))
			continue;
		struct nl_msg *m = encoded(o);
		assert_int_equal(decoded(o->type, nlmsg_hdr(m), &back), 0);
		assert_true(kobject_equal(o, &back));
		if (o->type == KOBJ_SA)
			assert_memory_equal(o->sa.key, back.sa.key, suite_get(o->sa.suite)->key_len);
		nlmsg_free(m);
		n++;
	}
	assert_true(n > 25);
}

/* Every truncation and every byte set to 0 and 255: an answer, never a crash; the sanitizers watch. */
static void broken(void **state)
{
	(void)state;
	_cleanup_plan_ struct plan p = { 0 };
	objects(&p);
	for (size_t i = 0; i < p.n; i++) {
		struct kobject back;
		if (!is_message(p.v[i].type))
			continue;
		struct nl_msg *m = encoded(&p.v[i]);
		size_t len = nlmsg_hdr(m)->nlmsg_len;
		for (size_t cut = sizeof(struct nlmsghdr); cut < len; cut++) {
			struct nlmsghdr *h = malloc(cut);
			assert_non_null(h);
			memcpy(h, nlmsg_hdr(m), cut);
			h->nlmsg_len = (uint32_t)cut;
			decoded(p.v[i].type, h, &back);
			free(h);
		}
		for (size_t at = sizeof(struct nlmsghdr); at < len; at++)
			for (int v = 0; v < 256; v += 255) {
				uint8_t *h = malloc(len);
				assert_non_null(h);
				memcpy(h, nlmsg_hdr(m), len);
				h[at] = (uint8_t)v;
				decoded(p.v[i].type, (struct nlmsghdr *)(void *)h, &back);
				free(h);
			}
		nlmsg_free(m);
	}
}

static void foreign_objects(void **state)
{
	(void)state;
	_cleanup_plan_ struct plan p = { 0 };
	objects(&p);
	for (size_t i = 0; i < p.n; i++) {
		struct kobject o = p.v[i], back;
		switch (o.type) {
		case KOBJ_SA:
			o.sa.reqid = 5; /* charon's */
			break;
		case KOBJ_SP:
			o.sp.reqid = 5;
			break;
		case KOBJ_LINK:
			o.link.if_id = 1;
			break;
		default:
			continue;
		}
		struct nl_msg *m = encoded(&o);
		assert_int_equal(decoded(o.type, nlmsg_hdr(m), &back), -ENOENT);
		nlmsg_free(m);
	}
	struct kobject route = { .type = KOBJ_ROUTE }, back;
	route.route = (struct kobj_route){ .type = ROUTE_UNREACHABLE, .dst = { .family = AF_INET6 }, .metric = 1 };
	struct nl_msg *m = encoded(&route);
	struct rtmsg *head = nlmsg_data(nlmsg_hdr(m));
	head->rtm_protocol = RTPROT_STATIC;
	assert_int_equal(decoded(KOBJ_ROUTE, nlmsg_hdr(m), &back), -ENOENT);
	nlmsg_free(m);
}

static void refused(void **state)
{
	(void)state;
	struct nl_msg *m = NULL;
	struct kobject o = { .type = KOBJ_SA };
	o.sa.suite = SUITE_AES128_GCM_16;
	assert_int_equal(xfrmmsg_encode(&o, true, &m), -EINVAL); /* without a key */
	o.sa.key = key;
	o.sa.suite = (enum suite)99;
	assert_int_equal(xfrmmsg_encode(&o, true, &m), -EINVAL);
	assert_int_equal(rtmsg_encode(&o, true, &devs, &m), -EINVAL);
	o = (struct kobject){ .type = KOBJ_ADDR };
	strcpy(o.addr.dev, "missing");
	assert_int_equal(rtmsg_encode(&o, true, &devs, &m), -ENODEV);
	assert_null(m);
}

static void sa_options(void **state)
{
	(void)state;
	struct nl_msg *m = NULL;
	struct kobject o = { .type = KOBJ_SA };
	o.sa = (struct kobj_sa){ .mode = SA_TUNNEL, .suite = SUITE_AES128_GCM_16, .key = key, .inbound = true };
	assert_int_equal(xfrmmsg_encode(&o, true, &m), 0);
	const struct xfrm_usersa_info *info = nlmsg_data(nlmsg_hdr(m));
	assert_int_equal(info->flags, XFRM_STATE_NOECN | XFRM_STATE_ESN | XFRM_STATE_AF_UNSPEC);
	struct nlattr *a = nlmsg_find_attr(nlmsg_hdr(m), sizeof(*info), XFRMA_SA_EXTRA_FLAGS);
	assert_int_equal(nla_get_u32(a), XFRM_SA_XFLAG_DONT_ENCAP_DSCP);
	a = nlmsg_find_attr(nlmsg_hdr(m), sizeof(*info), XFRMA_REPLAY_ESN_VAL);
	const struct xfrm_replay_state_esn *esn = nla_data(a);
	assert_int_equal(esn->replay_window, 1024);
	assert_int_equal(nla_len(a), sizeof(*esn) + 128);
	/* set-mark is there even if it is 0: what came in with the packet goes */
	assert_non_null(nlmsg_find_attr(nlmsg_hdr(m), sizeof(*info), XFRMA_SET_MARK_MASK));
	assert_null(nlmsg_find_attr(nlmsg_hdr(m), sizeof(*info), XFRMA_MARK));
	nlmsg_free(m);
}

static uint64_t hard_seconds(uint64_t expires)
{
	struct nl_msg *m = NULL;
	struct kobject o = { .type = KOBJ_SA };
	struct xfrm_usersa_info info;
	o.sa = (struct kobj_sa){ .mode = SA_TUNNEL, .suite = SUITE_AES128_GCM_16, .key = key, .expires = expires };
	assert_int_equal(xfrmmsg_encode(&o, true, &m), 0);
	memcpy(&info, nlmsg_data(nlmsg_hdr(m)), sizeof(info));
	assert_true(info.lft.hard_byte_limit == XFRM_INF && info.lft.hard_packet_limit == XFRM_INF);
	assert_int_equal(info.lft.soft_add_expires_seconds, 0);
	assert_int_equal(info.lft.hard_use_expires_seconds, 0);
	nlmsg_free(m);
	return info.lft.hard_add_expires_seconds;
}

static void sa_lifetime(void **state)
{
	(void)state;
	uint64_t now = clock_wall_s(), left = hard_seconds(now + 500);
	assert_true(left >= 490 && left <= 500);
	assert_int_equal(hard_seconds(0), 0); /* the kernel's number for no limit */
	assert_int_equal(hard_seconds(now - 5), 1);
	assert_int_equal(hard_seconds(1), 1);
}

/* Only what is made can be taken away: an SA whose key nobody knows any more is found or the plan fails. */
/* A shape's counters, from a module that has fewer of them than we know, and more. */
static void shape_counters(void **state)
{
	(void)state;
	struct {
		struct tc_tfc_xstats known;
		uint64_t more;
	} sent = { .known = { .real = 5, .cover = 7, .peers = 9 }, .more = 11 };
	const struct kobject o = { .type = KOBJ_TFC,
				   .tfc = { .dev = "ovl2", .size = 1400, .interval_ns = 1, .steps = 1 } };
	for (size_t len = 8; len <= sizeof(sent); len += 8) {
		struct nl_msg *m = encoded(&o);
		struct nlattr *stats = nla_nest_start(m, TCA_STATS2);
		struct tfc_info info;
		assert_int_equal(nla_put(m, TCA_STATS_APP, (int)len, &sent), 0);
		nla_nest_end(m, stats);
		assert_int_equal(tfcmsg_decode(nlmsg_hdr(m), &devs, &info), 0);
		assert_int_equal(info.stats.real, 5);
		assert_int_equal(info.stats.cover, len < 16 ? 0 : 7);
		assert_int_equal(info.stats.peers, len < sizeof(sent.known) ? 0 : 9);
		nlmsg_free(m);
	}
	/* a discipline of ours that goes, and another's */
	struct nl_msg *m = NULL;
	struct event ev;
	assert_int_equal(tfcmsg_encode(&o, false, &devs, &m), 0);
	assert_int_equal(eventmsg_route(nlmsg_hdr(m), &ev), 0);
	assert_int_equal(ev.type, EVENT_OURS);
	strcpy(nla_data(nlmsg_find_attr(nlmsg_hdr(m), sizeof(struct tcmsg), TCA_KIND)), "fq");
	assert_int_equal(eventmsg_route(nlmsg_hdr(m), &ev), -ENOENT);
	nlmsg_free(m);
}

static void adoption(void **state)
{
	(void)state;
	_cleanup_plan_ struct plan with = { 0 }, without = { 0 }, half = { 0 };
	struct kernel *k = NULL;
	assert_int_equal(kernel_fake_new(&k), 0);
	for (size_t i = 0; i < 3; i++) {
		struct kobject o = { .type = i < 2 ? KOBJ_SA : KOBJ_SP };
		if (i < 2)
			o.sa = (struct kobj_sa){ .spi = SPI_MIN + (uint32_t)i,
						 .suite = SUITE_AES128_GCM_16,
						 .key = key };
		assert_int_equal(plan_add_copy(&with, &o), 0);
		if (i < 2)
			o.sa.key = NULL;
		assert_int_equal(plan_add_copy(&without, &o), 0);
	}
	assert_int_equal(kernel_apply(k, &without), -ENOENT);
	assert_int_equal(kernel_fake_objects(k)->n, 0);
	assert_int_equal(kernel_apply(k, &with), 0);
	assert_int_equal(kernel_apply(k, &without), 0);
	assert_int_equal(kernel_fake_objects(k)->n, 3);
	assert_int_equal(plan_add_copy(&half, &without.v[1]), 0);
	assert_int_equal(kernel_remove(k, &half), 0);
	assert_int_equal(kernel_apply(k, &without), -ENOENT);
	assert_int_equal(kernel_fake_objects(k)->n, 2); /* what was there before stays */
	kernel_free(k);
}

static void events(void **state)
{
	(void)state;
	struct xfrm_user_expire x = { .hard = 1 };
	struct event ev;
	x.state.reqid = REQID_RELAY_BASE + 5;
	x.state.id.spi = htonl(77);
	const struct kobject rule = { .type = KOBJ_RULE,
				      .rule = { .family = AF_INET, .pref = RULE_PREF_ANON, .table = RT_TABLE_ANON } };
	struct nl_msg *m = encoded(&rule);
	assert_int_equal(eventmsg_route(nlmsg_hdr(m), &ev), -ENOENT); /* a new one */
	nlmsg_free(m);
	assert_int_equal(rtmsg_encode(&rule, false, &devs, &m), 0);
	assert_int_equal(eventmsg_route(nlmsg_hdr(m), &ev), 0);
	assert_int_equal(ev.type, EVENT_OURS);
	((struct nlattr *)nlmsg_find_attr(nlmsg_hdr(m), sizeof(struct fib_rule_hdr), FRA_PROTOCOL))->nla_type = FRA_PAD;
	assert_int_equal(eventmsg_route(nlmsg_hdr(m), &ev), -ENOENT); /* not ours */
	nlmsg_free(m);
	/* a route of ours that comes, and that goes */
	const struct kobject route = { .type = KOBJ_ROUTE,
				       .route = { .type = ROUTE_UNREACHABLE,
						  .dst = { .family = AF_INET },
						  .table = RT_TABLE_ANON,
						  .metric = 1 } };
	m = encoded(&route);
	assert_int_equal(eventmsg_route(nlmsg_hdr(m), &ev), -ENOENT);
	nlmsg_free(m);
	assert_int_equal(rtmsg_encode(&route, false, &devs, &m), 0);
	assert_int_equal(eventmsg_route(nlmsg_hdr(m), &ev), 0);
	assert_int_equal(ev.type, EVENT_OURS);
	((struct rtmsg *)nlmsg_data(nlmsg_hdr(m)))->rtm_protocol = RTPROT_BOOT;
	assert_int_equal(eventmsg_route(nlmsg_hdr(m), &ev), -ENOENT);
	/* somebody's default route that comes */
	nlmsg_hdr(m)->nlmsg_type = RTM_NEWROUTE;
	((struct rtmsg *)nlmsg_data(nlmsg_hdr(m)))->rtm_type = RTN_UNICAST;
	assert_int_equal(eventmsg_route(nlmsg_hdr(m), &ev), 0);
	assert_int_equal(ev.type, EVENT_ROUTE);
	((struct rtmsg *)nlmsg_data(nlmsg_hdr(m)))->rtm_dst_len = 24;
	assert_int_equal(eventmsg_route(nlmsg_hdr(m), &ev), -ENOENT);
	nlmsg_free(m);
	m = nlmsg_alloc_simple(XFRM_MSG_EXPIRE, 0);
	nlmsg_append(m, &x, sizeof(x), NLMSG_ALIGNTO);
	assert_int_equal(eventmsg_xfrm(nlmsg_hdr(m), &ev), 0);
	assert_int_equal(ev.reqid, REQID_RELAY_BASE + 5);
	assert_int_equal(ev.spi, 77);
	assert_true(ev.gone);
	((struct xfrm_user_expire *)nlmsg_data(nlmsg_hdr(m)))->state.reqid = 3;
	assert_int_equal(eventmsg_xfrm(nlmsg_hdr(m), &ev), -ENOENT);
	nlmsg_hdr(m)->nlmsg_len -= 8;
	assert_int_equal(eventmsg_xfrm(nlmsg_hdr(m), &ev), -EBADMSG);
	nlmsg_free(m);
}

/* NFT_MSG_NEWGEN as nf_tables_fill_gen_info makes it; process 0: without the attribute. */
static struct nl_msg *generation(uint32_t process)
{
	struct nfgenmsg g = { .version = NFNETLINK_V0 };
	struct nl_msg *m = nlmsg_alloc_simple(NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWGEN, 0);
	assert_non_null(m);
	nlmsg_append(m, &g, sizeof(g), NLMSG_ALIGNTO);
	nla_put_u32(m, NFTA_GEN_ID, htonl(5));
	if (process)
		nla_put_u32(m, NFTA_GEN_PROC_PID, htonl(process));
	return m;
}

static void nft_events(void **state)
{
	(void)state;
	struct event ev = { .type = EVENT_LINK };
	uint32_t self = 0;
	struct nl_msg *m = generation(77);
	assert_int_equal(eventmsg_nft_self(nlmsg_hdr(m), &self), 0);
	assert_int_equal(self, 77);
	assert_int_equal(eventmsg_nft(nlmsg_hdr(m), 77, &ev), -ENOENT); /* our own */
	assert_int_equal(ev.type, EVENT_LINK);
	assert_int_equal(eventmsg_nft(nlmsg_hdr(m), 78, &ev), 0);
	assert_int_equal(ev.type, EVENT_NFT);
	nlmsg_hdr(m)->nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWRULE;
	assert_int_equal(eventmsg_nft(nlmsg_hdr(m), 78, &ev), -ENOENT);
	nlmsg_hdr(m)->nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWGEN;
	nlmsg_hdr(m)->nlmsg_len = NLMSG_HDRLEN + 2;
	assert_int_equal(eventmsg_nft(nlmsg_hdr(m), 78, &ev), -EBADMSG);
	nlmsg_free(m);
	/* who does not say who it was is another */
	m = generation(0);
	assert_int_equal(eventmsg_nft(nlmsg_hdr(m), 77, &ev), 0);
	assert_int_equal(eventmsg_nft(nlmsg_hdr(m), 0, &ev), 0);
	assert_int_equal(eventmsg_nft_self(nlmsg_hdr(m), &self), -EBADMSG);
	nlmsg_free(m);
}

static int write_seeds(const char *folder)
{
	_cleanup_plan_ struct plan p = { 0 };
	objects(&p);
	for (size_t i = 0; i < p.n; i++) {
		char path[256];
		if (!is_message(p.v[i].type))
			continue;
		struct nl_msg *m = encoded(&p.v[i]);
		snprintf(path, sizeof(path), "%s/%s-%zu", folder, is_xfrm(p.v[i].type) ? "xfrm" : "route", i);
		_cleanup_fclose_ FILE *f = fopen(path, "w");
		if (!f || fwrite(nlmsg_hdr(m), nlmsg_hdr(m)->nlmsg_len, 1, f) != 1)
			return 1;
		nlmsg_free(m);
	}
	struct nl_msg *m = generation(77);
	char path[256];
	snprintf(path, sizeof(path), "%s/nft-generation", folder);
	_cleanup_fclose_ FILE *f = fopen(path, "w");
	int r = !f || fwrite(nlmsg_hdr(m), nlmsg_hdr(m)->nlmsg_len, 1, f) != 1;
	nlmsg_free(m);
	return r;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(there_and_back),  cmocka_unit_test(unaligned),	     cmocka_unit_test(broken),
		cmocka_unit_test(foreign_objects), cmocka_unit_test(refused),	     cmocka_unit_test(sa_options),
		cmocka_unit_test(sa_lifetime),	   cmocka_unit_test(adoption),	     cmocka_unit_test(events),
		cmocka_unit_test(nft_events),	   cmocka_unit_test(shape_counters),
	};
	if (argc == 2)
		return write_seeds(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
