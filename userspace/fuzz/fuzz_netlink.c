/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Netlink datagrams: what dumps and notifications are made of. Both protocols number their messages alike: try both. */
#include <stdlib.h>
#include <string.h>

#include "kernel/eventmsg.h"
#include "kernel/rtmsg.h"
#include "kernel/tfcmsg.h"
#include "kernel/xfrmmsg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned int no_index(const char *name)
{
	(void)name;
	return 1;
}

static char *some_name(unsigned int index, char *ret)
{
	return index ? strcpy(ret, "lo") : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct devices devs = { .index = no_index, .name = some_name };
	if (size > 65536)
		return 0;
	uint8_t *copy = malloc(size ? size : 1);
	if (!copy)
		return 0;
	memcpy(copy, data, size);
	int left = (int)size;
	for (struct nlmsghdr *h = (void *)copy; nlmsg_ok(h, left); h = nlmsg_next(h, &left)) {
		struct kobject o;
		struct event ev;
		uint8_t canon[KOBJ_CANON_MAX];
		bool up;
		if (rtmsg_decode(h, &devs, &o, &up) == 0)
			kobject_canon(&o, canon);
		if (xfrmmsg_decode(h, &o) == 0)
			kobject_canon(&o, canon);
		struct tfc_info info;
		if (tfcmsg_decode(h, &devs, &info) == 0)
			kobject_canon(&info.o, canon);
		eventmsg_route(h, &ev);
		eventmsg_xfrm(h, &ev);
		uint32_t self;
		eventmsg_nft(h, 1, &ev);
		eventmsg_nft_self(h, &self);
	}
	free(copy);
	return 0;
}
