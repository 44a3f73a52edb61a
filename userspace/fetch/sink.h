/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where decoded content goes, and how much of it at most. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lib/error.h"
#include "lib/fetch_status.h"

struct sink {
	enum fetch_status (*put)(void *ctx, const void *data, size_t len, struct error *err);
	void *ctx;
	uint64_t left; /* bytes that it still takes */
};

/* All of data, or FETCH_CONTENT and nothing of it if that is more than is left; what put() says. */
static inline enum fetch_status sink_put(struct sink *s, const void *data, size_t len, struct error *err)
{
	if (len > s->left)
		return error_set(err, FETCH_CONTENT, "the content is larger than it may be");
	s->left -= len;
	return s->put(s->ctx, data, len, err);
}
