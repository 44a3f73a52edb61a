/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/rtmsg.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "model/ids.h"

#define IFINDEX_LO 1 /* LOOPBACK_IFINDEX of include/net/flow.h */

static void cleanup_msg(struct nl_msg **m)
{
	nlmsg_free(*m);
}

const struct devices devices_system = { .index = if_nametoindex, .name = if_indextoname };

static struct nl_msg *message(int type, int flags, const void *head, size_t len)
{
	struct nl_msg *m = nlmsg_alloc_simple(type, flags);
	if (m && nlmsg_append(m, (void *)(uintptr_t)head, len, NLMSG_ALIGNTO) < 0) {
		nlmsg_free(m);
		return NULL;
	}
	return m;
}

static int add_flags(bool add)
{
	return add ? NLM_F_CREATE | NLM_F_EXCL : 0;
}

static size_t addr_size(uint8_t family)
{
	return family == AF_INET6 ? sizeof(struct in6_addr) : sizeof(struct in_addr);
}

static const void *addr_of(const struct prefix *p)
{
	return p->family == AF_INET6 ? (const void *)&p->a6 : (const void *)&p->a4;
}

static int put_addr(struct nl_msg *m, int attr, const struct prefix *p)
{
	return nla_put(m, attr, (int)addr_size(p->family), addr_of(p));
}

static int encode_link(const struct kobj_link *l, bool add, struct nl_msg **ret)
{
	struct ifinfomsg head = { .ifi_family = AF_UNSPEC };
	_cleanup_(cleanup_msg) struct nl_msg *m =
		message(add ? RTM_NEWLINK : RTM_DELLINK, add_flags(add), &head, sizeof(head));
	if (!m || nla_put_string(m, IFLA_IFNAME, l->dev) < 0)
		return -ENOMEM;
	if (add) {
		struct nlattr *info, *data;
		/* It belongs to lo, so that it does not depend on how the host reaches the outside. */
		if (nla_put_u32(m, IFLA_MTU, l->mtu) < 0 || !(info = nla_nest_start(m, IFLA_LINKINFO)) ||
		    nla_put_string(m, IFLA_INFO_KIND, "xfrm") < 0 || !(data = nla_nest_start(m, IFLA_INFO_DATA)) ||
		    nla_put_u32(m, IFLA_XFRM_LINK, IFINDEX_LO) < 0 || nla_put_u32(m, IFLA_XFRM_IF_ID, l->if_id) < 0)
			return -ENOMEM;
		nla_nest_end(m, data);
		nla_nest_end(m, info);
	}
	*ret = m;
	m = NULL;
	return 0;
}

static int encode_up(const struct kobj_link *l, bool up, struct nl_msg **ret)
{
	struct ifinfomsg head = { .ifi_family = AF_UNSPEC, .ifi_change = IFF_UP, .ifi_flags = up ? IFF_UP : 0 };
	_cleanup_(cleanup_msg) struct nl_msg *m = message(RTM_NEWLINK, 0, &head, sizeof(head));
	if (!m || nla_put_string(m, IFLA_IFNAME, l->dev) < 0)
		return -ENOMEM;
	*ret = m;
	m = NULL;
	return 0;
}

static int encode_addr(const struct kobj_addr *a, bool add, const struct devices *devs, struct nl_msg **ret)
{
	unsigned int index = devs->index(a->dev);
	if (!index)
		return -ENODEV;
	bool six = a->addr.family == AF_INET6;
	struct ifaddrmsg head = { .ifa_family = a->addr.family,
				  .ifa_prefixlen = a->addr.len,
				  .ifa_scope = six ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK,
				  .ifa_index = index };
	_cleanup_(cleanup_msg) struct nl_msg *m =
		message(add ? RTM_NEWADDR : RTM_DELADDR, add_flags(add), &head, sizeof(head));
	if (!m || put_addr(m, IFA_LOCAL, &a->addr) < 0 || put_addr(m, IFA_ADDRESS, &a->addr) < 0)
		return -ENOMEM;
	if (add && (nla_put_u32(m, IFA_FLAGS, IFA_F_NODAD | IFA_F_NOPREFIXROUTE) < 0 ||
		    nla_put_u8(m, IFA_PROTO, RTPROT_ANON) < 0))
		return -ENOMEM;
	/* Deprecated (preferred for 0 s): never chosen as the source of packets that are not ours (RFC 6724 rule 3). */
	struct ifa_cacheinfo life = { .ifa_prefered = 0, .ifa_valid = UINT32_MAX };
	if (add && six && nla_put(m, IFA_CACHEINFO, sizeof(life), &life) < 0)
		return -ENOMEM;
	*ret = m;
	m = NULL;
	return 0;
}

