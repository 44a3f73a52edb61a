/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The configuration: defaults, every option, and one clear sentence for each mistake. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <grp.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include <grp.h>

#include "anond/config.h"

#define A "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=@"
#define B "AgIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=@"
#define AUTHORITIES "authorities = {\"" A "192.0.2.10\"}\n"
#define RELAY "role = relay name = r1 addresses = {192.0.2.1}\n"
#define KEY "network-key = \"AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=\"\n"

static void defaults(void **state)
{
	struct config *c = NULL, *none = NULL;
	struct error err;

	(void)state;
	assert_int_equal(config_parse(KEY, "f", &c, &err), 0);
	assert_int_equal(c->roles, ROLE_CLIENT);
	assert_string_equal(c->network, "/etc/anond/network.json");
	assert_int_equal(c->network_key[31], 0x20);
	assert_string_equal(c->keys, "/var/lib/anond/keys");
	assert_string_equal(c->run, "/run/anond");
	assert_string_equal(c->vici, "/run/charon.anond.vici");
	assert_string_equal(c->state, "/var/lib/anond/state");
	assert_string_equal(c->user, "anond"); /* nobody stays root by leaving a line out */
	assert_null(c->group);
	assert_int_equal(c->hops, HOPS_DEFAULT);
	assert_int_equal(c->suite, SUITE_AES128_GCM_16);
	assert_int_equal(c->log_level, LOG_INFO);
	assert_true(c->guard);
	assert_memory_equal(&c->timing, &origin_timing_default, sizeof(c->timing));
	assert_memory_equal(&c->limits, &relay_limits_default, sizeof(c->limits));
	assert_int_equal(c->link.rekey_s, 3600);
	assert_int_equal(c->onion.life_s, 7 * 86400);
	assert_int_equal(c->onion.overlap_s, 86400);
	assert_false(c->replace_onion); /* in a network file nobody would learn of another key */
	/* The greatest lifetime that may be asked for is the greatest that relays take. */
	assert_int_equal(config_parse(KEY "lifetime = 7201", "f", &none, &err), -EINVAL);
	assert_int_equal(relay_limits_default.lifetime_max, 7200);
	assert_true(c->exit.inner4_enabled && c->exit.inner6_enabled);
	assert_int_equal(c->exit.inner4.len, 12);
	assert_int_equal(c->exit.inner4.a4.s_addr, inet_addr("100.96.0.0"));
	assert_false(c->exit.policy.rules[0].accept);
	assert_int_equal(c->exit.policy.rules[0].port_min, 25);
	assert_true(c->exit.policy.rules[c->exit.policy.n - 1].accept);
	assert_int_equal(c->exit.limits.flows, 2048);
	assert_int_equal(c->exit.limits.kib_per_second, 0);
	config_free(c);
}

