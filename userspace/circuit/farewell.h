/* SPDX-License-Identifier: GPL-2.0-or-later */
/* DESTROYs that are sent again until their acknowledgement comes. */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "circuit/action.h"
#include "circuit/timers.h"

#define FAREWELL_FIRST_MS 1000 /* then doubled */
#define FAREWELL_SENDS 4       /* then the circuit's `expires` has to do it */

struct farewell_entry;

struct farewell {
	struct farewell_entry *entries;
	struct timers timers;
	size_t n, max; /* beyond max a DESTROY is sent once and forgotten */
};

void farewell_say(struct farewell *f, uint64_t now_ms, uint16_t link, const struct in6_addr *peer,
		  const struct ctrl_msg *destroy, struct actions *out);
void farewell_acked(struct farewell *f, const struct in6_addr *peer, const struct ctrl_msg *ack);
void farewell_tick(struct farewell *f, uint64_t now_ms, struct actions *out);
void farewell_release(struct farewell *f);
