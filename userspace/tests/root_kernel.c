/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Applies plans to the real kernel of the namespace it runs in, as one host of a small fixed network of which the
 * keys are fixed too: no daemon, no handshake. Run by root_kernel.sh.
 *
 *   client --2-- r1 --- r2 --- r3 --- web      circuits by slot: 0 and 1: r1 r2 r3, 2: r2 r1 r3
 *      \--3------------/    (r1 --- r3)         the client's links are 2 (to r1) and 3 (to r2)
 *
 * Every function returns 0 or negative errno; what goes wrong is printed.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "kernel/events.h"
#include "kernel/ops.h"
#include "kernel/probe.h"
#include "lib/clock.h"
#include "lib/secmem.h"
#include "model/overlay.h"
#include "plan/diff.h"
#include "plan/mtu.h"
#include "plan/plan.h"

#define N_RELAYS 3
#define N_CIRCUITS 3

static const unsigned int paths[N_CIRCUITS][3] = { { 1, 2, 3 }, { 1, 2, 3 }, { 2, 1, 3 } };

static struct in6_addr relay_addr(unsigned int r)
{
	struct relay_id id;
	memset(id.b, (int)r, sizeof(id.b));
	return overlay_relay(&id);
}

/* Number of relay r's link to relay `to`: 2 for the lower other one, 3 for the higher. */
static uint16_t link_number(unsigned int r, unsigned int to)
{
	unsigned int number = LINK_FIRST;
	for (unsigned int i = 1; i < to; i++)
		number += i != r;
	return (uint16_t)number;
}

static struct in6_addr first_addr(unsigned int guard)
{
	struct in6_addr o = relay_addr(guard);
	return overlay_addr(&o, LINK_CLIENTS, 0x1234);
}

static struct in6_addr circuit_addr(unsigned int slot, unsigned int i)
{
	struct in6_addr o = relay_addr(paths[slot][i]);
	if (!i)
		return first_addr(paths[slot][0]);
	return overlay_addr(&o, link_number(paths[slot][i], paths[slot][i - 1]), 0x1000 + slot);
}

static struct layer layer_of(unsigned int slot, unsigned int i)
{
	return (struct layer){
		.a = circuit_addr(slot, i),
		.o = relay_addr(paths[slot][i]),
		.spi_fwd = SPI_MIN + slot * 16 + i * 2,
		.spi_back = SPI_MIN + slot * 16 + i * 2 + 1,
		.suite = i == 2 ? (slot == 1 ? SUITE_CHACHA20_POLY1305 : SUITE_AES128_GCM_16) : SUITE_AES128_GCM_8,
	};
}

static void keys_of(unsigned int slot, unsigned int i, struct layer_keys *k)
{
	uint8_t seed[2] = { (uint8_t)slot, (uint8_t)i };
	crypto_generichash(k->fwd, sizeof(k->fwd), seed, sizeof(seed), (const uint8_t *)"root_kernel test", 16);
	crypto_generichash(k->back, sizeof(k->back), seed, sizeof(seed), (const uint8_t *)"root_kernel kept", 16);
}

static struct prefix pool4(void)
{
	struct prefix p = { .family = AF_INET, .len = 16 };
	inet_pton(AF_INET, "100.96.0.0", &p.a4);
	return p;
}

static struct inner inner_of(unsigned int slot)
{
	struct in6_addr o = relay_addr(paths[slot][2]);
	struct inner in = { .has4 = true, .has6 = true };
	in.addr4.s_addr = htonl(ntohl(pool4().a4.s_addr) + 10 + slot);
	in.gw4.s_addr = htonl(ntohl(pool4().a4.s_addr) + 1);
	in.addr6 = overlay_addr(&o, LINK_INNER, 0x10 + slot);
	in.gw6 = overlay_addr(&o, LINK_INNER, 1);
	return in;
}

