/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "anond/onion.h"

#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "anond/config.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/reply.h"
#include "plan/diff.h"
#include "plan/mtu.h"

/* ---- kernel ---- */

static int service_plan(const struct onion *o, struct plan *plan, bool lead)
{
	const struct lans *lans = &o->c.env->conf->lans;
	int r = plan_origin_service(plan, o->placed, o->c.sel, lans);

	return r == 0 && lead ? plan_origin_routes(plan, o->placed, o->c.sel, lans) : r;
}

/* Without its link. */
static int own_plan(const struct onion *o, struct plan *plan)
{
	int r = plan_origin_circuit(plan, o->placed, NULL);

	return r == 0 && o->carries ? service_plan(o, plan, o->leads) : r;
}

static int place(struct onion *o, const struct layer_keys *keys)
{
	_cleanup_plan_ struct plan plan = { 0 };
	struct origin_circuit *c = malloc(sizeof(*c));
	int r;

	if (!c)
		return -ENOMEM;
	*c = *origin_circuit(o->origin);
	/* The fences of one would stop the other; and exits that agree on an address would learn whose they are. */
	if (o->c.env->taken(o->c.env, c)) {
		free(c);
		return -EADDRINUSE;
	}
	r = plan_origin_circuit(&plan, c, keys);
	if (r == 0)
		r = kernel_apply(o->c.env->kernel, &plan);
	if (r < 0) {
		log_warn("circuit %u could not be installed: %s", slot_selection(o->c.slot),
			 kernel_error_text(o->c.env->kernel));
		free(c);
		return r;
	}
	o->placed = c;
	return 0;
}

static unsigned int device_of(const struct onion *o)
{
	char dev[IFNAMSIZ];

	dev_layer(o->c.slot, (unsigned int)o->placed->n_layers - 1, o->placed->n_layers, dev);
	return if_nametoindex(dev);
}

static void displace(struct onion *o)
{
	_cleanup_plan_ struct plan plan = { 0 };
	int r;

	if (!o->placed)
		return;
	echo_forget(o->c.env->echo, device_of(o));
	r = own_plan(o, &plan);
	if (r == 0)
		r = kernel_remove(o->c.env->kernel, &plan);
	if (r < 0)
		log_err("circuit %u: cannot remove it from the kernel: %s", slot_selection(o->c.slot),
			kernel_error_text(o->c.env->kernel));
	free(o->placed);
	o->placed = NULL;
	o->carries = o->leads = false;
}

int onion_carry(struct onion *o, bool lead)
{
	_cleanup_plan_ struct plan plan = { 0 };
	int r = service_plan(o, &plan, lead);

	if (r == 0)
		r = kernel_apply(o->c.env->kernel, &plan);
	if (r == 0) {
		o->carries = true;
		o->leads = lead;
	}
	return r;
}

int onion_retire(struct onion *o)
{
	_cleanup_plan_ struct plan plan = { 0 };
	int r = plan_origin_routes(&plan, o->placed, o->c.sel, &o->c.env->conf->lans);

	if (r == 0)
		r = kernel_remove(o->c.env->kernel, &plan);
	if (r == 0)
		o->leads = false;
	return r;
}

static struct link link_of(const struct onion *o)
{
	return (struct link){ .kind = LINK_KIND_GUARD,
			      .number = o->placed->guard_link,
			      .peer = o->path[0].id,
			      .self = o->placed->layers[0].a,
			      .remote = o->placed->layers[0].o,
			      .mtu = o->placed->link_mtu };
}

int onion_plan(const struct onion *o, struct plan *plan)
{
	struct link link;
	int r;

	if (!o->placed)
		return 0;
	link = link_of(o);
	r = plan_link(plan, &link);
	return r < 0 ? r : own_plan(o, plan);
}

void onion_repair(struct onion *o)
{
	_cleanup_plan_ struct plan plan = { 0 };
	char why[256];

	if (!o->placed || (own_plan(o, &plan) == 0 && kernel_apply(o->c.env->kernel, &plan) == 0))
		return;
	snprintf(why, sizeof(why), "parts of it are gone from the kernel: %s", kernel_error_text(o->c.env->kernel));
	o->c.ops->over(o->c.ctx, o, REPLY_INTERNAL, why, NULL);
}

/* 1 if all SAs and policies of a circuit are among what the kernel has. */
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

/* ---- the end ---- */

