/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ike/vici_conn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define BUFFER_MIN 16384 /* bytes; grows to the packet that needs more, and shrinks again */
#define READS_AT_ONCE 16 /* reads before other watchers get their turn */
#define PART_EVENT "list-sa"

/* A packet on its way out. */
struct outgoing {
	struct outgoing *next;
	struct vici_msg *msg;
	const uint8_t *p; /* what remains of it */
	size_t len;
};

struct command {
	struct command *next;
	struct outgoing *out; /* until it leaves the queue */
	double timeout;
	vici_part_fn part;
	vici_done_fn done;
	void *ctx;
};

struct channel {
	struct vici_conn *conn;
	int fd; /* -1 while down */
	ev_io io;
	uint8_t *in;
	size_t in_len, in_cap;
	struct outgoing *out;
	unsigned int unconfirmed; /* (un)registrations that charon has not answered */
};

struct vici_conn {
	struct ev_loop *loop;
	struct sockaddr_un addr;
	const struct vici_conn_ops *ops;
	void *ctx;

	enum { CONN_DOWN, CONN_HANDSHAKE, CONN_READY } state;
	struct channel commands, events;
	ev_timer timer;	 /* DOWN: try again; HANDSHAKE: give up; READY: the command in flight */
	double pause;	 /* before the next attempt, seconds */
	bool loss_known; /* ops->lost was called for the present outage */

	struct command *queue; /* the first one is in flight if in_flight */
	unsigned int n_queue;
	bool in_flight;

	char subscribed[VICI_EVENTS_MAX][VICI_NAME_MAX + 1];
	unsigned int n_subscribed;
};

static void outgoing_free(struct outgoing *o)
{
	if (!o)
		return;
	vici_msg_free(o->msg);
	free(o);
}

static void cleanup_outgoing(struct outgoing **o)
{
	outgoing_free(*o);
}

/* Consumes msg. */
static int outgoing_new(struct vici_msg *msg, struct outgoing **ret_out)
{
	_cleanup_(cleanup_outgoing) struct outgoing *o = calloc(1, sizeof(*o));
	int r;

	if (!o) {
		vici_msg_free(msg);
		return -ENOMEM;
	}
	o->msg = msg;
	r = msg ? vici_msg_finish(msg, &o->p, &o->len) : -ENOMEM;
	if (r < 0)
		return r;
	*ret_out = o;
	o = NULL;
	return 0;
}

static void command_free(struct command *cmd)
{
	outgoing_free(cmd->out);
	free(cmd);
}

static void channel_watch(struct channel *ch)
{
	int events = EV_READ | (ch->out ? EV_WRITE : 0);

	if (ev_is_active(&ch->io) && ch->io.events == events)
		return;
	ev_io_stop(ch->conn->loop, &ch->io);
	ev_io_set(&ch->io, ch->fd, events);
	ev_io_start(ch->conn->loop, &ch->io);
}

static void channel_send(struct channel *ch, struct outgoing *o)
{
	struct outgoing **tail = &ch->out;

	while (*tail)
		tail = &(*tail)->next;
	*tail = o;
	channel_watch(ch);
}

static int channel_register(struct channel *ch, const char *event, bool on)
{
	struct outgoing *o;
	int r = outgoing_new(vici_msg_new(on ? VICI_EVENT_REGISTER : VICI_EVENT_UNREGISTER, event, false), &o);

	if (r < 0)
		return r;
	ch->unconfirmed++;
	channel_send(ch, o);
	return 0;
}

static void channel_close(struct channel *ch)
{
	struct outgoing *o;

	ev_io_stop(ch->conn->loop, &ch->io);
	if (ch->fd >= 0)
		close(ch->fd);
	ch->fd = -1;
	while ((o = ch->out)) {
		ch->out = o->next;
		outgoing_free(o);
	}
	free(ch->in);
	ch->in = NULL;
	ch->in_len = ch->in_cap = 0;
	ch->unconfirmed = 0;
}

static int channel_open(struct channel *ch)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	/* A Unix stream socket connects at once or not at all (EAGAIN: the backlog is full). */
	if (connect(fd, (const struct sockaddr *)&ch->conn->addr, sizeof(ch->conn->addr)) < 0) {
		int r = -errno;

		close(fd);
		return r;
	}
	ch->fd = fd;
	channel_watch(ch);
	return 0;
}

static void timer_set(struct vici_conn *c, double after)
{
	ev_timer_stop(c->loop, &c->timer);
	ev_timer_set(&c->timer, after, 0.);
	ev_timer_start(c->loop, &c->timer);
}

static void queue_fail(struct vici_conn *c, int error)
{
	struct command *queue = c->queue;

	c->queue = NULL;
	c->n_queue = 0;
	c->in_flight = false;
	while (queue) {
		struct command *cmd = queue;

		queue = cmd->next;
		if (cmd->done)
			cmd->done(cmd->ctx, error, NULL);
		command_free(cmd);
	}
}

