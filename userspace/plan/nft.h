/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nft objects as commands for libnftables. All objects of one script become one transaction of the kernel: either
 * every rule of it is there or none. Both scripts may be run again with the same result, as long as the tables exist.
 */
#pragma once

#include "plan/object.h"

/* v[0..n-1] are of type KOBJ_NFT. The text is released by free(); NULL: out of memory. */
char *nft_script_add(const struct kobject *v, size_t n);
char *nft_script_remove(const struct kobject *v, size_t n); /* last first */
const char *nft_family_name(enum nft_family family);
