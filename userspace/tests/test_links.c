/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The link manager and the vici connection against a charon that is a small model: a list of SAs, of loaded
 * connections and of the commands that came, behind a real socket on the same event loop.
 */
#include "ike/links.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cmocka.h>

#include "ike/sa.h"
#include "ike/vici_conn.h"
#include "lib/secmem.h"
#include "model/overlay.h"

#define SESSIONS 4
#define SAS 8
#define CONNS 8
#define MTU 1400

/* ---- the model of charon ---- */

enum manner { ACCEPT, REFUSE, SILENT };

struct fake_sa {
	char conn[CONN_NAME_MAX];
	unsigned int id, child;
	bool up, ours;
	char vip[INET6_ADDRSTRLEN];
	char remote_vip[INET6_ADDRSTRLEN];
};

struct fake_conn {
	char name[CONN_NAME_MAX];
	uint8_t bytes[4096]; /* of load-conn's message */
	size_t len;
};

struct session {
	struct fake *fake;
	int fd; /* -1: free */
	ev_io io;
	uint8_t in[65536];
	size_t len;
	bool child_updown, log;
};

struct fake {
	struct ev_loop *loop;
	char dir[64], path[80];
	int fd;
	ev_io io;
	struct session sessions[SESSIONS];
	enum manner manner;
	bool mute; /* answers nothing */
	struct fake_sa sas[SAS];
	struct fake_conn conns[CONNS];
	unsigned int next_id;
	char vip[INET6_ADDRSTRLEN]; /* for the next initiation of a client */
	char key[256], pool[128];
	unsigned int n_key, n_psk, n_initiate, n_terminate, n_unload, n_list;
	unsigned int last_terminated;
	bool last_force;
};

static void send_msg(struct session *s, struct vici_msg *m)
{
	const uint8_t *p;
	size_t len;

	assert_int_equal(vici_msg_finish(m, &p, &len), 0);
	assert_int_equal(send(s->fd, p, len, MSG_NOSIGNAL), len);
	vici_msg_free(m);
}

static void answer(struct session *s, bool success)
{
	struct vici_msg *m = vici_msg_new(VICI_CMD_RESPONSE, NULL, false);

	vici_put(m, "success", success ? "yes" : "no");
	send_msg(s, m);
}

static void put_sa(struct vici_msg *m, const struct fake_sa *sa)
{
	vici_section_start(m, sa->conn);
	vici_putf(m, "uniqueid", "%u", sa->id);
	vici_put(m, "state", sa->up ? "ESTABLISHED" : "CONNECTING");
	if (sa->ours)
		vici_put(m, "initiator", "yes");
	if (sa->vip[0])
		vici_list_one(m, "local-vips", sa->vip);
	if (sa->remote_vip[0])
		vici_list_one(m, "remote-vips", sa->remote_vip);
	vici_section_start(m, "child-sas");
	if (sa->up) {
		vici_section_start(m, "link-x");
		vici_putf(m, "uniqueid", "%u", sa->child);
		vici_put(m, "state", "INSTALLED");
		vici_put(m, "bytes-in", "1000");
		vici_put(m, "bytes-out", "2000");
		vici_section_end(m);
	}
	vici_section_end(m);
	vici_section_end(m);
}

static void raise_event(struct fake *f, const char *event, const struct fake_sa *sa, bool up)
{
	for (size_t i = 0; i < SESSIONS; i++) {
		struct session *s = &f->sessions[i];
		struct vici_msg *m;

		if (s->fd < 0 || !s->child_updown)
			continue;
		m = vici_msg_new(VICI_EVENT, event, false);
		if (up)
			vici_put(m, "up", "yes");
		put_sa(m, sa);
		send_msg(s, m);
	}
}

static void raise_log(struct fake *f, const char *conn, const char *line)
{
	for (size_t i = 0; i < SESSIONS; i++) {
		struct session *s = &f->sessions[i];
		struct vici_msg *m;

		if (s->fd < 0 || !s->log)
			continue;
		m = vici_msg_new(VICI_EVENT, "log", false);
		vici_put(m, "ikesa-name", conn);
		vici_put(m, "msg", line);
		send_msg(s, m);
	}
}

static struct fake_sa *sa_add(struct fake *f, const char *conn, bool ours, bool up)
{
	for (size_t i = 0; i < SAS; i++) {
		struct fake_sa *sa = &f->sas[i];

		if (sa->id)
			continue;
		*sa = (struct fake_sa){ .id = ++f->next_id, .ours = ours, .up = up };
		sa->child = sa->id * 10;
		snprintf(sa->conn, sizeof(sa->conn), "%s", conn);
		if (strncmp(conn, CONN_GUARD, strlen(CONN_GUARD)) == 0)
			memcpy(sa->vip, f->vip, sizeof(sa->vip));
		return sa;
	}
	fail();
	return NULL;
}

static void sa_remove(struct fake *f, struct fake_sa *sa)
{
	struct fake_sa gone = *sa;

	sa->id = 0;
	raise_event(f, "child-updown", &gone, false);
}

static unsigned int sa_count(const struct fake *f)
{
	unsigned int n = 0;

	for (size_t i = 0; i < SAS; i++)
		n += f->sas[i].id != 0;
	return n;
}

static void do_list(struct session *s, const struct vici_view *request)
{
	struct fake *f = s->fake;

	f->n_list++;
	for (size_t i = 0; i < SAS; i++) {
		struct vici_view ike;
		struct vici_msg *m;

		if (!f->sas[i].id)
			continue;
		if (vici_find(request, "ike", VICI_VALUE, &ike) == 0 && !vici_view_is(&ike, f->sas[i].conn))
			continue;
		m = vici_msg_new(VICI_EVENT, "list-sa", false);
		put_sa(m, &f->sas[i]);
		send_msg(s, m);
	}
	send_msg(s, vici_msg_new(VICI_CMD_RESPONSE, NULL, false));
}

static void do_initiate(struct session *s, const struct vici_view *request)
{
	struct fake *f = s->fake;
	char conn[CONN_NAME_MAX];

	f->n_initiate++;
	assert_int_equal(vici_get_str(request, "ike", conn, sizeof(conn)), 0);
	assert_true(vici_is(request, "timeout", "-1"));
	if (f->manner == ACCEPT)
		raise_event(f, "child-updown", sa_add(f, conn, true, true), true);
	else if (f->manner == SILENT)
		sa_add(f, conn, true, false);
	else
		raise_log(f, conn, "received AUTHENTICATION_FAILED notify error");
	answer(s, true);
}

