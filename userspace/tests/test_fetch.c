/* SPDX-License-Identifier: GPL-2.0-or-later */
/* anon-fetch without a network: where a URL goes, what of an answer is taken, what becomes of a frame. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka.h needs the four above */
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zstd.h>

#include "fetch/options.h"
#include "fetch/response.h"
#include "fetch/sandbox.h"
#include "lib/cleanup.h"

/* ---- URLs ---- */

static void a_url_has_an_address(void **state)
{
	(void)state;
	struct error err = { "" };
	struct url u;
	char text[INET6_ADDRSTRLEN];

	assert_int_equal(url_parse("http://192.0.2.1/anond/1/consensus.zst", &u, &err), 0);
	assert_int_equal(u.to.any.sa_family, AF_INET);
	assert_int_equal(u.len, sizeof(struct sockaddr_in));
	assert_int_equal(ntohs(u.to.v4.sin_port), 80);
	assert_string_equal(inet_ntop(AF_INET, &u.to.v4.sin_addr, text, sizeof(text)), "192.0.2.1");
	assert_int_equal(url_parse("http://[2001:db8::1]:9030/", &u, &err), 0);
	assert_int_equal(u.to.any.sa_family, AF_INET6);
	assert_int_equal(u.len, sizeof(struct sockaddr_in6));
	assert_int_equal(ntohs(u.to.v6.sin6_port), 9030);
	assert_string_equal(inet_ntop(AF_INET6, &u.to.v6.sin6_addr, text, sizeof(text)), "2001:db8::1");
	assert_int_equal(url_parse("http://192.0.2.1:65535/a-b_c.d~e/F0", &u, &err), 0);
}

static void other_urls_are_refused(void **state)
{
	(void)state;
	static const char *const bad[] = {
		"",
		"http://",
		"http:///",
		"HTTP://192.0.2.1/",
		"https://192.0.2.1/",
		"ftp://192.0.2.1/",
		"file:///etc/passwd",
		"192.0.2.1/",
		"http://192.0.2.1",
		"http://192.0.2.1:80",
		"http://example.org/",
		"http://localhost/",
		"http://192.0.2/",
		"http://192.0.2.01/",
		"http://0x7f.1/",
		"http://3221225985/",
		"http://192.0.2.1./",
		"http://0.0.0.0/",
		"http://user@192.0.2.1/",
		"http://user:word@192.0.2.1/",
		"http://192.0.2.1@192.0.2.2/",
		"http://192.0.2.1:/",
		"http://192.0.2.1:0/",
		"http://192.0.2.1:080/",
		"http://192.0.2.1:65536/",
		"http://192.0.2.1:4294967376/",
		"http://192.0.2.1:+80/",
		"http://192.0.2.1: 80/",
		"http://192.0.2.1:80a/",
		"http://2001:db8::1/",
		"http://[2001:db8::1/",
		"http://[2001:db8::1]x/",
		"http://[fe80::1%eth0]/",
		"http://[fe80::1%25eth0]/",
		"http://[192.0.2.1]/",
		"http://[::]/",
		"http://[::ffff:192.0.2.1]/",
		"http://[]/",
		"http://192.0.2.1/?a",
		"http://192.0.2.1/#a",
		"http://192.0.2.1/a b",
		"http://192.0.2.1/%0d",
		"http://192.0.2.1/\r\nX: y",
		"http://192.0.2.1/\xc3\xa4",
		"http://192.0.2.1\\/",
		" http://192.0.2.1/",
	};
	char long_one[URL_MAX + 2];
	struct url u = { .len = 77 };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct error err = { "" };

		if (url_parse(bad[i], &u, &err) != -EINVAL)
			fail_msg("taken: %s", bad[i]);
		/* what it says may go into a log */
		assert_null(strstr(err.text, "192.0.2"));
		assert_true(strlen(err.text) > 0);
	}
	assert_int_equal(u.len, 77);
	memset(long_one, 'a', sizeof(long_one));
	memcpy(long_one, "http://192.0.2.1/", 17);
	long_one[URL_MAX + 1] = '\0';
	assert_int_equal(url_parse(long_one, &u, NULL), -EINVAL);
	long_one[URL_MAX] = '\0';
	assert_int_equal(url_parse(long_one, &u, NULL), 0);
}