static int put_metrics(struct nl_msg *m, const struct kobj_route *r)
{
	if (!r->mtu && !r->hoplimit)
		return 0;
	struct nlattr *metrics = nla_nest_start(m, RTA_METRICS);
	if (!metrics || (r->mtu && nla_put_u32(m, RTAX_MTU, r->mtu) < 0) ||
	    (r->hoplimit && nla_put_u32(m, RTAX_HOPLIMIT, r->hoplimit) < 0))
		return -ENOMEM;
	nla_nest_end(m, metrics);
	return 0;
}

static const uint8_t route_types[] = {
	[ROUTE_UNICAST] = RTN_UNICAST, [ROUTE_UNREACHABLE] = RTN_UNREACHABLE, [ROUTE_THROW] = RTN_THROW
};

static int encode_route(const struct kobj_route *r, bool add, const struct devices *devs, struct nl_msg **ret)
{
	bool unicast = r->type == ROUTE_UNICAST;
	unsigned int index = unicast ? devs->index(r->dev) : 0;
	if (unicast && !index)
		return -ENODEV;
	struct rtmsg head = { .rtm_family = r->dst.family,
			      .rtm_dst_len = r->dst.len,
			      .rtm_src_len = r->from.family ? r->from.len : 0,
			      .rtm_table = r->table < 256 ? (uint8_t)r->table : RT_TABLE_UNSPEC,
			      .rtm_protocol = RTPROT_ANON,
			      .rtm_scope = unicast && r->dst.family == AF_INET ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE,
			      .rtm_type = route_types[r->type] };
	_cleanup_(cleanup_msg) struct nl_msg *m =
		message(add ? RTM_NEWROUTE : RTM_DELROUTE, add_flags(add), &head, sizeof(head));
	if (!m || nla_put_u32(m, RTA_TABLE, r->table) < 0 || nla_put_u32(m, RTA_PRIORITY, r->metric) < 0)
		return -ENOMEM;
	if ((r->dst.len && put_addr(m, RTA_DST, &r->dst) < 0) || (r->from.family && put_addr(m, RTA_SRC, &r->from) < 0))
		return -ENOMEM;
	if (unicast && nla_put_u32(m, RTA_OIF, index) < 0)
		return -ENOMEM;
	if (r->src.family && put_addr(m, RTA_PREFSRC, &r->src) < 0)
		return -ENOMEM;
	if (add && put_metrics(m, r) < 0)
		return -ENOMEM;
	*ret = m;
	m = NULL;
	return 0;
}

