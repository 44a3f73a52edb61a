/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The newest network file that was ever in force here, by its valid-from: an older one may be valid still, but whoever
 * can replace the file could with it bring relays back that were thrown out. It outlives a restart of the host. A file
 * of another network (signed by another key) begins anew.
 */
#pragma once

#include <stdint.h>

#include "directory/network.h"
#include "lib/error.h"

/* valid_from of the newest, 0 if none is known. -EBADMSG: the file in dir is damaged; open(2), read(2). */
int newest_load(const char *dir, const uint8_t key[NETWORK_KEY_LEN], uint64_t *ret, struct error *err);
/* Remember it unless a newer one is. */
int newest_save(const char *dir, const uint8_t key[NETWORK_KEY_LEN], uint64_t valid_from, struct error *err);
