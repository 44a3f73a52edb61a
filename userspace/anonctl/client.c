/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "anonctl/client.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/reply.h"

#define FIRST_BUFFER 4096u

struct conn {
	int fd;
	uint64_t deadline_ms; /* monotonic */
	char *buf;
	size_t len, cap;
	size_t used; /* of the line that was handed out last, newline included */
};

static void cleanup_conn(struct conn *c)
{
	if (c->fd >= 0)
		close(c->fd);
	free(c->buf);
}

static int open_socket(const char *path, struct conn *c, struct error *err)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	size_t len = strlen(path);

	if (len >= sizeof(sa.sun_path))
		return error_set(err, -ENAMETOOLONG, "%s: a socket's path has at most %zu bytes", path,
				 sizeof(sa.sun_path) - 1);
	memcpy(sa.sun_path, path, len + 1);
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		return error_set(err, -errno, "cannot make a socket: %s", strerror(errno));
	if (connect(c->fd, (struct sockaddr *)&sa, sizeof(sa)) == 0)
		return 0;
	if (errno == ENOENT || errno == ECONNREFUSED)
		return error_set(err, -ECONNREFUSED, "anond is not running: nothing listens at %s", path);
	if (errno == EACCES || errno == EPERM)
		return error_set(err, -EACCES, "you may not use %s: be root or in anond's group", path);
	return error_set(err, -errno, "%s: %s", path, strerror(errno));
}

/* 0 once fd is ready, -ETIMEDOUT, negative errno. */
static int wait_for(const struct conn *c, short events)
{
	struct pollfd p = { .fd = c->fd, .events = events };

	for (;;) {
		uint64_t now = clock_monotonic_ms();
		int n;

		if (now >= c->deadline_ms)
			return -ETIMEDOUT;
		n = poll(&p, 1, (int)(c->deadline_ms - now));
		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
	}
}

static int send_all(const struct conn *c, const char *text, size_t len)
{
	while (len > 0) {
		int r = wait_for(c, POLLOUT);
		ssize_t n;

		if (r < 0)
			return r;
		n = send(c->fd, text, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return -errno;
		if (n > 0) {
			text += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

static int send_request(const struct conn *c, const char *cmd, json_t *args)
{
	_cleanup_json_ json_t *req = json_pack("{s:s, s:O*}", "cmd", cmd, "args", args);
	_cleanup_free_ char *text = NULL, *line = NULL;
	int n;

	if (req)
		text = json_dumps(req, JSON_COMPACT);
	if (!text)
		return -ENOMEM;
	n = asprintf(&line, "%s\n", text);
	if (n < 0) {
		line = NULL;
		return -ENOMEM;
	}
	if ((size_t)n > REPLY_REQUEST_MAX)
		return -EMSGSIZE;
	return send_all(c, line, (size_t)n);
}

static int grow(struct conn *c)
{
	size_t cap = c->cap ? c->cap * 2 : FIRST_BUFFER;
	char *buf;

	if (c->len < c->cap)
		return 0;
	if (cap > REPLY_LINE_MAX)
		return -EBADMSG;
	buf = realloc(c->buf, cap);
	if (!buf)
		return -ENOMEM;
	c->buf = buf;
	c->cap = cap;
	return 0;
}

/* The next line, without its newline, valid until the next call. */
static int read_line(struct conn *c, const char **ret, size_t *ret_len)
{
	size_t seen = 0;

	if (c->used) /* buf may be NULL before the first byte */
		memmove(c->buf, c->buf + c->used, c->len - c->used);
	c->len -= c->used;
	c->used = 0;
	for (;;) {
		const char *end = c->len > seen ? memchr(c->buf + seen, '\n', c->len - seen) : NULL;
		ssize_t n;
		int r;

		if (end) {
			*ret = c->buf;
			*ret_len = (size_t)(end - c->buf);
			c->used = *ret_len + 1;
			return 0;
		}
		seen = c->len;
		r = grow(c);
		if (r == 0)
			r = wait_for(c, POLLIN);
		if (r < 0)
			return r;
		n = recv(c->fd, c->buf + c->len, c->cap - c->len, MSG_DONTWAIT);
		if (n == 0)
			return -ECONNRESET;
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return -errno;
		if (n > 0)
			c->len += (size_t)n;
	}
}

static int read_answer(struct conn *c, struct answer *ret)
{
	for (unsigned int i = 0; i <= REPLY_PROGRESS_MAX; i++) {
		struct answer a = { 0 };
		const char *line = NULL;
		size_t len = 0;
		int r = read_line(c, &line, &len);

		if (r == 0)
			r = answer_parse(line, len, &a);
		if (r < 0)
			return r;
		if (!answer_is_progress(&a)) {
			*ret = a;
			return 0;
		}
		json_decref(a.body);
	}
	return -EBADMSG;
}

int client_request(const char *socket_path, const char *cmd, json_t *args, unsigned int timeout_s, struct answer *ret,
		   struct error *err)
{
	_cleanup_(cleanup_conn) struct conn c = { .fd = -1 };
	int r = open_socket(socket_path, &c, err);

	if (r < 0)
		return r;
	c.deadline_ms = clock_monotonic_ms() + timeout_s * UINT64_C(1000);
	r = send_request(&c, cmd, args);
	if (r == -EMSGSIZE)
		return error_set(err, r, "the request is longer than %u bytes", REPLY_REQUEST_MAX);
	if (r == 0 || r == -EPIPE || r == -ECONNRESET) /* refused early: the answer may say why */
		r = read_answer(&c, ret);
	switch (r) {
	case 0:
		return 0;
	case -ETIMEDOUT:
		return error_set(err, r, "anond did not answer within %u seconds", timeout_s);
	case -EBADMSG:
		return error_set(err, r, "what answers at %s does not speak anond's protocol", socket_path);
	case -EPIPE:
	case -ECONNRESET:
		return error_set(err, -ECONNRESET, "anond closed the connection without an answer");
	default:
		return error_set(err, r, "%s: %s", socket_path, strerror(-r));
	}
}
