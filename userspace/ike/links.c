/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One job at a time goes to charon; what is to be done next is always read off the present wishes (next_job), so that
 * nothing stale waits in a queue.
 */
#include "ike/links.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "ike/charon_msg.h"
#include "ike/clients.h"
#include "ike/peer.h"
#include "ike/sa.h"
#include "ike/stranger.h"
#include "ike/vici_conn.h"
#include "lib/clock.h"
#include "lib/secmem.h"

#define COMMAND_TIMEOUT_S 10 /* charon is on this machine */
#define LIST_TIMEOUT_S 60    /* it looks at each SA in turn */
#define SETUP_RETRY_S 5	     /* after charon refused something */
#define WAITERS_MAX 16	     /* links_refresh at one time */

enum job {
	JOB_NONE,
	/* Setup, in this order, each time that charon appears. */
	JOB_VERSION,
	JOB_KEY,
	JOB_PSK,
	JOB_POOL,
	JOB_CLIENTS,
	JOB_CONNS,
	JOB_SETUP_END,
	/* For a connection that must go. */
	JOB_UNLOAD,
	JOB_TERMINATE,
	/* For one peer. */
	JOB_LOAD,
	JOB_KILL,
	JOB_INITIATE,
	JOB_LIST,
	/* For all. */
	JOB_LIST_ALL,
};

/* A connection that charon is to close, and (unload) to forget. */
struct removal {
	struct removal *next;
	char conn[CONN_NAME_MAX];
	bool unload;
};

struct waiter {
	void (*done)(void *ctx, int error);
	void *ctx;
};

struct links {
	struct links_config config; /* vici_path is not ours to use after links_new */
	uint8_t own_key[32];	    /* public */
	struct vici_conn *conn;
	char version[LINKS_VERSION_MAX];

	struct peer *peers, *by_number; /* hashes */
	struct peer *queue, **queue_tail;
	struct peer *dead; /* freed when nothing of ours is on the stack */
	struct removal *removals, **removals_tail;
	struct stranger *strangers;
	uint64_t serials;
	unsigned int n_connecting; /* while there are any, charon's log tells why they fail */

	enum job setup;	    /* next step, JOB_SETUP_END: all done */
	bool network_known; /* links_set_network was called: before it we remove nothing */
	bool want_list_all;
	bool ready; /* as told to `service` */
	enum job job;
	struct relay_id job_peer;
	uint64_t job_serial;
	size_t clients, clients_seen;
	struct clients addrs; /* of clients; only if `client` asks */
	struct waiter waiters[WAITERS_MAX];
	unsigned int n_waiters, n_waiters_listed; /* those before the running list began */
	ev_timer resync, retry;
};

static void next_job(struct links *l);

/* ---- peers ---- */

static struct peer *peer_find(const struct links *l, const struct relay_id *id)
{
	struct peer *p;

	HASH_FIND(hh, l->peers, id, sizeof(*id), p);
	return p;
}

static const char *prefix_of(enum link_kind kind)
{
	return kind == LINK_KIND_GUARD ? CONN_GUARD : CONN_RELAY;
}

static enum link_kind own_kind(const struct links *l)
{
	return l->config.roles & LINKS_CLIENT ? LINK_KIND_GUARD : LINK_KIND_RELAY;
}

static struct peer *peer_of_conn(const struct links *l, const char *name, size_t len)
{
	struct relay_id id;

	if (conn_name_parse(name, len, prefix_of(own_kind(l)), &id) < 0)
		return NULL;
	return peer_find(l, &id);
}

/* After anything was done to a peer: put its wishes in the queue, set its timer, watch the log for it. */
static void peer_sync(struct peer *p)
{
	struct links *l = p->links;
	uint64_t now = clock_monotonic_ms(), at;
	bool counted = p->state == LINK_CONNECTING && !p->dead;

	if (counted != p->counted) {
		l->n_connecting += counted ? 1 : -1u;
		p->counted = counted;
		/* Failing, we would only miss the reason of a failure. */
		(void)vici_conn_subscribe(l->conn, "log", l->n_connecting > 0);
	}
	ev_timer_stop(l->config.loop, &p->timer);
	at = p->dead ? 0 : peer_wake_at(p, now);
	if (at > 0) {
		ev_timer_set(&p->timer, at > now ? (double)(at - now) / 1000. : 0., 0.);
		ev_timer_start(l->config.loop, &p->timer);
	}
	if (!p->dead && !p->queued && peer_has_wish(p)) {
		p->queued = true;
		p->next = NULL;
		*l->queue_tail = p;
		l->queue_tail = &p->next;
	}
}

