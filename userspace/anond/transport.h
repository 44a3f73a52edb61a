/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The UDP sockets of the control protocol. Each is bound to one overlay address of ours, never to a public one, and
 * tells over which device a datagram came: the link's.
 */
#pragma once

#include <ev.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

struct transport;

typedef void (*transport_fn)(void *ctx, unsigned int ifindex, const struct in6_addr *from, const uint8_t *msg,
			     size_t len);

/* Binds `self` port ANON_CTRL_PORT; the address must exist. Negative errno. */
int transport_new(struct ev_loop *loop, const struct in6_addr *self, transport_fn fn, void *ctx,
		  struct transport **ret);
void transport_free(struct transport *t); /* NULL is fine */

/* Best effort, as UDP is; out through the device only. -EAGAIN, -ENETUNREACH, -EMSGSIZE (larger than the device's MTU:
 * never fragmented), ... */
int transport_send(struct transport *t, unsigned int ifindex, const struct in6_addr *to, const uint8_t *msg,
		   size_t len);
