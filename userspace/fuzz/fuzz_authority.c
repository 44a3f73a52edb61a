/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an authority reads: from other authorities, its own files, its configuration. The first byte says which. */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "dirauth/config.h"
#include "dirauth/measurements.h"
#include "directory/roster.h"
#include "directory/round.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW UINT64_C(1795370000) /* when the descriptors of the corpus are valid */

static struct roster *roster(void)
{
	const struct roster_rules rules = { .max = 3, .unmeasured_max = 1000 };
	struct roster *r;

	if (roster_new(&rules, &r) < 0)
		abort();
	return r;
}

static void row(const char *text, size_t len)
{
	struct roster *r = roster();
	struct listings l;
	struct error err;

	(void)roster_add_all(r, text, len, NOW, &err);
	if (roster_count(r) > 3 || roster_listings(r, NOW, NOW, &l) < 0 || l.n > roster_count(r))
		abort();
	listings_clear(&l);
	roster_free(r);
}

/* What was loaded is written, and is loaded again. */
static void dump(const char *text, size_t len)
{
	struct roster *r = roster(), *again = roster();
	size_t damaged = 0, out_len = 0;
	struct error err;
	char *out = NULL;
	FILE *f = open_memstream(&out, &out_len);

	(void)roster_load(r, text, len, NOW, &damaged, &err);
	roster_dump(r, f);
	fclose(f);
	if (roster_load(again, out, out_len, NOW, &damaged, &err) < 0 || damaged ||
	    roster_count(again) != roster_count(r))
		abort();
	free(out);
	roster_free(r);
	roster_free(again);
}

static void nothing(void *ctx, const uint8_t authority[32], const uint8_t hash[32])
{
	*(uint8_t *)ctx ^= authority[0] ^ hash[31];
}

static void lines(const char *text, size_t len)
{
	static const uint8_t keys[3][32] = { { 1 }, { 2 }, { 3 } }, seed[32] = { 1 };
	static const char body[] = "anond-consensus 1\n";
	struct error err;
	struct round *r;
	uint8_t seen = 0;
	size_t other;

	(void)round_list_read(text, len, nothing, &seen);
	if (round_new(NOW, keys, 3, &r) < 0 || round_sign(r, body, sizeof(body) - 1, seed, &err) < 0)
		abort();
	if (round_add_signatures(r, text, len, &other, &err) > 0)
		abort();
	round_free(r);
}

static void measured(const char *text, size_t len)
{
	struct roster *r = roster();
	struct error err;

	(void)measurements_parse(text, len, r, &err);
	roster_free(r);
}

static void config(const char *text, size_t len)
{
	struct dirauth_config *conf = NULL;
	struct error err = { "" };

	if (strlen(text) != len || len > DIRAUTH_CONFIG_MAX)
		return;
	if (dirauth_config_parse(text, "fuzz", &conf, &err) < 0) {
		if (conf || err.text[0] == '\0')
			abort();
		return;
	}
	if (!conf->authorities.n_keys || !conf->n_listen || conf->interval < 16 || conf->valid < 2 ||
	    conf->state[0] != '/')
		abort();
	dirauth_config_free(conf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const fns[])(const char *text, size_t len) = { row, dump, lines, measured, config };
	char *text;

	if (sodium_init() < 0)
		abort();
	if (size == 0)
		return 0;
	text = malloc(size);
	if (!text)
		abort();
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	fns[data[0] % ARRAY_SIZE(fns)](text, size - 1);
	free(text);
	return 0;
}
