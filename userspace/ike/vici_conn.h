/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A lasting connection to charon's vici socket, on the event loop: one socket for commands (vici has no sequence
 * numbers: one command at a time, the others wait in a queue), one for events (charon queues events without a
 * limit for a client that does not read: this one is always drained). A lost connection is made again with
 * back-off, and subscriptions are renewed; commands are not repeated, their owner hears an error.
 */
#pragma once

#include <ev.h>
#include <stdbool.h>

#include "ike/vici.h"

#define VICI_QUEUE_MAX 256	    /* commands waiting */
#define VICI_EVENTS_MAX 12	    /* subscriptions */
#define VICI_RETRY_MIN_S 0.1	    /* first pause before connecting again, seconds; doubles */
#define VICI_RETRY_MAX_S 0.5	    /* longest pause, seconds */
#define VICI_HANDSHAKE_TIMEOUT_S 10 /* from connect to the last confirmed subscription, seconds */

struct vici_conn;

struct vici_conn_ops {
	/* Connected, all subscriptions confirmed. Commands may be sent from here on. */
	void (*ready)(void *ctx);
	/* The connection is lost (or the first attempt failed): negative errno. Called once per loss, after every
	 * waiting command has heard of it. */
	void (*lost)(void *ctx, int error);
	/* An event. The view lives until the callback returns. */
	void (*event)(void *ctx, const char *name, const struct vici_view *message);
};

/*
 * The end of a command, called exactly once for each accepted one and never from within vici_conn_call.
 * error 0: answer is charon's message (`success = no` in it is the caller's to see). Otherwise answer is NULL:
 * -ETIMEDOUT, -ECONNRESET and the like (connection lost), -EOPNOTSUPP (charon does not know the command),
 * -ECANCELED (vici_conn_free).
 */
typedef void (*vici_done_fn)(void *ctx, int error, const struct vici_view *answer);
/* A streamed part of an answer (list-sas gives one `list-sa` for each IKE SA). */
typedef void (*vici_part_fn)(void *ctx, const struct vici_view *message);

/* Starts connecting; loop, ops and ctx must outlive the connection, path is copied. -ENOMEM, -ENAMETOOLONG. */
int vici_conn_new(struct ev_loop *loop, const char *path, const struct vici_conn_ops *ops, void *ctx,
		  struct vici_conn **ret_conn);
void vici_conn_free(struct vici_conn *c); /* NULL is fine; not from within one of its callbacks */

bool vici_conn_is_ready(const struct vici_conn *c);

/*
 * Send a command. msg is consumed in every case. Parts named `list-sa` go to part (may be NULL). done may be NULL.
 * timeout in seconds runs from the moment the command leaves the queue; when it passes the connection is dropped
 * and made again, for a late answer could not be told from the next one.
 * -ENOTCONN (not ready), -EBUSY (queue full), or vici_msg_finish's errors.
 */
int vici_conn_call(struct vici_conn *c, struct vici_msg *msg, double timeout, vici_part_fn part, vici_done_fn done,
		   void *ctx);

/*
 * Subscribe to an event or cancel that; kept over reconnections. An event that charon does not know is ignored.
 * -ENOSPC above VICI_EVENTS_MAX, -ENAMETOOLONG.
 */
int vici_conn_subscribe(struct vici_conn *c, const char *event, bool on);