static void same(const char *a, const char *b, bool is)
{
	struct url u, v;

	assert_int_equal(url_parse(a, &u, NULL), 0);
	assert_int_equal(url_parse(b, &v, NULL), 0);
	assert_int_equal(url_same_address(&u, &v.to.any), is);
}

static void a_connection_goes_where_the_url_says(void **state)
{
	(void)state;
	same("http://192.0.2.1/", "http://192.0.2.1:80/x", true);
	same("http://192.0.2.1/", "http://192.0.2.2/", false);
	same("http://192.0.2.1/", "http://192.0.2.1:81/", false);
	same("http://[2001:db8::1]/", "http://[2001:DB8:0::1]:80/", true);
	same("http://[2001:db8::1]/", "http://[2001:db8::2]/", false);
	same("http://[2001:db8::1]/", "http://[2001:db8::1]:81/", false);
	same("http://[2001:db8::1]/", "http://192.0.2.1/", false);
}

/* ---- the command line ---- */

#define URL "http://192.0.2.1/x"

static int parse(struct options *o, const char *const *words)
{
	char *argv[16] = { (char *)"anon-fetch" };
	int argc = 1;

	for (; *words; words++)
		argv[argc++] = (char *)*words;
	return options_parse(argc, argv, o, NULL);
}

#define PARSE(o, ...) parse((o), (const char *const[]){ __VA_ARGS__, NULL })

static void options_say_what_to_do(void **state)
{
	(void)state;
	struct options o;

	assert_int_equal(PARSE(&o, "--max", "1", URL), 0);
	assert_int_equal(o.max, 1);
	assert_string_equal(o.url, URL);
	assert_int_equal(o.socket, -1);
	assert_int_equal(o.timeout, FETCH_TIMEOUT_DEFAULT);
	assert_false(o.zstd || o.help || o.version || o.prefix || o.post || o.device);
	assert_int_equal(
		PARSE(&o, "--max=1073741824", "--prefix", "f", "--socket=7", "--device=eth0", "--timeout=3600", URL),
		0);
	assert_int_equal(o.max, FETCH_MAX_MAX);
	assert_true(o.zstd);
	assert_string_equal(o.prefix, "f");
	assert_string_equal(o.device, "eth0");
	assert_int_equal(o.socket, 7);
	assert_int_equal(o.timeout, 3600);
	assert_int_equal(PARSE(&o, "--max=9", "--post=f", URL), 0);
	assert_string_equal(o.post, "f");
	assert_int_equal(PARSE(&o, "--help"), 0);
	assert_true(o.help);
	assert_int_equal(PARSE(&o, "--version"), 0);
	assert_true(o.version);
}

static void wrong_options_are_refused(void **state)
{
	(void)state;
	static const char *const bad[][4] = {
		{ URL },
		{ "--max=1" },
		{ "--max=0", URL },
		{ "--max=1073741825", URL },
		{ "--max=18446744073709551617", URL },
		{ "--max=-1", URL },
		{ "--max= 1", URL },
		{ "--max=1k", URL },
		{ "--max=", URL },
		{ "--max" },
		{ "--max=1", URL, URL },
		{ "--max=1", "http://example.org/" },
		{ "--max=1", "--post=f", "--zstd", URL },
		{ "--max=1", "--post=f", "--prefix=g", URL },
		{ "--max=1", "--socket=2", URL },
		{ "--max=1", "--socket=-1", URL },
		{ "--max=1", "--socket=2147483648", URL },
		{ "--max=1", "--timeout=0", URL },
		{ "--max=1", "--timeout=3601", URL },
		{ "--max=1", "--device=", URL },
		{ "--max=1", "--device=0123456789abcdef", URL },
		{ "--max=1", "--location", URL },
		{ "--max=1", "-x", URL },
	};
	struct options o = { .timeout = 99 };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		const char *words[5] = { bad[i][0], bad[i][1], bad[i][2], bad[i][3], NULL };

		if (parse(&o, words) != -EINVAL)
			fail_msg("taken: %s %s %s", words[0], words[1] ? words[1] : "", words[2] ? words[2] : "");
	}
	assert_int_equal(o.timeout, 99);
}

