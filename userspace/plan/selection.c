/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kill switch. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "model/prefix.h"
#include "plan/build.h"
#include "plan/lan.h"
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

/* A selection with what its rules begin with. */
struct judged {
	uint32_t id;
	const struct selection *sel;
	char *list4, *list6;	 /* destinations */
	char *except4, *except6; /* those that are not meant */
};

/* The ways to tell what is meant by whose it is: one of these fits, or all is meant. */
struct owners {
	char text[2][USERS_MAX * 12 + 80];
	size_t n;
};

/*
 * A user's by the socket, which has its number as long as there is one. A group's by the mark that its sockets have
 * (kernel/groups.h): the group itself is the file's, which a socket loses when it is closed, with words still to be
 * said; by the group too, for a socket without the mark has no way into the circuit and none around it. And by the
 * mark of what was led into this circuit as a question for names (circuit_dns_way), which the group's mark gave way to.
 */
static struct owners owners_of(uint32_t id, const struct selection *sel)
{
	struct owners o = { .n = 1 };
	size_t len = 0;
	for (size_t i = 0; i < sel->n_users; i++)
		len += (size_t)sprintf(o.text[0] + len, "%s%u", i ? ", " : "meta skuid { ", sel->users[i]);
	if (sel->n_users)
		sprintf(o.text[0] + len, " } ");
	if (!sel->n_groups)
		return o;
	o.n = 2;
	len = (size_t)sprintf(o.text[0], "meta mark { 0x%x-0x%x, 0x%x-0x%x", ifid_layer(id, 0),
			      ifid_layer(id, HOPS_MAX - 1), ifid_layer(SLOT_OTHER + id, 0),
			      ifid_layer(SLOT_OTHER + id, HOPS_MAX - 1));
	for (size_t i = 0; i < sel->n_groups; i++)
		len += (size_t)sprintf(o.text[0] + len, ", 0x%x", MARK_GROUP_BASE + sel->groups[i]);
	sprintf(o.text[0] + len, " } ");
	len = 0;
	for (size_t i = 0; i < sel->n_groups; i++)
		len += (size_t)sprintf(o.text[1] + len, "%s%u", i ? ", " : "meta skgid { ", sel->groups[i]);
	sprintf(o.text[1] + len, " } ");
	return o;
}

static void port_text(const struct selection *sel, size_t i, char ret[32])
{
	ret[0] = '\0';
	if (i < sel->n_ports)
		snprintf(ret, 32, "%s dport %u-%u ", sel->ports[i].proto == IPPROTO_TCP ? "tcp" : "udp",
			 sel->ports[i].first, sel->ports[i].last);
}

/* DNS, also over TLS (RFC 7858), NetBIOS names (RFC 1002), multicast DNS (RFC 6762), LLMNR (RFC 4795). */
#define PORTS_OF_NAMES "{ 53, 137, 853, 5353, 5355 }"

/* What is excepted, goes where it always went. */
static void except_family(struct chain *c, const char *ip, const char *list)
{
	if (!*list)
		return;
	chain_rule(c, "%s daddr { %s } " MATCH_PORTED " th dport != " PORTS_OF_NAMES " accept", ip, list);
	chain_rule(c, "%s daddr { %s } meta l4proto != { tcp, udp } accept", ip, list);
}

static void except(struct chain *c, const struct judged *j)
{
	except_family(c, "ip", j->except4);
	except_family(c, "ip6", j->except6);
}

/* What is selected by more than destinations stays in its own circuit. */
static void judge_owner(struct chain *c, const struct judged *j, uint8_t family, bool post, const char *owner)
{
	const char *ip = family == AF_INET ? "ip" : "ip6", *list = family == AF_INET ? j->list4 : j->list6;
	const char *only = post ? NOT_WRAPPED : "";
	struct devices_text own = text_devices(j->id);
	char port[32];
	size_t i = 0;
	/* A resolver on this host, or in the LAN of a gateway, would ask on as another. */
	if (*owner && !post && selection_all(j->sel, family))
		chain_rule(c, "%s daddr { %s } %soifname != %s " MATCH_DNS " counter name drop_killed drop", ip, list,
			   owner, own.s);
	do {
		port_text(j->sel, i, port);
		if (selection_narrow(j->sel))
			chain_rule(c,
				   "%s daddr { %s } %s%s%soifname \"" DEV_ANON_PREFIX
				   "*\" oifname != %s counter name drop_killed drop",
				   ip, list, owner, port, only, own.s);
		chain_rule(c, "%s daddr { %s } %s%s%sgoto %s", ip, list, owner, port, only,
			   selection_narrow(j->sel) ? "kill_judge_narrow" : "kill_judge");
	} while (++i < j->sel->n_ports);
}

