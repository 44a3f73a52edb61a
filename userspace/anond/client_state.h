/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside the client's role only: client_role.c (life and events), client_saved.c (what outlives us), client_request.c.
 */
#pragma once

#include "anond/client_circuit.h"
#include "anond/client_role.h"
#include "anond/journal.h"

struct saved;
struct lingering;
struct client_probe;

struct client_role {
	struct client_role_config c;
	struct client_env env;
	struct overlay *overlay;
	struct journal *journal;
	struct client_circuit *circuits; /* hash */
	struct saved *saved;		 /* hash, only while loading */
	bool adopting;			 /* not all that the journal knows is in `circuits` yet */
	struct lingering *lingering;
	struct client_probe *probes;
};

/* ---- client_saved.c: errors are negative errno ---- */

/* The journal of this boot, and what was wanted before the host was started. */
int client_saved_open(struct client_role *c, struct error *err);
/* Take up what an earlier run left, in the kernel and in the journal. */
int client_saved_adopt(struct client_role *c, struct error *err);
/* The circuit as it is now; `remember` also for the time after a restart of the host. */
int client_saved_note(struct client_role *c, const struct client_circuit *cc);
int client_saved_remember(struct client_role *c, const struct client_circuit *cc, struct error *err);
/* The list of what is wanted, for the time after a restart of the host. */
int client_saved_selections(const struct client_role *c, struct error *err);
void client_saved_forget(struct client_role *c, uint32_t id);
/* What of the kernel's may be ours, not charon's: into the plan that is ctx (for kernel_dump). */
void client_saved_keep(void *ctx, const struct kobject *o);
/* Everything that ought to be in the kernel. */
int client_saved_wanted(const struct client_role *c, struct plan *wanted);

/* ---- client_probe.c: what happens to links and connections, for the relays that are being probed ---- */

bool client_probes_use(const struct client_role *c, const struct relay_id *guard);
void client_probes_link_up(const struct client_role *c, const struct link *link);
void client_probes_link_down(const struct client_role *c, const struct relay_id *peer);
bool client_probes_message(const struct client_role *c, const struct relay_id *peer, const uint8_t *msg, size_t len);
/* conn NULL: all of them end, without an answer. */
void client_probes_closed(struct client_role *c, const struct control_conn *conn);
