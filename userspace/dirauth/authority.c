/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dirauth/authority.h"

#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dirauth/archive.h"
#include "dirauth/exchange.h"
#include "dirauth/locations.h"
#include "dirauth/measurements.h"
#include "dirauth/press.h"
#include "dirauth/prober.h"
#include "dirauth/publisher.h"
#include "directory/round.h"
#include "directory/timetable.h"
#include "lib/base64.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/secmem.h"

#define LOOK_MS 1000	 /* at the clock, which may be set at any time */
#define SAVE_DELAY_S 30. /* changes of the roster come in numbers */
#define NAME_LEN 9	 /* of an authority in the log: how its key begins */

struct authority {
	struct ev_loop *loop;
	const struct dirauth_config *conf;
	const uint8_t *seed;
	size_t self;
	struct locations *locations;
	struct roster *roster;
	struct shelf *shelf;
	struct publisher *publisher;
	struct exchange *exchange;
	struct prober *prober; /* NULL: relays are not probed */
	struct round *round;   /* of the newest interval whose votes were due, NULL: of none yet */
	struct appointment next;
	ev_timer clock;
	ev_timer save;
};

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static const char *name_of(const uint8_t key[32], char ret[NAME_LEN])
{
	char text[BASE64_LEN(32)];

	base64_write(key, 32, text);
	memcpy(ret, text, NAME_LEN - 1);
	ret[NAME_LEN - 1] = '\0';
	return ret;
}

/* ---- the roster ---- */

static void save_roster(struct authority *a)
{
	_cleanup_free_ char *text = NULL;
	struct error err = { "out of memory" };
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	int r = -ENOMEM;

	ev_timer_stop(a->loop, &a->save);
	if (f) {
		roster_dump(a->roster, f);
		r = fclose(f) == 0 ? archive_save(a->conf->state, "roster", 0, text, len, &err) : -ENOMEM;
	}
	if (r < 0)
		log_err("the relays cannot be kept: %s", err.text);
}

static void save_later(struct authority *a)
{
	if (!ev_is_active(&a->save))
		ev_timer_start(a->loop, &a->save);
}

static int load_roster(struct authority *a, struct error *err)
{
	_cleanup_free_ char *text = NULL;
	size_t len, damaged = 0;
	int r = archive_load(a->conf->state, "roster", 0, ROSTER_DUMP_MAX, &text, &len, err);

	if (r > 0)
		r = roster_load(a->roster, text, len, clock_wall_s(), &damaged, err);
	if (r == -EINVAL) { /* relays come again */
		log_err("%s/roster is damaged: %s", a->conf->state, err->text);
		r = 0;
	}
	if (damaged)
		log_warn("%s/roster: %zu relays are damaged", a->conf->state, damaged);
	return r;
}

static void put_descriptor(void *ctx, const struct roster_entry *e)
{
	fwrite(e->text, 1, e->len, ctx);
}

static void hand_out_descriptors(struct authority *a)
{
	_cleanup_free_ char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return;
	roster_each(a->roster, put_descriptor, f);
	if (fclose(f) != 0 || shelf_put(a->shelf, "descriptors.zst", press(text, len, NULL, 0, 0)) < 0)
		log_err("the descriptors cannot be handed out: out of memory");
}

static void on_save(struct ev_loop *loop, ev_timer *w, int events)
{
	(void)loop;
	(void)events;
	save_roster(w->data);
	hand_out_descriptors(w->data);
}

static void no_more(void *ctx, const struct relay_id *id)
{
	(void)ctx;
	(void)id;
}

void authority_reload(struct authority *a)
{
	struct error err = { "" };

	if (a->conf->measurements && measurements_read(a->conf->measurements, a->roster, &err) < 0)
		log_err("%s; nothing counts as measured", err.text);
}

/* ---- votes ---- */

static void hand_out_list(struct authority *a)
{
	_cleanup_free_ char *text = NULL;
	char path[64];
	size_t len;

	snprintf(path, sizeof(path), "votes/%" PRIu64, round_valid_after(a->round));
	if (round_list(a->round, &text, &len) < 0 || shelf_put(a->shelf, path, page_new(text, len, false, 0)) < 0)
		log_err("the list of votes cannot be handed out: out of memory");
}