static void do_terminate(struct session *s, const struct vici_view *request)
{
	struct fake *f = s->fake;
	bool by_id = false;
	uint64_t id = 0;

	by_id = vici_get_u64(request, "ike-id", 10, UINT32_MAX, &id) == 0;
	f->n_terminate++;
	f->last_force = vici_is(request, "force", "yes");
	f->last_terminated = (unsigned int)id;
	for (size_t i = 0; i < SAS; i++)
		if (f->sas[i].id && (by_id ? f->sas[i].id == id : vici_is(request, "ike", f->sas[i].conn)))
			sa_remove(f, &f->sas[i]);
	answer(s, true);
}

static void do_load_conn(struct session *s, const struct vici_view *request)
{
	struct vici_view view = *request;
	struct vici_item item;
	struct fake_conn *free_one = NULL, *c = NULL;

	assert_true(vici_next(&view, &item));
	for (size_t i = 0; i < CONNS; i++) {
		if (vici_item_named(&item, s->fake->conns[i].name))
			c = &s->fake->conns[i];
		else if (!s->fake->conns[i].name[0] && !free_one)
			free_one = &s->fake->conns[i];
	}
	c = c ?: free_one;
	assert_non_null(c);
	memset(c->name, 0, sizeof(c->name));
	memcpy(c->name, item.name, item.name_len);
	assert_true(item.body.len <= sizeof(c->bytes));
	memcpy(c->bytes, item.body.p, item.body.len);
	c->len = item.body.len;
	answer(s, true);
}

static void do_unload(struct session *s, const struct vici_view *request)
{
	s->fake->n_unload++;
	for (size_t i = 0; i < CONNS; i++)
		if (vici_is(request, "name", s->fake->conns[i].name))
			memset(&s->fake->conns[i], 0, sizeof(s->fake->conns[i]));
	answer(s, true);
}

static void do_get_conns(struct session *s)
{
	struct vici_msg *m = vici_msg_new(VICI_CMD_RESPONSE, NULL, false);

	vici_list_start(m, "conns");
	for (size_t i = 0; i < CONNS; i++)
		if (s->fake->conns[i].name[0])
			vici_list_item(m, s->fake->conns[i].name);
	vici_list_end(m);
	send_msg(s, m);
}

static void command(struct session *s, const struct vici_packet *p)
{
	struct fake *f = s->fake;
	const struct vici_view *request = &p->message;

	if (strcmp(p->name, "version") == 0) {
		struct vici_msg *m = vici_msg_new(VICI_CMD_RESPONSE, NULL, false);

		vici_put(m, "version", "5.9.8");
		send_msg(s, m);
	} else if (strcmp(p->name, "load-key") == 0) {
		f->n_key++;
		assert_int_equal(vici_get_str(request, "data", f->key, sizeof(f->key)), 0);
		answer(s, true);
	} else if (strcmp(p->name, "load-shared") == 0) {
		f->n_psk++;
		answer(s, true);
	} else if (strcmp(p->name, "load-pool") == 0) {
		assert_int_equal(vici_get_str(request, "clients/addrs", f->pool, sizeof(f->pool)), 0);
		answer(s, true);
	} else if (strcmp(p->name, "load-conn") == 0) {
		do_load_conn(s, request);
	} else if (strcmp(p->name, "unload-conn") == 0) {
		do_unload(s, request);
	} else if (strcmp(p->name, "get-conns") == 0) {
		do_get_conns(s);
	} else if (strcmp(p->name, "list-sas") == 0) {
		do_list(s, request);
	} else if (strcmp(p->name, "initiate") == 0) {
		do_initiate(s, request);
	} else if (strcmp(p->name, "terminate") == 0) {
		do_terminate(s, request);
	} else {
		send_msg(s, vici_msg_new(VICI_CMD_UNKNOWN, NULL, false));
	}
}

static void session_packet(struct session *s, const struct vici_packet *p)
{
	bool on = p->type == VICI_EVENT_REGISTER;

	if (s->fake->mute)
		return;
	if (p->type == VICI_CMD_REQUEST) {
		command(s, p);
		return;
	}
	if (strcmp(p->name, "child-updown") == 0)
		s->child_updown = on;
	if (strcmp(p->name, "log") == 0)
		s->log = on;
	send_msg(s, vici_msg_new(strcmp(p->name, "no-such") ? VICI_EVENT_CONFIRM : VICI_EVENT_UNKNOWN, NULL, false));
}

static void session_close(struct session *s)
{
	if (s->fd < 0)
		return;
	ev_io_stop(s->fake->loop, &s->io);
	close(s->fd);
	s->fd = -1;
	s->len = 0;
	s->child_updown = s->log = false;
}

static void on_session(struct ev_loop *loop, ev_io *w, int revents)
{
	struct session *s = w->data;
	ssize_t n = recv(s->fd, s->in + s->len, sizeof(s->in) - s->len, 0);
	struct vici_packet p;
	size_t len;

	(void)loop;
	(void)revents;
	if (n <= 0) {
		session_close(s);
		return;
	}
	s->len += (size_t)n;
	while (s->fd >= 0 && s->len >= VICI_HEADER_LEN) {
		assert_int_equal(vici_header_parse(s->in, &len), 0);
		if (s->len < VICI_HEADER_LEN + len)
			break;
		assert_int_equal(vici_packet_parse(s->in + VICI_HEADER_LEN, len, &p), 0);
		session_packet(s, &p);
		s->len -= VICI_HEADER_LEN + len;
		memmove(s->in, s->in + VICI_HEADER_LEN + len, s->len);
	}
}

static void on_accept(struct ev_loop *loop, ev_io *w, int revents)
{
	struct fake *f = w->data;
	int fd = accept(f->fd, NULL, NULL);

	(void)revents;
	for (size_t i = 0; i < SESSIONS; i++) {
		struct session *s = &f->sessions[i];

		if (s->fd >= 0)
			continue;
		s->fake = f;
		s->fd = fd;
		ev_io_init(&s->io, on_session, fd, EV_READ);
		s->io.data = s;
		ev_io_start(loop, &s->io);
		return;
	}
	fail();
}

static void fake_listen(struct fake *f)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", f->path);
	f->fd = socket(AF_UNIX, SOCK_STREAM, 0);
	unlink(f->path);
	assert_int_equal(bind(f->fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(f->fd, 4), 0);
	ev_io_init(&f->io, on_accept, f->fd, EV_READ);
	f->io.data = f;
	ev_io_start(f->loop, &f->io);
}

static void fake_hang_up(struct fake *f)
{
	for (size_t i = 0; i < SESSIONS; i++)
		session_close(&f->sessions[i]);
}

