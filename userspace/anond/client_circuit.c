/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "anond/client_circuit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <string.h>

#include "anond/config.h"
#include "anond/paths.h"
#include "anond/rules_json.h"
#include "anond/selection_json.h"
#include "lib/base64.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/reply.h"
#include "plan/mtu.h"
#include "plan/plan.h"

static int attempt(struct client_circuit *cc, struct error *err);
static void rebuild_later(struct client_circuit *cc);
static void try_later(struct client_circuit *cc, uint64_t at_ms);
static void relieve_when_due(struct client_circuit *cc);

/* ---- the two onions ---- */

bool client_circuit_is_open(const struct client_circuit *cc)
{
	return cc->lead && cc->lead->leads;
}

const struct onion *client_circuit_retired(const struct client_circuit *cc)
{
	return cc->side && cc->side->carries ? cc->side : NULL;
}

static struct onion *onion_at(const struct client_circuit *cc, uint32_t slot)
{
	if (cc->lead && cc->lead->c.slot == slot)
		return cc->lead;
	return cc->side && cc->side->c.slot == slot ? cc->side : NULL;
}

static uint32_t free_slot(const struct client_circuit *cc)
{
	return onion_at(cc, cc->id) ? cc->id + SLOT_OTHER : cc->id;
}

/* Before it is ended nothing points to it any more. */
static void end(struct onion **o)
{
	struct onion *gone = *o;

	*o = NULL;
	onion_end(gone);
}

/* ---- kernel ---- */

int client_circuit_plan_selection(const struct client_circuit *cc, struct plan *plan)
{
	return plan_selection(plan, cc->id, &cc->sel, &cc->env->conf->lans);
}

static int extra_plan(const struct client_circuit *cc, struct plan *plan)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < cc->extra.n; i++)
		r = plan_add_copy(plan, &cc->extra.v[i]);
	return r;
}

static int selection_apply(const struct client_circuit *cc)
{
	_cleanup_plan_ struct plan plan = { 0 };
	int r = client_circuit_plan_selection(cc, &plan);

	return r < 0 ? r : kernel_apply(cc->env->kernel, &plan);
}

static void selection_remove(const struct client_circuit *cc)
{
	_cleanup_plan_ struct plan plan = { 0 };
	int r = cc->stray ? 0 : client_circuit_plan_selection(cc, &plan);

	if (r == 0)
		r = extra_plan(cc, &plan);
	if (r == 0)
		r = kernel_remove(cc->env->kernel, &plan);
	if (r < 0)
		log_err("circuit %u: cannot remove its kill switch: %s", cc->id, kernel_error_text(cc->env->kernel));
}

int client_circuit_plan(const struct client_circuit *cc, struct plan *plan)
{
	int r = cc->stray ? 0 : client_circuit_plan_selection(cc, plan);

	if (r == 0)
		r = extra_plan(cc, plan);
	if (r == 0 && cc->lead)
		r = onion_plan(cc->lead, plan);
	if (r == 0 && cc->side)
		r = onion_plan(cc->side, plan);
	return r;
}

/* ---- the end of an attempt ---- */

static void suspect(struct client_circuit *cc, const struct onion *o, size_t hop)
{
	if (hop >= o->c.hops)
		return;
	if (cc->n_bad == SUSPECTS_MAX)
		memmove(cc->bad, cc->bad + 1, --cc->n_bad * sizeof(cc->bad[0]));
	cc->bad[cc->n_bad++] = o->path[hop].id;
}

/*
 * Whom not to choose next time (state.hop counts from 1). Blame cannot be proved: what a hop is said to have answered
 * passed through the one before it, which can spoil it or make it up. Where nobody can be named it may have been any.
 */
static void suspect_by(struct client_circuit *cc, const struct onion *o, const struct origin_state *s)
{
	switch (s->failure) {
	case ORIGIN_REFUSED:
	case ORIGIN_BAD_ANSWER:
		suspect(cc, o, s->hop - 1);
		if (s->hop >= 2)
			suspect(cc, o, s->hop - 2);
		break;
	case ORIGIN_LINK_FAILED:
	case ORIGIN_LINK_LOST:
	case ORIGIN_TIMEOUT:
		suspect(cc, o, 0);
		break;
	case ORIGIN_NO_ECHO:
	case ORIGIN_DESTROYED:
		for (size_t i = 0; i < o->c.hops; i++)
			suspect(cc, o, i);
		break;
	default: /* no relay's fault */
		break;
	}
}

