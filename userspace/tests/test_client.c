/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The client's role over a kernel that is a list and without charon: what becomes of kill switches when anond starts,
 * when circuits are lost, and when something cannot be written or done.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <ftw.h>
#include <net/if.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "anond/client_role.h"
#include "anond/client_state.h"
#include "anond/control.h"
#include "anond/guards_file.h"
#include "anond/link_table.h"
#include "anond/overlay.h"
#include "anond/record.h"
#include "anond/selections.h"
#include "directory/file.h"
#include "kernel/fake.h"
#include "lib/base64.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/reply.h"
#include "lib/secmem.h"
#include "model/overlay.h"
#include "model/relay_traits.h"
#include "plan/plan.h"

#define RELAYS 5
#define ATTEMPT_MS 20
#define SLOW_ATTEMPT_MS 1000 /* where a test looks at it half-way, on a machine that is busy */
#define TO "203.0.113.0/24"

struct world {
	struct ev_loop *loop;
	char run[64];
	struct config *conf;
	struct network *net;
	struct kernel *kernel;
	struct client_role *role;
	struct control *control;
};

/* ---- the world ---- */

static struct network *make_net(uint64_t now)
{
	uint8_t seed[32] = { 1 }, public_key[32], secret[64];
	struct relay relays[RELAYS] = { 0 };
	struct network net = { .valid_from = now - 10,
			       .valid_until = now + 86400,
			       .link_mtu = 1418,
			       .n_relays = RELAYS,
			       .relays = relays };
	char sig[NETWORK_SIG_TEXT], *text = NULL;
	struct network *ret = NULL;
	struct error err;
	size_t len;

	crypto_sign_seed_keypair(public_key, secret, seed);
	for (uint8_t i = 0; i < RELAYS; i++) {
		struct relay *r = &relays[i];

		snprintf(r->name, sizeof(r->name), "r%d", i + 1);
		memset(r->id.b, 0x10 + i, sizeof(r->id.b));
		memset(r->onion_key, 0x20 + i, sizeof(r->onion_key));
		memset(r->link_key, 0x30 + i, sizeof(r->link_key));
		r->onion_key_id = i + 1u;
		r->addr4.s_addr = htonl(0xc0000201 + i);
		r->guard = r->exit = true;
	}
	if (network_make(&net, &text, &len, &err) < 0)
		fail_msg("%s", err.text);
	network_sign(text, len, seed, sig);
	if (network_parse(text, len, sig, strlen(sig), public_key, now, &ret, &err) < 0)
		fail_msg("%s", err.text);
	free(text);
	return ret;
}

static void on_request(void *ctx, struct control_conn *conn, const char *cmd, const json_t *args)
{
	struct world *w = ctx;

	if (strcmp(cmd, "circuit up") == 0)
		client_role_up(w->role, conn, args);
	else if (strcmp(cmd, "circuit new") == 0)
		client_role_renew(w->role, conn, args);
	else if (strcmp(cmd, "circuit down") == 0)
		client_role_down(w->role, conn, args);
	else if (strcmp(cmd, "probe") == 0)
		client_role_probe(w->role, conn, args);
	else
		client_role_show(w->role, conn, args);
}

static void on_closed(void *ctx, struct control_conn *conn)
{
	client_role_closed(((struct world *)ctx)->role, conn);
}

static const struct control_ops ops = { .request = on_request, .closed = on_closed };

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	char text[320], control[80];
	struct error err;

	*state = w;
	log_set_level(LOG_EMERG);
	w->loop = ev_loop_new(0);
	snprintf(w->run, sizeof(w->run), "/tmp/test_client.XXXXXX");
	if (!mkdtemp(w->run) || kernel_fake_new(&w->kernel) < 0)
		return -1;
	snprintf(text, sizeof(text),
		 "network-key = \"AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=\"\nrun = \"%s\"\nstate = \"%s\"\n"
		 "vici = \"%s/vici\"\n",
		 w->run, w->run, w->run);
	if (config_parse(text, "f", &w->conf, &err) < 0)
		return -1;
	w->conf->timing.link_timeout_ms = ATTEMPT_MS; /* no charon: each attempt ends here */
	w->net = make_net(clock_wall_s());
	snprintf(control, sizeof(control), "%s/control", w->run);
	return control_new(w->loop, control, &ops, w, &w->control);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int teardown(void **state)
{
	struct world *w = *state;

	client_role_free(w->role, true);
	control_free(w->control);
	kernel_free(w->kernel);
	network_free(w->net);
	config_free(w->conf);
	ev_loop_destroy(w->loop);
	nftw(w->run, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(w);
	return 0;
}

static void start(struct world *w)
{
	const struct client_role_config c = {
		.loop = w->loop, .kernel = w->kernel, .conf = w->conf, .net = w->net, .echo = NULL
	};
	_cleanup_plan_ struct plan base = { 0 };
	struct error err = { "" };

	assert_int_equal(plan_base(&base), 0); /* the daemon's part */
	assert_int_equal(kernel_apply(w->kernel, &base), 0);
	if (client_role_new(&c, &w->role, &err) < 0)
		fail_msg("%s", err.text);
}

static void stop(struct world *w)
{
	client_role_free(w->role, true);
	w->role = NULL;
}

static void on_over(struct ev_loop *loop, ev_timer *t, int events)
{
	(void)events;
	*(bool *)t->data = true;
	ev_break(loop, EVBREAK_ALL);
}

#define UNTIL(w, seconds, expr)                                                                                        \
	({                                                                                                             \
		bool over_ = false;                                                                                    \
		ev_timer limit_;                                                                                       \
		ev_timer_init(&limit_, on_over, (seconds), 0.);                                                        \
		limit_.data = &over_;                                                                                  \
		ev_timer_start((w)->loop, &limit_);                                                                    \
		while (!(expr) && !over_)                                                                              \
			ev_run((w)->loop, EVRUN_ONCE);                                                                 \
		ev_timer_stop((w)->loop, &limit_);                                                                     \
		(expr);                                                                                                \
	})

/* ---- what a user does ---- */

static bool has_line(int fd, char *buf, size_t size, size_t *len)
{
	ssize_t n = recv(fd, buf + *len, size - 1 - *len, MSG_DONTWAIT);

	if (n > 0)
		*len += (size_t)n;
	buf[*len] = '\0';
	return strchr(buf, '\n');
}

/* The code of the answer; its body is in *ret, if asked for. */
static int ask(struct world *w, const char *cmd, const char *args, json_t **ret)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), code;
	char buf[8192] = "", request[512];
	size_t len = 0;

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/control", w->run);
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	snprintf(request, sizeof(request), "{\"cmd\":\"%s\",\"args\":%s}\n", cmd, args);
	assert_int_equal(send(fd, request, strlen(request), 0), strlen(request));
	if (!UNTIL(w, 10, has_line(fd, buf, sizeof(buf), &len)))
		fail_msg("no answer to %s %s", cmd, args);
	close(fd);
	code = atoi(buf);
	if (ret)
		*ret = json_loads(strchr(buf, ' '), 0, NULL);
	return code;
}

static char *text_of(struct world *w, uint32_t id, const char *member)
{
	static char text[256];
	json_t *list = client_role_list_json(w->role), *c;
	size_t i;

	snprintf(text, sizeof(text), "no such circuit");
	json_array_foreach (list, i, c) {
		const char *s = json_string_value(json_object_get(c, member));

		if (json_integer_value(json_object_get(c, "id")) == id)
			snprintf(text, sizeof(text), "%s", s ? s : "");
	}
	json_decref(list);
	return text;
}

#define assert_text(w, id, member, want) assert_string_equal(text_of(w, id, member), want)
#define STATE(w, id) text_of(w, id, "state")

/* ---- what is in the kernel ---- */

static bool has_chain(const struct world *w, const char *name)
{
	const struct plan *p = kernel_fake_objects(w->kernel);

	for (size_t i = 0; i < p->n; i++)
		if (p->v[i].type == KOBJ_NFT && p->v[i].nft.kind == NFT_CHAIN && strcmp(p->v[i].nft.name, name) == 0)
			return true;
	return false;
}

static size_t count(const struct world *w, enum kobject_type type)
{
	const struct plan *p = kernel_fake_objects(w->kernel);
	size_t n = 0;

	for (size_t i = 0; i < p->n; i++)
		n += p->v[i].type == type;
	return n;
}

static size_t unreachable(const struct world *w)
{
	const struct plan *p = kernel_fake_objects(w->kernel);
	size_t n = 0;

	for (size_t i = 0; i < p->n; i++)
		n += p->v[i].type == KOBJ_ROUTE && p->v[i].route.type == ROUTE_UNREACHABLE;
	return n;
}

static struct prefix prefix_to(void)
{
	struct in_addr a;

