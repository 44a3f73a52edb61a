/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Many circuits at relays, by the product's own modules.
 *
 *   circuit-load build NETWORK KEY FROM COUNT RELAY...
 *       Takes the place of anond on a client whose link to the first RELAY is up, and builds COUNT circuits through all
 *       of them, some at a time; FROM is our overlay address on that link. Prints `built SECONDS`, waits for a line on
 *       standard input, destroys them and prints `destroyed SECONDS`.
 *
 *   circuit-load install|remove FIRST COUNT JOURNAL OWN PREV-LINK PREV NEXT-LINK NEXT
 *   circuit-load install|remove FIRST COUNT JOURNAL OWN PREV-LINK PREV exit POOL SKIP
 *       On a relay's host: what its anond would make in the kernel for circuits that came over link PREV-LINK from the
 *       neighbour PREV and go on over NEXT-LINK to NEXT, or leave there with addresses of the /16 POOL, of which SKIP
 *       is in use. Circuit number n is the same each time, so that `remove` takes away what `install` made. Their lines
 *       go to JOURNAL, the table from which anond takes up circuits when it starts. Prints `done SECONDS`.
 *
 * Times are of the monotonic clock and do not include the program's start.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "anond/record.h"
#include "circuit/origin.h"
#include "directory/network.h"
#include "kernel/ops.h"
#include "lib/clock.h"
#include "lib/secmem.h"
#include "model/ids.h"
#include "model/overlay.h"
#include "plan/plan.h"

#define AT_A_TIME 16	 /* of what is built or destroyed: fits into each relay's socket buffer */
#define ANSWER_MS 60000	 /* no answer for so long: given up */
#define LIFETIME_S 7000	 /* relays take 7200 */
#define POOL_HOSTS 65532 /* of a /16, without its first two, its last and SKIP */

