/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kill switch. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "plan/build.h"
#include "plan/plan.h"

/* The prefixes of one family as a comma-separated list, "" if there are none. NULL: out of memory. */
static char *list_of(const struct prefix *v, size_t n, uint8_t family)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	if (!f)
		return NULL;
	const char *comma = "";
	for (size_t i = 0; i < n; i++) {
		if (v[i].family != family)
			continue;
		fprintf(f, "%s%s", comma, text_prefix(&v[i]).s);
		comma = ", ";
	}
	bool bad = ferror(f);
	if (fclose(f) == EOF || bad) {
		free(text);
		return NULL;
	}
	return text;
}

/*
 * What this host itself sends, judged twice: by the device of the first routing decision, and behind it by the one that
 * the packet will leave by, should a mark or NAT have led it elsewhere meanwhile. What was forwarded has passed its
 * own chain.
 */
static int judged_chain(struct plan *p, uint32_t id, bool post, const char *list4, const char *list6)
{
	const char *only = post ? NOT_WRAPPED : "";
	char name[NFT_NAME_MAX];
	struct chain c;
	snprintf(name, sizeof(name), post ? "kill%u_post" : "kill%u", id);
	chain_open(&c, NFT_INET, name, "type filter hook %s; policy accept;", post ? HOOK_POST : "output priority 10");
	if (post)
		chain_rule(&c, "iifname \"" DEV_CIRC "\" accept");
	if (*list4)
		chain_rule(&c, "ip daddr { %s } %sgoto kill_judge", list4, only);
	if (*list6)
		chain_rule(&c, "ip6 daddr { %s } %sgoto kill_judge", list6, only);
	return chain_close(&c, p);
}

/*
 * Priorities: after whatever may still change the destination (NAT: dstnat, -100). What this host forwards, for
 * containers, virtual machines or a tethered device, has no way into a circuit (client_forward), so it is blocked;
 * except what an exit or a middle on the same host carries for others, which is not this user's (relay_forward).
 */
static int kill_chains(struct plan *p, uint32_t id, const struct prefix *v, size_t n)
{
	char name[NFT_NAME_MAX];
	_cleanup_free_ char *list4 = list_of(v, n, AF_INET);
	_cleanup_free_ char *list6 = list_of(v, n, AF_INET6);
	if (!list4 || !list6)
		return -ENOMEM;
	int r = judged_chain(p, id, false, list4, list6);
	if (r < 0)
		return r;
	struct chain c;
	snprintf(name, sizeof(name), "kill%u_forward", id);
	chain_open(&c, NFT_INET, name, "type filter hook forward priority 10; policy accept;");
	chain_rule(&c, "iifname \"" DEV_CIRC "\" accept");
	chain_rule(&c, "oifname \"" DEV_CIRC "\" accept");
	if (*list4)
		chain_rule(&c, "ip daddr { %s } counter name drop_killed drop", list4);
	if (*list6)
		chain_rule(&c, "ip6 daddr { %s } counter name drop_killed drop", list6);
	r = chain_close(&c, p);
	return r < 0 ? r : judged_chain(p, id, true, list4, list6);
}

int plan_selection(struct plan *p, uint32_t id, const struct prefix *dst, size_t n)
{
	if (id > SELECTION_MAX || !n)
		return -EINVAL;
	for (size_t i = 0; i < n; i++)
		if (!prefix_valid(&dst[i]))
			return -EINVAL;
	int r = kill_chains(p, id, dst, n);
	/* An error at once instead of a time-out while no circuit carries the destination. */
	for (size_t i = 0; i < n && r >= 0; i++) {
		bool again = false;
		for (size_t j = 0; j < i && !again; j++)
			again = dst[j].family == dst[i].family && dst[j].len == dst[i].len &&
				!memcmp(&dst[j].a6, &dst[i].a6, dst[i].family == AF_INET6 ? 16 : 4);
		if (again)
			continue;
		r = build_unreachable(p, dst[i], RT_TABLE_ANON, ROUTE_METRIC_UNREACHABLE + id);
	}
	return r;
}

int plan_selection_rules(struct plan *p, const struct plan *selections)
{
	_cleanup_plan_ struct plan base = { 0 };
	int r = plan_base(&base);
	if (r >= 0)
		r = plan_client_base(&base);
	for (size_t i = 0; r >= 0 && i < base.n; i++) {
		const struct kobject *o = &base.v[i];
		if (o->type == KOBJ_NFT && o->nft.family == NFT_INET &&
		    (o->nft.kind != NFT_CHAIN || !strcmp(o->nft.name, "kill_judge")))
			r = plan_add_copy(p, o);
	}
	for (size_t i = 0; r >= 0 && i < selections->n; i++)
		if (selections->v[i].type == KOBJ_NFT)
			r = plan_add_copy(p, &selections->v[i]);
	return r;
}
