/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Votes, what follows from them, and whom a client believes: every rule, and one authority that lies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "directory/consensus.h"
#include "lib/cleanup.h"

/* Most opinions have nothing to say of where a relay is. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

#define N 3
#define T0 UINT64_C(1700000000)

static const uint8_t seeds[N + 1][32] = { { 1 }, { 2 }, { 3 }, { 4 } };
static uint8_t keys[N + 1][32];

static int setup(void **state)
{
	uint8_t secret[64];

	(void)state;
	if (sodium_init() < 0)
		return -1;
	for (size_t i = 0; i <= N; i++)
		crypto_sign_seed_keypair(keys[i], secret, seeds[i]);
	return 0;
}

/* The facts of a relay, as text (malloc). */
static char *facts(uint8_t id, uint32_t bandwidth, uint8_t onion)
{
	struct relay_facts f = {
		.relay = { .id = { { id } }, .onion_key = { onion }, .link_key = { id }, .guard = true },
		.bandwidth = bandwidth,
		.software = "anond-0.1"
	};
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	snprintf(f.relay.name, sizeof(f.relay.name), "r%u", id);
	f.relay.addr4.s_addr = htonl(0xc6336400u + id);
	relay_facts_put(out, &f);
	fclose(out);
	return text;
}

struct opinion {
	uint8_t id;
	const char *facts;
	const char *flags[FLAGS_MAX]; /* ascending, NULL ends */
	uint32_t weight, as;
	const char *country;
};

/* What authority i votes; text and vote are the caller's. */
static void vote(size_t i, const struct opinion *o, size_t n, char **text, struct vote *ret)
{
	struct listing relays[8] = { 0 };
	struct vote v = { .interval = { T0, T0 + 3600, T0 + 3 * 3600, 1418 }, .relays = { relays, n } };
	struct error err = { "" };
	size_t len;

	memcpy(v.authority, keys[i], 32);
	for (size_t k = 0; k < n; k++) {
		relays[k].facts = (struct document_text){ o[k].facts, strlen(o[k].facts) };
		for (size_t f = 0; f < FLAGS_VOTE_MAX && o[k].flags[f]; f++)
			assert_true(flags_add(&relays[k].flags, o[k].flags[f]));
		relays[k].weight = o[k].weight;
		relays[k].as = o[k].as;
		memcpy(relays[k].country, o[k].country ? o[k].country : "\0\0", 3);
	}
	if (vote_make(&v, seeds[i], text, &len, &err) < 0 || vote_parse(*text, len, ret, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(ret->relays.n, n);
}

/* Computed of the votes of all three, signed by `signers` of them, read by a client that knows all three. */
static int agree(struct opinion o[N][8], const size_t n[N], size_t signers, struct consensus *ret, struct error *err)
{
	char *texts[N], *body = NULL, *again = NULL, *whole = NULL;
	struct consensus_signature sigs[N];
	const struct vote *in[N], *turned[N];
	struct vote votes[N];
	size_t len, again_len, whole_len;
	int r;

	for (size_t i = 0; i < N; i++) {
		vote(i, o[i], n[i], &texts[i], &votes[i]);
		in[i] = turned[(i + 1) % N] = &votes[i];
	}
	assert_int_equal(consensus_compute(in, N, N, &body, &len, err), 0);
	assert_int_equal(consensus_compute(turned, N, N, &again, &again_len, err), 0);
	assert_int_equal(len, again_len);
	assert_memory_equal(body, again, len);
	for (size_t i = 0; i < signers; i++) {
		assert_int_equal(consensus_sign(body, len, seeds[i], &sigs[i], err), 0);
		assert_true(consensus_signed_by(body, len, &sigs[i]));
	}
	assert_int_equal(consensus_with(body, len, sigs, signers, &whole, &whole_len, err), 0);
	r = consensus_parse(whole, whole_len, (const uint8_t(*)[32])keys, N, ret, err);
	for (size_t i = 0; i < N; i++) {
		vote_clear(&votes[i]);
		free(texts[i]);
	}
	free(body);
	free(again);
	free(whole);
	return r;
}

static const struct consensus_relay *find(const struct consensus *c, uint8_t id)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->relays[i].facts.relay.id.b[0] == id)
			return &c->relays[i];
	return NULL;
}

