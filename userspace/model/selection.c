/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/selection.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/ids.h"
#include "model/prefix.h"

#define ULA_SITE_BITS 48 /* RFC 4193 section 3.1 */

int routed_ports_parse(const char *text, struct port_range *ret)
{
	struct port_range r;

	/* fib_rule_port_range_valid refuses the last one */
	if (port_range_parse(text, &r) < 0 || r.last == UINT16_MAX)
		return -EINVAL;
	*ret = r;
	return 0;
}

bool selection_all(const struct selection *s, uint8_t family)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->prefixes[i].family == family && s->prefixes[i].len == 0)
			return s->n_ports == 0;
	return false;
}

static bool is_inside(const struct prefix *p, const struct prefix *of)
{
	return p->len > of->len && prefix_overlaps(p, of);
}

/* Each within a destination, none around one: then routes and kill switch say the same. Not the overlay's own range. */
static bool exceptions_valid(const struct selection *s)
{
	static const struct prefix overlay = { .family = AF_INET6, .a6 = { .s6_addr = { 0xfd } }, .len = 8 };

	for (size_t i = 0; i < s->n_except; i++) {
		const struct prefix *e = &s->except[i];
		bool inside = false, around = prefix_overlaps(e, &overlay) && e->len < ULA_SITE_BITS;

		for (size_t k = 0; k < s->n; k++) {
			inside |= is_inside(e, &s->prefixes[k]);
			around |= s->prefixes[k].len >= e->len && prefix_overlaps(e, &s->prefixes[k]);
		}
		if (!inside || around)
			return false;
	}
	return s->n_except == 0 || !(s->lan || selection_narrow(s));
}

bool selection_valid(const struct selection *s)
{
	size_t whose = s->n_users + s->n_groups, ports = s->n_ports ? s->n_ports : 1;

	if (s->n == 0 || s->n_users > USERS_MAX || s->n_groups > USERS_MAX || (s->n_users && s->n_groups) ||
	    s->n_ports > PORTS_MAX || s->n > SELECTORS_MAX / ((whose ? whose : 1) * ports) ||
	    (s->lan && selection_narrow(s)) || s->n_except > EXCEPT_MAX || !exceptions_valid(s))
		return false;
	for (size_t i = 0; i < s->n_groups; i++)
		if (s->groups[i] == 0 || s->groups[i] > GROUP_MAX)
			return false;
	for (size_t i = 0; i < s->n_ports; i++)
		if (s->ports[i].first == 0 || s->ports[i].last < s->ports[i].first ||
		    (s->ports[i].proto != IPPROTO_TCP && s->ports[i].proto != IPPROTO_UDP))
			return false;
	return true;
}

static bool ports_same(const struct port_range *a, const struct port_range *b)
{
	return a->proto == b->proto && a->first == b->first && a->last == b->last;
}

bool ids_within(const uint32_t *a, size_t n, const uint32_t *b, size_t m)
{
	bool found = true;

	for (size_t i = 0; i < n && found; i++) {
		found = false;
		for (size_t k = 0; k < m && !found; k++)
			found = a[i] == b[k];
	}
	return found;
}

/* Whether all of a is in b. */
static bool within(const struct selection *a, const struct selection *b)
{
	bool found = true;

	for (size_t i = 0; i < a->n && found; i++) {
		found = false;
		for (size_t k = 0; k < b->n && !found; k++)
			found = prefix_same(&a->prefixes[i], &b->prefixes[k]);
	}
	found = found && ids_within(a->users, a->n_users, b->users, b->n_users) &&
		ids_within(a->groups, a->n_groups, b->groups, b->n_groups);
	for (size_t i = 0; i < a->n_ports && found; i++) {
		found = false;
		for (size_t k = 0; k < b->n_ports && !found; k++)
			found = ports_same(&a->ports[i], &b->ports[k]);
	}
	for (size_t i = 0; i < a->n_except && found; i++) {
		found = false;
		for (size_t k = 0; k < b->n_except && !found; k++)
			found = prefix_same(&a->except[i], &b->except[k]);
	}
	return found;
}

bool selection_same(const struct selection *a, const struct selection *b)
{
	return a->lan == b->lan && within(a, b) && within(b, a);
}

static bool ids_meet(const uint32_t *a, size_t n, const uint32_t *b, size_t m)
{
	bool meet = !n || !m;

	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < m && !meet; k++)
			meet = a[i] == b[k];
	return meet;
}

/* Any user may be of any group. */
static bool owners_meet(const struct selection *a, const struct selection *b)
{
	return ids_meet(a->users, a->n_users, b->users, b->n_users) &&
	       ids_meet(a->groups, a->n_groups, b->groups, b->n_groups);
}

static bool ports_meet(const struct selection *a, const struct selection *b)
{
	bool meet = !a->n_ports || !b->n_ports;

	for (size_t i = 0; i < a->n_ports; i++)
		for (size_t k = 0; k < b->n_ports && !meet; k++)
			meet = a->ports[i].proto == b->ports[k].proto && a->ports[i].first <= b->ports[k].last &&
			       b->ports[k].first <= a->ports[i].last;
	return meet;
}

static bool prefixes_meet(const struct selection *a, const struct selection *b)
{
	bool narrow = selection_narrow(a);

	for (size_t i = 0; i < a->n; i++)
		for (size_t k = 0; k < b->n; k++) {
			const struct prefix *p = &a->prefixes[i], *q = &b->prefixes[k];
			bool apart = a->lan ? !p->len || !q->len : !narrow;

			if (apart ? prefix_same(p, q) : prefix_overlaps(p, q))
				return true;
		}
	return false;
}

/* What one throws out of the table that both are in would not reach the other. */
static bool exceptions_meet(const struct selection *a, const struct selection *b)
{
	for (size_t i = 0; i < a->n_except; i++)
		for (size_t k = 0; k < b->n; k++)
			if (is_inside(&a->except[i], &b->prefixes[k]))
				return true;
	return false;
}

bool selection_conflict(const struct selection *a, const struct selection *b)
{
	if (a->lan != b->lan || selection_narrow(a) != selection_narrow(b))
		return false;
	return (owners_meet(a, b) && ports_meet(a, b) && prefixes_meet(a, b)) || exceptions_meet(a, b) ||
	       exceptions_meet(b, a);
}

void selection_clear(struct selection *s)
{
	free(s->prefixes);
	*s = (struct selection){ 0 };
}
