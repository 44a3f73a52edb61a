/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guard's clients: the addresses that charon's pool gave out, by the IKE SAs that hold them. One that comes back
 * before its old SA is found dead holds its address twice; a rekeyed IKE SA is another one. Pure.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct client_sa;
struct client_addr;

/* Zero-initialised but for fn is empty. */
struct clients {
	/* An address has its first SA, or has lost its last. */
	void (*fn)(void *ctx, const struct in6_addr *addr, bool here);
	void *ctx;
	struct client_sa *sas;	   /* hash */
	struct client_addr *addrs; /* hash */
};

/* charon tells of an SA with this address. Out of memory: it is not known until charon tells again. */
void clients_seen(struct clients *c, uint32_t ike_id, const struct in6_addr *addr);
void clients_gone(struct clients *c, uint32_t ike_id);
/* Between them charon tells of all: at the end those that it did not tell of are gone. */
void clients_list_begin(struct clients *c);
void clients_list_end(struct clients *c);
bool clients_has(const struct clients *c, const struct in6_addr *addr);
void clients_each(const struct clients *c, void (*fn)(void *ctx, const struct in6_addr *addr), void *ctx);
void clients_clear(struct clients *c); /* without a word */
