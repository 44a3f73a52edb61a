/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/tfcmsg.h"

#include <errno.h>
#include <linux/gen_stats.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <string.h>

#define HANDLE (TFC_MAJOR << 16)

static void cleanup_msg(struct nl_msg **m)
{
	nlmsg_free(*m);
}
#define _cleanup_msg_ _cleanup_(cleanup_msg)

static struct nl_msg *message(int type, int flags, const struct tcmsg *head)
{
	struct nl_msg *m = nlmsg_alloc_simple(type, flags);
	struct tcmsg t = *head;
	if (m && nlmsg_append(m, &t, sizeof(t), NLMSG_ALIGNTO) < 0) {
		nlmsg_free(m);
		return NULL;
	}
	return m;
}

static int put_u64(struct nl_msg *m, int attr, uint64_t v)
{
	return nla_put(m, attr, sizeof(v), &v);
}

static int put_tfc(struct nl_msg *m, const struct kobj_tfc *t)
{
	struct nlattr *options = nla_nest_start(m, TCA_OPTIONS);
	if (!options || nla_put_u32(m, TCA_TFC_SIZE, t->size) < 0 || put_u64(m, TCA_TFC_INTERVAL, t->interval_ns) < 0 ||
	    nla_put_u32(m, TCA_TFC_STEPS, t->steps) < 0 || put_u64(m, TCA_TFC_STEP_TIME, t->step_time_ns) < 0 ||
	    put_u64(m, TCA_TFC_IDLE, t->idle_ns) < 0 || put_u64(m, TCA_TFC_WINDOW, t->window_ns) < 0 ||
	    nla_put_u8(m, TCA_TFC_SHARED, t->shared) < 0 || (t->limit && nla_put_u32(m, TCA_TFC_LIMIT, t->limit) < 0))
		return -ENOMEM;
	nla_nest_end(m, options);
	return 0;
}

static int put_peer(struct nl_msg *m, const struct kobj_tfc_peer *p)
{
	struct nlattr *options = nla_nest_start(m, TCA_OPTIONS);
	if (!options || nla_put(m, TCA_TFC_PEER_SRC, sizeof(p->src), &p->src) < 0 ||
	    nla_put(m, TCA_TFC_PEER_DST, sizeof(p->dst), &p->dst) < 0)
		return -ENOMEM;
	nla_nest_end(m, options);
	return 0;
}

int tfcmsg_encode(const struct kobject *o, bool add, const struct devices *devs, struct nl_msg **ret)
{
	bool peer = o->type == KOBJ_TFC_PEER;
	if (!peer && o->type != KOBJ_TFC)
		return -EINVAL;
	unsigned int index = devs->index(peer ? o->tfc_peer.dev : o->tfc.dev);
	if (!index)
		return -ENODEV;
	struct tcmsg head = { .tcm_family = AF_UNSPEC,
			      .tcm_ifindex = (int)index,
			      .tcm_handle = HANDLE | (peer ? o->tfc_peer.number : 0u),
			      .tcm_parent = peer ? HANDLE : TC_H_ROOT };
	/* REPLACE, without EXCL: a discipline of another kind gives way, one of ours is changed. */
	int type = peer ? (add ? RTM_NEWTCLASS : RTM_DELTCLASS) : (add ? RTM_NEWQDISC : RTM_DELQDISC);
	int flags = !add ? 0 : peer ? NLM_F_CREATE : NLM_F_CREATE | NLM_F_REPLACE;
	_cleanup_msg_ struct nl_msg *m = message(type, flags, &head);
	if (!m || nla_put_string(m, TCA_KIND, TFC_KIND) < 0)
		return -ENOMEM;
	int r = !add ? 0 : peer ? put_peer(m, &o->tfc_peer) : put_tfc(m, &o->tfc);
	if (r < 0)
		return r;
	*ret = m;
	m = NULL;
	return 0;
}

int tfcmsg_dump_request(struct nl_msg **ret)
{
	struct tcmsg head = { .tcm_family = AF_UNSPEC };
	*ret = message(RTM_GETQDISC, NLM_F_DUMP, &head);
	return *ret ? 0 : -ENOMEM;
}

int tfcmsg_peers_request(const char *dev, const struct devices *devs, struct nl_msg **ret)
{
	unsigned int index = devs->index(dev);
	struct tcmsg head = { .tcm_family = AF_UNSPEC, .tcm_ifindex = (int)index };
	if (!index)
		return -ENODEV;
	*ret = message(RTM_GETTCLASS, NLM_F_DUMP, &head);
	return *ret ? 0 : -ENOMEM;
}

/* ---- what the kernel says ---- */

static uint64_t get_u64(struct nlattr *a)
{
	uint64_t v = 0;
	if (a)
		memcpy(&v, nla_data(a), sizeof(v));
	return v;
}

static uint32_t get_u32(struct nlattr *a)
{
	return a ? nla_get_u32(a) : 0;
}

