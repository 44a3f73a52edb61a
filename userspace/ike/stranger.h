/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Connections with SAs in charon whose neighbour nobody here knows: a relay that left the network while we were not
 * running, or a guard whose demand has not come yet after a restart. Remembered from one full list to the next. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "ike/sa.h"

#define STRANGERS_MAX 1024 /* more are not remembered, and judged in a later round */

/* A table of them, NULL when empty. */
struct stranger;

/* This round's list shows it. Out of memory or table full: as if it had not been seen. */
void stranger_seen(struct stranger **table, const char *name, size_t len);

struct stranger_ops {
	bool (*known)(void *ctx, const char *conn);  /* by now */
	void (*remove)(void *ctx, const char *conn); /* seen in more than `patience` rounds in a row, and unknown */
};

/* End of a round. */
void strangers_judge(struct stranger **table, unsigned int patience, const struct stranger_ops *ops, void *ctx);
void strangers_free(struct stranger **table);
