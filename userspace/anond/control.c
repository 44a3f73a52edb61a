/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "anond/control.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "lib/cleanup.h"
#include "lib/reply.h"

#define CONNS_MAX 64	      /* connections at once; more are closed at once */
#define REQUEST_MAX 65536     /* bytes of a request line */
#define REQUEST_TIMEOUT_S 10. /* for the whole request to arrive, and for an answer to be read */

struct control_conn {
	LIST_ENTRY(control_conn) entry;
	struct control *control;
	ev_io io;
	ev_timer timer;
	char *in;
	size_t n_in;
	char *out;
	size_t n_out, sent;
	bool waiting; /* the handler owes an answer */
};

struct control {
	struct ev_loop *loop;
	char *path;
	int fd;
	ev_io io;
	size_t n_conns;
	LIST_HEAD(control_conns, control_conn) conns;
	const struct control_ops *ops;
	void *ctx;
};

static void conn_free(struct control_conn *conn)
{
	struct control *c = conn->control;

	ev_io_stop(c->loop, &conn->io);
	ev_timer_stop(c->loop, &conn->timer);
	close(conn->io.fd);
	LIST_REMOVE(conn, entry);
	c->n_conns--;
	free(conn->in);
	free(conn->out);
	free(conn);
}

/* The peer is gone or too slow. */
static void conn_abort(struct control_conn *conn)
{
	if (conn->waiting)
		conn->control->ops->closed(conn->control->ctx, conn);
	conn_free(conn);
}

static void conn_flush(struct control_conn *conn)
{
	while (conn->sent < conn->n_out) {
		ssize_t n = send(conn->io.fd, conn->out + conn->sent, conn->n_out - conn->sent,
				 MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0)
			break;
		conn->sent += (size_t)n;
	}
	conn_free(conn);
}

void control_reply(struct control_conn *conn, int code, json_t *body)
{
	struct control *c = conn->control;
	_cleanup_free_ char *text = body ? json_dumps(body, JSON_COMPACT | JSON_REAL_PRECISION(6)) : strdup("{}");
	int n = text ? asprintf(&conn->out, "%d %s\n", code, text) : -1;

	json_decref(body);
	conn->waiting = false;
	if (n < 0) {
		conn->out = NULL;
		conn_free(conn);
		return;
	}
	conn->n_out = (size_t)n;
	ev_io_stop(c->loop, &conn->io);
	ev_io_set(&conn->io, conn->io.fd, EV_WRITE);
	ev_io_start(c->loop, &conn->io);
	ev_timer_again(c->loop, &conn->timer);
}

void control_error(struct control_conn *conn, int code, const char *fmt, ...)
{
	char *sentence = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&sentence, fmt, ap) < 0)
		sentence = NULL;
	va_end(ap);
	control_reply(conn, code, json_pack("{s:s}", "error", sentence ? sentence : "out of memory"));
	free(sentence);
}

static void conn_request(struct control_conn *conn, size_t len)
{
	json_error_t err;
	json_t *req = json_loadb(conn->in, len, JSON_REJECT_DUPLICATES, &err);
	const char *cmd = json_string_value(json_object_get(req, "cmd"));
	json_t *args = json_object_get(req, "args");

	ev_timer_stop(conn->control->loop, &conn->timer);
	conn->waiting = true;
	if (!json_is_object(req))
		control_error(conn, REPLY_MALFORMED, "the request is no JSON object: %s (column %d)", err.text,
			      err.column);
	else if (!cmd)
		control_error(conn, REPLY_MALFORMED, "cmd: missing or not a string");
	else if (args && !json_is_object(args))
		control_error(conn, REPLY_MALFORMED, "args: not an object");
	else
		conn->control->ops->request(conn->control->ctx, conn, cmd, args);
	json_decref(req);
}