/*
 * What was the guard's own doing, or that of whoever is before it, and of nobody behind it: else relays that fail on
 * purpose would choose our guards. That an open one carries nothing any more says too little; the next CREATE tells.
 */
static bool is_guards_fault(const struct onion *o, const struct origin_state *s)
{
	switch (s->failure) {
	case ORIGIN_LINK_FAILED:
	case ORIGIN_TIMEOUT:
		return true;
	case ORIGIN_LINK_LOST: /* without an answer to CREATE */
		return !o->placed;
	case ORIGIN_REFUSED:
	case ORIGIN_BAD_ANSWER:
		return s->hop == 1;
	default:
		return false;
	}
}

static void judge_guard(struct client_circuit *cc, const struct onion *o, const struct origin_state *s)
{
	if (!cc->pinned && is_guards_fault(o, s) && cc->env->can_link(cc->env))
		paths_guard_failed(cc->env->paths, &o->path[0].id);
}

static void answer(struct client_circuit *cc)
{
	struct control_conn *conn = cc->waiter;

	if (!conn)
		return;
	cc->waiter = NULL;
	ev_timer_stop(cc->env->loop, &cc->wait);
	if (cc->failed)
		control_error(conn, cc->code,
			      "circuit %u failed: %s; its destinations stay blocked until `anonctl circuit down %u`",
			      cc->id, cc->reason, cc->id);
	else if (client_circuit_is_open(cc))
		control_reply(conn, REPLY_CREATED, client_circuit_json(cc, false));
	else if (client_circuit_is_down(cc) && cc->error[0])
		control_error(conn, cc->code,
			      "circuit %u could not be built again: %s; it is tried again, and its destinations stay "
			      "blocked meanwhile",
			      cc->id, cc->error);
	else
		control_error(conn, REPLY_TIMEOUT, "circuit %u is not open yet (%s%s%s); it is still being built",
			      cc->id, client_circuit_state(cc), cc->error[0] ? ": " : "", cc->error);
}

/* The random part: many clients that lost the same relay must not come back at one moment. */
static uint64_t pause_ms(struct client_circuit *cc)
{
	unsigned int pause = cc->pauses < 6 ? 1u << cc->pauses : REBUILD_MAX_S;

	cc->pauses++;
	if (pause > REBUILD_MAX_S)
		pause = REBUILD_MAX_S;
	return pause * 500 + rng_below(&rng_system, pause * 500 + 1);
}

static void fail(struct client_circuit *cc)
{
	cc->failed = true;
	cc->since_ms = clock_monotonic_ms();
	log_notice("circuit %u failed: %s", cc->id, cc->reason);
	cc->env->changed(cc);
	answer(cc);
}

static void side_leads(struct client_circuit *cc)
{
	struct onion *was = cc->lead;

	cc->lead = cc->side;
	cc->side = was;
	memcpy(cc->path, cc->lead->path, sizeof(cc->path));
}

/* It was open and is not any more. An attempt to relieve it becomes the attempt to build it again. */
static void lost(struct client_circuit *cc)
{
	uint64_t now = clock_monotonic_ms();

	if (now - cc->since_ms >= STEADY_MS)
		cc->pauses = 0;
	cc->since_ms = now;
	cc->attempts = 0;
	cc->error[0] = '\0';
	log_notice("circuit %u: %s; its destinations stay blocked until it is built again", cc->id, cc->reason);
	if (cc->side && !cc->side->carries)
		side_leads(cc);
	cc->env->changed(cc);
	if (!cc->lead)
		rebuild_later(cc);
}

/* Another attempt to build it again failed. */
static void not_rebuilt(struct client_circuit *cc)
{
	log_info("circuit %u: not built again: %s", cc->id, cc->error);
	if (cc->pinned || cc->attempts >= ATTEMPTS_MAX)
		answer(cc);
	rebuild_later(cc);
}

/* The present attempt, or the circuit if it is open, is over, for the reason `why`. */
static void lead_over(struct client_circuit *cc, int code, const char *why)
{
	bool was_open = cc->lead->leads;

	cc->code = code;
	snprintf(cc->opened && !was_open ? cc->error : cc->reason, sizeof(cc->reason), "%s", why);
	end(&cc->lead);
	if (was_open) {
		lost(cc);
	} else if (cc->opened) {
		not_rebuilt(cc);
	} else {
		if (!cc->pinned && cc->attempts < ATTEMPTS_MAX) {
			log_info("circuit %u: %s; trying another path", cc->id, cc->reason);
			if (attempt(cc, NULL) == 0)
				return;
		}
		fail(cc);
	}
}

