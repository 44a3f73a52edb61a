/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/eventmsg.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/xfrm.h>
#include <netlink/msg.h>
#include <string.h>

#include "kernel/xfrmmsg.h"
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

/* Default routes that are not ours. */
static int route_event(const struct nlmsghdr *h, struct event *ret)
{
	if (!nlmsg_valid_hdr(h, sizeof(struct rtmsg)))
		return -EBADMSG;
	const struct rtmsg *r = nlmsg_data(h);
	if (r->rtm_dst_len || r->rtm_protocol == RTPROT_ANON || r->rtm_flags & RTM_F_CLONED ||
	    r->rtm_type != RTN_UNICAST)
		return -ENOENT;
	*ret = (struct event){ .type = EVENT_ROUTE };
	return 0;
}

/* Addresses of global scope that are not ours. */
static int addr_event(const struct nlmsghdr *h, struct event *ret)
{
	static const struct nla_policy policy[IFA_MAX + 1] = { [IFA_PROTO] = { .type = NLA_U8 } };
	struct nlattr *a[IFA_MAX + 1];
	if (parse(h, sizeof(struct ifaddrmsg), a, IFA_MAX, policy) < 0)
		return -EBADMSG;
	const struct ifaddrmsg *info = nlmsg_data(h);
	if (info->ifa_scope != RT_SCOPE_UNIVERSE || (a[IFA_PROTO] && nla_get_u8(a[IFA_PROTO]) == RTPROT_ANON))
		return -ENOENT;
	*ret = (struct event){ .type = EVENT_ROUTE };
	return 0;
}

int eventmsg_route(const struct nlmsghdr *h, struct event *ret)
{
	switch (h->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
		return link_event(h, ret);
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		return route_event(h, ret);
	case RTM_NEWADDR:
	case RTM_DELADDR:
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
