/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "anond/overlay.h"

#include <errno.h>
#include <net/if.h>
#include <sodium.h>
#include <string.h>

#include "anond/link_table.h"
#include "anond/transport.h"
#include "kernel/probe.h"
#include "kmod/anon_tfc.h"
#include "lib/bytes.h"
#include "lib/hash.h"
#include "lib/log.h"
#include "model/overlay.h"
#include "plan/plan.h"
#include "wire/ctrl.h"

#define PROBE_INTERVAL_S 1.
#define PROBE_TRIES 6 /* then the link is not fit for use; tried again after PROBE_PAUSE_S */
#define PROBE_PAUSE_S 30.
#define CHECK_TRIES 4	   /* of a link that carried packets, when the network may be another */
#define IP6_UDP_HEADERS 48 /* bytes */
#define NS_PER_S UINT64_C(1000000000)

/* A link that has a device. */
struct overlay_link {
	UT_hash_handle by_ifindex, by_number;
	struct overlay *o;
	struct link link;
	unsigned int ifindex;
	struct transport *transport; /* GUARD: bound to our address on this link; else NULL, the node's is used */
	bool usable;
	unsigned int tries;
	uint64_t nonce;
	ev_timer probe;
};

struct overlay {
	struct overlay_config c;
	struct links *links;
	struct link_table *table;
	struct overlay_link *by_ifindex, *by_number;
	struct transport *transport; /* relay: bound to OR_own */
	bool teardown;
};

/* ---- devices ---- */

static const char *peer_name(const struct overlay *o, const struct relay_id *id)
{
	const struct relay *relay = network_find(o->c.net, id);

	return relay ? relay->name : "a relay that left the network";
}

static struct overlay_link *find_number(const struct overlay *o, uint16_t number)
{
	struct overlay_link *l;

	HASH_FIND(by_number, o->by_number, &number, sizeof(number), l);
	return l;
}

static struct transport *transport_of(const struct overlay_link *l)
{
	return l->transport ? l->transport : l->o->transport;
}

static void on_message(void *ctx, unsigned int ifindex, const struct in6_addr *from, const uint8_t *msg, size_t len);
static void on_probe_timer(struct ev_loop *loop, ev_timer *w, int events);

/* How what leaves over a link of this kind is to look. */
static struct link_shape shape_of(const struct overlay *o, enum link_kind kind)
{
	const struct config *conf = o->c.conf;
	uint32_t pps = kind == LINK_KIND_CLIENTS && conf->link.client_pps ? conf->link.client_pps : conf->link.pps;

	if (conf->link.pps == 0)
		return (struct link_shape){ 0 };
	return (struct link_shape){ .interval_ns = NS_PER_S / pps,
				    .steps = conf->link.rate_steps,
				    .step_time_ns = conf->link.rate_step_s * NS_PER_S,
				    .idle_ns = conf->link.idle_s * NS_PER_S,
				    .window_ns = conf->link.mix_window_ms * (NS_PER_S / 1000) };
}

/* Where an earlier run shaped what this one is not to. */
static int link_unshape(struct overlay *o, const struct link *link)
{
	_cleanup_plan_ struct plan plan = { 0 };
	int r = plan_link_shape(&plan, link);

	return r == 0 ? kernel_remove(o->c.kernel, &plan) : r;
}

struct clients_plan {
	struct plan *plan;
	const struct link *link;
	int error; /* the first */
};

static void add_client(void *ctx, const struct in6_addr *addr)
{
	struct clients_plan *p = ctx;

	if (p->error == 0)
		p->error = plan_link_client(p->plan, p->link, addr);
}

