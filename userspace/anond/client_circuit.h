/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One circuit that the user asked for: its kill switch, the attempts to build it, who waits for it.
 *
 * Until it was open once, ATTEMPTS_MAX attempts are made, then it has failed. Once it was open, it is built again
 * whenever it is lost, without end and with pauses, until the user closes it. The kill switch stands all the time.
 * While all guards that may be tried failed lately (path/guards.h) it waits.
 *
 * About half-way through its life a fresh one is built beside it and takes what begins from then on; what began before
 * stays where it is until that one expires (make before break).
 */
#pragma once

#include <ev.h>
#include <jansson.h>

#include "anond/control.h"
#include "anond/onion.h"
#include "lib/hash.h"
#include "model/path_rules.h"
#include "model/selection.h"

#define ATTEMPTS_MAX 3	    /* paths tried until the first opens; a pinned path is tried once */
#define SUSPECTS_MAX 15	    /* relays kept out of the next path, but for its guard; the oldest go first */
#define CIRCUITS_MAX 256    /* circuits of this host at once */
#define REBUILD_MAX_S 60    /* pause between attempts: 1, 2, 4, ... seconds up to this, less a random part of half */
#define STEADY_MS 60000	    /* what was open for so long begins with the shortest pause again */
#define HURRY_MS 1000	    /* at most so long after a change of the network */
#define CONSENSUS_WAIT_S 10 /* between looks whether there is one; when one comes, it is known at once */
#define LEAVE_S 120	    /* before a relay's end that it announced, what begins goes by others */
#define CLOSE_LINGER_S 1.   /* a guard's link outlives its last circuit by this, so that DESTROY gets through */

/* What the user asks of the path. */
struct path_asked {
	size_t hops;
	const char *const *pin; /* hops names or identities of relays, or NULL: it is drawn */
	const struct path_rules *rules;
};

struct client_circuit {
	UT_hash_handle hh;
	struct client_env *env;
	uint32_t id; /* also the selection's; its circuits have the slots id and id + SLOT_OTHER */
	struct selection sel;
	size_t hops;
	bool pinned; /* path is the user's own choice: */
	char pin[HOPS_MAX][RELAY_PIN_MAX];
	struct path_rules rules;
	struct relay path[HOPS_MAX]; /* of the present or last attempt */
	struct relay_id bad[SUSPECTS_MAX];
	size_t n_bad;
	/* The next path is to be another than the one with these behind its guard. */
	struct relay_id left[HOPS_MAX];
	size_t n_left;
	unsigned int attempts; /* since it was asked for or lost */
	unsigned int pauses;   /* how often it was waited: the next pause is longer */
	struct onion *lead;    /* the present attempt, or what carries new connections; NULL if none */
	/* Beside an open one: the attempt to relieve it, or the one that was relieved. NULL if none. */
	struct onion *side;
	bool opened;	  /* was open once */
	bool failed;	  /* for good: nothing is tried any more */
	int code;	  /* enum reply, of the last failure */
	char reason[256]; /* why it failed or was lost */
	char error[256];  /* why the last attempt to build it again failed */
	/*
	 * Parts of a kill switch with its id that an earlier run left and the journal does not know. stray: that is
	 * all there is of it, and `sel` is what their routes say.
	 */
	struct plan extra;
	bool stray;
	uint64_t since_ms;
	uint64_t relieve_ms; /* when the open one is to be relieved */
	ev_timer wait, next; /* next: the next attempt, to build it again or to relieve it */
	struct control_conn *waiter;
};

/*
 * Takes over what sel holds unless it fails. A name becomes the identity that has it now, for later it may be another
 * relay's. Nothing is done yet; the caller saves it, so that there is never a kill switch that the next start does not
 * know, and calls client_circuit_start.
 */
int client_circuit_new(struct client_env *env, uint32_t id, const struct selection *sel, const struct path_asked *asked,
		       struct client_circuit **ret, struct error *err);
/* Applies the kill switch and starts building. On an error nothing of it is in the kernel. */
int client_circuit_start(struct client_circuit *cc, struct error *err);
/*
 * The user asks for the selection of a circuit that is not open once more, perhaps with another path. The kill switch
 * is not touched. On an error it stays as it is: failed, or waiting to be built again.
 */
int client_circuit_again(struct client_circuit *cc, const struct path_asked *asked, struct error *err);

/*
 * Another identity at once: what is open or under way ends, with its flows, and it is built anew, by the same guard
 * but over another path, if there is one and unless the user chose it. The kill switch is not touched. On an error
 * before anything ended all stays as it is, later it is built again, like any that was lost.
 */
int client_circuit_renew(struct client_circuit *cc, struct error *err);

struct client_saved {
	uint32_t id;
	struct selection sel; /* taken over unless it fails */
	struct path_asked asked;
	bool opened, failed;
	const struct origin_record *open;    /* it was open when it was saved, or NULL */
	const struct origin_record *retired; /* the one before it, which still carried what began in it, or NULL */
};

/* Put back what an earlier run left. have: what is in the kernel. An error is the kernel's. */
int client_circuit_adopt(struct client_env *env, const struct client_saved *s, const struct plan *have,
			 struct client_circuit **ret);
/* A kill switch that an earlier run left and nothing tells about; its objects are then added to `extra`. */
int client_circuit_stray(struct client_env *env, uint32_t id, struct client_circuit **ret);
int client_circuit_add_extra(struct client_circuit *cc, const struct kobject *o);
/* Closes, removes everything of it from the kernel, the kill switch last. */
void client_circuit_close(struct client_circuit *cc);
/* Only forgets; the kernel keeps all. */
void client_circuit_forget(struct client_circuit *cc);

/* Everything of it that is or ought to be in the kernel. */
int client_circuit_plan(const struct client_circuit *cc, struct plan *plan);
/* Its kill switch alone. Not for a stray. */
int client_circuit_plan_selection(const struct client_circuit *cc, struct plan *plan);
/* Somebody may have taken parts of it away: make them again, below the kill switch. What cannot be is built anew. */
void client_circuit_repair(struct client_circuit *cc);
/* The relays of the network are others, or say other things: one of its path may be going to end. */
void client_circuit_network(struct client_circuit *cc);
/* The way to the network may be another: no pause before the next attempt to build it again. */
void client_circuit_hurry(struct client_circuit *cc);
/* Failed, or to be built again. */
bool client_circuit_is_down(const struct client_circuit *cc);
bool client_circuit_is_open(const struct client_circuit *cc);
/* The one that was relieved and still carries what began in it, or NULL. */
const struct onion *client_circuit_retired(const struct client_circuit *cc);
bool client_circuit_uses(const struct client_circuit *cc, const struct relay_id *guard);
/* Answer conn when it is open or has failed, or after so many seconds. */
void client_circuit_wait(struct client_circuit *cc, struct control_conn *conn, double seconds);
const char *client_circuit_state(const struct client_circuit *cc);
json_t *client_circuit_json(const struct client_circuit *cc, bool layers);

void client_circuit_link_up(struct client_circuit *cc, const struct link *link);
void client_circuit_link_down(struct client_circuit *cc, const struct relay_id *peer);
void client_circuit_link_failed(struct client_circuit *cc, const struct relay_id *peer, const char *reason);
bool client_circuit_message(struct client_circuit *cc, const uint8_t *msg, size_t len);
/* slot: one of its two. */
void client_circuit_echo(struct client_circuit *cc, uint32_t slot, uint32_t rtt_us);
/* The kernel lost an SA of that slot; it may have been an earlier circuit's. */
void client_circuit_lost(struct client_circuit *cc, uint32_t slot, uint32_t spi);
