/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where an exit leads, and how much of it each circuit may have. What no rule speaks of is refused. */
#pragma once

#include "model/circuit.h"

#define POLICY_RULES_MAX 512
#define POLICY_TEXT_MAX 96u /* of one rule, with the final NUL */

enum policy_proto {
	POLICY_ANY, /* with ports: TCP and UDP; without: every protocol */
	POLICY_TCP,
	POLICY_UDP,
	POLICY_ICMP, /* both families' */
};

struct policy_rule {
	bool accept;
	enum policy_proto proto;
	struct prefix dst;	     /* family 0: any */
	uint16_t port_min, port_max; /* both 0: whatever port, and protocols that have none */
};

/* The first rule that fits counts. */
struct exit_policy {
	size_t n;
	struct policy_rule rules[POLICY_RULES_MAX];
};

/* Of each circuit; 0: as many as it likes. */
struct exit_limits {
	uint32_t flows;		       /* at once */
	uint32_t new_flows_per_second; /* bursts of 5 seconds' worth */
	uint32_t kib_per_second;       /* in each direction; bursts of one second's worth, at least EXIT_BURST_KIB */
};

#define EXIT_BURST_KIB 256 /* more than the largest packet that the kernel makes of several */

/*
 * Append what one line says:
 *   accept|reject [tcp|udp|icmp] ADDRESS[:PORTS]     ADDRESS: *, *4, *6, 192.0.2.0/24, [2001:db8::]/32 or
 * [2001:db8::/32] PORTS: *, 443, 6660-6669 preset default|reduced                           the exit policies of these
 * names in tor(1), for TCP and UDP, and ping Returns NULL, or what is wrong with it.
 */
const char *exit_policy_add(struct exit_policy *p, const char *text);
