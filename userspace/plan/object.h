/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Kernel objects as data. A plan is a list of them in the order in which they are made; taking it away is the
 * same list backwards. Nothing in this folder touches the kernel: kernel/ carries plans out.
 */
#pragma once

#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cleanup.h"
#include "model/circuit.h"
#include "model/suite.h"

enum kobject_type {
	KOBJ_SYSCTL = 1, /* a value under /proc/sys */
	KOBJ_HTHRESH,	 /* from which prefix lengths on policies are hashed */
	KOBJ_NFT,	 /* a table, set, counter or chain of ours; neighbours in a plan are one transaction */
	KOBJ_ELEM,	 /* an element of one of our sets */
	KOBJ_LINK,	 /* an xfrm interface; made down */
	KOBJ_TFC, /* its queueing discipline: what leaves over it does so at a constant rate; without far ends nothing
		     does */
	KOBJ_TFC_PEER, /* a far end of it */
	KOBJ_LINK_UP,  /* it is up */
	KOBJ_ADDR,
	KOBJ_ROUTE,
	KOBJ_RULE,
	KOBJ_SA,
	KOBJ_SP,
};

#define KOBJ_SYSCTL_MAX 80 /* name of a sysctl with the final NUL */

struct kobj_sysctl {
	char name[KOBJ_SYSCTL_MAX]; /* relative to /proc/sys, with slashes */
	char value[12];		    /* stays when the plan is taken away */
	bool at_least;		    /* a larger number will do */
};

struct kobj_hthresh {
	uint8_t local4, remote4, local6, remote6; /* bits */
};

enum nft_kind { NFT_TABLE = 1, NFT_SET, NFT_COUNTER, NFT_CHAIN };
enum nft_family { NFT_INET = 1, NFT_NETDEV };

#define NFT_TABLE_NAME "anon" /* in both families */
#define NFT_NAME_MAX 32

struct kobj_nft {
	enum nft_kind kind;
	enum nft_family family;
	char name[NFT_NAME_MAX]; /* "anon" for the table */
	char *spec;		 /* SET: its type; CHAIN: its hook, NULL if it has none. Owned, like rules */
	char *rules;		 /* CHAIN: one rule a line; NULL when read from the kernel */
};

/* Taken from a set of family inet, the flows that conntrack knows by the mark are forgotten too. */
struct kobj_elem {
	enum nft_family family;
	char set[NFT_NAME_MAX];
	uint8_t key[20]; /* as the kernel wants it: mark in host order, then the address */
	uint8_t len;
};

struct kobj_link {
	char dev[IFNAMSIZ];
	uint32_t if_id;
	uint16_t mtu;
};

/* Making it where it is already changes it to these settings. Names and units as in kmod/anon_tfc.h. */
struct kobj_tfc {
	char dev[IFNAMSIZ];
	uint16_t size;
	bool shared;
	uint64_t interval_ns, step_time_ns, idle_ns, window_ns;
	uint32_t steps;
	uint32_t limit; /* 0: the module's default */
};

/* Making it where its number has other addresses puts it in the place of that one. */
struct kobj_tfc_peer {
	char dev[IFNAMSIZ];
	uint16_t number; /* from 1 */
	struct in6_addr src, dst;
};

struct kobj_addr {
	char dev[IFNAMSIZ];
	struct prefix addr; /* host bits kept */
};

enum kobj_route_type { ROUTE_UNICAST = 1, ROUTE_UNREACHABLE, ROUTE_THROW };

/* Every route of ours has the protocol RTPROT_ANON. */
struct kobj_route {
	enum kobj_route_type type;
	struct prefix dst;
	struct prefix from;	/* family 0: any source */
	struct prefix src;	/* preferred source; family 0: none */
	char dev[IFNAMSIZ];	/* UNICAST */
	uint32_t table, metric; /* metric > 0 */
	uint32_t mtu;		/* 0: the device's */
	uint8_t hoplimit;	/* 0: the default; IPv6 */
};

