/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "request/request.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/cleanup.h"
#include "request/child.h"

#define GRACE_S 5 /* beyond its own time-out */
#define ARGS_MAX 16
#define NUMBER_MAX 24

struct request {
	struct child *child;
	request_done *done;
	void *ctx;
};

struct command {
	const char *v[ARGS_MAX];
	size_t n;
	char program[CHILD_PATH_MAX], max[NUMBER_MAX], timeout[NUMBER_MAX];
};

static void add(struct command *c, const char *option, const char *value)
{
	c->v[c->n++] = option;
	if (value)
		c->v[c->n++] = value;
}

int request_program(const char *configured, char ret[CHILD_PATH_MAX])
{
	static const char *const beside[] = { "anon-fetch", "../lib/anond/anon-fetch", NULL };

	if (!configured)
		return child_find(beside, ret);
	if (snprintf(ret, CHILD_PATH_MAX, "%s", configured) >= (int)CHILD_PATH_MAX)
		return -ENAMETOOLONG;
	return access(ret, X_OK) < 0 ? -errno : 0;
}

static int command_of(const struct request_spec *s, struct command *c)
{
	int r = request_program(s->program, c->program);

	c->n = 0;
	snprintf(c->max, sizeof(c->max), "%zu", s->max);
	snprintf(c->timeout, sizeof(c->timeout), "%u", s->timeout_s);
	add(c, c->program, NULL);
	add(c, "--max", c->max);
	add(c, "--timeout", c->timeout);
	if (s->zstd)
		add(c, "--zstd", NULL);
	if (s->input)
		add(c, s->post ? "--post" : "--prefix", "/proc/self/fd/0");
	if (s->device)
		add(c, "--device", s->device);
	if (s->socket >= 0)
		add(c, "--socket", "3");
	add(c, s->url, NULL);
	c->v[c->n] = NULL;
	return r;
}

static enum fetch_status status_of(const struct child_result *r)
{
	switch (r->how) {
	case CHILD_TOO_MUCH:
		return FETCH_CONTENT;
	case CHILD_TOO_LATE:
		return FETCH_NO_ANSWER;
	case CHILD_EXITED:
		if (r->status >= FETCH_OK && r->status <= FETCH_INTERNAL)
			return (enum fetch_status)r->status;
		break;
	case CHILD_KILLED:
		break;
	}
	return FETCH_INTERNAL;
}

static void on_done(void *ctx, const struct child_result *r)
{
	struct request *q = ctx;
	const struct request_result result = { .status = status_of(r), .data = r->data, .len = r->len, .why = r->why };
	struct request held = *q;

	free(q);
	held.done(held.ctx, &result);
}

int request_start(struct ev_loop *loop, const struct request_spec *spec, request_done *done, void *ctx,
		  struct request **ret)
{
	_cleanup_free_ struct request *q = calloc(1, sizeof(*q));
	struct command c;
	struct child_spec child = { .argv = c.v,
				    .input = spec->input,
				    .input_len = spec->input_len,
				    .fd = spec->socket,
				    .max = spec->max,
				    .timeout_s = spec->timeout_s + GRACE_S };
	int r = q ? command_of(spec, &c) : -ENOMEM;

	if (r == 0) {
		*q = (struct request){ .done = done, .ctx = ctx };
		r = child_start(loop, &child, on_done, q, &q->child);
	}
	if (r < 0)
		return r;
	*ret = q;
	q = NULL;
	return 0;
}

void request_cancel(struct request *q)
{
	if (!q)
		return;
	child_cancel(q->child);
	free(q);
}
