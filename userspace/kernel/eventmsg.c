/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/eventmsg.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <linux/xfrm.h>
#include <netlink/msg.h>
#include <string.h>

#include "kernel/xfrmmsg.h"
#include "kmod/anon_tfc.h"
#include "model/ids.h"

static int parse(const struct nlmsghdr *h, size_t head, struct nlattr **a, int max, const struct nla_policy *policy)
{
	return nlmsg_parse((struct nlmsghdr *)(uintptr_t)h, (int)head, a, max, policy) < 0 ? -EBADMSG : 0;
}

static int link_event(const struct nlmsghdr *h, struct event *ret)
{
	static const struct nla_policy policy[IFLA_MAX + 1] = { [IFLA_IFNAME] = { .type = NLA_STRING,
										  .maxlen = IFNAMSIZ } };
	struct nlattr *a[IFLA_MAX + 1];
	if (parse(h, sizeof(struct ifinfomsg), a, IFLA_MAX, policy) < 0 || !a[IFLA_IFNAME])
		return -EBADMSG;
	const struct ifinfomsg *info = nlmsg_data(h);
	if (info->ifi_family != AF_UNSPEC)
		return -ENOENT; /* a bridge port, or IPv6's view of the device */
	struct event ev = { .type = EVENT_LINK };
	nla_strlcpy(ev.dev, a[IFLA_IFNAME], sizeof(ev.dev));
	ev.up = (info->ifi_flags & (IFF_UP | IFF_RUNNING)) == (IFF_UP | IFF_RUNNING);
	ev.gone = h->nlmsg_type == RTM_DELLINK;
	*ret = ev;
	return 0;
}

/* Default routes that come, and ours that go. */
static int route_event(const struct nlmsghdr *h, struct event *ret)
{
	if (!nlmsg_valid_hdr(h, sizeof(struct rtmsg)))
		return -EBADMSG;
	const struct rtmsg *r = nlmsg_data(h);
	bool ours = r->rtm_protocol == RTPROT_ANON, gone = h->nlmsg_type == RTM_DELROUTE;
	if (r->rtm_flags & RTM_F_CLONED || ours != gone)
		return -ENOENT;
	if (!ours && (r->rtm_dst_len || r->rtm_type != RTN_UNICAST))
		return -ENOENT;
	*ret = (struct event){ .type = ours ? EVENT_OURS : EVENT_ROUTE };
	return 0;
}

/* Addresses of global scope that are new and not ours: those that get another lifetime are told in the same way. */
static int addr_event(const struct nlmsghdr *h, struct event *ret)
{
	static const struct nla_policy policy[IFA_MAX + 1] = {
		[IFA_PROTO] = { .type = NLA_U8 }, [IFA_CACHEINFO] = { .minlen = sizeof(struct ifa_cacheinfo) }
	};
	struct nlattr *a[IFA_MAX + 1];
	if (parse(h, sizeof(struct ifaddrmsg), a, IFA_MAX, policy) < 0)
		return -EBADMSG;
	const struct ifaddrmsg *info = nlmsg_data(h);
	if (info->ifa_scope != RT_SCOPE_UNIVERSE || (a[IFA_PROTO] && nla_get_u8(a[IFA_PROTO]) == RTPROT_ANON))
		return -ENOENT;
	const struct ifa_cacheinfo *age = a[IFA_CACHEINFO] ? nla_data(a[IFA_CACHEINFO]) : NULL;
	if (age && age->cstamp != age->tstamp)
		return -ENOENT;
	*ret = (struct event){ .type = EVENT_ROUTE };
	return 0;
}

/* Routing rules of ours that are gone; network managers take away rules that they did not make. */
static int rule_event(const struct nlmsghdr *h, struct event *ret)
{
	static const struct nla_policy policy[FRA_MAX + 1] = { [FRA_PROTOCOL] = { .type = NLA_U8 } };
	struct nlattr *a[FRA_MAX + 1];
	if (parse(h, sizeof(struct fib_rule_hdr), a, FRA_MAX, policy) < 0)
		return -EBADMSG;
	if (!a[FRA_PROTOCOL] || nla_get_u8(a[FRA_PROTOCOL]) != RTPROT_ANON)
		return -ENOENT;
	*ret = (struct event){ .type = EVENT_OURS };
	return 0;
}

/* Disciplines of ours that are gone, perhaps with their devices. */
static int qdisc_event(const struct nlmsghdr *h, struct event *ret)
{
	static const struct nla_policy policy[TCA_MAX + 1] = { [TCA_KIND] = { .type = NLA_STRING } };
	struct nlattr *a[TCA_MAX + 1];
	if (parse(h, sizeof(struct tcmsg), a, TCA_MAX, policy) < 0 || !a[TCA_KIND])
		return -EBADMSG;
	if (nla_strcmp(a[TCA_KIND], TFC_KIND) != 0)
		return -ENOENT;
	*ret = (struct event){ .type = EVENT_OURS };
	return 0;
}

int eventmsg_route(const struct nlmsghdr *h, struct event *ret)
{
	switch (h->nlmsg_type) {
	case RTM_DELRULE:
		return rule_event(h, ret);
	case RTM_NEWLINK:
	case RTM_DELLINK:
		return link_event(h, ret);
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		return route_event(h, ret);
	case RTM_DELQDISC:
		return qdisc_event(h, ret);
	case RTM_NEWADDR:
		return addr_event(h, ret);
	default:
		return -ENOENT;
	}
}

int eventmsg_xfrm(const struct nlmsghdr *h, struct event *ret)
{
	if (h->nlmsg_type != XFRM_MSG_EXPIRE)
		return -ENOENT;
	if (!nlmsg_valid_hdr(h, sizeof(struct xfrm_user_expire)))
		return -EBADMSG;
	struct xfrm_user_expire x; /* aligned to 8 bytes, messages are to 4 */
	memcpy(&x, nlmsg_data(h), sizeof(x));
	if (!xfrmmsg_reqid_ours(x.state.reqid))
		return -ENOENT;
	*ret = (struct event){ .type = EVENT_SA, .reqid = x.state.reqid, .spi = ntohl(x.state.id.spi), .gone = x.hard };
	return 0;
}

/* The process that a message about a generation names, 0 if it names none (nf_tables_fill_gen_info). */
static int gen_process(const struct nlmsghdr *h, uint32_t *ret)
{
	static const struct nla_policy policy[NFTA_GEN_MAX + 1] = { [NFTA_GEN_PROC_PID] = { .type = NLA_U32 } };
	struct nlattr *a[NFTA_GEN_MAX + 1];
	if (h->nlmsg_type != (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWGEN))
		return -ENOENT;
	if (parse(h, sizeof(struct nfgenmsg), a, NFTA_GEN_MAX, policy) < 0)
		return -EBADMSG;
	*ret = a[NFTA_GEN_PROC_PID] ? ntohl(nla_get_u32(a[NFTA_GEN_PROC_PID])) : 0;
	return 0;
}

int eventmsg_nft(const struct nlmsghdr *h, uint32_t self, struct event *ret)
{
	uint32_t process;
	int r = gen_process(h, &process);
	if (r < 0)
		return r;
	if (process && process == self)
		return -ENOENT;
	*ret = (struct event){ .type = EVENT_NFT };
	return 0;
}

int eventmsg_nft_self(const struct nlmsghdr *h, uint32_t *ret_self)
{
	uint32_t process;
	int r = gen_process(h, &process);
	if (r < 0)
		return r;
	if (!process)
		return -EBADMSG;
	*ret_self = process;
	return 0;
}
