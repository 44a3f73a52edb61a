/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fetch/frame.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#define MAGIC_LEN 4u

struct frame {
	ZSTD_DCtx *zstd;
	size_t magic; /* bytes of it that were there */
	bool done;
	uint8_t *out;
	size_t out_size;
};

void frame_free(struct frame *f)
{
	if (!f)
		return;
	ZSTD_freeDCtx(f->zstd);
	free(f->out);
	free(f);
}

enum fetch_status frame_new(const void *prefix, size_t prefix_len, struct frame **ret, struct error *err)
{
	struct frame *f = calloc(1, sizeof(*f));

	if (!f)
		return error_set(err, FETCH_INTERNAL, "out of memory");
	f->zstd = ZSTD_createDCtx();
	f->out_size = ZSTD_DStreamOutSize();
	f->out = malloc(f->out_size);
	if (!f->zstd || !f->out ||
	    ZSTD_isError(ZSTD_DCtx_setParameter(f->zstd, ZSTD_d_windowLogMax, FRAME_WINDOW_LOG)) ||
	    (prefix && ZSTD_isError(ZSTD_DCtx_refPrefix(f->zstd, prefix, prefix_len)))) {
		frame_free(f);
		return error_set(err, FETCH_INTERNAL, "zstd: out of memory");
	}
	*ret = f;
	return FETCH_OK;
}

/* The library would skip skippable frames, and knows formats that were before the standard: decoders we need not have.
 */
static bool magic_fits(struct frame *f, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len && f->magic < MAGIC_LEN; i++, f->magic++)
		if (p[i] != (uint8_t)(ZSTD_MAGICNUMBER >> (8 * f->magic)))
			return false;
	return true;
}

static enum fetch_status refused(size_t r, struct error *err)
{
	return error_set(err, ZSTD_getErrorCode(r) == ZSTD_error_memory_allocation ? FETCH_INTERNAL : FETCH_CONTENT,
			 "zstd: %s", ZSTD_getErrorName(r));
}

/*
 * A buffer that was filled to its end may have more behind it, also when there is no more input. The end of the frame
 * is told once; to ask again would begin another one.
 */
enum fetch_status frame_take(struct frame *f, const void *data, size_t len, struct sink *to, struct error *err)
{
	ZSTD_inBuffer in = { data, len, 0 };
	bool full = false;

	if (!magic_fits(f, data, len))
		return error_set(err, FETCH_CONTENT, "not a Zstandard frame");
	while (!f->done && (in.pos < in.size || full)) {
		ZSTD_outBuffer out = { f->out, f->out_size, 0 };
		size_t r = ZSTD_decompressStream(f->zstd, &out, &in);
		enum fetch_status st;

		if (ZSTD_isError(r))
			return refused(r, err);
		st = sink_put(to, f->out, out.pos, err);
		if (st != FETCH_OK)
			return st;
		f->done = r == 0;
		full = out.pos == out.size;
	}
	return in.pos < in.size ? error_set(err, FETCH_CONTENT, "something is behind the Zstandard frame") : FETCH_OK;
}

enum fetch_status frame_end(const struct frame *f, struct error *err)
{
	return f->done ? FETCH_OK : error_set(err, FETCH_CONTENT, "the Zstandard frame is not whole");
}
