/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "circuit/action.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct action *actions_add(struct actions *as, enum action_type type)
{
	if (as->n == as->cap) {
		size_t cap = as->cap ? as->cap * 2 : 8;
		struct action *v = reallocarray(as->v, cap, sizeof(*v));

		if (!v)
			return NULL;
		as->v = v;
		as->cap = cap;
	}
	as->v[as->n] = (struct action){ .type = type };
	return &as->v[as->n++];
}

void actions_clear(struct actions *as)
{
	for (size_t i = 0; i < as->n; i++) {
		free(as->v[i].msg);
		secmem_free(as->v[i].keys);
	}
	free(as->v);
	*as = (struct actions){ 0 };
}

int actions_send_bytes(struct actions *as, uint16_t link, const struct in6_addr *peer, const uint8_t msg[CTRL_MSG_LEN])
{
	uint8_t *copy = malloc(CTRL_MSG_LEN);
	struct action *a = copy ? actions_add(as, ACTION_SEND) : NULL;

	if (!a) {
		free(copy);
		return -ENOMEM;
	}
	memcpy(copy, msg, CTRL_MSG_LEN);
	a->link = link;
	a->peer = *peer;
	a->msg = copy;
	return 0;
}

int actions_send(struct actions *as, uint16_t link, const struct in6_addr *peer, const struct ctrl_msg *m)
{
	uint8_t msg[CTRL_MSG_LEN];
	int r = ctrl_encode(m, msg);

	return r < 0 ? r : actions_send_bytes(as, link, peer, msg);
}