static int link_install(struct overlay *o, const struct link *link)
{
	_cleanup_plan_ struct plan plan = { 0 };
	struct clients_plan clients = { .plan = &plan, .link = link };
	int r = plan_link(&plan, link);

	if (r == 0 && o->links && link->kind == LINK_KIND_CLIENTS && link->shape.interval_ns) {
		links_each_client(o->links, add_client, &clients);
		r = clients.error;
	}
	if (r == 0)
		r = kernel_apply(o->c.kernel, &plan);
	if (r == 0 && !link->shape.interval_ns)
		r = link_unshape(o, link);
	if (r < 0)
		log_err("link %u: cannot set it up in the kernel: %s", link->number, kernel_error_text(o->c.kernel));
	return r;
}

static void link_uninstall(const struct overlay_link *l)
{
	_cleanup_plan_ struct plan plan = { 0 };
	int r = plan_link(&plan, &l->link);

	if (r == 0)
		r = kernel_remove(l->o->c.kernel, &plan);
	if (r < 0)
		log_err("link %u: cannot remove it from the kernel: %s", l->link.number,
			kernel_error_text(l->o->c.kernel));
}

/* The device of a link, made if need be. found: it was there, and stays if it cannot be used. NULL: (logged). */
static struct overlay_link *link_attach(struct overlay *o, const struct link *link, bool found)
{
	struct overlay_link *l = calloc(1, sizeof(*l));
	char name[IF_NAMESIZE];

	if (!l)
		return NULL;
	l->o = o;
	l->link = *link;
	l->link.shape = shape_of(o, link->kind);
	if (link_install(o, &l->link) < 0) {
		free(l);
		return NULL;
	}
	dev_link(link->number, name);
	l->ifindex = if_nametoindex(name);
	if (link->kind == LINK_KIND_GUARD) {
		int r = transport_new(o->c.loop, &link->self, on_message, o, &l->transport);

		if (r < 0) {
			log_err("link %u: cannot open its control socket: %s", link->number, strerror(-r));
			if (!found)
				link_uninstall(l);
			free(l);
			return NULL;
		}
	}
	ev_init(&l->probe, on_probe_timer);
	l->probe.data = l;
	HASH_ADD(by_ifindex, o->by_ifindex, ifindex, sizeof(l->ifindex), l);
	HASH_ADD(by_number, o->by_number, link.number, sizeof(l->link.number), l);
	return l;
}

/* uninstall: take the device away too. */
static void link_detach(struct overlay_link *l, bool uninstall)
{
	struct overlay *o = l->o;

	HASH_DELETE(by_ifindex, o->by_ifindex, l);
	HASH_DELETE(by_number, o->by_number, l);
	ev_timer_stop(o->c.loop, &l->probe);
	transport_free(l->transport);
	if (uninstall)
		link_uninstall(l);
	free(l);
}

/* ---- the link MTU probe ---- */

static void probe_send(struct overlay_link *l)
{
	uint8_t msg[NETWORK_MTU_MAX];
	size_t len = (size_t)l->link.mtu - IP6_UDP_HEADERS;

	if (ctrl_probe_encode(CTRL_PROBE, l->nonce, msg, len) == 0)
		transport_send(transport_of(l), l->ifindex, &l->link.remote, msg, len);
}

static void check_failed(struct overlay_link *l)
{
	struct overlay *o = l->o;

	ev_timer_stop(o->c.loop, &l->probe);
	/* The one who answers probes may be away, while what stands in its kernel goes on. */
	if (o->c.ops->carries(o->c.ctx, &l->link.peer))
		return;
	log_info("link %u to %s is up but carries nothing; it is made anew", l->link.number,
		 peer_name(o, &l->link.peer));
	links_restart(o->links, &l->link.peer);
}

static void on_probe_timer(struct ev_loop *loop, ev_timer *w, int events)
{
	struct overlay_link *l = w->data;
	struct overlay *o = l->o;

	(void)loop;
	(void)events;
	if (l->usable && l->tries == CHECK_TRIES) {
		check_failed(l);
		return;
	}
	if (l->tries++ < PROBE_TRIES) {
		l->probe.repeat = PROBE_INTERVAL_S;
		ev_timer_again(o->c.loop, &l->probe);
		probe_send(l);
		if (l->usable)
			o->c.ops->doubt(o->c.ctx, &l->link.peer, l->tries == 1);
		return;
	}
	log_warn("link %u to %s is up but does not carry packets of %u bytes", l->link.number,
		 peer_name(o, &l->link.peer), l->link.mtu);
	l->tries = 0;
	l->probe.repeat = PROBE_PAUSE_S;
	ev_timer_again(o->c.loop, &l->probe);
	o->c.ops->failed(o->c.ctx, &l->link.peer, "the link does not carry packets of the network's link MTU");
}

