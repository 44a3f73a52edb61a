/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Traffic of every kind that a queueing discipline may meet, through a device that may vanish at any moment; and what
 * comes of it. Root only.
 *
 *   tfc-traffic sink                        takes what comes by TCP and UDP
 *   tfc-traffic talk DEVICE IPV4 IPV6       until it is killed: datagrams, segmented ones, TCP, ESP of many circuits,
 * noise that is no packet; and captures that hold on to copies of all of it tfc-traffic sizes DEVICE MILLISECONDS   of
 * the ESP packets over IPv6 that DEVICE sends: a line "LENGTH COUNT" for each length
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/udp.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip6.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PORT 7000
#define ROUNDS 64 /* until all sockets are new, for the device may be too */
#define PAUSE_US 4000
#define LENGTH_MAX 65536

static char bytes[32768]; /* whatever is sent */

struct ways {
	int udp4, udp6, cut, tcp, esp, noise, capture;
};

static struct sockaddr_in address4(const char *text)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(PORT) };

	inet_pton(AF_INET, text, &a.sin_addr);
	return a;
}

static struct sockaddr_in6 address6(const char *text, uint16_t port)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6, .sin6_port = htons(port) };

	inet_pton(AF_INET6, text, &a.sin6_addr);
	return a;
}

static int capture(const char *device)
{
	struct sockaddr_ll a = { .sll_family = AF_PACKET,
				 .sll_protocol = htons(ETH_P_ALL),
				 .sll_ifindex = (int)if_nametoindex(device) };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, 0);

	if (fd >= 0)
		bind(fd, (struct sockaddr *)&a, sizeof(a));
	return fd;
}

static int connecting(const struct sockaddr *a, socklen_t len, int type, int protocol)
{
	int fd = socket(a->sa_family, type | SOCK_NONBLOCK, protocol);

	if (fd >= 0)
		(void)!connect(fd, a, len);
	return fd;
}

static struct ways ways_open(const char *device, const char *ipv4, const char *ipv6)
{
	struct sockaddr_in a4 = address4(ipv4);
	struct sockaddr_in6 a6 = address6(ipv6, PORT), raw = address6(ipv6, 0);
	struct ways w = {
		.udp4 = connecting((struct sockaddr *)&a4, sizeof(a4), SOCK_DGRAM, 0),
		.udp6 = connecting((struct sockaddr *)&a6, sizeof(a6), SOCK_DGRAM, 0),
		.cut = connecting((struct sockaddr *)&a6, sizeof(a6), SOCK_DGRAM, 0),
		.tcp = connecting((struct sockaddr *)&a6, sizeof(a6), SOCK_STREAM, 0),
		.esp = connecting((struct sockaddr *)&raw, sizeof(raw), SOCK_RAW, IPPROTO_ESP),
		.noise = socket(AF_PACKET, SOCK_DGRAM, 0),
		.capture = capture(device),
	};
	int segment = 900;

	setsockopt(w.cut, IPPROTO_UDP, UDP_SEGMENT, &segment, sizeof(segment));
	return w;
}

static void ways_close(const struct ways *w)
{
	const int fds[] = { w->udp4, w->udp6, w->cut, w->tcp, w->esp, w->noise, w->capture };

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		close(fds[i]);
}

static size_t any(size_t least, size_t most)
{
	return least + (size_t)random() % (most - least + 1);
}

