/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The file of a relay's onion keys. The input is one without its last line, the sum, which is made here, for what has
 * a wrong one is hardly looked at. What is taken is written again byte by byte, and has a schedule that goes on.
 */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "directory/onion_store.h"
#include "lib/base64.h"
#include "lib/secmem.h"
#include "tests/circuit_fixture.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct relay_id own = { { 7 } };
static struct onion_keys *k;

static void require(bool ok)
{
	if (!ok)
		abort();
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	require(sodium_init() >= 0);
	k = secmem_alloc(sizeof(*k));
	require(k != NULL);
	return 0;
}

static void check(const char *text, size_t len)
{
	const struct onion_schedule day = { 86400, 3600 };
	char again[ONION_KEYS_TEXT_MAX];
	uint64_t wait, seed = 1, since = k->since;
	struct rng rng = { fix_fill, &seed };
	enum onion_step step;
	int n = 0;

	require(!(k->has_next && k->has_previous) && (onion_keys_have(k, k->current.id)));
	require(onion_keys_format(k, &own, again) == len && memcmp(again, text, len) == 0);
	onion_keys_follow(k, 1, since + 10 * day.life_s);
	while ((step = onion_keys_due(k, &day, &wait)) != ONION_WAIT) {
		onion_keys_take(k, step, &rng);
		require(++n <= 2);
	}
	require(wait > 0 && wait <= day.life_s);
}

static void parse(const char *text, size_t len)
{
	struct error err = { "" };
	int r = onion_keys_parse(text, len, &own, k, &err);

	if (r == 0)
		check(text, len);
	else
		require(err.text[0] != '\0' && sodium_is_zero((const uint8_t *)k, sizeof(*k)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[ONION_KEYS_TEXT_MAX];
	uint8_t sum[32];

	parse((const char *)data, size);
	if (size <= sizeof(text) - sizeof("sum \n") - BASE64_LEN(sizeof(sum))) {
		crypto_generichash(sum, sizeof(sum), data, size, NULL, 0);
		memcpy(text, data, size);
		memcpy(text + size, "sum ", 4);
		base64_write(sum, sizeof(sum), text + size + 4);
		text[size + 4 + BASE64_LEN(sizeof(sum)) - 1] = '\n';
		parse(text, size + 4 + BASE64_LEN(sizeof(sum)));
	}
	return 0;
}
