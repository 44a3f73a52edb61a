/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether relays answer: of each relay of the roster in turn a program is asked, `PROGRAM probe IDENTITY` (base64),
 * which is anonctl(1) if nothing else is said; so who speaks with relays is an anond beside us. It ends with 0: a
 * handshake with that relay was completed; 1: it was not; otherwise: it cannot tell.
 */
#pragma once

#include <ev.h>
#include <stdint.h>

#include "directory/roster.h"

#define PROBER_EXIT_ANSWERED 0
#define PROBER_EXIT_SILENT 6
#define PROBES_MAX 8u /* at once */

struct prober;
/* program: NULL: anonctl as it was installed. period: seconds from one probe of a relay to the next. -errno. */
int prober_new(struct ev_loop *loop, const char *program, uint32_t period, struct roster *roster, struct prober **ret);
void prober_free(struct prober *p); /* NULL is fine */
