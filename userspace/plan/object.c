/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plan/object.h"

#include <errno.h>
#include <string.h>

#include "lib/bytes.h"

struct kobject *plan_add(struct plan *p, enum kobject_type type)
{
	if (p->n == p->cap) {
		size_t cap = p->cap ? p->cap * 2 : 16;
		struct kobject *v = reallocarray(p->v, cap, sizeof(*v));
		if (!v)
			return NULL;
		p->v = v;
		p->cap = cap;
	}
	struct kobject *o = &p->v[p->n++];
	memset(o, 0, sizeof(*o));
	o->type = type;
	return o;
}

int plan_add_copy(struct plan *p, const struct kobject *o)
{
	char *spec = NULL, *rules = NULL;
	if (o->type == KOBJ_NFT) {
		if (o->nft.spec && !(spec = strdup(o->nft.spec)))
			return -ENOMEM;
		if (o->nft.rules && !(rules = strdup(o->nft.rules))) {
			free(spec);
			return -ENOMEM;
		}
	}
	struct kobject *c = plan_add(p, o->type);
	if (!c) {
		free(spec);
		free(rules);
		return -ENOMEM;
	}
	*c = *o;
	if (o->type == KOBJ_NFT) {
		c->nft.spec = spec;
		c->nft.rules = rules;
	}
	return 0;
}

void plan_clear(struct plan *p)
{
	for (size_t i = 0; i < p->n; i++) {
		if (p->v[i].type != KOBJ_NFT)
			continue;
		free(p->v[i].nft.spec);
		free(p->v[i].nft.rules);
	}
	free(p->v);
	*p = (struct plan){ 0 };
}

static void canon_text(struct writer *w, const char *s, size_t cap)
{
	size_t len = strnlen(s, cap);
	write_u8(w, (uint8_t)len);
	write_bytes(w, s, len);
}

static void canon_addr(struct writer *w, const struct in6_addr *a)
{
	write_bytes(w, a, sizeof(*a));
}

static void canon_prefix(struct writer *w, const struct prefix *p)
{
	write_u8(w, p->family);
	write_u8(w, p->len);
	if (p->family == AF_INET6)
		canon_addr(w, &p->a6);
	else if (p->family == AF_INET)
		write_bytes(w, &p->a4, sizeof(p->a4));
}

static void canon_route(struct writer *w, const struct kobj_route *r)
{
	write_u8(w, (uint8_t)r->type);
	canon_prefix(w, &r->dst);
	canon_prefix(w, &r->from);
	canon_prefix(w, &r->src);
	canon_text(w, r->dev, sizeof(r->dev));
	write_u32(w, r->table);
	write_u32(w, r->metric);
	write_u32(w, r->mtu);
	write_u8(w, r->hoplimit);
}

static void canon_sa(struct writer *w, const struct kobj_sa *s)
{
	canon_addr(w, &s->src);
	canon_addr(w, &s->dst);
	write_u32(w, s->spi);
	write_u32(w, s->if_id);
	write_u32(w, s->reqid);
	write_u8(w, (uint8_t)s->mode);
	write_u8(w, (uint8_t)s->suite);
	write_u8(w, s->inbound);
	write_u32(w, s->mark);
	write_u32(w, s->set_mark);
	canon_addr(w, &s->sel_src);
	canon_addr(w, &s->sel_dst);
}

static void canon_sp(struct writer *w, const struct kobj_sp *s)
{
	canon_prefix(w, &s->src);
	canon_prefix(w, &s->dst);
	canon_addr(w, &s->tmpl_src);
	canon_addr(w, &s->tmpl_dst);
	write_u8(w, (uint8_t)s->mode);
	write_u32(w, s->if_id);
	write_u32(w, s->reqid);
}

static void canon_rule(struct writer *w, const struct kobj_rule *r)
{
	write_u8(w, r->family);
	write_u32(w, r->pref);
	write_u32(w, r->table);
	write_u32(w, r->fwmark);
	canon_prefix(w, &r->to);
	write_u8(w, r->local);
	canon_text(w, r->iif, sizeof(r->iif));
	canon_prefix(w, &r->from);
	write_u8(w, r->specific);
	write_u8(w, r->user.on);
	write_u32(w, r->user.id);
	write_u8(w, r->port.proto);
	write_u16(w, r->port.first);
	write_u16(w, r->port.last);
}

static void canon_tfc(struct writer *w, const struct kobj_tfc *t)
{
	canon_text(w, t->dev, sizeof(t->dev));
	write_u16(w, t->size);
	write_u8(w, t->shared);
	write_u64(w, t->interval_ns);
	write_u64(w, t->step_time_ns);
	write_u64(w, t->idle_ns);
	write_u64(w, t->window_ns);
	write_u32(w, t->steps);
	write_u32(w, t->limit);
}