static int encode_rule(const struct kobj_rule *r, bool add, struct nl_msg **ret)
{
	struct fib_rule_hdr head = { .family = r->family,
				     .dst_len = r->to.family ? r->to.len : 0,
				     .src_len = r->from.family ? r->from.len : 0,
				     .table = r->table < 256 ? (uint8_t)r->table : RT_TABLE_UNSPEC,
				     .action = FR_ACT_TO_TBL };
	struct fib_rule_uid_range users = { r->user.id, r->user.id };
	struct fib_rule_port_range ports = { r->port.first, r->port.last };
	_cleanup_(cleanup_msg) struct nl_msg *m =
		message(add ? RTM_NEWRULE : RTM_DELRULE, add_flags(add), &head, sizeof(head));
	if (!m || nla_put_u32(m, FRA_PRIORITY, r->pref) < 0 || nla_put_u32(m, FRA_TABLE, r->table) < 0 ||
	    nla_put_u8(m, FRA_PROTOCOL, RTPROT_ANON) < 0)
		return -ENOMEM;
	if (r->fwmark && (nla_put_u32(m, FRA_FWMARK, r->fwmark) < 0 || nla_put_u32(m, FRA_FWMASK, UINT32_MAX) < 0))
		return -ENOMEM;
	if (r->to.family && put_addr(m, FRA_DST, &r->to) < 0)
		return -ENOMEM;
	if (r->from.family && put_addr(m, FRA_SRC, &r->from) < 0)
		return -ENOMEM;
	if ((r->local || r->iif[0]) && nla_put_string(m, FRA_IIFNAME, r->local ? "lo" : r->iif) < 0)
		return -ENOMEM;
	if (r->user.on && nla_put(m, FRA_UID_RANGE, sizeof(users), &users) < 0)
		return -ENOMEM;
	if (r->port.proto &&
	    (nla_put_u8(m, FRA_IP_PROTO, r->port.proto) < 0 || nla_put(m, FRA_DPORT_RANGE, sizeof(ports), &ports) < 0))
		return -ENOMEM;
	if (r->specific && nla_put_u32(m, FRA_SUPPRESS_PREFIXLEN, 0) < 0)
		return -ENOMEM;
	*ret = m;
	m = NULL;
	return 0;
}

int rtmsg_encode(const struct kobject *o, bool add, const struct devices *devs, struct nl_msg **ret)
{
	switch (o->type) {
	case KOBJ_LINK:
		return encode_link(&o->link, add, ret);
	case KOBJ_LINK_UP:
		return encode_up(&o->link, add, ret);
	case KOBJ_ADDR:
		return encode_addr(&o->addr, add, devs, ret);
	case KOBJ_ROUTE:
		return encode_route(&o->route, add, devs, ret);
	case KOBJ_RULE:
		return encode_rule(&o->rule, add, ret);
	default:
		return -EINVAL;
	}
}

int rtmsg_dump_request(enum kobject_type type, uint8_t family, struct nl_msg **ret)
{
	struct ifinfomsg link = { .ifi_family = AF_UNSPEC };
	struct ifaddrmsg addr = { .ifa_family = family };
	struct rtmsg route = { .rtm_family = family, .rtm_protocol = RTPROT_ANON };
	struct fib_rule_hdr rule = { .family = family };
	struct nl_msg *m;
	switch (type) {
	case KOBJ_LINK:
	case KOBJ_LINK_UP:
		m = message(RTM_GETLINK, NLM_F_DUMP, &link, sizeof(link));
		break;
	case KOBJ_ADDR:
		m = message(RTM_GETADDR, NLM_F_DUMP, &addr, sizeof(addr));
		break;
	case KOBJ_ROUTE:
		m = message(RTM_GETROUTE, NLM_F_DUMP, &route, sizeof(route));
		break;
	case KOBJ_RULE:
		m = message(RTM_GETRULE, NLM_F_DUMP, &rule, sizeof(rule));
		break;
	default:
		return -EINVAL;
	}
	if (!m)
		return -ENOMEM;
	*ret = m;
	return 0;
}

int rtmsg_link_request(const char *dev, struct nl_msg **ret)
{
	struct ifinfomsg head = { .ifi_family = AF_UNSPEC };
	struct nl_msg *m = message(RTM_GETLINK, 0, &head, sizeof(head));
	if (!m || nla_put_string(m, IFLA_IFNAME, dev) < 0) {
		nlmsg_free(m);
		return -ENOMEM;
	}
	*ret = m;
	return 0;
}

static bool ifid_ours(uint32_t id)
{
	return id == IFID_CIRC || (id > IFID_LINK_BASE && id <= IFID_LINK_BASE + LINK_LAST) ||
	       (id >= IFID_LAYER_BASE && id < IFID_LAYER_END);
}