	inet_pton(AF_INET, "203.0.113.0", &a);
	return prefix4(a, 24);
}

static void block(struct world *w, uint32_t id)
{
	_cleanup_plan_ struct plan p = { 0 };
	struct prefix to = prefix_to();

	assert_int_equal(plan_base(&p), 0);
	assert_int_equal(plan_client_base(&p, NULL, NULL), 0);
	assert_int_equal(plan_selection(&p, id, &(struct selection){ .prefixes = &to, .n = 1 }, NULL), 0);
	assert_int_equal(kernel_apply(w->kernel, &p), 0);
}

/* ---- an open circuit that an earlier run left ---- */

static void record(const struct world *w, uint32_t slot, uint64_t expires, struct origin_record *ret)
{
	bool other = slot & SLOT_OTHER;

	*ret = (struct origin_record){ .handle = 7, .expires = expires };
	ret->circuit = (struct origin_circuit){
		.slot = slot, .n_layers = 3, .guard_link = LINK_FIRST, .link_mtu = 1418, .expires = expires
	};
	for (size_t i = 0; i < 3; i++) {
		struct layer *l = &ret->circuit.layers[i];

		ret->path[i] = w->net->relays[i].id;
		l->o = overlay_relay(&ret->path[i]);
		l->a = overlay_addr(&l->o, LINK_CLIENTS, i && other ? 6 : 5); /* they share the link */
		l->spi_fwd = SPI_MIN + 16 * slot + (uint32_t)i;
		l->spi_back = SPI_MAX - 16 * slot - (uint32_t)i;
		l->suite = i == 2 ? SUITE_AES128_GCM_16 : SUITE_AES128_GCM_8;
	}
	ret->circuit.inner = (struct inner){ .has4 = true, .mtu = 1280 };
	inet_pton(AF_INET, other ? "100.96.0.6" : "100.96.0.5", &ret->circuit.inner.addr4);
	inet_pton(AF_INET, "100.96.0.1", &ret->circuit.inner.gw4);
}

static void install(struct world *w, const struct origin_record *rec)
{
	_cleanup_secmem_ struct layer_keys *keys = secmem_alloc(3 * sizeof(*keys));
	_cleanup_plan_ struct plan p = { 0 };
	struct link link = { .kind = LINK_KIND_GUARD,
			     .number = LINK_FIRST,
			     .peer = rec->path[0],
			     .self = rec->circuit.layers[0].a,
			     .remote = rec->circuit.layers[0].o,
			     .mtu = 1418 };

	assert_int_equal(plan_link(&p, &link), 0);
	assert_int_equal(plan_origin_circuit(&p, &rec->circuit, keys), 0);
	assert_int_equal(kernel_apply(w->kernel, &p), 0);
}

static void append(struct world *w, json_t *line)
{
	char path[96], *text = json_dumps(line, JSON_COMPACT);
	FILE *f;

	snprintf(path, sizeof(path), "%s/client-circuits", w->run);
	f = fopen(path, "a");
	assert_non_null(f);
	fprintf(f, "%s\n", text);
	fclose(f);
	free(text);
	json_decref(line);
}

static json_t *left_open(struct world *w, uint32_t slot, uint64_t expires)
{
	struct origin_record rec;

	record(w, slot, expires, &rec);
	install(w, &rec);
	return record_of_origin(&rec);
}

static void saved_open(struct world *w, uint32_t id, const char *to, uint64_t expires)
{
	append(w, json_pack("{s:{s:i, s:[s], s:i, s:[s, s, s], s:b, s:o}}", "circuit", "id", (int)id, "to", to, "hops",
			    3, "path", "r1", "r2", "r3", "opened", 1, "open", left_open(w, id, expires)));
}

static size_t journal_mentions(struct world *w, const char *words)
{
	_cleanup_free_ char *text = NULL;
	char path[96];
	struct error err;
	size_t len, n = 0;

	snprintf(path, sizeof(path), "%s/client-circuits", w->run);
	assert_int_equal(file_read(path, 1u << 20, &text, &len, &err), 0);
	for (const char *p = text; (p = strstr(p, words)); p++)
		n++;
	return n;
}

/* ---- asking for circuits ---- */

static void up_fails_for_good(void **state)
{
	struct world *w = *state;
	json_t *body;

	start(w);
	assert_int_equal(ask(w, "circuit up", "{\"to\":[\"" TO "\"],\"wait\":5}", &body), REPLY_UNREACHABLE);
	json_decref(body);
	assert_text(w, 1, "state", "failed");
	assert_true(has_chain(w, "kill1"));
	assert_int_equal(unreachable(w), 1);
	assert_int_equal(ask(w, "circuit down", "{\"id\":1}", NULL), REPLY_OK);
	assert_false(has_chain(w, "kill1"));
	assert_int_equal(unreachable(w), 0);
}

/* A relay that answers is in the scenario `directory`. */
static void probed(void **state)
{
	struct world *w = *state;
	size_t before;
	json_t *body;

	start(w);
	before = kernel_fake_objects(w->kernel)->n;
	assert_int_equal(ask(w, "probe", "{}", NULL), REPLY_NOT_FOUND);
	assert_int_equal(ask(w, "probe", "{\"relay\":\"nobody\"}", NULL), REPLY_NOT_FOUND);
	assert_int_equal(ask(w, "probe", "{\"relay\":\"r1\"}", &body), REPLY_OK);
	assert_true(json_is_false(json_object_get(body, "answers")));
	json_decref(body);
	/* By its identity too, and not for a guard behind another one. */
	assert_int_equal(ask(w, "probe", "{\"relay\":\"ERERERERERERERERERERERERERERERERERERERERERE=\"}", &body),
			 REPLY_OK);
	json_decref(body);
	w->net->relays[0].guard = false;
	assert_int_equal(ask(w, "probe", "{\"relay\":\"r1\"}", &body), REPLY_OK);
	assert_true(json_is_false(json_object_get(body, "answers")));
	json_decref(body);
	for (size_t i = 1; i < RELAYS; i++)
		w->net->relays[i].guard = false;
	assert_int_equal(ask(w, "probe", "{\"relay\":\"r1\"}", NULL), REPLY_UNREACHABLE);
	assert_int_equal(kernel_fake_objects(w->kernel)->n, before);
}

static void up_again(void **state)
{
	struct world *w = *state;
	size_t before;

	start(w);
	assert_int_equal(ask(w, "circuit up", "{\"to\":[\"" TO "\", \"192.0.2.7/32\"],\"wait\":5}", NULL),
			 REPLY_UNREACHABLE);
	before = kernel_fake_objects(w->kernel)->n;
	/* A part of it is another selection. */
	assert_int_equal(ask(w, "circuit up", "{\"to\":[\"" TO "\"],\"wait\":5}", NULL), REPLY_CONFLICT);
	assert_int_equal(ask(w, "circuit up", "{\"to\":[\"192.0.2.7\", \"" TO "\"],\"path\":[\"r1\",\"none\"]}", NULL),
			 REPLY_NOT_FOUND);
	assert_text(w, 1, "state", "failed");
	/* The same in another order, over a chosen path; while that is tried it is nobody else's. */
	w->conf->timing.link_timeout_ms = SLOW_ATTEMPT_MS;
	assert_int_equal(
		ask(w, "circuit up", "{\"to\":[\"192.0.2.7\", \"" TO "\"],\"path\":[\"r1\",\"r2\"],\"wait\":0}", NULL),
		REPLY_CREATED);
	assert_int_equal(client_role_circuits(w->role), 1);
	assert_text(w, 1, "state", "linking");
	assert_true(has_chain(w, "kill1"));
	assert_int_equal(kernel_fake_objects(w->kernel)->n, before);
	assert_int_equal(ask(w, "circuit up", "{\"to\":[\"192.0.2.7\", \"" TO "\"]}", NULL), REPLY_CONFLICT);
	assert_true(UNTIL(w, 5, strcmp(STATE(w, 1), "failed") == 0));
	assert_text(w, 1, "reason", "no link to the guard r1");
	assert_int_equal(kernel_fake_objects(w->kernel)->n, before);
}

/* anond is restarted while the first attempts are made, or while it waits for a consensus: that is no failure. */
static void up_goes_on(void **state)
{
	struct world *w = *state;

	w->conf->timing.link_timeout_ms = SLOW_ATTEMPT_MS;
	start(w);
	assert_int_equal(ask(w, "circuit up", "{\"to\":[\"" TO "\"],\"wait\":0}", NULL), REPLY_CREATED);
	assert_text(w, 1, "state", "linking");
	stop(w);
	start(w);
	assert_text(w, 1, "state", "waiting");
	assert_true(has_chain(w, "kill1"));
	assert_true(UNTIL(w, 5, strcmp(STATE(w, 1), "linking") == 0));
	/* One that has failed is not tried again. */
	assert_true(UNTIL(w, 10, strcmp(STATE(w, 1), "failed") == 0));
	stop(w);
	start(w);
	assert_text(w, 1, "state", "failed");
	assert_true(has_chain(w, "kill1"));
}