static void probe_start(struct overlay_link *l)
{
	l->tries = 0;
	l->nonce = rng_u64(&rng_system);
	ev_timer_stop(l->o->c.loop, &l->probe);
	on_probe_timer(l->o->c.loop, &l->probe, 0);
}

static void probe_answered(struct overlay_link *l, uint64_t nonce, size_t len)
{
	if (!ev_is_active(&l->probe) || nonce != l->nonce || len != (size_t)l->link.mtu - IP6_UDP_HEADERS)
		return;
	ev_timer_stop(l->o->c.loop, &l->probe);
	if (l->usable)
		return;
	l->usable = true;
	log_info("link %u to %s is up", l->link.number, peer_name(l->o, &l->link.peer));
	l->o->c.ops->up(l->o->c.ctx, &l->link);
}

/* ---- messages ---- */

/* Whether a datagram that came over this link may have this source (the guard rules say the same). */
static bool source_fits(const struct overlay *o, const struct link *link, const struct in6_addr *from)
{
	if (link->kind == LINK_KIND_CLIENTS) {
		struct in6_addr own = overlay_relay(&o->c.keys->id);

		return overlay_same_prefix(from, &own) && overlay_link(from) == LINK_CLIENTS;
	}
	return IN6_ARE_ADDR_EQUAL(from, &link->remote);
}

static void probe_reply(const struct overlay_link *l, const struct in6_addr *to, uint64_t nonce, size_t len)
{
	uint8_t out[NETWORK_MTU_MAX];

	if (len <= sizeof(out) && ctrl_probe_encode(CTRL_PROBE_ACK, nonce, out, len) == 0)
		transport_send(transport_of(l), l->ifindex, to, out, len);
}

static void on_message(void *ctx, unsigned int ifindex, const struct in6_addr *from, const uint8_t *msg, size_t len)
{
	struct overlay *o = ctx;
	struct overlay_link *l;
	struct ctrl_msg m;

	HASH_FIND(by_ifindex, o->by_ifindex, &ifindex, sizeof(ifindex), l);
	if (!l || !source_fits(o, &l->link, from))
		return;
	if (ctrl_decode(msg, len, &m) == 0 && m.type == CTRL_PROBE)
		probe_reply(l, from, m.handle, m.probe_len);
	else if (ctrl_decode(msg, len, &m) == 0 && m.type == CTRL_PROBE_ACK)
		probe_answered(l, m.handle, m.probe_len);
	else
		o->c.ops->message(o->c.ctx, &l->link, from, msg, len);
}

int overlay_send(struct overlay *o, uint16_t number, const struct in6_addr *to, const uint8_t *msg, size_t len)
{
	const struct overlay_link *l = find_number(o, number);

	return l ? transport_send(transport_of(l), l->ifindex, to, msg, len) : -ENOENT;
}

/* ---- what charon reports ---- */

static void on_up(void *ctx, const struct link *link)
{
	struct overlay *o = ctx;
	struct overlay_link *l = find_number(o, link->number);

	if (o->teardown)
		return;
	if (l && !IN6_ARE_ADDR_EQUAL(&l->link.self, &link->self)) {
		/* The guard gave another address: what was built over the old one is gone. */
		struct link old = l->link;

		link_detach(l, true);
		o->c.ops->down(o->c.ctx, &old);
		l = NULL;
	}
	if (!l)
		l = link_attach(o, link, false);
	if (!l)
		return;
	l->usable = false;
	probe_start(l);
}