/* All of that authority. */
static void hand_out_votes(struct authority *a, const uint8_t key[32])
{
	struct round_vote v[2];
	size_t n = round_votes_of(a->round, key, v);
	char authority[65], hash[65], path[SHELF_PATH_MAX];

	for (size_t i = 0; i < n; i++) {
		sodium_bin2hex(authority, sizeof(authority), v[i].authority, 32);
		sodium_bin2hex(hash, sizeof(hash), v[i].hash, 32);
		snprintf(path, sizeof(path), "vote/%" PRIu64 "/%s/%s.zst", round_valid_after(a->round), authority,
			 hash);
		if (!shelf_find(a->shelf, path) &&
		    shelf_put(a->shelf, path, press(v[i].text, v[i].len, NULL, 0, 3600)) < 0)
			log_err("a vote cannot be handed out: out of memory");
	}
	hand_out_list(a);
}

static int make_vote(struct authority *a, uint64_t valid_after, char **ret, size_t *ret_len, struct error *err)
{
	uint64_t interval = a->conf->interval;
	struct vote v = { .interval = { valid_after, valid_after + interval, valid_after + a->conf->valid * interval,
					a->conf->link_mtu } };
	int r = roster_listings(a->roster, valid_after, clock_wall_s(), &v.relays);

	if (r < 0)
		return error_set(err, r, "out of memory");
	memcpy(v.authority, a->conf->authorities.keys[a->self], sizeof(v.authority));
	r = vote_make(&v, a->seed, ret, ret_len, err);
	if (r == 0)
		log_info("vote for %zu relays", v.relays.n);
	listings_clear(&v.relays);
	return r;
}

/* What was voted once is voted again: what is handed out is on the disk before. */
static int own_vote(struct authority *a, uint64_t valid_after, char **ret, size_t *ret_len, struct error *err)
{
	int r = archive_load(a->conf->state, "vote", valid_after, VOTE_MAX, ret, ret_len, err);

	if (r != 0)
		return r < 0 ? r : 0;
	r = make_vote(a, valid_after, ret, ret_len, err);
	return r < 0 ? r : archive_save(a->conf->state, "vote", valid_after, *ret, *ret_len, err);
}

static void vote(struct authority *a)
{
	_cleanup_free_ char *text = NULL;
	struct error err = { "" };
	size_t len;
	int r = own_vote(a, round_valid_after(a->round), &text, &len, &err);

	if (r == 0)
		r = round_add_vote(a->round, &text, len, &err);
	if (r < 0)
		log_err("no vote: %s", err.text);
	hand_out_votes(a, a->conf->authorities.keys[a->self]);
}

static void got_vote(struct authority *a, char **text, size_t len, const uint8_t key[32])
{
	struct error err = { "" };
	char name[NAME_LEN];
	struct round_vote v[2];
	int r = round_add_vote(a->round, text, len, &err);

	if (r < 0)
		log_warn("what should be a vote of authority %s is none: %s", name_of(key, name), err.text);
	if (r <= 0)
		return;
	if (round_votes_of(a->round, key, v) == 2)
		log_err("authority %s gave two different votes for one interval: it is left out, and the operators of "
			"this directory should talk about it",
			name_of(key, name));
	hand_out_votes(a, key);
}

struct listed {
	struct authority *a;
	size_t peer;
};

static void want_vote(void *ctx, const uint8_t authority[32], const uint8_t hash[32])
{
	const struct listed *l = ctx;
	struct wish w = { .kind = WISH_VOTE, .valid_after = round_valid_after(l->a->round) };

	if (!round_wants(l->a->round, l->a->conf->authorities.keys[l->peer], authority, hash))
		return;
	memcpy(w.authority, authority, sizeof(w.authority));
	memcpy(w.hash, hash, sizeof(w.hash));
	exchange_ask(l->a->exchange, l->peer, &w);
}

/* ---- signatures ---- */

