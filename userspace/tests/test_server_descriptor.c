/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a relay says of itself: there and back, byte by byte the same; one sentence for all else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "directory/server_descriptor.h"
#include "lib/base64.h"
#include "lib/cleanup.h"

static const uint8_t seed[32] = { 7 }, other_seed[32] = { 8 };

static struct server_descriptor whole(void)
{
	struct server_descriptor d = {
		.published = 1700000000,
		.valid_until = 1700086400,
		.facts = {
			.relay = { .name = "r1", .onion_key_id = 5, .onion_key = { 1 }, .link_key = { 2 }, .guard = true },
			.has_next_onion = true,
			.next_onion_id = 6,
			.next_onion_key = { 3 },
			.bandwidth = 4294967295,
			.traits = {
				.exit4 = { .v = { { IPPROTO_TCP, 80, 80 }, { IPPROTO_TCP, 443, 65535 }, { IPPROTO_UDP, 1, 65535 } },
					   .n = 3 },
				.exit6 = { .v = { { IPPROTO_UDP, 53, 53 } }, .n = 1 },
				.n_families = 2,
				.as = 64496,
				.country = "AT",
				.ends = 1800000000,
			},
			.software = "anond-0.1",
		},
		.n_family_proofs = 2,
	};
	uint8_t secret[64], family[2][32] = { { 1 }, { 2 } }, key[2][32], sig[2][64];
	size_t first;

	assert_true(sodium_init() >= 0);
	crypto_sign_seed_keypair(d.facts.relay.id.b, secret, seed);
	inet_pton(AF_INET, "198.51.100.11", &d.facts.relay.addr4);
	inet_pton(AF_INET6, "2001:db8:51::11", &d.facts.relay.addr6);
	server_descriptor_link(&d.facts.relay.id, other_seed, d.facts.relay.link_key, d.link_proof);
	for (size_t i = 0; i < 2; i++)
		server_descriptor_family(&d.facts.relay.id, family[i], key[i], sig[i]);
	first = memcmp(key[0], key[1], 32) > 0;
	for (size_t i = 0; i < 2; i++) {
		memcpy(d.facts.traits.families[i], key[first ^ i], 32);
		memcpy(d.family_proofs[i], sig[first ^ i], 64);
	}
	return d;
}

static char *made(const struct server_descriptor *d, size_t *ret_len)
{
	struct error err = { "" };
	char *text = NULL;

	if (server_descriptor_make(d, seed, &text, ret_len, &err) < 0)
		fail_msg("%s", err.text);
	return text;
}

static void there_and_back(void **state)
{
	struct server_descriptor d = whole(), back;
	struct error err;
	size_t len, again_len;
	_cleanup_free_ char *text = made(&d, &len), *again = NULL;

	(void)state;
	assert_int_equal(server_descriptor_parse(text, len, &back, &err), 0);
	assert_true(back.facts.relay.exit && !d.facts.relay.exit);
	d.facts.relay.exit = true;
	assert_memory_equal(back.facts_text.s, "identity ", 9);
	assert_memory_equal(back.facts_text.s + back.facts_text.len, "link-proof", 10);
	d.facts_text = back.facts_text;
	assert_memory_equal(&back, &d, sizeof(d));
	again = made(&back, &again_len);
	assert_int_equal(again_len, len);
	assert_memory_equal(again, text, len);
}

