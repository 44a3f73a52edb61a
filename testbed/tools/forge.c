/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sends packets that nobody should accept: any addresses, any header fields, wrapped in any number of ESP layers whose
 * keys the attacker holds. Root only.
 *
 *   forge DEVICE [each FIRST LAST] PACKET [FIELD...] [esp FILE [FIELD...]]... [times N]
 *
 *   DEVICE  where it leaves, past every rule of this host's own output; - : wherever the routes lead
 *   each    one for each number from FIRST to LAST: `%` stands for it, and sequence numbers go up
 *   PACKET  udp SRC DST SPORT DPORT TEXT | tcp SRC DST SPORT DPORT (a SYN) | icmp SRC DST (an echo request)
 *           | proto NUMBER SRC DST TEXT
 *   FIELD   tos N | flow N | hops N, of the header made last
 *   FILE    one line: beet|tunnel SRC DST SPI SEQUENCE ALGORITHM KEY ICV-BITS, as `ip xfrm state` names them; extended
 *           sequence numbers, upper half zero
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_alg.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/bytes.h"
#include "lib/cleanup.h"

#define PACKET_MAX 2000
#define ESP_KEY_MAX 64
#define ESP_IV_LEN 8

struct address {
	int family;
	uint8_t b[16];
	size_t len;
};

struct packet {
	uint8_t b[PACKET_MAX];
	size_t len;
	int family;
};

struct esp {
	bool beet;
	struct address src, dst;
	uint32_t spi, seq;
	char alg[64];
	uint8_t key[ESP_KEY_MAX];
	size_t key_len;
	unsigned int icv_len;
};

/* The arguments that are left. */
struct words {
	char **v;
	int n;
};

/* Of `each`. */
static unsigned long round_number;
static uint32_t round_index;

static void die(const char *what)
{
	fprintf(stderr, "forge: %s\n", what);
	exit(2);
}

static const char *word(struct words *w)
{
	if (w->n < 1)
		die("too few words");
	w->n--;
	return *w->v++;
}

static unsigned long number(const char *text)
{
	char *end;
	unsigned long v = strtoul(text, &end, 0);

	if (!strcmp(text, "%"))
		return round_number;
	if (!*text || *end)
		die("not a number");
	return v;
}

static struct address address(const char *text)
{
	struct address a = { .family = strchr(text, ':') ? AF_INET6 : AF_INET };

	if (inet_pton(a.family, text, a.b) != 1)
		die("not an address");
	a.len = a.family == AF_INET6 ? 16 : 4;
	return a;
}