static void canon_body(struct writer *w, const struct kobject *o)
{
	switch (o->type) {
	case KOBJ_SYSCTL:
		canon_text(w, o->sysctl.name, sizeof(o->sysctl.name));
		canon_text(w, o->sysctl.value, sizeof(o->sysctl.value));
		return;
	case KOBJ_HTHRESH:
		write_u8(w, o->hthresh.local4);
		write_u8(w, o->hthresh.remote4);
		write_u8(w, o->hthresh.local6);
		write_u8(w, o->hthresh.remote6);
		return;
	case KOBJ_NFT:
		write_u8(w, (uint8_t)o->nft.kind);
		write_u8(w, (uint8_t)o->nft.family);
		canon_text(w, o->nft.name, sizeof(o->nft.name));
		return;
	case KOBJ_ELEM:
		write_u8(w, (uint8_t)o->elem.family);
		canon_text(w, o->elem.set, sizeof(o->elem.set));
		write_u8(w, o->elem.len);
		write_bytes(w, o->elem.key, o->elem.len);
		return;
	case KOBJ_LINK:
		canon_text(w, o->link.dev, sizeof(o->link.dev));
		write_u32(w, o->link.if_id);
		write_u16(w, o->link.mtu);
		return;
	case KOBJ_LINK_UP:
		canon_text(w, o->link.dev, sizeof(o->link.dev));
		return;
	case KOBJ_TFC:
		canon_tfc(w, &o->tfc);
		return;
	case KOBJ_TFC_PEER:
		canon_text(w, o->tfc_peer.dev, sizeof(o->tfc_peer.dev));
		write_u16(w, o->tfc_peer.number);
		canon_addr(w, &o->tfc_peer.src);
		canon_addr(w, &o->tfc_peer.dst);
		return;
	case KOBJ_ADDR:
		canon_text(w, o->addr.dev, sizeof(o->addr.dev));
		canon_prefix(w, &o->addr.addr);
		return;
	case KOBJ_ROUTE:
		canon_route(w, &o->route);
		return;
	case KOBJ_RULE:
		canon_rule(w, &o->rule);
		return;
	case KOBJ_SA:
		canon_sa(w, &o->sa);
		return;
	case KOBJ_SP:
		canon_sp(w, &o->sp);
		return;
	}
}

size_t kobject_canon(const struct kobject *o, uint8_t buf[KOBJ_CANON_MAX])
{
	struct writer w = writer_of(buf, KOBJ_CANON_MAX);
	write_u8(&w, (uint8_t)o->type);
	canon_body(&w, o);
	return w.len;
}

bool kobject_equal(const struct kobject *a, const struct kobject *b)
{
	uint8_t ca[KOBJ_CANON_MAX], cb[KOBJ_CANON_MAX];
	size_t na = kobject_canon(a, ca), nb = kobject_canon(b, cb);
	return na == nb && !memcmp(ca, cb, na);
}

const char *kobject_type_name(enum kobject_type type)
{
	static const char *const names[] = {
		[KOBJ_SYSCTL] = "sysctl",
		[KOBJ_HTHRESH] = "policy hash threshold",
		[KOBJ_NFT] = "nft object",
		[KOBJ_ELEM] = "nft element",
		[KOBJ_LINK] = "xfrm interface",
		[KOBJ_LINK_UP] = "interface state",
		[KOBJ_TFC] = "traffic shape (kernel module anon_tfc)",
		[KOBJ_TFC_PEER] = "far end of a traffic shape",
		[KOBJ_ADDR] = "address",
		[KOBJ_ROUTE] = "route",
		[KOBJ_RULE] = "routing rule",
		[KOBJ_SA] = "SA",
		[KOBJ_SP] = "policy",
	};
	return (size_t)type < ARRAY_SIZE(names) && names[type] ? names[type] : "unknown object";
}

static void clear_host_bits(uint8_t *a, size_t size, unsigned int len)
{
	for (size_t i = 0; i < size; i++) {
		unsigned int keep = len > i * 8 ? len - (unsigned int)i * 8 : 0;
		if (keep < 8)
			a[i] &= (uint8_t)(0xff00u >> keep);
	}
}

struct prefix prefix6(const struct in6_addr *a, uint8_t len)
{
	struct prefix p = { .family = AF_INET6, .len = len, .a6 = *a };
	clear_host_bits(p.a6.s6_addr, sizeof(p.a6), len);
	return p;
}

struct prefix prefix4(struct in_addr a, uint8_t len)
{
	struct prefix p = { .family = AF_INET, .len = len };
	clear_host_bits((uint8_t *)&a, sizeof(a), len);
	p.a4 = a;
	return p;
}

struct prefix host6(const struct in6_addr *a)
{
	return prefix6(a, 128);
}

struct prefix host4(struct in_addr a)
{
	return prefix4(a, 32);
}

bool prefix_valid(const struct prefix *p)
{
	if (p->family == AF_INET6 && p->len <= 128) {
		struct prefix q = prefix6(&p->a6, p->len);
		return !memcmp(&q.a6, &p->a6, sizeof(p->a6));
	}
	if (p->family == AF_INET && p->len <= 32)
		return prefix4(p->a4, p->len).a4.s_addr == p->a4.s_addr;
	return false;
}
