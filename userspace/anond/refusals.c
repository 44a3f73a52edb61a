/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "anond/refusals.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/log.h"

#define PAUSE_S 10.

static const struct {
	const char *why;
	size_t at;
} reasons[] = {
	{ "malformed", offsetof(struct relay_counters, refused_malformed) },
	{ "for an unknown key", offsetof(struct relay_counters, refused_unknown_key) },
	{ "not decrypted", offsetof(struct relay_counters, refused_decrypt) },
	{ "replayed", offsetof(struct relay_counters, refused_replay) },
	{ "expired or too long", offsetof(struct relay_counters, refused_expired) },
	{ "over a limit", offsetof(struct relay_counters, refused_limit) },
	{ "too fast", offsetof(struct relay_counters, refused_rate) },
	{ "for an exit that this is not", offsetof(struct relay_counters, refused_not_exit) },
	{ "while draining", offsetof(struct relay_counters, refused_draining) },
};

static uint64_t counter(const struct relay_counters *c, size_t at)
{
	uint64_t n;

	memcpy(&n, (const uint8_t *)c + at, sizeof(n));
	return n;
}

static void on_pause_over(struct ev_loop *loop, ev_timer *w, int events)
{
	(void)loop;
	(void)events;
	refusals_note(w->data);
}

void refusals_init(struct refusals *r, struct ev_loop *loop, const struct relay_counters *now)
{
	*r = (struct refusals){ .loop = loop, .now = now, .told = *now };
	ev_timer_init(&r->pause, on_pause_over, PAUSE_S, 0.);
	r->pause.data = r;
}

void refusals_note(struct refusals *r)
{
	char text[256] = "";
	size_t len = 0;

	if (ev_is_active(&r->pause))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(reasons) && len < sizeof(text); i++) {
		uint64_t n = counter(r->now, reasons[i].at) - counter(&r->told, reasons[i].at);

		if (n > 0)
			len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%" PRIu64 " %s", len ? ", " : "", n,
						reasons[i].why);
	}
	if (len == 0)
		return;
	log_notice("CREATEs refused: %s", text);
	r->told = *r->now;
	ev_timer_set(&r->pause, PAUSE_S, 0.);
	ev_timer_start(r->loop, &r->pause);
}

void refusals_stop(struct refusals *r)
{
	ev_timer_stop(r->loop, &r->pause);
}