/* ---- the head ---- */

static enum fetch_status head(struct headers *h, const char *text)
{
	enum fetch_status st = FETCH_OK;

	memset(h, 0, sizeof(*h));
	while (*text && st == FETCH_OK) {
		size_t len = strcspn(text, "\n") + 1;

		st = headers_line(h, text, len, NULL);
		text += len;
	}
	return st;
}

static void a_head_has_a_status(void **state)
{
	(void)state;
	struct headers h;

	assert_int_equal(head(&h, "HTTP/1.1 200 OK\r\n"), FETCH_OK);
	assert_false(h.done);
	assert_int_equal(head(&h, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"), FETCH_OK);
	assert_true(h.done);
	assert_int_equal(h.status, 200);
	assert_int_equal(head(&h, "HTTP/1.0 404\n\n"), FETCH_OK);
	assert_true(h.done);
	assert_int_equal(h.status, 404);
	assert_int_equal(
		head(&h, "HTTP/1.1 100 Go on\r\n\r\nHTTP/1.1 103 Hints\r\nA: b\r\n\r\nHTTP/1.1 599 No\r\n\r\n"),
		FETCH_OK);
	assert_true(h.done);
	assert_int_equal(h.status, 599);
	/* what stands behind the content means nothing */
	assert_int_equal(head(&h, "HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 404 No\r\n\r\n"), FETCH_OK);
	assert_int_equal(h.status, 200);
}

static void what_is_no_head_is_refused(void **state)
{
	(void)state;
	static const char *const bad[] = {
		"<html>\n",
		"\r\n",
		"HTTP/0.9 200 OK\r\n",
		"HTTP/2 200 \r\n",
		"HTTP/1.2 200 OK\r\n",
		"HTTP/1.1  200 OK\r\n",
		"HTTP/1.1 20 OK\r\n",
		"HTTP/1.1 2000 OK\r\n",
		"HTTP/1.1 2x0 OK\r\n",
		"HTTP/1.1 000 OK\r\n",
		"HTTP/1.1 600 OK\r\n",
		"http/1.1 200 OK\r\n",
		"ICY 200 OK\r\n",
		"HTTP/1.1 101 Switching\r\n",
		"HTTP/1.1 200 OK\r\n folded\r\n",
		"HTTP/1.1 200 OK\r\nA: b\r\n\tfolded\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n",
		"HTTP/1.1 200 OK\r\ntransfer-encoding:gzip, chunked\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTRANSFER-ENCODING: zstd\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding:\r\n",
		"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\n",
		"HTTP/1.1 100 Go on\r\nTransfer-Encoding: gzip\r\n",
	};
	struct headers h;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (head(&h, bad[i]) != FETCH_CONTENT)
			fail_msg("taken: %s", bad[i]);
	assert_int_equal(head(&h, "HTTP/1.1 200 OK\r\nTransfer-Encoding: \tChunked \r\nContent-Encoding: identity\r\n"
				  "Transfer-Encodings: gzip\r\nX: Transfer-Encoding: gzip\r\n\r\n"),
			 FETCH_OK);
	assert_true(h.done);
}

static void heads_are_limited(void **state)
{
	(void)state;
	struct headers h;
	size_t n = 0;

	assert_int_equal(head(&h, "HTTP/1.1 200 OK\r\n"), FETCH_OK);
	while (headers_line(&h, "A: 0123456789\r\n", 15, NULL) == FETCH_OK)
		n++;
	assert_int_equal(n, (HEADERS_MAX - 17) / 15);
	/* interim answers count, and what comes behind the content */
	assert_int_equal(head(&h, "HTTP/1.1 200 OK\r\n\r\n"), FETCH_OK);
	for (n = 0; headers_line(&h, "A: 0123456789\r\n", 15, NULL) == FETCH_OK;)
		n++;
	assert_int_equal(n, (HEADERS_MAX - 19) / 15);
	memset(&h, 0, sizeof(h));
	for (n = 0; headers_line(&h, "HTTP/1.1 100 \r\n", 15, NULL) == FETCH_OK &&
		    headers_line(&h, "\r\n", 2, NULL) == FETCH_OK;)
		n++;
	assert_int_equal(n, HEADERS_MAX / 17);
}

/* ---- the line ---- */

static void line_is(const char *data, size_t len, const char *want)
{
	struct line at_once = { .len = 0 }, bytewise = { .len = 0 };

	line_take(&at_once, data, len);
	for (size_t i = 0; i < len; i++)
		line_take(&bytewise, data + i, 1);
	line_end(&at_once);
	line_end(&bytewise);
	assert_int_equal(at_once.len, strlen(want));
	assert_memory_equal(at_once.text, want, at_once.len);
	assert_int_equal(bytewise.len, at_once.len);
	assert_memory_equal(bytewise.text, want, at_once.len);
}

#define LINE_IS(data, want) line_is(data, sizeof(data) - 1, want)

static void a_line_cannot_harm_a_terminal(void **state)
{
	(void)state;
	char data[1000], want[LINE_MAX_BYTES + 1];

	LINE_IS("", "");
	LINE_IS("\n", "");
	LINE_IS("\r\nsecond", "");
	LINE_IS("another relay's key", "another relay's key\n");
	LINE_IS("why\r\nsecond\n", "why\n");
	LINE_IS("a\tb\033[2J\x9b"
		"c\0d\x7f\xc3\xa4\n",
		"a?b?[2J?c?d???\n");
	memset(data, 'x', sizeof(data));
	memset(want, 'x', sizeof(want));
	want[LINE_MAX_BYTES - 1] = '\n';
	want[LINE_MAX_BYTES] = '\0';
	line_is(data, sizeof(data), want);
	/* returns without an end are no line without an end */
	memset(data, '\r', sizeof(data) - 1);
	line_is(data, sizeof(data), "");
}

/* ---- frames ---- */

struct bytes {
	uint8_t v[300000];
	size_t n;
};

static enum fetch_status keep(void *ctx, const void *data, size_t len, struct error *err)
{
	struct bytes *to = ctx;

	(void)err;
	assert_true(to->n + len <= sizeof(to->v));
	memcpy(to->v + to->n, data, len);
	to->n += len;
	return FETCH_OK;
}

/* Text that nobody can compress well, and not without what stands before it. */
static void noise(uint8_t *p, size_t n, uint32_t x)
{
	for (size_t i = 0; i < n; i++) {
		x ^= x << 13;
		x ^= x >> 17;
		x ^= x << 5;
		p[i] = (uint8_t)x;
	}
}

static size_t compress(uint8_t *to, size_t cap, const void *data, size_t len, const void *prefix, size_t prefix_len,
		       int window)
{
	ZSTD_CCtx *z = ZSTD_createCCtx();
	size_t n;

	assert_non_null(z);
	if (prefix)
		assert_false(ZSTD_isError(ZSTD_CCtx_refPrefix(z, prefix, prefix_len)));
	if (window)
		assert_false(ZSTD_isError(ZSTD_CCtx_setParameter(z, ZSTD_c_windowLog, window)));
	assert_false(ZSTD_isError(ZSTD_CCtx_setParameter(z, ZSTD_c_checksumFlag, 1)));
	n = ZSTD_compress2(z, to, cap, data, len);
	assert_false(ZSTD_isError(n));
	ZSTD_freeCCtx(z);
	return n;
}

/* All of it in pieces of `piece` bytes, then the end. */
static enum fetch_status decode(const void *data, size_t len, size_t piece, const void *prefix, size_t prefix_len,
				uint64_t max, struct bytes *out, struct error *err)
{
	const struct sink to = { keep, out, max };
	enum fetch_status st = FETCH_OK;
	struct frame *frame = NULL;
	struct content c;

	out->n = 0;
	assert_int_equal(frame_new(prefix, prefix_len, &frame, err), FETCH_OK);
	c = content_of(frame, &to);
	for (size_t at = 0; at < len && st == FETCH_OK; at += piece)
		st = content_take(&c, (const uint8_t *)data + at, len - at < piece ? len - at : piece, err);
	if (st == FETCH_OK)
		st = content_end(&c, err);
	content_clear(&c);
	return st;
}

static const size_t pieces[] = { 1, 7, 1000, SIZE_MAX };
static uint8_t plain[200000], packed[300000];
static struct bytes out;

static void a_frame_is_decoded(void **state)
{
	(void)state;
	size_t len;

	noise(plain, sizeof(plain), 1);
	len = compress(packed, sizeof(packed), plain, sizeof(plain), NULL, 0, 0);
	assert_true(len > sizeof(plain));
	for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
		assert_int_equal(decode(packed, len, pieces[i], NULL, 0, sizeof(plain), &out, NULL), FETCH_OK);
		assert_int_equal(out.n, sizeof(plain));
		assert_memory_equal(out.v, plain, out.n);
	}
	/* and one of nothing */
	len = compress(packed, sizeof(packed), "", 0, NULL, 0, 0);
	assert_int_equal(decode(packed, len, 1, NULL, 0, 1, &out, NULL), FETCH_OK);
	assert_int_equal(out.n, 0);
}

static void a_frame_needs_its_prefix(void **state)
{
	(void)state;
	uint8_t older[sizeof(plain) - 1000], other[sizeof(plain)];
	size_t len;

	noise(plain, sizeof(plain), 2);
	noise(other, sizeof(other), 3);
	/* all that is sent but its beginning stands in the prefix, and so need not come over */
	memcpy(older, plain + 1000, sizeof(older));
	len = compress(packed, sizeof(packed), plain, sizeof(plain), older, sizeof(older), 18);
	assert_in_range(len, 1000, 5000);
	for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
		size_t p = pieces[i], n = sizeof(plain);

		assert_int_equal(decode(packed, len, p, older, sizeof(older), n, &out, NULL), FETCH_OK);
		assert_int_equal(out.n, n);
		assert_memory_equal(out.v, plain, n);
		assert_int_equal(decode(packed, len, p, NULL, 0, n, &out, NULL), FETCH_CONTENT);
		assert_int_equal(decode(packed, len, p, other, sizeof(other), n, &out, NULL), FETCH_CONTENT);
		/* a part of it is not enough either */
		assert_int_equal(decode(packed, len, p, older, sizeof(older) - 1, n, &out, NULL), FETCH_CONTENT);
	}
}

