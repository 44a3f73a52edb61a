/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/fake.h"

#include <errno.h>
#include <string.h>

struct fake {
	struct kernel base;
	struct plan objects;
	bool fail;
	size_t fail_in;
	int fail_error;
};

static struct fake *fake_of(struct kernel *k)
{
	return (struct fake *)k;
}

static size_t find(const struct fake *f, const struct kobject *o)
{
	size_t i = 0;
	while (i < f->objects.n && !kobject_equal(&f->objects.v[i], o))
		i++;
	return i;
}

static void take_out(struct fake *f, size_t i)
{
	struct kobject *o = &f->objects.v[i];
	if (o->type == KOBJ_NFT) {
		free(o->nft.spec);
		free(o->nft.rules);
	}
	memmove(o, o + 1, (f->objects.n - i - 1) * sizeof(*o));
	f->objects.n--;
}

static int failed(struct fake *f, const struct kobject *o, int error)
{
	snprintf(f->base.error, sizeof(f->base.error), "%s: %s", kobject_type_name(o->type), strerror(-error));
	return error;
}

static int make(struct fake *f, const struct kobject *o)
{
	if (f->fail && f->fail_in-- == 0) {
		f->fail = false;
		return failed(f, o, f->fail_error);
	}
	if (o->type == KOBJ_SA && !o->sa.key)
		return failed(f, o, -ENOENT);
	int r = plan_add_copy(&f->objects, o);
	if (r >= 0 && o->type == KOBJ_SA)
		f->objects.v[f->objects.n - 1].sa.key = NULL; /* not ours to keep */
	return r;
}

static int fake_apply(struct kernel *k, const struct plan *p)
{
	struct fake *f = fake_of(k);
	size_t before = f->objects.n;
	for (size_t i = 0; i < p->n; i++) {
		if (find(f, &p->v[i]) < f->objects.n)
			continue;
		int r = make(f, &p->v[i]);
		if (r < 0) {
			while (f->objects.n > before)
				take_out(f, f->objects.n - 1);
			return r;
		}
	}
	return 0;
}

static int fake_remove(struct kernel *k, const struct plan *p)
{
	struct fake *f = fake_of(k);
	for (size_t i = p->n; i-- > 0;) {
		size_t at = find(f, &p->v[i]);
		if (at < f->objects.n)
			take_out(f, at);
	}
	return 0;
}

static int fake_dump(struct kernel *k, unsigned int types, kernel_object_fn fn, void *ctx)
{
	struct fake *f = fake_of(k);
	for (size_t i = 0; i < f->objects.n; i++)
		if (types & 1u << f->objects.v[i].type)
			fn(ctx, &f->objects.v[i]);
	return 0;
}

static int fake_counters(struct kernel *k, kernel_counter_fn fn, void *ctx)
{
	struct fake *f = fake_of(k);
	for (size_t i = 0; i < f->objects.n; i++)
		if (f->objects.v[i].type == KOBJ_NFT && f->objects.v[i].nft.kind == NFT_COUNTER)
			fn(ctx, f->objects.v[i].nft.name, 0, 0);
	return 0;
}

static void fake_free(struct kernel *k)
{
	plan_clear(&fake_of(k)->objects);
	free(fake_of(k));
}

static const struct kernel_ops fake_ops = {
	.apply = fake_apply,
	.remove = fake_remove,
	.dump = fake_dump,
	.counters = fake_counters,
	.free = fake_free,
};

int kernel_fake_new(struct kernel **ret)
{
	struct fake *f = calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	f->base.ops = &fake_ops;
	*ret = &f->base;
	return 0;
}

void kernel_fake_fail(struct kernel *k, size_t n, int error)
{
	struct fake *f = fake_of(k);
	f->fail = true;
	f->fail_in = n;
	f->fail_error = error;
}

const struct plan *kernel_fake_objects(const struct kernel *k)
{
	return &((const struct fake *)k)->objects;
}
