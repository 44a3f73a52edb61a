/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Small steps that the plans are made of; inside plan/ only. Each returns 0, -ENOMEM or -EINVAL. */
#pragma once

#include <stdio.h>

#include "plan/object.h"

/* /proc/sys/net/<family>/conf/<dev>/<name> */
int build_sysctl(struct plan *p, const char *family, const char *dev, const char *name, const char *value);
/* An xfrm interface, down, without link-local address, policy check (unless `policy`), redirects or autoconfiguration.
 */
int build_link(struct plan *p, const char *dev, uint32_t if_id, uint16_t mtu, bool policy);
int build_up(struct plan *p, const char *dev);
int build_addr(struct plan *p, const char *dev, struct prefix addr);
int build_route(struct plan *p, const struct kobj_route *r);
int build_unreachable(struct plan *p, struct prefix dst, uint32_t table, uint32_t metric);
/* Both default routes of a table: an error at once instead of a time-out for what no circuit carries. */
int build_nowhere(struct plan *p, uint32_t table, uint32_t metric);
int build_rule(struct plan *p, const struct kobj_rule *r);
/* An element "mark . address" of one of our sets: len bytes of address, 4 or 16. */
int build_elem(struct plan *p, enum nft_family family, const char *set, uint32_t mark, const void *addr, size_t len);
int build_nft(struct plan *p, enum nft_kind kind, enum nft_family family, const char *name, const char *spec);

/*
 * The text of a chain, rule by rule. chain_open never fails; the first error is kept and returned by chain_close,
 * which adds the chain to the plan. hook NULL: a chain that is only jumped to.
 */
struct chain {
	FILE *out;
	char *text;
	size_t len;
	enum nft_family family;
	char name[NFT_NAME_MAX];
	char *hook;
	int error;
};

void chain_open(struct chain *c, enum nft_family family, const char *name, const char *hook_fmt, ...)
	__attribute__((format(printf, 4, 5)));
void chain_rule(struct chain *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int chain_close(struct chain *c, struct plan *p);

/* Where the device is the one that a packet will leave by, after every reroute and NAT; see the fences of origin.c. */
#define HOOK_POST "postrouting priority 150"
#define NOT_WRAPPED "rt ipsec missing "

/* Parts of rules. */
#define MATCH_PORTED "meta l4proto { tcp, udp }"
#define MATCH_DNS MATCH_PORTED " th dport 53"

/* The devices of a selection's circuits, as nft wants them: { "anon1", "anon1b" }. */
struct devices_text {
	char s[2 * IFNAMSIZ + 12];
};
struct devices_text text_devices(uint32_t id);

/* Addresses as nft reads them. */
struct addr_text {
	char s[INET6_ADDRSTRLEN + 4];
};
struct addr_text text_prefix(const struct prefix *p); /* with its length, unless it is a host */
struct addr_text text_addr6(const struct in6_addr *a);
struct addr_text text_net6(const struct in6_addr *a, uint8_t len);