static void a_bomb_ends_at_the_limit(void **state)
{
	(void)state;
	_cleanup_free_ uint8_t *zeros = calloc(1, 100u << 20);
	struct error err = { "" };
	size_t len;

	assert_non_null(zeros);
	len = compress(packed, sizeof(packed), zeros, 100u << 20, NULL, 0, 0);
	assert_true(len < 20000);
	for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
		assert_int_equal(decode(packed, len, pieces[i], NULL, 0, 250000, &out, &err), FETCH_CONTENT);
		assert_true(out.n <= 250000);
		assert_non_null(strstr(err.text, "larger"));
	}
	/* to the byte */
	len = compress(packed, sizeof(packed), zeros, 250000, NULL, 0, 0);
	assert_int_equal(decode(packed, len, 100, NULL, 0, 250000, &out, NULL), FETCH_OK);
	assert_int_equal(decode(packed, len, 100, NULL, 0, 249999, &out, NULL), FETCH_CONTENT);
}

static void exactly_one_whole_frame(void **state)
{
	(void)state;
	static const uint8_t skippable[] = { 0x50, 0x2a, 0x4d, 0x18, 1, 0, 0, 0, 'x' };
	static const uint8_t old_magic[] = { 0x27, 0xb5, 0x2f, 0xfd, 0, 0, 0, 0, 0 };
	size_t len, n = 5000;

	noise(plain, n, 4);
	len = compress(packed, sizeof(packed), plain, n, NULL, 0, 0);
	for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
		size_t p = pieces[i];

		assert_int_equal(decode(packed, len, p, NULL, 0, n, &out, NULL), FETCH_OK);
		for (size_t cut = 0; cut < len; cut += cut < 20 || cut + 20 > len ? 1 : 97)
			assert_int_equal(decode(packed, cut, p, NULL, 0, n, &out, NULL), FETCH_CONTENT);
		packed[len] = 0;
		assert_int_equal(decode(packed, len + 1, p, NULL, 0, n, &out, NULL), FETCH_CONTENT);
		memcpy(packed + len, packed, len);
		assert_int_equal(decode(packed, 2 * len, p, NULL, 0, 2 * n, &out, NULL), FETCH_CONTENT);
		memcpy(packed + len, skippable, sizeof(skippable));
		assert_int_equal(decode(packed, len + sizeof(skippable), p, NULL, 0, n, &out, NULL), FETCH_CONTENT);
		memmove(packed + len + sizeof(skippable), packed, len);
		assert_int_equal(decode(packed + len, len + sizeof(skippable), p, NULL, 0, n, &out, NULL),
				 FETCH_CONTENT);
		assert_int_equal(decode(old_magic, sizeof(old_magic), p, NULL, 0, n, &out, NULL), FETCH_CONTENT);
		assert_int_equal(decode("hello, world", 12, p, NULL, 0, n, &out, NULL), FETCH_CONTENT);
		/* the checksum is looked at */
		packed[len - 1] ^= 1;
		assert_int_equal(decode(packed, len, p, NULL, 0, n, &out, NULL), FETCH_CONTENT);
		packed[len - 1] ^= 1;
	}
}

