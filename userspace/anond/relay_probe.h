/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether a relay answers: a CREATE that it completes, as the first hop if it is a guard, else behind a guard, and
 * nothing of it in the kernel. What a hop seals shows that it could open its layer, so that it refuses to be the last
 * one is an answer too. Behind a guard it may be that one's fault: another one is tried before a relay counts as
 * silent.
 */
#pragma once

#include "anond/onion.h"

#define PROBES_AT_ONCE 32u

struct relay_probe;
enum relay_probe_result { RELAY_ANSWERED, RELAY_SILENT };
/* why: a sentence. Called last: the probe is gone then. */
typedef void relay_probe_done(void *ctx, enum relay_probe_result result, const char *why);

/* relay is copied. done is never called from within. -ENOENT: there is no guard to go by; -ENOMEM. */
int relay_probe_new(struct client_env *env, const struct relay *relay, relay_probe_done *done, void *ctx,
		    struct relay_probe **ret);
void relay_probe_free(struct relay_probe *p); /* NULL is fine */
bool relay_probe_uses(const struct relay_probe *p, const struct relay_id *guard);
/* Of its guard. */
void relay_probe_link_up(struct relay_probe *p, const struct link *link);
void relay_probe_link_down(struct relay_probe *p);
/* Whether the message was for it. */
bool relay_probe_message(struct relay_probe *p, const uint8_t *msg, size_t len);