static void renewed(void **state)
{
	struct world *w = *state;
	json_t *body;

	start(w);
	assert_int_equal(ask(w, "circuit new", "{\"id\":1}", NULL), REPLY_NOT_FOUND);
	assert_int_equal(ask(w, "circuit new", "{\"id\":1,\"wait\":-1}", NULL), REPLY_MALFORMED);
	assert_int_equal(ask(w, "circuit up", "{\"to\":[\"" TO "\"],\"path\":[\"r1\",\"r2\",\"r3\"],\"wait\":5}", NULL),
			 REPLY_UNREACHABLE);
	assert_text(w, 1, "state", "failed");
	w->conf->timing.link_timeout_ms = SLOW_ATTEMPT_MS;
	assert_int_equal(ask(w, "circuit new", "{\"id\":1,\"wait\":0}", &body), REPLY_CREATED);
	json_decref(body);
	assert_text(w, 1, "state", "linking");
	assert_true(has_chain(w, "kill1"));
	assert_int_equal(ask(w, "circuit new", "{\"all\":true}", &body), REPLY_OK);
	assert_int_equal(json_array_size(json_object_get(body, "renewed")), 1);
	json_decref(body);
	assert_text(w, 1, "state", "linking");
	assert_true(has_chain(w, "kill1"));
}

static void up_undone(void **state)
{
	struct world *w = *state;
	size_t before;

	start(w);
	before = kernel_fake_objects(w->kernel)->n;
	kernel_fake_fail(w->kernel, 1, -ENOSPC);
	assert_int_equal(ask(w, "circuit up", "{\"to\":[\"" TO "\"]}", NULL), REPLY_INTERNAL);
	assert_int_equal(kernel_fake_objects(w->kernel)->n, before);
	assert_int_equal(client_role_circuits(w->role), 0);
	assert_int_equal(journal_mentions(w, "\"circuit\""), 1); /* it came first ... */
	assert_int_equal(journal_mentions(w, "{\"gone\":1}"), 1);
	stop(w);
	start(w);
	assert_int_equal(client_role_circuits(w->role), 0);
}

static void up_needs_journal(void **state)
{
	struct rlimit unlimited, none = { 0, 0 };
	struct world *w = *state;
	size_t before;
	int code;

	start(w);
	before = kernel_fake_objects(w->kernel)->n;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &unlimited), 0);
	none.rlim_max = unlimited.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	code = ask(w, "circuit up", "{\"to\":[\"" TO "\"]}", NULL);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &unlimited), 0);
	assert_int_equal(code, REPLY_INTERNAL);
	assert_int_equal(kernel_fake_objects(w->kernel)->n, before);
	assert_int_equal(client_role_circuits(w->role), 0);
	assert_int_equal(ask(w, "circuit up", "{\"to\":[\"" TO "\"],\"wait\":0}", NULL), REPLY_CREATED);
	assert_true(has_chain(w, "kill1"));
}

static json_t *wanted(struct world *w)
{
	json_t *list = NULL;
	struct error err;

	assert_int_equal(selections_load(w->run, &w->conf->lans, &list, &err), 0);
	return list;
}

/* A restart of the host empties the run directory and the kernel; what was wanted is wanted still. */
static void host_restarts(struct world *w)
{
	char path[96];

	client_role_free(w->role, true);
	w->role = NULL;
	snprintf(path, sizeof(path), "%s/client-circuits", w->run);
	assert_int_equal(unlink(path), 0);
	kernel_free(w->kernel);
	assert_int_equal(kernel_fake_new(&w->kernel), 0);
}

static void survives_the_host(void **state)
{
	struct world *w = *state;
	struct error err;
	json_t *list;

	start(w);
	assert_int_equal(ask(w, "circuit up", "{\"to\":[\"" TO "\"],\"path\":[\"r1\",\"r2\",\"r3\"],\"wait\":0}", NULL),
			 REPLY_CREATED);
	assert_int_equal(ask(w, "circuit up", "{\"to\":[\"192.0.2.0/24\"],\"wait\":0}", NULL), REPLY_CREATED);
	assert_int_equal(ask(w, "circuit down", "{\"id\":2}", NULL), REPLY_OK);
	list = wanted(w);
	assert_int_equal(json_array_size(list), 1);
	assert_null(json_object_get(json_array_get(list, 0), "open"));
	json_decref(list);
	host_restarts(w);
	/* first the block alone */
	assert_int_equal(selections_block(w->run, false, &w->conf->lans, NULL, w->kernel, &err), 0);
	assert_true(has_chain(w, "kill1"));
	assert_false(has_chain(w, "kill2"));
	assert_int_equal(unreachable(w), 1);
	/* then all of it */
	start(w);
	assert_true(has_chain(w, "kill1"));
	assert_text(w, 1, "state", "rebuilding");
	assert_int_equal(ask(w, "circuit down", "{\"all\":true}", NULL), REPLY_OK);
	assert_false(has_chain(w, "kill1"));
	host_restarts(w);
	assert_int_equal(selections_block(w->run, false, &w->conf->lans, NULL, w->kernel, &err), 0);
	assert_int_equal(kernel_fake_objects(w->kernel)->n, 0);
	start(w);
	assert_int_equal(client_role_circuits(w->role), 0);
}

/* A gateway's LAN: blocked from the start on, served by circuits that hosts are named for once. */
static void lan_served(void **state)
{
	static const char both[] = "{\"to\":[\"192.0.2.0/24\"],\"from\":[\"192.168.1.0/24\"]}";
	struct world *w = *state;
	struct lans none = { 0 };
	struct error err;
	json_t *list;

	start(w);
	assert_int_equal(ask(w, "circuit up", "{\"from\":[\"192.168.1.0/24\"],\"wait\":0}", NULL), REPLY_MALFORMED);
	client_role_free(w->role, true);
	assert_null(lans_add(&w->conf->lans, "br-lan"));
	start(w);
	assert_true(has_chain(w, "kill_lan"));
	assert_int_equal(ask(w, "circuit up", "{\"from\":[\"0.0.0.0/0\",\"::/0\"],\"wait\":0}", NULL), REPLY_CREATED);
	assert_int_equal(ask(w, "circuit up", "{\"from\":[\"192.168.1.0/24\"],\"wait\":0}", NULL), REPLY_CREATED);
	assert_int_equal(ask(w, "circuit up", "{\"to\":[\"192.168.1.0/24\"],\"wait\":0}", NULL), REPLY_CREATED);
	assert_int_equal(ask(w, "circuit up", "{\"from\":[\"192.168.1.7\"],\"wait\":0}", NULL), REPLY_CONFLICT);
	assert_int_equal(ask(w, "circuit up", "{\"from\":[\"0.0.0.0/0\"],\"wait\":0}", NULL), REPLY_CONFLICT);
	assert_int_equal(ask(w, "circuit up", both, NULL), REPLY_MALFORMED);
	assert_false(has_chain(w, "kill1"));
	assert_true(has_chain(w, "kill3"));
	list = wanted(w);
	assert_int_equal(json_array_size(list), 3);
	assert_int_equal(json_array_size(json_object_get(json_array_get(list, 0), "from")), 2);
	assert_null(json_object_get(json_array_get(list, 0), "to"));
	json_decref(list);
	/* a restart of the daemon, then of the host */
	client_role_free(w->role, true);
	start(w);
	assert_int_equal(client_role_circuits(w->role), 3);
	host_restarts(w);
	assert_int_equal(selections_block(w->run, false, &w->conf->lans, NULL, w->kernel, &err), 0);
	assert_true(has_chain(w, "kill_lan"));
	start(w);
	assert_int_equal(client_role_circuits(w->role), 3);
	/* who is no gateway any more does not open the LAN by that */
	host_restarts(w);
	assert_int_equal(selections_block(w->run, false, &none, NULL, w->kernel, &err), -ENODEV);
	assert_non_null(strstr(err.text, "no `lan`"));
	assert_true(has_chain(w, "kill1_forward"));
	kernel_free(w->kernel);
	assert_int_equal(kernel_fake_new(&w->kernel), 0);
	assert_int_equal(selections_forget(w->run), 0);
	assert_int_equal(selections_block(w->run, false, &w->conf->lans, NULL, w->kernel, &err), 0);
	assert_true(has_chain(w, "kill_lan"));
	start(w);
}