static void on_peer_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct peer *p = w->data;

	(void)loop;
	(void)revents;
	peer_timer(p, clock_monotonic_ms());
	peer_sync(p);
	next_job(p->links);
}

static int peer_add(struct links *l, enum link_kind kind, const struct relay *relay, uint16_t number,
		    struct peer **ret_peer)
{
	struct peer *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->links = l;
	p->serial = ++l->serials;
	ev_timer_init(&p->timer, on_peer_timer, 0., 0.);
	p->timer.data = p;
	peer_init(p, &l->config, kind, relay, number, clock_monotonic_ms());
	HASH_ADD(hh, l->peers, link.peer, sizeof(p->link.peer), p);
	HASH_ADD(by_number, l->by_number, link.number, sizeof(p->link.number), p);
	*ret_peer = p;
	return 0;
}

static void queue_remove(struct links *l, struct peer *p)
{
	struct peer **at = &l->queue;

	while (*at && *at != p)
		at = &(*at)->next;
	if (!*at)
		return;
	*at = p->next;
	if (l->queue_tail == &p->next)
		l->queue_tail = at;
	p->queued = false;
}

static void removal_add(struct links *l, const char *conn, bool unload)
{
	struct removal *r = calloc(1, sizeof(*r));

	/* Out of memory: the next look finds it as a stranger. */
	if (!r)
		return;
	memcpy(r->conn, conn, strnlen(conn, CONN_NAME_MAX - 1));
	r->unload = unload;
	*l->removals_tail = r;
	l->removals_tail = &r->next;
}

static void removals_free(struct links *l)
{
	struct removal *r;

	while ((r = l->removals)) {
		l->removals = r->next;
		free(r);
	}
	l->removals_tail = &l->removals;
}

/* Forget a peer and have charon forget it. It may be on the stack, so its memory goes later. */
static void peer_remove(struct peer *p, const char *reason)
{
	struct links *l = p->links;
	char conn[CONN_NAME_MAX];

	conn_name(prefix_of(p->link.kind), &p->link.peer, conn);
	HASH_DELETE(hh, l->peers, p);
	HASH_DELETE(by_number, l->by_number, p);
	if (p->queued)
		queue_remove(l, p);
	p->dead = true;
	peer_sync(p);
	p->next = l->dead;
	l->dead = p;
	removal_add(l, conn, true);
	if (p->state == LINK_UP)
		l->config.down(l->config.ctx, &p->link, reason);
}

static void reap(struct links *l)
{
	struct peer *p;

	while ((p = l->dead)) {
		l->dead = p->next;
		free(p);
	}
}

static void report(struct peer *p, enum peer_outcome outcome)
{
	const struct links_config *c = &p->links->config;
	struct link link = p->link;
	char reason[LINKS_REASON_MAX];

	memcpy(reason, p->last_error, sizeof(reason));
	switch (outcome) {
	case PEER_SAME:
		break;
	case PEER_UP:
		c->up(c->ctx, &link);
		break;
	case PEER_DOWN:
		c->down(c->ctx, &link, reason);
		break;
	case PEER_MOVED:
		c->down(c->ctx, &link, reason);
		if (!p->dead)
			c->up(c->ctx, &link);
		break;
	case PEER_FAILED:
		c->failed(c->ctx, &link, reason);
		break;
	}
}

/* Wishes and timer first: the callbacks may change them again. */
static void peer_done(struct peer *p, enum peer_outcome outcome)
{
	peer_sync(p);
	report(p, outcome);
}

static void look_end(struct peer *p)
{
	peer_done(p, peer_look_end(p, &p->links->config.timing, &rng_system, clock_monotonic_ms()));
}

/* ---- strangers ---- */

static bool stranger_known(void *ctx, const char *conn)
{
	return peer_of_conn(ctx, conn, strlen(conn)) != NULL;
}

static void stranger_remove(void *ctx, const char *conn)
{
	removal_add(ctx, conn, true);
}

static void judge_strangers(struct links *l)
{
	static const struct stranger_ops ops = { .known = stranger_known, .remove = stranger_remove };

	/* A relay knows its network; a client's demand may take a moment to come after a restart. */
	strangers_judge(&l->strangers, l->config.roles & LINKS_CLIENT ? 1 : 0, &ops, l);
}

/* ---- jobs ---- */

