/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "anond/relay_probe.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/clock.h"

#define TRIES 2	    /* by different guards */
#define LIFE_S 120u /* of the circuit, should the word that closes it be lost */

struct relay_probe {
	struct client_env *env;
	relay_probe_done *done;
	void *ctx;
	struct relay path[2];
	size_t hops;
	unsigned int tries;
	struct relay_id tried; /* the guard before */
	struct origin *origin;
	ev_timer tick;
	bool over;
	enum relay_probe_result result;
	char why[128];
};

static bool same(const struct relay_id *a, const struct relay_id *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

/* Any but the relay itself and the one before. */
static const struct relay *draw_guard(const struct relay_probe *p, const struct relay *target)
{
	const struct network *net = p->env->net;
	const struct relay *ret = NULL;
	uint32_t seen = 0;

	for (size_t i = 0; i < net->n_relays; i++) {
		const struct relay *r = &net->relays[i];

		if (!r->guard || same(&r->id, &target->id) || (p->tries && same(&r->id, &p->tried)))
			continue;
		if (rng_below(&rng_system, ++seen) == 0)
			ret = r;
	}
	return ret;
}

static const struct relay *target_of(const struct relay_probe *p)
{
	return &p->path[p->hops - 1];
}

/* ---- one try ---- */

static void arm(struct relay_probe *p, uint64_t next_ms)
{
	uint64_t now = clock_monotonic_ms();

	ev_timer_stop(p->env->loop, &p->tick);
	if (next_ms == UINT64_MAX)
		return;
	ev_timer_set(&p->tick, next_ms > now ? (double)(next_ms - now) / 1000. : 0.001, 0.);
	ev_timer_start(p->env->loop, &p->tick);
}

static void finish(struct relay_probe *p, enum relay_probe_result result, const char *why)
{
	if (p->over)
		return;
	p->over = true;
	p->result = result;
	snprintf(p->why, sizeof(p->why), "%s", why);
}

static void want_link(struct relay_probe *p, struct actions *as)
{
	int r = overlay_want(p->env->overlay, &p->path[0]);

	if (r < 0)
		origin_link_down(p->origin, clock_monotonic_ms(), as);
	else if (r > 0)
		origin_link_up(p->origin, clock_monotonic_ms(), overlay_link_to(p->env->overlay, &p->path[0].id), as);
}

static void carry_out(struct relay_probe *p, const struct action *a, struct actions *as)
{
	switch (a->type) {
	case ACTION_SEND:
		overlay_send(p->env->overlay, a->link, &a->peer, a->msg, CTRL_MSG_LEN);
		break;
	case ACTION_WANT_LINK:
		want_link(p, as);
		break;
	case ACTION_ORIGIN_INSTALL: /* every hop answered: that is all that was to be known */
		finish(p, RELAY_ANSWERED, "it completed the handshake");
		origin_close(p->origin, clock_monotonic_ms(), as);
		break;
	case ACTION_ORIGIN_PROBE:
	case ACTION_ORIGIN_STATE: /* looked at in run() */
	case ACTION_RELAY_INSTALL:
	case ACTION_RELAY_REMOVE:
	case ACTION_RELAY_REMEMBER:
		break;
	}
}

static int start(struct relay_probe *p, struct actions *as);

static void give_up(struct relay_probe *p)
{
	struct relay_id guard = p->path[0].id;

	origin_free(p->origin);
	p->origin = NULL;
	p->env->guard_over(p->env, &guard);
}

static void judge(struct relay_probe *p, struct actions *as)
{
	const struct origin_state *s = origin_state(p->origin);

	if (s->failure == ORIGIN_REFUSED && s->sealed && s->hop == p->hops) {
		finish(p, RELAY_ANSWERED, "it answered in the handshake");
		return;
	}
	p->tried = p->path[0].id;
	if (p->hops == 1 || ++p->tries == TRIES) {
		finish(p, RELAY_SILENT, "no handshake with it was completed");
		return;
	}
	give_up(p);
	if (start(p, as) < 0)
		finish(p, RELAY_SILENT, "no handshake with it was completed by the only guard that there is");
}

/* Carries out and clears; then looks where it stands. */
static void run(struct relay_probe *p, struct actions *as)
{
	uint64_t next = UINT64_MAX;
	size_t i = 0;

	do {
		for (; i < as->n; i++) {
			const struct action a = as->v[i]; /* as->v may move */

			carry_out(p, &a, as);
		}
		if (!p->over && p->origin && origin_state(p->origin)->phase == ORIGIN_FAILED)
			judge(p, as);
		if (!p->over && p->origin)
			origin_tick(p->origin, clock_monotonic_ms(), clock_wall_s(), as, &next);
	} while (i < as->n);
	actions_clear(as);
	arm(p, p->over ? 0 : next); /* the end is told from the event loop */
}

static void on_tick(struct ev_loop *loop, ev_timer *w, int events)
{
	struct relay_probe *p = w->data;
	struct actions none = { 0 };

	(void)loop;
	(void)events;
	if (!p->over) {
		run(p, &none);
		return;
	}
	p->done(p->ctx, p->result, p->why);
}

static int start(struct relay_probe *p, struct actions *as)
{
	const struct relay target = *target_of(p);
	const struct relay *guard = target.guard ? &target : draw_guard(p, &target);
	struct origin_config oc = {
		.path = p->path,
		.want4 = true,
		.want6 = true,
		.suite = p->env->conf->suite,
		.suite_beet = onion_suite_beet(p->env->conf),
		.timing = p->env->conf->timing,
		.rng = &rng_system,
	};

	if (!guard)
		return -ENOENT;
	oc.timing.lifetime_s = LIFE_S;
	p->hops = target.guard ? 1 : 2;
	p->path[0] = *guard;
	p->path[p->hops - 1] = target;
	oc.n_hops = p->hops;
	return origin_new(&oc, clock_monotonic_ms(), clock_wall_s(), as, &p->origin);
}

int relay_probe_new(struct client_env *env, const struct relay *relay, relay_probe_done *done, void *ctx,
		    struct relay_probe **ret)
{
	struct relay_probe *p = calloc(1, sizeof(*p));
	struct actions as = { 0 };
	int r;

	if (!p)
		return -ENOMEM;
	*p = (struct relay_probe){ .env = env, .done = done, .ctx = ctx, .path = { *relay }, .hops = 1 };
	ev_init(&p->tick, on_tick);
	p->tick.data = p;
	r = start(p, &as);
	if (r < 0) {
		actions_clear(&as);
		free(p);
		return r;
	}
	*ret = p;
	run(p, &as);
	return 0;
}

void relay_probe_free(struct relay_probe *p)
{
	if (!p)
		return;
	ev_timer_stop(p->env->loop, &p->tick);
	if (p->origin)
		give_up(p);
	free(p);
}

bool relay_probe_uses(const struct relay_probe *p, const struct relay_id *guard)
{
	return p->origin && same(&p->path[0].id, guard);
}

void relay_probe_link_up(struct relay_probe *p, const struct link *link)
{
	struct actions as = { 0 };

	if (p->over || !p->origin)
		return;
	origin_link_up(p->origin, clock_monotonic_ms(), link, &as);
	run(p, &as);
}

void relay_probe_link_down(struct relay_probe *p)
{
	struct actions as = { 0 };

	if (p->over || !p->origin)
		return;
	origin_link_down(p->origin, clock_monotonic_ms(), &as);
	run(p, &as);
}

bool relay_probe_message(struct relay_probe *p, const uint8_t *msg, size_t len)
{
	struct actions as = { 0 };
	bool ours;

	if (p->over || !p->origin)
		return false;
	ours = origin_message(p->origin, clock_monotonic_ms(), msg, len, &as);
	run(p, &as);
	return ours;
}
