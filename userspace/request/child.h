/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A process that does one thing and ends. It inherits nothing but its standard files and one descriptor, if it is given
 * one: no environment, no signal settings.
 */
#pragma once

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>

#define CHILD_WHY_MAX 200u

struct child_spec {
	const char *const *argv; /* argv[0]: its path; NULL at the end */
	const void *input;	 /* what its standard input has, as a file; NULL: nothing */
	size_t input_len;
	int fd;			/* its descriptor 3; -1: none. Stays the caller's */
	size_t max;		/* bytes of its standard output */
	unsigned int timeout_s; /* then it is killed */
};

struct child_result {
	enum { CHILD_EXITED, CHILD_KILLED, CHILD_TOO_LATE, CHILD_TOO_MUCH } how;
	int status; /* EXITED */
	char *data; /* its standard output: malloc, NUL-terminated, now the callee's; NULL: none */
	size_t len;
	char why[CHILD_WHY_MAX]; /* the first line of its standard error, as far as it is printable */
};
typedef void child_done(void *ctx, const struct child_result *r);

struct child;
/*
 * done is called once, never from within, unless it is cancelled before. loop: not the default one of libev, which
 * takes the status of every child. Strings and input are not kept. -errno.
 */
int child_start(struct ev_loop *loop, const struct child_spec *spec, child_done *done, void *ctx, struct child **ret);
void child_cancel(struct child *c); /* NULL is fine */

#define CHILD_PATH_MAX 4096u
/*
 * Where another program of ours is: beside this one as it is built, or as it was installed; beside: "anon-fetch" and
 * "../lib/anond/anon-fetch", say, NULL at the end. -ENOENT.
 */
int child_find(const char *const *beside, char ret[CHILD_PATH_MAX]);