/* By users and ports, beside a circuit for everything; kept as all else is. */
static void narrow(void **state)
{
	struct world *w = *state;
	json_t *list, *one;

	start(w);
	assert_int_equal(ask(w, "circuit up", "{\"wait\":0}", NULL), REPLY_CREATED);
	assert_int_equal(ask(w, "circuit up", "{\"users\":[1000],\"wait\":0}", NULL), REPLY_CREATED);
	assert_int_equal(ask(w, "circuit up", "{\"users\":[1001],\"ports\":[\"tcp/443\"],\"wait\":0}", NULL),
			 REPLY_CREATED);
	assert_int_equal(ask(w, "circuit up", "{\"users\":[1001],\"ports\":[\"tcp/22\"],\"wait\":0}", NULL),
			 REPLY_CREATED);
	/* which of two would carry it */
	assert_int_equal(ask(w, "circuit up", "{\"ports\":[\"tcp/80-8080\"],\"wait\":0}", NULL), REPLY_CONFLICT);
	assert_int_equal(ask(w, "circuit up", "{\"users\":[1000],\"to\":[\"192.0.2.1\"],\"wait\":0}", NULL),
			 REPLY_CONFLICT);
	/* a group whose sockets nobody marks */
	assert_int_equal(ask(w, "circuit up", "{\"groups\":[7],\"ports\":[\"udp/1\"],\"wait\":0}", NULL),
			 REPLY_MALFORMED);
	assert_int_equal(ask(w, "circuit up", "{\"users\":[],\"wait\":0}", NULL), REPLY_MALFORMED);
	assert_int_equal(ask(w, "circuit up", "{\"users\":[-1],\"wait\":0}", NULL), REPLY_MALFORMED);
	assert_int_equal(ask(w, "circuit up", "{\"ports\":[\"443\"],\"wait\":0}", NULL), REPLY_MALFORMED);
	assert_int_equal(ask(w, "circuit up", "{\"ports\":[\"tcp/9-8\"],\"wait\":0}", NULL), REPLY_MALFORMED);
	assert_int_equal(ask(w, "circuit down", "{\"id\":1}", NULL), REPLY_OK);
	list = wanted(w);
	assert_int_equal(json_array_size(list), 3);
	one = json_array_get(list, 1);
	assert_string_equal(json_string_value(json_array_get(json_object_get(one, "ports"), 0)), "tcp/443");
	json_decref(list);
	client_role_free(w->role, true);
	start(w);
	assert_int_equal(client_role_circuits(w->role), 3);
	assert_true(has_chain(w, "kill3_post"));
}

/* Nobody knows what was to be protected: everything is, and anond does not start as if there were nothing. */
static void damaged_selections(void **state)
{
	static const char *const bad[] = {
		"",
		"{",
		"{\"version\":2,\"circuits\":[]}",
		"{\"version\":1}",
		"{\"version\":1,\"circuits\":[{\"id\":1,\"to\":[\"x\"]}]}",
		"{\"version\":1,\"circuits\":[{\"id\":0,\"hops\":3,\"to\":[\"192.0.2.1\"]}]}",
		"{\"version\":1,\"circuits\":[{\"id\":1,\"hops\":9,\"to\":[\"192.0.2.1\"]}]}"
	};
	struct world *w = *state;
	struct client_role_config rc = { w->loop, w->kernel, w->conf, w->net, NULL };
	char path[96];
	struct error err;

	snprintf(path, sizeof(path), "%s/" SELECTIONS_FILE, w->run);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(file_replace(path, bad[i], strlen(bad[i]), 0600, &err), 0);
		assert_int_equal(selections_block(w->run, false, &w->conf->lans, NULL, w->kernel, &err), -EBADMSG);
		assert_non_null(strstr(err.text, "damaged"));
		assert_true(has_chain(w, "kill1"));
		assert_int_equal(unreachable(w), 2);
		kernel_free(w->kernel); /* the same without a block before */
		assert_int_equal(kernel_fake_new(&w->kernel), 0);
		rc.kernel = w->kernel;
		assert_int_equal(client_role_new(&rc, &w->role, &err), -EBADMSG);
		assert_true(has_chain(w, "kill1"));
	}
	assert_int_equal(selections_forget(w->run), 0);
	assert_int_equal(selections_forget(w->run), 0);
	/* none is none, unless it may lie elsewhere */
	kernel_free(w->kernel);
	assert_int_equal(kernel_fake_new(&w->kernel), 0);
	assert_int_equal(selections_block(w->run, false, &w->conf->lans, NULL, w->kernel, &err), 0);
	assert_int_equal(kernel_fake_objects(w->kernel)->n, 0);
	assert_int_equal(selections_block(w->run, true, &w->conf->lans, NULL, w->kernel, &err), -ENOENT);
	assert_true(has_chain(w, "kill1"));
}

/* ---- starting ---- */

static void unknown_kill_switch_stays(void **state)
{
	struct world *w = *state;
	struct origin_record rec;
	json_t *body;

	block(w, 9);
	record(w, 4, 1, &rec);
	install(w, &rec); /* an orphan that may go */
	assert_true(count(w, KOBJ_SA) > 0);
	start(w);
	assert_int_equal(count(w, KOBJ_SA), 0);
	assert_true(has_chain(w, "kill9"));
	assert_int_equal(unreachable(w), 1);
	assert_text(w, 9, "state", "failed");
	assert_text(w, 9, "reason", "unknown selection, left by an earlier run");
	assert_int_equal(ask(w, "circuit show", "{\"id\":9}", &body), REPLY_OK);
	assert_string_equal(json_string_value(json_array_get(json_object_get(body, "to"), 0)), TO);
	json_decref(body);
	/* Nor does a circuit of the same destinations take it over. */
	assert_int_equal(ask(w, "circuit up", "{\"to\":[\"" TO "\"],\"wait\":0}", NULL), REPLY_CREATED);
	assert_int_equal(ask(w, "circuit down", "{\"id\":1}", NULL), REPLY_OK);
	assert_true(has_chain(w, "kill9"));
	assert_int_equal(unreachable(w), 1);
	/* Over the next start either: nothing of it is in the journal. */
	stop(w);
	start(w);
	assert_text(w, 9, "state", "failed");
	assert_int_equal(ask(w, "circuit down", "{\"all\":true}", NULL), REPLY_OK);
	assert_false(has_chain(w, "kill9"));
	assert_false(has_chain(w, "kill9_forward"));
	assert_int_equal(unreachable(w), 0);
}

static void chain(struct world *w, const char *name)
{
	_cleanup_plan_ struct plan p = { 0 };
	struct kobject *o = plan_add(&p, KOBJ_NFT);

	o->nft.kind = NFT_CHAIN;
	o->nft.family = NFT_INET;
	snprintf(o->nft.name, sizeof(o->nft.name), "%s", name);
	assert_int_equal(kernel_apply(w->kernel, &p), 0);
}

/* Whatever begins with kill is not ours to remove; what does not is. */
static void names(void **state)
{
	static const char *const kept[] = { "kill",  "kill0",	"kill_other", "kill99999999999999999999",
					    "killx", "kill3_v2" };
	struct world *w = *state;

	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		chain(w, kept[i]);
	chain(w, "in_ovl77");
	start(w);
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		assert_true(has_chain(w, kept[i]));
	assert_false(has_chain(w, "in_ovl77"));
	assert_int_equal(client_role_circuits(w->role), 1);
	assert_text(w, 3, "state", "failed");
}

static void damaged_line(void **state)
{
	struct world *w = *state;

	block(w, 2);
	append(w, json_pack("{s:{s:i, s:[s], s:i, s:n}}", "circuit", "id", 2, "to", "nowhere", "hops", 3, "open"));
	start(w);
	assert_true(has_chain(w, "kill2"));
	assert_text(w, 2, "reason", "unknown selection, left by an earlier run");
}

/* The first to be taken up has expired and is saved as lost, which must not drop the others from the journal. */
static void journal_while_adopting(void **state)
{
	struct world *w = *state;
	uint64_t now = clock_wall_s();

	for (int i = 0; i < 300; i++)
		append(w, json_pack("{s:i}", "gone", 1000 + i));
	saved_open(w, 1, "192.0.2.1", now - 1);
	for (uint32_t id = 2; id <= 4; id++) {
		char to[32];

		snprintf(to, sizeof(to), "192.0.2.%u", id);
		append(w,
		       json_pack("{s:{s:i, s:[s], s:i, s:n}}", "circuit", "id", (int)id, "to", to, "hops", 3, "open"));
	}
	start(w);
	assert_int_equal(client_role_circuits(w->role), 4);
	assert_int_equal(journal_mentions(w, "\"gone\""), 0); /* it was rewritten, once it was complete */
	assert_int_equal(journal_mentions(w, "\"circuit\""), 4);
	stop(w);
	start(w);
	assert_int_equal(client_role_circuits(w->role), 4);
	for (uint32_t id = 1; id <= 4; id++) {
		char name[16];

		snprintf(name, sizeof(name), "kill%u", id);
		assert_true(has_chain(w, name));
	}
}

