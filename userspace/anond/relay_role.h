/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A relay or exit: the engine's actions carried out, its table kept over a crash, its onion keys replaced. */
#pragma once

#include "anond/overlay.h"
#include "directory/onion_store.h"

struct relay_role;

struct relay_role_config {
	struct ev_loop *loop;
	struct kernel *kernel;
	const struct config *conf;
	const struct network *net;
	const struct relay *self; /* what the network knows, or will know, of this relay; outlives it */
	const struct relay_keys *keys;
	struct onion_keys *onion; /* of onion_keys_open; the role changes it */
	/* The descriptor has to name other onion keys (relay_role_onion): publish one. May be NULL. */
	void (*onion_changed)(void *ctx);
	void (*drained)(void *ctx); /* the last circuit is gone after relay_role_drain; may come more than once */
	void *ctx;
};

/* Applies the relay's base plan, adopts the circuits that both the kernel and the journal know, removes the others. */
int relay_role_new(const struct relay_role_config *conf, struct relay_role **ret, struct error *err);
/* leave: keep circuits and links in the kernel, to be adopted by the next start; otherwise remove everything. */
void relay_role_free(struct relay_role *r, bool leave);
int relay_role_set_network(struct relay_role *r, const struct network *net);

struct overlay *relay_role_overlay(struct relay_role *r);
size_t relay_role_circuits(const struct relay_role *r);
json_t *relay_role_counters_json(const struct relay_role *r);
/* Sets the onion keys of a descriptor's facts: the current one, and the next if there is one. */
void relay_role_onion(const struct relay_role *r, struct relay_facts *ret);
json_t *relay_role_onion_json(const struct relay_role *r); /* of onion_rotation_json */
/*
 * The relay's circuits for its operator, the busiest first, RELAY_LIST_MAX at most: a number, what they carried, when
 * they end. NULL: the kernel's word could not be had.
 */
#define RELAY_LIST_MAX 1000
json_t *relay_role_list_json(struct relay_role *r);
/* -ENOENT: there is no such circuit. */
int relay_role_close(struct relay_role *r, uint32_t number);
/* Take no new circuits; when the last one has ended, or after so many seconds at the latest, `drained` is called. */
void relay_role_drain(struct relay_role *r, uint32_t deadline_s);
void relay_role_drain_cancel(struct relay_role *r);
bool relay_role_drained(const struct relay_role *r);
/* Seconds until circuits are closed, negative: it does not drain. */
double relay_role_drains(const struct relay_role *r);
/* An SA of ours is gone from the kernel: close its circuit. */
void relay_role_sa_gone(struct relay_role *r, uint32_t reqid, uint32_t spi);
/* Somebody changed nftables or events were lost: put back what is missing, and return how many objects that were. */
size_t relay_role_repair(struct relay_role *r);
