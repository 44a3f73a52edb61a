/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dirauth/http.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "wire/dirhttp.h"

#define SILENCE_S 15u
#define MEMORY_BY_CONNECTION 16384u /* request line, headers, and what is on its way out */

struct http {
	struct ev_loop *loop;
	const struct http_ops *ops;
	void *ctx;
	struct gate *gate;
	struct MHD_Daemon *mhd;
	ev_io readable;
	ev_timer due;
};

/* Of one request. */
struct request {
	bool is_post;
	size_t len;
	char body[HTTP_POST_MAX + 1]; /* one more than it may have */
};

/* ---- answers ---- */

static enum MHD_Result queue(struct MHD_Connection *c, unsigned int status, struct MHD_Response *response)
{
	enum MHD_Result r;

	if (!response)
		return MHD_NO;
	r = MHD_queue_response(c, status, response);
	MHD_destroy_response(response);
	return r;
}

static enum MHD_Result say(struct MHD_Connection *c, unsigned int status, const char *line)
{
	char text[sizeof(struct error) + 1];
	int n = snprintf(text, sizeof(text), "%s\n", line);
	struct MHD_Response *r = MHD_create_response_from_buffer((size_t)n, text, MHD_RESPMEM_MUST_COPY);

	if (r)
		MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, "text/plain");
	return queue(c, status, r);
}

static void leave(void *page)
{
	page_leave(page);
}

static ssize_t read_page(void *page, uint64_t pos, char *buf, size_t max)
{
	const struct page *d = page;
	size_t n = d->len - (size_t)pos < max ? d->len - (size_t)pos : max;

	memcpy(buf, d->data + pos, n);
	return (ssize_t)n;
}

static enum MHD_Result hand_out(struct MHD_Connection *c, struct page *d)
{
	struct MHD_Response *r = MHD_create_response_from_callback(d->len, 4096, read_page, d, leave);
	char age[32];

	if (!r) {
		page_leave(d);
		return MHD_NO;
	}
	snprintf(age, sizeof(age), d->max_age ? "max-age=%u" : "no-store", d->max_age);
	MHD_add_response_header(r, MHD_HTTP_HEADER_CACHE_CONTROL, age);
	MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, d->zstd ? "application/zstd" : "text/plain");
	return queue(c, MHD_HTTP_OK, r);
}

/* ---- requests ---- */

/* All that is listened on is IPv6, also what takes IPv4. */
static bool address_in(const struct sockaddr *from, struct in6_addr *ret)
{
	if (!from || from->sa_family != AF_INET6)
		return false;
	*ret = ((const struct sockaddr_in6 *)(const void *)from)->sin6_addr;
	return true;
}

static bool address_of(struct MHD_Connection *c, struct in6_addr *ret)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CLIENT_ADDRESS);

	return info && address_in(info->client_addr, ret);
}

static enum MHD_Result posted(struct http *h, struct MHD_Connection *c, const struct request *q)
{
	struct error why = { "" };
	struct in6_addr from;
	unsigned int status;

	if (q->len > HTTP_POST_MAX)
		return say(c, MHD_HTTP_CONTENT_TOO_LARGE, "too large");
	if (!address_of(c, &from))
		return MHD_NO;
	status = h->ops->post(h->ctx, q->body, q->len, &from, &why);
	return say(c, status, why.text);
}

static void collect(struct request *q, const char *data, size_t len)
{
	size_t room = sizeof(q->body) - q->len;

	memcpy(q->body + q->len, data, len < room ? len : room);
	q->len += len < room ? len : room;
}

static enum MHD_Result get(struct http *h, struct MHD_Connection *c, const char *path)
{
	struct page *d = h->ops->get(h->ctx, path);

	return d ? hand_out(c, d) : say(c, MHD_HTTP_NOT_FOUND, "not found");
}

/* The first call of each request is for its headers alone. */
static enum MHD_Result begin(struct MHD_Connection *c, const char *path, const char *method, void **state)
{
	struct request *q;
	bool is_post = strcmp(method, MHD_HTTP_METHOD_POST) == 0;