static bool is_guard(const struct links *l)
{
	return l->config.roles & LINKS_GUARD;
}

static struct vici_msg *setup_msg(const struct links *l)
{
	const struct links_config *c = &l->config;

	switch (l->setup) {
	case JOB_VERSION:
		return msg_plain("version");
	case JOB_KEY:
		return msg_load_key(c->link_seed);
	case JOB_PSK:
		return msg_load_psk();
	case JOB_POOL:
		return msg_load_pool(&c->overlay_self, c->clients_max);
	case JOB_CLIENTS:
		return msg_load_clients(c, l->own_key);
	default:
		return msg_plain("get-conns");
	}
}

static bool setup_applies(const struct links *l)
{
	switch (l->setup) {
	case JOB_KEY:
		return l->config.roles & LINKS_RELAY;
	case JOB_PSK:
		return l->config.roles & (LINKS_GUARD | LINKS_CLIENT);
	case JOB_POOL:
	case JOB_CLIENTS:
		return is_guard(l);
	case JOB_CONNS: /* a client's leftovers without SAs do no harm, those with SAs are strangers */
		return l->config.roles & LINKS_RELAY;
	default:
		return true;
	}
}

static struct vici_msg *peer_msg(const struct peer *p, enum job job)
{
	const struct links *l = p->links;
	char conn[CONN_NAME_MAX];

	conn_name(prefix_of(p->link.kind), &p->link.peer, conn);
	switch (job) {
	case JOB_LOAD:
		if (p->link.kind == LINK_KIND_GUARD)
			return msg_load_guard(&l->config, p->client_id, &p->relay, p->link.number, p->prefer6);
		return msg_load_relay(&l->config, l->own_key, &p->relay, p->link.number, p->prefer6);
	case JOB_KILL:
		return msg_terminate(p->kill[p->n_kill - 1], p->kill_force);
	case JOB_INITIATE:
		return msg_initiate(conn);
	default:
		return msg_list(conn);
	}
}

static enum job peer_job(const struct peer *p)
{
	if (p->need_load)
		return JOB_LOAD;
	if (p->n_kill > 0)
		return JOB_KILL;
	return p->need_initiate ? JOB_INITIATE : JOB_LIST;
}

static void wish_taken(struct peer *p, enum job job)
{
	if (job == JOB_LOAD)
		p->need_load = false;
	else if (job == JOB_KILL)
		p->n_kill--;
	else if (job == JOB_INITIATE)
		p->need_initiate = false;
	else
		p->need_list = false;
}

/* The queue's first peer leaves it for one job; peer_sync puts it back at the end if it has more wishes. */
static struct vici_msg *take_peer_job(struct links *l)
{
	struct peer *p = l->queue;
	struct vici_msg *m;

	queue_remove(l, p);
	l->job = peer_job(p);
	l->job_peer = p->link.peer;
	l->job_serial = p->serial;
	m = peer_msg(p, l->job);
	wish_taken(p, l->job);
	if (l->job == JOB_LIST)
		peer_look_begin(p);
	peer_sync(p);
	return m;
}

static struct vici_msg *take_list_all(struct links *l)
{
	struct peer *p, *next;

	l->job = JOB_LIST_ALL;
	l->want_list_all = false;
	l->clients_seen = 0;
	l->n_waiters_listed = l->n_waiters;
	clients_list_begin(&l->addrs);
	HASH_ITER (hh, l->peers, p, next)
		peer_look_begin(p);
	return msg_list(NULL);
}

/* What to do now: setup, then what must go, then the peers, and the whole list when they are done for the moment
 * (it cannot starve: a peer's wishes are few, and once ready it goes first). */
static struct vici_msg *take_job(struct links *l)
{
	while (l->setup < JOB_SETUP_END && !setup_applies(l))
		l->setup++;
	if (l->setup > JOB_VERSION && !l->network_known)
		return NULL;
	if (l->setup < JOB_SETUP_END) {
		l->job = l->setup;
		return setup_msg(l);
	}
	if (l->removals) {
		l->job = l->removals->unload ? JOB_UNLOAD : JOB_TERMINATE;
		return l->removals->unload ? msg_unload(l->removals->conn) : msg_terminate_conn(l->removals->conn);
	}
	if (l->want_list_all && (l->ready || !l->queue))
		return take_list_all(l);
	return l->queue ? take_peer_job(l) : NULL;
}

static void on_done(void *ctx, int error, const struct vici_view *answer);