static void every_option(void **state)
{
	static const char text[] =
		"# a comment\nrole = {relay, exit}\nnetwork = /n\n" KEY
		"keys = /k\nrun = /r\nstate = /s\nuser = u\ngroup = g\n"
		"vici = /v\nhops = 5\nsuite = chacha20poly1305\nlifetime = 61\nlog-level = debug\nguard = no\n"
		"onion-key-life = 60\nonion-key-overlap = 29\n"
		"timings { create-timeout = 2 keepalive-interval = 3 keepalive-misses = 4 }\n"
		"limits { half-open = 5 half-open-per-link = 6 circuits = 7 circuits-per-link = 8\n"
		" creates-per-second = 9 half-open-per-client = 10 circuits-per-client = 11\n"
		"creates-per-second-per-client = 12 }\n"
		"link { rekey-time = 100 ike-rekey-time = 200 dpd-delay = 30 }\n"
		"exit { inner4 = 100.64.8.0/21 inner6 = false resolver = {192.0.2.53, 2001:db8::53}\n"
		" policy = {\"reject *:25\", \"accept *\"} flows-per-circuit = 0 new-flows-per-second = 7\n"
		" rate-per-circuit = 100 pool4 = 192.0.2.8/30 pool4-by = destination pool6 = 2001:db8:7::/64 }\n";
	struct config *c = NULL;
	struct error err;

	(void)state;
	assert_int_equal(config_parse(text, "f", &c, &err), 0);
	assert_int_equal(c->roles, ROLE_RELAY | ROLE_EXIT);
	assert_string_equal(c->network, "/n");
	assert_string_equal(c->keys, "/k");
	assert_string_equal(c->run, "/r");
	assert_string_equal(c->state, "/s");
	assert_string_equal(c->user, "u");
	assert_string_equal(c->group, "g");
	assert_string_equal(c->vici, "/v");
	assert_int_equal(c->hops, 5);
	assert_int_equal(c->suite, SUITE_CHACHA20_POLY1305);
	assert_int_equal(c->timing.lifetime_s, 61);
	assert_int_equal(c->log_level, LOG_DEBUG);
	assert_false(c->guard);
	assert_int_equal(c->onion.life_s, 60);
	assert_int_equal(c->onion.overlap_s, 29);
	assert_int_equal(c->timing.create_timeout_ms, 2000);
	assert_int_equal(c->timing.keepalive_ms, 3000);
	assert_int_equal(c->timing.keepalive_misses, 4);
	assert_int_equal(c->limits.half_open, 5);
	assert_int_equal(c->limits.half_open_per_link, 6);
	assert_int_equal(c->limits.circuits, 7);
	assert_int_equal(c->limits.circuits_per_link, 8);
	assert_int_equal(c->limits.creates_per_second, 9);
	assert_int_equal(c->limits.client_half_open, 10);
	assert_int_equal(c->limits.client_circuits, 11);
	assert_int_equal(c->limits.client_creates_per_second, 12);
	assert_int_equal(c->limits.replay_entries, relay_limits_default.replay_entries);
	assert_int_equal(c->link.rekey_s, 100);
	assert_int_equal(c->link.ike_rekey_s, 200);
	assert_int_equal(c->link.dpd_s, 30);
	assert_int_equal(c->exit.inner4.len, 21);
	assert_false(c->exit.inner6_enabled);
	assert_int_equal(c->exit.resolver4.s_addr, inet_addr("192.0.2.53"));
	assert_int_equal(c->exit.resolver6.s6_addr[15], 0x53);
	assert_int_equal(c->exit.policy.n, 2);
	assert_false(c->exit.policy.rules[0].accept);
	assert_true(c->exit.policy.rules[1].accept);
	assert_int_equal(c->exit.limits.flows, 0);
	assert_int_equal(c->exit.limits.new_flows_per_second, 7);
	assert_int_equal(c->exit.limits.kib_per_second, 100);
	assert_int_equal(c->exit.pool.last4.s_addr, inet_addr("192.0.2.11"));
	assert_true(c->exit.pool.by_destination);
	assert_int_equal(c->exit.pool.pool6.len, 64);
	config_free(c);
}

static void gateway(void **state)
{
	struct config *c = NULL;
	struct error err;

	(void)state;
	assert_int_equal(config_parse(KEY "role = gateway\nlan = {br-lan, wlan0}", "f", &c, &err), 0);
	assert_int_equal(c->roles, ROLE_CLIENT | ROLE_GATEWAY);
	assert_int_equal(c->lans.n, 2);
	assert_string_equal(c->lans.dev[1], "wlan0");
	config_free(c);
}

