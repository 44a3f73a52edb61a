/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One circuit that the user asked for: its kill switch, the attempts to build it, who waits for it. */
#pragma once

#include <ev.h>
#include <jansson.h>

#include "anond/control.h"
#include "anond/echo.h"
#include "anond/overlay.h"
#include "circuit/origin.h"
#include "lib/hash.h"

#define ATTEMPTS_MAX 3	  /* paths tried until the first opens; a pinned path is tried once */
#define CIRCUITS_MAX 256  /* circuits of this host at once */
#define SELECTORS_MAX 256 /* destinations of one circuit */
#define CLOSE_LINGER_S 1. /* a guard's link outlives its last circuit by this, so that DESTROY gets through */

struct client_circuit;

/* What circuits need of their role. */
struct client_env {
	struct ev_loop *loop;
	struct kernel *kernel;
	const struct config *conf;
	const struct network *net;
	struct echo *echo;
	struct overlay *overlay;
	void (*changed)(struct client_circuit *cc);	 /* worth saving */
	void (*attempt_over)(struct client_circuit *cc); /* its guard, path[0], may not be needed any more */
};

struct client_circuit {
	UT_hash_handle hh;
	struct client_env *env;
	uint32_t id; /* also the slot and the selection's id: device anon<id> */
	struct prefix *to;
	size_t n_to;
	size_t hops;
	bool pinned; /* path is the user's own choice */
	struct relay path[HOPS_MAX];
	struct relay_id bad[ATTEMPTS_MAX * 2]; /* suspected in earlier attempts */
	size_t n_bad;
	unsigned int attempts;
	struct origin *origin;	       /* the present attempt, NULL if none */
	struct origin_circuit *placed; /* what of it is in the kernel, NULL if nothing */
	bool routed;		       /* selectors lead into it */
	bool opened;		       /* was open once */
	bool failed;		       /* terminal: reason, code */
	int code;		       /* enum reply */
	char reason[192];
	uint64_t since_ms;
	ev_timer tick, wait;
	struct control_conn *waiter;
};

/* Takes over `to` (malloc). pin: hops names, or NULL. Applies the kill switch and starts building. On error
 * nothing is left, `to` is the caller's again. */
int client_circuit_new(struct client_env *env, uint32_t id, struct prefix *to, size_t n_to, size_t hops,
		       const char *const *pin, struct client_circuit **ret, struct error *err);
/* Put back what an earlier run left; rec NULL: nothing was open. have: what is in the kernel. */
int client_circuit_adopt(struct client_env *env, uint32_t id, struct prefix *to, size_t n_to, size_t hops,
			 const struct origin_record *rec, const struct plan *have, struct client_circuit **ret);
/* Closes, removes everything of it from the kernel, the kill switch last. */
void client_circuit_close(struct client_circuit *cc);
/* Only forgets; the kernel keeps all. */
void client_circuit_forget(struct client_circuit *cc);

/* Everything of it that ought to be in the kernel. */
int client_circuit_plan(const struct client_circuit *cc, struct plan *plan);
bool client_circuit_uses(const struct client_circuit *cc, const struct relay_id *guard);
/* Answer conn when it is open or has failed, or after so many seconds. */
void client_circuit_wait(struct client_circuit *cc, struct control_conn *conn, double seconds);
const char *client_circuit_state(const struct client_circuit *cc);
json_t *client_circuit_json(const struct client_circuit *cc, bool layers);

void client_circuit_link_up(struct client_circuit *cc, const struct link *link);
void client_circuit_link_down(struct client_circuit *cc, const struct relay_id *peer, bool failed);
bool client_circuit_message(struct client_circuit *cc, const uint8_t *msg, size_t len);
void client_circuit_echo(struct client_circuit *cc, uint32_t rtt_us);
/* The kernel lost an SA of the circuit's slot; it may have been an earlier circuit's. */
void client_circuit_lost(struct client_circuit *cc, uint32_t spi);