static void put(int fd, size_t len)
{
	(void)!send(fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* No packet, or one that its header lies about. */
static void put_noise(int fd, const char *device)
{
	static const uint16_t protocols[] = { ETH_P_IP, ETH_P_IPV6, ETH_P_ARP, ETH_P_IP };
	struct sockaddr_ll to = { .sll_family = AF_PACKET,
				  .sll_protocol = htons(protocols[any(0, 3)]),
				  .sll_ifindex = (int)if_nametoindex(device) };

	bytes[0] = (char)(random() % 2 ? 0x45 : random() % 2 ? 0x60 : 0x4f);
	(void)!sendto(fd, bytes, any(0, 1400), MSG_DONTWAIT, (struct sockaddr *)&to, sizeof(to));
}

/* To the far end, or to one of its neighbours by number, whom it does not have to have. */
static void put_near(int fd, const char *ipv6, uint16_t port, size_t len)
{
	struct sockaddr_in6 to = address6(ipv6, port);

	if (random() % 2)
		to.sin6_addr.s6_addr[15] = (uint8_t)any(2, 41);
	(void)!sendto(fd, bytes, len, MSG_DONTWAIT, (struct sockaddr *)&to, sizeof(to));
}

static void talk_once(const struct ways *w, const char *device, const char *ipv6)
{
	uint32_t spi = htonl((uint32_t)any(1000, 1020));

	put(w->udp4, any(1, 1200));
	put_near(w->udp6, ipv6, PORT, any(1, 1200));
	if (random() % 4 == 0)
		put(w->cut, any(900, 9000));
	put(w->tcp, sizeof(bytes));
	put_noise(w->noise, device);
	memcpy(bytes, &spi, sizeof(spi));
	put_near(w->esp, ipv6, 0, any(8, 1300));
}

static _Noreturn void talk(const char *device, const char *ipv4, const char *ipv6)
{
	for (;;) {
		struct ways w = ways_open(device, ipv4, ipv6);
		for (int i = 0; i < ROUNDS; i++) {
			talk_once(&w, device, ipv6);
			usleep(PAUSE_US);
		}
		ways_close(&w);
	}
}

static int listening(int type)
{
	struct sockaddr_in6 a = address6("::", PORT);
	int fd = socket(AF_INET6, type, 0), on = 1;

	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || (type == SOCK_STREAM && listen(fd, 8) < 0)) {
		perror("tfc-traffic: sink");
		exit(1);
	}
	return fd;
}

/* The connection that came last is the one that counts: those before are of a talker that has new ones. */
static int sink(void)
{
	struct pollfd p[] = { { listening(SOCK_STREAM), POLLIN, 0 },
			      { listening(SOCK_DGRAM), POLLIN, 0 },
			      { -1, POLLIN, 0 } };

	for (;;) {
		if (poll(p, 3, -1) < 0)
			return 1;
		if (p[0].revents) {
			close(p[2].fd);
			p[2].fd = accept(p[0].fd, NULL, NULL);
			p[2].revents = 0;
		}
		if (p[1].revents)
			(void)!recv(p[1].fd, bytes, sizeof(bytes), MSG_DONTWAIT);
		if (p[2].revents && recv(p[2].fd, bytes, sizeof(bytes), MSG_DONTWAIT) <= 0) {
			close(p[2].fd);
			p[2].fd = -1;
		}
	}
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int sizes(const char *device, int64_t ms)
{
	static unsigned int count[LENGTH_MAX];
	struct pollfd p = { capture(device), POLLIN, 0 };
	int64_t end = now_ms() + ms, left;

	while ((left = end - now_ms()) > 0 && poll(&p, 1, (int)left) >= 0) {
		struct sockaddr_ll from;
		socklen_t from_len = sizeof(from);
		const struct ip6_hdr *ip6 = (const struct ip6_hdr *)(bytes + ETH_HLEN);
		ssize_t len = recvfrom(p.fd, bytes, sizeof(bytes), MSG_DONTWAIT, (struct sockaddr *)&from, &from_len);
		if (len >= ETH_HLEN + (ssize_t)sizeof(*ip6) && from.sll_pkttype == PACKET_OUTGOING &&
		    from.sll_protocol == htons(ETH_P_IPV6) && ip6->ip6_nxt == IPPROTO_ESP)
			count[len - ETH_HLEN]++;
	}
	for (size_t i = 0; i < LENGTH_MAX; i++)
		if (count[i])
			printf("%zu %u\n", i, count[i]);
	return 0;
}

int main(int argc, char **argv)
{
	srandom(1);
	if (argc == 2 && strcmp(argv[1], "sink") == 0)
		return sink();
	if (argc == 5 && strcmp(argv[1], "talk") == 0)
		talk(argv[2], argv[3], argv[4]);
	if (argc == 4 && strcmp(argv[1], "sizes") == 0)
		return sizes(argv[2], atoll(argv[3]));
	fprintf(stderr, "usage: tfc-traffic sink | talk DEVICE IPV4 IPV6 | sizes DEVICE MILLISECONDS\n");
	return 2;
}
