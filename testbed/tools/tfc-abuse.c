/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Asks the kernel for "anon_tfc" queueing disciplines as kmod/anon_tfc.h says, and for what it must refuse; and lets
 * every allocation of a request fail once. Commands are lines of standard input. Root only.
 *
 *   qdisc add|change|replace|del DEVICE [KEY=VALUE...]
 *   class add|del DEVICE NUMBER [SOURCE DESTINATION]
 *   send udp DESTINATION BYTES [SEGMENT]    a datagram, or with SEGMENT as many as the kernel cuts it into
 *   send tcp DESTINATION BYTES              on a connection made for it
 *   send esp DESTINATION BYTES SPI          no state of this host's; whatever follows the SPI is noise
 *   sleep MILLISECONDS
 *   faults PERCENT MILLISECONDS             so many of all allocations of slabs fail meanwhile, also those of
 * interrupts stats DEVICE                            the counters, one class a line, the qdisc's first try COMMAND
 * whatever comes of it refused COMMAND                         must fail failing DEVICE COMMAND / COMMAND        the
 * first one with its first, second, ... allocation failing until none is left to fail; the second undoes it (`-`: needs
 * none). DEVICE's settings must be those of before if the request failed, and else those that it made
 *
 * KEYs: kmod/anon_tfc.h's in lower case, times in nanoseconds, `unknown`, and `short` for a size of two bytes. Ends
 * with 1 at the first line that does not go as it should.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/gen_stats.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/udp.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../kmod/anon_tfc.h"

#define QDISC 0x10000u
#define PORT 7000
#define WORDS_MAX 24
#define FAILURES_MAX 4000
#define SETTINGS_MAX 65536
#define BUFFER_SIZE 32768
#define UNANSWERED 1

struct words {
	char *v[WORDS_MAX];
	int n;
};

/* What the kernel says of a device's qdiscs and classes, without what is counted. */
struct settings {
	unsigned int ifindex;
	size_t len;
	char b[SETTINGS_MAX];
};

static struct mnl_socket *netlink;
static unsigned int seq;
static int fail_fd = -1;
static unsigned int fail_nth; /* the allocation that shall fail; 0: none */
static bool failed_one;

static int run(const struct words *w);

/* Between these two an allocation fails, if one shall. Nothing else may stand there than the system call meant. */
static void fault_begin(void)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", fail_nth);

	if (fail_nth && pwrite(fail_fd, text, (size_t)len, 0) != len)
		exit(2);
}

static void fault_end(void)
{
	char text[16] = "";
	int saved = errno;

	if (fail_nth) {
		if (pread(fail_fd, text, sizeof(text) - 1, 0) < 1 || pwrite(fail_fd, "0", 1, 0) != 1)
			exit(2);
		failed_one = atoi(text) == 0;
	}
	errno = saved;
}

/* The kernel's answer, which a failed allocation may have swallowed: UNANSWERED. */
static int ask(struct nlmsghdr *h)
{
	char answer[BUFFER_SIZE];
	ssize_t len;

	h->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
	h->nlmsg_seq = ++seq;
	fault_begin();
	len = mnl_socket_sendto(netlink, h, h->nlmsg_len);
	fault_end();
	if (len < 0)
		return -errno;
	while ((len = recv(mnl_socket_get_fd(netlink), answer, sizeof(answer), MSG_DONTWAIT)) > 0) {
		const struct nlmsghdr *a = (const struct nlmsghdr *)answer;
		if (a->nlmsg_type == NLMSG_ERROR && a->nlmsg_seq == seq)
			return ((const struct nlmsgerr *)mnl_nlmsg_get_payload(a))->error;
	}
	return UNANSWERED;
}

static struct nlmsghdr *request(char *buffer, uint16_t type, uint16_t flags, const char *device, uint32_t parent,
				uint32_t handle)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(buffer);
	struct tcmsg *t = mnl_nlmsg_put_extra_header(h, sizeof(*t));

	h->nlmsg_type = type;
	h->nlmsg_flags = flags;
	t->tcm_ifindex = (int)if_nametoindex(device);
	t->tcm_parent = parent;
	t->tcm_handle = handle;
	if (type != RTM_GETQDISC && type != RTM_GETTCLASS)
		mnl_attr_put_strz(h, TCA_KIND, TFC_KIND);
	return h;
}

