/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The content of an answer: as it is, or out of a Zstandard frame; limited on both sides. */
#pragma once

#include "fetch/frame.h"

struct content {
	struct frame *frame; /* NULL: as it is */
	struct sink to;
	uint64_t left; /* bytes that may still come */
};

/* Takes the frame (NULL: as it is), which content_clear() frees. `to` limits what comes out, and so what comes in. */
struct content content_of(struct frame *frame, const struct sink *to);
void content_clear(struct content *c);
enum fetch_status content_take(struct content *c, const void *data, size_t len, struct error *err);
/* All has come. */
enum fetch_status content_end(const struct content *c, struct error *err);
