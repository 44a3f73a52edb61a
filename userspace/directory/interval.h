/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What votes and consensus begin with (wire/document.h has the format): when it holds, and what holds for the network.
 */
#pragma once

#include <stdint.h>
#include <stdio.h>

#include "lib/error.h"
#include "wire/document.h"

struct interval {
	uint64_t valid_after, fresh_until, valid_until; /* seconds since 1970 UTC, ascending */
	uint16_t link_mtu;				/* bytes */
};

/* Up to a line with one of stops. -EINVAL with line and field. */
int interval_read(struct document_reader *r, const char *const *stops, struct interval *ret, struct error *err);
void interval_put(FILE *f, const struct interval *v);
