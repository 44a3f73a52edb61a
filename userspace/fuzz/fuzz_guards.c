/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The file of guards: what is taken can be lived with, and is written as it was read. */
#include <stdlib.h>
#include <string.h>

#include "anond/guards_file.h"
#include "lib/clock.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t key[1][32] = { { 0 } };
static const struct signers by = { key, 1 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct guards g, again;
	char *text;

	if (guards_parse((const char *)data, size, &by, &g) < 0) {
		if (g.n)
			abort();
		return 0;
	}
	if (g.n > GUARDS_MAX || g.grown > CLOCK_WALL_MAX)
		abort();
	text = guards_format(&by, &g);
	if (!text)
		abort();
	if (guards_parse(text, strlen(text), &by, &again) < 0 || memcmp(&again, &g, sizeof(g)) != 0)
		abort();
	free(text);
	return 0;
}