static void judge_family(struct chain *c, const struct judged *j, uint8_t family, bool post)
{
	const char *ip = family == AF_INET ? "ip" : "ip6", *list = family == AF_INET ? j->list4 : j->list6;
	const struct owners owners = owners_of(j->id, j->sel);
	if (!*list)
		return;
	/* Further paths of a connection (RFC 8684 section 3.2) are opened by the kernel, as no user. */
	if (selection_owned(j->sel) && !post)
		chain_rule(c, "%s daddr { %s } tcp option mptcp subtype 1 oifname != %s counter name drop_killed drop",
			   ip, list, text_devices(j->id).s);
	for (size_t i = 0; i < owners.n; i++)
		judge_owner(c, j, family, post, owners.text[i]);
}

/*
 * What this host itself sends, judged twice: by the device of the first routing decision, and behind it by the one that
 * the packet will leave by, should a mark or NAT have led it elsewhere meanwhile. What was forwarded has passed its
 * own chain.
 */
static int judged_chain(struct plan *p, const struct judged *j, bool post)
{
	char name[NFT_NAME_MAX];
	struct chain c;
	snprintf(name, sizeof(name), post ? "kill%u_post" : "kill%u", j->id);
	chain_open(&c, NFT_INET, name, "type filter hook %s; policy accept;", post ? HOOK_POST : "output priority 10");
	if (post)
		chain_rule(&c, "iifname \"" DEV_CIRC "\" accept");
	except(&c, j);
	judge_family(&c, j, AF_INET, post);
	judge_family(&c, j, AF_INET6, post);
	return chain_close(&c, p);
}

/*
 * What this host forwards, for containers, virtual machines or a tethered device, has no way into a circuit
 * (client_forward), so it is blocked; except what other chains judge (client_kill_passing). It is of no user and no
 * group.
 */
static int passing_chain(struct plan *p, const struct judged *j)
{
	char name[NFT_NAME_MAX];
	struct chain c;
	snprintf(name, sizeof(name), "kill%u_forward", j->id);
	chain_open(&c, NFT_INET, name, "type filter hook forward priority 10; policy accept;");
	chain_rule(&c, "jump kill_passing");
	except(&c, j);
	size_t i = 0;
	do {
		char port[32];
		port_text(j->sel, i, port);
		if (*j->list4)
			chain_rule(&c, "ip daddr { %s } %scounter name drop_killed drop", j->list4, port);
		if (*j->list6)
			chain_rule(&c, "ip6 daddr { %s } %scounter name drop_killed drop", j->list6, port);
	} while (++i < j->sel->n_ports);
	return chain_close(&c, p);
}

/* Priorities: after whatever may still change the destination (NAT: dstnat, -100). */
static int kill_chains(struct plan *p, const struct judged *j)
{
	int r = judged_chain(p, j, false);
	if (r >= 0 && !selection_owned(j->sel))
		r = passing_chain(p, j);
	return r < 0 ? r : judged_chain(p, j, true);
}

/* An error at once instead of a time-out while no circuit carries the destination. */
static int unreachable_destinations(struct plan *p, uint32_t id, const struct prefix *dst, size_t n)
{
	int r = 0;
	for (size_t i = 0; i < n && r >= 0; i++) {
		bool again = false;
		for (size_t j = 0; j < i && !again; j++)
			again = prefix_same(&dst[j], &dst[i]);
		if (!again)
			r = build_unreachable(p, dst[i], RT_TABLE_ANON, ROUTE_METRIC_UNREACHABLE + id);
	}
	return r;
}

/*
 * Exceptions: the main table's, unless another selection is for them. Questions for names to a resolver there go where
 * all else goes, into the circuit.
 */
static int exceptions(struct plan *p, uint32_t id, const struct selection *sel)
{
	static const uint8_t protos[] = { IPPROTO_UDP, IPPROTO_TCP };
	int r = sel->n_except ? build_nowhere(p, RT_TABLE_SELECTION_BASE + id, ROUTE_METRIC_UNREACHABLE + id) : 0;
	for (size_t i = 0; i < sel->n_except && r >= 0; i++) {
		const struct prefix *to = &sel->except[i];
		r = build_route(p, &(struct kobj_route){ .type = ROUTE_THROW,
							 .dst = *to,
							 .table = RT_TABLE_ANON,
							 .metric = ROUTE_METRIC_EXCEPT + id });
		for (size_t k = 0; k < ARRAY_SIZE(protos) && r >= 0; k++)
			r = build_rule(p, &(struct kobj_rule){ .family = to->family,
							       .pref = RULE_PREF_NAMES,
							       .local = true,
							       .to = *to,
							       .port = { protos[k], 53, 53 },
							       .table = RT_TABLE_SELECTION_BASE + id });
	}
	return r;
}