static void die(const char *what)
{
	fprintf(stderr, "circuit-load: %s\n", what);
	exit(2);
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void tell(const char *what, double began)
{
	printf("%s %.6f\n", what, seconds() - began);
	fflush(stdout);
}

static uint32_t number(const char *text, uint32_t max)
{
	char *end;
	unsigned long n = strtoul(text, &end, 0);

	if (*end || end == text || n > max)
		die("a number is expected");
	return (uint32_t)n;
}

static struct in6_addr address6(const char *text)
{
	struct in6_addr a;

	if (inet_pton(AF_INET6, text, &a) != 1)
		die("an IPv6 address is expected");
	return a;
}

static struct in_addr address4(const char *text)
{
	struct in_addr a;

	if (inet_pton(AF_INET, text, &a) != 1)
		die("an IPv4 address is expected");
	return a;
}

/* ---- build ---- */

struct client {
	struct network *net;
	struct relay path[HOPS_MAX];
	size_t n_hops;
	struct link link;
	int fd;
	struct origin **v;
	uint32_t n;
};

static void read_network(struct client *c, const char *path, const char *text)
{
	uint8_t key[NETWORK_KEY_LEN];
	struct error err = { "" };

	if (network_key_parse(text, key) < 0)
		die("KEY is no network key");
	if (network_load(path, key, clock_wall_s(), &c->net, &err) < 0)
		die(err.text);
}

static void add_hop(struct client *c, const char *name)
{
	for (size_t i = 0; i < c->net->n_relays; i++)
		if (strcmp(c->net->relays[i].name, name) == 0) {
			c->path[c->n_hops++] = c->net->relays[i];
			return;
		}
	die("no such relay");
}

static int open_socket(const struct link *l)
{
	struct sockaddr_in6 sa = { .sin6_family = AF_INET6, .sin6_port = htons(ANON_CTRL_PORT), .sin6_addr = l->self };
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		die("cannot bind the control port: does anond still run?");
	sa.sin6_addr = l->remote;
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		die("no way to the relay's overlay address");
	return fd;
}

/* Whatever else is asked for is nothing that is measured here. */
static void send_all(const struct client *c, struct actions *as)
{
	for (size_t i = 0; i < as->n; i++)
		if (as->v[i].type == ACTION_SEND && send(c->fd, as->v[i].msg, CTRL_MSG_LEN, 0) != CTRL_MSG_LEN)
			die("cannot send");
	actions_clear(as);
}

static void begin(struct client *c, uint32_t n)
{
	struct origin_config oc = {
		.slot = 1,
		.path = c->path,
		.n_hops = c->n_hops,
		.want4 = true,
		.want6 = true,
		.suite = SUITE_AES128_GCM_16,
		.suite_beet = SUITE_AES128_GCM_8,
		.timing = origin_timing_default,
		.rng = &rng_system,
	};
	struct actions as = { 0 };

	oc.timing.lifetime_s = LIFETIME_S;
	if (origin_new(&oc, clock_monotonic_ms(), clock_wall_s(), &as, &c->v[n]) < 0)
		die("cannot begin a circuit");
	origin_link_up(c->v[n], clock_monotonic_ms(), &c->link, &as);
	send_all(c, &as);
}

static void end(struct client *c, uint32_t n)
{
	struct actions as = { 0 };

	origin_close(c->v[n], clock_monotonic_ms(), &as);
	send_all(c, &as);
}

static size_t receive(const struct client *c, uint8_t buf[CTRL_MSG_LEN])
{
	struct pollfd p = { .fd = c->fd, .events = POLLIN };
	ssize_t n;

	if (poll(&p, 1, ANSWER_MS) <= 0)
		die("no answer");
	n = recv(c->fd, buf, CTRL_MSG_LEN, 0);
	return n < 0 ? 0 : (size_t)n;
}

/* One of those from `from` to `to` is built; another answer is the end. */
static bool is_built(struct client *c, uint32_t from, uint32_t to, const uint8_t *msg, size_t len)
{
	for (uint32_t i = from; i < to; i++) {
		struct actions as = { 0 };

		if (!origin_message(c->v[i], clock_monotonic_ms(), msg, len, &as))
			continue;
		if (origin_state(c->v[i])->phase != ORIGIN_INSTALLING) {
			fprintf(stderr, "circuit-load: circuit %u: failure %d, hop %u, %s\n", i,
				(int)origin_state(c->v[i])->failure, origin_state(c->v[i])->hop,
				ctrl_status_name(origin_state(c->v[i])->status));
			exit(2);
		}
		actions_clear(&as);
		return true;
	}
	return false;
}

static void build_some(struct client *c, uint32_t from, uint32_t to)
{
	uint8_t buf[CTRL_MSG_LEN];

	for (uint32_t i = from; i < to; i++)
		begin(c, i);
	for (uint32_t done = 0; done < to - from;)
		done += is_built(c, from, to, buf, receive(c, buf));
}

static void destroy_some(struct client *c, uint32_t from, uint32_t to)
{
	uint8_t buf[CTRL_MSG_LEN];
	struct ctrl_msg m;

	for (uint32_t i = from; i < to; i++)
		end(c, i);
	for (uint32_t done = 0; done < to - from;)
		done += ctrl_decode(buf, receive(c, buf), &m) == 0 && m.type == CTRL_DESTROY_ACK;
}

static void in_turn(struct client *c, void (*some)(struct client *c, uint32_t from, uint32_t to), const char *what)
{
	double began = seconds();

	for (uint32_t i = 0; i < c->n; i += AT_A_TIME)
		some(c, i, i + AT_A_TIME < c->n ? i + AT_A_TIME : c->n);
	tell(what, began);
}

static int build(int argc, char **argv)
{
	struct client c = { .n = 0 };

	if (argc < 5 || argc > 4 + HOPS_MAX)
		die("usage: build NETWORK KEY FROM COUNT RELAY...");
	read_network(&c, argv[0], argv[1]);
	for (int i = 4; i < argc; i++)
		add_hop(&c, argv[i]);
	c.n = number(argv[3], 1000000);
	c.v = calloc(c.n, sizeof(*c.v));
	if (!c.v)
		die("out of memory");
	c.link = (struct link){ .kind = LINK_KIND_GUARD,
				.number = LINK_FIRST,
				.peer = c.path[0].id,
				.self = address6(argv[2]),
				.remote = overlay_relay(&c.path[0].id),
				.mtu = c.net->link_mtu };
	c.fd = open_socket(&c.link);
	in_turn(&c, build_some, "built");
	while (getchar() != '\n' && !feof(stdin))
		;
	in_turn(&c, destroy_some, "destroyed");
	for (uint32_t i = 0; i < c.n; i++)
		origin_free(c.v[i]);
	free(c.v);
	network_free(c.net);
	close(c.fd);
	return 0;
}

/* ---- install, remove ---- */

struct fill {
	bool add;
	uint32_t first, n;
	struct in6_addr own;
	struct relay_record like; /* what all have in common */
	uint32_t pool, skip;	  /* host order */
	struct kernel *kernel;
	struct layer_keys *keys;
};

/* As good as drawn: the kernel's tables shall find no order. */
static uint64_t drawn(uint32_t circuit, uint8_t what)
{
	const uint8_t in[5] = { (uint8_t)(circuit >> 24), (uint8_t)(circuit >> 16), (uint8_t)(circuit >> 8),
				(uint8_t)circuit, what };
	uint64_t out;

	crypto_generichash((uint8_t *)&out, sizeof(out), in, sizeof(in), NULL, 0);
	return out;
}

/* Likewise, but no two are equal: a bijection of 30 bits. */
static uint32_t drawn_spi(uint32_t n)
{
	return SPI_MIN + (n * 0x9e3779b1u & 0x3fffffffu);
}

/* All over the pool, as anond draws them, for it looks for a free one from a drawn one on. Those that may be given are
 * walked to one another: what is not, is walked over. */
static uint32_t drawn_host(const struct fill *f, uint32_t n)
{
	uint32_t skip = f->skip - f->pool, h = n + 2;

	if (h >= skip)
		h++;
	do
		h = (h * 0x9e37u + 0x3779u) & 0xffff;
	while (h < 2 || h == 0xffff || h == skip);
	return h;
}

static void inner_of(const struct fill *f, uint32_t n, struct inner *in)
{
	in->has4 = in->has6 = true;
	in->addr4.s_addr = htonl(f->pool + drawn_host(f, n));
	in->addr6 = overlay_addr(&f->own, LINK_INNER, drawn(n, 'i'));
	in->gw4.s_addr = htonl(f->pool + 1);
	in->gw6 = overlay_gateway(&f->own);
}

static void record_of(const struct fill *f, uint32_t n, struct relay_record *r)
{
	struct relay_circuit *c = &r->circuit;

	*r = f->like;
	c->number = RELAY_CIRCUIT_MAX / 2 + n;
	c->layer = (struct layer){ .a = overlay_addr(&f->own, r->prev_link, drawn(n, 'a')),
				   .o = f->own,
				   .spi_fwd = drawn_spi(2 * n),
				   .spi_back = drawn_spi(2 * n + 1),
				   .suite = c->exit ? SUITE_AES128_GCM_16 : SUITE_AES128_GCM_8 };
	r->prev_handle = drawn(n, 'p');
	if (c->exit) {
		inner_of(f, n, &c->inner);
		return;
	}
	c->next_o = r->next_peer;
	c->next_a = overlay_addr(&r->next_peer, LINK_FIRST, drawn(n, 'n'));
	r->next_handle = drawn(n, 'h');
}

static void carry_out(const struct fill *f, uint32_t n)
{
	_cleanup_plan_ struct plan plan = { 0 };
	struct relay_record r;

	record_of(f, n, &r);
	randombytes_buf(f->keys, sizeof(*f->keys));
	if (plan_relay_circuit(&plan, &r.circuit, f->add ? f->keys : NULL) < 0)
		die("no plan for a circuit");
	if ((f->add ? kernel_apply(f->kernel, &plan) : kernel_remove(f->kernel, &plan)) < 0)
		die(kernel_error_text(f->kernel));
}

static void write_journal(const struct fill *f, const char *path)
{
	FILE *file = fopen(path, "ae");
	struct relay_record r;
	json_t *line;

	if (!file)
		die("cannot write JOURNAL");
	for (uint32_t i = f->first; i < f->first + f->n; i++) {
		record_of(f, i, &r);
		line = f->add ? json_pack("{s:o}", "add", record_of_relay(&r))
			      : json_pack("{s:I}", "del", (json_int_t)r.circuit.number);
		if (!line || json_dumpf(line, file, JSON_COMPACT) < 0 || fputc('\n', file) == EOF)
			die("cannot write JOURNAL");
		json_decref(line);
	}
	if (fclose(file) != 0)
		die("cannot write JOURNAL");
}

static void where_to(struct fill *f, int argc, char **argv)
{
	struct relay_record *r = &f->like;

	r->circuit.exit = argc == 3 && strcmp(argv[0], "exit") == 0;
	if (r->circuit.exit) {
		f->pool = ntohl(address4(argv[1]).s_addr);
		f->skip = ntohl(address4(argv[2]).s_addr);
		if (f->first + f->n > POOL_HOSTS)
			die("the pool has not so many");
	} else if (argc == 2) {
		r->next_link = (uint16_t)number(argv[0], LINK_LAST);
		r->next_peer = address6(argv[1]);
	} else {
		die("NEXT-LINK NEXT, or exit POOL SKIP");
	}
}

static int fill(bool add, int argc, char **argv)
{
	struct fill f = { .add = add };
	double began;

	if (argc < 8)
		die("usage: install|remove FIRST COUNT JOURNAL OWN PREV-LINK PREV NEXT-LINK NEXT");
	f.first = number(argv[0], 1000000);
	f.n = number(argv[1], 1000000);
	f.own = address6(argv[3]);
	f.like.prev_link = (uint16_t)number(argv[4], LINK_LAST);
	f.like.prev_peer = address6(argv[5]);
	f.like.expires = f.like.circuit.expires = clock_wall_s() + LIFETIME_S;
	where_to(&f, argc - 6, argv + 6);
	f.keys = secmem_alloc(sizeof(*f.keys));
	if (!f.keys || kernel_open(&f.kernel) < 0)
		die("no way to the kernel");
	began = seconds();
	for (uint32_t i = 0; i < f.n; i++)
		carry_out(&f, add ? f.first + i : f.first + f.n - 1 - i);
	tell("done", began);
	write_journal(&f, argv[2]);
	kernel_free(f.kernel);
	secmem_free(f.keys);
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (sodium_init() < 0)
		die("no libsodium");
	if (strcmp(what, "build") == 0)
		return build(argc - 2, argv + 2);
	if (strcmp(what, "install") == 0 || strcmp(what, "remove") == 0)
		return fill(strcmp(what, "install") == 0, argc - 2, argv + 2);
	die("build, install or remove");
}