static void client_seen(struct links *l, const struct sa *sa)
{
	if (l->config.client && sa->established && sa->has_remote_vip)
		clients_seen(&l->addrs, sa->ike_id, &sa->remote_vip);
}

/* Until a caller has proved who it is, charon has no name for it, "(unnamed)", and it may be anybody: it is left alone.
 */
static void on_part(void *ctx, const struct vici_view *message)
{
	struct links *l = ctx;
	struct vici_view view = *message;
	struct vici_item item;
	struct peer *p;
	struct sa sa;

	while (vici_next(&view, &item)) {
		if (item.kind != VICI_SECTION || sa_parse(&item.body, &sa) < 0)
			continue;
		if (vici_item_named(&item, CONN_CLIENTS) && is_guard(l))
			client_seen(l, &sa);
		p = peer_of_conn(l, item.name, item.name_len);
		if (p && p->look.active)
			peer_look_sa(p, &sa);
		else if (!p && l->job == JOB_LIST_ALL && vici_item_named(&item, CONN_CLIENTS) && is_guard(l))
			l->clients_seen += sa.established;
		else if (!p && l->job == JOB_LIST_ALL && sa.established)
			stranger_seen(&l->strangers, item.name, item.name_len);
	}
}

static void next_job(struct links *l)
{
	bool list;
	struct vici_msg *m;

	if (l->job != JOB_NONE || !vici_conn_is_ready(l->conn) || ev_is_active(&l->retry))
		return;
	m = take_job(l);
	if (l->job == JOB_NONE)
		return;
	list = l->job == JOB_LIST || l->job == JOB_LIST_ALL;
	if (vici_conn_call(l->conn, m, list ? LIST_TIMEOUT_S : COMMAND_TIMEOUT_S, on_part, on_done, l) < 0) {
		/* Out of memory. The wish is lost, the next resync finds what is missing. */
		l->job = JOB_NONE;
		ev_timer_set(&l->retry, SETUP_RETRY_S, 0.);
		ev_timer_start(l->config.loop, &l->retry);
	}
}

/* ---- answers ---- */

static void conns_judge(struct links *l, const struct vici_view *answer)
{
	struct vici_view conns;
	struct vici_item item;
	char conn[CONN_NAME_MAX];

	if (vici_find(answer, "conns", VICI_LIST, &conns) < 0)
		return;
	while (vici_next(&conns, &item)) {
		const char *name = (const char *)item.body.p;
		bool clients = vici_view_is(&item.body, CONN_CLIENTS);

		if (clients ? is_guard(l) : peer_of_conn(l, name, item.body.len) != NULL)
			continue;
		/* charon is ours alone: what we do not know is a relay that left, or a role that we gave up. */
		if (item.body.len >= sizeof(conn) || memchr(name, 0, item.body.len))
			continue;
		memcpy(conn, name, item.body.len);
		conn[item.body.len] = '\0';
		removal_add(l, conn, true);
	}
}

static void setup_done(struct links *l, bool success, const struct vici_view *answer)
{
	/* A pool of another size is refused while it has leases: the old one does until charon restarts. */
	if (!success && (l->job == JOB_KEY || l->job == JOB_PSK || l->job == JOB_CLIENTS)) {
		ev_timer_set(&l->retry, SETUP_RETRY_S, 0.);
		ev_timer_start(l->config.loop, &l->retry);
		return;
	}
	if (l->job == JOB_VERSION && vici_get_str(answer, "version", l->version, sizeof(l->version)) < 0)
		strcpy(l->version, "?");
	if (l->job == JOB_CONNS)
		conns_judge(l, answer);
	l->setup = l->job + 1;
}

static void removal_done(struct links *l)
{
	struct removal *r = l->removals;

	if (r->unload) {
		r->unload = false; /* now terminate its SAs */
		return;
	}
	l->removals = r->next;
	if (!l->removals)
		l->removals_tail = &l->removals;
	free(r);
}

static void peer_answer(struct links *l, struct peer *p, enum job job, bool success)
{
	const struct links_timing *timing = &l->config.timing;
	uint64_t now = clock_monotonic_ms();
	enum peer_outcome outcome = PEER_SAME;

	if (job == JOB_LIST) {
		if (p->look.active)
			look_end(p);
		return;
	}
	if (job == JOB_INITIATE && p->state == LINK_CONNECTING && success)
		peer_initiated(p, timing, now);
	else if (job == JOB_INITIATE && p->state == LINK_CONNECTING)
		outcome = peer_failed(p, timing, &rng_system, now, "charon cannot initiate");
	else if (job == JOB_LOAD && !success && p->state != LINK_UP)
		outcome = peer_failed(p, timing, &rng_system, now, "charon refused the connection's settings");
	peer_done(p, outcome);
}

