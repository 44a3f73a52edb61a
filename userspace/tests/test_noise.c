/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 *   test_noise          the vectors beside this file, and what they do not cover
 *   test_noise FILE     every vector of FILE (JSON as the Noise wiki's page on test vectors describes it) that is for
 *                       our protocol; fails if there is none or the file is malformed
 */
#include <errno.h>
#include <jansson.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/noise.h"
#include "lib/cleanup.h"
#include "lib/secmem.h"

#define VECTORS "userspace/tests/vectors/noise_nk_25519_chachapoly_sha256.json"
#define BYTES_MAX 65536

struct bytes {
	uint8_t *p;
	size_t len;
};

static void cleanup_bytes(struct bytes *b)
{
	free(b->p);
}
#define _cleanup_bytes_ _cleanup_(cleanup_bytes)

static void cleanup_json(json_t **j)
{
	json_decref(*j);
}
#define _cleanup_json_ _cleanup_(cleanup_json)

/* One ephemeral key from the vector. */
static void fill_fixed(void *ctx, void *out, size_t len)
{
	const struct bytes *b = ctx;

	memset(out, 0, len);
	memcpy(out, b->p, len < b->len ? len : b->len);
}

static bool unhex(const char *hex, struct bytes *ret)
{
	size_t n = strlen(hex);
	uint8_t *p = malloc(n / 2 + 1);

	ret->p = p;
	return p && n <= BYTES_MAX * 2 && sodium_hex2bin(p, n / 2 + 1, hex, n, NULL, &ret->len, NULL) == 0 &&
	       ret->len * 2 == n;
}

/* An absent field is empty, which `required` forbids. */
static bool field(const json_t *vector, const char *name, bool required, struct bytes *ret)
{
	const json_t *v = json_object_get(vector, name);

	if (!v)
		return !required;
	return json_is_string(v) && unhex(json_string_value(v), ret) && (!required || ret->len > 0);
}

struct handshake {
	struct noise *n[2]; /* initiator, responder */
	struct noise_keys *keys[2];
	uint64_t count[2]; /* transport messages from each */
};

static void cleanup_handshake(struct handshake *h)
{
	for (int i = 0; i < 2; i++) {
		noise_free(h->n[i]);
		secmem_free(h->keys[i]);
	}
}

static bool same(const uint8_t *a, size_t a_len, const struct bytes *b)
{
	return a_len == b->len && (a_len == 0 || memcmp(a, b->p, a_len) == 0);
}

static const char *handshake_message(struct handshake *h, size_t i, const struct bytes *payload,
				     const struct bytes *ciphertext)
{
	static uint8_t out[NOISE_MESSAGE_MAX], in[NOISE_MESSAGE_MAX];
	size_t len;

	if (noise_write(h->n[i], payload->p, payload->len, out, NOISE_MESSAGE_MAX, &len) < 0)
		return "handshake message not written";
	if (!same(out, len, ciphertext))
		return "handshake message differs";
	if (noise_read(h->n[1 - i], ciphertext->p, ciphertext->len, in, NOISE_MESSAGE_MAX, &len) < 0)
		return "handshake message not read";
	return same(in, len, payload) ? NULL : "handshake payload differs";
}

static const char *transport_message(struct handshake *h, size_t from, const struct bytes *payload,
				     const struct bytes *ciphertext)
{
	_cleanup_free_ uint8_t *out = malloc(BYTES_MAX + NOISE_TAG_LEN);
	uint8_t nonce[12] = { 0 };
	unsigned long long len;
	const uint8_t *sender = from == 0 ? h->keys[0]->forward : h->keys[1]->back;
	const uint8_t *receiver = from == 0 ? h->keys[1]->forward : h->keys[0]->back;

	assert_non_null(out);
	for (int i = 0; i < 8; i++)
		nonce[4 + i] = (uint8_t)(h->count[from] >> (8 * i));
	h->count[from]++;
	crypto_aead_chacha20poly1305_ietf_encrypt(out, &len, payload->p, payload->len, NULL, 0, NULL, nonce, sender);
	if (!same(out, len, ciphertext))
		return "transport message differs";
	if (crypto_aead_chacha20poly1305_ietf_decrypt(out, &len, NULL, ciphertext->p, ciphertext->len, NULL, 0, nonce,
						      receiver) != 0)
		return "transport message not read";
	return same(out, len, payload) ? NULL : "transport payload differs";
}

static const char *finish(struct handshake *h, const struct bytes *hash)
{
	for (int i = 0; i < 2; i++) {
		h->keys[i] = secmem_alloc(sizeof(struct noise_keys));
		assert_non_null(h->keys[i]);
		if (noise_split(h->n[i], h->keys[i]) < 0)
			return "no split after two messages";
		if (hash->len && !same(h->keys[i]->hash, NOISE_HASH_LEN, hash))
			return "handshake hash differs";
	}
	return NULL;
}

static const char *run_messages(struct handshake *h, const json_t *messages, const struct bytes *hash)
{
	const char *error = NULL;
	const json_t *m;
	size_t i;

	if (!json_is_array(messages) || json_array_size(messages) < 2)
		return "messages missing";
	json_array_foreach (messages, i, m) {
		_cleanup_bytes_ struct bytes payload = { 0 }, ciphertext = { 0 };

		if (!field(m, "payload", false, &payload) || !field(m, "ciphertext", true, &ciphertext))
			return "message malformed";
		error = i < 2 ? handshake_message(h, i, &payload, &ciphertext)
			      : transport_message(h, i % 2, &payload, &ciphertext);
		if (!error && i == 1)
			error = finish(h, hash);
		if (error)
			break;
	}
	return error;
}

/* NULL, or what is wrong. */
static const char *run_vector(const json_t *v)
{
	_cleanup_bytes_ struct bytes init_prologue = { 0 }, resp_prologue = { 0 }, init_e = { 0 }, resp_e = { 0 },
				     rs = { 0 }, s = { 0 }, hash = { 0 };
	_cleanup_(cleanup_handshake) struct handshake h = { 0 };
	struct rng init_rng = { fill_fixed, &init_e }, resp_rng = { fill_fixed, &resp_e };

	if (!field(v, "init_prologue", false, &init_prologue) || !field(v, "resp_prologue", false, &resp_prologue) ||
	    !field(v, "init_ephemeral", true, &init_e) || !field(v, "resp_ephemeral", true, &resp_e) ||
	    !field(v, "init_remote_static", true, &rs) || !field(v, "resp_static", true, &s) ||
	    !field(v, "handshake_hash", false, &hash))
		return "field missing or not hexadecimal";
	if (init_e.len != 32 || resp_e.len != 32 || rs.len != 32 || s.len != 32)
		return "key of a wrong length";
	if (noise_initiator_new(init_prologue.p, init_prologue.len, rs.p, &init_rng, &h.n[0]) < 0 ||
	    noise_responder_new(resp_prologue.p, resp_prologue.len, s.p, &resp_rng, &h.n[1]) < 0)
		return "handshake not begun";
	return run_messages(&h, json_object_get(v, "messages"), &hash);
}

static const char *vector_name(const json_t *v)
{
	const char *name = json_string_value(json_object_get(v, "protocol_name"));

	return name ? name : json_string_value(json_object_get(v, "name"));
}

/* 0, or a negative number of faults. */
static int run_file(const json_t *root, const char *path, FILE *report)
{
	const json_t *vectors = json_object_get(root, "vectors"), *v;
	size_t i, run = 0, skipped = 0;
	int faults = 0;

	json_array_foreach (vectors, i, v) {
		const char *name = vector_name(v), *error;

		if (name && strcmp(name, NOISE_PROTOCOL) != 0) {
			skipped++;
			continue;
		}
		run++;
		error = name ? run_vector(v) : "no protocol name";
		if (!error)
			continue;
		fprintf(report, "%s: vector %zu: %s\n", path, i, error);
		faults--;
	}
	fprintf(report, "%s: %zu vectors of %s run, %zu of other protocols skipped, %d failed\n", path, run,
		NOISE_PROTOCOL, skipped, -faults);
	if (!json_is_array(vectors) || run == 0) {
		fprintf(report, "%s: no vector to run\n", path);
		faults--;
	}
	return faults;
}

static int run_path(const char *path, FILE *report)
{
	json_error_t error;
	_cleanup_json_ json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &error);

	if (!root) {
		fprintf(report, "%s:%d: %s\n", path, error.line, error.text);
		return -1;
	}
	return run_file(root, path, report);
}

