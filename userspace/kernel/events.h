/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel tells unasked: for the event loop. */
#pragma once

#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

struct kernel_events;

/* A member that is NULL is not called. */
struct kernel_events_fns {
	/* A link device of the host changed (any device: name as the kernel says). */
	void (*link)(void *ctx, const char *dev, bool up, bool gone);
	/* An address or a default route was added: the path to the outside may have moved. */
	void (*route)(void *ctx);
	/*
	 * An SA of ours (by reqid) reached a limit; hard: it is gone. Deletions by others are not told: that group
	 * also carries every SA that is made, with its key.
	 */
	void (*sa)(void *ctx, uint32_t reqid, uint32_t spi, bool hard);
	/*
	 * Another process committed an nft transaction; what it did is not told: ours may be gone. Not called for the
	 * transactions of this process, so it may make some in answer.
	 */
	void (*nft)(void *ctx);
	/* A routing rule, a route or a traffic shape of ours was taken away, perhaps by this process. */
	void (*ours)(void *ctx);
	/* Messages of any kind were lost (ENOBUFS): read everything again. */
	void (*lost)(void *ctx);
};

int kernel_events_open(const struct kernel_events_fns *fns, void *ctx, struct kernel_events **ret);
/* Three descriptors to poll for reading; for any of them kernel_events_read. */
int kernel_events_fd_route(const struct kernel_events *e);
int kernel_events_fd_xfrm(const struct kernel_events *e);
int kernel_events_fd_nft(const struct kernel_events *e);
/* Read what is there without blocking and call back. 0 or negative errno. */
int kernel_events_read(struct kernel_events *e);
void kernel_events_free(struct kernel_events *e);
