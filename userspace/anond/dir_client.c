/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "anond/dir_client.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>
#include <sys/socket.h>

#include "anond/dir_self.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "model/ids.h"
#include "request/request.h"
#include "wire/dirhttp.h"

#define FETCH_S 120u /* a consensus, through a slow circuit too */
#define POST_S 30u
#define ANSWER_MAX 1024u /* to a descriptor: a line, bytes */
#define PATH_TEXT_MAX 128u

enum job {
	JOB_DIFF,    /* the consensus, compressed with the one that we have */
	JOB_WHOLE,   /* the consensus */
	JOB_PUBLISH, /* to an authority */
};

/* Publishing to one authority. */
struct post {
	struct dir_pause pause;
	uint64_t at_s;	/* when it took our descriptor last; 0: never */
	uint64_t due_s; /* 0: now */
	unsigned int tries;
	bool refused; /* the last time */
};

struct dir_client {
	struct dir_client_config c;
	struct dir_schedule schedule;
	struct interval held; /* valid_until 0: none */
	uint64_t newest;
	ev_timer look;
	struct request *fetch; /* what is under way: */
	enum job job;
	size_t server;	       /* its number in the configuration's */
	size_t authority;      /* PUBLISH */
	char device[IFNAMSIZ]; /* "": directly */
	uint64_t ends_s;
	struct post posts[AUTHORITIES_MAX];
	/* For people. */
	uint64_t tried_s, fetched_s, fetches, failures;
	bool from_mirror, last_by_circuit;
	char why[160]; /* the last fetch's failure; "": it was good */
};

static void poll_now(struct dir_client *d);

/* ---- what is under way ---- */

static bool is_mirror(const struct dir_client *d, size_t server)
{
	return d->c.conf->servers.authority[server] < 0;
}

static const char *kind_of(const struct dir_client *d, size_t server)
{
	return is_mirror(d, server) ? "a mirror" : "an authority";
}

static const char *exit_text(enum fetch_status status)
{
	static const char *const texts[] = {
		[FETCH_OK] = "",
		[FETCH_USAGE] = "the request could not be made",
		[FETCH_NO_ANSWER] = "no connection or no answer",
		[FETCH_NOT_FOUND] = "it has none",
		[FETCH_REFUSED] = "it refused",
		[FETCH_OTHER_STATUS] = "it cannot now",
		[FETCH_CONTENT] = "what it sent is wrong or too large",
		[FETCH_INTERNAL] = "the program that fetches failed",
	};

	return texts[status];
}

static void note_failure(struct dir_client *d, const char *why)
{
	d->failures++;
	snprintf(d->why, sizeof(d->why), "%s", why);
	log_info("the consensus was not fetched from %s%s: %s", kind_of(d, d->server),
		 d->device[0] ? ", by a circuit" : "", why);
}

static void server_failed(struct dir_client *d, bool bad, const char *why)
{
	note_failure(d, why);
	dir_schedule_failed(&d->schedule, d->server, bad, clock_monotonic_ms(), &rng_system);
}

static void in_vain(struct dir_client *d, const char *why)
{
	note_failure(d, why);
	dir_schedule_in_vain(&d->schedule, clock_monotonic_ms(), &rng_system);
}

/* ---- starting a request ---- */

/* The kill switches let what has the mark pass to the directory's servers, and nothing else. -1 and errno. */
static int marked_socket(uint8_t family)
{
	const uint32_t mark = MARK_LINK;
	_cleanup_close_ int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)) < 0)
		return -1;
	return steal_fd(&fd);
}

static void on_done(void *ctx, const struct request_result *r);

static int request(struct dir_client *d, const struct request_spec *what, const char *path)
{
	const struct endpoint *at = &d->c.conf->servers.at.v[d->server];
	char url[DIR_URL_MAX];
	_cleanup_close_ int sock = -1;
	struct request_spec job = *what;
	int r = dir_url(at, path, url);

	if (r < 0)
		return r;
	job.program = d->c.conf->fetch_program;
	job.url = url;
	job.device = d->device[0] ? d->device : NULL;
	job.socket = -1;
	if (d->c.way && !job.device) {
		sock = marked_socket(at->family);
		if (sock < 0)
			return -errno;
		job.socket = sock;
	}
	return request_start(d->c.loop, &job, on_done, d, &d->fetch);
}

/* What of the path the server finds the difference by. */
static void diff_path(const char *body, size_t len, char ret[PATH_TEXT_MAX])
{
	uint8_t hash[32];
	char hex[65];

	crypto_generichash(hash, sizeof(hash), (const uint8_t *)body, len, NULL, 0);
	sodium_bin2hex(hex, sizeof(hex), hash, sizeof(hash));
	snprintf(ret, PATH_TEXT_MAX, "consensus/from/%s.zst", hex);
}