static int relay_circuits(struct plan *p, unsigned int r, struct layer_keys *keys)
{
	int e = 0;
	for (unsigned int slot = 0; slot < N_CIRCUITS && e >= 0; slot++)
		for (unsigned int i = 0; i < 3 && e >= 0; i++) {
			if (paths[slot][i] != r)
				continue;
			struct relay_circuit c = { .number = slot + 1, .layer = layer_of(slot, i), .exit = i == 2 };
			c.expires = clock_wall_s() + 3600;
			if (c.exit) {
				c.inner = inner_of(slot);
			} else {
				c.next_a = circuit_addr(slot, i + 1);
				c.next_o = relay_addr(paths[slot][i + 1]);
			}
			keys_of(slot, i, &keys[slot]);
			e = plan_relay_circuit(p, &c, &keys[slot]);
		}
	return e;
}

static int relay_plan(struct plan *p, unsigned int r, struct layer_keys *keys)
{
	static const struct exit_policy all = { .n = 1, .rules = { { .accept = true } } };
	struct relay_base b = { .own = relay_addr(r),
				.exit = r == 3,
				.inner4_enabled = true,
				.inner6_enabled = true,
				.policy = &all,
				.limits = { .flows = 100, .new_flows_per_second = 100, .kib_per_second = 1000000 } };
	b.inner4 = pool4();
	int e = plan_base(p);
	if (e >= 0)
		e = plan_relay_base(p, &b);
	struct link clients = { .kind = LINK_KIND_CLIENTS, .number = LINK_CLIENTS, .self = b.own, .mtu = LINK_MTU };
	if (e >= 0)
		e = plan_link(p, &clients);
	for (unsigned int to = 1; to <= N_RELAYS && e >= 0; to++) {
		struct link l = { .kind = LINK_KIND_RELAY, .self = b.own, .remote = relay_addr(to), .mtu = LINK_MTU };
		l.number = link_number(r, to);
		if (to != r)
			e = plan_link(p, &l);
	}
	return e < 0 ? e : relay_circuits(p, r, keys);
}

#define TO(list, count) (&(const struct selection){ .prefixes = (list), .n = (count) })

static struct origin_circuit circuit_of(unsigned int slot)
{
	struct origin_circuit c = { .slot = slot,
				    .n_layers = 3,
				    .guard_link = (uint16_t)(paths[slot][0] + 1),
				    .link_mtu = LINK_MTU,
				    .inner = inner_of(slot) };
	for (unsigned int i = 0; i < 3; i++)
		c.layers[i] = layer_of(slot, i);
	return c;
}

static int client_circuit(struct plan *p, unsigned int slot, struct layer_keys *keys)
{
	struct prefix web[2] = { { .family = AF_INET, .len = 32 }, { .family = AF_INET6, .len = 128 } };
	inet_pton(AF_INET, "192.0.2.80", &web[0].a4);
	inet_pton(AF_INET6, "2001:db8:2::80", &web[1].a6);
	struct origin_circuit c = circuit_of(slot);
	for (unsigned int i = 0; i < 3; i++)
		keys_of(slot, i, &keys[i]);
	int e = plan_origin_circuit(p, &c, keys);
	if (e >= 0)
		e = plan_origin_service(p, &c, TO(web, 2), NULL);
	return e < 0 ? e : plan_origin_routes(p, &c, TO(web, 2), NULL);
}

static int client_base(struct plan *p)
{
	struct prefix all[2] = { { .family = AF_INET, .len = 24 }, { .family = AF_INET6, .len = 64 } };
	inet_pton(AF_INET, "192.0.2.0", &all[0].a4);
	inet_pton(AF_INET6, "2001:db8:2::", &all[1].a6);
	int e = plan_base(p);
	if (e >= 0)
		e = plan_client_base(p, NULL, NULL);
	if (e >= 0)
		e = plan_selection(p, 0, TO(all, 2), NULL);
	for (unsigned int r = 1; r <= 2 && e >= 0; r++) {
		struct link l = { .kind = LINK_KIND_GUARD, .number = (uint16_t)(r + 1), .mtu = LINK_MTU };
		l.self = first_addr(r);
		l.remote = relay_addr(r);
		e = plan_link(p, &l);
	}
	return e;
}

