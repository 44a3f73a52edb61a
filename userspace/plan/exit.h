/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an exit asks of each new flow, and of what every circuit sends in all; inside plan/ only. */
#pragma once

#include "model/exit_policy.h"
#include "model/exit_pool.h"
#include "plan/build.h"

/*
 * Chains of family inet, jumped to in the forward hook; each returns, or refuses the packet.
 * FLOW, LIMIT: the first packet of each flow. UP, DOWN: every packet from and to a circuit, only with kib_per_second.
 */
#define CHAIN_EXIT_FLOW "exit_flow"
#define CHAIN_EXIT_LIMIT "exit_limit" /* FLOW without the policy: to the exit's own resolver */
#define CHAIN_EXIT_UP "exit_up"
#define CHAIN_EXIT_DOWN "exit_down"
#define FIRST_PACKET "ct state new ct status & confirmed == 0" /* the condition for FLOW and LIMIT */

/*
 * Goes back to the application with a TCP reset or an ICMP error. In prerouting, before conntrack, where the mark of
 * the packet names the circuit. Rationed for each circuit, for the kernel rations ICMP errors for the host as a whole.
 */
#define CHAIN_EXIT_PRIVATE "exit_private"

/* Source NAT of what circuits send, rules of a chain of type nat. inner: their addresses. */
void exit_nat4(struct chain *c, const char *inner, const struct exit_pool *pool);
void exit_nat6(struct chain *c, const char *inner, const struct exit_pool *pool);
/* What comes for addresses of the pool and answers no flow ends here, not in a loop with the router that sent it. */
int exit_pool_routes(struct plan *p, const struct exit_pool *pool);

/* The chains above with what they need. Flows are known by the connection mark that names their circuit. */
int plan_exit(struct plan *p, const struct exit_policy *policy, const struct exit_limits *limits);