/* A frame with one empty block that claims a window of 2^log bytes. */
static size_t with_window(uint8_t *p, unsigned int log)
{
	static const uint8_t head[] = { 0x28, 0xb5, 0x2f, 0xfd, 0x00 };

	memcpy(p, head, sizeof(head));
	p[5] = (uint8_t)((log - 10) << 3);
	memcpy(p + 6, "\x01\0\0", 3);
	return 9;
}

static void a_window_is_limited(void **state)
{
	(void)state;
	struct error err = { "" };
	size_t len = with_window(packed, FRAME_WINDOW_LOG);

	assert_int_equal(decode(packed, len, 1, NULL, 0, 1, &out, &err), FETCH_OK);
	len = with_window(packed, FRAME_WINDOW_LOG + 1);
	assert_int_equal(decode(packed, len, 1, NULL, 0, 1, &out, &err), FETCH_CONTENT);
}

/* Blocks of nothing, which cost the sender three bytes each, have an end too. */
static void what_comes_is_limited(void **state)
{
	(void)state;
	struct error err = { "" };
	size_t len = with_window(packed, 20) - 3;

	memset(packed + len, 0, sizeof(packed) - len);
	assert_int_equal(decode(packed, sizeof(packed), 1000, NULL, 0, 1000, &out, &err), FETCH_CONTENT);
	assert_non_null(strstr(err.text, "larger"));
	assert_int_equal(decode(packed, 4000, 1000, NULL, 0, 1000, &out, &err), FETCH_CONTENT);
	assert_null(strstr(err.text, "larger"));
}