/* if_id of an xfrm interface, 0 if it is something else. */
static uint32_t link_if_id(struct nlattr *info)
{
	static const struct nla_policy policy[IFLA_INFO_MAX + 1] = {
		[IFLA_INFO_KIND] = { .type = NLA_STRING }, [IFLA_INFO_DATA] = { .type = NLA_NESTED }
	};
	static const struct nla_policy xfrm[IFLA_XFRM_MAX + 1] = { [IFLA_XFRM_IF_ID] = { .type = NLA_U32 } };
	struct nlattr *a[IFLA_INFO_MAX + 1], *x[IFLA_XFRM_MAX + 1];
	if (!info || nla_parse_nested(a, IFLA_INFO_MAX, info, policy) < 0 || !a[IFLA_INFO_KIND] || !a[IFLA_INFO_DATA])
		return 0;
	if (nla_len(a[IFLA_INFO_KIND]) < 5 || memcmp(nla_data(a[IFLA_INFO_KIND]), "xfrm", 5) != 0)
		return 0;
	if (nla_parse_nested(x, IFLA_XFRM_MAX, a[IFLA_INFO_DATA], xfrm) < 0 || !x[IFLA_XFRM_IF_ID])
		return 0;
	return nla_get_u32(x[IFLA_XFRM_IF_ID]);
}

static int decode_link(const struct nlmsghdr *h, struct kobject *ret, bool *ret_up)
{
	static const struct nla_policy policy[IFLA_MAX + 1] = {
		[IFLA_IFNAME] = { .type = NLA_STRING, .maxlen = IFNAMSIZ },
		[IFLA_MTU] = { .type = NLA_U32 },
	};
	struct nlattr *a[IFLA_MAX + 1];
	if (nlmsg_parse((struct nlmsghdr *)(uintptr_t)h, sizeof(struct ifinfomsg), a, IFLA_MAX, policy) < 0)
		return -EBADMSG;
	uint32_t if_id = link_if_id(a[IFLA_LINKINFO]);
	if (!ifid_ours(if_id))
		return -ENOENT;
	if (!a[IFLA_IFNAME] || !a[IFLA_MTU] || nla_get_u32(a[IFLA_MTU]) > UINT16_MAX)
		return -EBADMSG;
	const struct ifinfomsg *head = nlmsg_data(h);
	struct kobject o = { .type = KOBJ_LINK };
	nla_strlcpy(o.link.dev, a[IFLA_IFNAME], sizeof(o.link.dev));
	o.link.if_id = if_id;
	o.link.mtu = (uint16_t)nla_get_u32(a[IFLA_MTU]);
	if (ret_up)
		*ret_up = head->ifi_flags & IFF_UP;
	*ret = o;
	return 0;
}

/* An address attribute into a prefix of its family. */
static int get_prefix(struct nlattr *a, uint8_t family, uint8_t len, struct prefix *ret)
{
	if (family != AF_INET && family != AF_INET6)
		return -ENOENT;
	if (len > addr_size(family) * 8)
		return -EBADMSG;
	*ret = (struct prefix){ .family = family, .len = len };
	if (!a)
		return len ? -EBADMSG : 0;
	if ((size_t)nla_len(a) != addr_size(family))
		return -EBADMSG;
	memcpy(family == AF_INET6 ? (void *)&ret->a6 : (void *)&ret->a4, nla_data(a), addr_size(family));
	return 0;
}

