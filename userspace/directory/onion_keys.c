/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "directory/onion_keys.h"

#include <sodium.h>
#include <string.h>

#include "lib/clock.h"

#define STEP_MIN_S 2	 /* below it the two clocks only round differently */
#define STORE_AFTER_S 60 /* so far since may be from what is stored */
#define ID_STEP_MAX 65536u

void onion_pair_draw(struct onion_pair *ret, const struct rng *rng)
{
	ret->id = rng_u32(rng);
	rng->fill(rng->ctx, ret->secret, sizeof(ret->secret));
	crypto_scalarmult_base(ret->public_key, ret->secret);
}

void onion_keys_begin(struct onion_keys *k, const struct onion_pair *first, uint64_t wall_s)
{
	sodium_memzero(k, sizeof(*k));
	k->current = *first;
	k->since = wall_s < CLOCK_WALL_MAX ? wall_s : CLOCK_WALL_MAX;
}

/* ---- time ---- */

static uint64_t distance(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

/* What has passed of the phase stays as it is. */
static void move(struct onion_keys *k, uint64_t expected, uint64_t wall_s)
{
	uint64_t step = distance(expected, wall_s);

	if (step < STEP_MIN_S)
		return;
	if (wall_s > expected)
		k->since += step;
	else
		k->since = k->since > step ? k->since - step : 0;
}

bool onion_keys_follow(struct onion_keys *k, uint64_t steady_s, uint64_t wall_s)
{
	bool again = k->followed;

	if (wall_s > CLOCK_WALL_MAX)
		wall_s = CLOCK_WALL_MAX;
	if (again && steady_s > k->steady_s)
		move(k, k->wall_s + (steady_s - k->steady_s), wall_s);
	else if (again)
		move(k, k->wall_s, wall_s);
	if (k->since > wall_s)
		k->since = wall_s;
	k->wall_s = wall_s;
	k->steady_s = steady_s;
	k->followed = true;
	/* Not at once: a clock that is wrong at the start is often put right a moment later. */
	return again && k->is_stored && distance(k->since, k->stored) > STORE_AFTER_S;
}

/* ---- steps ---- */

/* Of the phase, from since on. */
static uint64_t length(const struct onion_keys *k, const struct onion_schedule *s)
{
	if (k->has_next || k->has_previous)
		return s->overlap_s;
	return s->life_s - s->overlap_s;
}

static enum onion_step end_of(const struct onion_keys *k)
{
	if (k->has_previous)
		return ONION_DROP;
	return k->has_next ? ONION_PROMOTE : ONION_MAKE;
}

enum onion_step onion_keys_due(const struct onion_keys *k, const struct onion_schedule *s, uint64_t *ret_wait_s)
{
	uint64_t passed = k->wall_s - k->since, all = length(k, s);

	*ret_wait_s = passed < all ? all - passed : 0;
	return passed < all ? ONION_WAIT : end_of(k);
}

/* In place: not a byte of a secret leaves locked memory. */
static void swap(struct onion_pair *a, struct onion_pair *b)
{
	uint8_t *p = (uint8_t *)a, *q = (uint8_t *)b;

	for (size_t i = 0; i < sizeof(*a); i++) {
		uint8_t byte = p[i];

		p[i] = q[i];
		q[i] = byte;
	}
}

void onion_keys_take(struct onion_keys *k, enum onion_step step, const struct rng *rng)
{
	switch (step) {
	case ONION_WAIT:
		return;
	case ONION_MAKE:
		onion_pair_draw(&k->other, rng);
		k->other.id = k->current.id + 1 + rng_below(rng, ID_STEP_MAX);
		k->has_next = true;
		k->since = k->wall_s;
		return;
	case ONION_PROMOTE:
		swap(&k->current, &k->other);
		k->has_next = false;
		k->has_previous = true;
		k->since = k->wall_s;
		return;
	case ONION_DROP: /* nobody waits for it: the current one's time goes on */
		sodium_memzero(&k->other, sizeof(k->other));
		k->has_previous = false;
		return;
	}
}

/* ---- what others want to know ---- */

uint64_t onion_keys_replaced_at(const struct onion_keys *k, const struct onion_schedule *s)
{
	uint64_t at = k->since + (k->has_next ? s->overlap_s : s->life_s);

	return at > k->wall_s ? at : k->wall_s;
}

bool onion_keys_have(const struct onion_keys *k, uint32_t id)
{
	return k->current.id == id || ((k->has_next || k->has_previous) && k->other.id == id);
}

void onion_keys_facts(const struct onion_keys *k, struct relay_facts *ret)
{
	ret->relay.onion_key_id = k->current.id;
	memcpy(ret->relay.onion_key, k->current.public_key, sizeof(ret->relay.onion_key));
	ret->has_next_onion = k->has_next;
	ret->next_onion_id = k->has_next ? k->other.id : 0;
	memset(ret->next_onion_key, 0, sizeof(ret->next_onion_key));
	if (k->has_next)
		memcpy(ret->next_onion_key, k->other.public_key, sizeof(ret->next_onion_key));
}
