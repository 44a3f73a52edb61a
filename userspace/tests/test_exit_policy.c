/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an exit operator may write about where circuits lead, and the rules that become of it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "plan/exit.h"

static const char *rules_of(const struct plan *p, const char *name)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->v[i].nft.kind == NFT_CHAIN && !strcmp(p->v[i].nft.name, name))
			return p->v[i].nft.rules;
	fail_msg("no chain %s", name);
	return NULL;
}

/* The chain that one line becomes. */
static void assert_becomes(const char *line, const char *rule)
{
	static struct exit_policy policy;
	_cleanup_plan_ struct plan p = { 0 };
	char want[256];

	policy.n = 0;
	assert_null(exit_policy_add(&policy, line));
	assert_int_equal(policy.n, 1);
	assert_int_equal(plan_exit(&p, &policy, &(struct exit_limits){ 0 }), 0);
	snprintf(want, sizeof(want), "%s\ngoto exit_refuse\n", rule);
	assert_string_equal(rules_of(&p, "exit_policy"), want);
}

static void lines(void **state)
{
	(void)state;
	assert_becomes("accept *", "return");
	assert_becomes("accept *:*", "return");
	assert_becomes("reject *:25", "meta l4proto { tcp, udp } th dport 25 goto exit_refuse");
	assert_becomes("accept tcp *:6660-6669", "tcp dport 6660-6669 return");
	assert_becomes("  accept\tudp *4:53 ", "meta nfproto ipv4 udp dport 53 return");
	assert_becomes("accept tcp *6", "meta nfproto ipv6 meta l4proto tcp return");
	assert_becomes("reject icmp *", "meta l4proto { icmp, ipv6-icmp } goto exit_refuse");
	assert_becomes("reject 192.0.2.0/24", "ip daddr 192.0.2.0/24 goto exit_refuse");
	assert_becomes("reject 192.0.2.9:*", "ip daddr 192.0.2.9 goto exit_refuse");
	assert_becomes("reject [2001:db8::]/32:80", "ip6 daddr 2001:db8::/32 meta l4proto { tcp, udp } th dport 80 "
						    "goto exit_refuse");
	assert_becomes("reject [2001:db8::/32]", "ip6 daddr 2001:db8::/32 goto exit_refuse");
	assert_becomes("accept [::1]:1-65535", "ip6 daddr ::1 meta l4proto { tcp, udp } th dport 1-65535 return");
}

static void mistakes(void **state)
{
	static const char *const bad[] = {
		"",
		"accept",
		"allow *:80",
		"accept *:80 *:443",
		"accept tcp udp *:80",
		"accept sctp *:80",
		"accept *:0",
		"accept *:65536",
		"accept *:080",
		"accept *:80-79",
		"accept *:80-",
		"accept *:-80",
		"accept *:80,443",
		"accept *: 80",
		"accept *:",
		"accept icmp *:8",
		"accept 192.0.2.1/24:80",
		"accept 2001:db8::/32",
		"accept [192.0.2.1]:80",
		"accept [2001:db8::1",
		"accept []",
		"accept []:80",
		"accept [2001:db8::1]x:80",
		"accept example.org:80",
		"accept ;drop",
		"preset",
		"preset full",
		"accept *:80 preset default",
		"accept 192.0.2.1                                                                                      "
		" :80",
	};
	static struct exit_policy policy;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		policy.n = 0;
		if (!exit_policy_add(&policy, bad[i]))
			fail_msg("taken: %s", bad[i]);
		assert_int_equal(policy.n, 0);
	}
}

static bool accepts(const struct exit_policy *p, uint16_t port)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->rules[i].proto != POLICY_ICMP &&
		    (!p->rules[i].port_min || (p->rules[i].port_min <= port && port <= p->rules[i].port_max)))
			return p->rules[i].accept;
	return false;
}

