/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The originator: circuits of this host.
 *
 * A circuit here is what the user asked for: destinations that may leave only through it. The kill switch for them is
 * in the kernel before anything is built and stays until `circuit down`, whatever becomes of the circuit. Under it come
 * and go the attempts to build one (circuit/origin.h, client_circuit.h).
 */
#pragma once

#include "anond/control.h"
#include "anond/dir_client.h"
#include "anond/overlay.h"

struct client_role;

struct client_role_config {
	struct ev_loop *loop;
	struct kernel *kernel;
	const struct config *conf;
	const struct network *net;
	struct echo *echo; /* replies go to client_role_echo */
};

int client_role_new(const struct client_role_config *conf, struct client_role **ret, struct error *err);
/* leave: circuits and kill switches stay in the kernel; otherwise everything is removed. */
void client_role_free(struct client_role *c, bool leave);
int client_role_set_network(struct client_role *c, const struct network *net);
/*
 * Somebody changed nftables or events were lost: put everything into the kernel again, kill switches first. The number
 * of objects that were missing.
 */
size_t client_role_repair(struct client_role *c);

void client_role_network_changed(struct client_role *c);
void client_role_echo(struct client_role *c, uint32_t slot, uint32_t rtt_us);
/* An SA of ours, or one that was, is gone from the kernel. */
void client_role_sa_gone(struct client_role *c, uint32_t reqid, uint32_t spi);

/* Requests of the control socket; each answers conn, now or later. */
void client_role_up(struct client_role *c, struct control_conn *conn, const json_t *args);
/* args: id and wait, or all. */
void client_role_renew(struct client_role *c, struct control_conn *conn, const json_t *args);
void client_role_down(struct client_role *c, struct control_conn *conn, const json_t *args);
void client_role_show(struct client_role *c, struct control_conn *conn, const json_t *args);
/* args: relay, its name or identity (base64). */
void client_role_probe(struct client_role *c, struct control_conn *conn, const json_t *args);
/* conn is gone. */
void client_role_closed(struct client_role *c, const struct control_conn *conn);

/* What is known of a relay as a guard of this client: its place in the order of trying, 0: none. */
size_t client_role_guard_place(const struct client_role *c, const struct relay_id *id);
json_t *client_role_list_json(const struct client_role *c);
struct overlay *client_role_overlay(struct client_role *c);
size_t client_role_circuits(const struct client_role *c);
/* How the directory is to be fetched now: ctx of dir_client_config is another. */
enum dir_way client_role_way(const struct client_role *c, struct dir_reach *ret_reach, char ret_device[IFNAMSIZ]);