/* ---- an answer ---- */

#define OK_HEAD "HTTP/1.1 200 OK\r\n\r\n"

/* What response_*() make of a head and a body; false if they stopped. */
static bool feed(struct response *a, const char *text, const char *body)
{
	while (*text) {
		size_t len = strcspn(text, "\n") + 1;

		if (!response_header(a, text, len))
			return false;
		text += len;
	}
	return !body || response_body(a, body, strlen(body));
}

static enum fetch_status get(const char *head_text, const char *body, uint64_t max)
{
	const struct sink to = { keep, &out, max };
	struct content c = content_of(NULL, &to);
	struct response a = response_to_get(&c);
	enum fetch_status st;

	out.n = 0;
	(void)feed(&a, head_text, body);
	st = response_end(&a);
	assert_int_equal(st == FETCH_OK, a.err.text[0] == '\0');
	assert_int_equal(a.line.len, 0);
	return st;
}

static void only_200_has_content(void **state)
{
	(void)state;
	static const struct {
		const char *head;
		enum fetch_status st;
	} others[] = {
		{ "HTTP/1.1 404 No\r\n\r\n", FETCH_NOT_FOUND },
		{ "HTTP/1.1 400 No\r\n\r\n", FETCH_REFUSED },
		{ "HTTP/1.1 499 No\r\n\r\n", FETCH_REFUSED },
		{ "HTTP/1.1 301 There\r\nLocation: http://192.0.2.1/\r\n\r\n", FETCH_OTHER_STATUS },
		{ "HTTP/1.1 201 Made\r\n\r\n", FETCH_OTHER_STATUS },
		{ "HTTP/1.1 206 Part\r\n\r\n", FETCH_OTHER_STATUS },
		{ "HTTP/1.1 500 No\r\n\r\n", FETCH_OTHER_STATUS },
		{ "HTTP/1.1 200 OK\r\n", FETCH_NO_ANSWER },
		{ "HTTP/1.1 100 Go on\r\n\r\n", FETCH_NO_ANSWER },
		{ "", FETCH_NO_ANSWER },
		{ "gopher\r\n\r\n", FETCH_CONTENT },
	};

	assert_int_equal(get(OK_HEAD, "hello", 5), FETCH_OK);
	assert_int_equal(out.n, 5);
	assert_int_equal(get(OK_HEAD, "hello", 4), FETCH_CONTENT);
	assert_int_equal(out.n, 0);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		assert_int_equal(get(others[i].head, NULL, 100), others[i].st);
		assert_int_equal(out.n, 0);
	}
	/* A body cannot be without a head. */
	assert_int_equal(get("", "hello", 5), FETCH_CONTENT);
	assert_int_equal(out.n, 0);
}

