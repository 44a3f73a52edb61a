/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/tfc.h"

#include <errno.h>
#include <linux/netlink.h>
#include <stdlib.h>

#include "lib/cleanup.h"

#define TRIES 10 /* of a dump that others disturb */

struct found {
	struct tfc_info *v;
	size_t n, cap;
};

static int on_info(void *ctx, const struct nlmsghdr *h)
{
	struct found *f = ctx;
	struct tfc_info info;
	int r = tfcmsg_decode(h, &devices_system, &info);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	if (f->n == f->cap) {
		size_t cap = f->cap ? 2 * f->cap : 16;
		struct tfc_info *v = reallocarray(f->v, cap, sizeof(*v));
		if (!v)
			return -ENOMEM;
		f->v = v;
		f->cap = cap;
	}
	f->v[f->n++] = info;
	return 0;
}

/* dev NULL: the shapes; else its far ends. */
static int read_all(struct nlsock *route, const char *dev, struct found *ret)
{
	int r = -EINTR;
	for (int tries = 0; r == -EINTR && tries < TRIES; tries++) {
		struct nl_msg *m = NULL;
		ret->n = 0;
		r = dev ? tfcmsg_peers_request(dev, &devices_system, &m) : tfcmsg_dump_request(&m);
		if (r >= 0)
			r = nlsock_query(route, m, on_info, ret);
		nlmsg_free(m);
	}
	return r;
}

static int tell_peers(struct nlsock *route, const char *dev, tfc_fn fn, void *ctx)
{
	struct found peers = { 0 };
	int r = read_all(route, dev, &peers);
	for (size_t i = 0; i < peers.n && r >= 0; i++)
		fn(ctx, &peers.v[i]);
	free(peers.v);
	return r == -ENODEV ? 0 : r; /* it went meanwhile */
}

int tfc_read(struct nlsock *route, bool peers, tfc_fn fn, void *ctx)
{
	struct found shapes = { 0 };
	int r = read_all(route, NULL, &shapes);
	for (size_t i = 0; i < shapes.n && r >= 0; i++) {
		fn(ctx, &shapes.v[i]);
		if (peers)
			r = tell_peers(route, shapes.v[i].o.tfc.dev, fn, ctx);
	}
	free(shapes.v);
	return r;
}

int tfc_list(tfc_fn fn, void *ctx)
{
	struct nlsock s = { .fd = -1 };
	int r = nlsock_open(&s, NETLINK_ROUTE);
	if (r >= 0)
		r = tfc_read(&s, true, fn, ctx);
	nlsock_close(&s);
	return r;
}