static int put_key(struct nlmsghdr *h, const char *word)
{
	static const struct {
		const char *name;
		uint16_t type;
		uint8_t size;
	} keys[] = {
		{ "size", TCA_TFC_SIZE, 4 },   { "interval", TCA_TFC_INTERVAL, 8 },
		{ "steps", TCA_TFC_STEPS, 4 }, { "step_time", TCA_TFC_STEP_TIME, 8 },
		{ "idle", TCA_TFC_IDLE, 8 },   { "window", TCA_TFC_WINDOW, 8 },
		{ "limit", TCA_TFC_LIMIT, 4 }, { "shared", TCA_TFC_SHARED, 1 },
		{ "unknown", 77, 4 },	       { "short", TCA_TFC_SIZE, 2 },
	};
	const char *value = strchr(word, '=');

	for (size_t i = 0; value && i < sizeof(keys) / sizeof(keys[0]); i++) {
		uint64_t n = strtoull(value + 1, NULL, 0); /* little-endian: its first bytes are the shorter ones */
		if (strlen(keys[i].name) == (size_t)(value - word) &&
		    strncmp(keys[i].name, word, strlen(keys[i].name)) == 0) {
			mnl_attr_put(h, keys[i].type, keys[i].size, &n);
			return 0;
		}
	}
	fprintf(stderr, "tfc-abuse: no such key: %s\n", word);
	exit(2);
}

static int run_qdisc(const struct words *w)
{
	char buffer[BUFFER_SIZE];
	const char *verb = w->v[1];
	uint16_t flags = strcmp(verb, "add") == 0	? NLM_F_CREATE | NLM_F_EXCL
			 : strcmp(verb, "replace") == 0 ? NLM_F_CREATE | NLM_F_REPLACE
							: 0;
	bool del = strcmp(verb, "del") == 0;
	struct nlmsghdr *h = request(buffer, del ? RTM_DELQDISC : RTM_NEWQDISC, flags, w->v[2], TC_H_ROOT, QDISC);
	struct nlattr *nest;

	if (del)
		return ask(h);
	nest = mnl_attr_nest_start(h, TCA_OPTIONS);
	for (int i = 3; i < w->n; i++)
		put_key(h, w->v[i]);
	mnl_attr_nest_end(h, nest);
	return ask(h);
}

static int run_class(const struct words *w)
{
	char buffer[BUFFER_SIZE];
	bool del = strcmp(w->v[1], "del") == 0;
	struct nlmsghdr *h = request(buffer, del ? RTM_DELTCLASS : RTM_NEWTCLASS, del ? 0 : NLM_F_CREATE | NLM_F_EXCL,
				     w->v[2], QDISC, QDISC | (uint32_t)strtoul(w->v[3], NULL, 0));
	struct nlattr *nest;
	struct in6_addr a;

	if (del)
		return ask(h);
	nest = mnl_attr_nest_start(h, TCA_OPTIONS);
	for (int i = 4; i < w->n && i < 6; i++) {
		if (inet_pton(AF_INET6, w->v[i], &a) != 1)
			return -EINVAL;
		mnl_attr_put(h, i == 4 ? TCA_TFC_PEER_SRC : TCA_TFC_PEER_DST, sizeof(a), &a);
	}
	mnl_attr_nest_end(h, nest);
	return ask(h);
}

static socklen_t destination(const char *text, struct sockaddr_storage *ret)
{
	struct sockaddr_in *a4 = (struct sockaddr_in *)ret;
	struct sockaddr_in6 *a6 = (struct sockaddr_in6 *)ret;

	memset(ret, 0, sizeof(*ret));
	if (inet_pton(AF_INET, text, &a4->sin_addr) == 1) {
		a4->sin_family = AF_INET;
		a4->sin_port = htons(PORT);
		return sizeof(*a4);
	}
	if (inet_pton(AF_INET6, text, &a6->sin6_addr) != 1)
		exit(2);
	a6->sin6_family = AF_INET6;
	a6->sin6_port = htons(PORT);
	return sizeof(*a6);
}

static int run_send(const struct words *w)
{
	static char bytes[65536];
	struct sockaddr_storage to;
	socklen_t to_len = destination(w->v[2], &to);
	size_t len = strtoul(w->v[3], NULL, 0);
	bool tcp = strcmp(w->v[1], "tcp") == 0, esp = strcmp(w->v[1], "esp") == 0;
	uint32_t spi = htonl(esp && w->n > 4 ? (uint32_t)strtoul(w->v[4], NULL, 0) : 0);
	int segment = !esp && w->n > 4 ? atoi(w->v[4]) : 0, result = 0;
	int fd = socket(to.ss_family, tcp ? SOCK_STREAM : esp ? SOCK_RAW : SOCK_DGRAM, esp ? IPPROTO_ESP : 0);

	if (fd < 0 || len > sizeof(bytes) ||
	    (segment && setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &segment, sizeof(segment)) < 0))
		exit(2);
	memcpy(bytes, &spi, sizeof(spi));
	if (esp && to.ss_family == AF_INET6)
		((struct sockaddr_in6 *)&to)->sin6_port = 0; /* a raw socket takes no port */
	if (tcp && connect(fd, (struct sockaddr *)&to, to_len) < 0)
		result = -errno;
	if (result == 0) {
		fault_begin();
		if (sendto(fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL, tcp ? NULL : (struct sockaddr *)&to,
			   tcp ? 0 : to_len) < 0)
			result = -errno;
		fault_end();
	}
	close(fd);
	return result;
}