/* What went wrong, for a person; returns the reply code. */
static int describe(const struct onion *o, char *out, size_t size)
{
	const struct origin_state *s = origin_state(o->origin);
	const char *who = s->hop >= 1 && s->hop <= o->c.hops ? o->path[s->hop - 1].name : "a relay";

	switch (s->failure) {
	case ORIGIN_LINK_FAILED:
		snprintf(out, size, "no link to the guard %s%s%s", o->path[0].name, o->link_error[0] ? ": " : "",
			 o->link_error);
		return REPLY_UNREACHABLE;
	case ORIGIN_LINK_LOST:
		snprintf(out, size, "the link to the guard %s was lost", o->path[0].name);
		return REPLY_UNREACHABLE;
	case ORIGIN_TIMEOUT:
		snprintf(out, size, "the guard %s does not answer", o->path[0].name);
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
		if (s->error == -EADDRINUSE) {
			snprintf(out, size, "a relay gave it an address that another circuit has");
			return REPLY_REFUSED;
		}
		snprintf(out, size, "the kernel refused it: %s", kernel_error_text(o->c.env->kernel));
		return s->error == -EOPNOTSUPP || s->error == -EPROTONOSUPPORT || s->error == -ENOSYS ||
				       s->error == -ENOENT
			       ? REPLY_NO_FEATURE
			       : REPLY_INTERNAL;
	case ORIGIN_NO_ECHO:
		snprintf(out, size, o->carries ? "it stopped carrying packets" : "it was built but carries no packets");
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

static void send_to_guard(const struct onion *o, const struct action *a)
{
	overlay_send(o->c.env->overlay, a->link, &a->peer, a->msg, CTRL_MSG_LEN);
}

/* Whatever the relays still hold of it may go. */
static void say_goodbye(const struct onion *o)
{
	struct actions as = { 0 };

	origin_close(o->origin, clock_monotonic_ms(), &as);
	for (size_t i = 0; i < as.n; i++)
		if (as.v[i].type == ACTION_SEND)
			send_to_guard(o, &as.v[i]);
	actions_clear(&as);
}

void onion_end(struct onion *o)
{
	struct client_env *env;
	struct relay_id guard;

	if (!o)
		return;
	env = o->c.env;
	guard = o->path[0].id;
	say_goodbye(o);
	displace(o);
	onion_forget(o);
	env->guard_over(env, &guard);
}

void onion_forget(struct onion *o)
{
	if (!o)
		return;
	ev_timer_stop(o->c.env->loop, &o->tick);
	origin_free(o->origin);
	free(o->placed);
	free(o);
}

/* ---- actions ---- */

void onion_probe(const struct onion *o)
{
	const struct inner *in;
	unsigned int ifindex;

	if (!o->placed)
		return;
	in = &o->placed->inner;
	ifindex = device_of(o);
	if (ifindex && in->has4)
		echo_send4(o->c.env->echo, ifindex, in->addr4, in->gw4, o->c.slot);
	else if (ifindex)
		echo_send6(o->c.env->echo, ifindex, &in->addr6, &in->gw6, o->c.slot);
}

static void want_link(struct onion *o, struct actions *as)
{
	int r = overlay_want(o->c.env->overlay, &o->path[0]);

	if (r < 0)
		origin_link_down(o->origin, clock_monotonic_ms(), as);
	else if (r > 0)
		origin_link_up(o->origin, clock_monotonic_ms(), overlay_link_to(o->c.env->overlay, &o->path[0].id), as);
}

static void carry_out(struct onion *o, const struct action *a, struct actions *as)
{
	switch (a->type) {
	case ACTION_SEND:
		send_to_guard(o, a);
		break;
	case ACTION_WANT_LINK:
		want_link(o, as);
		break;
	case ACTION_ORIGIN_INSTALL:
		origin_installed(o->origin, clock_monotonic_ms(), place(o, a->keys), as);
		break;
	case ACTION_ORIGIN_PROBE:
		onion_probe(o);
		break;
	case ACTION_ORIGIN_STATE:  /* looked at in run() */
	case ACTION_RELAY_INSTALL: /* never from an originator */
	case ACTION_RELAY_REMOVE:
	case ACTION_RELAY_REMEMBER:
		break;
	}
}

static void arm(struct onion *o, uint64_t next_ms)
{
	uint64_t now = clock_monotonic_ms();

	ev_timer_stop(o->c.env->loop, &o->tick);
	if (next_ms == UINT64_MAX)
		return;
	ev_timer_set(&o->tick, next_ms > now ? (double)(next_ms - now) / 1000. : 0.001, 0.);
	ev_timer_start(o->c.env->loop, &o->tick);
}

/* Carries out and clears; then looks where it stands. Nothing may follow: it may be gone. */
static void run(struct onion *o, struct actions *as)
{
	char why[256];
	uint64_t next;
	size_t i = 0;

	do {
		for (; i < as->n; i++) {
			const struct action a = as->v[i]; /* as->v may move */

			carry_out(o, &a, as);
		}
		origin_tick(o->origin, clock_monotonic_ms(), clock_wall_s(), as, &next);
	} while (i < as->n);
	actions_clear(as);
	arm(o, next);
	if (origin_state(o->origin)->phase == ORIGIN_FAILED) {
		int code = describe(o, why, sizeof(why));

		o->c.ops->over(o->c.ctx, o, code, why, origin_state(o->origin));
	} else if (origin_state(o->origin)->phase == ORIGIN_OPEN && !o->carries) {
		o->c.ops->open(o->c.ctx, o);
	}
}

static void on_tick(struct ev_loop *loop, ev_timer *w, int events)
{
	struct actions none = { 0 };

	(void)loop;
	(void)events;
	run(w->data, &none);
}

/* ---- the beginning ---- */

enum suite onion_suite_beet(const struct config *conf)
{
	/* Only AES-GCM has a short ICV (RFC 4106 section 6; RFC 7634 has none). */
	return conf->suite == SUITE_CHACHA20_POLY1305 ? SUITE_CHACHA20_POLY1305 : SUITE_AES128_GCM_8;
}

static struct origin_config origin_conf(const struct onion *o)
{
	const struct config *conf = o->c.env->conf;
	enum suite suites[HOPS_MAX];

	for (size_t i = 0; i < o->c.hops; i++)
		suites[i] = i + 1 == o->c.hops ? conf->suite : onion_suite_beet(conf);
	return (struct origin_config){
		.slot = o->c.slot,
		.path = o->path,
		.n_hops = o->c.hops,
		.want4 = true,
		.want6 = plan_inner6_possible(o->c.env->net->link_mtu, o->c.hops, suites),
		.suite = conf->suite,
		.suite_beet = onion_suite_beet(conf),
		.timing = conf->timing,
		.rng = &rng_system,
	};
}

static struct onion *allocate(const struct onion_config *conf)
{
	struct onion *o = calloc(1, sizeof(*o));

	if (!o)
		return NULL;
	o->c = *conf;
	memcpy(o->path, conf->path, conf->hops * sizeof(o->path[0]));
	o->c.path = o->path;
	ev_init(&o->tick, on_tick);
	o->tick.data = o;
	return o;
}

int onion_new(const struct onion_config *conf, struct onion **ret, struct error *err)
{
	struct onion *o = allocate(conf);
	struct actions as = { 0 };
	struct origin_config oc;
	int r;

	if (!o)
		return error_set(err, -ENOMEM, "out of memory");
	oc = origin_conf(o);
	r = origin_new(&oc, clock_monotonic_ms(), clock_wall_s(), &as, &o->origin);
	if (r < 0) {
		actions_clear(&as);
		onion_forget(o);
		return error_set(err, r, "cannot start building the circuit: %s", strerror(-r));
	}
	*ret = o;
	run(o, &as);
	return 0;
}

/* What cannot be taken up is taken away. */
int onion_restore(const struct onion_config *conf, const struct origin_record *rec, bool lead, const struct plan *have,
		  struct onion **ret)
{
	struct actions as = { 0 };
	struct origin_config oc;
	struct link link;
	struct onion *o;
	int r = in_kernel(&rec->circuit, have);

	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	o = allocate(conf);
	if (!o)
		return -ENOMEM;
	oc = origin_conf(o);
	r = origin_restore(&oc, rec, clock_monotonic_ms(), &as, &o->origin);
	if (r == 0)
		r = place(o, NULL);
	if (r == 0)
		r = onion_carry(o, lead);
	if (r < 0) {
		actions_clear(&as);
		displace(o);
		onion_forget(o);
		return r;
	}
	*ret = o;
	link = link_of(o);
	overlay_adopt(o->c.env->overlay, &link);
	overlay_want(o->c.env->overlay, &o->path[0]);
	run(o, &as);
	return 0;
}

/* ---- events ---- */

bool onion_uses(const struct onion *o, const struct relay_id *guard)
{
	return memcmp(o->path[0].id.b, guard->b, sizeof(guard->b)) == 0;
}

void onion_link_up(struct onion *o, const struct link *link)
{
	struct actions as = { 0 };

	origin_link_up(o->origin, clock_monotonic_ms(), link, &as);
	run(o, &as);
}

/*
 * While it is being built a circuit needs its link; an open one may outlive an outage (the guard gives the same address
 * back), so it is left to the echoes to tell.
 */
void onion_link_down(struct onion *o)
{
	struct actions as = { 0 };

	if (o->carries || origin_state(o->origin)->phase == ORIGIN_LINKING)
		return;
	origin_link_down(o->origin, clock_monotonic_ms(), &as);
	run(o, &as);
}

void onion_link_failed(struct onion *o, const char *reason)
{
	struct actions as = { 0 };

	snprintf(o->link_error, sizeof(o->link_error), "%s", reason);
	if (o->carries)
		return;
	origin_link_down(o->origin, clock_monotonic_ms(), &as);
	run(o, &as);
}

bool onion_message(struct onion *o, const uint8_t *msg, size_t len)
{
	struct actions as = { 0 };

	if (!origin_message(o->origin, clock_monotonic_ms(), msg, len, &as))
		return false;
	run(o, &as);
	return true;
}

void onion_echo(struct onion *o, uint32_t rtt_us)
{
	struct actions as = { 0 };

	o->echoed = true;
	origin_echo(o->origin, clock_monotonic_ms(), rtt_us, &as);
	run(o, &as);
}

void onion_lost(struct onion *o, uint32_t spi)
{
	bool ours = false;

	for (size_t i = 0; o->placed && i < o->placed->n_layers; i++)
		ours |= o->placed->layers[i].spi_fwd == spi || o->placed->layers[i].spi_back == spi;
	if (ours)
		o->c.ops->over(o->c.ctx, o, REPLY_INTERNAL, "one of its security associations is gone from the kernel",
			       NULL);
}