/* As after kill -9 and a start: nothing loaded, no SAs. */
static void fake_restart(struct fake *f)
{
	fake_hang_up(f);
	memset(f->sas, 0, sizeof(f->sas));
	memset(f->conns, 0, sizeof(f->conns));
	f->next_id = 0;
}

/* ---- what the manager tells us ---- */

struct world {
	struct fake fake;
	struct links *links;
	struct links_config config;
	uint8_t *seed;
	struct relay relays[3];
	struct links_peer peers[3];
	unsigned int ups, downs, faileds, readies, losts, refreshed, arrivals, departures, listed;
	struct link last;
	char reason[LINKS_REASON_MAX];
};

static void on_up(void *ctx, const struct link *link)
{
	struct world *w = ctx;

	w->ups++;
	w->last = *link;
}

static void on_down(void *ctx, const struct link *link, const char *reason)
{
	struct world *w = ctx;

	w->downs++;
	w->last = *link;
	snprintf(w->reason, sizeof(w->reason), "%s", reason);
}

static void on_failed(void *ctx, const struct link *link, const char *reason)
{
	struct world *w = ctx;

	w->faileds++;
	w->last = *link;
	snprintf(w->reason, sizeof(w->reason), "%s", reason);
}

static void on_service(void *ctx, bool ready)
{
	struct world *w = ctx;

	if (ready)
		w->readies++;
	else
		w->losts++;
}

static void on_refreshed(void *ctx, int error)
{
	struct world *w = ctx;

	assert_int_equal(error, 0);
	w->refreshed++;
}

static void on_limit(struct ev_loop *loop, ev_timer *t, int revents)
{
	(void)revents;
	*(bool *)t->data = true;
	ev_break(loop, EVBREAK_ALL);
}

/* Run the loop until the expression holds, at most so many seconds; the value is the expression's. */
#define UNTIL(w, seconds, expr)                                                                                        \
	({                                                                                                             \
		bool over_ = false;                                                                                    \
		ev_timer limit_;                                                                                       \
		ev_timer_init(&limit_, on_limit, (seconds), 0.);                                                       \
		limit_.data = &over_;                                                                                  \
		ev_timer_start((w)->fake.loop, &limit_);                                                               \
		while (!(expr) && !over_)                                                                              \
			ev_run((w)->fake.loop, EVRUN_ONCE);                                                            \
		ev_timer_stop((w)->fake.loop, &limit_);                                                                \
		(expr);                                                                                                \
	})

/* The loop runs that long, whatever happens. */
#define RUN(w, seconds) (void)UNTIL(w, seconds, false)

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	w->fake.loop = ev_loop_new(0);
	snprintf(w->fake.dir, sizeof(w->fake.dir), "/tmp/test_links.XXXXXX");
	assert_non_null(mkdtemp(w->fake.dir));
	snprintf(w->fake.path, sizeof(w->fake.path), "%s/vici", w->fake.dir);
	for (size_t i = 0; i < SESSIONS; i++)
		w->fake.sessions[i].fd = -1;
	fake_listen(&w->fake);
	w->seed = secmem_alloc(LINKS_SEED_LEN);
	memset(w->seed, 0x5e, LINKS_SEED_LEN);
	for (size_t i = 0; i < 3; i++) {
		struct relay *r = &w->relays[i];

		memset(r->id.b, (int)(0x10 * (i + 1)), sizeof(r->id.b));
		memset(r->link_key, (int)(i + 1), sizeof(r->link_key));
		r->addr4.s_addr = htonl(0xc0000201 + (uint32_t)i);
		w->peers[i] = (struct links_peer){ .relay = r, .number = (uint16_t)(LINK_FIRST + i) };
	}
	w->config = (struct links_config){
		.loop = w->fake.loop,
		.vici_path = w->fake.path,
		.timing = { .connect_s = 1, .settle_s = 1, .retry_min_s = 1, .retry_max_s = 1, .resync_s = 100 },
		.up = on_up,
		.down = on_down,
		.failed = on_failed,
		.service = on_service,
		.ctx = w,
	};
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	links_free(w->links);
	secmem_free(w->seed);
	fake_hang_up(&w->fake);
	ev_io_stop(w->fake.loop, &w->fake.io);
	close(w->fake.fd);
	unlink(w->fake.path);
	rmdir(w->fake.dir);
	ev_loop_destroy(w->fake.loop);
	free(w);
	return 0;
}

/* We are relays[self]; then all is loaded. */
static void be_relay(struct world *w, size_t self, unsigned int roles)
{
	w->config.roles = roles;
	w->config.link_seed = w->seed;
	w->config.self = w->relays[self].id;
	w->config.public4 = w->relays[self].addr4;
	w->config.overlay_self = overlay_relay(&w->config.self);
	assert_int_equal(links_new(&w->config, &w->links), 0);
	assert_int_equal(links_set_network(w->links, MTU, w->peers, 3), 0);
	assert_true(UNTIL(w, 5, w->readies == 1));
}

/* Who we are to each guard. */
static const uint8_t client_id[3][LINKS_CLIENT_ID_LEN] = { { 0xc0 }, { 0xc1 }, { 0xc2 } };

/* What guard i gives the next client. */
static const char *pool_address(struct world *w, size_t i, uint64_t tail)
{
	struct in6_addr guard = overlay_relay(&w->relays[i].id), a = overlay_addr(&guard, LINK_CLIENTS, tail);

	assert_non_null(inet_ntop(AF_INET6, &a, w->fake.vip, sizeof(w->fake.vip)));
	return w->fake.vip;
}

static void be_client(struct world *w)
{
	w->config.roles = LINKS_CLIENT;
	assert_int_equal(links_new(&w->config, &w->links), 0);
	assert_int_equal(links_set_network(w->links, MTU, w->peers, 3), 0);
	assert_true(UNTIL(w, 5, w->readies == 1));
}

static const char *conn_of(const struct world *w, const char *prefix, size_t i)
{
	static char name[CONN_NAME_MAX];

	conn_name(prefix, &w->relays[i].id, name);
	return name;
}

static const struct fake_conn *loaded(const struct world *w, const char *name)
{
	for (size_t i = 0; i < CONNS; i++)
		if (strcmp(w->fake.conns[i].name, name) == 0)
			return &w->fake.conns[i];
	return NULL;
}

static struct vici_view settings(const struct world *w, const char *name)
{
	const struct fake_conn *c = loaded(w, name);

	assert_non_null(c);
	return (struct vici_view){ .p = c->bytes, .len = c->len };
}

