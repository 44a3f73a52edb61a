/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What has to be made and what has to go so that the kernel holds what is wanted. Pure. */
#pragma once

#include "plan/object.h"

/*
 * ret_add: objects of want that have lacks, in want's order. ret_remove: objects of have that want lacks, in an
 * order fit for kernel_remove (it goes backwards). An object that differs is in both. Keys are not compared. Both
 * outputs must be empty plans; their objects are copies. Sysctls, thresholds and traffic shapes are not in dumps: they
 * are left out of both; nft chains are compared by name (what they hold is re-made by applying the plan again). 0 or
 * -ENOMEM.
 */
int plan_diff(const struct plan *want, const struct plan *have, struct plan *ret_add, struct plan *ret_remove);

/*
 * The same question for many small plans against one large one: the large one is hashed once. The set keeps no pointer
 * into p.
 */
struct plan_set;
int plan_set_new(const struct plan *p, struct plan_set **ret); /* -ENOMEM */
void plan_set_free(struct plan_set *s);			       /* NULL is fine */
/* Whether every object of p is in the set; sysctls, thresholds and traffic shapes are not looked at, as above. */
bool plan_set_has_all(const struct plan_set *s, const struct plan *p);

static inline void cleanup_plan_set(struct plan_set **s)
{
	plan_set_free(*s);
}
#define _cleanup_plan_set_ _cleanup_(cleanup_plan_set)
