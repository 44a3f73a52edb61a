/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "anond/echo.h"

#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <sodium.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "anond/echo_book.h"
#include "lib/cleanup.h"

/*
 * The exit must learn nothing from an echo that would tell two circuits of one client together (a counter, a clock),
 * and must not be able to answer one that it has not seen: identifier, sequence number and payload are random.
 */
struct message {
	struct icmphdr head; /* the echo header has the same layout in both families */
	uint8_t payload[ECHO_NONCE_LEN - sizeof(((struct icmphdr *)0)->un.echo)];
};
_Static_assert(offsetof(struct message, payload) ==
		       offsetof(struct message, head.un.echo) + sizeof(((struct icmphdr *)0)->un.echo),
	       "the nonce is one run of bytes");

struct echo {
	struct ev_loop *loop;
	ev_io io4, io6;
	echo_fn fn;
	void *ctx;
	struct echo_book *book;
};

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static uint16_t checksum(const void *p, size_t len)
{
	const uint8_t *b = p;
	uint32_t sum = 0;

	for (size_t i = 0; i + 1 < len; i += 2)
		sum += (uint32_t)(b[i] | b[i + 1] << 8);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static uint8_t *nonce_of(struct message *m)
{
	return (uint8_t *)m + offsetof(struct message, head.un.echo);
}

static void judge(struct echo *e, struct message *m, uint8_t reply_type, struct echo_reply *reply)
{
	uint32_t rtt_us;
	uint32_t id;

	if (m->head.type != reply_type || m->head.code != 0)
		return;
	reply->nonce = nonce_of(m);
	if (echo_book_take(e->book, reply, now_us(), &id, &rtt_us))
		e->fn(e->ctx, id, rtt_us);
}

/* The control message of this kind, which holds so many bytes, or NULL. */
static const void *control_of(struct msghdr *msg, int level, int type, size_t size)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c))
		if (c->cmsg_level == level && c->cmsg_type == type && c->cmsg_len >= CMSG_LEN(size))
			return CMSG_DATA(c);
	return NULL;
}

/* One datagram with its source and a control message. Its length, or -1. */
static ssize_t receive(int fd, void *buf, size_t size, void *from, socklen_t from_len, void *control,
		       size_t control_len, struct msghdr *ret_msg)
{
	struct iovec iov = { .iov_base = buf, .iov_len = size };
	ssize_t n;

	*ret_msg = (struct msghdr){
		.msg_name = from,
		.msg_namelen = from_len,
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = control_len,
	};
	n = recvmsg(fd, ret_msg, MSG_DONTWAIT);
	ret_msg->msg_iov = NULL;
	return n < 0 || ret_msg->msg_namelen != from_len || (ret_msg->msg_flags & (MSG_TRUNC | MSG_CTRUNC)) ? -1 : n;
}

static void on_io4(struct ev_loop *loop, ev_io *w, int events)
{
	union {
		char buf[CMSG_SPACE(sizeof(struct in_pktinfo))];
		struct cmsghdr align;
	} control;
	uint8_t buf[60 + sizeof(struct message)]; /* with an IPv4 header, RFC 791 section 3.1 */
	struct sockaddr_in from;
	struct in_pktinfo info;
	struct message m;
	struct msghdr msg;
	const void *c;
	ssize_t n = receive(w->fd, buf, sizeof(buf), &from, sizeof(from), &control, sizeof(control), &msg);
	size_t skip = n > 0 ? (size_t)(buf[0] & 15) * 4 : 0;

	(void)loop;
	(void)events;
	if (n < 0 || (size_t)n != skip + sizeof(m))
		return;
	c = control_of(&msg, IPPROTO_IP, IP_PKTINFO, sizeof(info));
	if (!c)
		return;
	memcpy(&info, c, sizeof(info));
	memcpy(&m, buf + skip, sizeof(m));
	judge(w->data, &m, ICMP_ECHOREPLY,
	      &(struct echo_reply){
		      .ifindex = (unsigned int)info.ipi_ifindex, .family = AF_INET, .from4 = from.sin_addr });
}

static void on_io6(struct ev_loop *loop, ev_io *w, int events)
{
	union {
		char buf[CMSG_SPACE(sizeof(struct in6_pktinfo))];
		struct cmsghdr align;
	} control;
	struct sockaddr_in6 from;
	struct in6_pktinfo info;
	struct message m;
	struct msghdr msg;
	const void *c;
	ssize_t n = receive(w->fd, &m, sizeof(m), &from, sizeof(from), &control, sizeof(control), &msg);

	(void)loop;
	(void)events;
	if (n != (ssize_t)sizeof(m))
		return;
	c = control_of(&msg, IPPROTO_IPV6, IPV6_PKTINFO, sizeof(info));
	if (!c)
		return;
	memcpy(&info, c, sizeof(info));
	judge(w->data, &m, ICMP6_ECHO_REPLY,
	      &(struct echo_reply){ .ifindex = info.ipi6_ifindex, .family = AF_INET6, .from6 = from.sin6_addr });
}