/* What is wished of all paths. */
static void rules(void **state)
{
	static const char key[] = "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
	struct config *c = NULL;
	struct error err;
	char text[400];

	(void)state;
	snprintf(text, sizeof(text),
		 KEY "exit-countries = {CH, at}\nnever-countries = {US, US}\nnever-operators = {\"%s\"}\n", key);
	assert_int_equal(config_parse(text, "f", &c, &err), 0);
	assert_int_equal(c->rules.exits.n, 2);
	assert_string_equal(c->rules.exits.v[1], "AT");
	assert_int_equal(c->rules.never.n, 1);
	assert_int_equal(c->rules.n_never_operators, 1);
	assert_int_equal(c->rules.never_operators[0][0], 1);
	config_free(c);
	c = NULL;
	assert_int_equal(config_parse(KEY "never-countries = {U}", "f", &c, &err), -EINVAL);
	assert_non_null(strstr(err.text, "f:2: never-countries: not a country's two letters"));
	assert_int_equal(config_parse(KEY "never-operators = {AQ==}", "f", &c, &err), -EINVAL);
	assert_non_null(strstr(err.text, "f:2: never-operators: not an operator's key"));
	assert_int_equal(config_parse(KEY "role = {relay}\nexit-countries = {CH}", "f", &c, &err), -EINVAL);
	assert_non_null(strstr(err.text, "only a client has paths"));
}

