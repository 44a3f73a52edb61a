/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/events.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/if_link.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <linux/xfrm.h>
#include <netlink/msg.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "kernel/eventmsg.h"
#include "lib/cleanup.h"

#define BUF_SIZE 65536
#define ANSWER_TIMEOUT_MS 10000 /* see nlsock.c */
#define READS_MAX 64		/* datagrams of one kernel_events_read, so that the event loop gets its turn */

enum source { SOURCE_ROUTE, SOURCE_XFRM, SOURCE_NFT, N_SOURCES };

struct kernel_events {
	int fd[N_SOURCES];
	uint32_t self; /* this process, as nft's messages name it */
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

/*
 * The number of this process in the kernel's first PID namespace, whatever getpid says: the answer to a question
 * for the generation names who asked.
 */
static int ask_self(struct kernel_events *e)
{
	struct {
		struct nlmsghdr h;
		struct nfgenmsg g;
	} ask = { .h = { .nlmsg_len = sizeof(ask),
			 .nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETGEN,
			 .nlmsg_flags = NLM_F_REQUEST,
			 .nlmsg_seq = 1 },
		  .g = { .version = NFNETLINK_V0 } };
	int fd = e->fd[SOURCE_NFT];
	if (send(fd, &ask, sizeof(ask), 0) < 0)
		return -errno;
	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		if (poll(&p, 1, ANSWER_TIMEOUT_MS) <= 0)
			return -ETIMEDOUT;
		ssize_t len = recv(fd, e->buf, BUF_SIZE, 0);
		const struct nlmsghdr *h = (void *)e->buf;
		if (len < 0)
			return -errno;
		if (nlmsg_ok(h, (int)len) && h->nlmsg_seq == 1)
			return eventmsg_nft_self(h, &e->self);
	}
}

/*
 * Of everything that is told about nft only the end of each transaction, which comes by itself, and not of our own:
 * what the daemon makes at once, an element for each circuit, would fill the socket. nlmsg_type and the attribute's
 * type are in host order, loads are in network order. What has not the attributes in today's
 * order passes; eventmsg_nft looks again.
 */
static int others_commits_only(int fd, uint32_t self)
{
	enum { PROCESS = NLMSG_HDRLEN + sizeof(struct nfgenmsg) + NLA_HDRLEN + sizeof(uint32_t) };
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, offsetof(struct nlmsghdr, nlmsg_type)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWGEN), 0, 7),
		BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, PROCESS + NLA_HDRLEN + sizeof(uint32_t), 0, 4),
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, PROCESS + offsetof(struct nlattr, nla_type)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(NFTA_GEN_PROC_PID), 0, 2),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, PROCESS + NLA_HDRLEN),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, self, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog program = { .len = ARRAY_SIZE(code), .filter = code };
	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0 ? -errno : 0;
}

/* Asked before the group is joined, so that there is nothing but the answer. */
static int open_nft(struct kernel_events *e)
{
	static const int group = NFNLGRP_NFTABLES;
	int fd = e->fd[SOURCE_NFT] = open_groups(NETLINK_NETFILTER, NULL, 0);
	if (fd < 0)
		return fd;
	int r = ask_self(e);
	if (r >= 0)
		r = others_commits_only(fd, e->self);
	if (r >= 0 && setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0)
		r = -errno;
	return r;
}

int kernel_events_open(const struct kernel_events_fns *fns, void *ctx, struct kernel_events **ret)
{
	static const int route_groups[] = { RTNLGRP_LINK,	RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR,
					    RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE,  RTNLGRP_IPV4_RULE,
					    RTNLGRP_IPV6_RULE,	RTNLGRP_TC };
	static const int xfrm_groups[] = { XFRMNLGRP_EXPIRE };
	struct kernel_events *e = calloc(1, sizeof(*e));
	if (!e)
		return -ENOMEM;
	e->fns = *fns;
	e->ctx = ctx;
	for (size_t i = 0; i < N_SOURCES; i++)
		e->fd[i] = -1;
	e->buf = malloc(BUF_SIZE);
	int r = e->buf ? 0 : -ENOMEM;
	if (r >= 0)
		r = e->fd[SOURCE_ROUTE] = open_groups(NETLINK_ROUTE, route_groups, ARRAY_SIZE(route_groups));
	if (r >= 0)
		r = e->fd[SOURCE_XFRM] = open_groups(NETLINK_XFRM, xfrm_groups, ARRAY_SIZE(xfrm_groups));
	if (r >= 0)
		r = open_nft(e);
	if (r < 0) {
		kernel_events_free(e);
		return r;
	}
	*ret = e;
	return 0;
}

int kernel_events_fd_route(const struct kernel_events *e)
{
	return e->fd[SOURCE_ROUTE];
}

int kernel_events_fd_xfrm(const struct kernel_events *e)
{
	return e->fd[SOURCE_XFRM];
}

int kernel_events_fd_nft(const struct kernel_events *e)
{
	return e->fd[SOURCE_NFT];
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
	case EVENT_NFT:
		if (e->fns.nft)
			e->fns.nft(e->ctx);
		return;
	case EVENT_OURS:
		if (e->fns.ours)
			e->fns.ours(e->ctx);
		return;
	}
}

static int event_of(const struct kernel_events *e, enum source source, const struct nlmsghdr *h, struct event *ret)
{
	switch (source) {
	case SOURCE_ROUTE:
		return eventmsg_route(h, ret);
	case SOURCE_XFRM:
		return eventmsg_xfrm(h, ret);
	default:
		return eventmsg_nft(h, e->self, ret);
	}
}

/* 1: a datagram was read, 0: none there. */
static int read_one(struct kernel_events *e, enum source source)
{
	struct sockaddr_nl from = { 0 };
	socklen_t size = sizeof(from);
	ssize_t len = recvfrom(e->fd[source], e->buf, BUF_SIZE, 0, (struct sockaddr *)&from, &size);
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
		if (event_of(e, source, h, &ev) >= 0)
			report(e, &ev);
	}
	return 1;
}

int kernel_events_read(struct kernel_events *e)
{
	for (enum source source = SOURCE_ROUTE; source < N_SOURCES; source++) {
		int r = 1;
		for (int i = 0; i < READS_MAX && r > 0; i++)
			r = read_one(e, source);
		if (r < 0)
			return r;
	}
	return 0;
}

void kernel_events_free(struct kernel_events *e)
{
	if (!e)
		return;
	for (size_t i = 0; i < N_SOURCES; i++)
		if (e->fd[i] >= 0)
			close(e->fd[i]);
	free(e->buf);
	free(e);
}
