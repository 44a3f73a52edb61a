/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Exactly one Zstandard frame (RFC 8878), decoded as it comes. Its window is 2^27 bytes at most: that, what is held of
 * the input and the output (FRAME_MEMORY) and the prefix is all the memory that it takes, whatever a frame claims; of
 * it only what really came is ever touched.
 */
#pragma once

#include <stddef.h>

#include "fetch/sink.h"

#define FRAME_WINDOW_LOG 27
#define FRAME_MEMORY ((UINT64_C(1) << FRAME_WINDOW_LOG) + (UINT64_C(2) << 20)) /* bytes */

struct frame;

/*
 * The prefix (raw content in front of the frame, RFC 8878 section 5; NULL: none) is not copied: it must outlive the
 * frame. FETCH_INTERNAL.
 */
enum fetch_status frame_new(const void *prefix, size_t prefix_len, struct frame **ret, struct error *err);
void frame_free(struct frame *f);
/*
 * More of it; what is decoded goes to the sink. FETCH_CONTENT: it is no frame (a skippable one or one of an older
 * format neither), wants a dictionary, does not fit the prefix, has too large a window, or there is something behind
 * it.
 */
enum fetch_status frame_take(struct frame *f, const void *data, size_t len, struct sink *to, struct error *err);
/* No more comes. FETCH_CONTENT: it is not whole. */
enum fetch_status frame_end(const struct frame *f, struct error *err);
