/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a relay refused, in its log: how many CREATEs and why, never whose; a line every few seconds at most. */
#pragma once

#include <ev.h>

#include "circuit/relay.h"

struct refusals {
	struct ev_loop *loop;
	const struct relay_counters *now; /* borrowed */
	struct relay_counters told;
	ev_timer pause;
};

/* now: counters that live as long as this does. */
void refusals_init(struct refusals *r, struct ev_loop *loop, const struct relay_counters *now);
/* Call when the counters may have changed. */
void refusals_note(struct refusals *r);
void refusals_stop(struct refusals *r);
