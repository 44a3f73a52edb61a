/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The network file, descriptors and key files: what is taken, and what is refused and how. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "directory/descriptor.h"
#include "directory/file.h"
#include "directory/keys.h"
#include "directory/network.h"
#include "lib/base64.h"
#include "model/relay_traits.h"

#define FROM UINT64_C(1700000000)
#define UNTIL (FROM + 30 * 86400)
#define KEY "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA="
#define KEY2 "AgIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA="
#define KEY3 "AwIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA="
#define HEAD "\"version\":1,\"minor\":0,\"valid-from\":1700000000,\"valid-until\":1702592000,\"link-mtu\":1400"
#define RELAY                                                                                                          \
	"{\"name\":\"r1\",\"identity\":\"" KEY "\",\"onion-key\":\"" KEY2 "\",\"onion-key-id\":7,\"link-key\":\"" KEY3 \
	"\",\"address4\":\"192.0.2.1\",\"guard\":true,\"exit\":false}"

static uint8_t seed[32], public_key[32];
static char dir[] = "/tmp/test_network.XXXXXX";

static char *in_dir(const char *name)
{
	static char path[4][128];
	static unsigned int next;
	char *p = path[next++ % 4];

	snprintf(p, sizeof(path[0]), "%s/%s", dir, name);
	return p;
}

static int parse_signed(const char *text, uint64_t now, struct network **ret, struct error *err)
{
	char sig[NETWORK_SIG_TEXT];

	network_sign(text, strlen(text), seed, sig);
	return network_parse(text, strlen(text), sig, strlen(sig), public_key, now, ret, err);
}

static struct relay make_relay(uint32_t i)
{
	struct relay r = { .onion_key_id = i, .guard = i % 2, .exit = i % 3 == 0 };

	snprintf(r.name, sizeof(r.name), "relay-%u", i);
	memcpy(r.id.b, &i, sizeof(i));
	memcpy(r.onion_key, &i, sizeof(i));
	memcpy(r.link_key, &i, sizeof(i));
	r.id.b[31] = 1;
	r.addr4.s_addr = htonl(0x0a000001 + i);
	if (i % 2)
		r.addr6 = (struct in6_addr){ .s6_addr = { 0x20, 1, 0xd,
							  0xb8, [14] = (uint8_t)(i >> 8), [15] = (uint8_t)i } };
	return r;
}

static struct network make_network(size_t n)
{
	struct network net = { .valid_from = FROM, .valid_until = UNTIL, .link_mtu = 1400, .n_relays = n };

	net.relays = calloc(n + 1, sizeof(*net.relays));
	for (size_t i = 0; i < n; i++)
		net.relays[i] = make_relay((uint32_t)i);
	return net;
}

static void round_trip(void **state)
{
	struct network net = make_network(NETWORK_RELAYS_MAX), *back = NULL;
	struct relay_id unknown = { { 9, 9, 9, 9, 9 } };
	struct error err;
	char *text = NULL;
	size_t len;

	(void)state;
	assert_int_equal(network_make(&net, &text, &len, &err), 0);
	assert_int_equal(parse_signed(text, FROM, &back, &err), 0);
	assert_int_equal(back->n_relays, NETWORK_RELAYS_MAX);
	assert_int_equal(back->link_mtu, 1400);
	assert_memory_equal(back->relays, net.relays, net.n_relays * sizeof(*net.relays));
	for (size_t i = 0; i < net.n_relays; i++) {
		assert_ptr_equal(network_find(back, &net.relays[i].id), &back->relays[i]);
		assert_int_equal(back->weights[i], 1); /* a file knows no more of them */
		assert_true(back->traits[i].as == 0 && !back->traits[i].country[0] && !back->traits[i].exit4.n);
	}
	assert_null(network_find(back, &unknown));
	network_free(back);
	free(text);
	free(net.relays);
}

static void too_many(void **state)
{
	struct network net = make_network(NETWORK_RELAYS_MAX + 1);
	struct error err;
	char *text = NULL;
	size_t len;

	(void)state;
	assert_int_equal(network_make(&net, &text, &len, &err), -EFBIG);
	assert_null(text);
	free(net.relays);
}