	if (!is_post && strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
		return say(c, MHD_HTTP_METHOD_NOT_ALLOWED, "GET, HEAD or POST");
	if (is_post && strcmp(path, "descriptor") != 0)
		return say(c, MHD_HTTP_NOT_FOUND, "not found");
	q = malloc(sizeof(*q));
	if (!q)
		return MHD_NO;
	q->is_post = is_post;
	q->len = 0;
	*state = q;
	return MHD_YES;
}

static enum MHD_Result on_request(void *ctx, struct MHD_Connection *c, const char *url, const char *method,
				  const char *version, const char *data, size_t *len, void **state)
{
	struct request *q = *state;
	const char *path;

	(void)version;
	if (strncmp(url, DIRHTTP_ROOT, strlen(DIRHTTP_ROOT)) != 0)
		return say(c, MHD_HTTP_NOT_FOUND, "not found");
	path = url + strlen(DIRHTTP_ROOT);
	if (!q)
		return begin(c, path, method, state);
	if (*len > 0) {
		collect(q, data, *len);
		*len = 0;
		return MHD_YES;
	}
	return q->is_post ? posted(ctx, c, q) : get(ctx, c, path);
}

static void on_end(void *ctx, struct MHD_Connection *c, void **state, enum MHD_RequestTerminationCode why)
{
	(void)ctx;
	(void)c;
	(void)why;
	free(*state);
	*state = NULL;
}

/* ---- connections ---- */

static enum MHD_Result on_accept(void *ctx, const struct sockaddr *addr, socklen_t len)
{
	const struct http *h = ctx;
	struct in6_addr from;

	(void)len;
	return address_in(addr, &from) && gate_is_open(h->gate, &from) ? MHD_YES : MHD_NO;
}

/* *counted: not NULL if it was. */
static void on_connection(void *ctx, struct MHD_Connection *c, void **counted, enum MHD_ConnectionNotificationCode what)
{
	struct http *h = ctx;
	struct in6_addr from;

	if (!address_of(c, &from))
		return;
	if (what == MHD_CONNECTION_NOTIFY_STARTED)
		*counted = gate_enter(h->gate, &from) == 0 ? h : NULL;
	else if (*counted)
		gate_leave(h->gate, &from);
}

/* ---- in the event loop ---- */

static void run(struct http *h)
{
	MHD_UNSIGNED_LONG_LONG ms = 0;

	MHD_run(h->mhd);
	ev_timer_stop(h->loop, &h->due);
	if (MHD_get_timeout(h->mhd, &ms) != MHD_YES)
		return;
	ev_timer_set(&h->due, (double)ms / 1000., 0.);
	ev_timer_start(h->loop, &h->due);
}

static void on_readable(struct ev_loop *loop, ev_io *w, int events)
{
	(void)loop;
	(void)events;
	run(w->data);
}

static void on_due(struct ev_loop *loop, ev_timer *w, int events)
{
	(void)loop;
	(void)events;
	run(w->data);
}

int http_new(struct ev_loop *loop, int fd, const struct http_ops *ops, void *ctx, struct gate *gate, struct http **ret)
{
	struct http *h = calloc(1, sizeof(*h));
	const union MHD_DaemonInfo *info;

	if (!h)
		return -ENOMEM;
	*h = (struct http){ .loop = loop, .ops = ops, .ctx = ctx, .gate = gate };
	/* One more than ever gets in: at its own limit the library takes no connection, and the gate sees none. */
	h->mhd = MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_ITC, 0, on_accept, h, on_request, h, MHD_OPTION_LISTEN_SOCKET,
				  fd, MHD_OPTION_CONNECTION_LIMIT, GATE_MAX + 1, MHD_OPTION_CONNECTION_TIMEOUT,
				  SILENCE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MEMORY_BY_CONNECTION,
				  MHD_OPTION_NOTIFY_CONNECTION, on_connection, h, MHD_OPTION_NOTIFY_COMPLETED, on_end,
				  NULL, MHD_OPTION_END);
	info = h->mhd ? MHD_get_daemon_info(h->mhd, MHD_DAEMON_INFO_EPOLL_FD) : NULL;
	if (!info) {
		if (h->mhd)
			(void)MHD_quiesce_daemon(h->mhd); /* the socket is the caller's */
		http_free(h);
		return -ENOMEM;
	}
	ev_io_init(&h->readable, on_readable, info->epoll_fd, EV_READ);
	ev_timer_init(&h->due, on_due, 0., 0.);
	h->readable.data = h->due.data = h;
	ev_io_start(loop, &h->readable);
	*ret = h;
	return 0;
}

void http_free(struct http *h)
{
	if (!h)
		return;
	if (h->mhd)
		MHD_stop_daemon(h->mhd);
	if (ev_is_active(&h->readable))
		ev_io_stop(h->loop, &h->readable);
	ev_timer_stop(h->loop, &h->due);
	free(h);
}
