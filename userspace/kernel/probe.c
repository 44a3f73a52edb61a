/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/ops.h"
#include "lib/secmem.h"
#include "plan/plan.h"

/* Numbers at the end of our ranges, which no circuit gets to. */
#define PROBE_DEV "anonprobe"
#define PROBE_SLOT SLOT_MAX
#define PROBE_SPI SPI_MAX

struct probe {
	struct kernel *k;
	uint8_t *key;
};

/* Make and take away. */
static int try(struct probe *t, const struct plan *p)
{
	int r = kernel_apply(t->k, p);
	return r < 0 ? r : kernel_remove(t->k, p);
}

static int add_probe_link(struct plan *p)
{
	struct kobject *o = plan_add(p, KOBJ_LINK);
	if (!o)
		return -ENOMEM;
	memcpy(o->link.dev, PROBE_DEV, sizeof(PROBE_DEV));
	o->link.if_id = ifid_layer(PROBE_SLOT, 0);
	o->link.mtu = 1500;
	return 0;
}

static int check_interface(struct probe *t)
{
	_cleanup_plan_ struct plan p = { 0 };
	int r = add_probe_link(&p);
	return r < 0 ? r : try(t, &p);
}

static int check_sa(struct probe *t, enum sa_mode mode, enum suite suite)
{
	_cleanup_plan_ struct plan p = { 0 };
	struct kobject *o = plan_add(&p, KOBJ_SA);
	if (!o)
		return -ENOMEM;
	struct in6_addr a = { .s6_addr = { 0xfd, [15] = 1 } }, b = { .s6_addr = { 0xfd, [15] = 2 } };
	o->sa = (struct kobj_sa){ .src = a,
				  .dst = b,
				  .spi = PROBE_SPI,
				  .if_id = ifid_layer(PROBE_SLOT, 0),
				  .reqid = reqid_layer(PROBE_SLOT, 0),
				  .mode = mode,
				  .suite = suite,
				  .key = t->key,
				  .inbound = true,
				  .mark = ifid_layer(PROBE_SLOT, 0),
				  .sel_src = mode == SA_BEET ? b : in6addr_any,
				  .sel_dst = mode == SA_BEET ? a : in6addr_any };
	return try(t, &p);
}

static int check_esp(struct probe *t)
{
	return check_sa(t, SA_TUNNEL, SUITE_AES128_GCM_16);
}

static int check_beet(struct probe *t)
{
	return check_sa(t, SA_BEET, SUITE_AES128_GCM_8);
}

static int check_chacha(struct probe *t)
{
	return check_sa(t, SA_TUNNEL, SUITE_CHACHA20_POLY1305);
}

/* The tables may be in use: only the chain is taken away, and the tables if they were not there. */
static int check_chain(struct probe *t, enum nft_family family, const char *hook, const char *rules)
{
	_cleanup_plan_ struct plan p = { 0 }, there = { 0 };
	bool had = false;
	int r = kernel_dump_plan(t->k, 1u << KOBJ_NFT, &there);
	if (r < 0)
		return r;
	for (size_t i = 0; i < there.n; i++)
		had |= there.v[i].nft.kind == NFT_TABLE && there.v[i].nft.family == family;
	if (family == NFT_NETDEV && (r = add_probe_link(&p)) < 0)
		return r;
	for (int i = had; i < 2; i++) {
		struct kobject *o = plan_add(&p, KOBJ_NFT);
		if (!o)
			return -ENOMEM;
		o->nft.kind = i ? NFT_CHAIN : NFT_TABLE;
		o->nft.family = family;
		snprintf(o->nft.name, sizeof(o->nft.name), "%s", i ? PROBE_DEV : NFT_TABLE_NAME);
		if (i && (!(o->nft.spec = strdup(hook)) || !(o->nft.rules = strdup(rules))))
			return -ENOMEM;
	}
	return try(t, &p);
}

static int check_ingress(struct probe *t)
{
	return check_chain(t, NFT_NETDEV,
			   "type filter hook ingress device \"" PROBE_DEV "\" priority 0; policy accept;",
			   "ip6 nexthdr esp @nh,0,32 set 0x60000000 ip6 hoplimit set 64 meta mark set 1 accept\n");
}

static int check_conntrack(struct probe *t)
{
	return check_chain(t, NFT_INET, "type filter hook forward priority 0; policy accept;",
			   "oifname \"" PROBE_DEV "\" ct state established accept\n");
}