/* Drop both sockets, tell everybody, try again later. Nothing of a channel may be touched after this. */
static void conn_fail(struct vici_conn *c, int error)
{
	channel_close(&c->commands);
	channel_close(&c->events);
	c->state = CONN_DOWN;
	timer_set(c, c->pause);
	c->pause = c->pause * 2 < VICI_RETRY_MAX_S ? c->pause * 2 : VICI_RETRY_MAX_S;
	queue_fail(c, error);
	if (!c->loss_known) {
		c->loss_known = true;
		c->ops->lost(c->ctx, error);
	}
}

static void conn_start(struct vici_conn *c)
{
	int r = channel_open(&c->commands);

	if (r == 0)
		r = channel_open(&c->events);
	if (r == 0)
		r = channel_register(&c->commands, PART_EVENT, true);
	for (unsigned int i = 0; r == 0 && i < c->n_subscribed; i++)
		r = channel_register(&c->events, c->subscribed[i], true);
	if (r < 0) {
		conn_fail(c, r);
		return;
	}
	c->state = CONN_HANDSHAKE;
	timer_set(c, VICI_HANDSHAKE_TIMEOUT_S);
}

static void next_command(struct vici_conn *c)
{
	struct command *cmd = c->queue;

	if (c->state != CONN_READY || c->in_flight)
		return;
	if (!cmd) {
		ev_timer_stop(c->loop, &c->timer);
		return;
	}
	c->in_flight = true;
	channel_send(&c->commands, cmd->out);
	cmd->out = NULL;
	timer_set(c, cmd->timeout);
}

static void on_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct vici_conn *c = w->data;

	(void)loop;
	(void)revents;
	if (c->state == CONN_DOWN)
		conn_start(c);
	else
		conn_fail(c, -ETIMEDOUT);
}

/* The answer to the command in flight. */
static int on_answer(struct vici_conn *c, const struct vici_packet *packet)
{
	struct command *cmd = c->queue;
	bool known = packet->type == VICI_CMD_RESPONSE;

	if (!c->in_flight)
		return -EPROTO;
	c->queue = cmd->next;
	c->n_queue--;
	c->in_flight = false;
	if (cmd->done)
		cmd->done(cmd->ctx, known ? 0 : -EOPNOTSUPP, known ? &packet->message : NULL);
	command_free(cmd);
	next_command(c);
	return 0;
}

static int on_confirm(struct channel *ch)
{
	struct vici_conn *c = ch->conn;

	if (ch->unconfirmed == 0)
		return -EPROTO;
	ch->unconfirmed--;
	if (c->state != CONN_HANDSHAKE || c->commands.unconfirmed > 0 || c->events.unconfirmed > 0)
		return 0;
	c->state = CONN_READY;
	c->pause = VICI_RETRY_MIN_S;
	c->loss_known = false;
	ev_timer_stop(c->loop, &c->timer);
	c->ops->ready(c->ctx);
	return 0;
}

static int on_packet(struct channel *ch, const struct vici_packet *packet)
{
	struct vici_conn *c = ch->conn;

	switch (packet->type) {
	case VICI_CMD_RESPONSE:
	case VICI_CMD_UNKNOWN:
		return ch == &c->commands ? on_answer(c, packet) : -EPROTO;
	case VICI_EVENT_CONFIRM:
	case VICI_EVENT_UNKNOWN:
		return on_confirm(ch);
	case VICI_EVENT:
		if (ch == &c->events)
			c->ops->event(c->ctx, packet->name, &packet->message);
		else if (c->in_flight && c->queue->part && strcmp(packet->name, PART_EVENT) == 0)
			c->queue->part(c->queue->ctx, &packet->message);
		return 0;
	default: /* requests are ours to make */
		return -EPROTO;
	}
}

/* Make the buffer as large as the packet at its start needs, no larger than usual otherwise. */
static int channel_fit(struct channel *ch)
{
	size_t cap = BUFFER_MIN, len;
	uint8_t *in;
	int r;

	if (ch->in_len >= VICI_HEADER_LEN) {
		r = vici_header_parse(ch->in, &len);
		if (r < 0)
			return r;
		if (VICI_HEADER_LEN + len > cap)
			cap = VICI_HEADER_LEN + len;
	}
	if (cap == ch->in_cap || cap < ch->in_len)
		return 0;
	in = realloc(ch->in, cap);
	if (!in)
		return -ENOMEM;
	ch->in = in;
	ch->in_cap = cap;
	return 0;
}

/* Hand out the whole packets in the buffer and keep the rest. */
static int channel_consume(struct channel *ch)
{
	size_t used = 0, len;
	int r = 0;

	while (ch->in_len - used >= VICI_HEADER_LEN) {
		struct vici_packet packet;

		r = vici_header_parse(ch->in + used, &len);
		if (r < 0)
			return r;
		if (ch->in_len - used - VICI_HEADER_LEN < len)
			break;
		r = vici_packet_parse(ch->in + used + VICI_HEADER_LEN, len, &packet);
		if (r == 0)
			r = on_packet(ch, &packet);
		if (r < 0)
			return r;
		used += VICI_HEADER_LEN + len;
	}
	memmove(ch->in, ch->in + used, ch->in_len - used);
	ch->in_len -= used;
	return 0;
}