/* ---- fetching the directory ---- */

/* By a circuit whose exit leads to a server, or directly if none that is open or comes into being does. */
static void ways_to_the_directory(void **state)
{
	struct relay_traits *exit;
	struct world *w = *state;
	struct dir_reach reach;
	char device[IFNAMSIZ];

	w->conf->servers.at = (struct endpoints){ .n = 3 };
	w->conf->servers.at.v[0] = (struct endpoint){ .family = AF_INET, .port = 9030 };
	w->conf->servers.at.v[1] = (struct endpoint){ .family = AF_INET, .port = 80 };
	w->conf->servers.at.v[2] = (struct endpoint){ .family = AF_INET6, .port = 80 }; /* the circuit has IPv4 only */
	saved_open(w, 1, TO, clock_wall_s() + 1000);
	start(w);
	/* A network file says nothing of ports. */
	assert_int_equal(client_role_way(w->role, &reach, device), DIR_BY_CIRCUIT);
	assert_true(reach.server[0] && reach.server[1] && !reach.server[2]);
	/* The exit says: the Web. */
	exit = &w->net->traits[network_find(w->net, &w->net->relays[2].id) - w->net->relays];
	exit->exit4.n = 1;
	exit->exit4.v[0] = (struct port_range){ IPPROTO_TCP, 80, 443 };
	assert_int_equal(client_role_way(w->role, &reach, device), DIR_BY_CIRCUIT);
	assert_true(!reach.server[0] && reach.server[1] && !reach.server[2]);
	/* To no server at all: it is not waited for it... */
	w->conf->servers.at.n = 1;
	assert_int_equal(client_role_way(w->role, &reach, device), DIR_DIRECTLY);
	/* ... but for another one. */
	assert_int_equal(ask(w, "circuit up", "{\"to\":[\"192.0.2.77\"],\"wait\":0}", NULL), REPLY_CREATED);
	assert_int_equal(client_role_way(w->role, &reach, device), DIR_NOT_NOW);
}

/* ---- losing circuits ---- */

static void adopted(void **state)
{
	struct world *w = *state;
	size_t before;

	saved_open(w, 1, TO, clock_wall_s() + 1000);
	start(w);
	assert_text(w, 1, "state", "open");
	assert_text(w, 1, "reason", "");
	before = kernel_fake_objects(w->kernel)->n;
	stop(w);
	start(w);
	assert_text(w, 1, "state", "open");
	assert_int_equal(kernel_fake_objects(w->kernel)->n, before);
	/* An open circuit is not taken over. */
	assert_int_equal(ask(w, "circuit up", "{\"to\":[\"" TO "\"]}", NULL), REPLY_CONFLICT);
}

static void rebuilt_when_lost(void **state)
{
	struct world *w = *state;
	json_t *body;

	saved_open(w, 1, TO, clock_wall_s() + 1000);
	start(w);
	client_role_sa_gone(w->role, reqid_layer(1, 1), 12345); /* an earlier circuit's */
	assert_text(w, 1, "state", "open");
	client_role_sa_gone(w->role, reqid_layer(1, 1), SPI_MIN + 16 + 1);
	assert_text(w, 1, "state", "rebuilding");
	assert_text(w, 1, "reason", "one of its security associations is gone from the kernel");
	assert_int_equal(count(w, KOBJ_SA), 0);
	assert_true(has_chain(w, "kill1"));
	assert_int_equal(unreachable(w), 1);
	/* By itself, over the path that the user chose, and it says why that fails; the reason of the loss stays. */
	assert_true(UNTIL(w, 5, text_of(w, 1, "error")[0]));
	assert_text(w, 1, "error", "no link to the guard r1");
	assert_text(w, 1, "state", "rebuilding");
	assert_text(w, 1, "reason", "one of its security associations is gone from the kernel");
	assert_true(has_chain(w, "kill1"));
	/* Over a restart too. */
	stop(w);
	start(w);
	assert_text(w, 1, "state", "rebuilding");
	assert_true(UNTIL(w, 5, text_of(w, 1, "error")[0]));
	assert_text(w, 1, "error", "no link to the guard r1");
	/* The user may ask for another path. */
	assert_int_equal(ask(w, "circuit up", "{\"to\":[\"" TO "\"],\"path\":[\"r4\",\"r5\"],\"wait\":5}", &body),
			 REPLY_UNREACHABLE);
	assert_non_null(strstr(json_string_value(json_object_get(body, "error")), "no link to the guard r4"));
	json_decref(body);
	assert_text(w, 1, "state", "rebuilding");
	assert_true(has_chain(w, "kill1"));
	assert_int_equal(client_role_circuits(w->role), 1);
	assert_int_equal(ask(w, "circuit down", "{\"id\":1}", NULL), REPLY_OK);
	assert_false(has_chain(w, "kill1"));
}

static void expired(void **state)
{
	struct world *w = *state;

	saved_open(w, 1, TO, clock_wall_s() + 2);
	start(w);
	assert_text(w, 1, "state", "open");
	assert_true(UNTIL(w, 5, strcmp(STATE(w, 1), "rebuilding") == 0));
	assert_text(w, 1, "reason", "its lifetime is over");
	assert_int_equal(count(w, KOBJ_SA), 0);
	assert_true(has_chain(w, "kill1"));
}

/* Half-way through its life a fresh one is tried; that it cannot be had changes nothing. */
static void not_relieved(void **state)
{
	struct world *w = *state;

	saved_open(w, 1, TO, clock_wall_s() + 5);
	start(w);
	assert_true(UNTIL(w, 4, journal_mentions(w, "circuit\":") > 1));
	assert_text(w, 1, "state", "open");
	assert_text(w, 1, "reason", "");
	assert_int_equal(count(w, KOBJ_SA), 6);
	assert_true(UNTIL(w, 6, strcmp(STATE(w, 1), "rebuilding") == 0));
	assert_text(w, 1, "reason", "its lifetime is over");
}

/* One of its relays is going to end: the next one is tried long before half of its life is over. */
static void moves_before_its_relay_ends(void **state)
{
	struct world *w = *state;
	size_t notes;

	append(w, json_pack("{s:{s:i, s:[s], s:i, s:b, s:o}}", "circuit", "id", 1, "to", TO, "hops", 3, "opened", 1,
			    "open", left_open(w, 1, clock_wall_s() + 1000)));
	start(w);
	assert_text(w, 1, "state", "open");
	notes = journal_mentions(w, "circuit\":");
	assert_int_equal(client_role_set_network(w->role, w->net), 0);
	assert_false(UNTIL(w, 1, journal_mentions(w, "circuit\":") > notes));
	w->net->traits[4].ends = clock_wall_s() + LEAVE_S; /* not one of its own */
	assert_int_equal(client_role_set_network(w->role, w->net), 0);
	assert_false(UNTIL(w, 1, journal_mentions(w, "circuit\":") > notes));
	w->net->traits[1].ends = clock_wall_s() + LEAVE_S;
	assert_int_equal(client_role_set_network(w->role, w->net), 0);
	assert_true(UNTIL(w, 4, journal_mentions(w, "circuit\":") > notes));
	assert_text(w, 1, "state", "open");
}

static bool has_retired(struct world *w)
{
	json_t *body;
	bool has;

	assert_int_equal(ask(w, "circuit show", "{\"id\":1}", &body), REPLY_OK);
	has = json_object_get(body, "retired");
	json_decref(body);
	return has;
}

static bool leads(const struct world *w, const char *dev)
{
	const struct plan *p = kernel_fake_objects(w->kernel);

	for (size_t i = 0; i < p->n; i++)
		if (p->v[i].type == KOBJ_ROUTE && p->v[i].route.table == RT_TABLE_ANON &&
		    strcmp(p->v[i].route.dev, dev) == 0)
			return true;
	return false;
}

/* A fresh one in the second slot leads, the one before it still carries. */
static void saved_two(struct world *w, uint64_t retired_expires)
{
	append(w, json_pack("{s:{s:i, s:[s], s:i, s:[s, s, s], s:b, s:o, s:o}}", "circuit", "id", 1, "to", TO, "hops",
			    3, "path", "r1", "r2", "r3", "opened", 1, "open",
			    left_open(w, 1 + SLOT_OTHER, clock_wall_s() + 1000), "retired",
			    left_open(w, 1, retired_expires)));
}