static int ask_consensus(struct dir_client *d, bool whole)
{
	struct request_spec job = { .max = CONSENSUS_MAX, .zstd = true, .timeout_s = FETCH_S };
	_cleanup_free_ char *body = NULL;
	char path[PATH_TEXT_MAX] = "consensus.zst";
	size_t len = 0;

	d->job = JOB_WHOLE;
	if (d->held.valid_until && !whole && dir_kept_body(d->c.conf, &body, &len) == 0) {
		d->job = JOB_DIFF;
		job.input = body;
		job.input_len = len;
		diff_path(body, len, path);
	}
	d->tried_s = clock_wall_s();
	return request(d, &job, path);
}

/* Without a consensus no circuit can be built, nor what is open be relieved, whatever it is that it fails by. */
static enum dir_way way_of(const struct dir_client *d, struct dir_reach *reach, char device[IFNAMSIZ])
{
	enum dir_way way = d->c.way ? d->c.way(d->c.ctx, reach, device) : DIR_DIRECTLY;
	bool expired = d->held.valid_until <= clock_wall_s();

	if ((way == DIR_NOT_NOW && (expired || d->schedule.wanted)) ||
	    (way == DIR_BY_CIRCUIT && expired && d->schedule.all.failures))
		way = DIR_DIRECTLY;
	if (way == DIR_DIRECTLY)
		memset(reach->server, true, sizeof(reach->server));
	return way;
}

static void look_for_consensus(struct dir_client *d)
{
	struct dir_reach reach = { { false } };
	char device[IFNAMSIZ] = "";
	enum dir_way way = way_of(d, &reach, device);
	int server = way == DIR_NOT_NOW ? -1
					: dir_schedule_pick(&d->schedule, clock_monotonic_ms(), clock_wall_s(), &reach,
							    &rng_system);
	int r;

	if (server < 0)
		return;
	d->server = (size_t)server;
	snprintf(d->device, sizeof(d->device), "%s", way == DIR_BY_CIRCUIT ? device : "");
	r = ask_consensus(d, false);
	if (r < 0)
		server_failed(d, false, strerror(-r));
}

/* ---- a consensus came ---- */

static int take(struct dir_client *d, const char *text, size_t len, const struct interval *v, struct network *net,
		struct error *err)
{
	struct error why = { "" };
	int r = d->c.put_in_force(d->c.ctx, net, err);

	if (r < 0)
		return r;
	d->held = *v;
	d->newest = v->valid_after;
	dir_schedule_in_force(&d->schedule, v, &rng_system);
	if (dir_kept_save(d->c.conf, text, len, v->valid_after, &why) < 0)
		log_warn("the consensus cannot be kept, so the next start begins without one: %s", why.text);
	return 0;
}

static void came_well(struct dir_client *d)
{
	d->fetches++;
	d->fetched_s = clock_wall_s();
	d->from_mirror = is_mirror(d, d->server);
	d->last_by_circuit = d->device[0];
	d->why[0] = '\0';
	dir_schedule_done(&d->schedule, d->server);
}

/* Nothing newer than what is remembered need be in force: then that one is as good as a newer. */
static uint64_t newest_for(const struct dir_client *d)
{
	return !d->held.valid_until && d->newest ? d->newest - 1 : d->newest;
}

static void judge(struct dir_client *d, const char *text, size_t len, const struct interval *v, struct network *net)
{
	enum dir_worth worth = dir_worth(v, newest_for(d), d->held.fresh_until, clock_wall_s());
	struct error err = { "" };

	if (worth == DIR_NEWER) {
		if (take(d, text, len, v, net, &err) < 0)
			in_vain(d, err.text);
		else
			came_well(d);
		return;
	}
	network_free(net);
	if (worth == DIR_SAME) {
		came_well(d);
	} else if (worth == DIR_FUTURE) {
		log_err("a consensus: %s; nothing is done with it", dir_worth_text(worth));
		in_vain(d, dir_worth_text(worth));
	} else {
		server_failed(d, true, dir_worth_text(worth));
	}
}

/* The same server is asked once more, for all of it: the difference may be what is wrong. */
static void ask_whole(struct dir_client *d)
{
	int r = ask_consensus(d, true);

	if (r < 0)
		server_failed(d, false, strerror(-r));
}

