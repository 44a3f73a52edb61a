/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What exits' policies come to: where most of the Internet is reached. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "model/exit_ports.h"

static const char *text_of(const char *const *lines, uint8_t family, char *ret, size_t size)
{
	static struct exit_policy p;
	struct exit_ports e;
	size_t len = 0;

	p.n = 0;
	for (; *lines; lines++)
		assert_null(exit_policy_add(&p, *lines));
	exit_ports_of(&p, family, &e);
	ret[0] = '\0';
	for (size_t i = 0; i < e.n; i++) {
		char one[PORT_RANGE_TEXT_MAX];

		port_range_format(&e.v[i], one);
		len += (size_t)snprintf(ret + len, size - len, "%s%s", i ? " " : "", one);
	}
	return ret;
}

#define L(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define FOUR(want, ...) assert_string_equal(text_of(L(__VA_ARGS__), AF_INET, buf, sizeof(buf)), want)
#define SIX(want, ...) assert_string_equal(text_of(L(__VA_ARGS__), AF_INET6, buf, sizeof(buf)), want)
#define EVERYTHING "tcp/1-65535 udp/1-65535"

static void policies(void **state)
{
	char buf[2048];

	(void)state;
	FOUR(EVERYTHING, "accept *");
	FOUR("", "reject *");
	FOUR("", "reject *", "accept *");
	FOUR("tcp/80 tcp/443", "accept tcp *:80", "accept tcp *:443");
	FOUR("tcp/80 udp/80", "accept *:80");
	FOUR("tcp/80-82 udp/81", "accept tcp *:80-81", "accept *:81", "accept tcp *:82");
	FOUR("tcp/1-24 tcp/26-65535 udp/1-24 udp/26-65535", "reject *:25", "accept *");
	FOUR("udp/1-65535", "reject tcp *", "accept *");
	/* ICMP has no ports. */
	FOUR("", "accept icmp *");
	FOUR(EVERYTHING, "reject icmp *", "accept *");
	/* By family. */
	FOUR(EVERYTHING, "accept *4");
	SIX("", "accept *4");
	SIX(EVERYTHING, "reject *4", "accept *");
	FOUR("tcp/65535", "accept tcp *:65535");
	FOUR("tcp/1", "accept tcp *:1");
}

static void most(void **state)
{
	char buf[2048];

	(void)state;
	/* A 128th may lack, more not. */
	FOUR(EVERYTHING, "reject 8.0.0.0/7", "accept *");
	FOUR("", "reject 8.0.0.0/7", "reject 192.0.2.1", "accept *");
	FOUR("", "reject 8.0.0.0/6", "accept *");
	FOUR("tcp/1-79 tcp/81-65535 udp/1-79 udp/81-65535", "reject 8.0.0.0/6:80", "accept *");
	/* What comes behind the rule that fits does not count. */
	FOUR(EVERYTHING, "accept *", "reject 8.0.0.0/6");
	/* Private networks are nobody's; a part of the Internet alone is not most of it. */
	FOUR(EVERYTHING, "reject 10.0.0.0/8", "reject 172.16.0.0/12", "reject 192.168.0.0/16", "reject 127.0.0.0/8",
	     "reject 0.0.0.0/8", "reject 224.0.0.0/3", "reject 100.64.0.0/10", "reject 169.254.0.0/16", "accept *");
	FOUR("", "accept 0.0.0.0/1", "accept 128.0.0.0/1");
	SIX(EVERYTHING, "reject [fc00::/7]", "reject [fe80::/10]", "reject [2001:db8::/32]", "accept *");
	SIX(EVERYTHING, "reject [2400::/10]", "accept *");
	SIX("", "reject [2400::/9]", "accept *");
	SIX("", "reject [2000::/3]", "accept *");
	SIX("", "reject [::/1]", "accept *");
	SIX(EVERYTHING, "reject [8000::/1]", "accept *");
}

static void presets(void **state)
{
	char buf[2048];
	struct exit_policy p = { 0 };
	struct exit_ports e;

	(void)state;
	FOUR("tcp/1-24 tcp/26-118 tcp/120-134 tcp/140-444 tcp/446-562 tcp/564-1213 tcp/1215-4660 tcp/4667-6345 "
	     "tcp/6430-6698 tcp/6700-6880 tcp/7000-65535 udp/1-24 udp/26-118 udp/120-134 udp/140-444 udp/446-562 "
	     "udp/564-1213 udp/1215-4660 udp/4667-6345 udp/6430-6698 udp/6700-6880 udp/7000-65535",
	     "preset default");
	/* More than fit: what is asked for most is there, in order, and nothing that is not true. */
	assert_null(exit_policy_add(&p, "preset reduced"));
	exit_ports_of(&p, AF_INET, &e);
	assert_int_equal(e.n, EXIT_PORTS_MAX);
	text_of(L("preset reduced"), AF_INET, buf, sizeof(buf));
	for (size_t i = 0; i < 4; i++)
		assert_non_null(
			strstr(buf, ((const char *const[]){ "tcp/79-81", "tcp/443", "udp/53", "tcp/9030" })[i]));
	for (size_t i = 1; i < e.n; i++)
		assert_true(e.v[i].proto > e.v[i - 1].proto || e.v[i].first > e.v[i - 1].last + 1);
	assert_null(strstr(buf, "tcp/25"));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(policies), cmocka_unit_test(most),
					    cmocka_unit_test(presets) };

	return cmocka_run_group_tests_name("exit_ports", tests, NULL, NULL);
}