static int decode_addr(const struct nlmsghdr *h, const struct devices *devs, struct kobject *ret)
{
	static const struct nla_policy policy[IFA_MAX + 1] = { [IFA_PROTO] = { .type = NLA_U8 } };
	struct nlattr *a[IFA_MAX + 1];
	if (nlmsg_parse((struct nlmsghdr *)(uintptr_t)h, sizeof(struct ifaddrmsg), a, IFA_MAX, policy) < 0)
		return -EBADMSG;
	if (!a[IFA_PROTO] || nla_get_u8(a[IFA_PROTO]) != RTPROT_ANON)
		return -ENOENT;
	const struct ifaddrmsg *head = nlmsg_data(h);
	struct kobject o = { .type = KOBJ_ADDR };
	/* IPv6 has no IFA_LOCAL unless there is a peer */
	struct nlattr *addr = a[IFA_LOCAL] ? a[IFA_LOCAL] : a[IFA_ADDRESS];
	int r = addr ? get_prefix(addr, head->ifa_family, head->ifa_prefixlen, &o.addr.addr) : -EBADMSG;
	if (r < 0)
		return r;
	if (!devs->name(head->ifa_index, o.addr.dev))
		return -ENOENT;
	*ret = o;
	return 0;
}

static void get_metrics(struct nlattr *attr, struct kobj_route *r)
{
	static const struct nla_policy policy[RTAX_MAX + 1] = {
		[RTAX_MTU] = { .type = NLA_U32 }, [RTAX_HOPLIMIT] = { .type = NLA_U32 }
	};
	struct nlattr *a[RTAX_MAX + 1];
	if (!attr || nla_parse_nested(a, RTAX_MAX, attr, policy) < 0)
		return;
	if (a[RTAX_MTU])
		r->mtu = nla_get_u32(a[RTAX_MTU]);
	if (a[RTAX_HOPLIMIT])
		r->hoplimit = (uint8_t)nla_get_u32(a[RTAX_HOPLIMIT]);
}

static int get_route_addrs(const struct rtmsg *head, struct nlattr **a, struct kobj_route *r)
{
	int e = get_prefix(a[RTA_DST], head->rtm_family, head->rtm_dst_len, &r->dst);
	if (e >= 0 && head->rtm_src_len)
		e = get_prefix(a[RTA_SRC], head->rtm_family, head->rtm_src_len, &r->from);
	if (e >= 0 && a[RTA_PREFSRC])
		e = get_prefix(a[RTA_PREFSRC], head->rtm_family, (uint8_t)(addr_size(head->rtm_family) * 8), &r->src);
	return e;
}

static int get_route_type(const struct rtmsg *head, struct kobj_route *ret)
{
	for (size_t i = ROUTE_UNICAST; i < ARRAY_SIZE(route_types); i++)
		if (head->rtm_type == route_types[i]) {
			ret->type = (enum kobj_route_type)i;
			return 0;
		}
	return -ENOENT;
}

static int decode_route(const struct nlmsghdr *h, const struct devices *devs, struct kobject *ret)
{
	static const struct nla_policy policy[RTA_MAX + 1] = {
		[RTA_TABLE] = { .type = NLA_U32 }, [RTA_PRIORITY] = { .type = NLA_U32 }, [RTA_OIF] = { .type = NLA_U32 }
	};
	struct nlattr *a[RTA_MAX + 1];
	if (nlmsg_parse((struct nlmsghdr *)(uintptr_t)h, sizeof(struct rtmsg), a, RTA_MAX, policy) < 0)
		return -EBADMSG;
	const struct rtmsg *head = nlmsg_data(h);
	struct kobject o = { .type = KOBJ_ROUTE };
	if (head->rtm_protocol != RTPROT_ANON || get_route_type(head, &o.route) < 0 || head->rtm_flags & RTM_F_CLONED)
		return -ENOENT;
	int r = get_route_addrs(head, a, &o.route);
	if (r < 0)
		return r;
	o.route.table = a[RTA_TABLE] ? nla_get_u32(a[RTA_TABLE]) : head->rtm_table;
	o.route.metric = a[RTA_PRIORITY] ? nla_get_u32(a[RTA_PRIORITY]) : 0;
	get_metrics(a[RTA_METRICS], &o.route);
	if (o.route.type == ROUTE_UNICAST && (!a[RTA_OIF] || !devs->name(nla_get_u32(a[RTA_OIF]), o.route.dev)))
		return -ENOENT;
	*ret = o;
	return 0;
}

