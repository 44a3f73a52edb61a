/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ike/stranger.h"

#include <stdlib.h>
#include <string.h>

#include "lib/hash.h"

struct stranger {
	char conn[CONN_NAME_MAX];
	unsigned int rounds;
	bool seen;
	UT_hash_handle hh;
};

void stranger_seen(struct stranger **table, const char *name, size_t len)
{
	char conn[CONN_NAME_MAX] = { 0 };
	struct stranger *s;

	if (len >= sizeof(conn) || memchr(name, 0, len))
		return;
	memcpy(conn, name, len);
	HASH_FIND_STR(*table, conn, s);
	if (!s && HASH_COUNT(*table) < STRANGERS_MAX) {
		s = calloc(1, sizeof(*s));
		if (!s)
			return;
		memcpy(s->conn, conn, sizeof(conn));
		HASH_ADD_STR(*table, conn, s);
	}
	if (s)
		s->seen = true;
}

void strangers_judge(struct stranger **table, unsigned int patience, const struct stranger_ops *ops, void *ctx)
{
	struct stranger *s, *next;

	HASH_ITER (hh, *table, s, next) {
		bool known = ops->known(ctx, s->conn);
		bool remove = s->seen && !known && s->rounds++ >= patience;

		if (remove)
			ops->remove(ctx, s->conn);
		if (remove || known || !s->seen) {
			HASH_DEL(*table, s); /* NOLINT(clang-analyzer-core.NullDereference): inside uthash */
			free(s);
		} else {
			s->seen = false;
		}
	}
}

void strangers_free(struct stranger **table)
{
	struct stranger *s, *next;

	HASH_ITER (hh, *table, s, next) {
		HASH_DEL(*table, s);
		free(s);
	}
}