static void not_relieved(struct client_circuit *cc, const char *why)
{
	log_info("circuit %u: not relieved: %s", cc->id, why);
	cc->relieve_ms = clock_monotonic_ms() + pause_ms(cc);
	relieve_when_due(cc);
}

static void side_over(struct client_circuit *cc, const char *why)
{
	bool was_open = cc->side->carries;

	end(&cc->side);
	cc->env->changed(cc);
	if (!was_open) {
		not_relieved(cc, why);
		return;
	}
	log_info("circuit %u: the one before it is over: %s", cc->id, why);
	relieve_when_due(cc);
}

static void on_over(void *ctx, struct onion *o, int code, const char *why, const struct origin_state *state)
{
	struct client_circuit *cc = ctx;

	if (state) {
		suspect_by(cc, o, state);
		judge_guard(cc, o, state);
	}
	if (state && (state->failure == ORIGIN_NO_ECHO || state->failure == ORIGIN_TIMEOUT))
		overlay_doubt(cc->env->overlay, &o->path[0].id);
	if (o == cc->side)
		side_over(cc, why);
	else
		lead_over(cc, code, why);
}

/* When it has to be relieved because a relay of its path is going to end; UINT64_MAX: none is, that we know of. */
static uint64_t leaves_at(const struct client_circuit *cc)
{
	const struct network *net = cc->env->net;
	uint64_t now = clock_wall_s(), ends = UINT64_MAX, left_ms;

	for (size_t i = 0; !cc->pinned && i < cc->hops; i++) {
		const struct relay *r = network_find(net, &cc->lead->path[i].id);
		uint64_t its = r ? net->traits[r - net->relays].ends : 0;

		if (its && its < ends)
			ends = its;
	}
	if (ends == UINT64_MAX)
		return UINT64_MAX;
	left_ms = ends > now + LEAVE_S ? (ends - now - LEAVE_S) * 1000 : 0;
	return clock_monotonic_ms() + left_ms -
	       rng_below(&rng_system, (uint32_t)(left_ms < 60000 ? left_ms : 60000) + 1);
}

/*
 * Half of what it has left to live, less a random part; what begins last in it has the rest. While the one before it is
 * still there it has to wait, and then it is less, a quarter of a lifetime at the least.
 */
static uint64_t relieve_at(const struct client_circuit *cc)
{
	uint64_t expires = origin_state(cc->lead->origin)->expires, now = clock_wall_s();
	uint64_t left_ms = expires > now ? (expires - now) * 1000 : 0;

	uint64_t at = clock_monotonic_ms() + left_ms / 2 - rng_below(&rng_system, (uint32_t)(left_ms / 8) + 1);
	uint64_t leaves = leaves_at(cc);

	return leaves < at ? leaves : at;
}

void client_circuit_network(struct client_circuit *cc)
{
	uint64_t leaves = client_circuit_is_open(cc) ? leaves_at(cc) : UINT64_MAX;

	if (leaves >= cc->relieve_ms)
		return;
	cc->relieve_ms = leaves;
	relieve_when_due(cc);
}

static void opened(struct client_circuit *cc)
{
	cc->opened = true;
	cc->reason[0] = cc->error[0] = '\0';
	cc->n_bad = cc->n_left = 0;
	cc->since_ms = clock_monotonic_ms();
	cc->relieve_ms = relieve_at(cc);
	cc->env->changed(cc);
	answer(cc);
	relieve_when_due(cc);
}

/* The fresh one takes over. */
static void relieved(struct client_circuit *cc)
{
	int r = onion_retire(cc->lead);

	side_leads(cc);
	if (r < 0) {
		log_err("circuit %u: new connections cannot be led away from the one before, so it ends: %s", cc->id,
			kernel_error_text(cc->env->kernel));
		end(&cc->side);
	}
	cc->pauses = 0;
	opened(cc);
}

