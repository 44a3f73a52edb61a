/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sends one chosen CREATE to a relay and prints what comes back: `outer STATUS`, or `inner STATUS` if the relay could
 * open it, or `no answer`. It takes the place of anond on the host of a client whose link to that relay is up.
 *
 *   create_attack NETWORK KEY RELAY FROM WHAT [FILE]
 *
 *   NETWORK, KEY  the network file and the public key that signed it (base64)
 *   RELAY         an exit: the CREATE asks for a circuit of one hop
 *   FROM          our overlay address on the link
 *   WHAT          one of `attacks` below. FILE takes a copy of what was sent; replay, again, top-bit and old read it
 *
 * A circuit that comes to be is destroyed again, except by `keep`.
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

#include "circuit/handshake.h"
#include "directory/network.h"
#include "model/ids.h"
#include "model/overlay.h"
#include "wire/ctrl.h"

#define ANSWER_MS 4000
#define LIFETIME_S 600
#define NOISE_AT (CTRL_CREATE_HEAD + 4) /* of message 1 in the datagram; it begins with the ephemeral key */

struct attack {
	const struct relay *to;
	struct in6_addr from;
	const char *file;
	uint8_t msg[CTRL_MSG_LEN + 1];
	size_t len;
	uint64_t handle;
	struct noise *noise; /* NULL: the answer cannot be opened */
	bool keep;
};

static void die(const char *what)
{
	fprintf(stderr, "create_attack: %s\n", what);
	exit(2);
}

/* A CREATE as an honest client would send it. */
static void make(struct attack *a, uint64_t expires, const struct ctrl_offer *offer)
{
	struct ctrl_offer o = *offer;
	uint8_t plain[256], body[512];
	struct ctrl_msg m = { .type = CTRL_CREATE, .handle = a->handle };
	size_t len, sealed;

	o.expires = expires;
	o.spi_back = SPI_MIN + randombytes_uniform(SPI_MAX - SPI_MIN);
	if (handshake_initiator(a->to, &rng_system, &a->noise) < 0 ||
	    ctrl_offer_encode(&o, plain, sizeof(plain), &len) < 0 ||
	    noise_write(a->noise, plain, len, body + 4, sizeof(body) - 4, &sealed) < 0)
		die("cannot make a CREATE");
	body[0] = (uint8_t)(a->to->onion_key_id >> 24);
	body[1] = (uint8_t)(a->to->onion_key_id >> 16);
	body[2] = (uint8_t)(a->to->onion_key_id >> 8);
	body[3] = (uint8_t)a->to->onion_key_id;
	m.create = (struct ctrl_view){ body, sealed + 4 };
	if (ctrl_encode(&m, a->msg) < 0)
		die("cannot encode a CREATE");
	a->len = CTRL_MSG_LEN;
}

static const struct ctrl_offer exit_offer = { .suite = SUITE_AES128_GCM_16,
					      .kind = CTRL_KIND_EXIT,
					      .families = CTRL_FAMILY_V4 };

static uint64_t now(void)
{
	return (uint64_t)time(NULL);
}

static void attack_valid(struct attack *a)
{
	make(a, now() + LIFETIME_S, &exit_offer);
}

static void attack_keep(struct attack *a)
{
	attack_valid(a);
	a->keep = true;
}

static void attack_expired(struct attack *a)
{
	make(a, now() - 1, &exit_offer);
}

static void attack_future(struct attack *a)
{
	make(a, now() + 30 * 86400, &exit_offer);
}

static void attack_forever(struct attack *a)
{
	make(a, UINT64_MAX, &exit_offer);
}

static void attack_unknown_key(struct attack *a)
{
	attack_valid(a);
	for (int i = 0; i < 4; i++)
		a->msg[CTRL_CREATE_HEAD + i] ^= 0x5a;
}

static void attack_flip(struct attack *a)
{
	attack_valid(a);
	a->msg[NOISE_AT + 32 + 3] ^= 1;
}

static void attack_flip_key(struct attack *a)
{
	attack_valid(a);
	a->msg[NOISE_AT + 5] ^= 1;
}

static void attack_zero_key(struct attack *a)
{
	attack_valid(a);
	memset(a->msg + NOISE_AT, 0, 32);
}

static void attack_truncated(struct attack *a)
{
	attack_valid(a);
	a->len = 100;
}

static void attack_oversize(struct attack *a)
{
	attack_valid(a);
	a->len = CTRL_MSG_LEN + 1;
}

