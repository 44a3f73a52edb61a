/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "anond/echo.h"

#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <sodium.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "lib/cleanup.h"

/*
 * The exit must learn nothing from an echo that would tell two circuits of one client together (a counter, a clock),
 * and must not be able to answer one it has not seen: identifier and sequence number are random, and what we want
 * to know when the answer comes is sealed in the payload.
 */
struct sealed {
	uint64_t sent_us;
	uint16_t id;
	uint8_t pad[6];
};

struct payload {
	uint8_t nonce[crypto_secretbox_NONCEBYTES];
	uint8_t box[crypto_secretbox_MACBYTES + sizeof(struct sealed)];
};

struct message {
	struct icmphdr head; /* the echo header has the same layout in both families */
	struct payload payload;
};

struct echo {
	struct ev_loop *loop;
	ev_io io4, io6;
	echo_fn fn;
	void *ctx;
	uint8_t key[crypto_secretbox_KEYBYTES];
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

static void receive(struct echo *e, int fd, uint8_t reply_type, bool with_ip_header)
{
	uint8_t buf[2048];
	struct message m;
	struct sealed what;
	uint64_t now;
	ssize_t n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
	size_t skip = with_ip_header && n > 0 ? (size_t)(buf[0] & 15) * 4 : 0;

	if (n < 0 || (size_t)n < skip + sizeof(m))
		return;
	memcpy(&m, buf + skip, sizeof(m));
	if (m.head.type != reply_type || m.head.code != 0)
		return;
	if (crypto_secretbox_open_easy((uint8_t *)&what, m.payload.box, sizeof(m.payload.box), m.payload.nonce,
				       e->key) != 0)
		return;
	now = now_us();
	if (what.sent_us <= now && now - what.sent_us <= UINT32_MAX)
		e->fn(e->ctx, what.id, (uint32_t)(now - what.sent_us));
}

static void on_io4(struct ev_loop *loop, ev_io *w, int events)
{
	(void)loop;
	(void)events;
	receive(w->data, w->fd, ICMP_ECHOREPLY, true);
}

static void on_io6(struct ev_loop *loop, ev_io *w, int events)
{
	(void)loop;
	(void)events;
	receive(w->data, w->fd, ICMP6_ECHO_REPLY, false);
}

static int socket4(void)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_ICMP);
	const uint32_t pass = ~(1u << ICMP_ECHOREPLY);

	/* ICMP_FILTER (1) of <linux/icmp.h>, which cannot be included beside <netinet/ip_icmp.h>. */
	if (fd < 0 || setsockopt(fd, SOL_RAW, 1, &pass, sizeof(pass)) < 0)
		return -errno;
	return steal_fd(&fd);
}

static int socket6(void)
{
	_cleanup_close_ int fd = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_ICMPV6);
	struct icmp6_filter pass;

	ICMP6_FILTER_SETBLOCKALL(&pass);
	ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &pass);
	if (fd < 0 || setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &pass, sizeof(pass)) < 0)
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
	if (!e) {
		close(fd4);
		close(fd6);
		return -ENOMEM;
	}
	e->loop = loop;
	e->fn = fn;
	e->ctx = ctx;
	randombytes_buf(e->key, sizeof(e->key));
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
	sodium_memzero(e->key, sizeof(e->key));
	free(e);
}

static void fill(const struct echo *e, struct message *m, uint8_t type, uint16_t id)
{
	const struct sealed what = { .sent_us = now_us(), .id = id };

	memset(m, 0, sizeof(*m));
	m->head.type = type;
	randombytes_buf(&m->head.un.echo, sizeof(m->head.un.echo));
	randombytes_buf(m->payload.nonce, sizeof(m->payload.nonce));
	crypto_secretbox_easy(m->payload.box, (const uint8_t *)&what, sizeof(what), m->payload.nonce, e->key);
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

int echo_send4(struct echo *e, unsigned int ifindex, struct in_addr from, struct in_addr to, uint16_t id)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr = to };
	struct in_pktinfo info = { .ipi_ifindex = (int)ifindex, .ipi_spec_dst = from };
	union {
		char buf[CMSG_SPACE(sizeof(info))];
		struct cmsghdr align;
	} control = { .align = {
			      .cmsg_len = CMSG_LEN(sizeof(info)), .cmsg_level = IPPROTO_IP, .cmsg_type = IP_PKTINFO } };
	struct message m;

	memcpy(CMSG_DATA(&control.align), &info, sizeof(info));
	fill(e, &m, ICMP_ECHO, id);
	m.head.checksum = checksum(&m, sizeof(m));
	return send_from(e->io4.fd, &sa, sizeof(sa), &m, &control, sizeof(control));
}

int echo_send6(struct echo *e, unsigned int ifindex, const struct in6_addr *from, const struct in6_addr *to,
	       uint16_t id)
{
	struct sockaddr_in6 sa = { .sin6_family = AF_INET6, .sin6_addr = *to };
	struct in6_pktinfo info = { .ipi6_addr = *from, .ipi6_ifindex = ifindex };
	union {
		char buf[CMSG_SPACE(sizeof(info))];
		struct cmsghdr align;
	} control = {
		.align = { .cmsg_len = CMSG_LEN(sizeof(info)), .cmsg_level = IPPROTO_IPV6, .cmsg_type = IPV6_PKTINFO }
	};
	struct message m;

	memcpy(CMSG_DATA(&control.align), &info, sizeof(info));
	fill(e, &m, ICMP6_ECHO_REQUEST, id); /* the kernel fills in the checksum of ICMPv6 (RFC 3542 section 3.1) */
	return send_from(e->io6.fd, &sa, sizeof(sa), &m, &control, sizeof(control));
}