static void authorities(void **state)
{
	static const char text[] =
		"authorities = {\"" A "192.0.2.10:9031,[2001:db8::10]\", \"" B "[2001:db8::11]:80\"}\n"
		"mirrors = {\"192.0.2.5:80\"}\nfetch-program = /f\n" RELAY;
	struct config *c = NULL, *d = NULL;
	uint8_t id[DIR_KEY_LEN], other[DIR_KEY_LEN];
	struct error err;

	(void)state;
	if (config_parse(text, "f", &c, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(c->servers.n_keys, 2);
	assert_int_equal(c->servers.keys[0][0], 1);
	assert_int_equal(c->servers.keys[1][0], 2);
	assert_int_equal(c->servers.at.n, 4);
	assert_int_equal(c->servers.at.v[0].port, 9031);
	assert_int_equal(c->servers.at.v[1].port, 9030);
	assert_int_equal(c->servers.at.v[1].family, AF_INET6);
	assert_int_equal(c->servers.authority[1], 0);
	assert_int_equal(c->servers.authority[2], 1);
	assert_int_equal(c->servers.authority[3], -1);
	assert_string_equal(c->fetch_program, "/f");
	assert_string_equal(c->self.name, "r1");
	assert_int_equal(c->self.bandwidth, 1024);
	/* The same authorities in another order and at other places are the same network; fewer are another. */
	dir_servers_id(&c->servers, id);
	assert_int_equal(config_parse("authorities = {\"" B "192.0.2.1\", \"" A "192.0.2.2\"}", "f", &d, &err), 0);
	dir_servers_id(&d->servers, other);
	assert_memory_equal(id, other, sizeof(id));
	config_free(d);
	d = NULL;
	assert_int_equal(config_parse(AUTHORITIES, "f", &d, &err), 0);
	dir_servers_id(&d->servers, other);
	assert_memory_not_equal(id, other, sizeof(id));
	config_free(d);
	config_free(c);
}

static void self(void **state)
{
	struct relay_id id = { { 7 } };
	struct family_proof f[2];
	char one[FAMILY_PROOF_TEXT], two[FAMILY_PROOF_TEXT], *text = NULL;
	struct config *c = NULL;
	struct error err;

	(void)state;
	for (uint8_t i = 0; i < 2; i++)
		family_proof_make(&id, (const uint8_t[32]){ (uint8_t)(i + 1) }, &f[i]);
	family_proof_format(&f[0], one);
	family_proof_format(&f[1], two);
	assert_true(asprintf(&text,
			     AUTHORITIES RELAY "bandwidth = 5000 ends = 2027-01-31 as = 64500 country = SE\n"
					       "family = {\"%s\", \"%s\"}",
			     one, two) > 0);
	if (config_parse(text, "f", &c, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(c->self.bandwidth, 5000);
	assert_int_equal(c->self.ends, 1801353600);
	assert_int_equal(c->self.as, 64500);
	assert_string_equal(c->self.country, "SE");
	assert_int_equal(c->self.addr4.s_addr, inet_addr("192.0.2.1"));
	assert_int_equal(c->self.n_families, 2);
	assert_true(memcmp(c->self.families[0].key, c->self.families[1].key, 32) < 0);
	config_free(c);
	c = NULL;
	free(text);
	assert_true(asprintf(&text, AUTHORITIES RELAY "family = {\"%s\", \"%s\", \"%s\"}", one, two, one) > 0);
	assert_int_equal(config_parse(text, "f", &c, &err), -EINVAL);
	assert_non_null(strstr(err.text, "a family is named twice"));
	free(text);
}

static void groups(void **state)
{
	struct config *c = NULL;
	struct error err;

	(void)state;
	assert_int_equal(config_parse(KEY "groups = {16777215, daemon}", "f", &c, &err), 0);
	assert_int_equal(c->n_groups, 2);
	assert_int_equal(c->groups[0], 16777215);
	assert_int_equal(c->groups[1], getgrnam("daemon")->gr_gid);
	config_free(c);
}

static void mistakes(void **state)
{
	static const char *const bad[][2] = {
		{ "", "f: network-key: missing" },
		{ "network-key = \"AQID\"", "f:1: network-key: not 32 bytes" },
		{ KEY "role = gateway", "f: lan: missing" },
		{ KEY "lan = {br-lan}", "f: lan: only a gateway has one" },
		{ KEY "role = {relay, gateway}\nlan = {br-lan}", "f: role: a relay cannot be a client too" },
		{ KEY "role = gateway\nlan = {\"a b\"}", "f:3: lan: not the name" },
		{ KEY "role = gateway\nlan = {anon1}", "f:3: lan: an interface of anond's own" },
		{ KEY "groups = {no-group-has-this-name}", "f:2: groups: there is no such group" },
		{ KEY "groups = {root}", "f:2: groups: not a group from 1" },
		{ KEY "groups = {16777216}", "f:2: groups: not a group from 1" },
		{ KEY "groups = {1x}", "f:2: groups: there is no such group" },
		{ KEY "groups = {1,2,3,4,5,6,7,8,9}", "f:2: groups: more than 8" },
		{ KEY "role = relay\ngroups = {7}", "f: groups: only a client" },
		{ KEY AUTHORITIES, "f: authorities: there is a network file too" },
		{ AUTHORITIES "network = /n", "f: authorities: there is a network file too" },
		{ "mirrors = {192.0.2.1}", "f: mirrors: without authorities" },
		{ AUTHORITIES "mirrors = {192.0.2.10}", "f:2: mirrors: named twice" },
		{ AUTHORITIES "mirrors = {www}", "f:2: mirrors: not an address" },
		{ "authorities = {\"192.0.2.10\"}", "f:1: authorities: not KEY@" },
		{ "authorities = {\"AQID@192.0.2.10\"}", "f:1: authorities: the key" },
		{ "authorities = {\"" A "\"}", "f:1: authorities: not KEY@" },
		{ "authorities = {\"" A "www\"}", "f:1: authorities: not KEY@" },
		{ "authorities = {\"" A "192.0.2.1,192.0.2.2\"}", "f:1: authorities: not KEY@" },
		{ "authorities = {\"" A "192.0.2.1,[2001:db8::1],\"}", "f:1: authorities: not KEY@" },
		{ "authorities = {\"" A "192.0.2.1\", \"" A "192.0.2.2\"}", "f:1: authorities: named twice" },
		{ "authorities = {\"" A "192.0.2.1\", \"" B "192.0.2.1:9030\"}", "f:1: authorities: named twice" },
		{ AUTHORITIES "role = relay addresses = {192.0.2.1}", "f: name: missing" },
		{ AUTHORITIES "role = relay name = r1", "f: addresses: missing" },
		{ AUTHORITIES "fetch-program = f", "f: fetch-program: not an absolute path" },
		{ AUTHORITIES "name = \"-\"", "f:2: name: not 1 to 31" },
		{ AUTHORITIES "addresses = {192.0.2.1, 192.0.2.2}", "f:2: addresses: at most one IPv4" },
		{ AUTHORITIES "addresses = {127.0.0.1}", "f:2: addresses: not an address" },
		{ AUTHORITIES "ends = 2027-13-01", "f:2: ends: neither" },
		{ AUTHORITIES "ends = soon", "f:2: ends: neither" },
		{ AUTHORITIES "country = se", "f:2: country: not two" },
		{ AUTHORITIES "family = {AQID}", "f:2: family: not KEY:PROOF" },
		{ KEY "\nhopps = 3", "f:3: no such option 'hopps'" },
		{ KEY "link { hops = 3 }", "f:2: no such option 'hops'" },
		{ KEY "hops = 0", "f:2: hops: not from 1 to 5" },
		{ KEY "hops = 6", "f:2: hops: not from 1 to 5" },
		{ KEY "hops = -1", "f:2: hops: not from 1 to 5" },
		{ KEY "hops = 4294967299", "f:2: hops: not from 1 to 5" },
		{ KEY "hops = three", "f:2: invalid integer" },
		{ KEY "hops = 3\nhops = 3", "f:3: hops: given twice" },
		{ KEY "role = {client}\nrole = {client}", "f:3: role: given twice" },
		{ KEY "role = client\nrole = relay", "f:3: role: given twice" },
		{ KEY "role = {client}\nrole += {relay}", "f:3: role: given twice" },
		{ KEY "role = {client, bridge}", "f:2: role: a role is" },
		{ KEY "onion-key-life = 59", "f:2: onion-key-life: not from 60 to 31536000" },
		{ KEY "onion-key-overlap = 9", "f:2: onion-key-overlap: not from 10 to 15768000" },
		{ KEY "onion-key-life = 60\nonion-key-overlap = 30", "f: onion-key-overlap: not less than half" },
		{ KEY "onion-key-life = 61\nonion-key-overlap = 31", "f: onion-key-overlap: not less than half" },
		{ KEY "onion-key-life = 172800", "f: onion-key-overlap: not less than half" },
		{ KEY "guard = perhaps", "f:2: invalid boolean" },
		{ KEY "suite = aes128gcm8", "f:2: suite: neither" },
		{ KEY "log-level = loud", "f:2: log-level: not one of" },
		{ KEY "network = net.json", "f: network: not an absolute path" },
		{ KEY "run = \"\"", "f:2: run: empty" },
		{ KEY
		  "run = /0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890"
		  "123456789",
		  "f: run: longer than" },
		{ KEY "timings { keepalive-interval = 3601 }", "f:2: keepalive-interval: not from 1 to 3600" },
		{ KEY "link {\n rekey-time = 100\n}\nlink {\n rekey-time = 100\n}", "f:6: rekey-time: given twice" },
		{ KEY "exit { inner4 = 10.0.0.0/8 }", "f:2: inner4: neither" },
		{ KEY "exit { inner4 = 100.128.0.0/12 }", "f:2: inner4: neither" },
		{ KEY "exit { inner4 = 100.64.0.0/9 }", "f:2: inner4: neither" },
		{ KEY "exit { inner4 = 100.64.0.0/30 }", "f:2: inner4: neither" },
		{ KEY "exit { inner4 = 100.64.0.1/24 }", "f:2: inner4: neither" },
		{ KEY "exit { inner4 = 2001:db8::/24 }", "f:2: inner4: neither" },
		{ KEY "exit { resolver = {192.0.2.1, 192.0.2.2} }", "f:2: resolver: at most one IPv4" },
		{ KEY "exit { resolver = {dns} }", "f:2: resolver: neither local nor an IP address" },
		{ KEY "exit { resolver = {192.168.1.1} }", "f:2: resolver: no public address" },
		{ KEY "exit { resolver = {100.64.0.1} }", "f:2: resolver: no public address" },
		{ KEY "exit { resolver = {fe80::1} }", "f:2: resolver: no public address" },
		{ KEY "exit { resolver = {local, 192.0.2.1} }", "f: exit: resolver: either local or addresses" },
		{ KEY "exit { policy = {\"accept *:0\"} }", "f:2: policy: ports are" },
		{ KEY "exit { policy = {\"accept *\", \"preset none\"} }", "f:2: policy: a preset is" },
		{ KEY "exit {\npolicy = {\"accept *\"}\npolicy = {\"reject *\"} }", "f:4: policy: given twice" },
		{ KEY "exit { pool4 = 192.0.2.0/16 }", "f:2: pool4: not FIRST-LAST" },
		{ KEY "exit { pool6 = fd00::/64 }", "f:2: pool6: not a global" },
		{ KEY "exit { pool4-by = luck }", "f:2: pool4-by: neither" },
		{ KEY "exit { flows-per-circuit = 1000001 }", "f:2: flows-per-circuit: not from 0 to 1000000" },
		{ KEY "role = exit\nexit { inner4 = none inner6 = no }", "f: exit: inner4 is none" },
		{ KEY "role = {client, relay}", "f: role: a relay cannot be a client too" },
		{ KEY "exit {\n inner4 = none\n", ": the file ends inside a section" },
		{ KEY "network = \"/x", "f:4: premature end of file" },
		{ KEY "/* hops = 3", "the file ends inside" },
		{ KEY "hops =", "f:3: " },
		{ KEY "}", "f:2: " },
		{ KEY "include(\"/etc/hostname\")", "f:2: no such option 'include'" },
	};
	struct config *c = NULL;
	struct error err;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		err.text[0] = '\0';
		if (config_parse(bad[i][0], "f", &c, &err) != -EINVAL)
			fail_msg("taken: %s", bad[i][0]);
		if (!strstr(err.text, bad[i][1]))
			fail_msg("%s\n\"%s\" does not say \"%s\"", bad[i][0], err.text, bad[i][1]);
		assert_null(c);
	}
}

static void files(void **state)
{
	char path[] = "/tmp/test_config.XXXXXX";
	struct config *c = NULL;
	struct error err;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, KEY, strlen(KEY)), strlen(KEY));
	assert_int_equal(config_load(path, &c, &err), 0);
	config_free(c);
	c = NULL;
	assert_int_equal(write(fd, "\0hops = 9", 9), 9);
	assert_int_equal(config_load(path, &c, &err), -EINVAL);
	assert_int_equal(ftruncate(fd, CONFIG_FILE_MAX + 1), 0);
	assert_int_equal(config_load(path, &c, &err), -EFBIG);
	close(fd);
	unlink(path);
	assert_int_equal(config_load(path, &c, &err), -ENOENT);
	assert_null(c);
}

/* The help is a configuration itself once the explanations are cut off: each option is there and in its section. */
static void help(void **state)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	(void)state;
	assert_int_equal(config_help(out), 0);
	fclose(out);
	assert_non_null(strstr(text, "\nhops "));
	assert_non_null(strstr(text, "(1 to 5; default 3)"));
	assert_non_null(strstr(text, "\nexit {\n\tinner4 "));
	assert_non_null(strstr(text, "network-key "));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults), cmocka_unit_test(every_option), cmocka_unit_test(gateway),
		cmocka_unit_test(groups),   cmocka_unit_test(rules),	    cmocka_unit_test(authorities),
		cmocka_unit_test(self),	    cmocka_unit_test(mistakes),	    cmocka_unit_test(files),
		cmocka_unit_test(help),
	};

	return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
