/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "path/need.h"

#include "lib/cleanup.h"

static const struct port_range web[] = { { IPPROTO_TCP, 80, 80 },
					 { IPPROTO_TCP, 443, 443 },
					 { IPPROTO_UDP, 443, 443 } };

struct families {
	bool four, six;
};

/* A LAN's hosts reach everything, by the families that they have. */
static struct families families_of(const struct selection *sel)
{
	struct families any = { false, false };
	bool some_six = false;

	for (size_t i = 0; i < sel->n; i++) {
		const struct prefix *p = &sel->prefixes[i];

		any.four |= p->family == AF_INET;
		any.six |= p->family == AF_INET6;
		some_six |= p->family == AF_INET6 && p->len && !sel->lan;
	}
	return (struct families){ any.four, some_six || (any.six && !any.four) };
}

struct needs {
	struct path_need *v;
	size_t n;
	struct families of;
};

static void add(struct needs *s, uint8_t proto, uint16_t port)
{
	if (s->of.four)
		s->v[s->n++] = (struct path_need){ false, proto, port };
	if (s->of.six)
		s->v[s->n++] = (struct path_need){ true, proto, port };
}

static void add_range(struct needs *s, const struct port_range *r)
{
	bool some = false;

	for (size_t i = 0; i < ARRAY_SIZE(web); i++)
		if (web[i].proto == r->proto && r->first <= web[i].first && web[i].first <= r->last) {
			add(s, r->proto, web[i].first);
			some = true;
		}
	if (some)
		return;
	add(s, r->proto, r->first);
	if (r->last != r->first)
		add(s, r->proto, r->last);
}

size_t path_needs(const struct selection *sel, struct path_need ret[PATH_NEEDS_MAX])
{
	struct needs s = { .v = ret, .of = families_of(sel) };

	for (size_t i = 0; i < sel->n_ports; i++)
		add_range(&s, &sel->ports[i]);
	for (size_t i = 0; !sel->n_ports && i < ARRAY_SIZE(web); i++)
		if (web[i].proto == IPPROTO_TCP)
			add(&s, web[i].proto, web[i].first);
	return s.n;
}