static void hand_out_signatures(struct authority *a)
{
	_cleanup_free_ char *text = NULL;
	struct error err = { "" };
	char path[64];
	size_t len;
	int r = round_signatures(a->round, &text, &len, &err);

	snprintf(path, sizeof(path), "signatures/%" PRIu64, round_valid_after(a->round));
	if (r == 0)
		r = shelf_put(a->shelf, path, page_new(text, len, false, 0));
	if (r < 0)
		log_err("signatures cannot be handed out: %s", err.text);
}

/* Before it is signed it is on the disk. */
static int compute(struct authority *a, char **ret, size_t *ret_len, struct error *err)
{
	int r = round_compute(a->round, ret, ret_len, err);

	return r < 0 ? r : archive_save(a->conf->state, "signed", round_valid_after(a->round), *ret, *ret_len, err);
}

/* What was signed once is signed again, and nothing else for that interval. anew: if there is no such thing. */
static void sign(struct authority *a, bool anew)
{
	_cleanup_free_ char *body = NULL;
	struct error err = { "" };
	size_t len;
	int r = archive_load(a->conf->state, "signed", round_valid_after(a->round), CONSENSUS_MAX, &body, &len, &err);

	if (r == 0 && !anew)
		return;
	if (r == 0)
		r = compute(a, &body, &len, &err);
	if (r >= 0)
		r = round_sign(a->round, body, len, a->seed, &err);
	if (r < 0)
		log_err("no consensus for the next interval: %s", err.text);
	else
		hand_out_signatures(a);
}

static void got_signatures(struct authority *a, size_t peer, const char *text, size_t len)
{
	struct error err = { "" };
	char name[NAME_LEN];
	size_t other = 0;
	int r = round_add_signatures(a->round, text, len, &other, &err);

	if (r < 0)
		log_warn("signatures from authority %s: %s", name_of(a->conf->authorities.keys[peer], name), err.text);
	if (other)
		log_warn("authority %s has %zu signatures of another consensus",
			 name_of(a->conf->authorities.keys[peer], name), other);
	if (r > 0)
		hand_out_signatures(a);
}

static void publish(struct authority *a)
{
	_cleanup_free_ char *text = NULL;
	struct error err = { "" };
	size_t len;
	int r = round_result(a->round, &text, &len, &err);

	if (r == 0)
		r = publisher_put(a->publisher, text, len, &err);
	if (r < 0)
		log_err("no new consensus: %s", err.text);
	else
		log_notice("consensus of %zu authorities, signed by %zu", round_counted(a->round),
			   round_signed(a->round));
}

static bool is_published(const struct authority *a)
{
	return a->round && publisher_valid_after(a->publisher) >= round_valid_after(a->round);
}

/* ---- phases ---- */

static int begin_round(struct authority *a, uint64_t valid_after)
{
	/* Of these the consensus may be in use: also when the clock was set back, nothing of them is made twice. */
	const uint64_t in_use = a->conf->valid * (uint64_t)a->conf->interval;
	const uint64_t over = valid_after > in_use ? valid_after - in_use : 0;
	struct round *round = NULL;
	struct error err = { "" };
	int r;

	if (a->round && round_valid_after(a->round) == valid_after)
		return 0;
	r = round_new(valid_after, a->conf->authorities.keys, a->conf->authorities.n_keys, &round);
	if (r < 0) {
		log_err("the next interval cannot begin: %s", strerror(-r));
		return r;
	}
	round_free(a->round);
	a->round = round;
	shelf_remove_all(a->shelf, "vote/");
	shelf_remove_all(a->shelf, "votes/");
	shelf_remove_all(a->shelf, "signatures/");
	if (archive_prune(a->conf->state, "vote", over, &err) < 0 ||
	    archive_prune(a->conf->state, "signed", over, &err) < 0)
		log_warn("%s", err.text);
	sign(a, false); /* before it was started again */
	return 0;
}

static void gather(struct authority *a)
{
	const struct wish w = { .kind = WISH_DESCRIPTORS };

	authority_reload(a);
	roster_expire(a->roster, clock_wall_s(), no_more, NULL);
	save_roster(a);
	hand_out_descriptors(a);
	exchange_ask_all(a->exchange, &w);
}

/* Asks all the others. */
static void ask(struct authority *a, enum wish_kind kind)
{
	const struct wish w = { .kind = kind, .valid_after = round_valid_after(a->round) };

	exchange_ask_all(a->exchange, &w);
}

