/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * HTTP/1.1 by libcurl: one connection, one request, one answer, and nothing of what else the library can. As soon as
 * the connection stands, before a byte is read, the process is sealed (fetch/sandbox.h).
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "fetch/response.h"
#include "fetch/url.h"

#define REQUEST_CONNECT_S 10L	 /* seconds until the connection stands */
#define REQUEST_SLOW_BYTES 1024L /* in a second, over */
#define REQUEST_SLOW_S 20L	 /* seconds: slower is given up */

struct request;

/*
 * The URL, and where url_parse() says it goes: nothing else is ever connected to. `post` is the content of a POST, or
 * NULL for a GET; an answer that says it has more than input_max bytes (0: any number) is not even begun. Nothing is
 * copied but the URL. FETCH_INTERNAL.
 */
enum fetch_status request_new(const char *url, const struct url *to, const void *post, size_t post_len,
			      uint64_t input_max, struct request **ret, struct error *err);
void request_free(struct request *r);
/*
 * By fd, a socket for it that is not connected, which is the library's from then on. What came is in the response; err
 * has the reason.
 */
enum fetch_status request_run(struct request *r, int fd, struct response *response, struct error *err);