static void signature(void **state)
{
	char text[] = "{" HEAD ",\"relays\":[" RELAY "]}";
	uint8_t other[32] = { 1 }, other_public[32], secret[64];
	char sig[NETWORK_SIG_TEXT], line[NETWORK_SIG_TEXT + 2];
	struct network *net = NULL;
	struct error err;
	size_t len = strlen(text);

	(void)state;
	crypto_sign_seed_keypair(other_public, secret, other);
	network_sign(text, len, seed, sig);
	snprintf(line, sizeof(line), "%s\r\n", sig);
	assert_int_equal(network_parse(text, len, line, strlen(line), public_key, FROM, &net, &err), 0);
	network_free(net);
	net = NULL;

	assert_int_equal(network_parse(text, len, sig, strlen(sig), other_public, FROM, &net, &err), -EKEYREJECTED);
	assert_int_equal(network_parse(text, len, "", 0, public_key, FROM, &net, &err), -ENODATA);
	assert_int_equal(network_parse(text, len, "\n", 1, public_key, FROM, &net, &err), -ENODATA);
	assert_int_equal(network_parse(text, len, sig, strlen(sig) - 4, public_key, FROM, &net, &err), -EKEYREJECTED);
	for (size_t i = 0; i < len; i += 17) {
		text[i] ^= 1;
		assert_int_equal(network_parse(text, len, sig, strlen(sig), public_key, FROM, &net, &err),
				 -EKEYREJECTED);
		text[i] ^= 1;
	}
	/* The signature is looked at before the content: what is not even JSON, unsigned, is only "altered". */
	assert_int_equal(network_parse("{", 1, sig, strlen(sig), public_key, FROM, &net, &err), -EKEYREJECTED);
	assert_null(net);
}

static void validity(void **state)
{
	static const char text[] = "{" HEAD ",\"relays\":[]}";
	struct network *net = NULL;
	struct error err;

	(void)state;
	assert_int_equal(parse_signed(text, FROM - 1, &net, &err), -EAGAIN);
	assert_non_null(strstr(err.text, "2023-11-14 22:13 UTC"));
	assert_int_equal(parse_signed(text, UNTIL + 1, &net, &err), -EKEYEXPIRED);
	assert_null(net);
	assert_int_equal(parse_signed(text, UNTIL, &net, &err), 0);
	assert_null(network_find(net, &(struct relay_id){ { 1 } }));
	network_free(net);
}

static void content(void **state)
{
	static const struct {
		const char *text, *says;
		int error;
	} bad[] = {
		{ "", "line 1: ", -EINVAL },
		{ "{\n\n]", "line 3: ", -EINVAL },
		{ "[]", "not an object", -EINVAL },
		{ "{}", "version: missing", -EINVAL },
		{ "{\"version\":2}", "version: ", -EPROTONOSUPPORT },
		{ "{\"version\":1.0}", "version: not an integer", -EINVAL },
		{ "{\"version\":1}", "minor: missing", -EINVAL },
		{ "{" HEAD ",\"relays\":[],\"extra\":1}", "unknown member \"extra\"", -EINVAL },
		{ "{" HEAD ",\"version\":1,\"relays\":[]}", "duplicate", -EINVAL },
		{ "{" HEAD "}", "relays: not a list", -EINVAL },
		{ "{\"version\":1,\"minor\":0,\"valid-from\":2,\"valid-until\":2,\"link-mtu\":1400,\"relays\":[]}",
		  "valid-until: not after", -EINVAL },
		{ "{\"version\":1,\"minor\":0,\"valid-from\":1,\"valid-until\":99999999,\"link-mtu\":1400}",
		  "more than 366 days", -EINVAL },
		{ "{\"version\":1,\"minor\":0,\"valid-from\":1,\"valid-until\":2,\"link-mtu\":1279}",
		  "link-mtu: ", -EINVAL },
		{ "{\"version\":1,\"minor\":0,\"valid-from\":1,\"valid-until\":2,\"link-mtu\":9001}",
		  "link-mtu: ", -EINVAL },
		{ "{\"version\":1,\"minor\":0,\"valid-from\":-1,\"valid-until\":2,\"link-mtu\":1400}",
		  "valid-from: ", -EINVAL },
		{ "{" HEAD ",\"relays\":[3]}", "relays[0]: not an object", -EINVAL },
		{ "{" HEAD ",\"relays\":[" RELAY "," RELAY "]}", "have the same", -EINVAL },
	};
	struct network *net = NULL;
	struct error err;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(parse_signed(bad[i].text, FROM, &net, &err), bad[i].error);
		if (!strstr(err.text, bad[i].says))
			fail_msg("\"%s\" does not say \"%s\"", err.text, bad[i].says);
		assert_null(net);
	}
	/* A later minor version may add members; a relay's too. */
	assert_int_equal(parse_signed("{\"version\":1,\"minor\":1,\"valid-from\":1700000000,\"valid-until\":1702592000,"
				      "\"link-mtu\":1400,\"new\":{},\"relays\":[]}",
				      FROM, &net, &err),
			 0);
	network_free(net);
}