/* The repository's top is where the tests run; else look from where this program lies. */
static json_t *load_default(char path[4096])
{
	ssize_t n;
	char *slash;

	snprintf(path, 4096, "%s", VECTORS);
	if (access(path, R_OK) != 0) {
		n = readlink("/proc/self/exe", path, 4000);
		assert_true(n > 0);
		path[n] = '\0';
		slash = strrchr(path, '/');
		snprintf(slash, (size_t)(path + 4096 - slash), "/../../%s", VECTORS);
	}
	return json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
}

static void test_vectors(void **state)
{
	char path[4096];
	_cleanup_json_ json_t *root = load_default(path);

	(void)state;
	assert_non_null(root);
	assert_int_equal(run_file(root, path, stdout), 0);
}

static void flip(json_t *object, const char *key)
{
	_cleanup_free_ char *hex = strdup(json_string_value(json_object_get(object, key)));

	hex[0] = hex[0] == '0' ? '1' : '0';
	json_object_set_new(object, key, json_string(hex));
}

/* Each field matters: one changed digit anywhere is a failure. */
static void test_altered_vectors(void **state)
{
	static const char *const fields[] = { "init_prologue", "resp_prologue",	 "init_ephemeral", "init_remote_static",
					      "resp_static",   "resp_ephemeral", "handshake_hash" };
	static FILE *nowhere;
	char path[4096];
	_cleanup_json_ json_t *root = load_default(path);
	json_t *vector = json_array_get(json_object_get(root, "vectors"), 0);
	size_t n = json_array_size(json_object_get(vector, "messages"));

	(void)state;
	nowhere = fopen("/dev/null", "w");
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		_cleanup_json_ json_t *copy = json_deep_copy(root);

		flip(json_array_get(json_object_get(copy, "vectors"), 0), fields[i]);
		assert_true(run_file(copy, path, nowhere) < 0);
	}
	for (size_t i = 0; i < 2 * n; i++) {
		_cleanup_json_ json_t *copy = json_deep_copy(root);

		vector = json_array_get(json_object_get(copy, "vectors"), 0);
		flip(json_array_get(json_object_get(vector, "messages"), i / 2), i % 2 ? "payload" : "ciphertext");
		assert_true(run_file(copy, path, nowhere) < 0);
	}
	fclose(nowhere);
}