static int take_attribute(const struct nlattr *a, void *arg)
{
	struct settings *s = arg;

	if (mnl_attr_get_type(a) == TCA_KIND || mnl_attr_get_type(a) == TCA_OPTIONS) {
		if (s->len + a->nla_len > sizeof(s->b))
			exit(2);
		memcpy(s->b + s->len, a, a->nla_len);
		s->len += a->nla_len;
	}
	return MNL_CB_OK;
}

static int take_settings(const struct nlmsghdr *h, void *arg)
{
	struct settings *s = arg;
	const struct tcmsg *t = mnl_nlmsg_get_payload(h);
	uint32_t id[2] = { t->tcm_parent, t->tcm_handle };

	if ((unsigned int)t->tcm_ifindex != s->ifindex || s->len + sizeof(id) > sizeof(s->b))
		return MNL_CB_OK;
	memcpy(s->b + s->len, id, sizeof(id));
	s->len += sizeof(id);
	return mnl_attr_parse(h, sizeof(*t), take_attribute, s);
}

/* Each message of the answer to a dump goes to `take`. */
static void dump(uint16_t type, const char *device, mnl_cb_t take, void *arg)
{
	char buffer[BUFFER_SIZE];
	struct nlmsghdr *h = request(buffer, type, NLM_F_REQUEST | NLM_F_DUMP, device, 0, 0);
	ssize_t len;

	h->nlmsg_seq = ++seq;
	if (mnl_socket_sendto(netlink, h, h->nlmsg_len) < 0)
		exit(2);
	while ((len = mnl_socket_recvfrom(netlink, buffer, sizeof(buffer))) > 0)
		if (mnl_cb_run(buffer, (size_t)len, seq, 0, take, arg) <= MNL_CB_STOP)
			return;
	perror("tfc-abuse: dump");
	exit(2);
}

static void settings_of(const char *device, struct settings *ret)
{
	ret->ifindex = if_nametoindex(device);
	ret->len = 0;
	dump(RTM_GETQDISC, device, take_settings, ret);
	dump(RTM_GETTCLASS, device, take_settings, ret);
}

static bool same(const struct settings *a, const struct settings *b)
{
	return a->len == b->len && memcmp(a->b, b->b, a->len) == 0;
}

/* Settings are as the answer to the request promises. */
static bool kept_its_word(int answer, const struct settings *now, const struct settings *before,
			  const struct settings *goal)
{
	if (answer == 0)
		return same(now, goal);
	return same(now, before) || (answer == UNANSWERED && same(now, goal));
}

static int undo(const struct words *w, const char *device, const struct settings *before)
{
	static struct settings now;

	if (w->n && strcmp(w->v[0], "-") != 0 && run(w) != 0)
		return -EBADE;
	settings_of(device, &now);
	return same(&now, before) ? 0 : -EBADE;
}

static int run_failing(const struct words *w)
{
	static struct settings before, goal, now;
	const char *device = w->v[1];
	struct words what = { .n = 0 }, back = { .n = 0 };
	unsigned int nth, survived = 0;
	int i, answer;

	for (i = 2; i < w->n && strcmp(w->v[i], "/") != 0; i++)
		what.v[what.n++] = w->v[i];
	for (i++; i < w->n; i++)
		back.v[back.n++] = w->v[i];
	settings_of(device, &before);
	if (run(&what) != 0)
		return -ENOTSUP;
	settings_of(device, &goal);
	for (nth = 1; nth < FAILURES_MAX; nth++) {
		if (!(same(&now, &before) && nth > 1) && undo(&back, device, &before) < 0)
			return printf("what is undone is not as before, after allocation %u\n", nth - 1), -EBADE;
		fail_nth = nth;
		answer = run(&what);
		fail_nth = 0;
		settings_of(device, &now);
		if (!kept_its_word(answer, &now, &before, &goal))
			return printf("allocation %u: answer %d, other settings\n", nth, answer), -EBADE;
		if (!failed_one)
			break;
		survived += answer == 0;
	}
	printf("%s %s: %u allocations failed, %u of them without harm\n", what.v[0], what.v[1], nth - 1, survived);
	return nth > 1 && nth < FAILURES_MAX ? 0 : -EBADE;
}