static struct link_info info(const struct world *w, size_t i)
{
	struct link_info ret;

	assert_int_equal(links_get(w->links, &w->relays[i].id, &ret), 0);
	return ret;
}

/* ---- tests ---- */

static void assert_first(const struct vici_view *v, const char *path, const char *want)
{
	struct vici_view list;
	struct vici_item item;

	assert_int_equal(vici_find(v, path, VICI_LIST, &list), 0);
	assert_true(vici_next(&list, &item));
	if (!vici_view_is(&item.body, want))
		fail_msg("%s is %.*s", path, (int)item.body.len, item.body.p);
}

static void test_relay_setup(void **state)
{
	static const char *const conns[] = { "relay", "clients" };
	struct world *w = *state;
	uint8_t der[48];
	size_t len = 0;
	char version[LINKS_VERSION_MAX];

	be_relay(w, 0, LINKS_RELAY | LINKS_GUARD);
	assert_int_equal(links_charon_version(w->links, version), 0);
	assert_string_equal(version, "5.9.8");
	assert_int_equal(w->fake.n_key, 1);
	assert_int_equal(sodium_base642bin(der, sizeof(der), strchr(w->fake.key, '\n') + 1, 64, NULL, &len, NULL,
					   sodium_base64_VARIANT_ORIGINAL),
			 0);
	assert_int_equal(len, 48);
	assert_memory_equal(der + 16, w->seed, LINKS_SEED_LEN);
	assert_null(loaded(w, conn_of(w, CONN_RELAY, 0)));
	for (size_t i = 0; i < ARRAY_SIZE(conns); i++) {
		bool clients = strcmp(conns[i], "clients") == 0;
		struct vici_view v = settings(w, clients ? CONN_CLIENTS : conn_of(w, CONN_RELAY, 1));
		struct vici_view child;

		assert_true(vici_is(&v, "unique", "never"));
		assert_true(vici_is(&v, "mobike", "no"));
		assert_true(vici_is(&v, "local-1/auth", "pubkey"));
		assert_true(vici_is(&v, "remote-1/auth", clients ? "psk" : "pubkey"));
		assert_int_equal(vici_find(&v, clients ? "children/client" : "children/link", VICI_SECTION, &child), 0);
		assert_true(vici_is(&child, "copy_df", "no"));
		assert_true(vici_is(&child, "copy_ecn", "no"));
		assert_true(vici_is(&child, "copy_dscp", "no"));
		assert_true(vici_is(&child, "start_action", "none"));
		assert_true(vici_is(&child, "replay_window", "1024"));
		assert_true(vici_is(&child, "if_id_in", clients ? "1634664449" : "1634664451")); /* 0x616f0001, 3 */
		assert_first(&child, "esp_proposals", "aes128gcm16-x25519-esn");
		assert_first(&child, "remote_ts", clients ? "dynamic" : "0.0.0.0/0");
	}
	assert_non_null(strstr(w->fake.pool, ":1::1-"));
	assert_non_null(strstr(w->fake.pool, ":1::ffff"));
}

static void test_config(void **state)
{
	struct world *w = *state;
	struct links_peer twice[2] = { w->peers[1], w->peers[2] };

	w->config.roles = LINKS_RELAY | LINKS_CLIENT;
	assert_int_equal(links_new(&w->config, &w->links), -EINVAL);
	w->config.roles = LINKS_RELAY; /* without a key */
	assert_int_equal(links_new(&w->config, &w->links), -EINVAL);
	w->config.roles = LINKS_GUARD;
	w->config.link_seed = w->seed;
	assert_int_equal(links_new(&w->config, &w->links), -EINVAL);
	be_relay(w, 0, LINKS_RELAY);
	twice[0].number = twice[1].number;
	assert_int_equal(links_set_network(w->links, MTU, twice, 2), -EINVAL);
	twice[0].number = LINK_CLIENTS;
	assert_int_equal(links_set_network(w->links, MTU, twice, 2), -EINVAL);
	assert_int_equal(info(w, 1).link.number, LINK_FIRST + 1);
	assert_int_equal(links_want(w->links, &w->relays[0], 0, NULL), -ENOENT);
	w->relays[2].addr4.s_addr = 0;
	assert_int_equal(links_set_network(w->links, MTU, w->peers, 3), 0);
	assert_int_equal(links_want(w->links, &w->relays[2], 0, NULL), -EADDRNOTAVAIL);
}

static void test_want(void **state)
{
	struct world *w = *state;
	struct link_info i;

	be_relay(w, 0, LINKS_RELAY);
	assert_int_equal(info(w, 1).state, LINK_DOWN);
	assert_int_equal(links_want(w->links, &w->relays[1], 0, NULL), 0);
	assert_int_equal(w->ups, 0); /* never from within the call */
	assert_true(UNTIL(w, 5, w->ups == 1));
	assert_int_equal(links_want(w->links, &w->relays[1], 0, NULL), 0);
	RUN(w, 0.3);
	assert_int_equal(w->fake.n_initiate, 1);
	assert_int_equal(w->ups, 1);
	assert_int_equal(w->last.number, LINK_FIRST + 1);
	assert_memory_equal(&w->last.self, &w->config.overlay_self, sizeof(w->last.self));
	assert_int_equal(links_refresh(w->links, on_refreshed, w), 0);
	assert_true(UNTIL(w, 5, w->refreshed == 1));
	i = info(w, 1);
	assert_int_equal(i.state, LINK_UP);
	assert_int_equal(i.bytes_in, 1000);
	assert_int_equal(i.bytes_out, 2000);
	/* A relay that has no demand any more leaves the link to the other side's. */
	links_drop(w->links, &w->relays[1].id);
	RUN(w, 0.3);
	assert_int_equal(info(w, 1).state, LINK_UP);
	assert_int_equal(w->fake.n_terminate, 0);
}

static void test_peer_initiates(void **state)
{
	struct world *w = *state;
	struct fake_sa *sa;

	be_relay(w, 0, LINKS_RELAY);
	sa = sa_add(&w->fake, conn_of(w, CONN_RELAY, 1), false, true);
	raise_event(&w->fake, "child-updown", sa, true);
	assert_true(UNTIL(w, 5, w->ups == 1));
	/* Rekeying is no outage. */
	sa->child++;
	raise_event(&w->fake, "child-rekey", sa, true);
	assert_true(UNTIL(w, 5, info(w, 1).rekeys == 1));
	assert_int_equal(w->ups + w->downs, 1);
	/* Nobody here wants it: it goes and stays away. */
	sa_remove(&w->fake, sa);
	assert_true(UNTIL(w, 5, w->downs == 1));
	RUN(w, 0.3);
	assert_int_equal(w->fake.n_initiate, 0);
	assert_int_equal(info(w, 1).state, LINK_DOWN);
}

