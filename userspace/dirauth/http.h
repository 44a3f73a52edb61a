/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Serves documents (wire/dirhttp.h) by libmicrohttpd, in the event loop. What a client can take up is bounded: requests
 * of some kilobytes, connections (dirauth/gate.h), time without a word. Who asks for what is not written down anywhere.
 */
#pragma once

#include <ev.h>
#include <netinet/in.h>

#include "dirauth/gate.h"
#include "dirauth/shelf.h"
#include "lib/error.h"

#define HTTP_POST_MAX 8192u /* bytes: SERVER_DESCRIPTOR_MAX */

struct http_ops {
	/* A document with a use for the caller, or NULL. path: behind DIRHTTP_ROOT. */
	struct page *(*get)(void *ctx, const char *path);
	/* Of a posted descriptor: an HTTP status, and a line that says why. from: IPv4 mapped. */
	unsigned int (*post)(void *ctx, const char *text, size_t len, const struct in6_addr *from, struct error *why);
};

struct http;
/* fd: a listening socket, taken over unless it fails. ctx, ops and gate must outlive it. -errno. */
int http_new(struct ev_loop *loop, int fd, const struct http_ops *ops, void *ctx, struct gate *gate, struct http **ret);
void http_free(struct http *h); /* NULL is fine */