static int channel_read(struct channel *ch)
{
	for (unsigned int i = 0; i < READS_AT_ONCE; i++) {
		ssize_t n;
		int r = channel_fit(ch);

		if (r < 0)
			return r;
		n = recv(ch->fd, ch->in + ch->in_len, ch->in_cap - ch->in_len, 0);
		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -errno;
		if (n == 0)
			return -ECONNRESET;
		ch->in_len += (size_t)n;
		r = channel_consume(ch);
		if (r < 0)
			return r;
	}
	return 0;
}

static int channel_write(struct channel *ch)
{
	while (ch->out) {
		struct outgoing *o = ch->out;
		ssize_t n = send(ch->fd, o->p, o->len, MSG_NOSIGNAL);

		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -errno;
		o->p += n;
		o->len -= (size_t)n;
		if (o->len > 0)
			return 0;
		ch->out = o->next;
		outgoing_free(o);
	}
	channel_watch(ch);
	return 0;
}

static void on_io(struct ev_loop *loop, ev_io *w, int revents)
{
	struct channel *ch = w->data;
	int r = 0;

	(void)loop;
	if (revents & EV_WRITE)
		r = channel_write(ch);
	if (r == 0 && revents & EV_READ)
		r = channel_read(ch);
	if (r < 0)
		conn_fail(ch->conn, r);
}

static void channel_init(struct channel *ch, struct vici_conn *c)
{
	ch->conn = c;
	ch->fd = -1;
	ev_io_init(&ch->io, on_io, -1, EV_READ);
	ch->io.data = ch;
}

int vici_conn_new(struct ev_loop *loop, const char *path, const struct vici_conn_ops *ops, void *ctx,
		  struct vici_conn **ret_conn)
{
	struct vici_conn *c;

	if (strlen(path) >= sizeof(c->addr.sun_path))
		return -ENAMETOOLONG;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->loop = loop;
	c->addr.sun_family = AF_UNIX;
	memcpy(c->addr.sun_path, path, strlen(path));
	c->ops = ops;
	c->ctx = ctx;
	c->pause = VICI_RETRY_MIN_S;
	channel_init(&c->commands, c);
	channel_init(&c->events, c);
	ev_timer_init(&c->timer, on_timer, 0., 0.);
	c->timer.data = c;
	/* From the loop, so that the caller may subscribe first and no callback comes from within this call. */
	timer_set(c, 0.);
	*ret_conn = c;
	return 0;
}

void vici_conn_free(struct vici_conn *c)
{
	if (!c)
		return;
	channel_close(&c->commands);
	channel_close(&c->events);
	ev_timer_stop(c->loop, &c->timer);
	c->state = CONN_DOWN;
	queue_fail(c, -ECANCELED);
	free(c);
}

bool vici_conn_is_ready(const struct vici_conn *c)
{
	return c->state == CONN_READY;
}

int vici_conn_call(struct vici_conn *c, struct vici_msg *msg, double timeout, vici_part_fn part, vici_done_fn done,
		   void *ctx)
{
	struct command *cmd, **tail = &c->queue;
	struct outgoing *out;
	int r;

	if (c->state != CONN_READY || c->n_queue >= VICI_QUEUE_MAX) {
		vici_msg_free(msg);
		return c->state != CONN_READY ? -ENOTCONN : -EBUSY;
	}
	r = outgoing_new(msg, &out);
	if (r < 0)
		return r;
	cmd = calloc(1, sizeof(*cmd));
	if (!cmd) {
		outgoing_free(out);
		return -ENOMEM;
	}
	*cmd = (struct command){ .out = out, .timeout = timeout, .part = part, .done = done, .ctx = ctx };
	while (*tail)
		tail = &(*tail)->next;
	*tail = cmd;
	c->n_queue++;
	next_command(c);
	return 0;
}

int vici_conn_subscribe(struct vici_conn *c, const char *event, bool on)
{
	unsigned int i = 0;

	if (strlen(event) > VICI_NAME_MAX)
		return -ENAMETOOLONG;
	while (i < c->n_subscribed && strcmp(c->subscribed[i], event) != 0)
		i++;
	if ((i < c->n_subscribed) == on)
		return 0;
	if (on && c->n_subscribed == VICI_EVENTS_MAX)
		return -ENOSPC;
	if (c->events.fd >= 0) {
		int r = channel_register(&c->events, event, on);

		if (r < 0)
			return r;
	}
	if (on)
		memcpy(c->subscribed[c->n_subscribed++], event, strlen(event) + 1);
	else
		memmove(c->subscribed[i], c->subscribed[--c->n_subscribed], sizeof(c->subscribed[i]));
	return 0;
}