static void presets(void **state)
{
	static struct exit_policy all, reduced;
	const char *wrong = NULL;

	(void)state;
	assert_null(exit_policy_add(&all, "preset default"));
	assert_true(accepts(&all, 80) && accepts(&all, 12345) && accepts(&all, 587));
	assert_false(accepts(&all, 25) || accepts(&all, 137) || accepts(&all, 6999));
	assert_null(exit_policy_add(&reduced, "preset reduced"));
	assert_true(accepts(&reduced, 22) && accepts(&reduced, 443) && accepts(&reduced, 9030) &&
		    accepts(&reduced, 64738));
	assert_false(accepts(&reduced, 25) || accepts(&reduced, 12345) || accepts(&reduced, 7));
	assert_int_equal(reduced.rules[reduced.n - 1].proto, POLICY_ICMP);
	/* what stands before a preset goes first */
	all.n = 0;
	assert_null(exit_policy_add(&all, "accept *:25"));
	assert_null(exit_policy_add(&all, "preset default"));
	assert_true(accepts(&all, 25));
	while (!wrong)
		wrong = exit_policy_add(&all, "preset reduced");
	assert_string_equal(wrong, "too many rules");
	assert_int_equal(all.n, POLICY_RULES_MAX);
}

static void limits(void **state)
{
	static struct exit_policy policy;
	_cleanup_plan_ struct plan none = { 0 }, some = { 0 };
	struct exit_limits l = { .flows = 10, .new_flows_per_second = 2, .kib_per_second = 1000 };

	(void)state;
	/* an empty policy refuses everything */
	assert_int_equal(plan_exit(&none, &policy, &(struct exit_limits){ 0 }), 0);
	assert_string_equal(rules_of(&none, "exit_policy"), "goto exit_refuse\n");
	assert_string_equal(rules_of(&none, "exit_flow"), "jump exit_policy\ngoto exit_limit\n");
	assert_string_equal(rules_of(&none, "exit_limit"), "goto exit_count\n");
	assert_memory_equal(rules_of(&none, "exit_count"), "return\n", 7);
	assert_int_equal(plan_exit(&some, &policy, &l), 0);
	assert_string_equal(rules_of(&some, "exit_limit"),
			    "update @exit_rate_2 { ct mark limit rate 2/second burst 10 packets } goto exit_count\n"
			    "counter name drop_busy drop\n");
	assert_string_equal(rules_of(&some, "exit_count"), "add @exit_flows_10 { ct mark ct count 10 } return\n"
							   "goto exit_crowded\n");
	assert_string_equal(
		rules_of(&some, "exit_crowded"),
		"meta l4proto tcp update @exit_told { ct mark limit rate 50/second burst 100 packets } counter "
		"name drop_busy reject with tcp reset\n"
		"meta l4proto != tcp update @exit_told { ct mark limit rate 50/second burst 100 packets } "
		"counter name drop_busy reject with icmpx admin-prohibited\n"
		"counter name drop_busy drop\n");
	assert_string_equal(
		rules_of(&some, "exit_down"),
		"update @exit_down_1000 { ct mark limit rate 1000 kbytes/second burst 1000 kbytes } return\n"
		"counter name drop_speed drop\n");
	plan_clear(&some);
	l.kib_per_second = 8; /* a burst holds what the kernel merges into one packet */
	assert_int_equal(plan_exit(&some, &policy, &l), 0);
	assert_non_null(strstr(rules_of(&some, "exit_up"), "limit rate 8 kbytes/second burst 256 kbytes } return\n"));
}

static void impossible_rules(void **state)
{
	static struct exit_policy policy;
	static const struct policy_rule bad[] = {
		{ .proto = POLICY_ICMP, .port_min = 1, .port_max = 1 },
		{ .port_min = 2, .port_max = 1 },
		{ .port_max = 1 },
		{ .dst = { .family = AF_INET, .len = 33 } },
		{ .proto = (enum policy_proto)7 },
	};

	(void)state;
	policy.n = 1;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_cleanup_plan_ struct plan p = { 0 };

		policy.rules[0] = bad[i];
		assert_int_equal(plan_exit(&p, &policy, &(struct exit_limits){ 0 }), -EINVAL);
	}
}

