/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nft: rule text goes through libnftables, set elements and everything that is read through libnftnl (an
 * element is added a thousand times as often as a rule, and needs no parser).
 */
#pragma once

#include "kernel/ops.h"

struct nfstate;

int nfstate_open(struct nfstate **ret);
void nfstate_free(struct nfstate *s);
/* One transaction. On failure *ret_why is the reason without the rules, valid until the next call. */
int nfstate_run(struct nfstate *s, const char *script, const char **ret_why);
/* v[0..n-1] are of type KOBJ_ELEM; one transaction. Adding what is there is no error. */
int nfstate_elems(struct nfstate *s, const struct kobject *v, size_t n, bool add);
/*
 * Delete what conntrack knows of flows with this mark, which is walking its whole table once. 0 also if it knows none;
 * an error where the kernel lacks CONFIG_NF_CT_NETLINK.
 */
int nfstate_forget(struct nfstate *s, uint32_t mark);
/* Whether this table, set, counter or chain exists: 0, -ENOENT or another error. */
int nfstate_exists(struct nfstate *s, const struct kobj_nft *n);
int nfstate_dump(struct nfstate *s, bool objects, bool elems, kernel_object_fn fn, void *ctx);
int nfstate_counters(struct nfstate *s, kernel_counter_fn fn, void *ctx);