static void majority(void **state)
{
	_cleanup_free_ char *f1 = facts(1, 500, 1), *f1_lie = facts(1, 9999, 66);
	_cleanup_free_ char *f2 = facts(2, 5000, 1), *f3 = facts(3, 100, 1), *f4 = facts(4, 100, 1);
	struct opinion o[N][8] = {
		{ { 1, f1, { "fast", "running" }, 10 },
		  { 2, f2, { "running" }, 50000 },
		  { 3, f3, { "running", "stable" }, 7 },
		  { 4, f4, { "running" }, 1 } },
		{ { 1, f1, { "running" }, 30 },
		  { 2, f2, { "running" }, 1024 },
		  { 3, f3, { "fast" }, 9 },
		  { 4, f4, { "fast" }, 1 } },
		/* the third lies: about the first's key, and about the second's weight */
		{ { 1, f1_lie, { "fast", "running" }, 99999 },
		  { 2, f2, { "running" }, 0 },
		  { 3, f3, { "running", "stable", "unknownword" }, 8 },
		  { 4, f4, { "stable" }, 1 } },
	};
	const size_t n[N] = { 4, 4, 4 };
	const struct consensus_relay *r;
	struct consensus c;
	struct error err = { "" };

	(void)state;
	assert_int_equal(agree(o, n, 2, &c, &err), 0);
	assert_int_equal(c.n, 3);
	assert_int_equal(c.n_votes, N);
	assert_true(c.interval.valid_after == T0 && c.interval.valid_until == T0 + 3 * 3600);
	r = find(&c, 1);
	assert_non_null(r);
	assert_int_equal(r->facts.relay.onion_key[0], 1); /* not the lie */
	assert_int_equal(r->weight, 30);		  /* of 10, 30, 99999 */
	assert_true(r->flags.n == 2 && flags_have(&r->flags, "fast") && flags_have(&r->flags, "running"));
	r = find(&c, 2);
	assert_int_equal(r->weight, 1024); /* one alone takes nobody's away */
	r = find(&c, 3);
	assert_int_equal(r->weight, 8);
	assert_true(flags_have(&r->flags, "stable") && !flags_have(&r->flags, "fast") &&
		    !flags_have(&r->flags, "unknownword"));
	assert_null(find(&c, 4)); /* one says that it runs */
	consensus_clear(&c);
}

/* Three different facts: none is taken, however new, and whoever made it up. */
static void no_tie_breaks(void **state)
{
	_cleanup_free_ char *a = facts(1, 500, 1), *b = facts(1, 700, 2), *lie = facts(1, 9999, 66);
	struct opinion o[N][8] = { { { 1, a, { "running" }, 1 } },
				   { { 1, b, { "running" }, 1 } },
				   { { 1, lie, { "running" }, 1 } } };
	const size_t n[N] = { 1, 1, 1 };
	struct consensus c;
	struct error err = { "" };

	(void)state;
	assert_int_equal(agree(o, n, N, &c, &err), 0);
	assert_int_equal(c.n, 0);
	consensus_clear(&c);
	o[2][0].facts = b;
	assert_int_equal(agree(o, n, N, &c, &err), 0);
	assert_int_equal(c.n, 1);
	assert_int_equal(c.relays[0].facts.relay.onion_key[0], 2);
	consensus_clear(&c);
}