static void test_lost_is_made_again(void **state)
{
	struct world *w = *state;

	be_relay(w, 0, LINKS_RELAY);
	links_want(w->links, &w->relays[1], 0, NULL);
	assert_true(UNTIL(w, 5, w->ups == 1));
	sa_remove(&w->fake, &w->fake.sas[0]);
	assert_true(UNTIL(w, 5, w->ups == 2));
	assert_int_equal(w->downs, 1);
	assert_int_equal(w->fake.n_initiate, 2);
}

/* The network is another: what is up and carries nothing is made anew, and nobody waits for the end of a pause. */
static void test_network_moved(void **state)
{
	struct world *w = *state;

	w->config.timing.retry_min_s = w->config.timing.retry_max_s = 50;
	w->fake.manner = REFUSE;
	be_relay(w, 0, LINKS_RELAY);
	links_want(w->links, &w->relays[1], 0, NULL);
	assert_true(UNTIL(w, 5, w->faileds == 1));
	w->fake.manner = ACCEPT;
	RUN(w, 0.3);
	assert_int_equal(w->fake.n_initiate, 1);
	links_hurry(w->links);
	assert_true(UNTIL(w, 5, w->ups == 1));
	links_hurry(w->links);
	RUN(w, 0.3);
	assert_int_equal(w->downs, 0);
	links_restart(w->links, &w->relays[1].id);
	assert_true(UNTIL(w, 5, w->ups == 2));
	assert_int_equal(w->downs, 1);
	assert_int_equal(w->fake.n_terminate, 1);
	assert_true(w->fake.last_force);
	assert_int_equal(sa_count(&w->fake), 1);
}

static void test_missed_event(void **state)
{
	struct world *w = *state;

	w->config.timing.resync_s = 1;
	be_relay(w, 0, LINKS_RELAY);
	sa_add(&w->fake, conn_of(w, CONN_RELAY, 1), false, true);
	assert_true(UNTIL(w, 5, w->ups == 1));
	w->fake.sas[0].id = 0;
	assert_true(UNTIL(w, 5, w->downs == 1));
}

/* relays[0] has the lower identity: it reduces two to the newest, and only after a while. */
static void test_duplicates(void **state)
{
	struct world *w = *state;

	be_relay(w, 0, LINKS_RELAY);
	sa_add(&w->fake, conn_of(w, CONN_RELAY, 1), false, true);
	raise_event(&w->fake, "child-updown", sa_add(&w->fake, conn_of(w, CONN_RELAY, 1), true, true), true);
	assert_true(UNTIL(w, 5, w->ups == 1));
	RUN(w, 0.5);
	assert_int_equal(w->fake.n_terminate, 0);
	assert_true(UNTIL(w, 5, w->fake.n_terminate == 1));
	assert_int_equal(w->fake.last_terminated, 1);
	assert_false(w->fake.last_force);
	RUN(w, 0.3);
	assert_int_equal(sa_count(&w->fake), 1);
	assert_int_equal(w->ups, 1);
	assert_int_equal(w->downs, 0);
}

static void test_duplicates_other_side(void **state)
{
	struct world *w = *state;

	be_relay(w, 2, LINKS_RELAY);
	sa_add(&w->fake, conn_of(w, CONN_RELAY, 1), false, true);
	raise_event(&w->fake, "child-updown", sa_add(&w->fake, conn_of(w, CONN_RELAY, 1), true, true), true);
	assert_true(UNTIL(w, 5, w->ups == 1));
	RUN(w, 1.5);
	assert_int_equal(w->fake.n_terminate, 0);
}

static void test_refused(void **state)
{
	struct world *w = *state;

	w->fake.manner = REFUSE;
	be_relay(w, 0, LINKS_RELAY);
	links_want(w->links, &w->relays[1], 0, NULL);
	assert_true(UNTIL(w, 5, w->faileds == 1));
	assert_string_equal(w->reason, "the peer refused our identity");
	assert_int_equal(info(w, 1).state, LINK_FAILED);
	assert_true(info(w, 1).retry_at > 0);
	w->fake.manner = ACCEPT;
	assert_true(UNTIL(w, 5, w->ups == 1));
	assert_int_equal(w->fake.n_initiate, 2);
	assert_int_equal(w->downs, 0);
}

static void test_silent(void **state)
{
	struct world *w = *state;

	w->fake.manner = SILENT;
	be_relay(w, 0, LINKS_RELAY);
	links_want(w->links, &w->relays[1], 0, NULL);
	assert_true(UNTIL(w, 5, w->faileds == 1));
	assert_string_equal(w->reason, "no answer");
	assert_true(UNTIL(w, 5, sa_count(&w->fake) == 0));
	assert_true(w->fake.last_force);
	/* No demand, no more attempts. */
	links_drop(w->links, &w->relays[1].id);
	RUN(w, 1.5);
	assert_int_equal(w->fake.n_initiate, 1);
	assert_int_equal(info(w, 1).state, LINK_DOWN);
}

/* A restart of charon: everything is loaded again, and links come back although only the other side wants them. */
static void test_charon_restart(void **state)
{
	struct world *w = *state;

	be_relay(w, 0, LINKS_RELAY);
	raise_event(&w->fake, "child-updown", sa_add(&w->fake, conn_of(w, CONN_RELAY, 1), false, true), true);
	assert_true(UNTIL(w, 5, w->ups == 1));
	fake_restart(&w->fake);
	assert_true(UNTIL(w, 5, w->losts == 1));
	assert_int_equal(w->downs, 0); /* its SAs still forward */
	assert_int_equal(info(w, 1).state, LINK_UP);
	assert_int_equal(links_refresh(w->links, on_refreshed, w), -ENOTCONN);
	assert_true(UNTIL(w, 5, w->ups == 2));
	assert_int_equal(w->downs, 1);
	assert_int_equal(w->readies, 2);
	assert_int_equal(w->fake.n_key, 2);
	assert_non_null(loaded(w, conn_of(w, CONN_RELAY, 1)));
}

/* Only the connection was lost: nothing happens to the links. */
static void test_reconnect(void **state)
{
	struct world *w = *state;

	be_relay(w, 0, LINKS_RELAY);
	links_want(w->links, &w->relays[1], 0, NULL);
	assert_true(UNTIL(w, 5, w->ups == 1));
	fake_hang_up(&w->fake);
	assert_true(UNTIL(w, 5, w->readies == 2));
	RUN(w, 0.3);
	assert_int_equal(w->ups + w->downs, 1);
	assert_int_equal(w->fake.n_initiate, 1);
}

