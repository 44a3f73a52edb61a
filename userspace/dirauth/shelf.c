/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dirauth/shelf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/hash.h"

struct place {
	char path[SHELF_PATH_MAX];
	struct page *page;
	UT_hash_handle hh;
};

struct shelf {
	struct place *places;
};

struct page *page_new(const void *data, size_t len, bool zstd, uint32_t max_age)
{
	struct page *d = malloc(sizeof(*d) + len + 1);

	if (!d)
		return NULL;
	*d = (struct page){ .users = 1, .zstd = zstd, .max_age = max_age, .len = len };
	memcpy(d->data, data, len);
	d->data[len] = '\0';
	return d;
}

struct page *page_use(struct page *d)
{
	d->users++;
	return d;
}

void page_leave(struct page *d)
{
	if (d && --d->users == 0)
		free(d);
}

struct shelf *shelf_new(void)
{
	return calloc(1, sizeof(struct shelf));
}

static void clear(struct shelf *s, struct place *p)
{
	HASH_DEL(s->places, p);
	page_leave(p->page);
	free(p);
}

void shelf_free(struct shelf *s)
{
	if (!s)
		return;
	shelf_remove_all(s, "");
	free(s);
}

static struct place *find(const struct shelf *s, const char *path)
{
	struct place *p;

	HASH_FIND_STR(s->places, path, p);
	return p;
}

int shelf_put(struct shelf *s, const char *path, struct page *d)
{
	struct place *p = find(s, path);
	int r = d ? 0 : -ENOMEM;

	if (r == 0 && strlen(path) >= SHELF_PATH_MAX)
		r = -ENAMETOOLONG;
	if (r == 0 && !p) {
		p = calloc(1, sizeof(*p));
		r = p ? 0 : -ENOMEM;
		if (p) {
			memcpy(p->path, path, strlen(path));
			HASH_ADD_STR(s->places, path, p);
		}
	}
	if (r < 0) {
		page_leave(d);
		return r;
	}
	page_leave(p->page);
	p->page = d;
	return 0;
}

void shelf_remove(struct shelf *s, const char *path)
{
	struct place *p = find(s, path);

	if (p)
		clear(s, p);
}

void shelf_remove_all(struct shelf *s, const char *prefix)
{
	size_t len = strlen(prefix);
	struct place *p, *next;

	HASH_ITER (hh, s->places, p, next)
		if (strncmp(p->path, prefix, len) == 0)
			clear(s, p);
}

struct page *shelf_find(const struct shelf *s, const char *path)
{
	const struct place *p = find(s, path);

	return p ? p->page : NULL;
}