/* The fresh one and the one before it both outlive anond; either may end without the other. */
static void two_at_once(void **state)
{
	struct world *w = *state;

	saved_two(w, clock_wall_s() + 4);
	start(w);
	assert_text(w, 1, "state", "open");
	assert_text(w, 1, "device", "anon1b");
	assert_true(has_retired(w));
	assert_int_equal(count(w, KOBJ_SA), 12);
	assert_true(leads(w, "anon1b") && !leads(w, "anon1"));
	stop(w);
	start(w);
	assert_true(has_retired(w));
	assert_int_equal(count(w, KOBJ_SA), 12);
	assert_true(leads(w, "anon1b") && !leads(w, "anon1"));
	assert_true(UNTIL(w, 6, !has_retired(w)));
	assert_text(w, 1, "state", "open");
	assert_int_equal(count(w, KOBJ_SA), 6);
	assert_true(leads(w, "anon1b"));
}

/* The one before it expired while nobody was there: that is no end of the fresh one, now or at the next start. */
static void retired_expired_meanwhile(void **state)
{
	struct world *w = *state;

	saved_two(w, clock_wall_s() - 1);
	for (int i = 0; i < 2; i++) {
		start(w);
		assert_text(w, 1, "state", "open");
		assert_false(has_retired(w));
		assert_int_equal(count(w, KOBJ_SA), 6);
		stop(w);
	}
	start(w);
}

static void lead_lost_before_retired(void **state)
{
	struct world *w = *state;

	saved_two(w, clock_wall_s() + 1000);
	start(w);
	client_role_sa_gone(w->role, reqid_layer(1 + SLOT_OTHER, 1), SPI_MIN + 16 * (1 + SLOT_OTHER) + 1);
	assert_text(w, 1, "state", "rebuilding");
	assert_true(has_retired(w));
	assert_int_equal(count(w, KOBJ_SA), 6);
	assert_true(!leads(w, "anon1b") && !leads(w, "anon1"));
	client_role_sa_gone(w->role, reqid_layer(1, 1), SPI_MIN + 16 + 1);
	assert_false(has_retired(w));
	assert_int_equal(count(w, KOBJ_SA), 0);
	assert_true(has_chain(w, "kill1"));
}

/* Another identity: nothing of the old ones is left. */
static void renewed_both(void **state)
{
	struct world *w = *state;

	append(w, json_pack("{s:{s:i, s:[s], s:i, s:n, s:b, s:o, s:o}}", "circuit", "id", 1, "to", TO, "hops", 3,
			    "path", "opened", 1, "open", left_open(w, 1, clock_wall_s() + 1000), "retired",
			    left_open(w, 1 + SLOT_OTHER, clock_wall_s() + 1000)));
	start(w);
	assert_text(w, 1, "device", "anon1");
	assert_int_equal(count(w, KOBJ_SA), 12);
	ask(w, "circuit new", "{\"id\":1,\"wait\":0}", NULL);
	assert_int_equal(count(w, KOBJ_SA), 0);
	assert_true(has_chain(w, "kill1"));
}

/* ---- repair ---- */

static void repaired(void **state)
{
	_cleanup_plan_ struct plan gone = { 0 };
	struct world *w = *state;
	struct prefix to = prefix_to();

	saved_open(w, 1, TO, clock_wall_s() + 1000);
	start(w);
	assert_int_equal(client_role_repair(w->role), 0);
	assert_text(w, 1, "state", "open");
	/* As `nft flush ruleset` does. */
	assert_int_equal(plan_base(&gone), 0);
	assert_int_equal(plan_client_base(&gone, NULL, NULL), 0);
	assert_int_equal(plan_selection(&gone, 1, &(struct selection){ .prefixes = &to, .n = 1 }, NULL), 0);
	assert_int_equal(kernel_remove(w->kernel, &gone), 0);
	assert_false(has_chain(w, "kill1"));
	assert_true(client_role_repair(w->role) > 0);
	assert_true(has_chain(w, "kill1") && has_chain(w, "kill1_forward") && has_chain(w, "kill_judge"));
	assert_text(w, 1, "state", "open");
	assert_int_equal(client_role_repair(w->role), 0);
}

/* The kill switch comes back though what belongs to the circuit cannot. */
static void repaired_in_part(void **state)
{
	_cleanup_plan_ struct plan gone = { 0 };
	struct world *w = *state;
	struct prefix to = prefix_to();
	struct origin_record rec;

	saved_open(w, 1, TO, clock_wall_s() + 1000);
	start(w);
	record(w, 1, 0, &rec);
	assert_int_equal(plan_selection(&gone, 1, &(struct selection){ .prefixes = &to, .n = 1 }, NULL), 0);
	assert_int_equal(plan_origin_circuit(&gone, &rec.circuit, NULL), 0);
	assert_int_equal(kernel_remove(w->kernel, &gone), 0);
	assert_int_equal(count(w, KOBJ_SA), 0);
	assert_true(client_role_repair(w->role) > 0);
	assert_true(has_chain(w, "kill1"));
	assert_text(w, 1, "state", "rebuilding");
}

static void stray_repaired(void **state)
{
	_cleanup_plan_ struct plan gone = { 0 };
	struct world *w = *state;
	struct prefix to = prefix_to();

	block(w, 9);
	start(w);
	assert_int_equal(client_role_repair(w->role), 0);
	assert_int_equal(plan_selection(&gone, 9, &(struct selection){ .prefixes = &to, .n = 1 }, NULL), 0);
	assert_int_equal(kernel_remove(w->kernel, &gone), 0);
	assert_true(client_role_repair(w->role) > 0);
	assert_true(has_chain(w, "kill9"));
}

/* ---- who we are to guards ---- */

static void identities(void **state)
{
	uint8_t secret[CLIENT_SECRET_LEN] = { 1 }, other[CLIENT_SECRET_LEN] = { 2 };
	uint8_t a[LINKS_CLIENT_ID_LEN], b[LINKS_CLIENT_ID_LEN];
	struct relay_id g1 = { { 1 } }, g2 = { { 2 } };

	(void)state;
	link_table_client_id(secret, &g1, 0, a);
	link_table_client_id(secret, &g1, 0, b);
	assert_memory_equal(a, b, sizeof(a)); /* over a restart of charon it gives our address back */
	link_table_client_id(secret, &g2, 0, b);
	assert_memory_not_equal(a, b, sizeof(a));
	link_table_client_id(secret, &g1, 1, b);
	assert_memory_not_equal(a, b, sizeof(a));
	link_table_client_id(other, &g1, 0, b);
	assert_memory_not_equal(a, b, sizeof(a));
}

static void secret_of(struct world *w, uint8_t ret[CLIENT_SECRET_LEN])
{
	_cleanup_free_ char *text = NULL;
	char path[96];
	struct error err;
	size_t len;

	snprintf(path, sizeof(path), "%s/client-id", w->run);
	assert_int_equal(file_read(path, 64, &text, &len, &err), 0);
	assert_int_equal(len, CLIENT_SECRET_LEN);
	memcpy(ret, text, len);
}

static bool secret_is_not(struct world *w, const uint8_t *before)
{
	uint8_t now[CLIENT_SECRET_LEN];

	secret_of(w, now);
	return memcmp(now, before, sizeof(now)) != 0;
}

static void secret_lives_with_circuits(void **state)
{
	uint8_t before[CLIENT_SECRET_LEN], after[CLIENT_SECRET_LEN];
	struct world *w = *state;

	start(w);
	secret_of(w, before);
	stop(w);
	start(w);
	secret_of(w, after);
	assert_memory_not_equal(before, after, sizeof(before)); /* nothing was up */
	stop(w);
	saved_open(w, 1, TO, clock_wall_s() + 1000);
	start(w);
	secret_of(w, before);
	assert_memory_equal(before, after, sizeof(before)); /* its address hangs on it */
	assert_int_equal(ask(w, "circuit down", "{\"all\":true}", NULL), REPLY_OK);
	assert_true(UNTIL(w, 5., secret_is_not(w, before))); /* the guard is kept for a moment */
}

/* ---- guards ---- */

static bool can_link(struct client_env *env)
{
	(void)env;
	return true;
}

/* Attempts last until the test says what became of them, and links could be made if there were anybody. */
static void start_slowly(struct world *w)
{
	w->conf->timing.link_timeout_ms = 60000;
	start(w);
	w->role->env.can_link = can_link;
}

static struct client_circuit *circuit(const struct world *w, uint32_t id)
{
	struct client_circuit *cc;

	HASH_FIND(hh, w->role->circuits, &id, sizeof(id), cc);
	assert_non_null(cc);
	return cc;
}

static void up(struct world *w, const char *to)
{
	char args[128];

	snprintf(args, sizeof(args), "{\"to\":[\"%s\"],\"wait\":0}", to);
	assert_int_equal(ask(w, "circuit up", args, NULL), REPLY_CREATED);
}