/* Everything but two networks through circuit 1. */
static int client_full(struct plan *p)
{
	struct prefix any[2] = { { .family = AF_INET }, { .family = AF_INET6 } };
	struct selection sel = { .prefixes = any,
				 .n = 2,
				 .except = { { .family = AF_INET, .len = 24 }, { .family = AF_INET6, .len = 64 } },
				 .n_except = 2 };
	struct origin_circuit c = circuit_of(1);
	inet_pton(AF_INET, "203.0.113.0", &sel.except[0].a4);
	inet_pton(AF_INET6, "2001:db8:113::", &sel.except[1].a6);
	int e = plan_selection(p, 1, &sel, NULL);
	if (e >= 0)
		e = plan_origin_service(p, &c, &sel, NULL);
	return e < 0 ? e : plan_origin_routes(p, &c, &sel, NULL);
}

/* part: "all", "base", "full" (client), or a slot number (client). */
static int plan_of(const char *host, const char *part, struct layer_keys *keys, struct plan *p)
{
	if (host[0] == 'r')
		return relay_plan(p, (unsigned int)host[1] - '0', keys);
	if (part[0] >= '0' && part[0] < '0' + N_CIRCUITS)
		return client_circuit(p, (unsigned int)part[0] - '0', keys);
	if (!strcmp(part, "full"))
		return client_full(p);
	int e = client_base(p);
	for (unsigned int slot = 0; slot < N_CIRCUITS && e >= 0 && !strcmp(part, "all"); slot++)
		e = client_circuit(p, slot, &keys[3 * slot]);
	return e;
}

static void print_object(const char *what, const struct kobject *o)
{
	const char *name = o->type == KOBJ_NFT				     ? o->nft.name
			   : o->type == KOBJ_LINK || o->type == KOBJ_LINK_UP ? o->link.dev
			   : o->type == KOBJ_ADDR			     ? o->addr.dev
			   : o->type == KOBJ_ROUTE			     ? o->route.dev
									     : "";
	printf("%s: %s %s\n", what, kobject_type_name(o->type), name);
}

/* What the kernel holds against the plan: 0 if the same. */
static int compare(struct kernel *k, const struct plan *want)
{
	_cleanup_plan_ struct plan have = { 0 }, add = { 0 }, gone = { 0 };
	int e = kernel_dump_plan(k, KERNEL_DUMP_ALL, &have);
	if (e >= 0)
		e = plan_diff(want, &have, &add, &gone);
	if (e < 0)
		return e;
	for (size_t i = 0; i < add.n; i++)
		print_object("missing", &add.v[i]);
	for (size_t i = 0; i < gone.n; i++)
		print_object("left over", &gone.v[i]);
	return add.n || gone.n ? -EILSEQ : 0;
}

static void print_counter(void *ctx, const char *name, uint64_t packets, uint64_t bytes)
{
	(void)ctx;
	(void)bytes;
	printf("%s %llu\n", name, (unsigned long long)packets);
}

static void print_addresses(void)
{
	char s[INET6_ADDRSTRLEN];
	for (unsigned int r = 1; r <= N_RELAYS; r++) {
		struct in6_addr o = relay_addr(r), a = first_addr(r);
		printf("OR%u=%s\n", r, inet_ntop(AF_INET6, &o, s, sizeof(s)));
		printf("FIRST%u=%s\n", r, inet_ntop(AF_INET6, &a, s, sizeof(s)));
	}
	for (unsigned int slot = 0; slot < N_CIRCUITS; slot++) {
		struct inner in = inner_of(slot);
		struct in6_addr a2 = circuit_addr(slot, 1), a3 = circuit_addr(slot, 2);
		printf("INNER6_%u=%s\n", slot, inet_ntop(AF_INET6, &in.addr6, s, sizeof(s)));
		printf("A%u_2=%s\n", slot, inet_ntop(AF_INET6, &a2, s, sizeof(s)));
		printf("A%u_3=%s\n", slot, inet_ntop(AF_INET6, &a3, s, sizeof(s)));
		printf("GW6=%s\n", inet_ntop(AF_INET6, &in.gw6, s, sizeof(s)));
	}
}

