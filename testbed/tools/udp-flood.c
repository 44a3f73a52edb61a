/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What packets cost: datagrams of one size, a few at a time, and the processor time of the whole machine meanwhile.
 *
 *   udp-flood to ADDRESS PORT COUNT     sends COUNT to there
 *   udp-flood back PORT COUNT           prints `ready`, waits for a datagram and sends COUNT to whom it came from
 *   udp-flood ask ADDRESS PORT          sends that one, with a port of its own, and waits for nothing
 *
 * The first two print nanoseconds of processor time a packet, of a machine with one processor.
 */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define SIZE 1000	 /* bytes of a datagram */
#define AT_A_TIME 16	 /* far fewer than a device's queue takes */
#define PAUSE_NS 200000	 /* then others may run */
#define REST_NS 50000000 /* until the last one has come wherever it goes */

static void die(const char *what)
{
	perror(what);
	exit(2);
}

static void pause_for(long ns)
{
	struct timespec t = { 0, ns };

	nanosleep(&t, NULL);
}

/* That tasks had, with the interrupts in them. How long it was idle stands among the timers too, but to read that costs
 * the square of their number, and each SA has one. */
static uint64_t busy_ns(void)
{
	char line[512];
	uint64_t ns = 0;
	int found = 0;
	FILE *f = fopen("/proc/schedstat", "re");

	if (!f)
		die("/proc/schedstat");
	while (fgets(line, sizeof(line), f))
		found += sscanf(line, "cpu%*u %*u %*u %*u %*u %*u %*u %lu", &ns) == 1;
	fclose(f);
	if (found != 1)
		die("not one processor");
	return ns;
}

static void flood(int fd, unsigned long n)
{
	static const char data[SIZE];

	for (unsigned long i = 1; i <= n; i++) {
		if (send(fd, data, sizeof(data), 0) != SIZE)
			die("send");
		if (i % AT_A_TIME == 0)
			pause_for(PAUSE_NS);
	}
	pause_for(REST_NS);
}

static int measure(int fd, const char *count)
{
	unsigned long n = strtoul(count, NULL, 10);
	uint64_t began;

	if (!n)
		return 2;
	flood(fd, AT_A_TIME); /* what is done once */
	began = busy_ns();
	flood(fd, n);
	printf("%.1f\n", (double)(busy_ns() - began) / (double)n);
	return 0;
}

static int open_to(const char *address, const char *port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)) };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (fd < 0 || inet_pton(AF_INET, address, &sa.sin_addr) != 1 ||
	    connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		die(address);
	return fd;
}

static int open_for(const char *port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)) };
	socklen_t len = sizeof(sa);
	char buf[16];
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		die("bind");
	puts("ready");
	fflush(stdout);
	if (recvfrom(fd, buf, sizeof(buf), 0, (struct sockaddr *)&sa, &len) < 0 ||
	    connect(fd, (struct sockaddr *)&sa, len) < 0)
		die("receive");
	return fd;
}

int main(int argc, char **argv)
{
	if (argc == 5 && strcmp(argv[1], "to") == 0)
		return measure(open_to(argv[2], argv[3]), argv[4]);
	if (argc == 4 && strcmp(argv[1], "back") == 0)
		return measure(open_for(argv[2]), argv[3]);
	if (argc == 4 && strcmp(argv[1], "ask") == 0)
		return send(open_to(argv[2], argv[3]), "?", 1, 0) == 1 ? 0 : 2;
	fprintf(stderr, "udp-flood: to ADDRESS PORT COUNT | back PORT COUNT | ask ADDRESS PORT\n");
	return 2;
}