/* The name of the present attempt's relay. */
static const char *relay_of(const struct world *w, uint32_t id, size_t hop)
{
	const struct client_circuit *cc = circuit(w, id);

	assert_non_null(cc->lead);
	return cc->lead->path[hop].name;
}

static void ends(struct world *w, uint32_t id, enum origin_failure failure, unsigned int hop)
{
	const struct origin_state s = { .failure = failure, .hop = hop };
	struct onion *o = circuit(w, id)->lead;

	assert_non_null(o);
	o->c.ops->over(o->c.ctx, o, REPLY_UNREACHABLE, "it was said so", &s);
}

/* As if its relays had answered and its echo came back. */
static void opens(struct world *w, uint32_t id)
{
	struct onion *o = circuit(w, id)->lead;
	struct origin_record rec;

	assert_non_null(o);
	record(w, o->c.slot, clock_wall_s() + 1000, &rec);
	rec.circuit.inner.addr4.s_addr = htonl(0x64600000u + id); /* no two circuits have one */
	for (size_t i = 1; i < 3; i++)
		rec.circuit.layers[i].a.s6_addr[15] = (uint8_t)(100 + id);
	o->placed = malloc(sizeof(*o->placed));
	*o->placed = rec.circuit;
	o->c.ops->open(o->c.ctx, o);
	assert_true(client_circuit_is_open(circuit(w, id)));
}

/* All circuits have one guard. It dies: the next one, for all; the way is free again: the one that was. */
static void guard_dies(void **state)
{
	char first[RELAY_NAME_MAX], second[RELAY_NAME_MAX];
	struct world *w = *state;

	start_slowly(w);
	up(w, "192.0.2.1");
	snprintf(first, sizeof(first), "%s", relay_of(w, 1, 0));
	up(w, "192.0.2.2");
	assert_string_equal(relay_of(w, 2, 0), first);
	opens(w, 1);
	ends(w, 2, ORIGIN_LINK_FAILED, 0);
	snprintf(second, sizeof(second), "%s", relay_of(w, 2, 0));
	assert_string_not_equal(second, first);
	up(w, "192.0.2.3");
	assert_string_equal(relay_of(w, 3, 0), second);
	ends(w, 3, ORIGIN_TIMEOUT, 0);
	assert_string_not_equal(relay_of(w, 3, 0), first);
	assert_string_not_equal(relay_of(w, 3, 0), second);
	client_role_network_changed(w->role);
	up(w, "192.0.2.4");
	assert_string_equal(relay_of(w, 4, 0), first);
	/* that charon is away, as it is here, is no guard's fault */
	stop(w);
	w->conf->timing.link_timeout_ms = 60000;
	start(w);
	up(w, "192.0.2.5");
	assert_string_equal(relay_of(w, 5, 0), first);
	for (int i = 0; i < 2; i++) {
		ends(w, 5, ORIGIN_LINK_FAILED, 0);
		assert_string_equal(relay_of(w, 5, 0), first);
	}
}

/* Whoever makes middles and exits fail, as often as he likes, does not move the guard; nor who makes open ones fail. */
static void middles_are_killed(void **state)
{
	static const struct {
		enum origin_failure failure;
		unsigned int hop;
	} ways[] = { { ORIGIN_REFUSED, 2 }, { ORIGIN_REFUSED, 3 },   { ORIGIN_BAD_ANSWER, 2 }, { ORIGIN_BAD_ANSWER, 3 },
		     { ORIGIN_NO_ECHO, 0 }, { ORIGIN_DESTROYED, 0 }, { ORIGIN_EXPIRED, 0 } };
	char first[RELAY_NAME_MAX];
	struct world *w = *state;

	start_slowly(w);
	up(w, TO);
	snprintf(first, sizeof(first), "%s", relay_of(w, 1, 0));
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++)
		for (int k = 0; k < 3; k++) {
			assert_string_equal(relay_of(w, 1, 0), first);
			ends(w, 1, ways[i].failure, ways[i].hop);
			if (k == 2)
				assert_int_equal(ask(w, "circuit new", "{\"id\":1,\"wait\":0}", NULL), REPLY_CREATED);
		}
	opens(w, 1);
	ends(w, 1, ORIGIN_LINK_LOST, 0); /* an open one: whether the guard is there, the next attempt tells */
	assert_int_equal(ask(w, "circuit new", "{\"id\":1,\"wait\":0}", NULL), REPLY_CREATED);
	assert_string_equal(relay_of(w, 1, 0), first);
	/* the control: what the guard does itself */
	ends(w, 1, ORIGIN_REFUSED, 1);
	assert_true(UNTIL(w, 5, circuit(w, 1)->lead));
	assert_string_not_equal(relay_of(w, 1, 0), first);
}

static void guards_of(const struct world *w, struct guards *ret)
{
	const struct signers by = { &w->conf->network_key, 1 };
	struct error err = { "" };

	assert_int_equal(guards_file_load(w->run, &by, ret, &err), 0);
}

/* The sample outlives restarts of the daemon and of the host, not a damaged file, which is replaced. */
static void sample_is_kept(void **state)
{
	char first[RELAY_NAME_MAX], path[96];
	struct world *w = *state;
	struct guards g;
	struct error err = { "" };
	struct stat st;

	start_slowly(w);
	up(w, TO);
	snprintf(first, sizeof(first), "%s", relay_of(w, 1, 0));
	opens(w, 1);
	assert_int_equal(ask(w, "circuit down", "{\"id\":1}", NULL), REPLY_OK);
	snprintf(path, sizeof(path), "%s/" GUARDS_FILE, w->run);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	for (int i = 0; i < 4; i++) {
		if (i % 2)
			host_restarts(w);
		else
			stop(w);
		start_slowly(w);
		up(w, TO);
		assert_string_equal(relay_of(w, 1, 0), first);
		assert_int_equal(ask(w, "circuit down", "{\"id\":1}", NULL), REPLY_OK);
	}
	guards_of(w, &g);
	assert_int_equal(g.n, RELAYS);
	assert_true(g.v[0].confirmed && !g.v[1].confirmed);
	assert_int_equal(client_role_guard_place(w->role, &g.v[0].id), 1);
	stop(w);
	assert_int_equal(file_replace(path, "{", 1, 0600, &err), 0);
	start_slowly(w);
	guards_of(w, &g);
	assert_true(g.n == RELAYS && !g.v[0].confirmed);
	/* a path that the user chose says nothing of guards */
	assert_int_equal(ask(w, "circuit up", "{\"to\":[\"" TO "\"],\"path\":[\"r1\",\"r2\",\"r3\"],\"wait\":0}", NULL),
			 REPLY_CREATED);
	opens(w, 1);
	guards_of(w, &g);
	for (size_t i = 0; i < g.n; i++)
		assert_int_equal(g.v[i].confirmed, 0);
}

/* Attempts that are over before they have begun: no more of them than of others. */
static void fails_at_once(void **state)
{
	struct world *w = *state;

	for (size_t i = 0; i < RELAYS; i++)
		w->net->relays[i].addr4.s_addr = 0; /* no link can even be tried */
	start(w); /* where charon is not, no guard is to blame, so none is left aside */
	assert_int_equal(ask(w, "circuit up", "{\"to\":[\"" TO "\"],\"wait\":5}", NULL), REPLY_UNREACHABLE);
	assert_int_equal(circuit(w, 1)->attempts, ATTEMPTS_MAX);
	assert_text(w, 1, "state", "failed");
	assert_int_equal(ask(w, "circuit down", "{\"id\":1}", NULL), REPLY_OK);
	stop(w);
	start_slowly(w);
	assert_int_equal(ask(w, "circuit up", "{\"to\":[\"" TO "\"],\"wait\":5}", NULL), REPLY_UNREACHABLE);
	assert_int_equal(circuit(w, 1)->attempts, ATTEMPTS_MAX);
	assert_true(has_chain(w, "kill1"));
}

/* No guard is left to be tried: it waits and says so, blocked; when the network may be another it is tried at once. */
static void waits_for_guards(void **state)
{
	struct world *w = *state;
	json_t *body;

	start_slowly(w);
	up(w, "192.0.2.1");
	for (int i = 0; i < 3; i++)
		ends(w, 1, ORIGIN_LINK_FAILED, 0);
	assert_text(w, 1, "state", "failed");
	up(w, "192.0.2.2");
	assert_text(w, 2, "state", "waiting"); /* the others' turn is when these have failed twice */
	assert_non_null(strstr(text_of(w, 2, "error"), "every guard that may be tried failed lately; it waits for "));
	assert_true(has_chain(w, "kill2"));
	assert_int_equal(ask(w, "circuit up", "{\"to\":[\"192.0.2.3\"],\"wait\":0.1}", &body), REPLY_TIMEOUT);
	assert_non_null(
		strstr(json_string_value(json_object_get(body, "error")), "not open yet (waiting: every guard"));
	json_decref(body);
	client_role_network_changed(w->role);
	assert_true(UNTIL(w, 5, circuit(w, 2)->lead && circuit(w, 3)->lead));
	assert_text(w, 2, "state", "linking");
	assert_text(w, 2, "error", "");
	assert_text(w, 1, "state", "failed"); /* for good */
}

