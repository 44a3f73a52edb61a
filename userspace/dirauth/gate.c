/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dirauth/gate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/hash.h"

struct party {
	struct in6_addr network;
	unsigned int n;
	UT_hash_handle hh;
};

struct gate {
	struct in6_addr authorities[ENDPOINTS_MAX];
	size_t n_authorities;
	struct party *parties;
	unsigned int strangers;
};

struct gate *gate_new(const struct dir_servers *authorities)
{
	struct gate *g = calloc(1, sizeof(*g));

	for (size_t i = 0; g && i < authorities->at.n; i++)
		g->authorities[g->n_authorities++] = endpoint_address(&authorities->at.v[i]);
	return g;
}

void gate_free(struct gate *g)
{
	struct party *p, *next;

	if (!g)
		return;
	HASH_ITER (hh, g->parties, p, next) {
		HASH_DEL(g->parties, p);
		free(p);
	}
	free(g);
}

static bool is_authority(const struct gate *g, const struct in6_addr *from)
{
	for (size_t i = 0; i < g->n_authorities; i++)
		if (IN6_ARE_ADDR_EQUAL(&g->authorities[i], from))
			return true;
	return false;
}

static struct in6_addr network_of(const struct gate *g, const struct in6_addr *from)
{
	struct in6_addr ret = *from;

	if (!IN6_IS_ADDR_V4MAPPED(from) && !is_authority(g, from))
		memset(&ret.s6_addr[8], 0, 8);
	return ret;
}

static struct party *find(const struct gate *g, const struct in6_addr *from)
{
	const struct in6_addr network = network_of(g, from);
	struct party *p;

	HASH_FIND(hh, g->parties, &network, sizeof(network), p);
	return p;
}

bool gate_is_open(const struct gate *g, const struct in6_addr *from)
{
	const struct party *p = find(g, from);
	unsigned int n = p ? p->n : 0;

	if (is_authority(g, from))
		return n < GATE_AUTHORITY_MAX;
	return n < GATE_NETWORK_MAX && g->strangers < GATE_STRANGERS_MAX;
}

int gate_enter(struct gate *g, const struct in6_addr *from)
{
	struct party *p = find(g, from);

	if (!p) {
		p = calloc(1, sizeof(*p));
		if (!p)
			return -ENOMEM;
		p->network = network_of(g, from);
		HASH_ADD(hh, g->parties, network, sizeof(p->network), p);
	}
	p->n++;
	g->strangers += !is_authority(g, from);
	return 0;
}

void gate_leave(struct gate *g, const struct in6_addr *from)
{
	struct party *p = find(g, from);

	if (!p)
		return;
	g->strangers -= !is_authority(g, from);
	if (--p->n > 0)
		return;
	HASH_DEL(g->parties, p);
	free(p);
}
