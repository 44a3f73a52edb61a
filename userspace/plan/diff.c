/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plan/diff.h"

#include <errno.h>

#include "lib/hash.h"

struct entry {
	uint8_t canon[KOBJ_CANON_MAX];
	UT_hash_handle hh;
};

static bool dumped(const struct kobject *o)
{
	return o->type != KOBJ_SYSCTL && o->type != KOBJ_HTHRESH;
}

static void set_free(struct entry **set)
{
	struct entry *e, *tmp;
	HASH_ITER (hh, *set, e, tmp) {
		HASH_DEL(*set, e);
		free(e);
	}
}

static int set_of(const struct plan *p, struct entry **ret)
{
	struct entry *set = NULL;
	for (size_t i = 0; i < p->n; i++) {
		struct entry *e = calloc(1, sizeof(*e)), *known;
		if (!e) {
			set_free(&set);
			return -ENOMEM;
		}
		size_t len = kobject_canon(&p->v[i], e->canon);
		HASH_FIND(hh, set, e->canon, len, known);
		if (known)
			free(e);
		else
			HASH_ADD_KEYPTR(hh, set, e->canon, (unsigned int)len, e);
	}
	*ret = set;
	return 0;
}

/* Objects of p that set lacks. */
static int lacking(const struct plan *p, struct entry *set, struct plan *out)
{
	for (size_t i = 0; i < p->n; i++) {
		uint8_t canon[KOBJ_CANON_MAX];
		struct entry *known;
		size_t len = kobject_canon(&p->v[i], canon);
		HASH_FIND(hh, set, canon, len, known);
		if (known || !dumped(&p->v[i]))
			continue;
		int r = plan_add_copy(out, &p->v[i]);
		if (r < 0)
			return r;
	}
	return 0;
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
	_cleanup_(set_free) struct entry *wanted = NULL, *had = NULL;
	int r = set_of(want, &wanted);
	if (r >= 0)
		r = set_of(have, &had);
	if (r >= 0)
		r = lacking(want, had, &add);
	if (r >= 0)
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