static void least(void **state)
{
	struct server_descriptor d = { .published = 1,
				       .valid_until = 2,
				       .facts = { .relay = { .name = "r1" }, .software = "x" } };
	uint8_t secret[64];
	struct error err;
	size_t len;
	_cleanup_free_ char *text = NULL, *none = NULL;

	(void)state;
	crypto_sign_seed_keypair(d.facts.relay.id.b, secret, seed);
	assert_int_equal(server_descriptor_make(&d, seed, &none, &len, &err), -EINVAL);
	assert_string_equal(err.text, "line 4: address4: a relay needs it or address6");
	inet_pton(AF_INET6, "2001:db8::1", &d.facts.relay.addr6);
	assert_int_equal(server_descriptor_make(&d, seed, &none, &len, &err), -EINVAL);
	assert_non_null(strstr(err.text, "link-proof: not by the link key"));
	server_descriptor_link(&d.facts.relay.id, other_seed, d.facts.relay.link_key, d.link_proof);
	text = made(&d, &len);
	assert_null(strstr(text, "guard"));
	/* another's seed */
	assert_int_equal(server_descriptor_make(&d, other_seed, &none, &len, &err), -EINVAL);
	d.valid_until = 2 + SERVER_DESCRIPTOR_LIFE_MAX;
	assert_int_equal(server_descriptor_make(&d, seed, &none, &len, &err), -EINVAL);
	assert_string_equal(err.text, "line 3: valid-until: not a number from 2 to 172801");
}

/* The text with the first `from` replaced, signed anew. */
static int changed(const char *from, const char *to, struct error *err)
{
	struct server_descriptor d = whole(), back;
	size_t len, at;
	_cleanup_free_ char *text = made(&d, &len), *out = NULL;
	uint8_t key[32], secret[64], sig[64];
	char sig_text[BASE64_LEN(64)], *place = strstr(text, from);
	int out_len;

	assert_non_null(place);
	at = (size_t)(place - text);
	*strstr(text, "signature ") = '\0';
	out_len = asprintf(&out, "%.*s%s%s", (int)at, text, to, at < strlen(text) ? text + at + strlen(from) : "");
	crypto_sign_seed_keypair(key, secret, seed);
	crypto_sign_detached(sig, NULL, (const uint8_t *)out, (size_t)out_len, secret);
	base64_write(sig, sizeof(sig), sig_text);
	free(out);
	out_len = asprintf(&out, "%.*s%s%ssignature %s\n", (int)at, text, to,
			   at < strlen(text) ? text + at + strlen(from) : "", sig_text);
	return server_descriptor_parse(out, (size_t)out_len, &back, err);
}