static void on_open(void *ctx, struct onion *o)
{
	struct client_circuit *cc = ctx;
	char why[sizeof(cc->reason)];

	if (onion_carry(o, true) < 0) {
		snprintf(why, sizeof(why), "its routes could not be set: %s", kernel_error_text(cc->env->kernel));
		on_over(cc, o, REPLY_INTERNAL, why, NULL);
		return;
	}
	if (!cc->pinned)
		paths_guard_worked(cc->env->paths, &o->path[0].id);
	if (o == cc->side) {
		log_info("circuit %u: a fresh one takes over", cc->id);
		relieved(cc);
	} else {
		log_info("circuit %u is open", cc->id);
		opened(cc);
	}
}

static struct onion_config config_of(struct client_circuit *cc, uint32_t slot, const struct relay *path, size_t hops)
{
	static const struct onion_ops ops = { .open = on_open, .over = on_over };

	return (struct onion_config){
		.env = cc->env, .sel = &cc->sel, .slot = slot, .path = path, .hops = hops, .ops = &ops, .ctx = cc
	};
}

static void on_wait(struct ev_loop *loop, ev_timer *w, int events)
{
	(void)loop;
	(void)events;
	answer(w->data);
}

/* ---- attempts ---- */

static const char *alike_word(enum path_alike alike)
{
	return alike == PATH_FAMILIES_ALIKE ? "operator" : "network";
}

static int named(const struct client_circuit *cc, size_t hops, const char *const *pin, struct relay path[HOPS_MAX],
		 struct error *err)
{
	return paths_named(cc->env->paths, pin, hops, path, err);
}

static size_t behind_guard(const struct relay *path, size_t hops, struct relay_id ret[HOPS_MAX])
{
	for (size_t i = 1; i < hops; i++)
		ret[i - 1] = path[i].id;
	return hops - 1;
}

static int draw(struct client_circuit *cc, struct relay path[HOPS_MAX], uint64_t *ret_wait, struct error *err)
{
	struct relay_id beside[HOPS_MAX];
	struct paths_request req = { .hops = cc->hops,
				     .sel = &cc->sel,
				     .rules = &cc->rules,
				     .suspects = cc->bad,
				     .n_suspects = cc->n_bad,
				     .left = cc->left,
				     .n_left = cc->n_left };
	struct paths_answer a = { .wait = 0 };
	int r;

	if (cc->lead) { /* what is to relieve it */
		req.n_left = behind_guard(cc->lead->path, cc->lead->c.hops, beside);
		req.left = beside;
	}
	r = paths_draw(cc->env->paths, &req, &a, err);
	*ret_wait = a.wait;
	if (r < 0)
		return r;
	if (a.forgiven)
		cc->n_bad = 0;
	if (a.alike != PATH_APART)
		log_info("circuit %u: two relays of its path are of one %s, for there is no other path", cc->id,
			 alike_word(a.alike));
	memcpy(path, a.path, sizeof(a.path));
	return 0;
}

static int choose(struct client_circuit *cc, struct relay path[HOPS_MAX], uint64_t *ret_wait, struct error *err)
{
	const char *pin[HOPS_MAX];

	if (!cc->pinned)
		return draw(cc, path, ret_wait, err);
	for (size_t i = 0; i < cc->hops; i++)
		pin[i] = cc->pin[i];
	return named(cc, cc->hops, pin, path, err);
}

/* Choose a path (unless it is pinned) and start building. On an error *ret is NULL; -EAGAIN: not before *ret_wait. */
static int build(struct client_circuit *cc, struct onion **ret, uint64_t *ret_wait, struct error *err)
{
	struct relay path[HOPS_MAX] = { 0 };
	struct onion_config oc = config_of(cc, free_slot(cc), path, cc->hops);
	int r;

	r = network_usable(cc->env->net, clock_wall_s(), err);
	if (r < 0 && cc->env->conf->servers.n_keys) { /* a consensus may come at any time */
		*ret_wait = CONSENSUS_WAIT_S;
		return -EAGAIN;
	}
	if (r < 0)
		return r;
	r = choose(cc, path, ret_wait, err);
	if (r < 0)
		return r;
	if (ret == &cc->lead)
		memcpy(cc->path, path, sizeof(path));
	return onion_new(&oc, ret, err);
}

