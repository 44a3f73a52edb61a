/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ICMP and ICMPv6 echo through a circuit, to see that it carries packets (RFC 792, RFC 4443 section 4).
 * The raw sockets are opened at start, while the process may; each request names its device and source. What counts as
 * the reply to one: echo_book.h.
 */
#pragma once

#include <ev.h>
#include <netinet/in.h>
#include <stdint.h>

struct echo;

/* id: as given to echo_send. rtt_us: microseconds. */
typedef void (*echo_fn)(void *ctx, uint32_t id, uint32_t rtt_us);

/* -EPERM: needs CAP_NET_RAW. */
int echo_new(struct ev_loop *loop, echo_fn fn, void *ctx, struct echo **ret);
void echo_free(struct echo *e); /* NULL is fine */

int echo_send4(struct echo *e, unsigned int ifindex, struct in_addr from, struct in_addr to, uint32_t id);
int echo_send6(struct echo *e, unsigned int ifindex, const struct in6_addr *from, const struct in6_addr *to,
	       uint32_t id);
/* The device is about to go: its last request waits no more. e NULL is fine. */
void echo_forget(struct echo *e, unsigned int ifindex);