/* What most authorities know of an address counts more than what its relay says, and than what one of them says. */
static void where_they_are(void **state)
{
	_cleanup_free_ char *plain = facts(1, 500, 1), *f2 = facts(2, 500, 1), *f3 = facts(3, 500, 1);
	_cleanup_free_ char *f1 = NULL;
	struct opinion o[N][8] = {
		{ { 1, NULL, { "running" }, 1, 64500, "AT" },
		  { 2, f2, { "running" }, 1, 64501, "DE" },
		  { 3, f3, { "running" }, 1, 0, NULL } },
		{ { 1, NULL, { "running" }, 1, 64500, "AT" },
		  { 2, f2, { "running" }, 1, 64502, "FR" },
		  { 3, f3, { "running" }, 1, 64503, NULL } },
		{ { 1, NULL, { "running" }, 1, 9, "XX" },
		  { 2, f2, { "running" }, 1, 64503, "NL" },
		  { 3, f3, { "running" }, 1, 0, "CH" } },
	};
	const size_t n[N] = { 3, 3, 3 };
	struct error err = { "" };
	struct consensus c;

	(void)state;
	/* The relay's own word: other ones. */
	assert_true(asprintf(&f1, "%.*sas 1\ncountry US\n%s", (int)(strstr(plain, "software") - plain), plain,
			     strstr(plain, "software")) > 0);
	for (size_t i = 0; i < N; i++)
		o[i][0].facts = f1;
	assert_int_equal(agree(o, n, N, &c, &err), 0);
	assert_int_equal(c.n, 3);
	assert_int_equal(c.relays[0].facts.traits.as, 64500);
	assert_string_equal(c.relays[0].facts.traits.country, "AT");
	for (size_t i = 1; i < 3; i++) {
		assert_int_equal(c.relays[i].facts.traits.as, 0);
		assert_string_equal(c.relays[i].facts.traits.country, "");
	}
	consensus_clear(&c);
	/* If they know nothing, it is its own word. */
	for (size_t i = 0; i < N; i++) {
		o[i][0].as = 0;
		o[i][0].country = NULL;
	}
	assert_int_equal(agree(o, n, N, &c, &err), 0);
	assert_int_equal(c.relays[0].facts.traits.as, 1);
	assert_string_equal(c.relays[0].facts.traits.country, "US");
	consensus_clear(&c);
}

static void signatures(void **state)
{
	_cleanup_free_ char *f = facts(1, 500, 1);
	struct opinion o[N][8] = { { { 1, f, { "running" }, 1 } },
				   { { 1, f, { "running" }, 1 } },
				   { { 1, f, { "running" }, 1 } } };
	const size_t n[N] = { 1, 1, 1 };
	struct consensus_signature sigs[4];
	char *texts[N] = { 0 }, *body = NULL, *whole = NULL, *marked = NULL;
	struct vote votes[N];
	const struct vote *in[N];
	struct consensus c;
	struct error err = { "" };
	size_t len, whole_len;

	(void)state;
	assert_int_equal(agree(o, n, 1, &c, &err), -ENOKEY);
	assert_string_equal(err.text, "signed by 1 of 3 authorities");
	assert_int_equal(agree(o, n, 0, &c, &err), -ENOKEY);
	for (size_t i = 0; i < N; i++) {
		vote(i, o[i], 1, &texts[i], &votes[i]);
		in[i] = &votes[i];
	}
	/* two of three are enough to compute, one is not, and the same one twice is not two */
	assert_int_equal(consensus_compute(in, 2, N, &body, &len, &err), 0);
	free(body);
	assert_int_equal(consensus_compute(in, 1, N, &body, &len, &err), -ENODATA);
	in[1] = in[0];
	assert_int_equal(consensus_compute(in, 2, N, &body, &len, &err), -EINVAL);
	in[1] = &votes[1];
	votes[1].interval.valid_after++;
	assert_int_equal(consensus_compute(in, 2, N, &body, &len, &err), -EINVAL);
	votes[1].interval.valid_after--;
	assert_int_equal(consensus_compute(in, N, N, &body, &len, &err), 0);
	/* a stranger's does not count; nor one of another text; nor the same one twice */
	assert_int_equal(consensus_sign(body, len, seeds[0], &sigs[0], &err), 0);
	assert_int_equal(consensus_sign(body, len, seeds[N], &sigs[1], &err), 0);
	assert_int_equal(consensus_sign(body, len, seeds[1], &sigs[2], &err), 0);
	sigs[2].signature[0] ^= 1;
	assert_false(consensus_signed_by(body, len, &sigs[2]));
	sigs[3] = sigs[0];
	assert_int_equal(consensus_with(body, len, sigs, 4, &whole, &whole_len, &err), 0);
	assert_int_equal(consensus_parse(whole, whole_len, (const uint8_t(*)[32])keys, N, &c, &err), -ENOKEY);
	assert_string_equal(err.text, "signed by 1 of 3 authorities");
	/* nobody marks a copy by lines that nobody signed */
	assert_true(asprintf(&marked, "%stag client-1\n", whole) > 0);
	assert_int_equal(consensus_parse(marked, strlen(marked), (const uint8_t(*)[32])keys, N, &c, &err), -EINVAL);
	free(marked);
	assert_string_equal(err.text, "signatures: it is none");
	/* a signed text is good over what was signed only */
	sigs[2].signature[0] ^= 1;
	free(whole);
	assert_int_equal(consensus_with(body, len, sigs, 3, &whole, &whole_len, &err), 0);
	assert_int_equal(consensus_parse(whole, whole_len, (const uint8_t(*)[32])keys, N, &c, &err), 0);
	consensus_clear(&c);
	for (size_t at = 0; at < len; at += 7) {
		whole[at] ^= 1;
		assert_true(consensus_parse(whole, whole_len, (const uint8_t(*)[32])keys, N, &c, &err) < 0);
		whole[at] ^= 1;
	}
	for (size_t cut = 1; cut < whole_len; cut += 11)
		assert_true(consensus_parse(whole, whole_len - cut, (const uint8_t(*)[32])keys, N, &c, &err) < 0);
	free(whole);
	free(body);
	for (size_t i = 0; i < N; i++) {
		vote_clear(&votes[i]);
		free(texts[i]);
	}
}

