/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/nlsock.h"

#include <errno.h>
#include <linux/netlink.h>
#include <sodium.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "lib/cleanup.h"

#define BUF_SIZE 65536	    /* the kernel makes dump datagrams of at most 32 KiB */
#define ANSWER_TIMEOUT_S 10 /* answers are there when sendmsg returns; this only ends a wait for a lost one */

int nlsock_open(struct nlsock *s, int protocol)
{
	struct sockaddr_nl addr = { .nl_family = AF_NETLINK };
	struct timeval tv = { .tv_sec = ANSWER_TIMEOUT_S };
	int on = 1, size = 1 << 20;
	*s = (struct nlsock){ .fd = -1 };
	s->buf = malloc(BUF_SIZE);
	if (!s->buf)
		return -ENOMEM;
	s->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
	if (s->fd < 0 || bind(s->fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		goto fail;
	setsockopt(s->fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	setsockopt(s->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	/* Without it an error comes with the request, and so with its key. */
	if (setsockopt(s->fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on)) < 0)
		goto fail;
	setsockopt(s->fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
	setsockopt(s->fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof(on));
	return 0;
fail:;
	int r = -errno;
	nlsock_close(s);
	return r;
}

void nlsock_close(struct nlsock *s)
{
	if (s->fd >= 0)
		close(s->fd);
	free(s->buf);
	*s = (struct nlsock){ .fd = -1 };
}

static void wipe(struct nl_msg *m)
{
	sodium_memzero(nlmsg_hdr(m), nlmsg_hdr(m)->nlmsg_len);
}

static int send_all(struct nlsock *s, struct nl_msg *const *msgs, size_t n, int flags)
{
	struct sockaddr_nl to = { .nl_family = AF_NETLINK };
	struct iovec iov[NLSOCK_BATCH];
	struct msghdr mh = { .msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = iov, .msg_iovlen = n };
	for (size_t i = 0; i < n; i++) {
		struct nlmsghdr *h = nlmsg_hdr(msgs[i]);
		h->nlmsg_seq = ++s->seq;
		h->nlmsg_flags = (uint16_t)(h->nlmsg_flags | NLM_F_REQUEST | flags);
		iov[i] = (struct iovec){ .iov_base = h, .iov_len = NLMSG_ALIGN(h->nlmsg_len) };
	}
	ssize_t sent = sendmsg(s->fd, &mh, 0);
	int r = sent < 0 ? -errno : 0;
	for (size_t i = 0; i < n; i++)
		wipe(msgs[i]);
	return r;
}

/* One datagram into s->buf; only the kernel's count. */
static int receive(struct nlsock *s, size_t *ret_len)
{
	for (;;) {
		struct sockaddr_nl from = { 0 };
		struct iovec iov = { .iov_base = s->buf, .iov_len = BUF_SIZE };
		struct msghdr mh = { .msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &iov, .msg_iovlen = 1 };
		ssize_t len = recvmsg(s->fd, &mh, 0);
		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		if (mh.msg_flags & MSG_TRUNC)
			return -EMSGSIZE;
		if (from.nl_pid != 0)
			continue;
		*ret_len = (size_t)len;
		return 0;
	}
}

/* The kernel's sentence about an error, from the attributes behind a capped acknowledgement. */
static void keep_error(struct nlsock *s, const struct nlmsghdr *h)
{
	s->error[0] = '\0';
	if (!(h->nlmsg_flags & NLM_F_ACK_TLVS))
		return;
	struct nlattr *a = nlmsg_find_attr((struct nlmsghdr *)(uintptr_t)h, sizeof(struct nlmsgerr), NLMSGERR_ATTR_MSG);
	if (a)
		nla_strlcpy(s->error, a, sizeof(s->error));
}

static int error_of(struct nlsock *s, const struct nlmsghdr *h)
{
	if (!nlmsg_valid_hdr(h, sizeof(struct nlmsgerr)))
		return -EBADMSG;
	const struct nlmsgerr *e = nlmsg_data(h);
	if (e->error)
		keep_error(s, h);
	return e->error;
}

int nlsock_transact(struct nlsock *s, struct nl_msg *const *msgs, size_t n, int *ret_errors)
{
	uint32_t first = s->seq + 1;
	size_t open = n;
	if (n > NLSOCK_BATCH)
		return -E2BIG;
	int r = send_all(s, msgs, n, NLM_F_ACK);
	for (size_t i = 0; i < n; i++)
		ret_errors[i] = r < 0 ? r : NLSOCK_UNANSWERED;
	while (r >= 0 && open) {
		size_t len;
		r = receive(s, &len);
		if (r < 0)
			return r;
		int left = (int)len;
		for (struct nlmsghdr *h = (void *)s->buf; nlmsg_ok(h, left); h = nlmsg_next(h, &left)) {
			uint32_t i = h->nlmsg_seq - first;
			if (h->nlmsg_type != NLMSG_ERROR || i >= n)
				continue;
			ret_errors[i] = error_of(s, h);
			open--;
		}
	}
	return r;
}

struct query {
	nlsock_fn fn;
	void *ctx;
	bool interrupted;
	int error; /* the first of fn's; the rest of the answer is still read, or the socket stays busy */
};

/* The messages of one datagram. 1: the end. */
static int answers(struct nlsock *s, size_t len, struct query *q)
{
	int left = (int)len;
	for (struct nlmsghdr *h = (void *)s->buf; nlmsg_ok(h, left); h = nlmsg_next(h, &left)) {
		if (h->nlmsg_seq != s->seq)
			continue;
		if (h->nlmsg_flags & NLM_F_DUMP_INTR)
			q->interrupted = true;
		if (h->nlmsg_type == NLMSG_DONE)
			return 1;
		if (h->nlmsg_type == NLMSG_ERROR) {
			int r = error_of(s, h);
			return r < 0 ? r : 1;
		}
		if (!q->error)
			q->error = q->fn(q->ctx, h);
		if (!(h->nlmsg_flags & NLM_F_MULTI))
			return 1;
	}
	return 0;
}

int nlsock_query(struct nlsock *s, struct nl_msg *msg, nlsock_fn fn, void *ctx)
{
	struct query q = { .fn = fn, .ctx = ctx };
	int r = send_all(s, &msg, 1, 0);
	while (r == 0) {
		size_t len = 0;
		r = receive(s, &len);
		if (r == 0)
			r = answers(s, len, &q);
		/* an SA comes with its key */
		sodium_memzero(s->buf, len);
	}
	if (r < 0)
		return r;
	if (q.error)
		return q.error;
	return q.interrupted ? -EINTR : 0;
}