static void on_down(void *ctx, const struct link *link, const char *reason)
{
	struct overlay *o = ctx;
	struct overlay_link *l = find_number(o, link->number);
	bool was;

	if (!l)
		return;
	log_info("link %u to %s is down: %s", link->number, peer_name(o, &link->peer), reason);
	was = l->usable;
	l->usable = false;
	ev_timer_stop(o->c.loop, &l->probe);
	if (was && !o->teardown)
		o->c.ops->down(o->c.ctx, &l->link);
}

static void on_failed(void *ctx, const struct link *link, const char *reason)
{
	struct overlay *o = ctx;

	if (o->teardown)
		return;
	log_info("link %u to %s: %s", link->number, peer_name(o, &link->peer), reason);
	o->c.ops->failed(o->c.ctx, &link->peer, reason);
}

/* ---- a guard's clients on a shaped link ---- */

/* Until it has a far end, nothing is sent to a client. */
static void on_client(void *ctx, const struct in6_addr *addr, bool here)
{
	struct overlay *o = ctx;
	const struct overlay_link *l = find_number(o, LINK_CLIENTS);
	_cleanup_plan_ struct plan plan = { 0 };
	int r;

	if (!l || !l->link.shape.interval_ns)
		return;
	r = plan_link_client(&plan, &l->link, addr);
	if (r == 0)
		r = here ? kernel_apply(o->c.kernel, &plan) : kernel_remove(o->c.kernel, &plan);
	if (r < 0)
		log_err("a client's traffic cannot be shaped; %s: %s", here ? "it gets none" : "it goes on",
			kernel_error_text(o->c.kernel));
}

struct stale_walk {
	struct overlay *o;
	struct plan plan;
};

static void note_stale(void *ctx, const struct kobject *o)
{
	struct stale_walk *w = ctx;
	char dev[IFNAMSIZ];

	dev_link(LINK_CLIENTS, dev);
	if (strcmp(o->tfc_peer.dev, dev) == 0 && !links_has_client(w->o->links, &o->tfc_peer.dst))
		(void)plan_add_copy(&w->plan, o); /* without memory it stays until the next time */
}

/* Those who left while nobody here looked. */
static void on_clients_listed(void *ctx)
{
	struct overlay *o = ctx;
	const struct overlay_link *l = find_number(o, LINK_CLIENTS);
	struct stale_walk w = { .o = o };

	if (!l || !l->link.shape.interval_ns)
		return;
	if (kernel_dump(o->c.kernel, 1u << KOBJ_TFC_PEER, note_stale, &w) == 0)
		kernel_remove(o->c.kernel, &w.plan);
	plan_clear(&w.plan);
}

/* ---- */

static void on_service(void *ctx, bool ready)
{
	(void)ctx;
	if (ready)
		log_info("charon is ready");
	else
		log_warn("charon cannot be reached; its links stay as they are");
}

/* ---- life ---- */

/* At a guard: the device that all clients share, of the network's MTU. */
static int clients_device(struct overlay *o, uint16_t mtu)
{
	struct link clients = {
		.kind = LINK_KIND_CLIENTS,
		.number = LINK_CLIENTS,
		.mtu = mtu,
	};
	struct overlay_link *l = find_number(o, LINK_CLIENTS);

	if (!o->c.keys || !o->c.conf->guard || (l && l->link.mtu == mtu))
		return 0;
	clients.self = overlay_relay(&o->c.keys->id);
	if (l)
		link_detach(l, true);
	return link_attach(o, &clients, false) ? 0 : -EIO;
}

