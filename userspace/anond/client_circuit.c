/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "anond/client_circuit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <sodium.h>
#include <string.h>

#include "anond/record.h"
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

/* ---- kernel ---- */

static int selection_apply(const struct client_circuit *cc)
{
	_cleanup_plan_ struct plan plan = { 0 };
	int r = plan_selection(&plan, cc->id, cc->to, cc->n_to);

	return r < 0 ? r : kernel_apply(cc->env->kernel, &plan);
}

static void selection_remove(const struct client_circuit *cc)
{
	_cleanup_plan_ struct plan plan = { 0 };

	if (plan_selection(&plan, cc->id, cc->to, cc->n_to) < 0 || kernel_remove(cc->env->kernel, &plan) < 0)
		log_err("circuit %u: cannot remove its kill switch: %s", cc->id, kernel_error_text(cc->env->kernel));
}

static int routes_plan(const struct client_circuit *cc, struct plan *plan)
{
	struct origin_circuit c = *cc->placed;

	c.n_selectors = cc->n_to;
	c.selectors = cc->to;
	return plan_origin_routes(plan, &c, 1 + cc->id);
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

/* Takes the circuit out of the kernel; the kill switch stays. */
static void displace(struct client_circuit *cc)
{
	_cleanup_plan_ struct plan plan = { 0 };
	int r = 0;

	if (!cc->placed)
		return;
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
	int r = plan_selection(plan, cc->id, cc->to, cc->n_to);

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
		snprintf(out, size, cc->opened ? "it stopped carrying packets" : "it was built but carries no packets");
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
	if (hop < cc->hops && cc->n_bad < ARRAY_SIZE(cc->bad))
		cc->bad[cc->n_bad++] = cc->path[hop].id;
}

/*
 * Whom not to choose next time (state.hop counts from 1). A hop that is said not to answer, or the one before it,
 * which says so: either may be the one at fault.
 */
static void suspect_by(struct client_circuit *cc, const struct origin_state *s)
{
	if (s->failure == ORIGIN_REFUSED || s->failure == ORIGIN_BAD_ANSWER)
		suspect(cc, s->hop - 1);
	if (s->failure == ORIGIN_REFUSED && s->hop >= 2 &&
	    (s->status == CTRL_NEXT_UNREACHABLE || s->status == CTRL_NEXT_TIMEOUT))
		suspect(cc, s->hop - 2);
	if (s->failure == ORIGIN_LINK_FAILED || s->failure == ORIGIN_LINK_LOST || s->failure == ORIGIN_TIMEOUT)
		suspect(cc, 0);
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

static void fail(struct client_circuit *cc)
{
	cc->failed = true;
	cc->since_ms = clock_monotonic_ms();
	log_notice("circuit %u failed: %s", cc->id, cc->reason);
	cc->env->changed(cc);
	answer(cc);
}

static void attempt_failed(struct client_circuit *cc)
{
	struct actions as = { 0 };

	cc->code = describe(cc, origin_state(cc->origin), cc->reason, sizeof(cc->reason));
	suspect_by(cc, origin_state(cc->origin));
	origin_close(cc->origin, clock_monotonic_ms(), &as); /* whatever the relays still hold of it may go */
	for (size_t i = 0; i < as.n; i++)
		if (as.v[i].type == ACTION_SEND)
			overlay_send(cc->env->overlay, as.v[i].link, &as.v[i].peer, as.v[i].msg, CTRL_MSG_LEN);
	actions_clear(&as);
	drop_attempt(cc);
	cc->env->attempt_over(cc);
	if (!cc->opened && !cc->pinned && cc->attempts < ATTEMPTS_MAX) {
		log_info("circuit %u: %s; trying another path", cc->id, cc->reason);
		if (attempt(cc, NULL) == 0)
			return;
	}
	fail(cc);
}

static void opened(struct client_circuit *cc)
{
	int r = route(cc);

	if (r < 0) {
		cc->code = REPLY_INTERNAL;
		snprintf(cc->reason, sizeof(cc->reason), "its routes could not be set: %s",
			 kernel_error_text(cc->env->kernel));
		drop_attempt(cc);
		fail(cc);
		return;
	}
	cc->opened = true;
	cc->since_ms = clock_monotonic_ms();
	log_info("circuit %u is open", cc->id);
	cc->env->changed(cc);
	answer(cc);
}

/* ---- actions ---- */

static void probe(const struct client_circuit *cc)
{
	const struct inner *in;
	char dev[IFNAMSIZ];
	unsigned int ifindex;

	if (!cc->placed)
		return;
	in = &cc->placed->inner;
	dev_layer(cc->id, (unsigned int)cc->placed->n_layers - 1, cc->placed->n_layers, dev);
	ifindex = if_nametoindex(dev);
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

/* Choose a path (unless it is pinned) and start building. On error cc->origin is NULL. */
static int attempt(struct client_circuit *cc, struct error *err)
{
	const struct path_request req = { .hops = cc->hops, .exclude = cc->bad, .n_exclude = cc->n_bad };
	struct actions as = { 0 };
	struct origin_config oc;
	int r = 0;

	cc->attempts++;
	if (!cc->pinned)
		r = path_choose(cc->env->net, &req, &rng_system, cc->path, err);
	if (r < 0)
		return r;
	origin_conf(cc, &oc);
	r = origin_new(&oc, clock_monotonic_ms(), clock_wall_s(), &as, &cc->origin);
	if (r < 0) {
		actions_clear(&as);
		return error_set(err, r, "cannot start building the circuit: %s", strerror(-r));
	}
	cc->since_ms = clock_monotonic_ms();
	run(cc, &as);
	return 0;
}

static struct client_circuit *allocate(struct client_env *env, uint32_t id, size_t hops)
{
	struct client_circuit *cc = calloc(1, sizeof(*cc));

	if (!cc)
		return NULL;
	cc->env = env;
	cc->id = id;
	cc->hops = hops;
	ev_init(&cc->tick, on_tick);
	ev_init(&cc->wait, on_wait);
	cc->tick.data = cc->wait.data = cc;
	return cc;
}

static int pin_path(struct client_circuit *cc, const char *const *pin, struct error *err)
{
	const struct path_request req = { .hops = cc->hops, .pin = pin };

	cc->pinned = true;
	return path_choose(cc->env->net, &req, &rng_system, cc->path, err);
}

int client_circuit_new(struct client_env *env, uint32_t id, struct prefix *to, size_t n_to, size_t hops,
		       const char *const *pin, struct client_circuit **ret, struct error *err)
{
	struct client_circuit *cc = allocate(env, id, hops);
	int r;

	if (!cc)
		return error_set(err, -ENOMEM, "out of memory");
	r = pin ? pin_path(cc, pin, err) : 0;
	if (r == 0) {
		cc->to = to;
		cc->n_to = n_to;
		r = selection_apply(cc);
		if (r < 0)
			error_set(err, r, "cannot set the kill switch: %s", kernel_error_text(env->kernel));
	}
	if (r == 0) {
		r = attempt(cc, err);
		if (r < 0)
			selection_remove(cc);
	}
	if (r < 0) {
		free(cc);
		return r;
	}
	*ret = cc;
	return 0;
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

int client_circuit_adopt(struct client_env *env, uint32_t id, struct prefix *to, size_t n_to, size_t hops,
			 const struct origin_record *rec, const struct plan *have, struct client_circuit **ret)
{
	struct client_circuit *cc = allocate(env, id, hops);
	int r;

	if (!cc)
		return -ENOMEM;
	cc->to = to;
	cc->n_to = n_to;
	r = selection_apply(cc);
	if (r < 0) {
		free(cc);
		return r;
	}
	if (!rec || in_kernel(&rec->circuit, have) != 1 || restore(cc, rec) < 0) {
		cc->failed = true;
		cc->code = REPLY_INTERNAL;
		snprintf(cc->reason, sizeof(cc->reason), "it was lost while anond was not running");
	}
	*ret = cc;
	return 0;
}

/* ---- the end ---- */

void client_circuit_forget(struct client_circuit *cc)
{
	if (cc->waiter)
		control_error(cc->waiter, REPLY_UNREACHABLE, "anond is stopping");
	ev_timer_stop(cc->env->loop, &cc->tick);
	ev_timer_stop(cc->env->loop, &cc->wait);
	origin_free(cc->origin);
	free(cc->placed);
	free(cc->to);
	free(cc);
}

void client_circuit_close(struct client_circuit *cc)
{
	if (cc->origin) {
		struct actions as = { 0 };

		origin_close(cc->origin, clock_monotonic_ms(), &as);
		for (size_t i = 0; i < as.n; i++)
			if (as.v[i].type == ACTION_SEND)
				overlay_send(cc->env->overlay, as.v[i].link, &as.v[i].peer, as.v[i].msg, CTRL_MSG_LEN);
		actions_clear(&as);
		drop_attempt(cc);
	}
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

	if (!client_circuit_uses(cc, peer) || cc->opened)
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
	cc->code = REPLY_INTERNAL;
	snprintf(cc->reason, sizeof(cc->reason), "one of its security associations is gone from the kernel");
	drop_attempt(cc);
	fail(cc);
}

/* ---- for people ---- */

const char *client_circuit_state(const struct client_circuit *cc)
{
	static const char *const names[] = {
		[ORIGIN_LINKING] = "linking", [ORIGIN_CREATING] = "creating", [ORIGIN_INSTALLING] = "installing",
		[ORIGIN_PROBING] = "probing", [ORIGIN_OPEN] = "open",	      [ORIGIN_FAILED] = "failed",
		[ORIGIN_CLOSED] = "closed",
	};

	return cc->failed || !cc->origin ? "failed" : names[origin_state(cc->origin)->phase];
}

static json_t *path_json(const struct client_circuit *cc)
{
	json_t *path = json_array();

	for (size_t i = 0; i < cc->hops && cc->path[0].name[0]; i++)
		json_array_append_new(path, json_string(cc->path[i].name));
	return path;
}

static json_t *to_json(const struct client_circuit *cc)
{
	json_t *to = json_array();
	char text[PREFIX_TEXT_MAX];

	for (size_t i = 0; i < cc->n_to; i++) {
		prefix_format(&cc->to[i], text);
		json_array_append_new(to, json_string(text));
	}
	return to;
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
	json_t *j = json_pack("{s:i, s:s, s:s, s:o, s:o, s:I}", "id", (int)cc->id, "state", client_circuit_state(cc),
			      "reason", cc->failed ? cc->reason : "", "path", path_json(cc), "to", to_json(cc), "age",
			      (json_int_t)((now - cc->since_ms) / 1000));

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
