/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "anond/client_circuit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <sodium.h>
#include <string.h>

#include "anond/record.h"
#include "anond/selection_json.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/reply.h"
#include "model/prefix.h"
#include "path/path.h"
#include "plan/diff.h"
#include "plan/mtu.h"
#include "plan/plan.h"

static void run(struct client_circuit *cc, struct actions *as);
static int attempt(struct client_circuit *cc, struct error *err);
static void rebuild_later(struct client_circuit *cc);

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

static int routes_plan(const struct client_circuit *cc, struct plan *plan)
{
	return plan_origin_routes(plan, cc->placed, &cc->sel, &cc->env->conf->lans, 1 + cc->id);
}

static int route(struct client_circuit *cc)
{
	_cleanup_plan_ struct plan plan = { 0 };
	int r = routes_plan(cc, &plan);

	if (r == 0)
		r = kernel_apply(cc->env->kernel, &plan);
	if (r == 0)
		cc->routed = true;
	return r;
}

static int place(struct client_circuit *cc, const struct layer_keys *keys)
{
	_cleanup_plan_ struct plan plan = { 0 };
	struct origin_circuit *c = malloc(sizeof(*c));
	int r;

	if (!c)
		return -ENOMEM;
	*c = *origin_circuit(cc->origin);
	r = plan_origin_circuit(&plan, c, keys);
	if (r == 0)
		r = kernel_apply(cc->env->kernel, &plan);
	if (r < 0) {
		log_warn("circuit %u could not be installed: %s", cc->id, kernel_error_text(cc->env->kernel));
		free(c);
		return r;
	}
	cc->placed = c;
	return 0;
}

static unsigned int device_of(const struct client_circuit *cc)
{
	char dev[IFNAMSIZ];

	dev_layer(cc->id, (unsigned int)cc->placed->n_layers - 1, cc->placed->n_layers, dev);
	return if_nametoindex(dev);
}

/* Takes the circuit out of the kernel; the kill switch stays. */
static void displace(struct client_circuit *cc)
{
	_cleanup_plan_ struct plan plan = { 0 };
	int r = 0;

	if (!cc->placed)
		return;
	echo_forget(cc->env->echo, device_of(cc));
	r = plan_origin_circuit(&plan, cc->placed, NULL);
	if (r == 0 && cc->routed)
		r = routes_plan(cc, &plan);
	if (r == 0)
		r = kernel_remove(cc->env->kernel, &plan);
	if (r < 0)
		log_err("circuit %u: cannot remove it from the kernel: %s", cc->id, kernel_error_text(cc->env->kernel));
	free(cc->placed);
	cc->placed = NULL;
	cc->routed = false;
}

int client_circuit_plan(const struct client_circuit *cc, struct plan *plan)
{
	int r = cc->stray ? 0 : client_circuit_plan_selection(cc, plan);

	if (r == 0)
		r = extra_plan(cc, plan);
	if (r == 0 && cc->placed) {
		const struct link link = {
			.kind = LINK_KIND_GUARD,
			.number = cc->placed->guard_link,
			.peer = cc->path[0].id,
			.self = cc->placed->layers[0].a,
			.remote = cc->placed->layers[0].o,
			.mtu = cc->placed->link_mtu,
		};

		r = plan_link(plan, &link);
		if (r == 0)
			r = plan_origin_circuit(plan, cc->placed, NULL);
		if (r == 0 && cc->routed)
			r = routes_plan(cc, plan);
	}
	return r;
}

/* ---- the end of an attempt ---- */