static void test_no_vector_is_failure(void **state)
{
	static const char *const texts[] = {
		"{\"vectors\": []}",
		"{\"vectors\": {}}",
		"{}",
		"[]",
		"{\"vectors\": [{\"protocol_name\": \"Noise_NN_25519_ChaChaPoly_SHA256\"}]}",
		"{\"vectors\": [{}]}",
		("{\"vectors\": [{\"protocol_name\": \"" NOISE_PROTOCOL "\"}]}"),
		"{\"vectors\": [3]}",
	};
	FILE *nowhere = fopen("/dev/null", "w");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		_cleanup_json_ json_t *root = json_loads(texts[i], 0, NULL);

		assert_non_null(root);
		assert_true(run_file(root, "text", nowhere) < 0);
	}
	assert_true(run_path("/nonexistent", nowhere) < 0);
	assert_true(run_path("/dev/null", nowhere) < 0); /* empty is no JSON */
	fclose(nowhere);
}

static void new_pair(struct handshake *h, const uint8_t secret[32])
{
	uint8_t public[32];

	crypto_scalarmult_base(public, secret);
	assert_int_equal(noise_initiator_new("p", 1, public, &rng_system, &h->n[0]), 0);
	assert_int_equal(noise_responder_new("p", 1, secret, &rng_system, &h->n[1]), 0);
}

static void test_turns(void **state)
{
	_cleanup_(cleanup_handshake) struct handshake h = { 0 };
	uint8_t secret[32] = { 8 }, msg[200], plain[200];
	_cleanup_secmem_ struct noise_keys *keys = secmem_alloc(sizeof(*keys));
	size_t len;

	(void)state;
	new_pair(&h, secret);
	assert_int_equal(noise_read(h.n[0], msg, 100, plain, sizeof(plain), &len), -EPROTO);
	assert_int_equal(noise_write(h.n[1], "x", 1, msg, sizeof(msg), &len), -EPROTO);
	assert_int_equal(noise_split(h.n[0], keys), -EPROTO);
	assert_int_equal(noise_write(h.n[0], "abc", 3, msg, NOISE_OVERHEAD + 2, &len), -EMSGSIZE);
	assert_int_equal(noise_write(h.n[0], "abc", 3, msg, sizeof(msg), &len), 0);
	assert_int_equal(len, NOISE_OVERHEAD + 3);
	assert_int_equal(noise_write(h.n[0], "abc", 3, msg, sizeof(msg), &len), -EPROTO);
	assert_int_equal(noise_read(h.n[1], msg, len, plain, 2, &len), -EMSGSIZE);
	len = NOISE_OVERHEAD + 3;
	assert_int_equal(noise_read(h.n[1], msg, len, plain, sizeof(plain), &len), 0);
	assert_memory_equal(plain, "abc", 3);
}

