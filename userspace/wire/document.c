/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "wire/document.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "crypto/sign.h"
#include "lib/base64.h"

struct document_reader document_reader_of(const void *text, size_t len)
{
	return (struct document_reader){ .s = text, .end = (const char *)text + len, .number = 1 };
}

static size_t keyword_length(const char *s, const char *end)
{
	const char *p = s;

	while (p < end && ((*p >= 'a' && *p <= 'z') || (p > s && ((*p >= '0' && *p <= '9') || *p == '-'))))
		p++;
	return (size_t)(p - s);
}

/* Words, each with one space before it. */
static bool words_valid(const char *s, const char *end)
{
	bool space = false;

	if (s < end && *s != ' ')
		return false;
	for (; s < end; s++) {
		if (*s < ' ' || *s > '~' || (space && *s == ' '))
			return false;
		space = *s == ' ';
	}
	return !space;
}

int document_peek(const struct document_reader *r, struct document_line *ret, struct error *err)
{
	size_t left = (size_t)(r->end - r->s), max = left < DOCUMENT_LINE_MAX ? left : DOCUMENT_LINE_MAX, len;
	const char *lf;

	if (left == 0)
		return 0;
	lf = memchr(r->s, '\n', max);
	if (!lf)
		return left < DOCUMENT_LINE_MAX
			       ? error_set(err, -EINVAL, "line %u: it does not end", r->number)
			       : error_set(err, -EINVAL, "line %u: longer than %u bytes", r->number, DOCUMENT_LINE_MAX);
	len = keyword_length(r->s, lf);
	if (len == 0 || len > DOCUMENT_KEYWORD_MAX || !words_valid(r->s + len, lf))
		return error_set(err, -EINVAL, "line %u: not a keyword and words with one space before each",
				 r->number);
	*ret = (struct document_line){ .number = r->number,
				       .keyword = { r->s, len },
				       .whole = { r->s, (size_t)(lf + 1 - r->s) },
				       .words = { r->s + len, lf } };
	return 1;
}

void document_skip(struct document_reader *r, const struct document_line *line)
{
	r->s = line->whole.s + line->whole.len;
	r->number = line->number + 1;
}

bool document_is(const struct document_line *line, const char *keyword)
{
	size_t len = strlen(keyword);

	return line->keyword.len == len && memcmp(line->keyword.s, keyword, len) == 0;
}

bool document_is_any(const struct document_line *line, const char *const *keywords)
{
	for (; *keywords; keywords++)
		if (document_is(line, *keywords))
			return true;
	return false;
}

bool document_word(struct document_words *w, struct document_text *ret)
{
	const char *s = w->s + 1, *end;

	if (w->s == w->end)
		return false;
	end = memchr(s, ' ', (size_t)(w->end - s));
	w->s = end ? end : w->end;
	*ret = (struct document_text){ s, (size_t)(w->s - s) };
	return true;
}

static int take(struct document_words *w, struct document_text *ret, struct error *err)
{
	return document_word(w, ret) ? 0 : error_set(err, -EINVAL, "a word lacks");
}

int document_number(struct document_words *w, uint64_t min, uint64_t max, uint64_t *ret, struct error *err)
{
	struct document_text t;
	uint64_t v = 0;
	bool good;
	int r = take(w, &t, err);

	if (r < 0)
		return r;
	good = t.len == 1 || t.s[0] != '0';
	for (size_t i = 0; i < t.len && good; i++) {
		uint64_t digit = (uint64_t)(unsigned char)t.s[i] - '0';

		good = digit <= 9 && v <= (UINT64_MAX - digit) / 10;
		v = v * 10 + digit;
	}
	if (!good || v < min || v > max)
		return error_set(err, -EINVAL, "not a number from %ju to %ju", (uintmax_t)min, (uintmax_t)max);
	*ret = v;
	return 0;
}

int document_bytes(struct document_words *w, uint8_t *ret, size_t len, struct error *err)
{
	struct document_text t;
	int r = take(w, &t, err);

	if (r < 0)
		return r;
	return base64_parse(t.s, t.len, ret, len) < 0 ? error_set(err, -EINVAL, "not %zu bytes in base64", len) : 0;
}

int document_string(struct document_words *w, char *ret, size_t cap, struct error *err)
{
	struct document_text t;
	int r = take(w, &t, err);

	if (r < 0)
		return r;
	if (t.len >= cap)
		return error_set(err, -EINVAL, "longer than %zu characters", cap - 1);
	memcpy(ret, t.s, t.len);
	memset(ret + t.len, 0, cap - t.len);
	return 0;
}