static const char *nat(const struct exit_pool *pool, bool six)
{
	static char text[8192];
	_cleanup_plan_ struct plan p = { 0 };
	struct chain c;

	chain_open(&c, NFT_INET, "nat", NULL);
	if (six)
		exit_nat6(&c, "fd22::ffff:0:0:0/80", pool);
	else
		exit_nat4(&c, "100.96.0.0/16", pool);
	assert_int_equal(chain_close(&c, &p), 0);
	snprintf(text, sizeof(text), "%s", p.v[0].nft.rules);
	return text;
}

static void pools(void **state)
{
	static const char *const bad4[] = { "",
					    "192.0.2.1-",
					    "-192.0.2.1",
					    "192.0.2.2-192.0.2.1",
					    "192.0.2.0-192.0.3.0",
					    "192.0.2.0/23",
					    "192.0.2.1/24",
					    "2001:db8::/64",
					    "192.0.2.1-192.0.2.2-192.0.2.3",
					    "192.0.2.1 - 192.0.2.2",
					    "example.org" };
	static const char *const bad6[] = { "",		 "192.0.2.0/24", "2001:db8::/81", "2001:db8::1/64",
					    "fd00::/64", "fe80::/64" };
	struct exit_pool p = { 0 };
	_cleanup_plan_ struct plan routes = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad4); i++)
		if (!exit_pool_set4(&p, bad4[i]))
			fail_msg("taken: %s", bad4[i]);
	for (size_t i = 0; i < ARRAY_SIZE(bad6); i++)
		if (!exit_pool_set6(&p, bad6[i]))
			fail_msg("taken: %s", bad6[i]);
	assert_false(p.has4 || p.has6);
	/* none: the exit's own address */
	assert_non_null(strstr(nat(&p, false), "ip saddr 100.96.0.0/16 oifname != \"lo\" "));
	assert_non_null(strstr(nat(&p, false), "{ tcp, udp } masquerade to :10000-65535 fully-random\n"));
	assert_non_null(strstr(nat(&p, true), "ip6 saddr fd22::ffff:0:0:0/80 "));
	assert_int_equal(exit_pool_routes(&routes, &p), 0);
	assert_int_equal(routes.n, 0);
	assert_null(exit_pool_set4(&p, "192.0.2.8-192.0.2.10"));
	assert_non_null(
		strstr(nat(&p, false), "udp } snat ip to 192.0.2.8-192.0.2.10:10000-65535 fully-random,persistent\n"));
	p.by_destination = true;
	assert_non_null(strstr(nat(&p, false),
			       "snat ip to jhash ip daddr mod 3 seed 0x616e6f6e map { 0 : 192.0.2.8, 1 : "
			       "192.0.2.9, 2 : 192.0.2.10 }:10000-65535 fully-random\n"));
	assert_null(exit_pool_set6(&p, "2001:db8:77::/64"));
	assert_non_null(strstr(nat(&p, true), " snat ip6 prefix to 2001:db8:77::/80\n"));
	assert_int_equal(exit_pool_routes(&routes, &p), 0);
	assert_int_equal(routes.n, 4);
	assert_int_equal(routes.v[3].route.dst.len, 80);
	assert_null(exit_pool_set4(&p, "255.255.255.0/24")); /* the largest, with the longest addresses */
	assert_int_equal(p.last4.s_addr, 0xffffffff);
	assert_non_null(strstr(nat(&p, false), "255 : 255.255.255.255 }:10000"));
	assert_null(exit_pool_set4(&p, "192.0.2.7"));
	assert_non_null(strstr(nat(&p, false), "snat ip to 192.0.2.7:10000-65535 fully-random\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines),  cmocka_unit_test(mistakes),	      cmocka_unit_test(presets),
		cmocka_unit_test(limits), cmocka_unit_test(impossible_rules), cmocka_unit_test(pools),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