/* SAs older than us are taken over; those of a relay that left the network meanwhile go, and its connection too. */
static void test_adopt(void **state)
{
	struct world *w = *state;
	struct relay_id gone = { .b = { 9 } };
	char name[CONN_NAME_MAX];

	sa_add(&w->fake, conn_of(w, CONN_RELAY, 1), false, true);
	conn_name(CONN_RELAY, &gone, name);
	memcpy(w->fake.conns[0].name, name, sizeof(name));
	sa_add(&w->fake, name, false, true);
	be_relay(w, 0, LINKS_RELAY);
	assert_true(UNTIL(w, 5, w->ups == 1 && sa_count(&w->fake) == 1 && w->fake.n_unload > 0));
	assert_null(loaded(w, name));
	assert_int_equal(w->fake.n_initiate, 0);
	assert_int_equal(w->downs, 0);
}

static void test_network_change(void **state)
{
	struct world *w = *state;

	be_relay(w, 0, LINKS_RELAY);
	links_want(w->links, &w->relays[1], 0, NULL);
	links_want(w->links, &w->relays[2], 0, NULL);
	assert_true(UNTIL(w, 5, w->ups == 2));
	/* Another key: what was made with the old one is closed. */
	w->relays[2].link_key[0] ^= 1;
	assert_int_equal(links_set_network(w->links, MTU, w->peers, 3), 0);
	assert_true(UNTIL(w, 5, w->ups == 3));
	assert_int_equal(w->fake.n_unload, 0);
	/* Gone. */
	w->downs = 0;
	assert_int_equal(links_set_network(w->links, MTU, w->peers, 2), 0);
	assert_int_equal(w->downs, 1);
	assert_string_equal(w->reason, "removed from the network");
	assert_false(links_idle(w->links));
	assert_true(UNTIL(w, 5, links_idle(w->links)));
	assert_null(loaded(w, conn_of(w, CONN_RELAY, 2)));
	assert_non_null(loaded(w, conn_of(w, CONN_RELAY, 1)));
	assert_int_equal(sa_count(&w->fake), 1);
	assert_int_equal(links_want(w->links, &w->relays[2], 0, NULL), -ENOENT);
	/* Back in a network of another MTU: that is for links that begin. */
	assert_int_equal(w->last.mtu, MTU);
	assert_int_equal(links_set_network(w->links, MTU + 1, w->peers, 3), 0);
	links_want(w->links, &w->relays[2], 0, NULL);
	assert_true(UNTIL(w, 5, w->ups == 4));
	assert_int_equal(w->last.mtu, MTU + 1);
}

static void test_clients_are_counted(void **state)
{
	struct world *w = *state;
	struct fake_sa *sa;

	be_relay(w, 0, LINKS_RELAY | LINKS_GUARD);
	sa = sa_add(&w->fake, CONN_CLIENTS, false, true);
	raise_event(&w->fake, "ike-updown", sa, true);
	assert_true(UNTIL(w, 5, links_clients(w->links) == 1));
	sa_add(&w->fake, CONN_CLIENTS, false, true);
	links_refresh(w->links, on_refreshed, w);
	assert_true(UNTIL(w, 5, w->refreshed == 1));
	assert_int_equal(links_clients(w->links), 2);
	raise_event(&w->fake, "ike-updown", sa, false);
	assert_true(UNTIL(w, 5, links_clients(w->links) == 1));
	assert_int_equal(w->ups + w->downs + w->fake.n_terminate, 0);
}

static void on_a_client(void *ctx, const struct in6_addr *addr, bool here)
{
	struct world *w = ctx;

	(void)addr;
	w->arrivals += here;
	w->departures += !here;
}

static void on_listed(void *ctx)
{
	((struct world *)ctx)->listed++;
}

static void look(struct world *w)
{
	unsigned int before = w->refreshed;

	assert_int_equal(links_refresh(w->links, on_refreshed, w), 0);
	assert_true(UNTIL(w, 5, w->refreshed == before + 1));
}

/* Who shapes what goes to clients must know their addresses, by whatever charon tells first. */
static void test_clients_are_known(void **state)
{
	struct world *w = *state;
	struct fake_sa *first, *again;
	struct in6_addr a, b;

	w->config.client = on_a_client;
	w->config.clients_listed = on_listed;
	be_relay(w, 0, LINKS_RELAY | LINKS_GUARD);
	assert_int_equal(w->listed, 1);
	first = sa_add(&w->fake, CONN_CLIENTS, false, true);
	/* the IKE SA is up before it has an address */
	raise_event(&w->fake, "ike-updown", first, true);
	strcpy(first->remote_vip, "fd01::1:0:0:5");
	inet_pton(AF_INET6, first->remote_vip, &a);
	raise_event(&w->fake, "child-updown", first, true);
	assert_true(UNTIL(w, 5, w->arrivals == 1));
	assert_true(links_has_client(w->links, &a));
	look(w); /* a look does not lose it: it asks for no children of clients */
	assert_int_equal(w->arrivals + w->departures, 1);
	/* it comes back with the same address before the old SA is found dead */
	again = sa_add(&w->fake, CONN_CLIENTS, false, true);
	memcpy(again->remote_vip, first->remote_vip, sizeof(first->remote_vip));
	raise_event(&w->fake, "child-updown", again, true);
	raise_event(&w->fake, "ike-updown", first, false);
	first->id = 0;
	look(w);
	assert_int_equal(w->arrivals + w->departures, 1);
	assert_true(links_has_client(w->links, &a));
	/* rekeyed: another IKE SA, with no word of the old one; and one that only a look tells of */
	again->id += 100;
	first = sa_add(&w->fake, CONN_CLIENTS, false, true);
	strcpy(first->remote_vip, "fd01::1:0:0:6");
	inet_pton(AF_INET6, first->remote_vip, &b);
	look(w);
	assert_int_equal(w->arrivals, 2);
	assert_int_equal(w->departures, 0);
	assert_true(links_has_client(w->links, &b));
	/* what a look does not show any more has left */
	again->id = 0;
	look(w);
	assert_int_equal(w->departures, 1);
	assert_false(links_has_client(w->links, &a));
	assert_int_equal(w->listed, 5);
}