static int check_nat(struct probe *t)
{
	return check_chain(t, NFT_INET, "type nat hook postrouting priority 100; policy accept;",
			   "oifname \"" PROBE_DEV "\" rt ipsec missing masquerade fully-random\n");
}

static int check_dnat(struct probe *t)
{
	return check_chain(t, NFT_INET, "type nat hook output priority -100; policy accept;",
			   "oifname \"" PROBE_DEV "\" th dport 53 dnat ip to 100.64.0.1\n");
}

/* What an exit asks of each new flow. */
static int check_exit(struct probe *t)
{
	return check_chain(t, NFT_INET, "type filter hook prerouting priority 0; policy accept;",
			   "iifname \"" PROBE_DEV "\" meta l4proto tcp reject with tcp reset\n"
			   "iifname \"" PROBE_DEV "\" ct count over 10 drop\n"
			   "iifname \"" PROBE_DEV "\" limit rate over 10/second drop\n");
}

static int check_fib(struct probe *t)
{
	return check_chain(t, NFT_INET, "type filter hook prerouting priority 0; policy accept;",
			   "iifname \"" PROBE_DEV "\" fib daddr type != unicast drop\n");
}

static int check_rate(struct probe *t)
{
	_cleanup_plan_ struct plan p = { 0 };
	int r = add_probe_link(&p);
	struct kobject *o = r < 0 ? NULL : plan_add(&p, KOBJ_TFC);
	if (!o)
		return -ENOMEM;
	memcpy(o->tfc.dev, PROBE_DEV, sizeof(PROBE_DEV));
	o->tfc.size = 1500;
	o->tfc.interval_ns = 1000000000;
	o->tfc.step_time_ns = 1000000000;
	o->tfc.steps = 1;
	return try(t, &p);
}

int kernel_probe_rate(struct kernel *k)
{
	struct probe t = { .k = k };
	return check_rate(&t);
}

static int check_subtrees(struct probe *t)
{
	_cleanup_plan_ struct plan p = { 0 };
	int r = add_probe_link(&p);
	struct kobject *up = r < 0 ? NULL : plan_add(&p, KOBJ_LINK_UP);
	if (!up)
		return -ENOMEM;
	memcpy(up->link.dev, PROBE_DEV, sizeof(PROBE_DEV));
	struct kobject *o = plan_add(&p, KOBJ_ROUTE);
	if (!o)
		return -ENOMEM;
	struct in6_addr a = { .s6_addr = { 0xfd, [15] = 1 } }, b = { .s6_addr = { 0xfd, [15] = 2 } };
	o->route = (struct kobj_route){ .type = ROUTE_UNICAST,
					.dst = host6(&a),
					.from = host6(&b),
					.dev = PROBE_DEV,
					.table = RT_TABLE_ANON,
					.metric = ROUTE_METRIC };
	return try(t, &p);
}

static int read_flag(const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	char c = '0';
	if (fd < 0)
		return -errno;
	if (read(fd, &c, 1) != 1)
		return -EIO;
	return c == '0' ? -EOPNOTSUPP : 0;
}

static int check_forward6(struct probe *t)
{
	(void)t;
	return read_flag("/proc/sys/net/ipv6/conf/all/forwarding");
}

static int check_forward4(struct probe *t)
{
	(void)t;
	return read_flag("/proc/sys/net/ipv4/ip_forward");
}

/* Two busy circuits fill less. */
#define CONNTRACK_MIN 262144

static int check_conntrack_max(struct probe *t)
{
	char text[16] = "";
	_cleanup_fclose_ FILE *f = fopen("/proc/sys/net/netfilter/nf_conntrack_max", "re");
	(void)t;
	if (!f)
		return -errno;
	return fgets(text, sizeof(text), f) && strtoul(text, NULL, 10) >= CONNTRACK_MIN ? 0 : -ENOSPC;
}

#define DEBIAN "; Debian: install linux-image-amd64 and start it (the cloud kernels lack parts)"

