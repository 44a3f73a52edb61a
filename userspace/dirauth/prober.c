/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dirauth/prober.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base64.h"
#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "request/child.h"

#define LOOK_S 0.5    /* between two looks for a relay that is due */
#define TIMEOUT_S 100 /* anonctl gives up before */
#define OUTPUT_MAX 65536

struct probe_run {
	struct prober *prober;
	struct child *child; /* NULL: none */
	struct relay_id id;
};

struct prober {
	struct ev_loop *loop;
	char program[CHILD_PATH_MAX];
	uint32_t period;
	struct roster *roster;
	struct probe_run runs[PROBES_MAX];
	ev_timer look;
	bool complained;
};

static enum probe meaning(const struct child_result *r)
{
	if (r->how != CHILD_EXITED)
		return PROBE_UNKNOWN;
	return r->status == PROBER_EXIT_ANSWERED ? PROBE_ANSWERED
	       : r->status == PROBER_EXIT_SILENT ? PROBE_SILENT
						 : PROBE_UNKNOWN;
}

/* Said when it changes. */
static void tell(struct prober *p, bool works, const char *why)
{
	if (works && p->complained)
		log_notice("relays are probed again");
	if (!works && !p->complained)
		log_err("a relay cannot be probed: %s", why);
	p->complained = !works;
}

static void on_done(void *ctx, const struct child_result *r)
{
	struct probe_run *run = ctx;

	run->child = NULL;
	roster_probed(run->prober->roster, &run->id, meaning(r), clock_wall_s());
	tell(run->prober, meaning(r) != PROBE_UNKNOWN, r->why);
	free(r->data);
}

static int start(struct prober *p, struct probe_run *run, const struct relay_id *id)
{
	char text[BASE64_LEN(32)];
	const char *const argv[] = { p->program, "probe", text, NULL };
	const struct child_spec spec = { .argv = argv, .fd = -1, .max = OUTPUT_MAX, .timeout_s = TIMEOUT_S };

	base64_write(id->b, sizeof(id->b), text);
	run->id = *id;
	return child_start(p->loop, &spec, on_done, run, &run->child);
}

/* It counts as probed from now on, so that it is not the next one again. */
static void try_next(struct prober *p, struct probe_run *run)
{
	uint64_t now = clock_wall_s(), last;
	struct relay_id id;
	int r;

	if (!roster_next_probe(p->roster, now, &id, &last) || (last <= now && now - last < p->period))
		return;
	roster_probed(p->roster, &id, PROBE_UNKNOWN, now);
	r = start(p, run, &id);
	if (r < 0)
		tell(p, false, strerror(-r));
}

static void on_look(struct ev_loop *loop, ev_timer *w, int events)
{
	struct prober *p = w->data;

	(void)loop;
	(void)events;
	for (size_t i = 0; i < PROBES_MAX; i++)
		if (!p->runs[i].child)
			try_next(p, &p->runs[i]);
}

int prober_new(struct ev_loop *loop, const char *program, uint32_t period, struct roster *roster, struct prober **ret)
{
	static const char *const beside[] = { "anonctl", "../bin/anonctl", NULL };
	struct prober *p = calloc(1, sizeof(*p));
	int r = 0;

	if (!p)
		return -ENOMEM;
	*p = (struct prober){ .loop = loop, .period = period, .roster = roster };
	if (!program)
		r = child_find(beside, p->program);
	else if (strlen(program) < sizeof(p->program))
		memcpy(p->program, program, strlen(program));
	else
		r = -ENAMETOOLONG;
	if (r < 0) {
		free(p);
		return r;
	}
	for (size_t i = 0; i < PROBES_MAX; i++)
		p->runs[i].prober = p;
	ev_timer_init(&p->look, on_look, LOOK_S, LOOK_S);
	p->look.data = p;
	ev_timer_start(loop, &p->look);
	*ret = p;
	return 0;
}

void prober_free(struct prober *p)
{
	if (!p)
		return;
	ev_timer_stop(p->loop, &p->look);
	for (size_t i = 0; i < PROBES_MAX; i++)
		child_cancel(p->runs[i].child);
	free(p);
}