/* Or wait for a guard: that is no error. */
static int attempt(struct client_circuit *cc, struct error *err)
{
	struct error why = { "" };
	uint64_t wait_s = 0;
	int r;

	if (!cc->opened) {
		cc->since_ms = clock_monotonic_ms();
		cc->error[0] = '\0';
	}
	cc->attempts++; /* before it: it may be over within */
	r = build(cc, &cc->lead, &wait_s, &why);
	if (r == -EAGAIN) {
		cc->attempts--;
		cc->code = REPLY_UNREACHABLE;
		snprintf(cc->error, sizeof(cc->error), "%.200s; it waits for %u s", why.text, (unsigned int)wait_s);
		log_notice("circuit %u: %s", cc->id, cc->error);
		try_later(cc, clock_monotonic_ms() + wait_s * 1000 + rng_below(&rng_system, HURRY_MS));
		return 0;
	}
	return r < 0 ? error_set(err, r, "%s", why.text) : 0;
}

static void try_later(struct client_circuit *cc, uint64_t at_ms)
{
	uint64_t now = clock_monotonic_ms();

	ev_timer_stop(cc->env->loop, &cc->next);
	ev_timer_set(&cc->next, at_ms > now ? (double)(at_ms - now) / 1000. : 0., 0.);
	ev_timer_start(cc->env->loop, &cc->next);
}

static void rebuild_later(struct client_circuit *cc)
{
	try_later(cc, clock_monotonic_ms() + pause_ms(cc));
}

/* Only one beside the one that is open: while an older one carries anything, this has to wait. */
static void relieve_when_due(struct client_circuit *cc)
{
	if (client_circuit_is_open(cc) && !cc->side)
		try_later(cc, cc->relieve_ms);
}

static void rebuild(struct client_circuit *cc)
{
	struct error err = { "" };
	int r = attempt(cc, &err);

	if (r == 0)
		return;
	cc->code = r == -ENOENT || r == -ESTALE ? REPLY_UNREACHABLE : REPLY_INTERNAL;
	snprintf(cc->opened ? cc->error : cc->reason, sizeof(cc->error), "%s", err.text);
	if (cc->opened)
		not_rebuilt(cc);
	else
		fail(cc);
}

static void relieve(struct client_circuit *cc)
{
	struct error err = { "" };
	uint64_t wait_s;

	if (build(cc, &cc->side, &wait_s, &err) < 0)
		not_relieved(cc, err.text);
}

static void on_next(struct ev_loop *loop, ev_timer *w, int events)
{
	struct client_circuit *cc = w->data;

	(void)loop;
	(void)events;
	if (!cc->lead)
		rebuild(cc);
	else if (client_circuit_is_open(cc) && !cc->side)
		relieve(cc);
}

/* ---- beginning ---- */

static struct client_circuit *allocate(struct client_env *env, uint32_t id)
{
	struct client_circuit *cc = calloc(1, sizeof(*cc));

	if (!cc)
		return NULL;
	cc->env = env;
	cc->id = id;
	cc->since_ms = clock_monotonic_ms();
	ev_init(&cc->wait, on_wait);
	ev_init(&cc->next, on_next);
	cc->wait.data = cc->next.data = cc;
	return cc;
}

static void set_path(struct client_circuit *cc, const struct path_asked *asked)
{
	cc->hops = asked->hops;
	cc->pinned = asked->pin;
	cc->rules = *asked->rules;
	for (size_t i = 0; asked->pin && i < asked->hops; i++)
		snprintf(cc->pin[i], sizeof(cc->pin[i]), "%s", asked->pin[i]);
}

/* What the user says now: by identities from here on. An error leaves it as it was. */
static int take_path(struct client_circuit *cc, const struct path_asked *asked, struct error *err)
{
	struct relay path[HOPS_MAX];
	int r = asked->pin ? named(cc, asked->hops, asked->pin, path, err) : 0;

	if (r < 0)
		return r;
	set_path(cc, asked);
	for (size_t i = 0; asked->pin && i < asked->hops; i++)
		base64_write(path[i].id.b, sizeof(path[i].id.b), cc->pin[i]);
	if (asked->pin)
		memcpy(cc->path, path, asked->hops * sizeof(path[0]));
	return 0;
}

int client_circuit_new(struct client_env *env, uint32_t id, const struct selection *sel, const struct path_asked *asked,
		       struct client_circuit **ret, struct error *err)
{
	struct client_circuit *cc = allocate(env, id);
	int r;

	if (!cc)
		return error_set(err, -ENOMEM, "out of memory");
	r = take_path(cc, asked, err);
	if (r < 0) {
		free(cc);
		return r;
	}
	cc->sel = *sel;
	*ret = cc;
	return 0;
}

