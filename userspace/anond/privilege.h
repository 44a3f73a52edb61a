/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Least privilege: after start the daemon is an ordinary user with CAP_NET_ADMIN and nothing else. */
#pragma once

#include <sys/types.h>

#include "lib/error.h"

struct account {
	uid_t uid;
	gid_t gid;
};

/* Look up a user and a group by name; group NULL: the user's own. -ENOENT, or another negative errno. */
int account_find(const char *user, const char *group, struct account *ret, struct error *err);

/*
 * For good: no new privileges, not dumpable, all capabilities dropped from the bounding set but CAP_NET_ADMIN, the
 * account's identity without supplementary groups (also root's), CAP_NET_ADMIN alone permitted and effective. Negative
 * errno; on failure the process must end.
 */
int privilege_drop(const struct account *to);
