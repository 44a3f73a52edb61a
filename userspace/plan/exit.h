/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an exit asks of each new flow, and of what every circuit sends in all; inside plan/ only. */
#pragma once

#include "model/exit_policy.h"
#include "plan/object.h"

/*
 * Chains of family inet, jumped to in the forward hook; each returns, or refuses the packet.
 * FLOW, LIMIT: the first packet of each flow. UP, DOWN: every packet from and to a circuit, only with kib_per_second.
 */
#define CHAIN_EXIT_FLOW "exit_flow"
#define CHAIN_EXIT_LIMIT "exit_limit" /* FLOW without the policy: to the exit's own resolver */
#define CHAIN_EXIT_UP "exit_up"
#define CHAIN_EXIT_DOWN "exit_down"
#define FIRST_PACKET "ct state new ct status & confirmed == 0" /* the condition for FLOW and LIMIT */

/* The ends of a rule, its verdict: tells the application that it may not. For prerouting, input and forward. */
#define REFUSE_TCP "reject with tcp reset"
#define REFUSE "reject with icmpx admin-prohibited"

/* The chains above with what they need. Flows are known by the connection mark that names their circuit. */
int plan_exit(struct plan *p, const struct exit_policy *policy, const struct exit_limits *limits);