/* RFC 1071, over the pseudo header too (RFC 8200 section 8.1; the IPv4 one sums up to the same form). */
static uint16_t checksum(const struct address *src, const struct address *dst, uint8_t proto, const uint8_t *p,
			 size_t len)
{
	uint8_t buf[PACKET_MAX + 64];
	struct writer w = writer_of(buf, sizeof(buf));
	uint32_t sum = 0;

	if (src) {
		write_bytes(&w, src->b, src->len);
		write_bytes(&w, dst->b, dst->len);
		write_u32(&w, (uint32_t)len);
		write_u32(&w, proto);
	}
	write_bytes(&w, p, len);
	if (w.len % 2)
		write_u8(&w, 0);
	for (size_t i = 0; i < w.len; i += 2)
		sum += (uint32_t)(buf[i] << 8 | buf[i + 1]);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void set_checksum4(struct packet *p)
{
	struct iphdr *ip = (struct iphdr *)p->b;

	ip->check = 0;
	ip->check = htons(checksum(NULL, NULL, 0, p->b, sizeof(*ip)));
}

/* Put an IP header in front of the payload. */
static void put_ip(struct packet *p, const struct address *src, const struct address *dst, uint8_t proto,
		   const uint8_t *payload, size_t len)
{
	struct packet n = { .family = src->family };

	if (src->family != dst->family || len + 40 > PACKET_MAX)
		die("addresses of two families, or too long");
	if (src->family == AF_INET6) {
		struct ip6_hdr *h = (struct ip6_hdr *)n.b;

		h->ip6_flow = htonl(6u << 28);
		h->ip6_plen = htons((uint16_t)len);
		h->ip6_nxt = proto;
		h->ip6_hlim = 64;
		memcpy(&h->ip6_src, src->b, 16);
		memcpy(&h->ip6_dst, dst->b, 16);
		n.len = sizeof(*h) + len;
		memcpy(n.b + sizeof(*h), payload, len);
	} else {
		struct iphdr *h = (struct iphdr *)n.b;

		*h = (struct iphdr){ .version = 4, .ihl = 5, .ttl = 64, .protocol = proto };
		h->tot_len = htons((uint16_t)(sizeof(*h) + len));
		memcpy(&h->saddr, src->b, 4);
		memcpy(&h->daddr, dst->b, 4);
		n.len = sizeof(*h) + len;
		memcpy(n.b + sizeof(*h), payload, len);
		set_checksum4(&n);
	}
	*p = n;
}

static void make_udp(struct packet *p, struct words *w)
{
	struct address src = address(word(w)), dst = address(word(w));
	uint8_t buf[PACKET_MAX];
	uint16_t sport = (uint16_t)number(word(w)), dport = (uint16_t)number(word(w));
	struct udphdr h = { .source = htons(sport), .dest = htons(dport) };
	const char *text = word(w);
	size_t len = sizeof(h) + strlen(text);

	if (len > PACKET_MAX - 40)
		die("too long");
	h.len = htons((uint16_t)len);
	memcpy(buf, &h, sizeof(h));
	memcpy(buf + sizeof(h), text, strlen(text));
	h.check = htons(checksum(&src, &dst, IPPROTO_UDP, buf, len));
	memcpy(buf, &h, sizeof(h));
	put_ip(p, &src, &dst, IPPROTO_UDP, buf, len);
}

static void make_tcp(struct packet *p, struct words *w)
{
	struct address src = address(word(w)), dst = address(word(w));
	uint16_t sport = (uint16_t)number(word(w)), dport = (uint16_t)number(word(w));
	struct tcphdr h = { .source = htons(sport), .dest = htons(dport) };

	h.seq = htonl(randombytes_random());
	h.doff = sizeof(h) / 4;
	h.syn = 1;
	h.window = htons(64240);
	h.check = htons(checksum(&src, &dst, IPPROTO_TCP, (const uint8_t *)&h, sizeof(h)));
	put_ip(p, &src, &dst, IPPROTO_TCP, (const uint8_t *)&h, sizeof(h));
}

static void make_icmp(struct packet *p, struct words *w)
{
	struct address src = address(word(w)), dst = address(word(w));
	struct icmphdr h = { .type = src.family == AF_INET6 ? ICMP6_ECHO_REQUEST : ICMP_ECHO };

	h.un.echo.id = htons(4242);
	h.un.echo.sequence = htons(1);
	if (src.family == AF_INET6)
		h.checksum = htons(checksum(&src, &dst, IPPROTO_ICMPV6, (const uint8_t *)&h, sizeof(h)));
	else
		h.checksum = htons(checksum(NULL, NULL, 0, (const uint8_t *)&h, sizeof(h)));
	put_ip(p, &src, &dst, src.family == AF_INET6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP, (const uint8_t *)&h, sizeof(h));
}

static void make_any(struct packet *p, struct words *w)
{
	uint8_t proto = (uint8_t)number(word(w));
	struct address src = address(word(w)), dst = address(word(w));
	const char *text = word(w);

	put_ip(p, &src, &dst, proto, (const uint8_t *)text, strlen(text));
}

static void make_packet(struct packet *p, struct words *w)
{
	const char *kind = word(w);

	if (!strcmp(kind, "udp"))
		make_udp(p, w);
	else if (!strcmp(kind, "tcp"))
		make_tcp(p, w);
	else if (!strcmp(kind, "icmp"))
		make_icmp(p, w);
	else if (!strcmp(kind, "proto"))
		make_any(p, w);
	else
		die("udp, tcp, icmp or proto");
}

static void set_field(struct packet *p, const char *name, unsigned long v)
{
	struct iphdr *h4 = (struct iphdr *)p->b;
	struct ip6_hdr *h6 = (struct ip6_hdr *)p->b;
	bool six = p->family == AF_INET6;
	uint32_t flow = six ? ntohl(h6->ip6_flow) : 0;

	if (!strcmp(name, "hops") && six)
		h6->ip6_hlim = (uint8_t)v;
	else if (!strcmp(name, "hops"))
		h4->ttl = (uint8_t)v;
	else if (!strcmp(name, "tos") && six)
		h6->ip6_flow = htonl((flow & 0xf00fffffu) | (uint32_t)(v & 0xff) << 20);
	else if (!strcmp(name, "tos"))
		h4->tos = (uint8_t)v;
	else if (!strcmp(name, "flow") && six)
		h6->ip6_flow = htonl((flow & 0xfff00000u) | (uint32_t)(v & 0xfffff));
	else
		die("no such field");
	if (!six)
		set_checksum4(p);
}

static void read_esp(const char *path, struct esp *e)
{
	char mode[16], src[64], dst[64], hex[2 * ESP_KEY_MAX + 3];
	_cleanup_fclose_ FILE *f = fopen(path, "re");

	memset(e, 0, sizeof(*e));
	if (!f || fscanf(f, "%15s %63s %63s %i %i %63s %130s %u", mode, src, dst, (int *)&e->spi, (int *)&e->seq,
			 e->alg, hex, &e->icv_len) != 8)
		die("cannot read the SA");
	e->beet = !strcmp(mode, "beet");
	e->src = address(src);
	e->dst = address(dst);
	e->icv_len /= 8;
	e->seq += round_index;
	if (strncmp(hex, "0x", 2) != 0 ||
	    sodium_hex2bin(e->key, sizeof(e->key), hex + 2, strlen(hex + 2), NULL, &e->key_len, NULL) < 0)
		die("cannot read the key");
}

/* A socket of the kernel's own implementation of the cipher. */
static int cipher(const struct esp *e)
{
	struct sockaddr_alg sa = { .salg_family = AF_ALG, .salg_type = "aead" };
	_cleanup_close_ int fd = socket(AF_ALG, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	int op;

	snprintf((char *)sa.salg_name, sizeof(sa.salg_name), "%s", e->alg);
	if (fd < 0 || bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 ||
	    setsockopt(fd, SOL_ALG, ALG_SET_KEY, e->key, (socklen_t)e->key_len) < 0 ||
	    setsockopt(fd, SOL_ALG, ALG_SET_AEAD_AUTHSIZE, NULL, e->icv_len) < 0)
		die("the kernel does not offer the cipher to programs");
	op = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
	if (op < 0)
		die("no cipher");
	return op;
}

static void put_cmsg(struct msghdr *m, struct cmsghdr **at, int type, const void *data, size_t len)
{
	struct cmsghdr *c = *at ? CMSG_NXTHDR(m, *at) : CMSG_FIRSTHDR(m);

	c->cmsg_level = SOL_ALG;
	c->cmsg_type = type;
	c->cmsg_len = CMSG_LEN(len);
	memcpy(CMSG_DATA(c), data, len);
	*at = c;
}

/* io: aad_len bytes, then len bytes of plain text; the latter become cipher text and ICV. */
static void seal(const struct esp *e, uint8_t *io, uint32_t aad_len, size_t len, const uint8_t iv[ESP_IV_LEN])
{
	_cleanup_close_ int fd = cipher(e);
	uint32_t encrypt = ALG_OP_ENCRYPT;
	uint8_t control[CMSG_SPACE(4) * 2 + CMSG_SPACE(4 + ESP_IV_LEN)] = { 0 };
	struct {
		uint32_t len;
		uint8_t iv[ESP_IV_LEN];
	} alg_iv = { .len = ESP_IV_LEN };
	struct iovec iov = { .iov_base = io, .iov_len = aad_len + len };
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
	};
	struct cmsghdr *at = NULL;

	memcpy(alg_iv.iv, iv, ESP_IV_LEN);
	put_cmsg(&m, &at, ALG_SET_OP, &encrypt, sizeof(encrypt));
	put_cmsg(&m, &at, ALG_SET_IV, &alg_iv, sizeof(alg_iv));
	put_cmsg(&m, &at, ALG_SET_AEAD_ASSOCLEN, &aad_len, sizeof(aad_len));
	if (sendmsg(fd, &m, 0) < 0 || read(fd, io, aad_len + len + e->icv_len) < 0)
		die("the cipher failed");
}

/* What ESP carries: a whole packet in a tunnel, a packet without its header in BEET. */
static uint8_t esp_content(const struct packet *p, bool beet, const uint8_t **ret, size_t *ret_len)
{
	bool six = p->family == AF_INET6;
	size_t head = six ? sizeof(struct ip6_hdr) : sizeof(struct iphdr);

	*ret = p->b + (beet ? head : 0);
	*ret_len = p->len - (beet ? head : 0);
	if (!beet)
		return six ? IPPROTO_IPV6 : IPPROTO_IPIP;
	return six ? ((const struct ip6_hdr *)p->b)->ip6_nxt : ((const struct iphdr *)p->b)->protocol;
}

/* RFC 4303 section 2. The IV stands in the associated data as the ciphers of RFC 4106 and RFC 7634 want it here. */
static void wrap(struct packet *p, const char *path)
{
	uint8_t io[PACKET_MAX + 128], out[PACKET_MAX + 128], iv[ESP_IV_LEN];
	struct writer aad = writer_of(io, sizeof(io)), esp = writer_of(out, sizeof(out));
	const uint8_t *content;
	struct esp e;
	size_t len, pad;
	uint8_t next;

	read_esp(path, &e);
	randombytes_buf(iv, sizeof(iv));
	next = esp_content(p, e.beet, &content, &len);
	write_u32(&aad, e.spi);
	write_u32(&aad, 0); /* upper half of the sequence number */
	write_u32(&aad, e.seq);
	write_bytes(&aad, iv, sizeof(iv));
	write_bytes(&aad, content, len);
	pad = (4 - (len + 2) % 4) % 4;
	for (size_t i = 0; i < pad; i++)
		write_u8(&aad, (uint8_t)(i + 1));
	write_u8(&aad, (uint8_t)pad);
	write_u8(&aad, next);
	len += pad + 2;
	seal(&e, io, 20, len, iv);
	write_u32(&esp, e.spi);
	write_u32(&esp, e.seq);
	write_bytes(&esp, iv, sizeof(iv));
	write_bytes(&esp, io + 20, len + e.icv_len);
	put_ip(p, &e.src, &e.dst, IPPROTO_ESP, out, esp.len);
}

/* By an IP socket: routes, rules and neighbours of this host have their say. */
static void send_routed(const struct packet *p)
{
	_cleanup_close_ int fd = socket(p->family, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	struct sockaddr_in sa4 = { .sin_family = AF_INET };
	struct sockaddr_in6 sa6 = { .sin6_family = AF_INET6 };
	bool six = p->family == AF_INET6;

	memcpy(&sa4.sin_addr, p->b + 16, 4);
	memcpy(&sa6.sin6_addr, p->b + 24, 16);
	if (fd < 0 || sendto(fd, p->b, p->len, 0, six ? (struct sockaddr *)&sa6 : (struct sockaddr *)&sa4,
			     six ? sizeof(sa6) : sizeof(sa4)) < 0)
		die(strerror(errno));
}

static void send_device(const struct packet *p, const char *device)
{
	_cleanup_close_ int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_ll sa = { .sll_family = AF_PACKET,
				  .sll_protocol = htons(p->family == AF_INET6 ? ETH_P_IPV6 : ETH_P_IP),
				  .sll_ifindex = (int)if_nametoindex(device) };

	if (fd < 0 || sendto(fd, p->b, p->len, 0, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		die(strerror(errno));
}

/* One packet as the words say, TIMES times. */
static void forge(const char *device, struct words w)
{
	unsigned long times = 1;
	struct packet p;

	make_packet(&p, &w);
	while (w.n > 0) {
		const char *what = word(&w);

		if (!strcmp(what, "esp"))
			wrap(&p, word(&w));
		else if (!strcmp(what, "times"))
			times = number(word(&w));
		else
			set_field(&p, what, number(word(&w)));
	}
	while (times-- > 0) {
		if (!strcmp(device, "-"))
			send_routed(&p);
		else
			send_device(&p, device);
	}
}

int main(int argc, char **argv)
{
	struct words w = { .v = argv + 1, .n = argc - 1 };
	const char *device = word(&w);
	unsigned long last = 0;

	if (w.n > 0 && !strcmp(w.v[0], "each")) {
		word(&w);
		round_number = number(word(&w));
		last = number(word(&w));
	}
	do {
		forge(device, w);
		round_index++;
	} while (round_number++ < last);
	return 0;
}
