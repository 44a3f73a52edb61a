/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/events.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/xfrm.h>
#include <netlink/msg.h>
#include <string.h>
#include <sys/socket.h>

#include "kernel/eventmsg.h"
#include "lib/cleanup.h"

#define BUF_SIZE 65536
#define READS_MAX 64 /* datagrams of one kernel_events_read, so that the event loop gets its turn */

struct kernel_events {
	int route, xfrm;
	struct kernel_events_fns fns;
	void *ctx;
	uint8_t *buf;
};

static int open_groups(int protocol, const int *groups, size_t n)
{
	struct sockaddr_nl addr = { .nl_family = AF_NETLINK };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
	if (fd < 0)
		return -errno;
	int r = bind(fd, (struct sockaddr *)&addr, sizeof(addr));
	for (size_t i = 0; i < n && r >= 0; i++)
		r = setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &groups[i], sizeof(groups[i]));
	if (r < 0) {
		r = -errno;
		close(fd);
		return r;
	}
	return fd;
}

int kernel_events_open(const struct kernel_events_fns *fns, void *ctx, struct kernel_events **ret)
{
	static const int route_groups[] = { RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_ROUTE,
					    RTNLGRP_IPV6_ROUTE };
	static const int xfrm_groups[] = { XFRMNLGRP_EXPIRE };
	struct kernel_events *e = calloc(1, sizeof(*e));
	if (!e)
		return -ENOMEM;
	e->fns = *fns;
	e->ctx = ctx;
	e->buf = malloc(BUF_SIZE);
	e->route = open_groups(NETLINK_ROUTE, route_groups, ARRAY_SIZE(route_groups));
	e->xfrm = open_groups(NETLINK_XFRM, xfrm_groups, ARRAY_SIZE(xfrm_groups));
	int r = !e->buf ? -ENOMEM : e->route < 0 ? e->route : e->xfrm < 0 ? e->xfrm : 0;
	if (r < 0) {
		kernel_events_free(e);
		return r;
	}
	*ret = e;
	return 0;
}

int kernel_events_fd_route(const struct kernel_events *e)
{
	return e->route;
}

int kernel_events_fd_xfrm(const struct kernel_events *e)
{
	return e->xfrm;
}

static void report(struct kernel_events *e, const struct event *ev)
{
	switch (ev->type) {
	case EVENT_LINK:
		if (e->fns.link)
			e->fns.link(e->ctx, ev->dev, ev->up, ev->gone);
		return;
	case EVENT_ROUTE:
		if (e->fns.route)
			e->fns.route(e->ctx);
		return;
	case EVENT_SA:
		if (e->fns.sa)
			e->fns.sa(e->ctx, ev->reqid, ev->spi, ev->gone);
		return;
	}
}

/* 1: a datagram was read, 0: none there. */
static int read_one(struct kernel_events *e, int fd, bool xfrm)
{
	struct sockaddr_nl from = { 0 };
	socklen_t size = sizeof(from);
	ssize_t len = recvfrom(fd, e->buf, BUF_SIZE, 0, (struct sockaddr *)&from, &size);
	if (len < 0 && errno == ENOBUFS) {
		if (e->fns.lost)
			e->fns.lost(e->ctx);
		return 1;
	}
	if (len < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (from.nl_pid != 0)
		return 1; /* not from the kernel */
	int left = (int)len;
	for (const struct nlmsghdr *h = (void *)e->buf; nlmsg_ok(h, left);
	     h = nlmsg_next((struct nlmsghdr *)(uintptr_t)h, &left)) {
		struct event ev;
		int r = xfrm ? eventmsg_xfrm(h, &ev) : eventmsg_route(h, &ev);
		if (r >= 0)
			report(e, &ev);
	}
	return 1;
}

int kernel_events_read(struct kernel_events *e)
{
	int r = 1;
	for (int i = 0; i < READS_MAX && r > 0; i++)
		r = read_one(e, e->route, false);
	if (r < 0)
		return r;
	r = 1;
	for (int i = 0; i < READS_MAX && r > 0; i++)
		r = read_one(e, e->xfrm, true);
	return r < 0 ? r : 0;
}

void kernel_events_free(struct kernel_events *e)
{
	if (!e)
		return;
	if (e->route >= 0)
		close(e->route);
	if (e->xfrm >= 0)
		close(e->xfrm);
	free(e->buf);
	free(e);
}