static void an_error_stops_before_the_body(void **state)
{
	(void)state;
	const struct sink to = { keep, &out, 100 };
	struct content c = content_of(NULL, &to);
	struct response a = response_to_get(&c);

	assert_false(feed(&a, "HTTP/1.1 404 No\r\n\r\n", NULL));
	assert_true(a.enough);
	a = response_to_get(&c);
	assert_true(feed(&a, OK_HEAD, NULL));
	/* what stands behind the content stops nothing */
	assert_true(feed(&a, "X: y\r\n\r\n", NULL));
	a = response_to_post();
	assert_true(feed(&a, "HTTP/1.1 404 No\r\n\r\n", NULL));
	assert_false(feed(&a, "", "why\nmore"));
	assert_true(a.enough);
	a = response_to_post();
	assert_false(feed(&a, "HTTP/1.1 503 Later\r\n\r\n", NULL));
}

static void post_is(const char *head_text, const char *body, enum fetch_status st, const char *line)
{
	struct response a = response_to_post();

	(void)feed(&a, head_text, body);
	assert_int_equal(response_end(&a), st);
	assert_int_equal(a.line.len, strlen(line));
	assert_memory_equal(a.line.text, line, a.line.len);
}

static void a_post_is_answered_by_a_line(void **state)
{
	(void)state;
	post_is(OK_HEAD, NULL, FETCH_OK, "");
	post_is(OK_HEAD, "taken\nand more", FETCH_OK, "taken\n");
	post_is("HTTP/1.1 409 No\r\n\r\n", "another relay's key", FETCH_REFUSED, "another relay's key\n");
	post_is("HTTP/1.1 404 No\r\n\r\n", "what?", FETCH_NOT_FOUND, "what?\n");
	post_is("HTTP/1.1 503 Later\r\n\r\n", "overloaded", FETCH_OTHER_STATUS, "");
	post_is("HTTP/1.1 302 There\r\n\r\n", "there", FETCH_OTHER_STATUS, "");
	post_is("HTTP/1.1 200 OK\r\n", NULL, FETCH_NO_ANSWER, "");
}

/* ---- sealed ---- */

