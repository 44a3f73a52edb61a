/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Traffic shapes (kmod/anon_tfc.h) as rtnetlink messages and back. No I/O, except through struct devices. */
#pragma once

#include <netlink/msg.h>
#include <stdbool.h>

#include "kernel/rtmsg.h"
#include "kmod/anon_tfc.h"
#include "plan/object.h"

/* All that a device has is under this handle. */
#define TFC_MAJOR 0xa11u

/*
 * The message that makes (or changes to) or takes away o, a KOBJ_TFC or KOBJ_TFC_PEER. 0, -ENOMEM, -ENODEV, -EINVAL
 * (another object).
 */
int tfcmsg_encode(const struct kobject *o, bool add, const struct devices *devs, struct nl_msg **ret);

/* The requests for the shapes of all devices, and for the far ends of one. 0, -ENOMEM, -ENODEV. */
int tfcmsg_dump_request(struct nl_msg **ret);
int tfcmsg_peers_request(const char *dev, const struct devices *devs, struct nl_msg **ret);

/* A shape, or a far end of one, with its counters. */
struct tfc_info {
	struct kobject o; /* KOBJ_TFC or KOBJ_TFC_PEER */
	struct tc_tfc_xstats stats;
};
/* A message from the kernel: 0; -ENOENT if it is of another discipline or another's device; -EBADMSG if malformed. */
int tfcmsg_decode(const struct nlmsghdr *h, const struct devices *devs, struct tfc_info *ret);