/* Replaces `from` by `to` in a good relay and expects the complaint. */
static void relay_members(void **state)
{
	static const struct {
		const char *from, *to, *says;
	} bad[] = {
		{ "\"name\":\"r1\"", "\"name\":\"\"", "name: " },
		{ "\"name\":\"r1\"", "\"name\":\"-r\"", "name: " },
		{ "\"name\":\"r1\"", "\"name\":\"r 1\"", "name: not 1 to 31" },
		{ "\"name\":\"r1\"", "\"name\":\"r\\u001b[2J\"", "name: not 1 to 31" },
		{ "\"name\":\"r1\"", "\"name\":\"r\\u0000\"", "line 1: " },
		{ "\"name\":\"r1\"", "\"name\":\"abcdefghijklmnopqrstuvwxyz123456\"", "name: not 1 to 31" },
		{ "\"name\":\"r1\",", "", "name: " },
		{ "\"name\":\"r1\"", "\"name\":1", "name: not a string" },
		{ "\"identity\":\"AQ", "\"identity\":\"", "identity: not 32 bytes in base64" },
		{ "\"identity\":\"AQ", "\"identity\":\"AAAA", "identity: not 32 bytes in base64" },
		{ "HyA=\",\"onion-key\"", "HyB=\",\"onion-key\"", "identity: not 32 bytes" }, /* not canonical */
		{ "\"onion-key-id\":7", "\"onion-key-id\":4294967296", "onion-key-id: " },
		{ "\"onion-key-id\":7", "\"onion-key-id\":-1", "onion-key-id: " },
		{ "\"onion-key-id\":7", "\"onion-key-id\":true", "onion-key-id: " },
		{ "\"address4\":\"192.0.2.1\",", "", "address4: a relay needs" },
		{ "192.0.2.1", "192.0.2.256", "address4: " },
		{ "192.0.2.1", "0.0.0.0", "address4: " },
		{ "192.0.2.1", "127.0.0.1", "address4: " },
		{ "192.0.2.1", "224.0.0.1", "address4: " },
		{ "192.0.2.1", "255.255.255.255", "address4: " },
		{ "address4\":\"192.0.2.1", "address6\":\"::", "address6: " },
		{ "address4\":\"192.0.2.1", "address6\":\"::1", "address6: " },
		{ "address4\":\"192.0.2.1", "address6\":\"fe80::1", "address6: " },
		{ "address4\":\"192.0.2.1", "address6\":\"::ffff:192.0.2.1", "address6: " },
		{ "address4\":\"192.0.2.1", "address6\":\"ff02::1", "address6: " },
		{ "\"guard\":true", "\"guard\":1", "guard: neither" },
		{ ",\"exit\":false", "", "exit: missing" },
		{ "\"exit\":false", "\"exit\":false,\"evil\":1", "unknown member \"evil\"" },
	};
	struct network *net = NULL;
	struct error err;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		const char *at = strstr(RELAY, bad[i].from);
		char text[1024];

		assert_non_null(at);
		snprintf(text, sizeof(text), "{" HEAD ",\"relays\":[%.*s%s%s]}", (int)(at - RELAY), RELAY, bad[i].to,
			 at + strlen(bad[i].from));
		assert_int_equal(parse_signed(text, FROM, &net, &err), -EINVAL);
		if (!strstr(err.text, bad[i].says))
			fail_msg("\"%s\" does not say \"%s\"", err.text, bad[i].says);
	}
	assert_int_equal(parse_signed("{" HEAD ",\"relays\":[" RELAY "]}", FROM, &net, &err), 0);
	assert_int_equal(net->relays[0].onion_key_id, 7);
	network_free(net);
}

static void duplicates(void **state)
{
	static const struct {
		size_t offset, len;
		const char *says;
	} same[] = {
		{ offsetof(struct relay, name), RELAY_NAME_MAX, "the same name" },
		{ offsetof(struct relay, id), 32, "the same identity" },
		{ offsetof(struct relay, onion_key), 32, "the same onion-key" },
		{ offsetof(struct relay, link_key), 32, "the same link-key" },
		{ offsetof(struct relay, addr4), 4, "the same address4" },
		{ offsetof(struct relay, addr6), 16, "the same address6" },
	};
	struct error err;
	char *text = NULL;
	size_t len;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(same); i++) {
		struct network net = make_network(64);

		memcpy((char *)&net.relays[63] + same[i].offset, (char *)&net.relays[1] + same[i].offset, same[i].len);
		assert_int_equal(network_make(&net, &text, &len, &err), -EINVAL);
		assert_non_null(strstr(err.text, same[i].says));
		free(net.relays);
	}
}

