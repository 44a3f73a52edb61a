/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plan/build.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "plan/mtu.h"
#include "plan/plan.h"

int build_sysctl(struct plan *p, const char *family, const char *dev, const char *name, const char *value)
{
	struct kobject *o = plan_add(p, KOBJ_SYSCTL);
	if (!o)
		return -ENOMEM;
	snprintf(o->sysctl.name, sizeof(o->sysctl.name), "net/%s/conf/%s/%s", family, dev, name);
	snprintf(o->sysctl.value, sizeof(o->sysctl.value), "%s", value);
	return 0;
}

struct conf {
	const char *family, *name, *value;
	bool policy; /* only where policies are not to be checked */
};

static const struct conf link_conf[] = {
	{ "ipv4", "disable_policy", "1", true },
	/* Loose: replies come from anywhere; the larger one of this and `all` holds, so 0 would not undo 1. */
	{ "ipv4", "rp_filter", "2", false },
	{ "ipv4", "accept_redirects", "0", false },
	{ "ipv4", "send_redirects", "0", false },
	{ "ipv6", "disable_policy", "1", true },
	/* IN6_ADDR_GEN_MODE_NONE: with an address the kernel would send router solicitations into the tunnel. */
	{ "ipv6", "addr_gen_mode", "1", false },
	{ "ipv6", "accept_ra", "0", false },
	{ "ipv6", "accept_redirects", "0", false },
};

int build_link(struct plan *p, const char *dev, uint32_t if_id, uint16_t mtu, bool policy)
{
	struct kobject *o = plan_add(p, KOBJ_LINK);
	if (!o)
		return -ENOMEM;
	snprintf(o->link.dev, sizeof(o->link.dev), "%s", dev);
	o->link.if_id = if_id;
	o->link.mtu = mtu;
	for (size_t i = 0; i < ARRAY_SIZE(link_conf); i++) {
		const struct conf *c = &link_conf[i];
		/* A device below this MTU has no IPv6 at all. */
		bool absent = !strcmp(c->family, "ipv6") && mtu < MTU_INNER6;
		if (absent || (c->policy && policy))
			continue;
		int r = build_sysctl(p, c->family, dev, c->name, c->value);
		if (r < 0)
			return r;
	}
	return 0;
}

int build_up(struct plan *p, const char *dev)
{
	struct kobject *o = plan_add(p, KOBJ_LINK_UP);
	if (!o)
		return -ENOMEM;
	snprintf(o->link.dev, sizeof(o->link.dev), "%s", dev);
	return 0;
}

int build_addr(struct plan *p, const char *dev, struct prefix addr)
{
	struct kobject *o = plan_add(p, KOBJ_ADDR);
	if (!o)
		return -ENOMEM;
	snprintf(o->addr.dev, sizeof(o->addr.dev), "%s", dev);
	o->addr.addr = addr;
	return 0;
}

int build_route(struct plan *p, const struct kobj_route *r)
{
	if (!prefix_valid(&r->dst) || !r->metric)
		return -EINVAL;
	struct kobject *o = plan_add(p, KOBJ_ROUTE);
	if (!o)
		return -ENOMEM;
	o->route = *r;
	return 0;
}

int build_unreachable(struct plan *p, struct prefix dst, uint32_t table, uint32_t metric)
{
	return build_route(
		p, &(struct kobj_route){ .type = ROUTE_UNREACHABLE, .dst = dst, .table = table, .metric = metric });
}

int build_nowhere(struct plan *p, uint32_t table, uint32_t metric)
{
	int r = build_unreachable(p, (struct prefix){ .family = AF_INET }, table, metric);
	return r < 0 ? r : build_unreachable(p, (struct prefix){ .family = AF_INET6 }, table, metric);
}

int build_rule(struct plan *p, const struct kobj_rule *r)
{
	struct kobject *o = plan_add(p, KOBJ_RULE);
	if (!o)
		return -ENOMEM;
	o->rule = *r;
	return 0;
}