/* What went wrong, for a person; returns the reply code. */
static int describe(const struct client_circuit *cc, const struct origin_state *s, char *out, size_t size)
{
	const char *who = s->hop >= 1 && s->hop <= cc->hops ? cc->path[s->hop - 1].name : "a relay";

	switch (s->failure) {
	case ORIGIN_LINK_FAILED:
		snprintf(out, size, "no link to the guard %s", cc->path[0].name);
		return REPLY_UNREACHABLE;
	case ORIGIN_LINK_LOST:
		snprintf(out, size, "the link to the guard %s was lost", cc->path[0].name);
		return REPLY_UNREACHABLE;
	case ORIGIN_TIMEOUT:
		snprintf(out, size, "the guard %s does not answer", cc->path[0].name);
		return REPLY_TIMEOUT;
	case ORIGIN_REFUSED:
		snprintf(out, size,
			 s->status == CTRL_NEXT_TIMEOUT || s->status == CTRL_NEXT_UNREACHABLE
				 ? "hop %u, %s, cannot be reached: %s"
				 : "hop %u, %s, refused: %s",
			 s->hop, who, ctrl_status_name(s->status));
		return s->status == CTRL_NEXT_TIMEOUT	    ? REPLY_TIMEOUT
		       : s->status == CTRL_NEXT_UNREACHABLE ? REPLY_UNREACHABLE
							    : REPLY_REFUSED;
	case ORIGIN_BAD_ANSWER:
		snprintf(out, size, "the answer of hop %u, %s, does not verify", s->hop, who);
		return REPLY_REFUSED;
	case ORIGIN_INSTALL_FAILED:
		snprintf(out, size, "the kernel refused it: %s", kernel_error_text(cc->env->kernel));
		return s->error == -EOPNOTSUPP || s->error == -EPROTONOSUPPORT || s->error == -ENOSYS ||
				       s->error == -ENOENT
			       ? REPLY_NO_FEATURE
			       : REPLY_INTERNAL;
	case ORIGIN_NO_ECHO:
		snprintf(out, size, cc->routed ? "it stopped carrying packets" : "it was built but carries no packets");
		return REPLY_TIMEOUT;
	case ORIGIN_DESTROYED:
		snprintf(out, size, "a relay closed it");
		return REPLY_REFUSED;
	case ORIGIN_EXPIRED:
		snprintf(out, size, "its lifetime is over");
		return REPLY_TIMEOUT;
	case ORIGIN_OK:
		break;
	}
	snprintf(out, size, "unknown failure");
	return REPLY_INTERNAL;
}

static void suspect(struct client_circuit *cc, size_t hop)
{
	if (hop >= cc->hops)
		return;
	if (cc->n_bad == SUSPECTS_MAX)
		memmove(cc->bad, cc->bad + 1, --cc->n_bad * sizeof(cc->bad[0]));
	cc->bad[cc->n_bad++] = cc->path[hop].id;
}

/*
 * Whom not to choose next time (state.hop counts from 1). Blame cannot be proved: what a hop is said to have answered
 * passed through the one before it, which can spoil it or make it up. Where nobody can be named it may have been any.
 */
static void suspect_by(struct client_circuit *cc, const struct origin_state *s)
{
	switch (s->failure) {
	case ORIGIN_REFUSED:
	case ORIGIN_BAD_ANSWER:
		suspect(cc, s->hop - 1);
		if (s->hop >= 2)
			suspect(cc, s->hop - 2);
		break;
	case ORIGIN_LINK_FAILED:
	case ORIGIN_LINK_LOST:
	case ORIGIN_TIMEOUT:
		suspect(cc, 0);
		break;
	case ORIGIN_NO_ECHO:
	case ORIGIN_DESTROYED:
		for (size_t i = 0; i < cc->hops; i++)
			suspect(cc, i);
		break;
	default: /* no relay's fault */
		break;
	}
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
	else if (cc->routed)
		control_reply(conn, REPLY_CREATED, client_circuit_json(cc, false));
	else if (client_circuit_is_down(cc) && cc->error[0])
		control_error(conn, cc->code,
			      "circuit %u could not be built again: %s; it is tried again, and its destinations stay "
			      "blocked meanwhile",
			      cc->id, cc->error);
	else
		control_error(conn, REPLY_TIMEOUT, "circuit %u is not open yet (%s); it is still being built", cc->id,
			      client_circuit_state(cc));
}

static void drop_attempt(struct client_circuit *cc)
{
	displace(cc);
	origin_free(cc->origin);
	cc->origin = NULL;
	ev_timer_stop(cc->env->loop, &cc->tick);
}

/* Whatever the relays still hold of it may go. */
static void end_attempt(struct client_circuit *cc)
{
	struct actions as = { 0 };

	origin_close(cc->origin, clock_monotonic_ms(), &as);
	for (size_t i = 0; i < as.n; i++)
		if (as.v[i].type == ACTION_SEND)
			overlay_send(cc->env->overlay, as.v[i].link, &as.v[i].peer, as.v[i].msg, CTRL_MSG_LEN);
	actions_clear(&as);
	drop_attempt(cc);
	cc->env->attempt_over(cc);
}

