/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dirauth/press.h"

#include <stdlib.h>
#include <zstd.h>

#include "lib/cleanup.h"

#define LEVEL 9 /* most of a consensus are keys, which no level makes smaller */
#define WINDOW_LOG_MIN 20
#define WINDOW_LOG_MAX 27 /* CONSENSUS_MAX, twice */

static void cleanup_cctx(ZSTD_CCtx **c)
{
	ZSTD_freeCCtx(*c);
}

/* So that all of the prefix is in reach up to the end. */
static int window_log(size_t len)
{
	int log = WINDOW_LOG_MIN;

	while (log < WINDOW_LOG_MAX && ((size_t)1 << log) < len)
		log++;
	return log;
}

static bool set(ZSTD_CCtx *c, ZSTD_cParameter what, int value)
{
	return !ZSTD_isError(ZSTD_CCtx_setParameter(c, what, value));
}

static bool prepare(ZSTD_CCtx *c, size_t len, const char *prefix, size_t prefix_len)
{
	if (!set(c, ZSTD_c_compressionLevel, LEVEL) || !set(c, ZSTD_c_checksumFlag, 1) ||
	    !set(c, ZSTD_c_windowLog, window_log(len + prefix_len)))
		return false;
	return !prefix_len || (set(c, ZSTD_c_enableLongDistanceMatching, 1) &&
			       !ZSTD_isError(ZSTD_CCtx_refPrefix(c, prefix, prefix_len)));
}

struct page *press(const char *text, size_t len, const char *prefix, size_t prefix_len, uint32_t max_age)
{
	_cleanup_(cleanup_cctx) ZSTD_CCtx *c = ZSTD_createCCtx();
	size_t room = ZSTD_compressBound(len), n;
	struct page *page = NULL;
	char *out;

	if (!c || !prepare(c, len, prefix, prefix_len))
		return NULL;
	out = malloc(room);
	if (!out)
		return NULL;
	n = ZSTD_compress2(c, out, room, text, len);
	if (!ZSTD_isError(n))
		page = page_new(out, n, true, max_age);
	free(out);
	return page;
}
