/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside directory/ only: what a struct network that others see really is. */
#pragma once

#include "model/relay.h"

struct network_indexed {
	struct network net;	    /* first: callers hold a pointer to it */
	const struct relay **by_id; /* for bsearch */
};

/* Room for so many relays, all zero; network_free frees it. NULL: no memory. */
struct network_indexed *network_allocate(size_t relays);
