/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "anond/transport.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/cleanup.h"
#include "model/ids.h"

#define DATAGRAM_MAX 9216
#define BATCH 64 /* datagrams per wake-up, so that a flood on one socket does not starve the rest */

struct transport {
	struct ev_loop *loop;
	ev_io io;
	transport_fn fn;
	void *ctx;
};

/* Returns false when nothing more is there. */
static bool receive_one(struct transport *t)
{
	uint8_t buf[DATAGRAM_MAX];
	struct sockaddr_in6 from;
	union {
		char buf[CMSG_SPACE(sizeof(struct in6_pktinfo))];
		struct cmsghdr align;
	} control;
	struct iovec iov = { .iov_base = buf, .iov_len = sizeof(buf) };
	struct msghdr msg = {
		.msg_name = &from,
		.msg_namelen = sizeof(from),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n = recvmsg(t->io.fd, &msg, MSG_DONTWAIT);
	const struct cmsghdr *c;

	if (n < 0)
		return errno == EINTR;
	c = CMSG_FIRSTHDR(&msg);
	if (!(msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) && c && c->cmsg_level == IPPROTO_IPV6 &&
	    c->cmsg_type == IPV6_PKTINFO && from.sin6_port == htons(ANON_CTRL_PORT)) {
		struct in6_pktinfo info;

		memcpy(&info, CMSG_DATA(c), sizeof(info));
		t->fn(t->ctx, info.ipi6_ifindex, &from.sin6_addr, buf, (size_t)n);
	}
	return true;
}

static void on_io(struct ev_loop *loop, ev_io *w, int events)
{
	(void)loop;
	(void)events;
	for (int i = 0; i < BATCH; i++)
		if (!receive_one(w->data))
			return;
}

static int open_socket(const struct in6_addr *self)
{
	const struct sockaddr_in6 sa = {
		.sin6_family = AF_INET6,
		.sin6_addr = *self,
		.sin6_port = htons(ANON_CTRL_PORT),
	};
	const int on = 1, off = 0;
	_cleanup_close_ int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, IPPROTO_IPV6, IPV6_DONTFRAG, &on, sizeof(on)) < 0 ||
	    /* A link copies the label to the public header. */
	    setsockopt(fd, IPPROTO_IPV6, IPV6_AUTOFLOWLABEL, &off, sizeof(off)) < 0 ||
	    bind(fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0)
		return -errno;
	return steal_fd(&fd);
}

int transport_new(struct ev_loop *loop, const struct in6_addr *self, transport_fn fn, void *ctx, struct transport **ret)
{
	struct transport *t;
	int fd = open_socket(self);

	if (fd < 0)
		return fd;
	t = calloc(1, sizeof(*t));
	if (!t) {
		close(fd);
		return -ENOMEM;
	}
	t->loop = loop;
	t->fn = fn;
	t->ctx = ctx;
	ev_io_init(&t->io, on_io, fd, EV_READ);
	t->io.data = t;
	ev_io_start(loop, &t->io);
	*ret = t;
	return 0;
}

void transport_free(struct transport *t)
{
	if (!t)
		return;
	ev_io_stop(t->loop, &t->io);
	close(t->io.fd);
	free(t);
}

int transport_send(struct transport *t, unsigned int ifindex, const struct in6_addr *to, const uint8_t *msg, size_t len)
{
	struct sockaddr_in6 sa = {
		.sin6_family = AF_INET6,
		.sin6_addr = *to,
		.sin6_port = htons(ANON_CTRL_PORT),
	};
	struct in6_pktinfo info = { .ipi6_ifindex = ifindex };
	union {
		char buf[CMSG_SPACE(sizeof(info))];
		struct cmsghdr align;
	} control = {
		.align = { .cmsg_len = CMSG_LEN(sizeof(info)), .cmsg_level = IPPROTO_IPV6, .cmsg_type = IPV6_PKTINFO }
	};
	struct iovec iov = { .iov_base = (void *)(uintptr_t)msg, .iov_len = len };
	const struct msghdr m = {
		.msg_name = &sa,
		.msg_namelen = sizeof(sa),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};

	memcpy(CMSG_DATA(&control.align), &info, sizeof(info));
	return sendmsg(t->io.fd, &m, MSG_DONTWAIT) < 0 ? -errno : 0;
}