static int get_tfc(struct nlattr *options, struct kobj_tfc *t)
{
	static const struct nla_policy policy[TCA_TFC_MAX + 1] = {
		[TCA_TFC_SIZE] = { .type = NLA_U32 },  [TCA_TFC_INTERVAL] = { .type = NLA_U64 },
		[TCA_TFC_STEPS] = { .type = NLA_U32 }, [TCA_TFC_STEP_TIME] = { .type = NLA_U64 },
		[TCA_TFC_IDLE] = { .type = NLA_U64 },  [TCA_TFC_WINDOW] = { .type = NLA_U64 },
		[TCA_TFC_LIMIT] = { .type = NLA_U32 }, [TCA_TFC_SHARED] = { .type = NLA_U8 },
	};
	struct nlattr *a[TCA_TFC_MAX + 1];
	if (!options || nla_parse_nested(a, TCA_TFC_MAX, options, policy) < 0 || !a[TCA_TFC_SIZE] ||
	    !a[TCA_TFC_INTERVAL] || nla_get_u32(a[TCA_TFC_SIZE]) > UINT16_MAX)
		return -EBADMSG;
	t->size = (uint16_t)nla_get_u32(a[TCA_TFC_SIZE]);
	t->interval_ns = get_u64(a[TCA_TFC_INTERVAL]);
	t->steps = get_u32(a[TCA_TFC_STEPS]);
	t->step_time_ns = get_u64(a[TCA_TFC_STEP_TIME]);
	t->idle_ns = get_u64(a[TCA_TFC_IDLE]);
	t->window_ns = get_u64(a[TCA_TFC_WINDOW]);
	t->shared = a[TCA_TFC_SHARED] && nla_get_u8(a[TCA_TFC_SHARED]);
	t->limit = get_u32(a[TCA_TFC_LIMIT]);
	return 0;
}

static int get_peer(struct nlattr *options, struct kobj_tfc_peer *p)
{
	static const struct nla_policy policy[TCA_TFC_PEER_MAX + 1] = {
		[TCA_TFC_PEER_SRC] = { .minlen = sizeof(struct in6_addr) },
		[TCA_TFC_PEER_DST] = { .minlen = sizeof(struct in6_addr) },
	};
	struct nlattr *a[TCA_TFC_PEER_MAX + 1];
	if (!options || nla_parse_nested(a, TCA_TFC_PEER_MAX, options, policy) < 0 || !a[TCA_TFC_PEER_SRC] ||
	    !a[TCA_TFC_PEER_DST])
		return -EBADMSG;
	memcpy(&p->src, nla_data(a[TCA_TFC_PEER_SRC]), sizeof(p->src));
	memcpy(&p->dst, nla_data(a[TCA_TFC_PEER_DST]), sizeof(p->dst));
	return 0;
}

/* A kernel with fewer counters than we know leaves the rest zero, one with more is cut. */
static void get_stats(struct nlattr *stats, struct tc_tfc_xstats *ret)
{
	struct nlattr *a[TCA_STATS_MAX + 1];
	if (!stats || nla_parse_nested(a, TCA_STATS_MAX, stats, NULL) < 0 || !a[TCA_STATS_APP])
		return;
	size_t len = (size_t)nla_len(a[TCA_STATS_APP]);
	memcpy(ret, nla_data(a[TCA_STATS_APP]), len < sizeof(*ret) ? len : sizeof(*ret));
}

int tfcmsg_decode(const struct nlmsghdr *h, const struct devices *devs, struct tfc_info *ret)
{
	bool peer = h->nlmsg_type == RTM_NEWTCLASS;
	struct nlattr *a[TCA_MAX + 1];
	struct tfc_info info = { 0 };
	if (!peer && h->nlmsg_type != RTM_NEWQDISC)
		return -ENOENT;
	if (nlmsg_parse((struct nlmsghdr *)(uintptr_t)h, sizeof(struct tcmsg), a, TCA_MAX, NULL) < 0 || !a[TCA_KIND])
		return -EBADMSG;
	const struct tcmsg *head = nlmsg_data(h);
	if ((size_t)nla_len(a[TCA_KIND]) != sizeof(TFC_KIND) ||
	    memcmp(nla_data(a[TCA_KIND]), TFC_KIND, sizeof(TFC_KIND)) != 0 || TC_H_MAJ(head->tcm_handle) != HANDLE)
		return -ENOENT;
	info.o.type = peer ? KOBJ_TFC_PEER : KOBJ_TFC;
	int r = peer ? get_peer(a[TCA_OPTIONS], &info.o.tfc_peer) : get_tfc(a[TCA_OPTIONS], &info.o.tfc);
	if (r < 0)
		return r;
	if (peer)
		info.o.tfc_peer.number = (uint16_t)TC_H_MIN(head->tcm_handle);
	if (!devs->name((unsigned int)head->tcm_ifindex, peer ? info.o.tfc_peer.dev : info.o.tfc.dev))
		return -ENOENT;
	get_stats(a[TCA_STATS2], &info.stats);
	*ret = info;
	return 0;
}