static void test_client(void **state)
{
	struct world *w = *state;
	struct in6_addr a;
	struct vici_view v;

	pool_address(w, 1, 5);
	be_client(w);
	assert_int_equal(w->fake.n_key, 0);
	assert_int_equal(links_want(w->links, &w->relays[1], LINK_CLIENTS, client_id[1]), -EINVAL);
	assert_int_equal(links_want(w->links, &w->relays[1], 7, client_id[1]), 0);
	assert_int_equal(links_want(w->links, &w->relays[2], 7, client_id[2]), -EEXIST);
	assert_true(UNTIL(w, 5, w->ups == 1));
	inet_pton(AF_INET6, w->fake.vip, &a);
	assert_memory_equal(&w->last.self, &a, sizeof(a));
	v = settings(w, conn_of(w, CONN_GUARD, 1));
	assert_true(vici_is(&v, "encap", "yes"));
	assert_true(vici_is(&v, "mobike", "no")); /* it would tell the guard all our addresses */
	assert_true(vici_is(&v, "remote_port", "4500"));
	assert_true(vici_is(&v, "local-1/auth", "psk"));
	assert_true(vici_is(&v, "local-1/id", "@#c1000000000000000000000000000000"));
	assert_true(vici_is(&v, "remote-1/auth", "pubkey"));
	assert_true(vici_is(&v, "children/link/set_mark_out", "1634598978")); /* 0x616e0042 */
	assert_first(&v, "vips", "::");
	assert_first(&v, "children/link/local_ts", "dynamic");
	/* Another address is another link end. */
	memcpy(w->fake.sas[0].vip, pool_address(w, 1, 6), sizeof(w->fake.sas[0].vip));
	raise_event(&w->fake, "child-updown", &w->fake.sas[0], true);
	assert_true(UNTIL(w, 5, w->ups == 2));
	assert_int_equal(w->downs, 1);
	links_drop(w->links, &w->relays[1].id);
	assert_int_equal(w->downs, 2);
	assert_true(UNTIL(w, 5, links_idle(w->links)));
	assert_int_equal(sa_count(&w->fake), 0);
	assert_null(loaded(w, conn_of(w, CONN_GUARD, 1)));
}

/* Without an address from the pool there is no link. */
static void test_client_without_address(void **state)
{
	struct world *w = *state;

	be_client(w);
	links_want(w->links, &w->relays[1], 7, client_id[1]);
	assert_true(UNTIL(w, 5, w->faileds == 1));
	assert_int_equal(w->ups, 0);
}

static void check_misfit(struct world *w, const char *address)
{
	unsigned int before = w->faileds;

	snprintf(w->fake.vip, sizeof(w->fake.vip), "%s", address);
	if (!UNTIL(w, 5, w->faileds > before))
		fail_msg("%s was taken", address);
	assert_string_equal(w->reason, "the guard gave us an address outside its pool");
	assert_true(UNTIL(w, 5, sa_count(&w->fake) == 0)); /* and the SA is closed */
}

/* An address that is not the guard's to give: another prefix, a relay's link, the guard's own, beyond its pool. */
static void test_client_foreign_address(void **state)
{
	struct world *w = *state;
	struct in6_addr guard = overlay_relay(&w->relays[1].id);
	struct in6_addr other = overlay_relay(&w->relays[2].id);
	struct in6_addr cases[] = {
		overlay_addr(&other, LINK_CLIENTS, 5), overlay_addr(&guard, LINK_FIRST, 5),
		overlay_addr(&guard, LINK_INNER, 5),   guard,
		overlay_addr(&guard, LINK_CLIENTS, 0), overlay_addr(&guard, LINK_CLIENTS, 0x10005),
	};
	char text[INET6_ADDRSTRLEN];

	snprintf(w->fake.vip, sizeof(w->fake.vip), "2001:db8::5");
	be_client(w);
	links_want(w->links, &w->relays[1], 7, client_id[1]);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		check_misfit(w, inet_ntop(AF_INET6, &cases[i], text, sizeof(text)));
	assert_int_equal(w->ups, 0);
	pool_address(w, 1, 5);
	assert_true(UNTIL(w, 5, w->ups == 1));
	/* Nor later. */
	memcpy(w->fake.sas[0].vip, pool_address(w, 2, 5), sizeof(w->fake.sas[0].vip));
	raise_event(&w->fake, "child-updown", &w->fake.sas[0], true);
	assert_true(UNTIL(w, 5, w->downs == 1));
	assert_int_equal(w->ups, 1);
}

/* After a restart of ours the demand may come a moment late: an SA of a guard is not closed at first sight. */
static void test_client_stranger(void **state)
{
	struct world *w = *state;

	w->config.timing.resync_s = 1;
	pool_address(w, 1, 5);
	sa_add(&w->fake, conn_of(w, CONN_GUARD, 0), true, true);
	sa_add(&w->fake, conn_of(w, CONN_GUARD, 1), true, true);
	be_client(w);
	RUN(w, 0.3);
	assert_int_equal(sa_count(&w->fake), 2);
	links_want(w->links, &w->relays[1], 7, client_id[1]);
	assert_true(UNTIL(w, 5, w->ups == 1));
	assert_int_equal(w->fake.n_initiate, 0);
	assert_true(UNTIL(w, 5, sa_count(&w->fake) == 1));
	assert_string_equal(w->fake.sas[1].conn, conn_of(w, CONN_GUARD, 1));
}

/* Whoever is calling just now has no name yet: nobody's call is cut off because somebody looks at the list. */
static void test_caller_without_name(void **state)
{
	struct world *w = *state;

	w->config.timing.resync_s = 1;
	sa_add(&w->fake, "(unnamed)", false, false);
	sa_add(&w->fake, "relay-that-left", true, true);
	be_relay(w, 0, LINKS_RELAY | LINKS_GUARD);
	assert_true(UNTIL(w, 5, sa_count(&w->fake) == 1));
	RUN(w, 2.5);
	assert_int_equal(sa_count(&w->fake), 1);
	assert_int_equal(w->fake.n_terminate, 1);
	assert_string_equal(w->fake.sas[0].conn, "(unnamed)");
}

/* ---- the connection by itself ---- */

struct user {
	unsigned int ready, lost, done, events;
	int error;
};

static void user_ready(void *ctx)
{
	((struct user *)ctx)->ready++;
}

static void user_lost(void *ctx, int error)
{
	((struct user *)ctx)->lost++;
	((struct user *)ctx)->error = error;
}

static void user_event(void *ctx, const char *name, const struct vici_view *message)
{
	(void)name;
	(void)message;
	((struct user *)ctx)->events++;
}

static void user_done(void *ctx, int error, const struct vici_view *view)
{
	assert_true((error == 0) == (view != NULL));
	((struct user *)ctx)->done++;
	((struct user *)ctx)->error = error;
}