static int try_mmap(int prot)
{
	void *p = mmap(NULL, 4096, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? -1 : 0;
}

#define TRIES(X)                                                                                                       \
	X(open("/dev/null", O_RDONLY))                                                                                 \
	X(socket(AF_INET, SOCK_STREAM, 0))                                                                             \
	X(socket(AF_UNIX, SOCK_STREAM, 0))                                                                             \
	X(connect(pair[0], (const struct sockaddr *)&nowhere, sizeof(nowhere)))                                        \
	X(sendto(pair[0], "x", 1, 0, (const struct sockaddr *)&nowhere, sizeof(nowhere)))                              \
	X(setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &one, sizeof(one)))                                               \
	X(kill(getppid(), 0))                                                                                          \
	X(fork())                                                                                                      \
	X(execl("/bin/true", "true", NULL))                                                                            \
	X(prctl(PR_SET_DUMPABLE, 1L))                                                                                  \
	X(fcntl(pair[0], F_SETOWN, getppid()))                                                                         \
	X(unlink("/nonexistent"))                                                                                      \
	X((int)syscall(SYS_process_vm_readv, getppid(), NULL, 0UL, NULL, 0UL, 0UL))                                    \
	X(try_mmap(PROT_READ | PROT_EXEC))

#define NAME(call) #call,
static const char *const try_names[] = { TRIES(NAME) };

/*
 * A bit for each call that did not fail with ENOSYS, which no kernel that we run on says of any of them: only the
 * filter does. As a child, which does nothing else any more.
 */
static uint32_t tried(void)
{
	const struct sockaddr_in nowhere = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	uint32_t passed = 0, bit = 1;
	const int one = 1;
	int pair[2], r;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0 || sandbox_seal() < 0)
		_exit(99);
#define TRY(call)                                                                                                      \
	errno = 0;                                                                                                     \
	r = (call);                                                                                                    \
	if (r >= 0 || errno != ENOSYS)                                                                                 \
		passed |= bit;                                                                                         \
	bit <<= 1;
	TRIES(TRY)
	/* what it needs works */
	if (send(pair[0], "x", 1, MSG_NOSIGNAL) != 1 || recv(pair[1], &r, 1, 0) != 1 ||
	    try_mmap(PROT_READ | PROT_WRITE) < 0)
		passed |= bit;
	return passed;
}

static void who_is_sealed_can_do_nothing_else(void **state)
{
	(void)state;
	uint32_t passed = UINT32_MAX;
	int p[2], status;
	pid_t pid;

	assert_int_equal(pipe(p), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (sandbox_drop() < 0)
			_exit(98);
		passed = tried();
		/* not _exit(), which the sanitizer does more in than is allowed now */
		syscall(SYS_exit_group, write(p[1], &passed, sizeof(passed)) == sizeof(passed) ? 0 : 97);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(read(p[0], &passed, sizeof(passed)), sizeof(passed));
	for (size_t i = 0; i < ARRAY_SIZE(try_names); i++)
		if (passed & UINT32_C(1) << i)
			fail_msg("possible: %s", try_names[i]);
	assert_int_equal(passed, 0);
	close(p[0]);
	close(p[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_url_has_an_address),
		cmocka_unit_test(other_urls_are_refused),
		cmocka_unit_test(a_connection_goes_where_the_url_says),
		cmocka_unit_test(options_say_what_to_do),
		cmocka_unit_test(wrong_options_are_refused),
		cmocka_unit_test(a_head_has_a_status),
		cmocka_unit_test(what_is_no_head_is_refused),
		cmocka_unit_test(heads_are_limited),
		cmocka_unit_test(a_line_cannot_harm_a_terminal),
		cmocka_unit_test(a_frame_is_decoded),
		cmocka_unit_test(a_frame_needs_its_prefix),
		cmocka_unit_test(a_bomb_ends_at_the_limit),
		cmocka_unit_test(exactly_one_whole_frame),
		cmocka_unit_test(a_window_is_limited),
		cmocka_unit_test(what_comes_is_limited),
		cmocka_unit_test(only_200_has_content),
		cmocka_unit_test(an_error_stops_before_the_body),
		cmocka_unit_test(a_post_is_answered_by_a_line),
		cmocka_unit_test(who_is_sealed_can_do_nothing_else),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