static int decode_rule(const struct nlmsghdr *h, struct kobject *ret)
{
	static const struct nla_policy policy[FRA_MAX + 1] = {
		[FRA_PROTOCOL] = { .type = NLA_U8 },
		[FRA_PRIORITY] = { .type = NLA_U32 },
		[FRA_TABLE] = { .type = NLA_U32 },
		[FRA_FWMARK] = { .type = NLA_U32 },
		[FRA_IIFNAME] = { .type = NLA_STRING, .maxlen = IFNAMSIZ },
		[FRA_SUPPRESS_PREFIXLEN] = { .type = NLA_U32 },
		[FRA_UID_RANGE] = { .minlen = sizeof(struct fib_rule_uid_range) },
		[FRA_IP_PROTO] = { .type = NLA_U8 },
		[FRA_DPORT_RANGE] = { .minlen = sizeof(struct fib_rule_port_range) },
	};
	struct nlattr *a[FRA_MAX + 1];
	if (nlmsg_parse((struct nlmsghdr *)(uintptr_t)h, sizeof(struct fib_rule_hdr), a, FRA_MAX, policy) < 0)
		return -EBADMSG;
	const struct fib_rule_hdr *head = nlmsg_data(h);
	if (!a[FRA_PROTOCOL] || nla_get_u8(a[FRA_PROTOCOL]) != RTPROT_ANON || head->action != FR_ACT_TO_TBL)
		return -ENOENT;
	struct kobject o = { .type = KOBJ_RULE };
	o.rule.family = head->family;
	o.rule.pref = a[FRA_PRIORITY] ? nla_get_u32(a[FRA_PRIORITY]) : 0;
	o.rule.table = a[FRA_TABLE] ? nla_get_u32(a[FRA_TABLE]) : head->table;
	o.rule.fwmark = a[FRA_FWMARK] ? nla_get_u32(a[FRA_FWMARK]) : 0;
	o.rule.local = a[FRA_IIFNAME] && nla_strcmp(a[FRA_IIFNAME], "lo") == 0;
	if (a[FRA_IIFNAME] && !o.rule.local)
		nla_strlcpy(o.rule.iif, a[FRA_IIFNAME], sizeof(o.rule.iif));
	/* all bits: the kernel's way to say that there is none */
	o.rule.specific = a[FRA_SUPPRESS_PREFIXLEN] && nla_get_u32(a[FRA_SUPPRESS_PREFIXLEN]) == 0;
	struct fib_rule_uid_range users = { 0 };
	struct fib_rule_port_range ports = { 0 };
	if (a[FRA_UID_RANGE])
		memcpy(&users, nla_data(a[FRA_UID_RANGE]), sizeof(users));
	if (a[FRA_DPORT_RANGE])
		memcpy(&ports, nla_data(a[FRA_DPORT_RANGE]), sizeof(ports));
	o.rule.user.on = a[FRA_UID_RANGE] && users.start == users.end;
	o.rule.user.id = o.rule.user.on ? users.start : 0;
	o.rule.port.proto = a[FRA_IP_PROTO] ? nla_get_u8(a[FRA_IP_PROTO]) : 0;
	o.rule.port.first = ports.start;
	o.rule.port.last = ports.end;
	int r = head->dst_len ? get_prefix(a[FRA_DST], head->family, head->dst_len, &o.rule.to) : 0;
	if (r >= 0 && head->src_len)
		r = get_prefix(a[FRA_SRC], head->family, head->src_len, &o.rule.from);
	if (r < 0)
		return r;
	*ret = o;
	return 0;
}

int rtmsg_decode(const struct nlmsghdr *h, const struct devices *devs, struct kobject *ret, bool *ret_up)
{
	switch (h->nlmsg_type) {
	case RTM_NEWLINK:
		return decode_link(h, ret, ret_up);
	case RTM_NEWADDR:
		return decode_addr(h, devs, ret);
	case RTM_NEWROUTE:
		return decode_route(h, devs, ret);
	case RTM_NEWRULE:
		return decode_rule(h, ret);
	default:
		return -ENOENT;
	}
}