/* Of an authority that was started meanwhile too: it has no vote, but sees and signs what the others have, or it had.
 */
static void keep(struct authority *a, enum phase phase)
{
	size_t ignored;

	switch (phase) {
	case PHASE_GATHER:
		gather(a);
		break;
	case PHASE_VOTE:
		exchange_forget(a->exchange); /* votes come before descriptors that are late */
		vote(a);
		break;
	case PHASE_COLLECT:
	case PHASE_COMPARE:
		ask(a, WISH_VOTES);
		break;
	case PHASE_CLOSE:
		exchange_forget(a->exchange);
		round_close(a->round);
		break;
	case PHASE_COMPUTE:
		exchange_forget(a->exchange);
		sign(a, true);
		break;
	case PHASE_SIGN:
	case PHASE_LATE:
		if (phase == PHASE_LATE && !is_published(a) && round_body(a->round, &ignored))
			publish(a);
		if (round_body(a->round, &ignored) && round_signed(a->round) < a->conf->authorities.n_keys)
			ask(a, WISH_SIGNATURES);
		break;
	case PHASE_PUBLISH:
		publish(a);
		break;
	}
}

static void make_appointment(struct authority *a, uint64_t after_ms)
{
	uint64_t now = now_ms(), wait;

	a->next = timetable_next(a->conf->interval, after_ms);
	wait = a->next.at_ms > now ? a->next.at_ms - now : 0;
	ev_timer_set(&a->clock, (double)(wait < LOOK_MS ? wait : LOOK_MS) / 1000., 0.);
	ev_now_update(a->loop); /* what was done before this may have taken its time */
	ev_timer_start(a->loop, &a->clock);
}

static void on_clock(struct ev_loop *loop, ev_timer *w, int events)
{
	struct authority *a = w->data;
	const struct appointment due = a->next;
	uint64_t now = now_ms();
	/* After a step of the clock, or a suspended host, it is another time than the one that was waited for. */
	bool is_due = now >= due.at_ms && now < due.at_ms + timetable_step_ms(a->conf->interval);

	(void)loop;
	(void)events;
	if (is_due && begin_round(a, due.valid_after) == 0)
		keep(a, due.phase);
	make_appointment(a, is_due ? due.at_ms : now); /* one that is a little late is kept too */
}

/* ---- what others answer ---- */

static void got(void *ctx, size_t peer, const struct wish *w, char **text, size_t len)
{
	struct authority *a = ctx;
	struct listed l = { a, peer };
	struct error err = { "" };
	char name[NAME_LEN];
	int r = 0;

	if (w->kind != WISH_DESCRIPTORS && (!a->round || w->valid_after != round_valid_after(a->round)))
		return;
	switch (w->kind) {
	case WISH_DESCRIPTORS:
		r = roster_add_all(a->roster, *text, len, clock_wall_s(), &err);
		log_debug("authority %s told of %d relays", name_of(a->conf->authorities.keys[peer], name),
			  r < 0 ? 0 : r);
		if (r != 0)
			save_later(a);
		break;
	case WISH_VOTES:
		r = round_list_read(*text, len, want_vote, &l);
		break;
	case WISH_VOTE:
		got_vote(a, text, len, w->authority);
		break;
	case WISH_SIGNATURES:
		got_signatures(a, peer, *text, len);
		break;
	}
	if (r < 0)
		log_warn("authority %s sent something that cannot be read",
			 name_of(a->conf->authorities.keys[peer], name));
}

static void failed(void *ctx, size_t peer, const struct wish *w, const char *why)
{
	static const char *const what[] = { "descriptors", "the list of votes", "a vote", "signatures" };
	const struct authority *a = ctx;
	char name[NAME_LEN];

	log_warn("authority %s: no answer for %s: %s", name_of(a->conf->authorities.keys[peer], name), what[w->kind],
		 why);
}

static const struct exchange_ops exchange_ops = { .got = got, .failed = failed };

/* ---- what relays and clients ask ---- */

static struct page *get_descriptor(struct authority *a, const char *hex)
{
	struct roster_entry e;
	struct relay_id id;
	size_t len = 0;