int build_elem(struct plan *p, enum nft_family family, const char *set, uint32_t mark, const void *addr, size_t len)
{
	struct kobject *o = plan_add(p, KOBJ_ELEM);
	if (!o)
		return -ENOMEM;
	o->elem.family = family;
	snprintf(o->elem.set, sizeof(o->elem.set), "%s", set);
	memcpy(o->elem.key, &mark, sizeof(mark));
	memcpy(o->elem.key + sizeof(mark), addr, len);
	o->elem.len = (uint8_t)(sizeof(mark) + len);
	return 0;
}

int build_nft(struct plan *p, enum nft_kind kind, enum nft_family family, const char *name, const char *spec)
{
	char *copy = spec ? strdup(spec) : NULL;
	if (spec && !copy)
		return -ENOMEM;
	struct kobject *o = plan_add(p, KOBJ_NFT);
	if (!o) {
		free(copy);
		return -ENOMEM;
	}
	o->nft.kind = kind;
	o->nft.family = family;
	o->nft.spec = copy;
	snprintf(o->nft.name, sizeof(o->nft.name), "%s", name);
	return 0;
}

void chain_open(struct chain *c, enum nft_family family, const char *name, const char *hook_fmt, ...)
{
	*c = (struct chain){ .family = family };
	snprintf(c->name, sizeof(c->name), "%s", name);
	if (hook_fmt) {
		va_list ap;
		va_start(ap, hook_fmt);
		if (vasprintf(&c->hook, hook_fmt, ap) < 0) {
			c->hook = NULL;
			c->error = -ENOMEM;
		}
		va_end(ap);
	}
	c->out = open_memstream(&c->text, &c->len);
	if (!c->out)
		c->error = -ENOMEM;
}

void chain_rule(struct chain *c, const char *fmt, ...)
{
	if (c->error)
		return;
	va_list ap;
	va_start(ap, fmt);
	if (vfprintf(c->out, fmt, ap) < 0 || fputc('\n', c->out) == EOF)
		c->error = -ENOMEM;
	va_end(ap);
}

int chain_close(struct chain *c, struct plan *p)
{
	if (c->out && fclose(c->out) == EOF && !c->error)
		c->error = -ENOMEM;
	struct kobject *o = c->error ? NULL : plan_add(p, KOBJ_NFT);
	if (!o) {
		free(c->text);
		free(c->hook);
		return c->error ? c->error : -ENOMEM;
	}
	o->nft.kind = NFT_CHAIN;
	o->nft.family = c->family;
	memcpy(o->nft.name, c->name, sizeof(c->name));
	o->nft.spec = c->hook;
	o->nft.rules = c->text;
	return 0;
}

struct addr_text text_prefix(const struct prefix *p)
{
	struct addr_text t = { "" };
	bool six = p->family == AF_INET6;
	inet_ntop(p->family, six ? (const void *)&p->a6 : (const void *)&p->a4, t.s, INET6_ADDRSTRLEN);
	if (p->len < (six ? 128 : 32)) {
		size_t n = strlen(t.s);
		snprintf(t.s + n, sizeof(t.s) - n, "/%u", p->len);
	}
	return t;
}

struct addr_text text_addr6(const struct in6_addr *a)
{
	struct prefix p = host6(a);
	return text_prefix(&p);
}

struct addr_text text_net6(const struct in6_addr *a, uint8_t len)
{
	struct prefix p = prefix6(a, len);
	return text_prefix(&p);
}

struct devices_text text_devices(uint32_t id)
{
	char dev[2][IFNAMSIZ];
	struct devices_text t;
	dev_layer(id, 0, 1, dev[0]);
	dev_layer(id + SLOT_OTHER, 0, 1, dev[1]);
	snprintf(t.s, sizeof(t.s), "{ \"%s\", \"%s\" }", dev[0], dev[1]);
	return t;
}