int document_begin(struct document_reader *r, const char *kind, uint64_t version, struct error *err)
{
	struct document_line line;
	char keyword[DOCUMENT_KEYWORD_MAX + 1];
	uint64_t has = 0;
	int e = document_peek(r, &line, err);

	if (e < 0)
		return e;
	snprintf(keyword, sizeof(keyword), "anond-%s", kind);
	if (e == 0 || !document_is(&line, keyword))
		return error_set(err, -EINVAL, "line 1: not a document of kind %s", kind);
	e = document_number(&line.words, 0, UINT64_MAX, &has, err);
	if (e < 0)
		return error_prefix(err, e, "line 1: version");
	if (line.words.s != line.words.end)
		return error_set(err, -EINVAL, "line 1: more than a version");
	if (has != version)
		return error_set(err, -EPROTONOSUPPORT, "line 1: version: this program reads %ju, not %ju",
				 (uintmax_t)version, (uintmax_t)has);
	document_skip(r, &line);
	return 0;
}

static int take_field(const struct document_field *f, struct document_line *line, void *ctx, struct error *err)
{
	int r = f->take ? f->take(ctx, &line->words, err) : 0;

	if (r == 0 && line->words.s != line->words.end)
		r = error_set(err, -EINVAL, "more words than it has");
	return r < 0 ? error_prefix(err, r, "line %u: %s", line->number, f->keyword) : 0;
}

/* Those from *next on up to, not including, `to` must be optional. */
static int pass(const struct document_field *fields, size_t *next, size_t to, unsigned int line, struct error *err)
{
	for (; *next < to; (*next)++)
		if (!fields[*next].optional)
			return error_set(err, -EINVAL, "line %u: %s: it lacks before this line", line,
					 fields[*next].keyword);
	return 0;
}

static int known(struct document_line *line, const struct document_field *fields, size_t n, size_t *next, void *ctx,
		 struct error *err)
{
	size_t k = 0;
	int r;

	while (k < n && !document_is(line, fields[k].keyword))
		k++;
	if (k == n)
		return 0;
	if (k < *next)
		return error_set(err, -EINVAL, "line %u: %s: it stands twice, or not in its order", line->number,
				 fields[k].keyword);
	r = pass(fields, next, k, line->number, err);
	if (r == 0)
		r = take_field(&fields[k], line, ctx, err);
	(*next)++;
	return r;
}

int document_section(struct document_reader *r, const struct document_field *fields, size_t n_fields,
		     const char *const *stops, void *ctx, struct error *err)
{
	struct document_line line;
	size_t next = 0;
	int e;

	while ((e = document_peek(r, &line, err)) > 0) {
		bool begins = next == 0 && document_is(&line, fields[0].keyword);

		if (!begins && document_is_any(&line, stops))
			break;
		e = known(&line, fields, n_fields, &next, ctx, err);
		if (e < 0)
			return e;
		document_skip(r, &line);
	}
	return e < 0 ? e : pass(fields, &next, n_fields, r->number, err);
}

void document_put_bytes(FILE *f, const uint8_t *bytes, size_t len)
{
	char text[BASE64_LEN(64)];

	base64_write(bytes, len, text);
	fprintf(f, " %s", text);
}

int document_end_signed(struct document_reader *r, const char *text, const uint8_t key[32], struct error *err)
{
	uint8_t sig[crypto_sign_BYTES];
	struct document_line line;
	int e = document_peek(r, &line, err);

	if (e < 0)
		return e;
	if (e == 0 || !document_is(&line, "signature"))
		return error_set(err, -EINVAL, "line %u: signature: it lacks", r->number);
	e = document_bytes(&line.words, sig, sizeof(sig), err);
	if (e < 0)
		return error_prefix(err, e, "line %u: signature", line.number);
	document_skip(r, &line);
	if (line.words.s != line.words.end || r->s != r->end)
		return error_set(err, -EINVAL, "line %u: signature: something follows", line.number);
	if (crypto_sign_verify_detached(sig, (const uint8_t *)text, (size_t)(line.whole.s - text), key) != 0)
		return error_set(err, -EKEYREJECTED, "line %u: signature: by another key, or of another text",
				 line.number);
	return 0;
}

int document_close_signed(FILE *f, char **text, const size_t *len, const uint8_t seed[32], struct error *err)
{
	uint8_t key[32], sig[64];
	bool bad = fflush(f) != 0;

	if (!bad) {
		sign_with_seed(*text, *len, seed, key, sig);
		fputs("signature", f);
		document_put_bytes(f, sig, sizeof(sig));
		fputc('\n', f);
	}
	bad |= ferror(f) != 0;
	return fclose(f) != 0 || bad ? error_set(err, -ENOMEM, "out of memory") : 0;
}