int overlay_set_network(struct overlay *o, const struct network *net)
{
	_cleanup_free_ struct links_peer *peers = calloc(net->n_relays + 1, sizeof(*peers));
	size_t n = 0;
	int r;

	if (!peers)
		return -ENOMEM;
	for (size_t i = 0; i < net->n_relays; i++) {
		const struct relay *relay = &net->relays[i];
		int number;

		if (o->c.keys && sodium_memcmp(relay->id.b, o->c.keys->id.b, sizeof(relay->id.b)) == 0)
			continue;
		/* A client has a number for those that it wanted, or it would have none left after some networks. */
		number = o->c.keys ? link_table_number(o->table, &relay->id) : link_table_find(o->table, &relay->id);
		if (number < 0)
			return number;
		peers[n++] = (struct links_peer){ .relay = relay, .number = (uint16_t)number };
	}
	r = links_set_network(o->links, net->link_mtu, peers, n);
	if (r == 0)
		r = clients_device(o, net->link_mtu);
	if (r == 0)
		o->c.net = net;
	return r;
}

static int links_start(struct overlay *o)
{
	const struct config *conf = o->c.conf;
	const struct relay_keys *keys = o->c.keys;
	struct links_config lc = {
		.loop = o->c.loop,
		.vici_path = conf->vici,
		.timing = { .dpd_s = conf->link.dpd_s,
			    .rekey_child_s = conf->link.rekey_s,
			    .rekey_ike_s = conf->link.ike_rekey_s },
		.up = on_up,
		.down = on_down,
		.failed = on_failed,
		.service = on_service,
		.ctx = o,
	};

	if (keys) {
		lc.roles = LINKS_RELAY | (conf->guard ? LINKS_GUARD : 0);
		lc.self = keys->id;
		lc.link_seed = keys->link_seed;
		lc.public4 = o->c.self->addr4;
		lc.public6 = o->c.self->addr6;
		lc.overlay_self = overlay_relay(&keys->id);
		if (conf->guard && conf->link.pps) {
			lc.client = on_client;
			lc.clients_listed = on_clients_listed;
			lc.clients_max = TFC_PEERS_MAX;
		}
	} else {
		lc.roles = LINKS_CLIENT;
	}
	return links_new(&lc, &o->links);
}

/*
 * What an earlier run left has its shape, or carries nothing until it has: links that were not shaped get a shape
 * without a far end. Those that charon does not tell of stay so.
 */
struct hold {
	const struct overlay *o;
	struct plan plan;
	int error; /* the first */
};

static void hold_link(void *ctx, const struct kobject *found)
{
	struct hold *h = ctx;
	struct link link = { .mtu = found->link.mtu };

	if (h->error < 0 || found->link.if_id <= IFID_LINK_BASE || found->link.if_id > IFID_LINK_BASE + LINK_LAST)
		return;
	link.number = (uint16_t)(found->link.if_id - IFID_LINK_BASE);
	link.kind = link.number == LINK_CLIENTS ? LINK_KIND_CLIENTS : LINK_KIND_RELAY;
	link.shape = shape_of(h->o, link.kind);
	h->error = plan_link_shape(&h->plan, &link);
}

static int links_hold(struct overlay *o, struct error *err)
{
	struct hold h = { .o = o };
	int r;

	if (!o->c.conf->link.pps)
		return 0;
	r = kernel_probe_rate(o->c.kernel);
	if (r == 0)
		r = kernel_dump(o->c.kernel, 1u << KOBJ_LINK, hold_link, &h);
	if (r == 0)
		r = h.error;
	if (r == 0)
		r = kernel_apply(o->c.kernel, &h.plan);
	plan_clear(&h.plan);
	return r < 0 ? error_set(err, r, "links cannot have a constant rate: %s", kernel_error_text(o->c.kernel)) : 0;
}

static int relay_devices(struct overlay *o, struct error *err)
{
	const struct in6_addr self = overlay_relay(&o->c.keys->id);
	int r = transport_new(o->c.loop, &self, on_message, o, &o->transport);

	if (r < 0)
		return error_set(err, r, "cannot open the control socket on the overlay address: %s", strerror(-r));
	if (clients_device(o, o->c.net->link_mtu) < 0)
		return error_set(err, -EIO, "cannot make the clients' link device");
	return 0;
}

