/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Links, addresses, routes and rules as rtnetlink messages and back. No I/O, except through struct devices. */
#pragma once

#include <netlink/msg.h>
#include <stdbool.h>

#include "plan/object.h"

/* Names of devices and their numbers; the kernel's in devices_system. */
struct devices {
	unsigned int (*index)(const char *name);      /* 0: none */
	char *(*name)(unsigned int index, char *ret); /* IFNAMSIZ bytes; NULL: none */
};
extern const struct devices devices_system;

/* The message that makes or takes away o. 0, -ENOMEM, -ENODEV, -EINVAL (not an rtnetlink object). */
int rtmsg_encode(const struct kobject *o, bool add, const struct devices *devs, struct nl_msg **ret);
/* The request for everything of a type: family AF_INET or AF_INET6 (ignored for links). 0, -ENOMEM, -EINVAL. */
int rtmsg_dump_request(enum kobject_type type, uint8_t family, struct nl_msg **ret);
/* The request for one link by its name. */
int rtmsg_link_request(const char *dev, struct nl_msg **ret);
/*
 * A message from the kernel: 0; -ENOENT if it is no object of ours; -EBADMSG if it is malformed. For a link,
 * *ret_up (may be NULL) tells if it is up.
 */
int rtmsg_decode(const struct nlmsghdr *h, const struct devices *devs, struct kobject *ret, bool *ret_up);
