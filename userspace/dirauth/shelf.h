/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The documents that are handed out, by their path behind DIRHTTP_ROOT (wire/dirhttp.h). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct page {
	unsigned int users;
	bool zstd;	  /* else it is text */
	uint32_t max_age; /* seconds for which a cache may keep it; 0: none may */
	size_t len;
	char data[];
};

/* A copy, with one user. NULL: no memory. */
struct page *page_new(const void *data, size_t len, bool zstd, uint32_t max_age);
struct page *page_use(struct page *d);
void page_leave(struct page *d); /* the last one frees it; NULL is fine */

struct shelf;
struct shelf *shelf_new(void); /* NULL: no memory */
void shelf_free(struct shelf *s);
/* Takes d over, also on failure (NULL is -ENOMEM); instead of what is there. -ENAMETOOLONG, -ENOMEM. */
int shelf_put(struct shelf *s, const char *path, struct page *d);
void shelf_remove(struct shelf *s, const char *path);
/* All whose path begins with that. */
void shelf_remove_all(struct shelf *s, const char *prefix);
/* The shelf's own use; NULL: there is none. */
struct page *shelf_find(const struct shelf *s, const char *path);
#define SHELF_PATH_MAX 192u /* with the final NUL */