int overlay_new(const struct overlay_config *conf, struct overlay **ret, struct error *err)
{
	struct overlay *o = calloc(1, sizeof(*o));
	int r;

	if (!o)
		return error_set(err, -ENOMEM, "out of memory");
	o->c = *conf;
	r = links_hold(o, err);
	if (r == 0)
		r = link_table_open(conf->conf->run, !conf->keys, &o->table, err);
	if (r == 0 && conf->keys)
		r = relay_devices(o, err);
	if (r == 0) {
		r = links_start(o);
		if (r == 0)
			r = overlay_set_network(o, conf->net);
		if (r < 0)
			error_set(err, r, "cannot manage overlay links: %s", strerror(-r));
	}
	if (r < 0) {
		overlay_free(o);
		return r;
	}
	*ret = o;
	return 0;
}

static void on_wait_over(struct ev_loop *loop, ev_timer *w, int events)
{
	(void)events;
	*(bool *)w->data = true;
	ev_break(loop, EVBREAK_ONE);
}

static void wait_idle(struct overlay *o)
{
	bool over = false;
	ev_timer limit;

	ev_timer_init(&limit, on_wait_over, OVERLAY_TEARDOWN_S, 0.);
	limit.data = &over;
	ev_timer_start(o->c.loop, &limit);
	while (!links_idle(o->links) && !over)
		ev_run(o->c.loop, EVRUN_ONCE);
	ev_timer_stop(o->c.loop, &limit);
}

static void drop_link(void *ctx, const struct relay_id *peer)
{
	links_drop(((struct overlay *)ctx)->links, peer);
}

void overlay_teardown(struct overlay *o)
{
	struct overlay_link *l, *next_link;

	o->teardown = true;
	link_table_each(o->table, drop_link, o);
	HASH_ITER (by_number, o->by_number, l, next_link)
		link_detach(l, true);
	wait_idle(o);
}

/* A device that was made again has another index. */
static void reindex(struct overlay *o, struct overlay_link *l)
{
	char name[IF_NAMESIZE];
	unsigned int ifindex;

	dev_link(l->link.number, name);
	ifindex = if_nametoindex(name);
	if (ifindex == l->ifindex)
		return;
	HASH_DELETE(by_ifindex, o->by_ifindex, l);
	l->ifindex = ifindex;
	HASH_ADD(by_ifindex, o->by_ifindex, ifindex, sizeof(l->ifindex), l);
}

int overlay_repair(struct overlay *o)
{
	struct overlay_link *l, *next;
	int first = 0;

	HASH_ITER (by_number, o->by_number, l, next) {
		int r = link_install(o, &l->link);

		if (r == 0)
			reindex(o, l);
		else if (first == 0)
			first = r;
	}
	return first;
}

void overlay_free(struct overlay *o)
{
	struct overlay_link *l, *next_link;

	if (!o)
		return;
	links_free(o->links);
	HASH_ITER (by_number, o->by_number, l, next_link)
		link_detach(l, false);
	transport_free(o->transport);
	link_table_free(o->table);
	free(o);
}

/* ---- demand ---- */

static struct overlay_link *find_peer(const struct overlay *o, const struct relay_id *peer)
{
	uint16_t number = link_table_find(o->table, peer);

	return number ? find_number(o, number) : NULL;
}

const struct link *overlay_link_to(const struct overlay *o, const struct relay_id *peer)
{
	const struct overlay_link *l = find_peer(o, peer);

	return l && l->usable ? &l->link : NULL;
}

int overlay_want(struct overlay *o, const struct relay *peer)
{
	const struct link *link = overlay_link_to(o, &peer->id);
	int number = link_table_number(o->table, &peer->id);
	uint8_t id[LINKS_CLIENT_ID_LEN];
	int r;

	if (number < 0)
		return number;
	if (o->c.keys) {
		r = links_want(o->links, peer, (uint16_t)number, NULL);
	} else {
		link_table_identity(o->table, &peer->id, id);
		r = links_want(o->links, peer, (uint16_t)number, id);
		if (r == 0)
			link_table_wanted(o->table, &peer->id);
	}
	return r == 0 && link ? 1 : r;
}

