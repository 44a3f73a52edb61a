/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A `circuit up` on the control socket: JSON from whoever may open it. What is taken keeps the promises of
 * up_request.h. */
#include <stdlib.h>

#include "anond/up_request.h"
#include "plan/object.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *req = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL);
	struct up_request up;
	struct error err = { "" };

	if (json_is_object(req) && up_request_parse(json_object_get(req, "args"), 3, &up, &err) == 0) {
		if (up.hops < 1 || up.hops > HOPS_MAX || !selection_valid(&up.sel) || !(up.wait >= 0))
			abort();
		for (size_t i = 0; i < up.sel.n; i++)
			if (!prefix_valid(&up.sel.prefixes[i]))
				abort();
		for (size_t i = 0; up.pinned && i < up.hops; i++)
			if (!up.pin[i])
				abort();
		if (up.rules.exits.n > COUNTRIES_MAX || up.rules.n_never_operators > OPERATORS_MAX ||
		    up.rules.min_life > RULES_LIFE_MAX || (up.pinned && path_rules_any(&up.rules)))
			abort();
		up_request_clear(&up);
	} else if (json_is_object(req) && !err.text[0]) {
		abort(); /* an error without a sentence */
	}
	json_decref(req);
	return 0;
}
