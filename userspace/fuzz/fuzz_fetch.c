/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a directory server answers: a head, a line, a frame. The first byte says whether there is a prefix and in pieces
 * of what size the rest comes.
 */
#include <stdlib.h>
#include <string.h>
#define ZSTD_STATIC_LINKING_ONLY
#include <zstd.h>

#include "fetch/response.h"
#include "fetch/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define OUT_MAX 20000u

/* The corpus has a frame that was made with it. */
static const char prefix[] = "r1 192.0.2.1 guard running\nr2 192.0.2.2 middle running\nr3 192.0.2.3 exit running\n";

struct out {
	uint8_t v[OUT_MAX];
	size_t n;
};

static enum fetch_status keep(void *ctx, const void *data, size_t len, struct error *err)
{
	struct out *o = ctx;

	(void)err;
	if (len > sizeof(o->v) - o->n)
		abort();
	memcpy(o->v + o->n, data, len);
	o->n += len;
	return FETCH_OK;
}

/* The head is what is in front of the first empty line. */
static bool head(struct response *a, const char **p, size_t *left)
{
	while (*left > 0 && !a->headers.done) {
		const char *lf = memchr(*p, '\n', *left);
		size_t len = lf ? (size_t)(lf + 1 - *p) : *left;

		if (!response_header(a, *p, len))
			return false;
		*p += len;
		*left -= len;
	}
	if (a->headers.bytes > HEADERS_MAX)
		abort();
	return true;
}

/* Windows that take the sanitizer as long as thousands of other runs: test_fetch has the largest. */
static bool takes_too_long(const char *data, size_t size)
{
	ZSTD_frameHeader h;

	return ZSTD_getFrameHeader(&h, data, size) == 0 && h.windowSize > 1u << 20;
}

static enum fetch_status respond(struct response *a, const char *data, size_t size, size_t piece)
{
	bool go = head(a, &data, &size) && !takes_too_long(data, size);

	for (size_t at = 0; go && at < size; at += piece)
		go = response_body(a, data + at, size - at < piece ? size - at : piece);
	return response_end(a);
}

static enum fetch_status content(bool frame, bool with_prefix, const char *data, size_t size, size_t piece,
				 struct out *o)
{
	const struct sink to = { keep, o, OUT_MAX };
	struct frame *f = NULL;
	struct response a;
	struct content c;
	enum fetch_status st;

	o->n = 0;
	if (frame && frame_new(with_prefix ? prefix : NULL, sizeof(prefix) - 1, &f, NULL) != FETCH_OK)
		abort();
	c = content_of(f, &to);
	a = response_to_get(&c);
	st = respond(&a, data, size, piece);
	content_clear(&c);
	if ((st == FETCH_OK) != (a.err.text[0] == '\0'))
		abort();
	return st;
}

/*
 * It does not matter in what pieces it came. But for a small frame with an absurd window: whole, it is decoded without
 * one.
 */
static void gets(bool frame, bool with_prefix, const char *data, size_t size, size_t piece)
{
	static struct out whole, pieces;
	enum fetch_status a = content(frame, with_prefix, data, size, size + 1, &whole);
	enum fetch_status b = content(frame, with_prefix, data, size, piece, &pieces);

	if (b == FETCH_OK && (a != FETCH_OK || whole.n != pieces.n || memcmp(whole.v, pieces.v, whole.n) != 0))
		abort();
	if (!frame && a != b)
		abort();
}

static void post(const char *data, size_t size, size_t piece)
{
	struct response a = response_to_post(), b = response_to_post();
	enum fetch_status st = respond(&a, data, size, size + 1);

	if (respond(&b, data, size, piece) != st || a.line.len != b.line.len ||
	    memcmp(a.line.text, b.line.text, a.line.len) != 0 || a.line.len > LINE_MAX_BYTES)
		abort();
	for (size_t i = 0; i < a.line.len; i++)
		if ((a.line.text[i] < ' ' || a.line.text[i] > '~') && (a.line.text[i] != '\n' || i + 1 < a.line.len))
			abort();
}

static void url(const char *data, size_t size)
{
	char *text = strndup(data, size);
	struct error err = { "" };
	struct url u;

	if (!text)
		abort();
	if (url_parse(text, &u, &err) == 0 ? !url_same_address(&u, &u.to.any) : !err.text[0])
		abort();
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data + 1;
	size_t piece;

	if (size == 0)
		return 0;
	piece = 1 + (data[0] >> 1);
	size--;
	url(text, size);
	gets(false, false, text, size, piece);
	gets(true, data[0] & 1, text, size, piece);
	post(text, size, piece);
	return 0;
}
