/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dirauth/publisher.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "dirauth/archive.h"
#include "dirauth/press.h"
#include "lib/cleanup.h"
#include "lib/log.h"

struct publisher {
	struct ev_loop *loop;
	struct shelf *shelf;
	const struct dirauth_config *conf;
	const uint8_t (*keys)[32];
	uint64_t valid_after; /* of the newest, 0: none */
	struct page *text;    /* it, whole; NULL: none */
	/* Earlier ones, the newest first. From `made` on differences are still to be made, one at a time: requests come
	 * between. */
	uint64_t old[ARCHIVE_TIMES_MAX];
	size_t n_old, made;
	ev_timer press;
};

/* Seconds for which a cache may keep it: the next one should not be late by much. */
static uint32_t max_age(const struct publisher *p)
{
	uint32_t age = p->conf->interval / 24;

	return age ? age : 1;
}

static void hand_out_difference(struct publisher *p, const char *body, size_t len)
{
	uint8_t hash[32];
	char hex[65], path[SHELF_PATH_MAX];

	crypto_generichash(hash, sizeof(hash), (const uint8_t *)body, len, NULL, 0);
	snprintf(path, sizeof(path), "consensus/from/%s.zst", sodium_bin2hex(hex, sizeof(hex), hash, sizeof(hash)));
	if (shelf_put(p->shelf, path, press(p->text->data, p->text->len, body, len, max_age(p))) < 0)
		log_err("a difference cannot be handed out: out of memory");
}

static void on_press(struct ev_loop *loop, ev_timer *w, int events)
{
	struct publisher *p = w->data;
	_cleanup_free_ char *body = NULL;
	struct error err = { "" };
	size_t len;
	int r;

	(void)events;
	if (p->made == p->n_old) {
		ev_timer_stop(loop, w);
		return;
	}
	r = archive_load(p->conf->state, "old", p->old[p->made++], CONSENSUS_MAX, &body, &len, &err);
	if (r > 0)
		hand_out_difference(p, body, len);
	else
		log_warn("an earlier consensus is gone: %s", err.text);
}

/* Differences are from what was newest before, and are made from now on. */
static void begin_differences(struct publisher *p)
{
	struct error err = { "" };
	int n = archive_times(p->conf->state, "old", p->old, &err);

	if (n < 0)
		log_warn("no differences: %s", err.text);
	shelf_remove_all(p->shelf, "consensus/from/");
	p->n_old = n < 0 ? 0 : (size_t)n;
	/* The newest of them is the one that is handed out. */
	p->made = p->n_old && p->old[0] >= p->valid_after ? 1 : 0;
	if (p->n_old > PUBLISHER_DIFFERENCES + 1)
		p->n_old = PUBLISHER_DIFFERENCES + 1;
	ev_timer_stop(p->loop, &p->press);
	ev_timer_set(&p->press, 0., 0.001);
	ev_timer_start(p->loop, &p->press);
}

static int hand_out(struct publisher *p, const char *text, size_t len, uint64_t valid_after, struct error *err)
{
	struct page *page = page_new(text, len, false, max_age(p));
	int r = page ? shelf_put(p->shelf, "consensus.zst", press(text, len, NULL, 0, max_age(p))) : -ENOMEM;

	if (r == 0)
		r = shelf_put(p->shelf, "consensus", page_use(page));
	if (r < 0) {
		page_leave(page);
		return error_set(err, r, "out of memory");
	}
	page_leave(p->text);
	p->text = page;
	p->valid_after = valid_after;
	return 0;
}

/* What is before the signatures is what differences are from: signatures may be others with everybody. */
static int archive(const struct publisher *p, struct error *err)
{
	_cleanup_free_ char *body = NULL;
	size_t len;
	int r = archive_save(p->conf->state, "consensus", 0, p->text->data, p->text->len, err);

	if (r == 0)
		r = consensus_with(p->text->data, p->text->len, NULL, 0, &body, &len, err);
	if (r == 0)
		r = archive_save(p->conf->state, "old", p->valid_after, body, len, err);
	if (r == 0)
		r = archive_prune(p->conf->state, "old",
				  p->valid_after - (uint64_t)PUBLISHER_DIFFERENCES * p->conf->interval, err);
	return r;
}

static int check(const struct publisher *p, const char *text, size_t len, uint64_t *ret_valid_after, struct error *err)
{
	struct consensus c = { 0 };
	int r = consensus_parse(text, len, p->keys, p->conf->authorities.n_keys, &c, err);

	if (r < 0)
		return r;
	*ret_valid_after = c.interval.valid_after;
	consensus_clear(&c);
	return 0;
}

int publisher_put(struct publisher *p, const char *text, size_t len, struct error *err)
{
	uint64_t valid_after = 0;
	struct error later = { "" };
	int r = check(p, text, len, &valid_after, err);

	/* Of the same interval: with more signatures than before. */
	if (r == 0 && valid_after < p->valid_after)
		return error_set(err, -ESTALE, "older than the one that is handed out");
	if (r == 0)
		r = hand_out(p, text, len, valid_after, err);
	if (r < 0)
		return r;
	if (archive(p, &later) < 0)
		log_err("the consensus cannot be kept: %s", later.text);
	begin_differences(p);
	return 0;
}

uint64_t publisher_valid_after(const struct publisher *p)
{
	return p->valid_after;
}

/* Of other authorities, or damaged: as if there were none. */
static int load(struct publisher *p, struct error *err)
{
	_cleanup_free_ char *text = NULL;
	struct error why = { "" };
	uint64_t valid_after = 0;
	size_t len;
	int r = archive_load(p->conf->state, "consensus", 0, CONSENSUS_MAX, &text, &len, err);

	if (r <= 0)
		return r;
	r = check(p, text, len, &valid_after, &why);
	if (r < 0) {
		log_warn("%s/consensus is not handed out: %s", p->conf->state, why.text);
		return 0;
	}
	r = hand_out(p, text, len, valid_after, err);
	if (r == 0)
		begin_differences(p);
	return r;
}

int publisher_new(struct ev_loop *loop, struct shelf *shelf, const struct dirauth_config *conf,
		  const uint8_t (*keys)[32], struct publisher **ret, struct error *err)
{
	struct publisher *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return error_set(err, -ENOMEM, "out of memory");
	*p = (struct publisher){ .loop = loop, .shelf = shelf, .conf = conf, .keys = keys };
	ev_timer_init(&p->press, on_press, 0., 0.001);
	p->press.data = p;
	r = load(p, err);
	if (r < 0) {
		publisher_free(p);
		return r;
	}
	*ret = p;
	return 0;
}

void publisher_free(struct publisher *p)
{
	if (!p)
		return;
	ev_timer_stop(p->loop, &p->press);
	page_leave(p->text);
	free(p);
}
