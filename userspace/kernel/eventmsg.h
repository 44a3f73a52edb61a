/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a notification of the kernel says. No I/O. */
#pragma once

#include <linux/netlink.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

struct event {
	enum { EVENT_LINK = 1, EVENT_ROUTE, EVENT_SA, EVENT_NFT, EVENT_OURS } type;
	char dev[IFNAMSIZ];  /* LINK */
	bool up;	     /* LINK */
	bool gone;	     /* LINK; SA: expired for good */
	uint32_t reqid, spi; /* SA */
};

/* 0; -ENOENT: of no interest; -EBADMSG. */
int eventmsg_route(const struct nlmsghdr *h, struct event *ret);
int eventmsg_xfrm(const struct nlmsghdr *h, struct event *ret);
/* Commits of nft transactions by others than process self, which eventmsg_nft_self has read. */
int eventmsg_nft(const struct nlmsghdr *h, uint32_t self, struct event *ret);
/* Who asked, in the answer to NFT_MSG_GETGEN. */
int eventmsg_nft_self(const struct nlmsghdr *h, uint32_t *ret_self);