	if (strlen(hex) != 64 || sodium_hex2bin(id.b, sizeof(id.b), hex, 64, NULL, &len, NULL) < 0 || len != 32 ||
	    !roster_find(a->roster, &id, &e))
		return NULL;
	return page_new(e.text, e.len, false, 0);
}

static struct page *on_get(void *ctx, const char *path)
{
	static const char of_relay[] = "descriptor/";
	struct authority *a = ctx;
	struct page *p = shelf_find(a->shelf, path);

	if (p)
		return page_use(p);
	return strncmp(path, of_relay, strlen(of_relay)) == 0 ? get_descriptor(a, path + strlen(of_relay)) : NULL;
}

static unsigned int http_status(int r)
{
	switch (r) {
	case -EACCES:
		return 403;
	case -EEXIST:
		return 409;
	case -ENOSPC:
	case -ENOMEM:
		return 503;
	default:
		return r < 0 ? 400 : 200;
	}
}

static unsigned int on_post(void *ctx, const char *text, size_t len, const struct in6_addr *from, struct error *why)
{
	struct authority *a = ctx;
	int r = roster_add(a->roster, text, len, from, clock_wall_s(), why);

	if (r >= 0)
		error_set(why, 0, r > 0 ? "taken" : "known");
	if (r > 0)
		save_later(a);
	return http_status(r);
}

const struct http_ops authority_http_ops = { .get = on_get, .post = on_post };

/* ---- life ---- */

static int prepare(struct authority *a, struct error *err)
{
	struct roster_rules rules = a->conf->rules;
	int r = locations_open(a->conf->countries, a->conf->systems, &a->locations, err);

	if (r < 0)
		return r;
	rules.locate = locations_find;
	rules.locate_ctx = a->locations;
	r = roster_new(&rules, &a->roster);
	a->shelf = shelf_new();
	if (r == 0)
		r = a->shelf ? exchange_new(a->loop, a->conf, a->self, &exchange_ops, a, &a->exchange) : -ENOMEM;
	if (r < 0)
		return error_set(err, r, "%s", strerror(-r));
	r = load_roster(a, err);
	if (r == 0)
		r = publisher_new(a->loop, a->shelf, a->conf, a->conf->authorities.keys, &a->publisher, err);
	if (r < 0 || !a->conf->probe)
		return r;
	r = prober_new(a->loop, a->conf->probe_program, a->conf->interval / 2, a->roster, &a->prober);
	return r < 0 ? error_set(err, r, "probe-program: %s", strerror(-r)) : 0;
}

int authority_new(struct ev_loop *loop, const struct dirauth_config *conf, const uint8_t seed[32],
		  struct authority **ret, struct error *err)
{
	struct authority *a = calloc(1, sizeof(*a));
	uint8_t key[32], secret[64];
	int self, r;

	if (!a)
		return error_set(err, -ENOMEM, "out of memory");
	crypto_sign_seed_keypair(key, secret, seed);
	sodium_memzero(secret, sizeof(secret));
	self = dir_servers_find(&conf->authorities, key);
	*a = (struct authority){ .loop = loop, .conf = conf, .seed = seed, .self = (size_t)self };
	ev_init(&a->clock, on_clock);
	ev_timer_init(&a->save, on_save, SAVE_DELAY_S, 0.);
	a->clock.data = a->save.data = a;
	r = self < 0 ? error_set(err, self, "authorities: the key in %s is of none of them", conf->key)
		     : prepare(a, err);
	if (r < 0) {
		authority_free(a);
		return r;
	}
	authority_reload(a);
	hand_out_descriptors(a);
	make_appointment(a, now_ms());
	r = begin_round(a, a->next.valid_after);
	if (r < 0) {
		authority_free(a);
		return error_set(err, r, "%s", strerror(-r));
	}
	*ret = a;
	return 0;
}

void authority_free(struct authority *a)
{
	if (!a)
		return;
	ev_timer_stop(a->loop, &a->clock);
	if (ev_is_active(&a->save))
		save_roster(a);
	prober_free(a->prober);
	exchange_free(a->exchange);
	publisher_free(a->publisher);
	round_free(a->round);
	shelf_free(a->shelf);
	roster_free(a->roster);
	locations_close(a->locations);
	free(a);
}
