/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fetch/content.h"

#include <stdbool.h>

/* A frame is a little larger than what cannot be compressed: three bytes for each block, header and checksum. */
static uint64_t input_max(uint64_t max, bool frame)
{
	return frame ? max + (max >> 8) + 4096 : max;
}

struct content content_of(struct frame *frame, const struct sink *to)
{
	return (struct content){ .frame = frame, .to = *to, .left = input_max(to->left, frame) };
}

void content_clear(struct content *c)
{
	frame_free(c->frame);
	c->frame = NULL;
}

enum fetch_status content_take(struct content *c, const void *data, size_t len, struct error *err)
{
	if (len > c->left)
		return error_set(err, FETCH_CONTENT, "the answer is larger than it may be");
	c->left -= len;
	return c->frame ? frame_take(c->frame, data, len, &c->to, err) : sink_put(&c->to, data, len, err);
}

enum fetch_status content_end(const struct content *c, struct error *err)
{
	return c->frame ? frame_end(c->frame, err) : FETCH_OK;
}