/* Facts that nobody here understands: counted like others, left out by who reads them, and nobody else is. */
static void not_understood(void **state)
{
	_cleanup_free_ char *f = facts(1, 500, 1), *good = facts(2, 500, 1), *strange = NULL;
	struct opinion o[N][8];
	const size_t n[N] = { 2, 2, 2 };
	struct consensus c;
	struct error err = { "" };

	(void)state;
	assert_true(asprintf(&strange, "%sends 0\n", f) > 0);
	for (size_t i = 0; i < N; i++) {
		o[i][0] = (struct opinion){ 1, strange, { "running" }, 1 };
		o[i][1] = (struct opinion){ 2, good, { "running" }, 1 };
	}
	assert_int_equal(agree(o, n, N, &c, &err), 0);
	assert_true(c.n == 1 && c.n_unread == 1 && find(&c, 2));
	consensus_clear(&c);
}

/* Of five, three voted: two that lie are not more than half of all. */
static void few_votes(void **state)
{
	_cleanup_free_ char *f = facts(1, 500, 1), *lie = facts(1, 500, 66);
	struct opinion o[N][8] = { { { 1, f, { "running" }, 1 } },
				   { { 1, lie, { "running" }, 1 } },
				   { { 1, lie, { "running" }, 1 } } };
	const struct vote *in[N];
	struct vote votes[N];
	char *texts[N], *body = NULL;
	struct error err = { "" };
	size_t len;

	(void)state;
	for (size_t i = 0; i < N; i++) {
		vote(i, o[i], 1, &texts[i], &votes[i]);
		in[i] = &votes[i];
	}
	assert_int_equal(consensus_compute(in, N, 5, &body, &len, &err), 0);
	assert_null(strstr(body, "identity"));
	free(body);
	assert_int_equal(consensus_compute(in, N, 6, &body, &len, &err), -ENODATA);
	for (size_t i = 0; i < N; i++) {
		vote_clear(&votes[i]);
		free(texts[i]);
	}
}