int client_circuit_start(struct client_circuit *cc, struct error *err)
{
	int r = selection_apply(cc);

	if (r < 0)
		return error_set(err, r, "cannot set the kill switch: %s", kernel_error_text(cc->env->kernel));
	r = attempt(cc, err);
	if (r < 0)
		selection_remove(cc);
	return r;
}

bool client_circuit_is_down(const struct client_circuit *cc)
{
	return cc->failed || (cc->opened && !client_circuit_is_open(cc));
}

/* Its path is what it is to be now. fresh: nothing of what there was is kept, the retired one neither. */
static int again(struct client_circuit *cc, bool fresh, struct error *err)
{
	int r;

	if (cc->waiter) {
		control_error(cc->waiter, REPLY_CONFLICT, "circuit %u was asked for again meanwhile", cc->id);
		cc->waiter = NULL;
		ev_timer_stop(cc->env->loop, &cc->wait);
	}
	ev_timer_stop(cc->env->loop, &cc->next);
	end(&cc->lead);
	if (fresh)
		end(&cc->side);
	cc->n_bad = 0;
	cc->attempts = cc->pauses = 0;
	cc->failed = false;
	cc->error[0] = '\0';
	cc->env->changed(cc);
	r = attempt(cc, err);
	if (r < 0 && cc->opened) {
		rebuild_later(cc);
	} else if (r < 0) {
		snprintf(cc->reason, sizeof(cc->reason), "%s", err->text);
		fail(cc);
	}
	return r;
}

int client_circuit_again(struct client_circuit *cc, const struct path_asked *asked, struct error *err)
{
	int r = take_path(cc, asked, err);

	if (r < 0)
		return r;
	cc->n_left = 0;
	return again(cc, false, err);
}

int client_circuit_renew(struct client_circuit *cc, struct error *err)
{
	const char *pin[HOPS_MAX];
	struct relay path[HOPS_MAX];
	int r = 0;

	for (size_t i = 0; i < HOPS_MAX; i++)
		pin[i] = cc->pin[i];
	if (cc->pinned)
		r = named(cc, cc->hops, pin, path, err);
	if (r < 0)
		return r;
	if (cc->path[0].name[0])
		cc->n_left = behind_guard(cc->path, cc->hops, cc->left);
	return again(cc, true, err);
}

/* ---- adoption ---- */

static void path_of(const struct client_circuit *cc, const struct origin_record *rec, struct relay path[HOPS_MAX])
{
	for (size_t i = 0; i < rec->circuit.n_layers; i++) {
		const struct relay *relay = network_find(cc->env->net, &rec->path[i]);

		if (relay)
			path[i] = *relay;
		else
			path[i] = (struct relay){ .name = "gone", .id = rec->path[i] };
	}
}

/* Whether it could be: *ret may be over, and NULL again. */
static bool restore(struct client_circuit *cc, const struct origin_record *rec, bool lead, const struct plan *have,
		    struct onion **ret)
{
	struct relay path[HOPS_MAX] = { 0 };
	struct onion_config oc = config_of(cc, rec->circuit.slot, path, rec->circuit.n_layers);

	path_of(cc, rec, path);
	return onion_restore(&oc, rec, lead, have, ret) == 0;
}

/* Unless it is over already. */
static void restored(struct client_circuit *cc)
{
	if (!cc->lead)
		return;
	memcpy(cc->path, cc->lead->path, sizeof(cc->path));
	cc->since_ms = clock_monotonic_ms();
	cc->relieve_ms = relieve_at(cc);
}

int client_circuit_adopt(struct client_env *env, const struct client_saved *s, const struct plan *have,
			 struct client_circuit **ret)
{
	struct client_circuit *cc = allocate(env, s->id);
	int r;

	if (!cc)
		return -ENOMEM;
	set_path(cc, &s->asked);
	cc->sel = s->sel;
	r = selection_apply(cc);
	if (r < 0) {
		free(cc);
		return r;
	}
	*ret = cc;
	cc->opened = s->opened || s->open;
	cc->failed = s->failed && !cc->opened;
	cc->code = REPLY_INTERNAL;
	snprintf(cc->reason, sizeof(cc->reason), "it was lost while anond was not running");
	if (s->open && restore(cc, s->open, true, have, &cc->lead))
		restored(cc);
	else if (!cc->failed)
		rebuild_later(cc);
	if (s->retired)
		restore(cc, s->retired, false, have, &cc->side);
	relieve_when_due(cc);
	return 0;
}