static void consensus_came(struct dir_client *d, const char *text, size_t len)
{
	struct network *net = NULL;
	struct error err = { "" };
	struct interval v;
	int r = dir_consensus_read(d->c.conf, text, len, &v, &net, &err);

	if (r == 0)
		judge(d, text, len, &v, net);
	else if (r == -ENOMEM)
		in_vain(d, err.text);
	else if (d->job == JOB_DIFF)
		ask_whole(d);
	else
		server_failed(d, true, err.text);
}

static void consensus_done(struct dir_client *d, const struct request_result *r)
{
	if (r->status == FETCH_OK)
		consensus_came(d, r->data, r->len);
	else if (d->job == JOB_DIFF && (r->status == FETCH_NOT_FOUND || r->status == FETCH_CONTENT))
		ask_whole(d);
	else if (r->status == FETCH_USAGE || r->status == FETCH_INTERNAL)
		in_vain(d, exit_text(r->status));
	else
		server_failed(d, r->status == FETCH_CONTENT, exit_text(r->status));
}

/* ---- publishing ---- */

static void post_failed(struct dir_client *d, struct post *p, bool refused, const char *why)
{
	p->tries++;
	p->refused = refused;
	log_info("the descriptor was not published to authority %zu: %s", d->authority + 1, why);
	if (refused)
		dir_pause_bad(&p->pause, clock_monotonic_ms(), &rng_system);
	else
		dir_pause_failed(&p->pause, clock_monotonic_ms(), &rng_system);
}

static int publish(struct dir_client *d)
{
	struct request_spec job = { .max = ANSWER_MAX, .post = true, .timeout_s = POST_S };
	_cleanup_free_ char *text = NULL;
	struct error err = { "" };
	int r = dir_self_descriptor(d->c.conf, d->c.keys, d->c.onion, d->ends_s, clock_wall_s(), &text, &job.input_len,
				    &err);

	if (r < 0) {
		log_err("this relay cannot say what it is: %s", err.text);
		return r;
	}
	job.input = text;
	d->device[0] = '\0';
	return request(d, &job, "descriptor");
}

static void look_for_posts(struct dir_client *d)
{
	uint64_t now_ms = clock_monotonic_ms(), now_s = clock_wall_s();
	int r;

	for (size_t i = 0; d->c.keys && !d->fetch && i < d->c.conf->servers.n_keys; i++) {
		struct post *p = &d->posts[i];

		if (p->due_s > now_s || p->pause.until_ms > now_ms)
			continue;
		d->job = JOB_PUBLISH;
		d->authority = i;
		d->server = dir_servers_of(&d->c.conf->servers, i, p->tries);
		/* What changes meanwhile makes it due again. */
		p->due_s = now_s + DIR_PUBLISH_S - rng_below(&rng_system, 3600);
		r = publish(d);
		if (r < 0) {
			p->due_s = 0;
			post_failed(d, p, false, strerror(-r));
		}
	}
}

static void published(struct dir_client *d, const struct request_result *r)
{
	struct post *p = &d->posts[d->authority];

	if (r->status != FETCH_OK) {
		p->due_s = 0;
		post_failed(d, p, r->status == FETCH_REFUSED, exit_text(r->status));
		return;
	}
	p->pause = (struct dir_pause){ 0 };
	p->tries = 0;
	p->refused = false;
	p->at_s = clock_wall_s();
	log_debug("the descriptor was published to authority %zu", d->authority + 1);
}

/* ---- the loop ---- */

static void on_done(void *ctx, const struct request_result *r)
{
	struct dir_client *d = ctx;

	d->fetch = NULL;
	if (r->why[0])
		log_debug("anon-fetch: %s", r->why);
	if (d->job == JOB_PUBLISH)
		published(d, r);
	else
		consensus_done(d, r);
	free(r->data);
	poll_now(d);
}

static uint64_t next_of(const struct dir_client *d, uint64_t now_ms, uint64_t now_s)
{
	uint64_t next = dir_schedule_next(&d->schedule, now_ms, now_s);

	for (size_t i = 0; d->c.keys && i < d->c.conf->servers.n_keys; i++) {
		const struct post *p = &d->posts[i];

		if (p->due_s <= now_s && p->pause.until_ms < next)
			next = p->pause.until_ms;
	}
	return next;
}

/* A moment is the least that is waited: what waits for a circuit is due all the time. */
static void arm(struct dir_client *d)
{
	uint64_t now = clock_monotonic_ms(), next = next_of(d, now, clock_wall_s());

	ev_timer_stop(d->c.loop, &d->look);
	if (d->fetch)
		return;
	ev_timer_set(&d->look, next > now + DIR_PAUSE_MIN_MS ? (double)(next - now) / 1000. : 1., 0.);
	ev_timer_start(d->c.loop, &d->look);
}