static void list_all_done(struct links *l)
{
	struct waiter waiters[WAITERS_MAX];
	unsigned int n = l->n_waiters_listed;
	struct peer *p, *next;

	l->clients = l->clients_seen;
	clients_list_end(&l->addrs);
	if (l->config.clients_listed)
		l->config.clients_listed(l->config.ctx);
	judge_strangers(l);
	if (!l->ready) {
		l->ready = true;
		l->config.service(l->config.ctx, true);
	}
	/* A callback may remove peers: the removed stay in memory until the next reap, their links to others too. */
	HASH_ITER (hh, l->peers, p, next)
		if (!p->dead && p->look.active)
			look_end(p);
	memcpy(waiters, l->waiters, n * sizeof(*waiters));
	memmove(l->waiters, l->waiters + n, (l->n_waiters - n) * sizeof(*waiters));
	l->n_waiters -= n;
	l->n_waiters_listed = 0;
	for (unsigned int i = 0; i < n; i++)
		waiters[i].done(waiters[i].ctx, 0);
}

static void on_done(void *ctx, int error, const struct vici_view *answer)
{
	struct links *l = ctx;
	enum job job = l->job;
	bool success = error == 0 && (vici_is(answer, "success", "yes") || job == JOB_VERSION || job == JOB_CONNS);
	static const struct vici_view nothing;
	struct peer *p = NULL;

	/* The connection is lost, on_lost or links_free follows. */
	if (error < 0 && error != -EOPNOTSUPP)
		return;
	reap(l);
	if (job < JOB_SETUP_END) {
		setup_done(l, success, answer ? answer : &nothing);
	} else if (job == JOB_UNLOAD || job == JOB_TERMINATE) {
		removal_done(l);
	} else if (job == JOB_LIST_ALL) {
		list_all_done(l);
	} else {
		p = peer_find(l, &l->job_peer);
		if (p && p->serial == l->job_serial)
			peer_answer(l, p, job, success);
	}
	l->job = JOB_NONE;
	next_job(l);
}

/* ---- charon comes and goes ---- */

static void on_ready(void *ctx)
{
	struct links *l = ctx;
	struct peer *p, *next;

	reap(l);
	l->setup = JOB_VERSION;
	l->job = JOB_NONE;
	l->want_list_all = true;
	HASH_ITER (hh, l->peers, p, next) {
		peer_ready(p, clock_monotonic_ms());
		peer_sync(p);
	}
	ev_timer_stop(l->config.loop, &l->retry);
	next_job(l);
}

static void waiters_fail(struct links *l, int error)
{
	struct waiter waiters[WAITERS_MAX];
	unsigned int n = l->n_waiters;

	memcpy(waiters, l->waiters, n * sizeof(*waiters));
	l->n_waiters = l->n_waiters_listed = 0;
	for (unsigned int i = 0; i < n; i++)
		waiters[i].done(waiters[i].ctx, error);
}

static void on_lost(void *ctx, int error)
{
	struct links *l = ctx;
	bool told = l->ready;
	struct peer *p, *next;

	reap(l);
	l->job = JOB_NONE;
	l->ready = false;
	l->version[0] = '\0';
	removals_free(l);
	strangers_free(&l->strangers);
	ev_timer_stop(l->config.loop, &l->retry);
	while (l->queue)
		queue_remove(l, l->queue);
	HASH_ITER (hh, l->peers, p, next) {
		peer_lost(p);
		peer_sync(p);
	}
	waiters_fail(l, error);
	if (told)
		l->config.service(l->config.ctx, false);
}

/* The guard's clients. An IKE SA has its address only when its CHILD SA comes. */
static void clients_event(struct links *l, const char *event, bool up, const struct vici_view *section)
{
	struct sa sa;

	if (sa_parse(section, &sa) == 0) {
		if (up)
			client_seen(l, &sa);
		else if (strcmp(event, "ike-updown") == 0)
			clients_gone(&l->addrs, sa.ike_id);
	}
	if (strcmp(event, "ike-updown") != 0)
		return;
	if (up)
		l->clients++;
	else if (l->clients > 0)
		l->clients--;
}

