/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A relay's onion keys while it runs: the steps of directory/onion_keys.h when it is time for them, each on the disk
 * before it is told of. One that cannot be stored is not taken, and tried again.
 */
#pragma once

#include <ev.h>
#include <jansson.h>

#include "anond/config.h"
#include "directory/onion_store.h"

struct onion_rotation;

struct onion_rotation_config {
	struct ev_loop *loop;
	const struct config *conf; /* state, keys, onion, replace_onion */
	const struct relay_id *id; /* outlives it */
	struct onion_keys *keys;   /* of onion_keys_open; changed here, outlives it */
	/* Other keys are held now. announce: the descriptor has to say something else too. */
	void (*changed)(void *ctx, bool announce);
	void *ctx;
};

/*
 * What is overdue is done before this returns, without a call of changed. -EROFS, -EACCES, ...: replace, and STATE
 * cannot be written: a key that nobody knows after a restart must not be announced.
 */
int onion_rotation_new(const struct onion_rotation_config *conf, struct onion_rotation **ret, struct error *err);
void onion_rotation_free(struct onion_rotation *r); /* NULL is fine */

/* Those that the engine is to open: their number, ONION_KEYS_MAX at most. Secrets are valid until the next change. */
size_t onion_rotation_held(const struct onion_rotation *r, struct onion_key ret[ONION_KEYS_MAX]);
/* Numbers, and when the next one takes over (wall seconds): never a key. */
json_t *onion_rotation_json(const struct onion_rotation *r);
