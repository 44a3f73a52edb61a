/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fetch/headers.h"

#include <string.h>
#include <strings.h>

#include "lib/cleanup.h"

#define STATUS_AT 9u /* in "HTTP/1.1 200 OK" */
#define STATUS_DIGITS 3u

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Of a first line; 0: it is none. */
static unsigned int status_of(const char *line, size_t len)
{
	const char *s = line + STATUS_AT;

	if (len < STATUS_AT + STATUS_DIGITS ||
	    (memcmp(line, "HTTP/1.0 ", STATUS_AT) != 0 && memcmp(line, "HTTP/1.1 ", STATUS_AT) != 0))
		return 0;
	if (len > STATUS_AT + STATUS_DIGITS && s[STATUS_DIGITS] != ' ')
		return 0;
	if (s[0] < '1' || s[0] > '5' || !is_digit(s[1]) || !is_digit(s[2]))
		return 0;
	return (unsigned int)(s[0] - '0') * 100 + (unsigned int)(s[1] - '0') * 10 + (unsigned int)(s[2] - '0');
}

static bool same_word(const char *p, size_t len, const char *word)
{
	return len == strlen(word) && strncasecmp(p, word, len) == 0;
}

/* Is it a field of that name that says something else than that word? */
static bool says_other(const char *line, size_t len, const char *name, const char *word)
{
	size_t n = strlen(name);

	if (len <= n || strncasecmp(line, name, n) != 0 || line[n] != ':')
		return false;
	for (line += n + 1, len -= n + 1; len > 0 && (*line == ' ' || *line == '\t'); line++)
		len--;
	while (len > 0 && (line[len - 1] == ' ' || line[len - 1] == '\t'))
		len--;
	return !same_word(line, len, word);
}

static enum fetch_status field(const char *line, size_t len, struct error *err)
{
	static const struct {
		const char *name, *word;
	} encodings[] = { { "Transfer-Encoding", "chunked" }, { "Content-Encoding", "identity" } };

	if (line[0] == ' ' || line[0] == '\t')
		return error_set(err, FETCH_CONTENT, "a header goes on in a second line");
	for (size_t i = 0; i < ARRAY_SIZE(encodings); i++)
		if (says_other(line, len, encodings[i].name, encodings[i].word))
			return error_set(err, FETCH_CONTENT, "%s is none that was asked for", encodings[i].name);
	return FETCH_OK;
}

enum fetch_status headers_line(struct headers *h, const char *line, size_t len, struct error *err)
{
	if (len > HEADERS_MAX - h->bytes)
		return error_set(err, FETCH_CONTENT, "headers of more than %u bytes", HEADERS_MAX);
	h->bytes += len;
	if (h->done)
		return FETCH_OK;
	if (len > 0 && line[len - 1] == '\n')
		len--;
	if (len > 0 && line[len - 1] == '\r')
		len--;
	if (h->status == 0) {
		h->status = status_of(line, len);
		if (h->status == 0 || h->status == 101)
			return error_set(err, FETCH_CONTENT, "not an HTTP/1.1 answer");
		return FETCH_OK;
	}
	if (len > 0)
		return field(line, len, err);
	/* Behind an interim answer comes another one. */
	if (h->status < 200)
		h->status = 0;
	else
		h->done = true;
	return FETCH_OK;
}