static void log_event(struct links *l, const struct vici_view *message)
{
	struct vici_view conn, line;
	struct peer *p;

	if (vici_find(message, "ikesa-name", VICI_VALUE, &conn) < 0 || vici_find(message, "msg", VICI_VALUE, &line) < 0)
		return;
	p = peer_of_conn(l, (const char *)conn.p, conn.len);
	if (p)
		peer_hint(p, &line);
}

static void on_event(void *ctx, const char *name, const struct vici_view *message)
{
	struct links *l = ctx;
	struct vici_view view = *message;
	bool up = vici_is(message, "up", "yes"); /* a down event lacks it */
	struct vici_item item;
	struct peer *p;

	reap(l);
	if (strcmp(name, "log") == 0) {
		log_event(l, message);
		return;
	}
	while (vici_next(&view, &item)) {
		if (item.kind != VICI_SECTION)
			continue;
		if (vici_item_named(&item, CONN_CLIENTS)) {
			clients_event(l, name, up, &item.body);
			continue;
		}
		p = peer_of_conn(l, item.name, item.name_len);
		if (!p)
			continue;
		p->need_list = true;
		peer_sync(p);
	}
	next_job(l);
}

static void on_resync(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct links *l = w->data;

	(void)loop;
	(void)revents;
	reap(l);
	l->want_list_all = true;
	next_job(l);
}

static void on_retry(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct links *l = w->data;

	(void)loop;
	(void)revents;
	reap(l);
	next_job(l);
}

/* ---- the caller's side ---- */

static int config_check(const struct links_config *c)
{
	unsigned int roles = c->roles & (LINKS_RELAY | LINKS_GUARD | LINKS_CLIENT);
	bool relay = roles == LINKS_RELAY || roles == (LINKS_RELAY | LINKS_GUARD);

	if (roles != c->roles || !(relay || roles == LINKS_CLIENT))
		return -EINVAL;
	if (relay != (c->link_seed != NULL) || c->clients_max > LINKS_CLIENTS_MAX)
		return -EINVAL;
	return c->up && c->down && c->failed && c->service ? 0 : -EINVAL;
}

static void timing_defaults(struct links_timing *t)
{
	static const struct links_timing defaults = {
		.dpd_s = 10,
		.rekey_child_s = 3600,
		.rekey_ike_s = 14400,
		.connect_s = 20,
		.retry_min_s = 1,
		.retry_max_s = 60,
		.settle_s = 3,
		.resync_s = 60,
	};

	t->dpd_s = t->dpd_s ?: defaults.dpd_s;
	t->rekey_child_s = t->rekey_child_s ?: defaults.rekey_child_s;
	t->rekey_ike_s = t->rekey_ike_s ?: defaults.rekey_ike_s;
	t->connect_s = t->connect_s ?: defaults.connect_s;
	t->retry_min_s = t->retry_min_s ?: defaults.retry_min_s;
	t->retry_max_s = t->retry_max_s ?: defaults.retry_max_s;
	t->settle_s = t->settle_s ?: defaults.settle_s;
	t->resync_s = t->resync_s ?: defaults.resync_s;
}

static int public_key(struct links *l)
{
	_cleanup_secmem_ uint8_t *secret = secmem_alloc(crypto_sign_SECRETKEYBYTES);

	if (!secret)
		return -ENOMEM;
	crypto_sign_seed_keypair(l->own_key, secret, l->config.link_seed);
	return 0;
}

static int connect_charon(struct links *l)
{
	static const struct vici_conn_ops ops = { .ready = on_ready, .lost = on_lost, .event = on_event };
	static const char *const events[] = { "ike-updown", "child-updown", "ike-rekey", "child-rekey", "ike-update" };
	int r = vici_conn_new(l->config.loop, l->config.vici_path, &ops, l, &l->conn);

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(events); i++)
		r = vici_conn_subscribe(l->conn, events[i], true);
	return r;
}