/* Every rule of ours has the protocol RTPROT_ANON. */
struct kobj_rule {
	uint8_t family;
	uint32_t pref, table;
	uint32_t fwmark;    /* 0: any; otherwise the whole mark */
	struct prefix to;   /* family 0: any */
	bool local;	    /* only packets that this host sends (iif lo) */
	char iif[IFNAMSIZ]; /* only packets that came in there; "": any. Not with `local` */
	struct prefix from; /* family 0: any */
	struct {
		bool on;
		uint32_t id;
	} user; /* only what this user's sockets send */
	struct {
		uint8_t proto; /* IPPROTO_TCP or IPPROTO_UDP; 0: any */
		uint16_t first, last;
	} port;	       /* of the destination */
	bool specific; /* default routes of the table do not count (suppress_prefixlength 0) */
};

enum sa_mode { SA_TUNNEL = 1, SA_BEET };

/*
 * mark: packets must carry it (compared as a whole) for the kernel to find this SA. That ties an inbound SA to the
 * ingress chain that sets it, so a packet which did not pass that chain (another device, or ESP decapsulated
 * inside GRO, before any chain) meets no SA. 0: none, outbound.
 * set_mark: what the decapsulated packet carries; inbound only.
 */
struct kobj_sa {
	struct in6_addr src, dst;
	uint32_t spi; /* host order */
	uint32_t if_id, reqid;
	enum sa_mode mode;
	enum suite suite;
	const uint8_t *key; /* suite's key_len bytes of secmem, not owned; NULL: unknown (read from the kernel) */
	bool inbound;
	uint32_t mark;
	uint32_t set_mark;		  /* inbound: always set, also to 0 */
	struct in6_addr sel_src, sel_dst; /* BEET: the two inner addresses */
	uint64_t expires; /* unix seconds: when the kernel deletes it, 0: never; not compared, not read back */
	uint64_t bytes;	  /* that went through it, its own headers left out; only read, not compared */
};

/* Outbound policies only: see THREAT-MODEL and the guard rules for what stands in for inbound ones. */
struct kobj_sp {
	struct prefix src, dst; /* selector */
	struct in6_addr tmpl_src, tmpl_dst;
	enum sa_mode mode;
	uint32_t if_id, reqid;
};

struct kobject {
	enum kobject_type type;
	union {
		struct kobj_sysctl sysctl;
		struct kobj_hthresh hthresh;
		struct kobj_nft nft;
		struct kobj_elem elem;
		struct kobj_link link; /* LINK; LINK_UP uses dev only */
		struct kobj_tfc tfc;
		struct kobj_tfc_peer tfc_peer;
		struct kobj_addr addr;
		struct kobj_route route;
		struct kobj_rule rule;
		struct kobj_sa sa;
		struct kobj_sp sp;
	};
};

/* Zero-initialised is empty. */
struct plan {
	struct kobject *v;
	size_t n, cap;
};

/* A zeroed object at the end of the plan, or NULL: out of memory. Valid until the next plan_add. */
struct kobject *plan_add(struct plan *p, enum kobject_type type);
/* A copy with its own strings; an SA's key pointer is shared. 0 or -ENOMEM. */
int plan_add_copy(struct plan *p, const struct kobject *o);
void plan_clear(struct plan *p);

static inline void cleanup_plan(struct plan *p)
{
	plan_clear(p);
}
#define _cleanup_plan_ _cleanup_(cleanup_plan)

/*
 * What makes an object this object, as bytes: equal bytes, equal objects. Keys, the text of nft
 * objects and when an SA expires do not count. Returns the length, at most KOBJ_CANON_MAX.
 */
#define KOBJ_CANON_MAX 192
size_t kobject_canon(const struct kobject *o, uint8_t buf[KOBJ_CANON_MAX]);
bool kobject_equal(const struct kobject *a, const struct kobject *b);
const char *kobject_type_name(enum kobject_type type);

struct prefix prefix6(const struct in6_addr *a, uint8_t len); /* host bits cleared */
struct prefix prefix4(struct in_addr a, uint8_t len);
struct prefix host6(const struct in6_addr *a); /* a/128 */
struct prefix host4(struct in_addr a);	       /* a/32 */
bool prefix_valid(const struct prefix *p);     /* family, length, and no host bit set */