static const struct check {
	const char *name;
	int (*run)(struct probe *t);
	unsigned int roles; /* 0: everyone */
	bool needed;
	const char *hint;
} checks[] = {
	{ "xfrm interfaces", check_interface, 0, true, "CONFIG_XFRM_INTERFACE (module xfrm_interface)" DEBIAN },
	{ "ESP with AES-GCM", check_esp, 0, true,
	  "CONFIG_INET6_ESP (esp6), CONFIG_CRYPTO_GCM, CONFIG_CRYPTO_SEQIV" DEBIAN },
	{ "ESP in BEET mode", check_beet, 0, true,
	  "CONFIG_INET6_ESP; xfrm mode BEET is built in since Linux 5.2" DEBIAN },
	{ "ESP with ChaCha20-Poly1305", check_chacha, 0, false, "CONFIG_CRYPTO_CHACHA20POLY1305" DEBIAN },
	{ "nft ingress chains", check_ingress, 0, true, "CONFIG_NF_TABLES_NETDEV, CONFIG_NETFILTER_INGRESS" DEBIAN },
	{ "nft connection tracking", check_conntrack, 0, true, "CONFIG_NF_TABLES_INET, CONFIG_NFT_CT" DEBIAN },
	{ "source-specific IPv6 routes", check_subtrees, PROBE_CLIENT, true, "CONFIG_IPV6_SUBTREES" DEBIAN },
	{ "nft destination NAT", check_dnat, PROBE_CLIENT, true, "CONFIG_NFT_NAT, CONFIG_NF_NAT" DEBIAN },
	{ "nft limits and rejections", check_exit, PROBE_RELAY, false,
	  "CONFIG_NFT_REJECT_INET, CONFIG_NFT_CONNLIMIT, CONFIG_NFT_LIMIT (only an exit needs them)" DEBIAN },
	{ "nft NAT", check_nat, PROBE_RELAY, false, "CONFIG_NFT_MASQ, CONFIG_NFT_NAT (only an exit needs it)" DEBIAN },
	{ "nft route lookup", check_fib, PROBE_RELAY, true, "CONFIG_NFT_FIB_INET" DEBIAN },
	{ "IPv6 forwarding", check_forward6, PROBE_RELAY, true, "sysctl net.ipv6.conf.all.forwarding=1" },
	{ "room for connections", check_conntrack_max, PROBE_RELAY, false,
	  "sysctl net.netfilter.nf_conntrack_max=1048576 (only an exit needs it)" },
	{ "IPv4 forwarding", check_forward4, PROBE_RELAY, false,
	  "sysctl net.ipv4.ip_forward=1 (only an exit needs it)" },
	{ "nft route lookup", check_fib, PROBE_GATEWAY, true, "CONFIG_NFT_FIB_INET" DEBIAN },
	{ "nft source NAT", check_nat, PROBE_GATEWAY, true, "CONFIG_NFT_NAT, CONFIG_NF_NAT" DEBIAN },
	{ "links of a constant rate", check_rate, PROBE_RATE, true,
	  "kernel module anon_tfc: make kmod-install, or packets-per-second 0 in the configuration's section link" },
	{ "IPv4 forwarding", check_forward4, PROBE_GATEWAY, false,
	  "sysctl net.ipv4.ip_forward=1 (for hosts with IPv4)" },
	{ "IPv6 forwarding", check_forward6, PROBE_GATEWAY, false,
	  "sysctl net.ipv6.conf.all.forwarding=1 (for hosts with IPv6)" },
};

bool kernel_comes_in_by(const char *dev)
{
	char path[64];
	snprintf(path, sizeof(path), "/sys/class/net/%s", dev);
	if (access(path, F_OK) < 0)
		return false;
	snprintf(path, sizeof(path), "/sys/class/net/%s/master", dev);
	return access(path, F_OK) < 0;
}

int kernel_probe(unsigned int roles, struct probe_result **ret, size_t *ret_n)
{
	_cleanup_free_ struct probe_result *v = calloc(ARRAY_SIZE(checks), sizeof(*v));
	_cleanup_secmem_ uint8_t *key = secmem_alloc(SUITE_KEY_MAX);
	struct probe t = { .key = key };
	size_t n = 0;
	if (!v || !key)
		return -ENOMEM;
	randombytes_buf(key, SUITE_KEY_MAX);
	int opened = kernel_open(&t.k);
	for (size_t i = 0; i < ARRAY_SIZE(checks); i++) {
		const struct check *c = &checks[i];
		if (c->roles && !(c->roles & roles))
			continue;
		int r = opened < 0 ? opened : c->run(&t);
		v[n++] = (struct probe_result){
			.name = c->name, .ok = r >= 0, .needed = c->needed, .hint = c->hint, .error = r < 0 ? r : 0
		};
	}
	kernel_free(t.k);
	*ret = v;
	*ret_n = n;
	v = NULL;
	return 0;
}
