/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One line of the daemon's answer (lib/reply.h). Pure. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "lib/cleanup.h"

struct answer {
	int code;     /* 100..599 */
	json_t *body; /* an object, never NULL */
};

/* line: without its newline. -EBADMSG if it is no answer line, -EMSGSIZE if it is too long. Release the body. */
int answer_parse(const char *line, size_t len, struct answer *ret);
bool answer_is_progress(const struct answer *a);
bool answer_is_ok(const struct answer *a);
/* The exit status of anonctl. */
int answer_status(int code);
/* The sentence of a failure. Belongs to the body. */
const char *answer_error(const struct answer *a);

static inline void cleanup_json(json_t **p)
{
	json_decref(*p);
}
#define _cleanup_json_ _cleanup_(cleanup_json)