/* The body says it is shorter than it is: its end, the tag, is cut off. */
static void attack_short_body(struct attack *a)
{
	attack_valid(a);
	a->msg[CTRL_CREATE_HEAD - 1]--;
}

static void attack_tiny_body(struct attack *a)
{
	attack_valid(a);
	a->msg[CTRL_CREATE_HEAD - 2] = 0;
	a->msg[CTRL_CREATE_HEAD - 1] = 1;
}

static void attack_long_body(struct attack *a)
{
	attack_valid(a);
	a->msg[CTRL_CREATE_HEAD - 2] = 0xff;
}

static void attack_garbage(struct attack *a)
{
	a->len = CTRL_MSG_LEN;
	randombytes_buf(a->msg, a->len);
}

static void attack_version(struct attack *a)
{
	attack_valid(a);
	a->msg[0]++;
}

static void attack_short_icv(struct attack *a)
{
	struct ctrl_offer o = exit_offer;

	o.suite = SUITE_AES128_GCM_8;
	make(a, now() + LIFETIME_S, &o);
}

static void attack_no_suite(struct attack *a)
{
	struct ctrl_offer o = exit_offer;

	o.suite = 77;
	make(a, now() + LIFETIME_S, &o);
}

static void attack_to_itself(struct attack *a)
{
	uint8_t body[CTRL_CREATE_BODY_MIN] = { 0 };
	struct ctrl_offer o = { .suite = SUITE_AES128_GCM_16,
				.kind = CTRL_KIND_EXTEND,
				.wait_ms = 1000,
				.next = a->to->id,
				.body = { body, sizeof(body) } };

	make(a, now() + LIFETIME_S, &o);
}

/* The relay is asked to extend to one that no network file names. */
static void attack_to_nobody(struct attack *a)
{
	uint8_t body[CTRL_CREATE_BODY_MIN] = { 0 };
	struct ctrl_offer o = {
		.suite = SUITE_AES128_GCM_16, .kind = CTRL_KIND_EXTEND, .wait_ms = 1000, .body = { body, sizeof(body) }
	};

	randombytes_buf(&o.next, sizeof(o.next));
	make(a, now() + LIFETIME_S, &o);
}

static void load(struct attack *a)
{
	FILE *f = a->file ? fopen(a->file, "re") : NULL;

	if (!f || fread(a->msg, CTRL_MSG_LEN, 1, f) != 1)
		die("no FILE to read");
	fclose(f);
	a->len = CTRL_MSG_LEN;
}

/* What was sent before, as another circuit. */
static void attack_replay(struct attack *a)
{
	load(a);
	for (int i = 0; i < 8; i++)
		a->msg[2 + i] = (uint8_t)(a->handle >> (56 - 8 * i));
}

/* X25519 ignores the top bit of a public key (RFC 7748 section 5), so a replay cache could be led past it. */
static void attack_top_bit(struct attack *a)
{
	attack_replay(a);
	a->msg[NOISE_AT + 31] ^= 0x80;
}

static uint64_t handle_of(const uint8_t *msg)
{
	uint64_t h = 0;

	for (int i = 0; i < 8; i++)
		h = h << 8 | msg[2 + i];
	return h;
}

/* The same datagram: a retransmission. */
static void attack_again(struct attack *a)
{
	load(a);
	a->handle = handle_of(a->msg);
}

/* Another CREATE under a handle that is in use. */
static void attack_handle(struct attack *a)
{
	load(a);
	a->handle = handle_of(a->msg);
	attack_valid(a);
}

static const struct {
	const char *name;
	void (*fn)(struct attack *a);
	bool reads;
} attacks[] = {
	{ "valid", attack_valid, false },	  { "keep", attack_keep, false },
	{ "expired", attack_expired, false },	  { "future", attack_future, false },
	{ "forever", attack_forever, false },	  { "unknown-key", attack_unknown_key, false },
	{ "flip", attack_flip, false },		  { "flip-key", attack_flip_key, false },
	{ "zero-key", attack_zero_key, false },	  { "truncated", attack_truncated, false },
	{ "oversize", attack_oversize, false },	  { "short-body", attack_short_body, false },
	{ "tiny-body", attack_tiny_body, false }, { "long-body", attack_long_body, false },
	{ "garbage", attack_garbage, false },	  { "version", attack_version, false },
	{ "short-icv", attack_short_icv, false }, { "no-suite", attack_no_suite, false },
	{ "to-itself", attack_to_itself, false }, { "to-nobody", attack_to_nobody, false },
	{ "replay", attack_replay, true },	  { "top-bit", attack_top_bit, true },
	{ "again", attack_again, true },	  { "handle", attack_handle, true },
};

