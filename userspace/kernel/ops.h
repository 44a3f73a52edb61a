/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel as the rest of the program sees it: plans are applied, taken away and read back. kernel_open gives the
 * real one; kernel/fake.h one for tests.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "plan/object.h"

typedef void (*kernel_object_fn)(void *ctx, const struct kobject *o);
typedef void (*kernel_counter_fn)(void *ctx, const char *name, uint64_t packets, uint64_t bytes);

/*
 * What a dump reads: a mask of 1u << enum kobject_type. All but traffic shapes, which belong to their devices and are
 * read only when asked for.
 */
#define KERNEL_DUMP_ALL                                                                                                \
	(1u << KOBJ_NFT | 1u << KOBJ_ELEM | 1u << KOBJ_LINK | 1u << KOBJ_LINK_UP | 1u << KOBJ_ADDR |                   \
	 1u << KOBJ_ROUTE | 1u << KOBJ_RULE | 1u << KOBJ_SA | 1u << KOBJ_SP)

struct kernel;

struct kernel_ops {
	/*
	 * Make the objects in order. An object that is there already and equal counts as made (an SA only if the
	 * keys agree or the plan's is NULL; one without key that is not there: -ENOENT). On failure everything that
	 * this call made is taken away again and the error returned; kernel_error_text says which object. Blocks
	 * (milliseconds).
	 */
	int (*apply)(struct kernel *k, const struct plan *p);
	/* Take the objects away, last first; one that is not there is no error. Goes on after an error, returns the
	 * first. */
	int (*remove)(struct kernel *k, const struct plan *p);
	/* Call fn for every object of ours of these types (by our if_id ranges, names, protocol). The object lives
	 * only during the call; SAs come without keys. */
	int (*dump)(struct kernel *k, unsigned int types, kernel_object_fn fn, void *ctx);
	/* Named counters of the guard rules. */
	int (*counters)(struct kernel *k, kernel_counter_fn fn, void *ctx);
	void (*free)(struct kernel *k);
};

struct kernel {
	const struct kernel_ops *ops;
	char error[256]; /* about the last failure; no addresses */
};

/* Opens the netlink sockets. Needs CAP_NET_ADMIN from here on, nothing else. */
int kernel_open(struct kernel **ret);

int kernel_apply(struct kernel *k, const struct plan *p);
int kernel_remove(struct kernel *k, const struct plan *p);
int kernel_dump(struct kernel *k, unsigned int types, kernel_object_fn fn, void *ctx);
/* The same into a plan (must be empty). */
int kernel_dump_plan(struct kernel *k, unsigned int types, struct plan *ret);
int kernel_counters(struct kernel *k, kernel_counter_fn fn, void *ctx);
const char *kernel_error_text(const struct kernel *k);
void kernel_free(struct kernel *k); /* leaves all objects in place */
