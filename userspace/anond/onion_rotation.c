/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "anond/onion_rotation.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "lib/secmem.h"

#define LOOK_MAX_S 3600 /* at least so often: a suspended host's timers stand still */
#define RETRY_S 300	/* after a step that could not be stored; the half of a short overlap, if that is less */

struct onion_rotation {
	struct onion_rotation_config c;
	ev_timer timer;
};

static const struct onion_schedule *schedule(const struct onion_rotation *r)
{
	return &r->c.conf->onion;
}

/* ---- steps ---- */

static void tell(const struct onion_keys *k, enum onion_step step)
{
	switch (step) {
	case ONION_WAIT:
		break;
	case ONION_MAKE:
		log_notice("onion key %u is made, and is going to follow %u", k->other.id, k->current.id);
		break;
	case ONION_PROMOTE:
		log_notice("onion key %u follows %u, which is still opened", k->current.id, k->other.id);
		break;
	case ONION_DROP:
		log_notice("the onion key before %u is wiped", k->current.id);
		break;
	}
}

/* Nothing of the first key may be left either. Whoever the directory belongs to may do it, and root at each start. */
static void erase_first(const struct onion_rotation *r)
{
	struct error err = { "" };

	if (onion_keys_erase_first(r->c.conf->keys, r->c.keys, &err) < 0)
		log_warn("the first onion key, which is not used any more, could not be erased; the next start tries "
			 "it again as root: %s",
			 err.text);
}

static int take(struct onion_rotation *r, enum onion_step step, struct error *err)
{
	_cleanup_onion_keys_ struct onion_keys *then = secmem_alloc(sizeof(*then));
	int e;

	if (!then)
		return error_set(err, -ENOMEM, "no locked memory");
	*then = *r->c.keys;
	onion_keys_take(then, step, &rng_system);
	e = onion_store_save(r->c.conf->state, r->c.id, then, err);
	if (e < 0)
		return e;
	*r->c.keys = *then;
	tell(r->c.keys, step);
	if (step == ONION_DROP)
		erase_first(r);
	return 0;
}

static void follow(struct onion_rotation *r)
{
	struct error err = { "" };

	if (!onion_keys_follow(r->c.keys, clock_monotonic_ms() / 1000, clock_wall_s()))
		return;
	if (onion_store_save(r->c.conf->state, r->c.id, r->c.keys, &err) < 0)
		log_warn("the clock was set, and that cannot be stored with the onion keys: %s", err.text);
}

/* All that is due, in its order. Returns in how many seconds to look again. */
static uint64_t look(struct onion_rotation *r, void (*changed)(void *ctx, bool announce))
{
	uint64_t wait, retry = schedule(r)->overlap_s / 2 < RETRY_S ? schedule(r)->overlap_s / 2 : RETRY_S;
	struct error err = { "" };
	enum onion_step step;

	follow(r);
	while ((step = onion_keys_due(r->c.keys, schedule(r), &wait)) != ONION_WAIT) {
		if (take(r, step, &err) < 0) {
			log_err("the relay's onion keys stay as they are: %s", err.text);
			return retry;
		}
		if (changed)
			changed(r->c.ctx, step != ONION_DROP);
	}
	return wait;
}

static void arm(struct onion_rotation *r, uint64_t wait)
{
	ev_timer_set(&r->timer, wait < LOOK_MAX_S ? (double)wait : LOOK_MAX_S, 0.);
	ev_timer_start(r->c.loop, &r->timer);
}

static void on_timer(struct ev_loop *loop, ev_timer *w, int events)
{
	struct onion_rotation *r = w->data;

	(void)loop;
	(void)events;
	arm(r, look(r, r->c.changed));
}

/* ---- life ---- */

/* On the disk before anything is announced, and nothing there that a crash left. */
static int prepare(const struct onion_rotation *r, struct error *err)
{
	int e = 0;

	if (r->c.keys->is_stored)
		e = onion_store_wipe_rest(r->c.conf->state, err);
	else if (r->c.conf->replace_onion)
		e = onion_store_save(r->c.conf->state, r->c.id, r->c.keys, err);
	return e < 0 ? error_prefix(err, e, "onion keys cannot be stored") : 0;
}

int onion_rotation_new(const struct onion_rotation_config *conf, struct onion_rotation **ret, struct error *err)
{
	struct onion_rotation *r = calloc(1, sizeof(*r));
	int e;

	if (!r)
		return error_set(err, -ENOMEM, "out of memory");
	r->c = *conf;
	ev_init(&r->timer, on_timer);
	r->timer.data = r;
	e = prepare(r, err);
	if (e < 0) {
		free(r);
		return e;
	}
	if (conf->conf->replace_onion)
		arm(r, look(r, NULL));
	else if (conf->keys->is_stored)
		log_notice("this relay has replaced its onion key before: it opens what is stored in %s, and replaces "
			   "no more",
			   conf->conf->state);
	*ret = r;
	return 0;
}

void onion_rotation_free(struct onion_rotation *r)
{
	if (!r)
		return;
	ev_timer_stop(r->c.loop, &r->timer);
	free(r);
}

/* ---- what others want to know ---- */

size_t onion_rotation_held(const struct onion_rotation *r, struct onion_key ret[ONION_KEYS_MAX])
{
	const struct onion_keys *k = r->c.keys;

	ret[0] = (struct onion_key){ k->current.id, k->current.secret };
	ret[1] = (struct onion_key){ k->other.id, k->other.secret };
	return k->has_next || k->has_previous ? 2 : 1;
}

json_t *onion_rotation_json(const struct onion_rotation *r)
{
	const struct onion_keys *k = r->c.keys;
	json_t *j = json_pack("{s:I}", "current", (json_int_t)k->current.id);

	if (k->has_next)
		json_object_set_new(j, "next", json_integer(k->other.id));
	if (k->has_previous)
		json_object_set_new(j, "previous", json_integer(k->other.id));
	if (r->c.conf->replace_onion)
		json_object_set_new(j, "replaced_at", json_integer((json_int_t)onion_keys_replaced_at(k, schedule(r))));
	return j;
}