int links_new(const struct links_config *config, struct links **ret_links)
{
	struct links *l;
	int r = config_check(config);

	if (r < 0)
		return r;
	l = calloc(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	l->config = *config;
	l->config.clients_max = config->clients_max ?: LINKS_CLIENTS_MAX;
	timing_defaults(&l->config.timing);
	l->addrs.fn = config->client;
	l->addrs.ctx = config->ctx;
	l->queue_tail = &l->queue;
	l->removals_tail = &l->removals;
	ev_timer_init(&l->retry, on_retry, 0., 0.);
	l->retry.data = l;
	ev_timer_init(&l->resync, on_resync, l->config.timing.resync_s, l->config.timing.resync_s);
	l->resync.data = l;
	ev_timer_start(l->config.loop, &l->resync);
	if (config->link_seed)
		r = public_key(l);
	if (r == 0)
		r = connect_charon(l);
	if (r < 0) {
		links_free(l);
		return r;
	}
	*ret_links = l;
	return 0;
}

void links_free(struct links *l)
{
	struct peer *p, *next;

	if (!l)
		return;
	vici_conn_free(l->conn);
	ev_timer_stop(l->config.loop, &l->resync);
	ev_timer_stop(l->config.loop, &l->retry);
	removals_free(l);
	strangers_free(&l->strangers);
	clients_clear(&l->addrs);
	HASH_CLEAR(by_number, l->by_number);
	HASH_ITER (hh, l->peers, p, next) {
		HASH_DELETE(hh, l->peers, p);
		ev_timer_stop(l->config.loop, &p->timer);
		free(p);
	}
	reap(l);
	free(l);
}

static int number_compare(const void *a, const void *b)
{
	const struct links_peer *const *x = a, *const *y = b;

	return (*x)->number - (*y)->number;
}

static bool is_self(const struct links *l, const struct relay *relay)
{
	return l->config.roles & LINKS_RELAY && memcmp(&l->config.self, &relay->id, sizeof(relay->id)) == 0;
}

/* Numbers in range, none twice. sorted: room for n pointers. */
static int numbers_check(const struct links *l, const struct links_peer *peers, size_t n,
			 const struct links_peer **sorted)
{
	size_t m = 0;

	for (size_t i = 0; i < n; i++) {
		if (is_self(l, peers[i].relay))
			continue;
		if (peers[i].number < LINK_FIRST || peers[i].number > LINK_LAST)
			return -EINVAL;
		sorted[m++] = &peers[i];
	}
	qsort(sorted, m, sizeof(*sorted), number_compare);
	for (size_t i = 1; i < m; i++)
		if (sorted[i]->number == sorted[i - 1]->number)
			return -EINVAL;
	return 0;
}

/* The new network's peers by identity, to see who is gone. */
struct member {
	const struct links_peer *peer;
	struct relay_id id;
	UT_hash_handle hh;
};

static void members_free(struct member **table)
{
	HASH_CLEAR(hh, *table);
}

static void update_peer(struct links *l, struct peer *p, const struct relay *relay)
{
	char conn[CONN_NAME_MAX];

	if (peer_update(p, &l->config, relay)) {
		conn_name(prefix_of(p->link.kind), &p->link.peer, conn);
		removal_add(l, conn, false);
	}
	peer_sync(p);
}

static int add_missing(struct links *l, const struct links_peer *peers, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct peer *p = peer_find(l, &peers[i].relay->id);
		int r = 0;

		if (!p && !is_self(l, peers[i].relay))
			r = peer_add(l, LINK_KIND_RELAY, peers[i].relay, peers[i].number, &p);
		if (r < 0)
			return r;
		if (p)
			peer_sync(p);
	}
	return 0;
}

int links_set_network(struct links *l, uint16_t link_mtu, const struct links_peer *peers, size_t n)
{
	_cleanup_free_ const struct links_peer **sorted = calloc(n + 1, sizeof(const struct links_peer *));
	_cleanup_free_ struct member *members = calloc(n + 1, sizeof(*members));
	_cleanup_(members_free) struct member *table = NULL;
	bool client = l->config.roles & LINKS_CLIENT;
	struct peer *p, *next;
	int r = 0;

	if (!sorted || !members)
		return -ENOMEM;
	if (!client)
		r = numbers_check(l, peers, n, sorted);
	if (r < 0)
		return r; /* cppcheck-suppress memleak ; freed by its attribute */
	l->config.link_mtu = link_mtu;
	for (size_t i = 0; i < n; i++) {
		members[i].peer = &peers[i];
		members[i].id = peers[i].relay->id;
		HASH_ADD(hh, table, id, sizeof(members[i].id), &members[i]);
	}
	HASH_ITER (hh, l->peers, p, next) {
		struct member *m;

		HASH_FIND(hh, table, &p->link.peer, sizeof(p->link.peer), m);
		if (p->dead) /* by a callback of this loop */
			continue;
		/* Another number is another link: its interface and addresses hang on it. */
		if (!m || (!client && m->peer->number != p->link.number))
			peer_remove(p, m ? "its number changed" : "removed from the network");
		else
			update_peer(l, p, m->peer->relay);
	}
	if (!client)
		r = add_missing(l, peers, n);
	l->network_known = true;
	next_job(l);
	return r;
}