static void poll_now(struct dir_client *d)
{
	if (!d->fetch)
		look_for_consensus(d);
	if (!d->fetch)
		look_for_posts(d);
	arm(d);
}

static void forget_pauses_of_posts(struct dir_client *d)
{
	for (size_t i = 0; i < AUTHORITIES_MAX; i++)
		d->posts[i].pause = (struct dir_pause){ 0 };
}

static void on_look(struct ev_loop *loop, ev_timer *w, int events)
{
	struct dir_client *d = w->data;

	(void)loop;
	(void)events;
	if (dir_schedule_clock_set(&d->schedule, clock_monotonic_ms(), clock_wall_s()))
		forget_pauses_of_posts(d);
	poll_now(d);
}

/* ---- life ---- */

/* From the loop, not from within a caller that may not expect what follows. */
static void poll_soon(struct dir_client *d)
{
	if (d->fetch)
		return;
	ev_timer_stop(d->c.loop, &d->look);
	ev_timer_set(&d->look, 0., 0.);
	ev_timer_start(d->c.loop, &d->look);
}

int dir_client_new(const struct dir_client_config *conf, struct dir_client **ret)
{
	struct dir_client *d = calloc(1, sizeof(*d));

	if (!d)
		return -ENOMEM;
	d->c = *conf;
	d->newest = conf->kept.newest;
	d->ends_s = conf->conf->self.ends;
	dir_schedule_init(&d->schedule, conf->conf->servers.at.n, conf->keys != NULL);
	if (conf->kept.net) {
		d->held = conf->kept.interval;
		dir_schedule_in_force(&d->schedule, &d->held, &rng_system);
	}
	d->c.kept.net = NULL;
	ev_timer_init(&d->look, on_look, 0., 0.);
	d->look.data = d;
	ev_timer_start(conf->loop, &d->look);
	*ret = d;
	return 0;
}

void dir_client_free(struct dir_client *d)
{
	if (!d)
		return;
	request_cancel(d->fetch);
	ev_timer_stop(d->c.loop, &d->look);
	free(d);
}

void dir_client_changed(struct dir_client *d)
{
	dir_schedule_changed(&d->schedule);
	forget_pauses_of_posts(d);
	poll_soon(d);
}

void dir_publish_now(struct dir_client *d)
{
	for (size_t i = 0; i < AUTHORITIES_MAX; i++) {
		d->posts[i].due_s = 0;
		d->posts[i].pause = (struct dir_pause){ 0 };
	}
	poll_soon(d);
}

void dir_client_hurry(struct dir_client *d)
{
	dir_schedule_want(&d->schedule);
	dir_publish_now(d);
}

void dir_client_ends(struct dir_client *d, uint64_t ends_s)
{
	uint64_t ends = ends_s ? ends_s : d->c.conf->self.ends;

	if (ends == d->ends_s)
		return;
	d->ends_s = ends;
	dir_publish_now(d);
}

/* ---- for people ---- */

const char *dir_client_wrong(const struct dir_client *d)
{
	if (!d->held.valid_until)
		return d->why[0] ? d->why : "there is no consensus yet";
	if (d->held.valid_after > clock_wall_s() + DIR_SKEW_S)
		return "the consensus in force begins in the future: the clock of this host is behind";
	if (d->held.valid_until <= clock_wall_s())
		return "the consensus has expired, and none was fetched since: is the clock right, are authorities "
		       "reached?";
	return "";
}

static json_t *posts_json(const struct dir_client *d)
{
	json_t *list = json_array();

	for (size_t i = 0; i < d->c.conf->servers.n_keys; i++) {
		const struct post *p = &d->posts[i];

		json_array_append_new(list, json_pack("{s:i, s:s, s:I}", "authority", (int)i + 1, "state",
						      p->refused	  ? "refused"
						      : p->pause.failures ? "failed"
						      : p->at_s		  ? "published"
									  : "waiting",
						      "at", (json_int_t)p->at_s));
	}
	return list;
}

json_t *dir_client_json(const struct dir_client *d)
{
	json_t *j = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:s, s:b, s:s}", "valid_after",
			      (json_int_t)d->held.valid_after, "fresh_until", (json_int_t)d->held.fresh_until,
			      "valid_until", (json_int_t)d->held.valid_until, "fetched", (json_int_t)d->fetched_s,
			      "tried", (json_int_t)d->tried_s, "fetches", (json_int_t)d->fetches, "failures",
			      (json_int_t)d->failures, "error", d->why, "by_circuit", d->last_by_circuit, "from",
			      !d->fetches      ? ""
			      : d->from_mirror ? "mirror"
					       : "authority");

	if (d->c.keys)
		json_object_set_new(j, "published", posts_json(d));
	return j;
}
