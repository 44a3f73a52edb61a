/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Directory documents. The input is one without its signature, which is made here, for what is not signed is hardly
 * looked at: by the seed whose public key the corpus has.
 */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "directory/consensus.h"
#include "directory/network.h"
#include "directory/server_descriptor.h"
#include "directory/vote.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t seed[32] = { 1 };

static char *with_signature(const uint8_t *data, size_t size, size_t *ret_len)
{
	char *text = NULL;
	FILE *f = open_memstream(&text, ret_len);
	struct error err;

	if (!f || fwrite(data, 1, size, f) != size || document_close_signed(f, &text, ret_len, seed, &err) < 0)
		abort();
	return text;
}

/* What was believed can be used: every relay is found, or counted as left out. */
static void as_network(const struct consensus *c)
{
	struct network *net;

	if (network_from_consensus(c, &net) < 0 || net->n_relays + net->n_left_out != c->n + c->n_unread)
		abort();
	for (size_t i = 0; i < net->n_relays; i++)
		if (network_find(net, &net->relays[i].id) != &net->relays[i])
			abort();
	network_free(net);
}

/* Whether a client takes it that trusts who made the one signature that it gets here. */
static bool taken_if_signed(const void *text, size_t len)
{
	struct consensus_signature sig;
	struct consensus c;
	struct error err;
	char *whole = NULL;
	size_t whole_len;
	bool taken;

	if (consensus_sign(text, len, seed, &sig, &err) < 0 ||
	    consensus_with(text, len, &sig, 1, &whole, &whole_len, &err) < 0)
		return false;
	taken = consensus_parse(whole, whole_len, (const uint8_t(*)[32]) & sig.authority, 1, &c, &err) == 0;
	if (taken) {
		as_network(&c);
		consensus_clear(&c);
	}
	free(whole);
	return taken;
}

/* Two votes alike of two authorities agree with each of them. */
static void agreement(struct vote *v)
{
	const struct vote *both[2];
	struct vote other = *v;
	struct error err;
	char *text = NULL;
	size_t len;

	other.authority[0] ^= 1;
	both[0] = v;
	both[1] = &other;
	if (consensus_compute(both, 2, 3, &text, &len, &err) < 0 || !taken_if_signed(text, len))
		abort();
	free(text);
}

/* What a relay says never spoils what an authority says of it. */
static void in_a_vote(const struct server_descriptor *d)
{
	struct listing one = { .id = d->facts.relay.id, .facts = d->facts_text };
	struct vote v = { .interval = { 1, 2, 3, 1418 }, .relays = { &one, 1 } }, back;
	uint8_t secret[64];
	struct error err;
	char *text = NULL;
	size_t len;

	crypto_sign_seed_keypair(v.authority, secret, seed);
	if (!flags_add(&one.flags, FLAG_RUNNING) || vote_make(&v, seed, &text, &len, &err) < 0 ||
	    vote_parse(text, len, &back, &err) < 0 || back.relays.n != 1)
		abort();
	agreement(&back);
	vote_clear(&back);
	free(text);
}

/* What was taken can be written, and is taken again, and then says the same. */
static void descriptor(const char *text, size_t len)
{
	struct server_descriptor d, again;
	struct error err;
	char *out = NULL;
	size_t out_len;

	if (server_descriptor_parse(text, len, &d, &err) < 0)
		return;
	if (server_descriptor_make(&d, seed, &out, &out_len, &err) < 0 ||
	    server_descriptor_parse(out, out_len, &again, &err) < 0)
		abort();
	in_a_vote(&d);
	again.facts_text = d.facts_text;
	if (memcmp(&again, &d, sizeof(d)) != 0)
		abort();
	free(out);
}

static void vote(const char *text, size_t len)
{
	struct vote v, again;
	struct error err;
	char *out = NULL;
	size_t out_len;

	if (vote_parse(text, len, &v, &err) < 0)
		return;
	if (vote_make(&v, seed, &out, &out_len, &err) < 0 || vote_parse(out, out_len, &again, &err) < 0 ||
	    again.relays.n != v.relays.n)
		abort();
	agreement(&v);
	vote_clear(&v);
	vote_clear(&again);
	free(out);
}

/* As it came, too: its own signatures. */
static void consensus(const uint8_t *data, size_t size)
{
	uint8_t key[32], secret[64];
	struct consensus c;
	struct error err;

	(void)taken_if_signed(data, size);
	crypto_sign_seed_keypair(key, secret, seed);
	if (consensus_parse(data, size, (const uint8_t(*)[32]) & key, 1, &c, &err) == 0)
		consensus_clear(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t len;
	char *text;

	if (sodium_init() < 0)
		abort();
	text = with_signature(data, size, &len);
	descriptor(text, len);
	vote(text, len);
	consensus(data, size);
	free(text);
	return 0;
}