int links_want(struct links *l, const struct relay *relay, uint16_t number,
	       const uint8_t client_id[LINKS_CLIENT_ID_LEN])
{
	struct peer *p = peer_find(l, &relay->id), *other;
	int r = 0;

	if (!p && l->config.roles & LINKS_RELAY)
		return -ENOENT;
	if (!p) {
		if (number < LINK_FIRST || number > LINK_LAST || !client_id)
			return -EINVAL;
		HASH_FIND(by_number, l->by_number, &number, sizeof(number), other);
		if (other)
			return -EEXIST;
		if (relay->addr4.s_addr == 0 && IN6_IS_ADDR_UNSPECIFIED(&relay->addr6))
			return -EADDRNOTAVAIL;
		r = peer_add(l, LINK_KIND_GUARD, relay, number, &p);
		if (r < 0)
			return r;
		memcpy(p->client_id, client_id, sizeof(p->client_id));
	}
	if (!p->usable4 && !p->usable6)
		return -EADDRNOTAVAIL;
	peer_want(p, true, clock_monotonic_ms());
	peer_sync(p);
	next_job(l);
	return 0;
}

void links_hurry(struct links *l)
{
	struct peer *p, *next;

	HASH_ITER (hh, l->peers, p, next) {
		peer_hurry(p, clock_monotonic_ms());
		peer_sync(p);
	}
}

void links_restart(struct links *l, const struct relay_id *peer)
{
	struct peer *p = peer_find(l, peer);

	if (!p)
		return;
	peer_restart(p);
	peer_sync(p);
	next_job(l);
}

void links_drop(struct links *l, const struct relay_id *peer)
{
	struct peer *p = peer_find(l, peer);

	if (!p)
		return;
	if (p->link.kind == LINK_KIND_GUARD) {
		peer_remove(p, "not wanted any more");
	} else {
		peer_want(p, false, clock_monotonic_ms());
		peer_sync(p);
	}
	next_job(l);
}

static struct link_info info_of(const struct peer *p)
{
	struct link_info info = {
		.link = p->link,
		.state = p->state,
		.wanted = p->wanted,
		.since = p->since,
		.retry_at = p->state == LINK_FAILED ? p->retry_at : 0,
		.ike_id = p->ike_id,
		.rekeys = p->rekeys,
		.bytes_in = p->bytes_in,
		.bytes_out = p->bytes_out,
	};

	memcpy(info.last_error, p->last_error, sizeof(info.last_error));
	return info;
}

int links_get(const struct links *l, const struct relay_id *peer, struct link_info *ret_info)
{
	const struct peer *p = peer_find(l, peer);

	if (!p)
		return -ENOENT;
	*ret_info = info_of(p);
	return 0;
}

void links_each(const struct links *l, void (*fn)(void *ctx, const struct link_info *info), void *ctx)
{
	struct peer *p, *next;

	HASH_ITER (hh, l->peers, p, next) {
		struct link_info info = info_of(p);

		fn(ctx, &info);
	}
}

int links_refresh(struct links *l, void (*done)(void *ctx, int error), void *ctx)
{
	if (!l->ready)
		return -ENOTCONN;
	if (l->n_waiters == WAITERS_MAX)
		return -EBUSY;
	l->waiters[l->n_waiters++] = (struct waiter){ .done = done, .ctx = ctx };
	l->want_list_all = true;
	next_job(l);
	return 0;
}

size_t links_clients(const struct links *l)
{
	return l->clients;
}

void links_each_client(const struct links *l, void (*fn)(void *ctx, const struct in6_addr *addr), void *ctx)
{
	clients_each(&l->addrs, fn, ctx);
}

bool links_has_client(const struct links *l, const struct in6_addr *addr)
{
	return clients_has(&l->addrs, addr);
}

bool links_ready(const struct links *l)
{
	return l->ready;
}

bool links_idle(const struct links *l)
{
	return !vici_conn_is_ready(l->conn) || (l->job == JOB_NONE && !l->removals);
}

int links_charon_version(const struct links *l, char ret_version[LINKS_VERSION_MAX])
{
	if (l->version[0] == '\0')
		return -ENOTCONN;
	memcpy(ret_version, l->version, sizeof(l->version));
	return 0;
}
