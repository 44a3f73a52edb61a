/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/lan.h"

#include <stdio.h>
#include <string.h>

#include "lib/cleanup.h"
#include "model/ids.h"

bool dev_is_ours(const char *name)
{
	static const char *const prefixes[] = { DEV_CIRC, DEV_LINK_PREFIX, DEV_LAYER_PREFIX, DEV_ANON_PREFIX };

	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
		if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0)
			return true;
	return false;
}

const char *lans_add(struct lans *l, const char *name)
{
	size_t len = strlen(name);

	if (len == 0 || len >= IFNAMSIZ || name[0] == '.' ||
	    strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") != len)
		return "not the name of an interface";
	if (dev_is_ours(name) || strcmp(name, "lo") == 0)
		return "an interface of anond's own, or lo";
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->dev[i], name) == 0)
			return "named twice";
	if (l->n == LANS_MAX)
		return "too many interfaces";
	snprintf(l->dev[l->n++], IFNAMSIZ, "%s", name);
	return NULL;
}
