/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is taken of an answer while it comes, and what it all means. To a GET: the content, if the status is 200, and
 * nothing else. To a POST: the first line, if the status is 200 or 4xx.
 */
#pragma once

#include "fetch/content.h"
#include "fetch/headers.h"
#include "fetch/line.h"

struct response {
	struct content *content; /* not owned; NULL: the answer to a POST */
	struct headers headers;
	struct line line;	  /* to a POST */
	enum fetch_status status; /* what was found wrong first */
	struct error err;	  /* its reason */
	bool enough;		  /* the rest does not matter */
};

struct response response_to_get(struct content *content);
struct response response_to_post(void);
/* The next line of the head, the next piece of the body. False: stop, the verdict stands. */
bool response_header(struct response *a, const char *line, size_t len);
bool response_body(struct response *a, const void *data, size_t len);
/* What became of it, when no more comes because all is there or `enough` was; a->err has the reason. */
enum fetch_status response_end(struct response *a);
