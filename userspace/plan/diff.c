/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plan/diff.h"

#include <errno.h>

#include "lib/hash.h"

struct entry {
	uint8_t canon[KOBJ_CANON_MAX];
	UT_hash_handle hh;
};

struct plan_set {
	struct entry *entries;
};

static bool dumped(const struct kobject *o)
{
	return o->type != KOBJ_SYSCTL && o->type != KOBJ_HTHRESH && o->type != KOBJ_TFC && o->type != KOBJ_TFC_PEER;
}

static int set_add(struct plan_set *s, const struct kobject *o)
{
	struct entry *e = calloc(1, sizeof(*e)), *known;
	size_t len;

	if (!e)
		return -ENOMEM;
	len = kobject_canon(o, e->canon);
	HASH_FIND(hh, s->entries, e->canon, len, known);
	if (known)
		free(e);
	else
		HASH_ADD_KEYPTR(hh, s->entries, e->canon, (unsigned int)len, e);
	return 0;
}

void plan_set_free(struct plan_set *s)
{
	struct entry *e, *tmp;

	if (!s)
		return;
	HASH_ITER (hh, s->entries, e, tmp) {
		HASH_DEL(s->entries, e);
		free(e);
	}
	free(s);
}

int plan_set_new(const struct plan *p, struct plan_set **ret)
{
	struct plan_set *s = calloc(1, sizeof(*s));
	int r = s ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < p->n; i++)
		r = set_add(s, &p->v[i]);
	if (r < 0) {
		plan_set_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

static bool set_has(const struct plan_set *s, const struct kobject *o)
{
	uint8_t canon[KOBJ_CANON_MAX];
	size_t len = kobject_canon(o, canon);
	struct entry *known;

	HASH_FIND(hh, s->entries, canon, len, known);
	return known;
}

bool plan_set_has_all(const struct plan_set *s, const struct plan *p)
{
	for (size_t i = 0; i < p->n; i++)
		if (dumped(&p->v[i]) && !set_has(s, &p->v[i]))
			return false;
	return true;
}

/* Objects of p that s lacks. */
static int lacking(const struct plan *p, const struct plan_set *s, struct plan *out)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < p->n; i++)
		if (dumped(&p->v[i]) && !set_has(s, &p->v[i]))
			r = plan_add_copy(out, &p->v[i]);
	return r;
}

/* Dumps come type by type; taken away backwards, what stands on others must come later in the list. */
static int by_type(const void *a, const void *b)
{
	const struct kobject *x = a, *y = b;
	if (x->type == y->type && x->type == KOBJ_NFT)
		return (int)x->nft.kind - (int)y->nft.kind;
	return (int)x->type - (int)y->type;
}

int plan_diff(const struct plan *want, const struct plan *have, struct plan *ret_add, struct plan *ret_remove)
{
	_cleanup_plan_ struct plan add = { 0 }, gone = { 0 };
	_cleanup_plan_set_ struct plan_set *wanted = NULL, *had = NULL;
	int r = plan_set_new(want, &wanted);

	if (r == 0)
		r = plan_set_new(have, &had);
	if (r == 0)
		r = lacking(want, had, &add);
	if (r == 0)
		r = lacking(have, wanted, &gone);
	if (r < 0)
		return r;
	if (gone.n)
		qsort(gone.v, gone.n, sizeof(*gone.v), by_type);
	*ret_add = add;
	*ret_remove = gone;
	add = gone = (struct plan){ 0 };
	return 0;
}