static int print_counters(const struct nlattr *a, void *arg)
{
	struct tc_tfc_xstats x;

	(void)arg;
	if (mnl_attr_get_type(a) != TCA_STATS_APP || mnl_attr_get_payload_len(a) != sizeof(x))
		return MNL_CB_OK;
	memcpy(&x, mnl_attr_get_payload(a), sizeof(x));
	printf(" real=%llu cover=%llu missed=%llu drop_size=%llu drop_full=%llu drop_aqm=%llu drop_nobody=%llu "
	       "drop_memory=%llu"
	       " changes=%llu waiting=%u circuits=%u step=%u on=%u peers=%u",
	       x.real, x.cover, x.missed, x.drop_size, x.drop_full, x.drop_aqm, x.drop_nobody, x.drop_memory, x.changes,
	       x.waiting, x.circuits, x.step, x.on, x.peers);
	return MNL_CB_OK;
}

static int print_stats2(const struct nlattr *a, void *arg)
{
	return mnl_attr_get_type(a) == TCA_STATS2 ? mnl_attr_parse_nested(a, print_counters, arg) : MNL_CB_OK;
}

static int print_stats(const struct nlmsghdr *h, void *arg)
{
	const unsigned int *ifindex = arg;
	const struct tcmsg *t = mnl_nlmsg_get_payload(h);

	if ((unsigned int)t->tcm_ifindex != *ifindex)
		return MNL_CB_OK;
	printf("%x:%x", t->tcm_handle >> 16, t->tcm_handle & 0xffff);
	mnl_attr_parse(h, sizeof(*t), print_stats2, NULL);
	printf("\n");
	return MNL_CB_OK;
}

static int run_stats(const struct words *w)
{
	unsigned int ifindex = if_nametoindex(w->v[1]);

	dump(RTM_GETQDISC, w->v[1], print_stats, &ifindex);
	dump(RTM_GETTCLASS, w->v[1], print_stats, &ifindex);
	return 0;
}

static struct words rest(const struct words *w)
{
	struct words r = { .n = w->n - 1 };

	memcpy(r.v, w->v + 1, (size_t)r.n * sizeof(r.v[0]));
	return r;
}

static int run_try(const struct words *w)
{
	struct words r = rest(w);

	run(&r);
	return 0;
}

static int run_refused(const struct words *w)
{
	struct words r = rest(w);

	return run(&r) < 0 ? 0 : -EBADE;
}

static int run_sleep(const struct words *w)
{
	return usleep((useconds_t)atoi(w->v[1]) * 1000);
}

/* Only this process runs meanwhile, if the caller waits for it: others would be hit. */
static int run_faults(const struct words *w)
{
	int fd = open("/sys/kernel/debug/failslab/probability", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, w->v[1], strlen(w->v[1])) < 0)
		return -errno;
	usleep((useconds_t)atoi(w->v[2]) * 1000);
	while (write(fd, "0", 1) != 1)
		; /* it has to allocate, too */
	close(fd);
	return 0;
}

static int run(const struct words *w)
{
	static const struct {
		const char *name;
		int least;
		int (*run)(const struct words *w);
	} commands[] = {
		{ "qdisc", 3, run_qdisc },     { "class", 4, run_class },   { "send", 4, run_send },
		{ "sleep", 2, run_sleep },     { "faults", 3, run_faults }, { "stats", 2, run_stats },
		{ "failing", 3, run_failing }, { "try", 2, run_try },	    { "refused", 2, run_refused },
	};

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (w->n >= commands[i].least && strcmp(w->v[0], commands[i].name) == 0)
			return commands[i].run(w);
	fprintf(stderr, "tfc-abuse: %s?\n", w->n ? w->v[0] : "");
	exit(2);
}

int main(void)
{
	char line[1024], copy[1024];

	netlink = mnl_socket_open(NETLINK_ROUTE);
	fail_fd = open("/proc/self/fail-nth", O_RDWR | O_CLOEXEC); /* not there: `failing` does not work */
	if (!netlink || mnl_socket_bind(netlink, 0, MNL_SOCKET_AUTOPID) < 0)
		return 2;
	while (fgets(line, sizeof(line), stdin)) {
		struct words w = { .n = 0 };
		int answer;
		strcpy(copy, line);
		for (char *p = strtok(line, " \t\n"); p && w.n < WORDS_MAX; p = strtok(NULL, " \t\n"))
			w.v[w.n++] = p;
		if (w.n == 0)
			continue;
		answer = run(&w);
		fflush(stdout);
		if (answer != 0) {
			printf("%s: %.*s\n", answer < 0 ? strerror(-answer) : "no answer", (int)strcspn(copy, "\n"),
			       copy);
			return 1;
		}
	}
	return 0;
}