static int socket4(void)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_ICMP);
	const uint32_t pass = ~(1u << ICMP_ECHOREPLY);
	const int on = 1;

	/* ICMP_FILTER (1) of <linux/icmp.h>, which cannot be included beside <netinet/ip_icmp.h>. */
	if (fd < 0 || setsockopt(fd, SOL_RAW, 1, &pass, sizeof(pass)) < 0 ||
	    setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on)) < 0)
		return -errno;
	return steal_fd(&fd);
}

static int socket6(void)
{
	_cleanup_close_ int fd = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_ICMPV6);
	struct icmp6_filter pass;
	const int on = 1;

	ICMP6_FILTER_SETBLOCKALL(&pass);
	ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &pass);
	if (fd < 0 || setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &pass, sizeof(pass)) < 0 ||
	    setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on)) < 0)
		return -errno;
	return steal_fd(&fd);
}

int echo_new(struct ev_loop *loop, echo_fn fn, void *ctx, struct echo **ret)
{
	struct echo *e;
	int fd4 = socket4();
	int fd6 = socket6();

	if (fd4 < 0 || fd6 < 0) {
		if (fd4 >= 0)
			close(fd4);
		if (fd6 >= 0)
			close(fd6);
		return fd4 < 0 ? fd4 : fd6;
	}
	e = calloc(1, sizeof(*e));
	if (!e || echo_book_new(&e->book) < 0) {
		free(e);
		close(fd4);
		close(fd6);
		return -ENOMEM;
	}
	e->loop = loop;
	e->fn = fn;
	e->ctx = ctx;
	ev_io_init(&e->io4, on_io4, fd4, EV_READ);
	ev_io_init(&e->io6, on_io6, fd6, EV_READ);
	e->io4.data = e->io6.data = e;
	ev_io_start(loop, &e->io4);
	ev_io_start(loop, &e->io6);
	*ret = e;
	return 0;
}

void echo_free(struct echo *e)
{
	if (!e)
		return;
	ev_io_stop(e->loop, &e->io4);
	ev_io_stop(e->loop, &e->io6);
	close(e->io4.fd);
	close(e->io6.fd);
	echo_book_free(e->book);
	free(e);
}

static int fill(const struct echo *e, struct message *m, uint8_t type, struct echo_request *r)
{
	memset(m, 0, sizeof(*m));
	m->head.type = type;
	randombytes_buf(r->nonce, sizeof(r->nonce));
	memcpy(nonce_of(m), r->nonce, sizeof(r->nonce));
	r->sent_us = now_us();
	return echo_book_add(e->book, r);
}

static int send_from(int fd, void *to, socklen_t to_len, const struct message *m, void *control, size_t control_len)
{
	struct iovec iov = { .iov_base = (void *)(uintptr_t)m, .iov_len = sizeof(*m) };
	struct msghdr msg = {
		.msg_name = to,
		.msg_namelen = to_len,
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = control_len,
	};

	return sendmsg(fd, &msg, MSG_DONTWAIT) < 0 ? -errno : 0;
}

int echo_send4(struct echo *e, unsigned int ifindex, struct in_addr from, struct in_addr to, uint32_t id)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr = to };
	struct in_pktinfo info = { .ipi_ifindex = (int)ifindex, .ipi_spec_dst = from };
	union {
		char buf[CMSG_SPACE(sizeof(info))];
		struct cmsghdr align;
	} control = { .align = {
			      .cmsg_len = CMSG_LEN(sizeof(info)), .cmsg_level = IPPROTO_IP, .cmsg_type = IP_PKTINFO } };
	struct echo_request r = { .id = id, .ifindex = ifindex, .family = AF_INET, .to4 = to };
	struct message m;
	int err = fill(e, &m, ICMP_ECHO, &r);

	if (err < 0)
		return err;
	memcpy(CMSG_DATA(&control.align), &info, sizeof(info));
	m.head.checksum = checksum(&m, sizeof(m));
	return send_from(e->io4.fd, &sa, sizeof(sa), &m, &control, sizeof(control));
}

int echo_send6(struct echo *e, unsigned int ifindex, const struct in6_addr *from, const struct in6_addr *to,
	       uint32_t id)
{
	struct sockaddr_in6 sa = { .sin6_family = AF_INET6, .sin6_addr = *to };
	struct in6_pktinfo info = { .ipi6_addr = *from, .ipi6_ifindex = ifindex };
	union {
		char buf[CMSG_SPACE(sizeof(info))];
		struct cmsghdr align;
	} control = {
		.align = { .cmsg_len = CMSG_LEN(sizeof(info)), .cmsg_level = IPPROTO_IPV6, .cmsg_type = IPV6_PKTINFO }
	};
	struct echo_request r = { .id = id, .ifindex = ifindex, .family = AF_INET6, .to6 = *to };
	struct message m;
	int err = fill(e, &m, ICMP6_ECHO_REQUEST, &r);

	if (err < 0)
		return err;
	memcpy(CMSG_DATA(&control.align), &info, sizeof(info));
	/* the kernel fills in the checksum of ICMPv6 (RFC 3542 section 3.1) */
	return send_from(e->io6.fd, &sa, sizeof(sa), &m, &control, sizeof(control));
}

void echo_forget(struct echo *e, unsigned int ifindex)
{
	if (e)
		echo_book_forget(e->book, ifindex);
}