static void files(void **state)
{
	struct network *net = NULL;
	struct error err = { "" };
	char sig[NETWORK_SIG_TEXT];
	static const char text[] = "{" HEAD ",\"relays\":[]}";
	char *path = in_dir("net"), *sig_path = in_dir("net.sig");

	(void)state;
	assert_int_equal(network_load(path, public_key, FROM, &net, &err), -ENOENT);
	assert_int_equal(file_replace(path, text, strlen(text), 0644, &err), 0);
	assert_int_equal(network_load(path, public_key, FROM, &net, &err), -ENODATA);
	network_sign(text, strlen(text), seed, sig);
	assert_int_equal(file_replace(sig_path, sig, strlen(sig), 0644, &err), 0);
	assert_int_equal(network_load(path, public_key, FROM, &net, &err), 0);
	network_free(net);
	net = NULL;
	assert_int_equal(network_load(path, public_key, FROM - 1, &net, &err), -EAGAIN);
	assert_int_equal(strncmp(err.text, path, strlen(path)), 0);
	assert_int_equal(truncate(path, NETWORK_FILE_MAX + 1), 0);
	assert_int_equal(network_load(path, public_key, FROM, &net, &err), -EFBIG);
	assert_int_equal(network_load(dir, public_key, FROM, &net, &err), -EINVAL);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0); /* must not block */
	assert_int_equal(network_load(path, public_key, FROM, &net, &err), -EINVAL);
	unlink(path);
	unlink(sig_path);
}

static void descriptors(void **state)
{
	struct relay r = make_relay(1), back, sentinel;
	char changed[DESCRIPTOR_MAX];
	char *text = NULL, *at;
	struct error err;

	(void)state;
	memcpy(r.id.b, public_key, 32);
	assert_int_equal(descriptor_make(&r, seed, &text, &err), 0);
	assert_null(strchr(text, '\n'));
	assert_int_equal(descriptor_parse(text, strlen(text), &back, &err), 0);
	assert_memory_equal(&back, &r, sizeof(r));

	/* Each changed field breaks the signature, and the output stays untouched. */
	memset(&sentinel, 0x55, sizeof(sentinel));
	back = sentinel;
	static const char *const change[][2] = { { "relay-1", "relay-2" },
						 { "10.0.0.2", "10.0.0.3" },
						 { "2001:db8::1", "2001:db8::2" },
						 { "\"guard\":true", "\"guard\":false" },
						 { "\"exit\":false", "\"exit\":true" },
						 { "-id\":1", "-id\":2" } };
	for (size_t i = 0; i < ARRAY_SIZE(change); i++) {
		at = strstr(text, change[i][0]);
		assert_non_null(at);
		snprintf(changed, sizeof(changed), "%.*s%s%s", (int)(at - text), text, change[i][1],
			 at + strlen(change[i][0]));
		assert_int_equal(descriptor_parse(changed, strlen(changed), &back, &err), -EKEYREJECTED);
	}
	assert_memory_equal(&back, &sentinel, sizeof(back));
	assert_int_equal(descriptor_parse("{}", 2, &back, &err), -EINVAL);
	assert_int_equal(descriptor_parse(changed, DESCRIPTOR_MAX + 1, &back, &err), -EFBIG);
	free(text);

	r.id.b[0] ^= 1; /* somebody else's identity */
	text = NULL;
	assert_int_equal(descriptor_make(&r, seed, &text, &err), -EINVAL);
	assert_null(text);
}