/* Otherwise what stands of it would be in the way of a link with another address, and nobody would take it away. */
void overlay_adopt(struct overlay *o, const struct link *link)
{
	if (link_table_find(o->table, &link->peer) == link->number && !find_number(o, link->number))
		link_attach(o, link, true);
}

void overlay_drop(struct overlay *o, const struct relay_id *peer)
{
	struct overlay_link *l = find_peer(o, peer);

	links_drop(o->links, peer);
	if (l && l->link.kind == LINK_KIND_GUARD)
		link_detach(l, true);
	if (!o->c.keys)
		link_table_dropped(o->table, peer);
}

void overlay_renew_identity(struct overlay *o)
{
	link_table_renew(o->table);
}

static void check(struct overlay_link *l)
{
	if (l->link.kind != LINK_KIND_GUARD || !l->usable || ev_is_active(&l->probe))
		return;
	probe_start(l);
}

void overlay_network_changed(struct overlay *o)
{
	struct overlay_link *l;

	for (l = o->by_number; l; l = l->by_number.next)
		check(l);
	links_hurry(o->links);
}

void overlay_doubt(struct overlay *o, const struct relay_id *peer)
{
	struct overlay_link *l = find_peer(o, peer);

	if (l)
		check(l);
}

bool overlay_ready(const struct overlay *o)
{
	return links_ready(o->links);
}

/* ---- for people ---- */

static const char *state_name(enum link_state s)
{
	static const char *const names[] = {
		[LINK_DOWN] = "down", [LINK_CONNECTING] = "connecting", [LINK_UP] = "up", [LINK_FAILED] = "failed"
	};

	return names[s];
}

struct json_walk {
	const struct overlay *o;
	json_t *list;
};

static void add_link(void *ctx, const struct link_info *info)
{
	const struct json_walk *w = ctx;
	const struct overlay_link *l = find_number(w->o, info->link.number);
	const char *state = info->state == LINK_UP && !(l && l->usable) ? "checking" : state_name(info->state);

	json_array_append_new(w->list, json_pack("{s:i, s:s, s:s, s:s, s:I, s:s, s:i, s:I, s:I}", "number",
						 (int)info->link.number, "kind",
						 info->link.kind == LINK_KIND_RELAY ? "relay" : "guard", "peer",
						 peer_name(w->o, &info->link.peer), "state", state, "since",
						 (json_int_t)(info->since / 1000), "error", info->last_error, "rekeys",
						 (int)info->rekeys, "bytes_in", (json_int_t)info->bytes_in, "bytes_out",
						 (json_int_t)info->bytes_out));
}

json_t *overlay_links_json(const struct overlay *o)
{
	struct json_walk w = { .o = o, .list = json_array() };

	if (o->c.keys && o->c.conf->guard)
		json_array_append_new(w.list, json_pack("{s:i, s:s, s:s, s:s, s:i}", "number", LINK_CLIENTS, "kind",
							"clients", "peer", "(anonymous clients)", "state", "up",
							"clients", (int)links_clients(o->links)));
	links_each(o->links, add_link, &w);
	return w.list;
}

json_t *overlay_charon_json(const struct overlay *o)
{
	char version[LINKS_VERSION_MAX] = "";

	links_charon_version(o->links, version);
	return json_pack("{s:s, s:s}", "state", links_ready(o->links) ? "ready" : "unreachable", "version", version);
}

size_t overlay_links_up(const struct overlay *o)
{
	const struct overlay_link *l;
	size_t n = 0;

	for (l = o->by_number; l; l = l->by_number.next)
		n += l->usable;
	return n;
}

int overlay_refresh(struct overlay *o, void (*done)(void *ctx, int error), void *ctx)
{
	return links_refresh(o->links, done, ctx);
}