static int open_socket(const struct attack *a)
{
	struct sockaddr_in6 sa = { .sin6_family = AF_INET6, .sin6_port = htons(ANON_CTRL_PORT), .sin6_addr = a->from };
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		die("cannot bind the control port: does anond still run?");
	sa.sin6_addr = overlay_relay(&a->to->id);
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		die("no way to the relay's overlay address");
	return fd;
}

/* The next datagram for our handle within the time; false if none. */
static bool receive(int fd, const struct attack *a, enum ctrl_type type, uint8_t buf[CTRL_MSG_LEN], struct ctrl_msg *m)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	while (poll(&p, 1, ANSWER_MS) > 0) {
		ssize_t n = recv(fd, buf, CTRL_MSG_LEN, 0);

		if (n > 0 && ctrl_decode(buf, (size_t)n, m) == 0 && m->type == type && m->handle == a->handle)
			return true;
	}
	return false;
}

static void destroy(int fd, const struct attack *a)
{
	struct ctrl_msg m = { .type = CTRL_DESTROY, .handle = a->handle };
	uint8_t out[CTRL_MSG_LEN], in[CTRL_MSG_LEN];

	m.destroy.by_creator = true;
	if (ctrl_encode(&m, out) < 0 || send(fd, out, sizeof(out), 0) < 0 || !receive(fd, a, CTRL_DESTROY_ACK, in, &m))
		die("the circuit could not be destroyed");
}

static void print_answer(const struct attack *a, const struct ctrl_msg *m)
{
	uint8_t plain[CTRL_MSG_LEN];
	struct ctrl_answer answer;
	size_t len;

	if (!a->noise || m->created.body.len == 0)
		printf("outer %s\n", ctrl_status_name(m->created.status));
	else if (noise_read(a->noise, m->created.body.p, m->created.body.len, plain, sizeof(plain), &len) < 0 ||
		 ctrl_answer_decode(plain, len, &answer) < 0)
		printf("inner, does not verify\n");
	else
		printf("inner %s\n", ctrl_status_name(answer.status));
}

static void run(struct attack *a)
{
	uint8_t buf[CTRL_MSG_LEN];
	struct ctrl_msg m;
	int fd = open_socket(a);

	if (send(fd, a->msg, a->len, 0) < 0)
		die("cannot send");
	if (!receive(fd, a, CTRL_CREATED, buf, &m)) {
		printf("no answer\n");
	} else {
		print_answer(a, &m);
		if (m.created.status == CTRL_OK && !a->keep)
			destroy(fd, a);
	}
	close(fd);
}

static void save(const struct attack *a)
{
	FILE *f = fopen(a->file, "we");

	if (!f || fwrite(a->msg, CTRL_MSG_LEN, 1, f) != 1 || fclose(f) != 0)
		die("cannot write FILE");
}

static struct network *read_network(const char *path, const char *text)
{
	uint8_t key[NETWORK_KEY_LEN];
	struct error err = { "" };
	struct network *net;

	if (network_key_parse(text, key) < 0)
		die("KEY is no network key");
	if (network_load(path, key, now(), &net, &err) < 0)
		die(err.text);
	return net;
}

int main(int argc, char **argv)
{
	_cleanup_network_ struct network *net = NULL;
	struct attack a = { .file = argc > 6 ? argv[6] : NULL };

	if (argc < 6 || argc > 7 || sodium_init() < 0)
		die("usage: create_attack NETWORK KEY RELAY FROM WHAT [FILE]");
	net = read_network(argv[1], argv[2]);
	for (size_t i = 0; i < net->n_relays; i++)
		if (strcmp(net->relays[i].name, argv[3]) == 0)
			a.to = &net->relays[i];
	if (!a.to || inet_pton(AF_INET6, argv[4], &a.from) != 1)
		die("no such relay, or FROM is no address");
	a.handle = rng_u64(&rng_system);
	for (size_t i = 0; i < ARRAY_SIZE(attacks); i++) {
		if (strcmp(attacks[i].name, argv[5]) != 0)
			continue;
		attacks[i].fn(&a);
		if (a.file && !attacks[i].reads)
			save(&a);
		run(&a);
		noise_free(a.noise);
		return 0;
	}
	die("no such attack");
}