static void key_files(void **state)
{
	char *keys = in_dir("keys"), *identity = in_dir("keys/identity"), *onion = in_dir("keys/onion");
	char *saved = in_dir("saved");
	struct relay_keys *k = NULL, *again = NULL;
	struct onion_pair pair = { 0 };
	struct error err;
	struct stat st;

	(void)state;
	assert_int_equal(relay_keys_load(keys, &k, &err), -ENOENT);
	assert_int_equal(relay_keys_make(keys, &err), 0);
	assert_int_equal(stat(keys, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_int_equal(stat(identity, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(relay_keys_make(keys, &err), -EEXIST);
	assert_int_equal(relay_keys_load(keys, &k, &err), 0);
	assert_int_equal(relay_keys_load(keys, &again, &err), 0);
	assert_memory_equal(k, again, sizeof(*k));
	assert_int_equal(relay_onion_load(keys, &pair, &err), 0);
	assert_false(sodium_is_zero(pair.secret, 32));
	assert_memory_not_equal(k->identity_seed, k->link_seed, 32);
	relay_keys_free(k);
	relay_keys_free(again);
	k = NULL;

	for (mode_t bit = 1; bit <= 040; bit <<= 1) {
		chmod(identity, 0600 | bit);
		assert_int_equal(relay_keys_load(keys, &k, &err), -EACCES);
	}
	chmod(identity, 0600);
	chmod(keys, 0720);
	assert_int_equal(relay_keys_load(keys, &k, &err), -EACCES);
	chmod(keys, 0700);
	/* The relay has erased its first onion key: the others are of use without. */
	assert_int_equal(rename(onion, saved), 0);
	assert_int_equal(relay_onion_load(keys, &pair, &err), -ENOENT);
	assert_int_equal(relay_keys_load(keys, &k, &err), 0);
	relay_keys_free(k);
	k = NULL;
	assert_int_equal(rename(saved, onion), 0);
	assert_int_equal(rename(identity, saved), 0);
	assert_int_equal(link(onion, identity), 0); /* a key of another kind */
	assert_int_equal(relay_keys_load(keys, &k, &err), -EINVAL);
	unlink(identity);
	/* One of three is missing: nothing is made, and what was there stays. */
	assert_int_equal(relay_keys_make(keys, &err), -EEXIST);
	assert_int_equal(access(identity, F_OK), -1);
	assert_int_equal(access(onion, F_OK), 0);
	assert_null(k);
}

static void key_lines(void **state)
{
	static const char *const bad[] = {
		"",
		"\n",
		"anond-network-key",
		"anond-network-key ",
		"anond-network-key " KEY " x",
		"anond-network-key  " KEY,
		" anond-network-key " KEY,
		"anond-link-key " KEY,
		KEY,
		"anond-network-key " KEY "\n\n",
		"anond-network-key AQID",
		"anond-network-key " KEY "\n" KEY KEY KEY KEY KEY,
	};
	char *path = in_dir("k");
	struct error err = { "" };
	uint8_t *s = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(file_replace(path, bad[i], strlen(bad[i]), 0600, &err), 0);
		assert_int_equal(network_key_load(path, &s, &err), -EINVAL);
		assert_null(strstr(err.text, "AQID")); /* a complaint about a key file never quotes it */
	}
	assert_int_equal(file_replace(path, "anond-network-key " KEY, strlen("anond-network-key " KEY), 0600, &err), 0);
	assert_int_equal(network_key_load(path, &s, &err), 0);
	assert_int_equal(s[0], 1);
	sodium_free(s);
	unlink(path);
}

static void network_keys(void **state)
{
	char *path = in_dir("nk"), *pub = in_dir("nk.pub"), *text = NULL;
	uint8_t key[32], expect[32], secret[64], *s = NULL;
	struct error err;
	size_t len;

	(void)state;
	assert_int_equal(network_key_make(path, &err), 0);
	assert_int_equal(network_key_make(path, &err), -EEXIST);
	assert_int_equal(network_key_load(path, &s, &err), 0);
	crypto_sign_seed_keypair(expect, secret, s);
	assert_int_equal(file_read(pub, 100, &text, &len, &err), 0);
	assert_int_equal(network_key_parse(text, key), 0);
	assert_memory_equal(key, expect, 32);
	sodium_free(s);
	free(text);
	assert_int_equal(network_key_parse("", key), -EINVAL);
	assert_int_equal(network_key_parse("AQID", key), -EINVAL);
	/* A public half that is there already stops it, and no secret half stays behind. */
	unlink(path);
	assert_int_equal(network_key_make(path, &err), -EEXIST);
	assert_int_equal(access(path, F_OK), -1);
	unlink(pub);
}

static int setup(void **state)
{
	uint8_t secret[64];

	(void)state;
	if (sodium_init() < 0 || !mkdtemp(dir))
		return -1;
	memset(seed, 7, sizeof(seed));
	crypto_sign_seed_keypair(public_key, secret, seed);
	return 0;
}

static int teardown(void **state)
{
	static const char *const left[] = { "keys/identity", "keys/onion", "keys/link", "saved" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(left); i++)
		unlink(in_dir(left[i]));
	rmdir(in_dir("keys"));
	return rmdir(dir); /* fails if a test left something behind, a temporary file say */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip), cmocka_unit_test(too_many),  cmocka_unit_test(signature),
		cmocka_unit_test(validity),   cmocka_unit_test(content),   cmocka_unit_test(relay_members),
		cmocka_unit_test(duplicates), cmocka_unit_test(files),	   cmocka_unit_test(descriptors),
		cmocka_unit_test(key_files),  cmocka_unit_test(key_lines), cmocka_unit_test(network_keys),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
