/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One HTTP request of the directory, made by a process of its own, anon-fetch(8): so what comes from outside is
 * received and decompressed where there are neither privileges nor keys. It inherits nothing but its standard files
 * and the socket that it is given, if any.
 */
#pragma once

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>

#include "lib/fetch_status.h"
#include "request/child.h"

struct request_spec {
	const char *program; /* path; NULL: anon-fetch as it was installed, or built, beside this program */
	const char *url;     /* http://, an address */
	size_t max;	     /* bytes of the decoded content */
	bool zstd;	     /* what is there is compressed */
	bool post;	     /* input is posted; else, if there is some, it is the prefix (wire/dirhttp.h) */
	const void *input;
	size_t input_len;
	int socket;	    /* not connected, used for the connection; -1: none. Stays the caller's */
	const char *device; /* to leave by; NULL: any */
	unsigned int timeout_s;
};

struct request_result {
	enum fetch_status status;
	char *data; /* malloc, NUL-terminated, now the callee's; what was there when it failed too, or NULL */
	size_t len;
	const char *why; /* what anon-fetch said, a line of printable characters, or "" */
};
typedef void request_done(void *ctx, const struct request_result *r);

struct request;
/* Which program it is; configured: request_spec.program. -ENOENT: there is none that can be run; -ENAMETOOLONG. */
int request_program(const char *configured, char ret[CHILD_PATH_MAX]);
/*
 * done is called once, never from within, unless it is cancelled before. loop: not the default one of libev, which
 * takes the status of every child. Strings and input are not kept. -errno.
 */
int request_start(struct ev_loop *loop, const struct request_spec *spec, request_done *done, void *ctx,
		  struct request **ret);
void request_cancel(struct request *r); /* NULL is fine */
