/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "circuit/relay_engine.h"

void relay_say_destroy(struct relay_engine *e, const struct event *ev, const struct peer *p, uint64_t handle,
		       bool by_creator, uint8_t reason)
{
	struct ctrl_msg m = { .type = CTRL_DESTROY, .handle = handle };

	if (!p->client && !p->up)
		return;
	m.destroy.by_creator = by_creator;
	m.destroy.reason = reason;
	farewell_say(&e->farewell, ev->now_ms, p->link, &p->addr, &m, ev->out);
}

void relay_close(struct relay_engine *e, const struct event *ev, struct circuit *c, uint8_t reason, bool tell_prev,
		 bool tell_next)
{
	struct action *a;

	if (tell_prev)
		relay_say_destroy(e, ev, c->prev, c->prev_key.handle, false, reason);
	if (tell_next && c->next && (c->phase == CIRCUIT_READY || c->half->sent))
		relay_say_destroy(e, ev, c->next, c->next_key.handle, true, reason);
	if (c->phase != CIRCUIT_EXTENDING) {
		a = actions_add(ev->out, ACTION_RELAY_REMOVE);
		if (a)
			a->relay = c->c;
	}
	answers_drop(&e->answers, &c->prev_key);
	table_remove(&e->table, c, ev->now_ms);
}