static void refused(void **state)
{
	static const char *const bad[][3] = {
		{ "name r1", "name -r1", "line 5: name: not letters" },
		{ "name r1\n", "", "line 5: name: it lacks" },
		{ "name r1\n", "name r1\nname r1\n", "line 6: name: it stands twice" },
		{ "name r1", "name abcdefghijklmnopqrstuvwxyz123456", "line 5: name: longer than 31" },
		{ "published 1700000000", "published 0170", "line 2: published: not a number" },
		{ "valid-until 1700086400", "valid-until 1700000000", "line 3: valid-until: not a number" },
		{ "valid-until 1700086400", "valid-until 1700172801", "line 3: valid-until: not a number" },
		{ "next-onion-key 6", "next-onion-key 5", "line 7: next-onion-key: the number of the one before" },
		{ "address4 198.51.100.11", "address4 127.0.0.1", "line 9: address4: not a host's" },
		{ "address4 198.51.100.11", "address4 198.51.100.011", "line 9: address4: not an IPv4 address" },
		{ "address6 2001:db8:51::11", "address6 2001:DB8:51::11", "line 10: address6: not an IPv6 address" },
		{ "address6 2001:db8:51::11", "address6 ff02::1", "line 10: address6: not a host's" },
		{ "exit4 tcp/80 ", "exit4 tcp/0 ", "line 12: exit4: tcp/0 is no port" },
		{ "exit4 tcp/80 ", "exit4 tcp/80-80 ", "line 12: exit4: tcp/80-80 is no port" },
		{ "exit4 tcp/80 ", "exit4 icmp/80 ", "line 12: exit4: icmp/80 is no port" },
		{ "exit4 tcp/80 ", "exit4 tcp/80-442 ", "line 12: exit4: tcp/443-65535 does not come after" },
		{ "exit4 tcp/80 ", "exit4 udp/80 ", "line 12: exit4: tcp/443-65535 does not come after" },
		{ "exit4 tcp/80 tcp/443-65535 udp/1-65535", "exit4", "line 12: exit4: a word lacks" },
		{ "tcp/443-65535", "tcp/443-65536", "line 12: exit4: tcp/443-65536 is no port" },
		{ "bandwidth 4294967295", "bandwidth 4294967296", "line 14: bandwidth: not a number" },
		{ "as 64496", "as 0", "line 16: as: not a number" },
		{ "country AT", "country at", "line 17: country: not two capital" },
		{ "country AT", "country A", "line 17: country: not two capital" },
		{ "country AT", "country AUT", "line 17: country: longer than 2" },
		{ "software anond-0.1\n", "", "line 18: software: it lacks" },
		{ "anond-server-descriptor 1", "anond-server-descriptor 2", "line 1: version" },
		{ "identity ", "identity A", "line 4: identity: not 32 bytes" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct error err = { "" };

		if (changed(bad[i][0], bad[i][1], &err) >= 0 || strncmp(err.text, bad[i][2], strlen(bad[i][2])) != 0)
			fail_msg("%zu: %s", i, err.text);
	}
}

/* What a later version adds is signed too, and ignored. */
static void later(void **state)
{
	struct error err = { "" };

	(void)state;
	assert_int_equal(changed("guard\n", "guard\nguard-colour blue 7\n", &err), 0);
	assert_int_equal(changed("name r1\n", "a\nname r1\n", &err), 0);
	/* but nothing that would look like an authority's word in a vote */
	assert_int_equal(changed("guard\n", "guard\nflags fast running\n", &err), -EINVAL);
	assert_int_equal(changed("ends 1800000000\n", "ends 1800000000\nflags fast running\n", &err), -EINVAL);
	assert_non_null(strstr(err.text, "link-proof: it lacks before this line"));
	assert_int_equal(changed("ends 1800000000\n", "ends 1800000000\nweight 7\n", &err), -EINVAL);
	assert_int_equal(changed("ends 1800000000\n", "ends 1800000000\nidentity x\n", &err), -EINVAL);
}

static void signatures(void **state)
{
	struct server_descriptor d = whole(), back;
	struct error err;
	size_t len;
	_cleanup_free_ char *text = made(&d, &len), *more = NULL;
	char *family = strstr(text, "family ");

	(void)state;
	text[(size_t)(strstr(text, "name r") - text) + 6] = '2';
	assert_int_equal(server_descriptor_parse(text, len, &back, &err), -EKEYREJECTED);
	text[(size_t)(strstr(text, "name r") - text) + 6] = '1';
	assert_int_equal(server_descriptor_parse(text, len, &back, &err), 0);
	assert_int_equal(server_descriptor_parse(text, len - 1, &back, &err), -EINVAL);
	assert_true(asprintf(&more, "%sx\n", text) > 0);
	assert_int_equal(server_descriptor_parse(more, len + 2, &back, &err), -EINVAL);
	assert_non_null(strstr(err.text, "signature: something follows"));
	*strstr(text, "signature ") = '\0';
	assert_int_equal(server_descriptor_parse(text, strlen(text), &back, &err), -EINVAL);
	assert_non_null(strstr(err.text, "signature: it lacks"));
	/* a family that another relay is in */
	assert_non_null(family);
	server_descriptor_family(&(struct relay_id){ { 9 } }, other_seed, d.facts.traits.families[0],
				 d.family_proofs[0]);
	d.facts.traits.n_families = d.n_family_proofs = 1;
	free(text);
	text = NULL;
	assert_int_equal(server_descriptor_make(&d, seed, &text, &len, &err), -EINVAL);
	assert_non_null(strstr(err.text, "family-proof: a signature is not the family's"));
	d = whole();
	memcpy(d.facts.traits.families[1], d.facts.traits.families[0], 32);
	assert_int_equal(server_descriptor_make(&d, seed, &text, &len, &err), -EINVAL);
	assert_non_null(strstr(err.text, "family: keys do not ascend"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(there_and_back), cmocka_unit_test(least),	cmocka_unit_test(refused),
		cmocka_unit_test(later),	  cmocka_unit_test(signatures),
	};

	return cmocka_run_group_tests_name("server descriptor", tests, NULL, NULL);
}