static const struct vici_conn_ops user_ops = { .ready = user_ready, .lost = user_lost, .event = user_event };

static struct vici_msg *request(const char *name)
{
	return vici_msg_new(VICI_CMD_REQUEST, name, false);
}

static void test_conn_commands(void **state)
{
	struct world *w = *state;
	struct user u = { 0 };
	struct vici_conn *c;

	assert_int_equal(vici_conn_new(w->fake.loop, w->fake.path, &user_ops, &u, &c), 0);
	assert_int_equal(vici_conn_call(c, request("version"), 1, NULL, user_done, &u), -ENOTCONN);
	assert_int_equal(vici_conn_subscribe(c, "no-such", true), 0);
	assert_true(UNTIL(w, 5, u.ready == 1));
	assert_int_equal(vici_conn_call(c, request("version"), 1, NULL, user_done, &u), 0);
	assert_int_equal(vici_conn_call(c, request("dance"), 1, NULL, user_done, &u), 0);
	assert_int_equal(u.done, 0);
	assert_true(UNTIL(w, 5, u.done == 2));
	assert_int_equal(u.error, -EOPNOTSUPP);
	/* The queue has an end, and freeing tells everybody. */
	w->fake.mute = true;
	for (int i = 0; i < VICI_QUEUE_MAX; i++)
		assert_int_equal(vici_conn_call(c, request("version"), 9, NULL, user_done, &u), 0);
	assert_int_equal(vici_conn_call(c, request("version"), 9, NULL, user_done, &u), -EBUSY);
	vici_conn_free(c);
	assert_int_equal(u.done, 2 + VICI_QUEUE_MAX);
	assert_int_equal(u.error, -ECANCELED);
	assert_int_equal(u.lost, 0);
}

static void test_conn_timeout(void **state)
{
	struct world *w = *state;
	struct user u = { 0 };
	struct vici_conn *c;

	assert_int_equal(vici_conn_new(w->fake.loop, w->fake.path, &user_ops, &u, &c), 0);
	assert_true(UNTIL(w, 5, u.ready == 1));
	w->fake.mute = true;
	assert_int_equal(vici_conn_call(c, request("version"), 0.2, NULL, user_done, &u), 0);
	assert_true(UNTIL(w, 5, u.lost == 1));
	assert_int_equal(u.done, 1);
	assert_int_equal(u.error, -ETIMEDOUT);
	w->fake.mute = false;
	fake_hang_up(&w->fake); /* those that it did not answer while mute */
	assert_true(UNTIL(w, 5, u.ready == 2));
	vici_conn_free(c);
}

/* Whatever charon sends: the connection is dropped and made again, nothing worse. */
static void test_conn_garbage(void **state)
{
	static const struct {
		size_t len;
		uint8_t bytes[8];
	} cases[] = {
		{ 4, { 0xff, 0xff, 0xff, 0xff } },     /* far too long */
		{ 4, { 0, 0, 0, 0 } },		       /* empty */
		{ 6, { 0, 0, 0, 2, 7, 9 } },	       /* an event with a cut name */
		{ 5, { 0, 0, 0, 1, 1 } },	       /* an answer to nothing */
		{ 5, { 0, 0, 0, 1, 5 } },	       /* a confirmation of nothing */
		{ 8, { 0, 0, 0, 4, 0, 2, 'h', 'i' } }, /* a request */
	};
	struct world *w = *state;
	struct user u = { 0 };
	struct vici_conn *c;

	assert_int_equal(vici_conn_new(w->fake.loop, w->fake.path, &user_ops, &u, &c), 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_true(UNTIL(w, 5, u.ready == i + 1));
		assert_int_equal(send(w->fake.sessions[0].fd, cases[i].bytes, cases[i].len, 0), cases[i].len);
		assert_true(UNTIL(w, 5, u.lost == i + 1));
		/* Both of its sockets are closed by now, or will be. */
		assert_true(UNTIL(w, 5, w->fake.sessions[0].fd < 0 && w->fake.sessions[1].fd < 0));
	}
	vici_conn_free(c);
}

/* A packet of the largest size, in as many pieces as the socket likes, then ordinary ones. */
static void test_conn_large_event(void **state)
{
	struct world *w = *state;
	struct user u = { 0 };
	struct vici_conn *c;
	uint8_t *value = calloc(1, VICI_VALUE_MAX);
	struct vici_msg *m = vici_msg_new(VICI_EVENT, "child-updown", false);
	const uint8_t *p;
	size_t len, sent = 0;

	for (int i = 0; i < 7; i++)
		vici_put_bytes(m, "k", value, VICI_VALUE_MAX);
	assert_int_equal(vici_msg_finish(m, &p, &len), 0);
	assert_int_equal(vici_conn_new(w->fake.loop, w->fake.path, &user_ops, &u, &c), 0);
	vici_conn_subscribe(c, "child-updown", true);
	assert_true(UNTIL(w, 5, u.ready == 1));
	for (size_t i = 0; i < SESSIONS; i++) {
		struct session *s = &w->fake.sessions[i];

		while (s->child_updown && sent < len) {
			ssize_t n = send(s->fd, p + sent, len - sent, MSG_DONTWAIT);

			if (n > 0)
				sent += (size_t)n;
			else
				ev_run(w->fake.loop, EVRUN_NOWAIT);
		}
	}
	assert_true(UNTIL(w, 5, u.events == 1));
	raise_event(&w->fake, "child-updown", &(struct fake_sa){ .id = 1 }, true);
	assert_true(UNTIL(w, 5, u.events == 2));
	vici_conn_free(c);
	vici_msg_free(m);
	free(value);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_relay_setup),
		TEST(test_config),
		TEST(test_want),
		TEST(test_peer_initiates),
		TEST(test_lost_is_made_again),
		TEST(test_network_moved),
		TEST(test_missed_event),
		TEST(test_duplicates),
		TEST(test_duplicates_other_side),
		TEST(test_refused),
		TEST(test_silent),
		TEST(test_charon_restart),
		TEST(test_reconnect),
		TEST(test_adopt),
		TEST(test_network_change),
		TEST(test_clients_are_counted),
		TEST(test_clients_are_known),
		TEST(test_client),
		TEST(test_client_without_address),
		TEST(test_client_foreign_address),
		TEST(test_client_stranger),
		TEST(test_caller_without_name),
		TEST(test_conn_commands),
		TEST(test_conn_timeout),
		TEST(test_conn_garbage),
		TEST(test_conn_large_event),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
