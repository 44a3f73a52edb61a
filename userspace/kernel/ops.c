/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/ops.h"

#include <errno.h>

int kernel_apply(struct kernel *k, const struct plan *p)
{
	return k->ops->apply(k, p);
}

int kernel_remove(struct kernel *k, const struct plan *p)
{
	return k->ops->remove(k, p);
}

int kernel_dump(struct kernel *k, unsigned int types, kernel_object_fn fn, void *ctx)
{
	return k->ops->dump(k, types, fn, ctx);
}

struct collect {
	struct plan *plan;
	int error;
};

static void collect(void *ctx, const struct kobject *o)
{
	struct collect *c = ctx;
	if (!c->error)
		c->error = plan_add_copy(c->plan, o);
}

int kernel_dump_plan(struct kernel *k, unsigned int types, struct plan *ret)
{
	_cleanup_plan_ struct plan p = { 0 };
	struct collect c = { .plan = &p };
	int r = kernel_dump(k, types, collect, &c);
	if (r >= 0)
		r = c.error;
	if (r < 0)
		return r;
	*ret = p;
	p = (struct plan){ 0 };
	return 0;
}

int kernel_counters(struct kernel *k, kernel_counter_fn fn, void *ctx)
{
	return k->ops->counters(k, fn, ctx);
}

const char *kernel_error_text(const struct kernel *k)
{
	return k->error;
}

void kernel_free(struct kernel *k)
{
	if (k)
		k->ops->free(k);
}