/* owner: its number in the list of users or groups. */
static int narrow_rule(struct plan *p, uint32_t id, const struct selection *sel, const struct prefix *to, size_t owner,
		       const struct port_range *ports)
{
	struct kobj_rule rule = {
		.family = to->family, .pref = RULE_PREF_NARROW, .local = true, .table = RT_TABLE_SELECTION_BASE + id
	};
	if (to->len)
		rule.to = *to;
	if (sel->n_users) {
		rule.user.on = true;
		rule.user.id = sel->users[owner];
	}
	if (sel->n_groups)
		rule.fwmark = MARK_GROUP_BASE + sel->groups[owner];
	if (ports) {
		rule.port.proto = ports->proto;
		rule.port.first = ports->first;
		rule.port.last = ports->last;
	}
	return build_rule(p, &rule);
}

static bool covered(const struct selection *sel, const struct prefix *p)
{
	for (size_t i = 0; i < sel->n && p->len; i++)
		if (sel->prefixes[i].family == p->family && sel->prefixes[i].len == 0)
			return true;
	return false;
}

/*
 * A routing rule for each combination, to a table that leads into the circuit or nowhere. One for all destinations is
 * for the kernel the same as one for some (fib_rule_find leaves out what is not said), so beside it there is none.
 */
static int narrow_rules(struct plan *p, uint32_t id, const struct selection *sel)
{
	int r = build_nowhere(p, RT_TABLE_SELECTION_BASE + id, ROUTE_METRIC_UNREACHABLE + id);
	for (size_t i = 0; i < sel->n; i++) {
		size_t u = 0;
		if (covered(sel, &sel->prefixes[i]))
			continue;
		do {
			size_t k = 0;
			do {
				if (r >= 0)
					r = narrow_rule(p, id, sel, &sel->prefixes[i], u,
							sel->n_ports ? &sel->ports[k] : NULL);
			} while (++k < sel->n_ports);
		} while (++u < sel->n_users + sel->n_groups);
	}
	return r;
}

int plan_selection(struct plan *p, uint32_t id, const struct selection *sel, const struct lans *lans)
{
	if (id > (selection_has_table(sel) ? CIRCUIT_ID_MAX : SELECTION_MAX) || !selection_valid(sel))
		return -EINVAL;
	for (size_t i = 0; i < sel->n; i++)
		if (!prefix_valid(&sel->prefixes[i]))
			return -EINVAL;
	for (size_t i = 0; i < sel->n_except; i++)
		if (!prefix_valid(&sel->except[i]))
			return -EINVAL;
	if (sel->lan)
		return lans && lans->n ? lan_selection(p, id, sel, lans) : -EINVAL;
	_cleanup_free_ char *list4 = list_of(sel->prefixes, sel->n, AF_INET);
	_cleanup_free_ char *list6 = list_of(sel->prefixes, sel->n, AF_INET6);
	_cleanup_free_ char *except4 = list_of(sel->except, sel->n_except, AF_INET);
	_cleanup_free_ char *except6 = list_of(sel->except, sel->n_except, AF_INET6);
	if (!list4 || !list6 || !except4 || !except6)
		return -ENOMEM;
	int r = kill_chains(p, &(struct judged){ id, sel, list4, list6, except4, except6 });
	if (r < 0)
		return r;
	if (selection_narrow(sel))
		return narrow_rules(p, id, sel);
	r = unreachable_destinations(p, id, sel->prefixes, sel->n);
	return r < 0 ? r : exceptions(p, id, sel);
}

int plan_selection_rules(struct plan *p, const struct lans *lans, const struct endpoints *servers,
			 const struct plan *selections)
{
	_cleanup_plan_ struct plan base = { 0 };
	int r = plan_base(&base);
	if (r >= 0)
		r = plan_client_base(&base, lans, servers);
	for (size_t i = 0; r >= 0 && i < base.n; i++) {
		const struct kobject *o = &base.v[i];
		if (o->type == KOBJ_NFT && o->nft.family == NFT_INET &&
		    (o->nft.kind != NFT_CHAIN || !strncmp(o->nft.name, "kill_", 5)))
			r = plan_add_copy(p, o);
	}
	for (size_t i = 0; r >= 0 && i < selections->n; i++)
		if (selections->v[i].type == KOBJ_NFT)
			r = plan_add_copy(p, &selections->v[i]);
	return r;
}