int client_circuit_stray(struct client_env *env, uint32_t id, struct client_circuit **ret)
{
	struct client_circuit *cc = allocate(env, id);

	if (!cc)
		return -ENOMEM;
	cc->stray = cc->failed = true;
	cc->code = REPLY_INTERNAL;
	snprintf(cc->reason, sizeof(cc->reason), "unknown selection, left by an earlier run");
	*ret = cc;
	return 0;
}

int client_circuit_add_extra(struct client_circuit *cc, const struct kobject *o)
{
	struct prefix *to;

	if (cc->stray && o->type == KOBJ_ROUTE) {
		to = reallocarray(cc->sel.prefixes, cc->sel.n + 1, sizeof(*to));
		if (!to)
			return -ENOMEM;
		cc->sel.prefixes = to;
		cc->sel.prefixes[cc->sel.n++] = o->route.dst;
	}
	return plan_add_copy(&cc->extra, o);
}

void client_circuit_repair(struct client_circuit *cc)
{
	if (cc->side)
		onion_repair(cc->side);
	if (cc->lead)
		onion_repair(cc->lead);
}

void client_circuit_hurry(struct client_circuit *cc)
{
	if (!cc->failed && !cc->lead)
		try_later(cc, clock_monotonic_ms() + rng_below(&rng_system, HURRY_MS));
}

/* ---- the end ---- */

void client_circuit_forget(struct client_circuit *cc)
{
	if (cc->waiter)
		control_error(cc->waiter, REPLY_UNREACHABLE, "anond is stopping");
	ev_timer_stop(cc->env->loop, &cc->wait);
	ev_timer_stop(cc->env->loop, &cc->next);
	onion_forget(cc->lead);
	onion_forget(cc->side);
	plan_clear(&cc->extra);
	selection_clear(&cc->sel);
	free(cc);
}

void client_circuit_close(struct client_circuit *cc)
{
	end(&cc->side);
	end(&cc->lead);
	selection_remove(cc);
	if (cc->waiter) {
		control_error(cc->waiter, REPLY_NOT_FOUND, "circuit %u was closed meanwhile", cc->id);
		cc->waiter = NULL;
	}
	client_circuit_forget(cc);
}

void client_circuit_wait(struct client_circuit *cc, struct control_conn *conn, double seconds)
{
	if (!cc->failed && seconds <= 0.) {
		control_reply(conn, REPLY_CREATED, client_circuit_json(cc, false));
		return;
	}
	cc->waiter = conn;
	if (cc->failed || client_circuit_is_open(cc)) {
		answer(cc);
		return;
	}
	ev_timer_set(&cc->wait, seconds, 0.);
	ev_timer_start(cc->env->loop, &cc->wait);
}

/* ---- events ---- */

bool client_circuit_uses(const struct client_circuit *cc, const struct relay_id *guard)
{
	return (cc->lead && onion_uses(cc->lead, guard)) || (cc->side && onion_uses(cc->side, guard));
}

/* An event may end or exchange the onions: each is looked at when it is its turn. */
void client_circuit_link_up(struct client_circuit *cc, const struct link *link)
{
	if (cc->side && onion_uses(cc->side, &link->peer))
		onion_link_up(cc->side, link);
	if (cc->lead && onion_uses(cc->lead, &link->peer))
		onion_link_up(cc->lead, link);
}

void client_circuit_link_down(struct client_circuit *cc, const struct relay_id *peer)
{
	if (cc->side && onion_uses(cc->side, peer))
		onion_link_down(cc->side);
	if (cc->lead && onion_uses(cc->lead, peer))
		onion_link_down(cc->lead);
}

void client_circuit_link_failed(struct client_circuit *cc, const struct relay_id *peer, const char *reason)
{
	if (cc->side && onion_uses(cc->side, peer))
		onion_link_failed(cc->side, reason);
	if (cc->lead && onion_uses(cc->lead, peer))
		onion_link_failed(cc->lead, reason);
}

bool client_circuit_message(struct client_circuit *cc, const uint8_t *msg, size_t len)
{
	return (cc->lead && onion_message(cc->lead, msg, len)) || (cc->side && onion_message(cc->side, msg, len));
}

void client_circuit_echo(struct client_circuit *cc, uint32_t slot, uint32_t rtt_us)
{
	struct onion *o = onion_at(cc, slot);

	if (o)
		onion_echo(o, rtt_us);
}

void client_circuit_lost(struct client_circuit *cc, uint32_t slot, uint32_t spi)
{
	struct onion *o = onion_at(cc, slot);

	if (o)
		onion_lost(o, spi);
}