/* As many relays as may be in votes, of which more than half of the authorities name more than one vote can. */
static void many(void **state)
{
	enum { EACH = VOTE_RELAYS_MAX, ALL = EACH + EACH / 2 };
	static struct listing all[ALL], of[N][EACH];
	struct vote votes[N] = { { .hash = { 1 } }, { .hash = { 2 } }, { .hash = { 3 } } };
	const struct vote *in[N] = { &votes[0], &votes[1], &votes[2] };
	size_t n[N] = { 0 }, len, whole_len;
	struct consensus_signature sigs[2];
	char *body, *whole;
	struct consensus c;
	struct error err;

	(void)state;
	for (size_t i = 0; i < ALL; i++) {
		char id[64], *text;
		uint8_t raw[32] = { (uint8_t)(i >> 8), (uint8_t)i };

		sodium_bin2base64(id, sizeof(id), raw, 32, sodium_base64_VARIANT_ORIGINAL);
		assert_true(asprintf(&text,
				     "identity %s\nname r%zu\nonion-key 1 %s\nlink-key %s\n"
				     "address4 192.0.2.1\nbandwidth 1\nsoftware x\n",
				     id, i, id, id) > 0);
		memcpy(all[i].id.b, raw, 32);
		all[i].facts = (struct document_text){ text, strlen(text) };
		assert_true(flags_add(&all[i].flags, "running"));
		for (size_t k = 0; k < N; k++)
			if (i % 3 != k)
				of[k][n[k]++] = all[i];
	}
	for (size_t k = 0; k < N; k++) {
		memcpy(votes[k].authority, keys[k], 32);
		votes[k].interval = (struct interval){ T0, T0 + 1, T0 + 2, 1418 };
		votes[k].relays = (struct listings){ of[k], n[k] };
		assert_int_equal(n[k], EACH);
	}
	assert_int_equal(consensus_compute(in, N, N, &body, &len, &err), 0);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(consensus_sign(body, len, seeds[i], &sigs[i], &err), 0);
	assert_int_equal(consensus_with(body, len, sigs, 2, &whole, &whole_len, &err), 0);
	assert_int_equal(consensus_parse(whole, whole_len, (const uint8_t(*)[32])keys, N, &c, &err), 0);
	assert_int_equal(c.n, ALL);
	consensus_clear(&c);
	free(body);
	free(whole);
	for (size_t i = 0; i < ALL; i++)
		free((char *)(uintptr_t)all[i].facts.s);
}

static void bad_votes(void **state)
{
	_cleanup_free_ char *f1 = facts(1, 1, 1), *f2 = facts(2, 1, 1), *text = NULL;
	struct listing relays[2] = { { .facts = { f1, strlen(f1) } }, { .facts = { f2, strlen(f2) } } }, other;
	struct vote v = { .interval = { T0, T0 + 1, T0 + 2, 1418 }, .relays = { relays, 2 } }, back;
	struct error err = { "" };
	size_t len;

	(void)state;
	memcpy(v.authority, keys[0], 32);
	/* no flags at all: "flags" without a word */
	assert_int_equal(vote_make(&v, seeds[0], &text, &len, &err), -EINVAL);
	assert_non_null(strstr(err.text, "flags: a word lacks"));
	assert_true(flags_add(&relays[0].flags, "running") && flags_add(&relays[1].flags, "running"));
	assert_false(flags_add(&relays[1].flags, "fast"));
	assert_int_equal(vote_make(&v, seeds[1], &text, &len, &err), -EINVAL);
	other = relays[0];
	relays[0] = relays[1];
	relays[1] = other;
	assert_int_equal(vote_make(&v, seeds[0], &text, &len, &err), -EINVAL);
	assert_non_null(strstr(err.text, "identity: not ascending"));
	relays[0] = relays[1];
	assert_int_equal(vote_make(&v, seeds[0], &text, &len, &err), -EINVAL);
	v.relays.n = 1;
	v.interval.fresh_until = T0;
	assert_int_equal(vote_make(&v, seeds[0], &text, &len, &err), -EINVAL);
	assert_non_null(strstr(err.text, "fresh-until: not a number from 1700000001"));
	v.interval.fresh_until = T0 + 1;
	assert_int_equal(vote_make(&v, seeds[0], &text, &len, &err), 0);
	text[len - 3] ^= 1;
	assert_true(vote_parse(text, len, &back, &err) < 0);
	text[len - 3] ^= 1;
	strstr(text, "link-mtu 1418")[12] = '9';
	assert_int_equal(vote_parse(text, len, &back, &err), -EKEYREJECTED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(majority),   cmocka_unit_test(where_they_are), cmocka_unit_test(no_tie_breaks),
		cmocka_unit_test(signatures), cmocka_unit_test(not_understood), cmocka_unit_test(few_votes),
		cmocka_unit_test(many),	      cmocka_unit_test(bad_votes),
	};

	return cmocka_run_group_tests_name("consensus", tests, setup, NULL);
}
