/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A relay or exit: the engine's actions carried out, its table kept over a crash. */
#pragma once

#include "anond/overlay.h"

struct relay_role;

struct relay_role_config {
	struct ev_loop *loop;
	struct kernel *kernel;
	const struct config *conf;
	const struct network *net;
	const struct relay_keys *keys;
};

/* Applies the relay's base plan, adopts the circuits that both the kernel and the journal know, removes the others. */
int relay_role_new(const struct relay_role_config *conf, struct relay_role **ret, struct error *err);
/* leave: keep circuits and links in the kernel, to be adopted by the next start; otherwise remove everything. */
void relay_role_free(struct relay_role *r, bool leave);
int relay_role_set_network(struct relay_role *r, const struct network *net);

struct overlay *relay_role_overlay(struct relay_role *r);
size_t relay_role_circuits(const struct relay_role *r);
json_t *relay_role_counters_json(const struct relay_role *r);
/* An SA of ours is gone from the kernel: close its circuit. */
void relay_role_sa_gone(struct relay_role *r, uint32_t reqid, uint32_t spi);
/* Somebody changed nftables or events were lost: put back what is missing, and return how many objects that were. */
size_t relay_role_repair(struct relay_role *r);
