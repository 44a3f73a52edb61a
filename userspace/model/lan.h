/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The interfaces of a gateway behind which its hosts are. */
#pragma once

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>

#define LANS_MAX 8

struct lans {
	char dev[LANS_MAX][IFNAMSIZ];
	size_t n;
};

/* An interface of anond's own, by its name. */
bool dev_is_ours(const char *name);

/* NULL, or what is wrong with the name: letters, digits, '.', '_', '-' only, and none of anond's own. */
const char *lans_add(struct lans *l, const char *name);
