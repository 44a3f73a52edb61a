/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fetch/response.h"

struct response response_to_get(struct content *content)
{
	return (struct response){ .content = content };
}

struct response response_to_post(void)
{
	return (struct response){ .content = NULL };
}

static enum fetch_status meaning(unsigned int status)
{
	if (status == 200)
		return FETCH_OK;
	if (status == 404)
		return FETCH_NOT_FOUND;
	return status >= 400 && status < 500 ? FETCH_REFUSED : FETCH_OTHER_STATUS;
}

/* Does the body say anything that we want? */
static bool body_counts(const struct response *a)
{
	enum fetch_status m = meaning(a->headers.status);

	return m == FETCH_OK || (!a->content && m != FETCH_OTHER_STATUS);
}

bool response_header(struct response *a, const char *line, size_t len)
{
	a->status = headers_line(&a->headers, line, len, &a->err);
	a->enough = a->headers.done && !body_counts(a);
	return a->status == FETCH_OK && !a->enough;
}

bool response_body(struct response *a, const void *data, size_t len)
{
	if (!a->headers.done)
		a->status = error_set(&a->err, FETCH_CONTENT, "content without a head");
	else if (a->content)
		a->status = content_take(a->content, data, len, &a->err);
	else
		line_take(&a->line, data, len);
	a->enough = a->line.done;
	return a->status == FETCH_OK && !a->enough;
}

enum fetch_status response_end(struct response *a)
{
	if (a->status != FETCH_OK)
		return a->status;
	line_end(&a->line);
	if (!a->headers.done)
		a->status = error_set(&a->err, FETCH_NO_ANSWER, "the answer ended before its content");
	else if (a->headers.status != 200)
		a->status = error_set(&a->err, meaning(a->headers.status), "HTTP status %u", a->headers.status);
	else if (a->content)
		a->status = content_end(a->content, &a->err);
	return a->status;
}