static int probe(void)
{
	struct probe_result *v;
	size_t n, failed = 0;
	int e = kernel_probe(PROBE_RELAY | PROBE_CLIENT, &v, &n);
	if (e < 0)
		return e;
	for (size_t i = 0; i < n; i++) {
		printf("%s: %s%s%s\n", v[i].name, v[i].ok ? "yes" : strerror(-v[i].error), v[i].ok ? "" : ", needs ",
		       v[i].ok ? "" : v[i].hint);
		failed += !v[i].ok;
	}
	free(v);
	return failed ? -ENOSYS : 0;
}

struct seen {
	bool up, gone;
};

static void on_link(void *ctx, const char *dev, bool up, bool gone)
{
	struct seen *s = ctx;
	if (strcmp(dev, "anon0") != 0)
		return;
	s->up |= up;
	s->gone |= gone;
}

/* The events of a circuit that comes and goes. */
static int events(struct kernel *k, const struct plan *p)
{
	static const struct kernel_events_fns fns = { .link = on_link };
	struct kernel_events *ev;
	struct seen seen = { false, false };
	int e = kernel_events_open(&fns, &seen, &ev);
	if (e < 0)
		return e;
	e = kernel_apply(k, p);
	if (e >= 0)
		e = kernel_remove(k, p);
	if (e >= 0)
		e = kernel_events_read(ev);
	kernel_events_free(ev);
	return e < 0 ? e : seen.up && seen.gone ? 0 : -ENOMSG;
}

/* What a daemon does that comes back without the keys. */
static int adopt(struct kernel *k, const struct plan *p)
{
	_cleanup_plan_ struct plan keyless = { 0 };
	int e = 0;
	for (size_t i = 0; i < p->n && e >= 0; i++) {
		e = plan_add_copy(&keyless, &p->v[i]);
		if (e >= 0 && p->v[i].type == KOBJ_SA)
			keyless.v[i].sa.key = NULL;
	}
	return e < 0 ? e : kernel_apply(k, &keyless);
}

static int run(struct kernel *k, const char *verb, const struct plan *p)
{
	struct plan none = { 0 };
	if (!strcmp(verb, "up"))
		return kernel_apply(k, p);
	if (!strcmp(verb, "adopt"))
		return adopt(k, p);
	if (!strcmp(verb, "down"))
		return kernel_remove(k, p);
	if (!strcmp(verb, "same"))
		return compare(k, p);
	if (!strcmp(verb, "empty"))
		return compare(k, &none);
	if (!strcmp(verb, "events"))
		return events(k, p);
	if (!strcmp(verb, "probe"))
		return probe();
	if (!strcmp(verb, "counters"))
		return kernel_counters(k, print_counter, NULL);
	return -EINVAL;
}

int main(int argc, char **argv)
{
	if (sodium_init() < 0)
		return 1;
	if (argc == 2 && !strcmp(argv[1], "addresses")) {
		print_addresses();
		return 0;
	}
	if (argc != 4) {
		fprintf(stderr,
			"usage: root_kernel up|adopt|down|same|empty|counters|events|probe HOST all|base|full|SLOT\n");
		return 2;
	}
	struct kernel *k = NULL;
	_cleanup_plan_ struct plan p = { 0 };
	_cleanup_secmem_ struct layer_keys *keys = secmem_alloc(sizeof(*keys) * 3 * N_CIRCUITS);
	int e = keys ? plan_of(argv[2], argv[3], keys, &p) : -ENOMEM;
	if (e >= 0)
		e = kernel_open(&k);
	if (e >= 0)
		e = run(k, argv[1], &p);
	if (e < 0)
		fprintf(stderr, "%s %s %s: %s (%s)\n", argv[1], argv[2], argv[3], strerror(-e),
			k ? kernel_error_text(k) : "");
	kernel_free(k);
	return e < 0;
}
