/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SAs and policies as XFRM netlink messages and back (linux/xfrm.h; net/xfrm/xfrm_user.c). libnl's own XFRM
 * objects know neither if_id nor marks nor the extra flags. No I/O. Messages that carry keys are the caller's to wipe.
 */
#pragma once

#include <netlink/msg.h>
#include <stdbool.h>

#include "plan/object.h"

#define SA_REPLAY_WINDOW 1024 /* packets: two CPUs reorder by more than 64 */

/* 0, -ENOMEM, or -EINVAL: no XFRM object, or an SA without its key to be added. */
int xfrmmsg_encode(const struct kobject *o, bool add, struct nl_msg **ret);
/* The request for this SA or policy. */
int xfrmmsg_get(const struct kobject *o, struct nl_msg **ret);
/* The request for all of a type. */
int xfrmmsg_dump_request(enum kobject_type type, struct nl_msg **ret);
/*
 * A message from the kernel: 0; -ENOENT if it is no object of ours (reqid) or not one that this project makes;
 * -EBADMSG. ret->sa.key points into the message.
 */
int xfrmmsg_decode(const struct nlmsghdr *h, struct kobject *ret);
/* Whether a reqid is in the ranges of model/ids.h. */
bool xfrmmsg_reqid_ours(uint32_t reqid);
