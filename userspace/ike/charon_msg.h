/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What we ask of charon, as vici messages. Pure. Every function returns a message for vici_conn_call, or NULL if
 * out of memory. The settings are those of strongSwan 5.9 (src/libcharon/plugins/vici/vici_config.c).
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "ike/links.h"
#include "ike/vici.h"

/* Published on purpose: it only fills the place of a client authentication that anonymous clients do not have. */
#define LINKS_CLIENT_PSK "anond anonymous client"

/* Our private link key (RFC 8410 PEM). The message is secret. */
struct vici_msg *msg_load_key(const uint8_t seed[LINKS_SEED_LEN]);
struct vici_msg *msg_load_psk(void);
/* Addresses own-prefix:LINK_CLIENTS::1 and up. */
struct vici_msg *msg_load_pool(const struct in6_addr *own, uint32_t size);

/* Connections. own_key: our public link key. prefer6: peer's IPv6 address first. timing without zeros. */
struct vici_msg *msg_load_relay(const struct links_config *config, const uint8_t own_key[32], const struct relay *peer,
				uint16_t number, bool prefer6);
struct vici_msg *msg_load_guard(const struct links_config *config, const uint8_t client_id[LINKS_CLIENT_ID_LEN],
				const struct relay *guard, uint16_t number, bool prefer6);
struct vici_msg *msg_load_clients(const struct links_config *config, const uint8_t own_key[32]);

struct vici_msg *msg_unload(const char *conn);
struct vici_msg *msg_initiate(const char *conn);
/* Ask the peer to delete the SA, or (force) destroy it without waiting for its answer. */
struct vici_msg *msg_terminate(uint32_t ike_id, bool force);
struct vici_msg *msg_terminate_conn(const char *conn);
/* conn NULL: all. Client children are left out of the answer: each would cost charon two kernel queries. */
struct vici_msg *msg_list(const char *conn);
/* A command without arguments. */
struct vici_msg *msg_plain(const char *command);
