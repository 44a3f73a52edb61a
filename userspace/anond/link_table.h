/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What of our neighbours outlives a restart: the number of each link, for live SAs carry it in their if_id; at a client
 * also who it is to each guard, for with the identity comes the address, and on that hang the circuits.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "ike/links.h"
#include "lib/error.h"
#include "model/relay.h"

struct link_table;

/* In the directory run: `links`, and of a client `client-id`. */
int link_table_open(const char *run, bool client, struct link_table **ret, struct error *err);
void link_table_free(struct link_table *t); /* NULL is fine */

/* The number of the link to a relay, LINK_FIRST.., given if it has none; or -ENOSPC, -ENOMEM. */
int link_table_number(struct link_table *t, const struct relay_id *id);
/* 0: it has none. */
uint16_t link_table_find(const struct link_table *t, const struct relay_id *id);
void link_table_each(const struct link_table *t, void (*fn)(void *ctx, const struct relay_id *id), void *ctx);

/*
 * Who we are to a guard: derived from a secret of this run directory and the number of times that the guard was
 * dropped. Guards that compare what they see cannot tell that it comes from one client, nor can one guard that sees the
 * client come back in another epoch.
 */
#define CLIENT_SECRET_LEN 32 /* bytes */
void link_table_client_id(const uint8_t secret[CLIENT_SECRET_LEN], const struct relay_id *guard, uint64_t epoch,
			  uint8_t ret[LINKS_CLIENT_ID_LEN]);
/* Of a guard with a number. */
void link_table_identity(const struct link_table *t, const struct relay_id *guard, uint8_t ret[LINKS_CLIENT_ID_LEN]);
void link_table_wanted(struct link_table *t, const struct relay_id *guard);
/* The next link to this guard is a stranger's, unless nobody asked for one since the last time. */
void link_table_dropped(struct link_table *t, const struct relay_id *guard);
/* Guards that are not wanted meet a stranger next time; if none is, another secret is drawn. */
void link_table_renew(struct link_table *t);
