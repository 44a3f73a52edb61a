/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines of an answer from the daemon: parse, and show as every command would. Nothing reaches the terminal raw. */
#include <stdlib.h>
#include <string.h>

#include "anonctl/answer.h"
#include "anonctl/show.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static show_fn *const shows[] = { show_circuit_up, show_circuit_down, show_circuit_list, show_circuit,
				  show_relay_list, show_link_list,    show_status,	 show_reload };

static void show_all(const json_t *body)
{
	const struct show_time now = { 1700000000, 100000 };
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		abort();
	for (size_t i = 0; i < ARRAY_SIZE(shows); i++)
		shows[i](body, &now, out);
	fclose(out);
	for (size_t i = 0; i < len; i++)
		if (text[i] != '\n' && (text[i] < ' ' || text[i] > '~'))
			abort();
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	while (size > 0) {
		const uint8_t *end = memchr(data, '\n', size);
		size_t len = end ? (size_t)(end - data) : size;
		struct answer a;

		if (answer_parse((const char *)data, len, &a) == 0) {
			if (a.code < 100 || a.code > 599 || !answer_error(&a))
				abort();
			(void)answer_status(a.code);
			show_all(a.body);
			json_decref(a.body);
		}
		data += len + (end != NULL);
		size -= len + (end != NULL);
	}
	return 0;
}
