/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control socket: a Unix stream socket, one request (a JSON object on one line) per connection, answered by
 * progress lines and one final line "CODE {json}" (lib/reply.h). Who may connect is decided by the socket's owner,
 * group and mode, 0660, which it has from the moment that it exists.
 */
#pragma once

#include <ev.h>
#include <jansson.h>
#include <stdbool.h>

struct control;
struct control_conn;

/*
 * cmd and args are valid during the call. The handler answers at once or keeps conn and answers later; `closed` tells
 * that a connection kept so is gone (the peer went away), after which it must not be used.
 */
struct control_ops {
	void (*request)(void *ctx, struct control_conn *conn, const char *cmd, const json_t *args);
	void (*closed)(void *ctx, struct control_conn *conn);
};

/* Listens at path, as the user and group that the process has now. Negative errno. */
int control_new(struct ev_loop *loop, const char *path, const struct control_ops *ops, void *ctx, struct control **ret);
void control_free(struct control *c); /* NULL is fine; removes the socket */

/* Send the final line and finish the connection: conn is gone. Steals body (NULL: {}). */
void control_reply(struct control_conn *conn, int code, json_t *body);
/* The same with {"error": sentence}. */
void control_error(struct control_conn *conn, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
