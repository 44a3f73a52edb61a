/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A request to the daemon on behalf of a command. */
#pragma once

#include <jansson.h>

#include "anonctl/answer.h"
#include "anonctl/command.h"
#include "anonctl/show.h"

#define ASK_TIMEOUT 30u /* seconds, for what the daemon does at once */

/* Steals args (NULL: out of memory). Prints the result, or the failure; returns the exit status. */
int ask(const struct call *call, json_t *args, unsigned int timeout_s, show_fn *show);
/* Exit status for what client_request returned. */
int ask_status(int error);
/* Prints what the daemon refused; returns the exit status. */
int ask_refused(const struct call *call, const struct answer *a);
void put_json(const json_t *value, FILE *out);