static void fail(struct client_circuit *cc)
{
	cc->failed = true;
	cc->since_ms = clock_monotonic_ms();
	log_notice("circuit %u failed: %s", cc->id, cc->reason);
	cc->env->changed(cc);
	answer(cc);
}

/* It was open and is not any more. */
static void lost(struct client_circuit *cc)
{
	uint64_t now = clock_monotonic_ms();

	if (now - cc->since_ms >= STEADY_MS)
		cc->pauses = 0;
	cc->since_ms = now;
	cc->attempts = 0;
	cc->error[0] = '\0';
	log_notice("circuit %u: %s; its destinations stay blocked until it is built again", cc->id, cc->reason);
	cc->env->changed(cc);
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
static void over(struct client_circuit *cc, int code, const char *why)
{
	bool was_open = cc->routed;

	cc->code = code;
	end_attempt(cc);
	snprintf(cc->opened && !was_open ? cc->error : cc->reason, sizeof(cc->reason), "%s", why);
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

static void attempt_failed(struct client_circuit *cc)
{
	char why[sizeof(cc->reason)];
	int code = describe(cc, origin_state(cc->origin), why, sizeof(why));

	suspect_by(cc, origin_state(cc->origin));
	over(cc, code, why);
}

static void opened(struct client_circuit *cc)
{
	char why[sizeof(cc->reason)];

	if (route(cc) < 0) {
		snprintf(why, sizeof(why), "its routes could not be set: %s", kernel_error_text(cc->env->kernel));
		over(cc, REPLY_INTERNAL, why);
		return;
	}
	cc->opened = true;
	cc->reason[0] = cc->error[0] = '\0';
	cc->n_bad = 0;
	cc->since_ms = clock_monotonic_ms();
	log_info("circuit %u is open", cc->id);
	cc->env->changed(cc);
	answer(cc);
}

/* ---- actions ---- */

static void probe(const struct client_circuit *cc)
{
	const struct inner *in;
	unsigned int ifindex;

	if (!cc->placed)
		return;
	in = &cc->placed->inner;
	ifindex = device_of(cc);
	if (ifindex && in->has4)
		echo_send4(cc->env->echo, ifindex, in->addr4, in->gw4, (uint16_t)cc->id);
	else if (ifindex)
		echo_send6(cc->env->echo, ifindex, &in->addr6, &in->gw6, (uint16_t)cc->id);
}

static void want_link(struct client_circuit *cc, struct actions *as)
{
	int r = overlay_want(cc->env->overlay, &cc->path[0]);

	if (r < 0)
		origin_link_down(cc->origin, clock_monotonic_ms(), as);
	else if (r > 0)
		origin_link_up(cc->origin, clock_monotonic_ms(), overlay_link_to(cc->env->overlay, &cc->path[0].id),
			       as);
}

static void carry_out(struct client_circuit *cc, const struct action *a, struct actions *as)
{
	switch (a->type) {
	case ACTION_SEND:
		overlay_send(cc->env->overlay, a->link, &a->peer, a->msg, CTRL_MSG_LEN);
		break;
	case ACTION_WANT_LINK:
		want_link(cc, as);
		break;
	case ACTION_ORIGIN_INSTALL:
		origin_installed(cc->origin, clock_monotonic_ms(), place(cc, a->keys), as);
		break;
	case ACTION_ORIGIN_PROBE:
		probe(cc);
		break;
	case ACTION_ORIGIN_STATE:  /* looked at in settle() */
	case ACTION_RELAY_INSTALL: /* never from an originator */
	case ACTION_RELAY_REMOVE:
	case ACTION_RELAY_REMEMBER:
		break;
	}
}

static void arm(struct client_circuit *cc, uint64_t next_ms)
{
	uint64_t now = clock_monotonic_ms();

	ev_timer_stop(cc->env->loop, &cc->tick);
	if (next_ms == UINT64_MAX)
		return;
	ev_timer_set(&cc->tick, next_ms > now ? (double)(next_ms - now) / 1000. : 0.001, 0.);
	ev_timer_start(cc->env->loop, &cc->tick);
}

/* Carries out and clears; then looks where the attempt stands. */
static void run(struct client_circuit *cc, struct actions *as)
{
	uint64_t next;
	size_t i = 0;

	do {
		for (; i < as->n; i++) {
			const struct action a = as->v[i]; /* as->v may move */

			carry_out(cc, &a, as);
		}
		origin_tick(cc->origin, clock_monotonic_ms(), clock_wall_s(), as, &next);
	} while (i < as->n);
	actions_clear(as);
	arm(cc, next);
	if (origin_state(cc->origin)->phase == ORIGIN_FAILED)
		attempt_failed(cc);
	else if (origin_state(cc->origin)->phase == ORIGIN_OPEN && !cc->routed)
		opened(cc);
}

static void on_tick(struct ev_loop *loop, ev_timer *w, int events)
{
	struct actions none = { 0 };

	(void)loop;
	(void)events;
	run(w->data, &none);
}

static void on_wait(struct ev_loop *loop, ev_timer *w, int events)
{
	(void)loop;
	(void)events;
	answer(w->data);
}

/* ---- attempts ---- */

static enum suite suite_beet(const struct config *conf)
{
	/* Only AES-GCM has a short ICV (RFC 4106 section 6; RFC 7634 has none). */
	return conf->suite == SUITE_CHACHA20_POLY1305 ? SUITE_CHACHA20_POLY1305 : SUITE_AES128_GCM_8;
}

static void origin_conf(const struct client_circuit *cc, struct origin_config *oc)
{
	const struct config *conf = cc->env->conf;
	enum suite suites[HOPS_MAX];

	for (size_t i = 0; i < cc->hops; i++)
		suites[i] = i + 1 == cc->hops ? conf->suite : suite_beet(conf);
	*oc = (struct origin_config){
		.slot = cc->id,
		.path = cc->path,
		.n_hops = cc->hops,
		.want4 = true,
		.want6 = plan_inner6_possible(cc->env->net->link_mtu, cc->hops, suites),
		.suite = conf->suite,
		.suite_beet = suite_beet(conf),
		.timing = conf->timing,
		.rng = &rng_system,
	};
}

static int pin_choose(const struct client_circuit *cc, size_t hops, const char *const *pin, struct relay *ret,
		      struct error *err)
{
	const struct path_request req = { .hops = hops, .pin = pin };

	return path_choose(cc->env->net, &req, &rng_system, ret, err);
}

/* Suspicion is no proof: where too few relays are left beside the suspects, they get another chance. */
static int choose(struct client_circuit *cc, struct error *err)
{
	struct path_request req = { .hops = cc->hops, .exclude = cc->bad, .n_exclude = cc->n_bad };
	const char *pin[HOPS_MAX];
	int r;

	if (cc->pinned) {
		for (size_t i = 0; i < cc->hops; i++)
			pin[i] = cc->pin[i];
		return pin_choose(cc, cc->hops, pin, cc->path, err);
	}
	r = path_choose(cc->env->net, &req, &rng_system, cc->path, err);
	if (r != -ENOENT || cc->n_bad == 0)
		return r;
	req.n_exclude = cc->n_bad = 0;
	return path_choose(cc->env->net, &req, &rng_system, cc->path, err);
}

/* Choose a path (unless it is pinned) and start building. On error cc->origin is NULL. */
static int attempt(struct client_circuit *cc, struct error *err)
{
	struct actions as = { 0 };
	struct origin_config oc;
	int r;

	cc->attempts++;
	if (cc->env->net->valid_until <= clock_wall_s())
		return error_set(err, -ESTALE, "the network file has expired");
	r = choose(cc, err);
	if (r < 0)
		return r;
	origin_conf(cc, &oc);
	r = origin_new(&oc, clock_monotonic_ms(), clock_wall_s(), &as, &cc->origin);
	if (r < 0) {
		actions_clear(&as);
		return error_set(err, r, "cannot start building the circuit: %s", strerror(-r));
	}
	if (!cc->opened)
		cc->since_ms = clock_monotonic_ms();
	run(cc, &as);
	return 0;
}

/* ---- building again ---- */

static void rebuild_later(struct client_circuit *cc)
{
	unsigned int pause = cc->pauses < 6 ? 1u << cc->pauses : REBUILD_MAX_S;

	cc->pauses++;
	if (pause > REBUILD_MAX_S)
		pause = REBUILD_MAX_S;
	/* The random part: many clients that lost the same relay must not come back at one moment. */
	ev_timer_stop(cc->env->loop, &cc->retry);
	ev_timer_set(&cc->retry, pause / 2. + rng_below(&rng_system, pause * 500 + 1) / 1000., 0.);
	ev_timer_start(cc->env->loop, &cc->retry);
}

static void on_retry(struct ev_loop *loop, ev_timer *w, int events)
{
	struct client_circuit *cc = w->data;
	struct error err = { "" };
	int r = attempt(cc, &err);

	(void)loop;
	(void)events;
	if (r == 0)
		return;
	cc->code = r == -ENOENT || r == -ESTALE ? REPLY_UNREACHABLE : REPLY_INTERNAL;
	snprintf(cc->error, sizeof(cc->error), "%s", err.text);
	not_rebuilt(cc);
}

/* ---- beginning ---- */

static struct client_circuit *allocate(struct client_env *env, uint32_t id, size_t hops)
{
	struct client_circuit *cc = calloc(1, sizeof(*cc));

	if (!cc)
		return NULL;
	cc->env = env;
	cc->id = id;
	cc->hops = hops;
	cc->since_ms = clock_monotonic_ms();
	ev_init(&cc->tick, on_tick);
	ev_init(&cc->wait, on_wait);
	ev_init(&cc->retry, on_retry);
	cc->tick.data = cc->wait.data = cc->retry.data = cc;
	return cc;
}

static void set_path(struct client_circuit *cc, size_t hops, const char *const *pin)
{
	cc->hops = hops;
	cc->pinned = pin;
	for (size_t i = 0; pin && i < hops; i++)
		snprintf(cc->pin[i], sizeof(cc->pin[i]), "%s", pin[i]);
}

int client_circuit_new(struct client_env *env, uint32_t id, const struct selection *sel, size_t hops,
		       const char *const *pin, struct client_circuit **ret, struct error *err)
{
	struct client_circuit *cc = allocate(env, id, hops);
	int r;

	if (!cc)
		return error_set(err, -ENOMEM, "out of memory");
	r = pin ? pin_choose(cc, hops, pin, cc->path, err) : 0;
	if (r < 0) {
		free(cc);
		return r;
	}
	set_path(cc, hops, pin);
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
	return cc->failed || (cc->opened && !cc->routed);
}

int client_circuit_again(struct client_circuit *cc, size_t hops, const char *const *pin, struct error *err)
{
	struct relay path[HOPS_MAX];
	int r = pin ? pin_choose(cc, hops, pin, path, err) : 0;

	if (r < 0)
		return r;
	if (cc->waiter) {
		control_error(cc->waiter, REPLY_CONFLICT, "circuit %u was asked for again meanwhile", cc->id);
		cc->waiter = NULL;
		ev_timer_stop(cc->env->loop, &cc->wait);
	}
	ev_timer_stop(cc->env->loop, &cc->retry);
	if (cc->origin)
		end_attempt(cc);
	set_path(cc, hops, pin);
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

/* ---- adoption ---- */

static void path_of(struct client_circuit *cc, const struct origin_record *rec)
{
	for (size_t i = 0; i < cc->hops; i++) {
		const struct relay *relay = network_find(cc->env->net, &rec->path[i]);

		if (relay)
			cc->path[i] = *relay;
		else
			cc->path[i] = (struct relay){ .name = "gone", .id = rec->path[i] };
	}
}

/* 1 if all SAs and policies of the circuit are in the kernel. */
static int in_kernel(const struct origin_circuit *c, const struct plan *have)
{
	_cleanup_plan_ struct plan want = { 0 }, add = { 0 }, rest = { 0 };
	int r = plan_origin_circuit(&want, c, NULL);

	if (r == 0)
		r = plan_diff(&want, have, &add, &rest);
	for (size_t i = 0; r == 0 && i < add.n; i++)
		if (add.v[i].type == KOBJ_SA || add.v[i].type == KOBJ_SP || add.v[i].type == KOBJ_LINK)
			return 0;
	return r < 0 ? r : 1;
}

static int restore(struct client_circuit *cc, const struct origin_record *rec)
{
	struct actions as = { 0 };
	struct origin_config oc;
	int r;

	path_of(cc, rec);
	origin_conf(cc, &oc);
	r = origin_restore(&oc, rec, clock_monotonic_ms(), &as, &cc->origin);
	if (r < 0)
		return r;
	r = place(cc, NULL);
	if (r == 0)
		r = route(cc);
	if (r < 0) {
		actions_clear(&as);
		drop_attempt(cc);
		return r;
	}
	cc->opened = true;
	cc->since_ms = clock_monotonic_ms();
	overlay_want(cc->env->overlay, &cc->path[0]);
	run(cc, &as);
	return 0;
}

int client_circuit_renew(struct client_circuit *cc, struct error *err)
{
	char names[HOPS_MAX][RELAY_NAME_MAX];
	const char *pin[HOPS_MAX];

	memcpy(names, cc->pin, sizeof(names));
	for (size_t i = 0; i < HOPS_MAX; i++)
		pin[i] = names[i];
	return client_circuit_again(cc, cc->hops, cc->pinned ? pin : NULL, err);
}

int client_circuit_adopt(struct client_env *env, const struct client_saved *s, const struct plan *have,
			 struct client_circuit **ret)
{
	struct client_circuit *cc = allocate(env, s->id, s->hops);
	int r;

	if (!cc)
		return -ENOMEM;
	set_path(cc, s->hops, s->pin);
	cc->sel = s->sel;
	r = selection_apply(cc);
	if (r < 0) {
		free(cc);
		return r;
	}
	*ret = cc;
	if (s->open && in_kernel(&s->open->circuit, have) == 1 && restore(cc, s->open) == 0)
		return 0;
	cc->opened = s->opened || s->open;
	cc->failed = !cc->opened;
	cc->code = REPLY_INTERNAL;
	snprintf(cc->reason, sizeof(cc->reason), "it was lost while anond was not running");
	if (cc->opened)
		rebuild_later(cc);
	return 0;
}

int client_circuit_stray(struct client_env *env, uint32_t id, struct client_circuit **ret)
{
	struct client_circuit *cc = allocate(env, id, 0);

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
	_cleanup_plan_ struct plan plan = { 0 };
	char why[sizeof(cc->reason)];
	int r;

	if (!cc->placed)
		return;
	r = plan_origin_circuit(&plan, cc->placed, NULL);
	if (r == 0 && cc->routed)
		r = routes_plan(cc, &plan);
	if (r == 0)
		r = kernel_apply(cc->env->kernel, &plan);
	if (r == 0)
		return;
	snprintf(why, sizeof(why), "parts of it are gone from the kernel: %s", kernel_error_text(cc->env->kernel));
	over(cc, REPLY_INTERNAL, why);
}

/* ---- the end ---- */

void client_circuit_forget(struct client_circuit *cc)
{
	if (cc->waiter)
		control_error(cc->waiter, REPLY_UNREACHABLE, "anond is stopping");
	ev_timer_stop(cc->env->loop, &cc->tick);
	ev_timer_stop(cc->env->loop, &cc->wait);
	ev_timer_stop(cc->env->loop, &cc->retry);
	origin_free(cc->origin);
	plan_clear(&cc->extra);
	free(cc->placed);
	selection_clear(&cc->sel);
	free(cc);
}

void client_circuit_close(struct client_circuit *cc)
{
	if (cc->origin)
		end_attempt(cc);
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
	if (cc->failed || cc->routed) {
		answer(cc);
		return;
	}
	ev_timer_set(&cc->wait, seconds, 0.);
	ev_timer_start(cc->env->loop, &cc->wait);
}

/* ---- events ---- */

bool client_circuit_uses(const struct client_circuit *cc, const struct relay_id *guard)
{
	return cc->origin && memcmp(cc->path[0].id.b, guard->b, sizeof(guard->b)) == 0;
}

void client_circuit_link_up(struct client_circuit *cc, const struct link *link)
{
	struct actions as = { 0 };

	if (!client_circuit_uses(cc, &link->peer))
		return;
	if (cc->placed && !IN6_ARE_ADDR_EQUAL(&cc->placed->layers[0].a, &link->self))
		origin_link_down(cc->origin, clock_monotonic_ms(), &as); /* T_1 ends at an address that is gone */
	else if (origin_state(cc->origin)->phase == ORIGIN_LINKING)
		origin_link_up(cc->origin, clock_monotonic_ms(), link, &as);
	run(cc, &as);
}

/*
 * While it is being built a circuit needs its link; an open one may outlive an outage (the guard gives the same address
 * back), so it is left to the echoes to tell.
 */
void client_circuit_link_down(struct client_circuit *cc, const struct relay_id *peer, bool failed)
{
	struct actions as = { 0 };

	if (!client_circuit_uses(cc, peer) || cc->routed)
		return;
	if (failed || origin_state(cc->origin)->phase != ORIGIN_LINKING)
		origin_link_down(cc->origin, clock_monotonic_ms(), &as);
	run(cc, &as);
}

bool client_circuit_message(struct client_circuit *cc, const uint8_t *msg, size_t len)
{
	struct actions as = { 0 };

	if (!cc->origin || !origin_message(cc->origin, clock_monotonic_ms(), msg, len, &as))
		return false;
	run(cc, &as);
	return true;
}

void client_circuit_echo(struct client_circuit *cc, uint32_t rtt_us)
{
	struct actions as = { 0 };

	if (!cc->origin)
		return;
	origin_echo(cc->origin, clock_monotonic_ms(), rtt_us, &as);
	run(cc, &as);
}

void client_circuit_lost(struct client_circuit *cc, uint32_t spi)
{
	bool ours = false;

	for (size_t i = 0; cc->placed && i < cc->placed->n_layers; i++)
		ours |= cc->placed->layers[i].spi_fwd == spi || cc->placed->layers[i].spi_back == spi;
	if (!ours)
		return;
	over(cc, REPLY_INTERNAL, "one of its security associations is gone from the kernel");
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
	if (client_circuit_is_down(cc) || !cc->origin)
		return "rebuilding";
	return names[origin_state(cc->origin)->phase];
}

static json_t *path_json(const struct client_circuit *cc)
{
	json_t *path = json_array();

	for (size_t i = 0; i < cc->hops && cc->path[0].name[0]; i++)
		json_array_append_new(path, json_string(cc->path[i].name));
	return path;
}

static void add_inner(json_t *j, const struct client_circuit *cc)
{
	const struct inner *in = &cc->placed->inner;
	char text[INET6_ADDRSTRLEN];
	char dev[IFNAMSIZ];
	enum suite suites[HOPS_MAX];

	for (size_t i = 0; i < cc->placed->n_layers; i++)
		suites[i] = cc->placed->layers[i].suite;
	dev_layer(cc->id, (unsigned int)cc->placed->n_layers - 1, cc->placed->n_layers, dev);
	json_object_set_new(j, "device", json_string(dev));
	json_object_set_new(j, "mtu", json_integer(mtu_inner(cc->placed->link_mtu, cc->placed->n_layers, suites)));
	if (in->has4)
		json_object_set_new(j, "inner4", json_string(inet_ntop(AF_INET, &in->addr4, text, sizeof(text))));
	if (in->has6)
		json_object_set_new(j, "inner6", json_string(inet_ntop(AF_INET6, &in->addr6, text, sizeof(text))));
	if (in->dns4.s_addr)
		json_object_set_new(j, "resolver4", json_string(inet_ntop(AF_INET, &in->dns4, text, sizeof(text))));
	if (!IN6_IS_ADDR_UNSPECIFIED(&in->dns6))
		json_object_set_new(j, "resolver6", json_string(inet_ntop(AF_INET6, &in->dns6, text, sizeof(text))));
}

static json_t *layers_json(const struct client_circuit *cc)
{
	json_t *layers = json_array();

	for (size_t i = 0; cc->placed && i < cc->placed->n_layers; i++) {
		const struct suite_info *suite = suite_get(cc->placed->layers[i].suite);

		json_array_append_new(layers, json_pack("{s:s, s:s}", "relay", cc->path[i].name, "suite", suite->name));
	}
	return layers;
}

json_t *client_circuit_json(const struct client_circuit *cc, bool layers)
{
	uint64_t now = clock_monotonic_ms();
	json_t *j = json_pack("{s:i, s:s, s:s, s:o, s:I}", "id", (int)cc->id, "state", client_circuit_state(cc),
			      "reason", client_circuit_is_down(cc) ? cc->reason : "", "path", path_json(cc), "age",
			      (json_int_t)((now - cc->since_ms) / 1000));

	selection_to_json(&cc->sel, j);

	if (cc->error[0])
		json_object_set_new(j, "error", json_string(cc->error));
	if (cc->origin) {
		json_object_set_new(j, "expires", json_integer((json_int_t)origin_state(cc->origin)->expires));
		json_object_set_new(j, "rtt_ms", json_real(origin_state(cc->origin)->rtt_us / 1000.));
	}
	if (cc->placed)
		add_inner(j, cc);
	if (layers)
		json_object_set_new(j, "layers", layers_json(cc));
	return j;
}
