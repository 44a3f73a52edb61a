/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests to the kernel over one netlink socket: several at a time, each with its answer. */
#pragma once

#include <netlink/msg.h>
#include <stdbool.h>

struct nlsock {
	int fd;
	uint32_t seq;
	uint8_t *buf;	 /* one datagram from the kernel */
	char error[128]; /* the kernel's words about the last failure (NLMSGERR_ATTR_MSG), or "" */
};

/* Messages of one nlsock_transact. */
#define NLSOCK_BATCH 32

/* An answer that did not come: carried out or not. No error number of the kernel. */
#define NLSOCK_UNANSWERED 1

/* fn returns 0, or a negative errno: it is not called again. The message lives only during the call. */
typedef int (*nlsock_fn)(void *ctx, const struct nlmsghdr *h);

int nlsock_open(struct nlsock *s, int protocol); /* NETLINK_ROUTE, NETLINK_XFRM */
void nlsock_close(struct nlsock *s);
/*
 * Send n <= NLSOCK_BATCH requests in one system call; ret_errors[i] is what the kernel said to the i-th, 0 or
 * negative errno (one that fails does not stop the others), or NLSOCK_UNANSWERED. The messages are wiped. Returns 0
 * if all were answered.
 */
int nlsock_transact(struct nlsock *s, struct nl_msg *const *msgs, size_t n, int *ret_errors);
/* One request with answers: all objects of a dump, or the one asked for. -EINTR: they changed while it ran. */
int nlsock_query(struct nlsock *s, struct nl_msg *msg, nlsock_fn fn, void *ctx);