/* ---- for people ---- */

const char *client_circuit_state(const struct client_circuit *cc)
{
	static const char *const names[] = {
		[ORIGIN_LINKING] = "linking", [ORIGIN_CREATING] = "creating", [ORIGIN_INSTALLING] = "installing",
		[ORIGIN_PROBING] = "probing", [ORIGIN_OPEN] = "open",	      [ORIGIN_FAILED] = "failed",
		[ORIGIN_CLOSED] = "closed",
	};

	if (cc->failed)
		return "failed";
	if (client_circuit_is_down(cc))
		return "rebuilding";
	if (!cc->lead)
		return "waiting";
	return names[origin_state(cc->lead->origin)->phase];
}

static json_t *path_json(const struct relay path[HOPS_MAX], size_t hops)
{
	json_t *list = json_array();

	for (size_t i = 0; i < hops && path[0].name[0]; i++)
		json_array_append_new(list, json_string(path[i].name));
	return list;
}

static void add_inner(json_t *j, const struct origin_circuit *c)
{
	const struct inner *in = &c->inner;
	char text[INET6_ADDRSTRLEN];
	char dev[IFNAMSIZ];
	enum suite suites[HOPS_MAX];

	for (size_t i = 0; i < c->n_layers; i++)
		suites[i] = c->layers[i].suite;
	dev_layer(c->slot, (unsigned int)c->n_layers - 1, c->n_layers, dev);
	json_object_set_new(j, "device", json_string(dev));
	json_object_set_new(j, "mtu", json_integer(mtu_inner(c->link_mtu, c->n_layers, suites)));
	if (in->has4)
		json_object_set_new(j, "inner4", json_string(inet_ntop(AF_INET, &in->addr4, text, sizeof(text))));
	if (in->has6)
		json_object_set_new(j, "inner6", json_string(inet_ntop(AF_INET6, &in->addr6, text, sizeof(text))));
	if (in->dns4.s_addr)
		json_object_set_new(j, "resolver4", json_string(inet_ntop(AF_INET, &in->dns4, text, sizeof(text))));
	if (!IN6_IS_ADDR_UNSPECIFIED(&in->dns6))
		json_object_set_new(j, "resolver6", json_string(inet_ntop(AF_INET6, &in->dns6, text, sizeof(text))));
}

static json_t *layers_json(const struct onion *o)
{
	json_t *layers = json_array();

	for (size_t i = 0; o && o->placed && i < o->placed->n_layers; i++) {
		const struct suite_info *suite = suite_get(o->placed->layers[i].suite);

		json_array_append_new(layers, json_pack("{s:s, s:s}", "relay", o->path[i].name, "suite", suite->name));
	}
	return layers;
}

static json_t *onion_json(const struct onion *o)
{
	json_t *j = json_pack("{s:o, s:I, s:f}", "path", path_json(o->path, o->c.hops), "expires",
			      (json_int_t)origin_state(o->origin)->expires, "rtt_ms",
			      origin_state(o->origin)->rtt_us / 1000.);

	if (o->placed)
		add_inner(j, o->placed);
	return j;
}

json_t *client_circuit_json(const struct client_circuit *cc, bool layers)
{
	uint64_t now = clock_monotonic_ms();
	json_t *j = json_pack("{s:i, s:s, s:s, s:o, s:I}", "id", (int)cc->id, "state", client_circuit_state(cc),
			      "reason", client_circuit_is_down(cc) ? cc->reason : "", "path",
			      path_json(cc->path, cc->hops), "age", (json_int_t)((now - cc->since_ms) / 1000));
	json_t *lead = cc->lead ? onion_json(cc->lead) : NULL;
	enum path_alike alike = paths_alike(cc->env->paths, cc->path, cc->path[0].name[0] ? cc->hops : 0);

	selection_to_json(&cc->sel, j);
	rules_to_json(&cc->rules, j);
	if (alike != PATH_APART)
		json_object_set_new(j, "alike", json_string(alike_word(alike)));

	if (cc->error[0])
		json_object_set_new(j, "error", json_string(cc->error));
	json_object_update(j, lead);
	json_decref(lead);
	if (client_circuit_retired(cc))
		json_object_set_new(j, "retired", onion_json(cc->side));
	if (layers)
		json_object_set_new(j, "layers", layers_json(cc->lead));
	return j;
}
