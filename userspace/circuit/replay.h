/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ephemeral keys of the CREATEs that this relay has opened, each kept until its CREATE expires. It lives in memory:
 * a restart empties it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "circuit/timers.h"

#define REPLAY_KEY_LEN 32

/* Kept so much longer than `expires` says, so that a wall clock set back by less opens no gap. */
#define REPLAY_SLACK_S 600

struct replay_entry;

struct replay {
	struct replay_entry *entries;
	struct timers timers;
	size_t n, max;
};

bool replay_seen(const struct replay *r, const uint8_t key[REPLAY_KEY_LEN]);
bool replay_full(const struct replay *r);
/* -ENOSPC: full, -ENOMEM, -EEXIST. */
int replay_add(struct replay *r, const uint8_t key[REPLAY_KEY_LEN], uint64_t until_ms);
void replay_tick(struct replay *r, uint64_t now_ms);
void replay_release(struct replay *r);