static void test_short_and_forged(void **state)
{
	uint8_t secret[32] = { 8 }, msg[200], plain[200];

	(void)state;
	for (size_t i = 0; i < NOISE_OVERHEAD + 3; i++) {
		_cleanup_(cleanup_handshake) struct handshake h = { 0 };
		size_t len;

		new_pair(&h, secret);
		assert_int_equal(noise_write(h.n[0], "abc", 3, msg, sizeof(msg), &len), 0);
		msg[i] ^= 0x80; /* also the bit of the ephemeral key that X25519 ignores */
		assert_int_equal(noise_read(h.n[1], msg, len, plain, sizeof(plain), &len), -EBADMSG);
		msg[i] ^= 0x80;
		assert_int_equal(noise_read(h.n[1], msg, NOISE_OVERHEAD + 3, plain, sizeof(plain), &len), -EPROTO);
	}
	for (size_t cut = 0; cut < NOISE_OVERHEAD + 3; cut++) {
		_cleanup_(cleanup_handshake) struct handshake h = { 0 };
		size_t len;

		new_pair(&h, secret);
		assert_int_equal(noise_write(h.n[0], "abc", 3, msg, sizeof(msg), &len), 0);
		assert_int_equal(noise_read(h.n[1], msg, cut, plain, sizeof(plain), &len), -EBADMSG);
	}
}

static void test_all_zero_secret(void **state)
{
	/* Points of small order (RFC 7748 section 6.1): 0 and 1. */
	for (uint8_t low = 0; low < 2; low++) {
		_cleanup_(cleanup_handshake) struct handshake h = { 0 };
		uint8_t point[32] = { low }, secret[32] = { 8 }, msg[200] = { low }, plain[200];
		size_t len;

		assert_int_equal(noise_initiator_new("p", 1, point, &rng_system, &h.n[0]), 0);
		assert_int_equal(noise_write(h.n[0], "abc", 3, msg + 100, 100, &len), -EKEYREJECTED);
		assert_int_equal(noise_responder_new("p", 1, secret, &rng_system, &h.n[1]), 0);
		assert_int_equal(noise_read(h.n[1], msg, NOISE_OVERHEAD, plain, sizeof(plain), &len), -EKEYREJECTED);
		assert_int_equal(noise_write(h.n[1], "abc", 3, msg, sizeof(msg), &len), -EPROTO);
	}
	(void)state;
}

/* What a relay does when the kernel refuses: the second answer has nothing in common with the first. */
static void test_copy_answers_anew(void **state)
{
	_cleanup_(cleanup_handshake) struct handshake h = { 0 };
	struct noise *copy;
	uint8_t secret[32] = { 8 }, msg[200], first[200], second[200], plain[200];
	size_t len;

	(void)state;
	new_pair(&h, secret);
	assert_int_equal(noise_write(h.n[0], "abc", 3, msg, sizeof(msg), &len), 0);
	assert_int_equal(noise_read(h.n[1], msg, len, plain, sizeof(plain), &len), 0);
	assert_int_equal(noise_copy(h.n[1], &copy), 0);
	assert_int_equal(noise_write(copy, "abc", 3, first, sizeof(first), &len), 0);
	assert_int_equal(noise_write(h.n[1], "abc", 3, second, sizeof(second), &len), 0);
	noise_free(copy);
	assert_memory_not_equal(first, second, 32);
	assert_memory_not_equal(first + 32, second + 32, 3);
	assert_int_equal(noise_read(h.n[0], second, len, plain, sizeof(plain), &len), 0);
	assert_memory_equal(plain, "abc", 3);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_altered_vectors),
		cmocka_unit_test(test_no_vector_is_failure),
		cmocka_unit_test(test_turns),
		cmocka_unit_test(test_short_and_forged),
		cmocka_unit_test(test_all_zero_secret),
		cmocka_unit_test(test_copy_answers_anew),
	};

	if (sodium_init() < 0)
		return 1;
	if (argc > 2) {
		fprintf(stderr, "usage: %s [FILE]\n", argv[0]);
		return 2;
	}
	if (argc == 2)
		return run_path(argv[1], stdout) == 0 ? 0 : 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