/* What relieves an open one, and another identity: by the same guard, by another exit. */
static void another_path(void **state)
{
	char guard[RELAY_NAME_MAX], exit[RELAY_NAME_MAX];
	struct world *w = *state;

	start_slowly(w);
	up(w, TO);
	for (int i = 0; i < 20; i++) {
		opens(w, 1);
		snprintf(guard, sizeof(guard), "%s", relay_of(w, 1, 0));
		snprintf(exit, sizeof(exit), "%s", relay_of(w, 1, 2));
		assert_int_equal(ask(w, "circuit new", "{\"id\":1,\"wait\":0}", NULL), REPLY_CREATED);
		for (int k = 0; k < 2; k++) { /* also after an attempt that failed */
			assert_string_equal(relay_of(w, 1, 0), guard);
			assert_string_not_equal(relay_of(w, 1, 2), exit);
			if (k == 0)
				ends(w, 1, ORIGIN_INSTALL_FAILED, 0);
			assert_true(UNTIL(w, 5, circuit(w, 1)->lead));
		}
	}
}

/* ---- what is wished of relays ---- */

static void rules(void **state)
{
	char args[300], id[BASE64_LEN(32)];
	struct world *w = *state;
	const uint8_t operator_key[32] = { 7 };
	json_t *body, *list;

	memcpy(w->net->traits[0].country, "AT", 3);
	w->net->traits[0].n_families = 1;
	memcpy(w->net->traits[0].families[0], operator_key, 32);
	for (size_t i = 1; i < RELAYS; i++)
		memcpy(w->net->traits[i].country, i < 4 ? "CH" : "DE", 3);
	start_slowly(w);
	base64_write(operator_key, 32, id);
	assert_int_equal(ask(w, "circuit up", "{\"exit_countries\":[\"FR\"],\"wait\":0}", &body), REPLY_NOT_FOUND);
	assert_string_equal(json_string_value(json_object_get(body, "error")),
			    "no exit fits: 5 relays can be one, 5 in other countries than wanted");
	json_decref(body);
	assert_false(has_chain(w, "kill1"));
	assert_int_equal(ask(w, "circuit up", "{\"exit_countries\":[\"France\"]}", NULL), REPLY_MALFORMED);
	assert_int_equal(ask(w, "circuit up", "{\"never_countries\":[]}", NULL), REPLY_MALFORMED);
	assert_int_equal(ask(w, "circuit up", "{\"never_operators\":[\"x\"]}", NULL), REPLY_MALFORMED);
	assert_int_equal(ask(w, "circuit up", "{\"min_life\":0}", NULL), REPLY_MALFORMED);
	assert_int_equal(ask(w, "circuit up", "{\"path\":[\"r1\",\"r2\"],\"min_life\":10}", NULL), REPLY_MALFORMED);
	snprintf(args, sizeof(args),
		 "{\"to\":[\"" TO
		 "\"],\"exit_countries\":[\"de\"],\"never_countries\":[\"FR\"],\"never_operators\":[\"%s\"],"
		 "\"min_life\":5000,\"wait\":0}",
		 id);
	assert_int_equal(ask(w, "circuit up", args, NULL), REPLY_CREATED);
	for (int i = 0; i < 20; i++) {
		if (i == 10) { /* over a restart of the host */
			host_restarts(w);
			start_slowly(w);
			assert_true(UNTIL(w, 5, circuit(w, 1)->lead));
		}
		assert_string_equal(relay_of(w, 1, 2), "r5");
		assert_string_not_equal(relay_of(w, 1, 0), "r1");
		assert_string_not_equal(relay_of(w, 1, 1), "r1");
		assert_int_equal(ask(w, "circuit new", "{\"id\":1,\"wait\":0}", NULL), REPLY_CREATED);
	}
	assert_int_equal(ask(w, "circuit show", "{\"id\":1}", &body), REPLY_OK);
	assert_string_equal(json_string_value(json_array_get(json_object_get(body, "exit_countries"), 0)), "DE");
	assert_string_equal(json_string_value(json_array_get(json_object_get(body, "never_operators"), 0)), id);
	assert_int_equal(json_integer_value(json_object_get(body, "min_life")), 5000);
	assert_string_equal(json_string_value(json_object_get(body, "alike")), "network"); /* 192.0.2.0/24 */
	json_decref(body);
	list = wanted(w);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(list, 0), "min_life")), 5000);
	json_decref(list);
	assert_int_equal(ask(w, "circuit down", "{\"id\":1}", NULL), REPLY_OK);
	/* what the configuration never wants nobody gets; where it wants exits a circuit may say otherwise */
	stop(w);
	assert_null(countries_add(&w->conf->rules.never, "CH"));
	assert_null(countries_add(&w->conf->rules.exits, "DE"));
	start_slowly(w);
	assert_int_equal(ask(w, "circuit up", "{\"hops\":2,\"wait\":0}", NULL), REPLY_CREATED);
	assert_string_equal(relay_of(w, 1, 0), "r1");
	assert_string_equal(relay_of(w, 1, 1), "r5");
	assert_int_equal(ask(w, "circuit down", "{\"id\":1}", NULL), REPLY_OK);
	assert_int_equal(ask(w, "circuit up", "{\"hops\":2,\"exit_countries\":[\"AT\"],\"wait\":0}", NULL),
			 REPLY_CREATED);
	assert_string_equal(relay_of(w, 1, 0), "r5");
	assert_string_equal(relay_of(w, 1, 1), "r1");
	assert_int_equal(ask(w, "circuit down", "{\"id\":1}", NULL), REPLY_OK);
	assert_int_equal(ask(w, "circuit up", "{\"exit_countries\":[\"CH\"],\"wait\":0}", NULL), REPLY_NOT_FOUND);
}

/* A path that is chosen is of relays, not of names that somebody else may have later. */
static void chosen_by_identity(void **state)
{
	char args[300], id[BASE64_LEN(32)];
	struct world *w = *state;
	json_t *list;

	start_slowly(w);
	base64_write(w->net->relays[1].id.b, 32, id);
	snprintf(args, sizeof(args), "{\"to\":[\"" TO "\"],\"path\":[\"r1\",\"%s\",\"r3\"],\"wait\":0}", id);
	assert_int_equal(ask(w, "circuit up", args, NULL), REPLY_CREATED);
	assert_string_equal(relay_of(w, 1, 1), "r2");
	list = wanted(w);
	assert_string_equal(json_string_value(json_array_get(json_object_get(json_array_get(list, 0), "path"), 1)), id);
	json_decref(list);
	stop(w);
	memcpy(w->net->relays[0].name, "r9", 3);
	memcpy(w->net->relays[4].name, "r1", 3);
	start_slowly(w);
	assert_true(UNTIL(w, 5, circuit(w, 1)->lead || circuit(w, 1)->failed));
	assert_int_equal(ask(w, "circuit new", "{\"id\":1,\"wait\":0}", NULL), REPLY_CREATED);
	assert_string_equal(relay_of(w, 1, 0), "r9");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(up_fails_for_good),
		TEST(probed),
		TEST(up_again),
		TEST(up_goes_on),
		TEST(renewed),
		TEST(up_undone),
		TEST(up_needs_journal),
		TEST(survives_the_host),
		TEST(lan_served),
		TEST(narrow),
		TEST(damaged_selections),
		TEST(unknown_kill_switch_stays),
		TEST(names),
		TEST(damaged_line),
		TEST(journal_while_adopting),
		TEST(ways_to_the_directory),
		TEST(adopted),
		TEST(rebuilt_when_lost),
		TEST(expired),
		TEST(not_relieved),
		TEST(moves_before_its_relay_ends),
		TEST(two_at_once),
		TEST(retired_expired_meanwhile),
		TEST(lead_lost_before_retired),
		TEST(renewed_both),
		TEST(repaired),
		TEST(repaired_in_part),
		TEST(stray_repaired),
		TEST(guard_dies),
		TEST(middles_are_killed),
		TEST(sample_is_kept),
		TEST(fails_at_once),
		TEST(waits_for_guards),
		TEST(another_path),
		TEST(rules),
		TEST(chosen_by_identity),
		TEST(identities),
		TEST(secret_lives_with_circuits),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