static void conn_read(struct control_conn *conn)
{
	char rest[256];
	ssize_t n;
	char *end;

	if (conn->waiting) { /* nothing more is expected: only the end of the connection */
		n = recv(conn->io.fd, rest, sizeof(rest), MSG_DONTWAIT);
		if (n >= 0 || (errno != EAGAIN && errno != EINTR))
			conn_abort(conn);
		return;
	}
	n = recv(conn->io.fd, conn->in + conn->n_in, REQUEST_MAX - conn->n_in, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		conn_abort(conn);
		return;
	}
	end = memchr(conn->in + conn->n_in, '\n', (size_t)n);
	conn->n_in += (size_t)n;
	if (end) {
		conn_request(conn, (size_t)(end - conn->in));
	} else if (conn->n_in == REQUEST_MAX) {
		conn->waiting = true;
		control_error(conn, REPLY_MALFORMED, "the request is longer than %d bytes", REQUEST_MAX);
	}
}

static void on_conn_io(struct ev_loop *loop, ev_io *w, int events)
{
	struct control_conn *conn = w->data;

	(void)loop;
	if (events & EV_WRITE)
		conn_flush(conn);
	else
		conn_read(conn);
}

static void on_conn_timeout(struct ev_loop *loop, ev_timer *w, int events)
{
	(void)loop;
	(void)events;
	conn_abort(w->data);
}

static int conn_new(struct control *c, int fd)
{
	struct control_conn *conn = calloc(1, sizeof(*conn));

	if (!conn)
		return -ENOMEM;
	conn->in = malloc(REQUEST_MAX);
	if (!conn->in) {
		free(conn);
		return -ENOMEM;
	}
	conn->control = c;
	ev_io_init(&conn->io, on_conn_io, fd, EV_READ);
	ev_init(&conn->timer, on_conn_timeout);
	conn->timer.repeat = REQUEST_TIMEOUT_S;
	conn->io.data = conn->timer.data = conn;
	ev_io_start(c->loop, &conn->io);
	ev_timer_again(c->loop, &conn->timer);
	LIST_INSERT_HEAD(&c->conns, conn, entry);
	c->n_conns++;
	return 0;
}

static void on_accept(struct ev_loop *loop, ev_io *w, int events)
{
	struct control *c = w->data;
	int fd = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)loop;
	(void)events;
	if (fd >= 0 && (c->n_conns >= CONNS_MAX || conn_new(c, fd) < 0))
		close(fd);
}

static int listen_at(struct control *c)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };

	if ((size_t)snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", c->path) >= sizeof(sa.sun_path))
		return -ENAMETOOLONG;
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (c->fd < 0)
		return -errno;
	unlink(c->path);
	mode_t before = umask(0117);
	int r = bind(c->fd, (struct sockaddr *)&sa, sizeof(sa));

	umask(before);
	return r < 0 || listen(c->fd, 16) < 0 ? -errno : 0;
}

int control_new(struct ev_loop *loop, const char *path, const struct control_ops *ops, void *ctx, struct control **ret)
{
	struct control *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return -ENOMEM;
	c->loop = loop;
	c->ops = ops;
	c->ctx = ctx;
	c->fd = -1;
	LIST_INIT(&c->conns);
	ev_io_init(&c->io, on_accept, -1, EV_READ);
	c->path = strdup(path);
	r = c->path ? listen_at(c) : -ENOMEM;
	if (r < 0) {
		control_free(c);
		return r;
	}
	ev_io_set(&c->io, c->fd, EV_READ);
	c->io.data = c;
	ev_io_start(loop, &c->io);
	*ret = c;
	return 0;
}

void control_free(struct control *c)
{
	if (!c)
		return;
	while (!LIST_EMPTY(&c->conns))
		conn_abort(LIST_FIRST(&c->conns));
	ev_io_stop(c->loop, &c->io);
	if (c->fd >= 0) {
		close(c->fd);
		unlink(c->path);
	}
	free(c->path);
	free(c);
}
