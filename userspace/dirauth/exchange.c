/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dirauth/exchange.h"

#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "directory/round.h"
#include "directory/timetable.h"
#include "request/request.h"

#define QUEUE_MAX (2 * AUTHORITIES_MAX + 4)

struct peer {
	struct exchange *x;
	size_t place;
	unsigned int tries; /* that failed: by turns another address of it is asked */
	struct request *request;
	struct wish queue[QUEUE_MAX]; /* the first is under way, if anything is */
	size_t n;
};

struct exchange {
	struct ev_loop *loop;
	const struct dirauth_config *conf;
	size_t self;
	const struct exchange_ops *ops;
	void *ctx;
	struct peer peers[AUTHORITIES_MAX];
};

int exchange_new(struct ev_loop *loop, const struct dirauth_config *conf, size_t self, const struct exchange_ops *ops,
		 void *ctx, struct exchange **ret)
{
	struct exchange *x = calloc(1, sizeof(*x));

	if (!x)
		return -ENOMEM;
	*x = (struct exchange){ .loop = loop, .conf = conf, .self = self, .ops = ops, .ctx = ctx };
	for (size_t i = 0; i < conf->authorities.n_keys; i++) {
		x->peers[i].x = x;
		x->peers[i].place = i;
	}
	*ret = x;
	return 0;
}

static void forget(struct peer *p)
{
	request_cancel(p->request);
	p->request = NULL;
	p->n = 0;
}

void exchange_forget(struct exchange *x)
{
	for (size_t i = 0; i < x->conf->authorities.n_keys; i++)
		forget(&x->peers[i]);
}

void exchange_free(struct exchange *x)
{
	if (!x)
		return;
	exchange_forget(x);
	free(x);
}

#define PATH_TEXT_MAX 256

static size_t path_of(const struct wish *w, char path[PATH_TEXT_MAX])
{
	char authority[65], hash[65];

	switch (w->kind) {
	case WISH_DESCRIPTORS:
		snprintf(path, PATH_TEXT_MAX, "descriptors.zst");
		return ROSTER_DUMP_MAX;
	case WISH_VOTES:
		snprintf(path, PATH_TEXT_MAX, "votes/%" PRIu64, w->valid_after);
		return ROUND_LIST_MAX;
	case WISH_VOTE:
		sodium_bin2hex(authority, sizeof(authority), w->authority, sizeof(w->authority));
		sodium_bin2hex(hash, sizeof(hash), w->hash, sizeof(w->hash));
		snprintf(path, PATH_TEXT_MAX, "vote/%" PRIu64 "/%s/%s.zst", w->valid_after, authority, hash);
		return VOTE_MAX;
	case WISH_SIGNATURES:
		break;
	}
	snprintf(path, PATH_TEXT_MAX, "signatures/%" PRIu64, w->valid_after);
	return ROUND_SIGNATURES_MAX;
}

static void next(struct peer *p);

static void on_done(void *ctx, const struct request_result *r)
{
	struct peer *p = ctx;
	struct wish w = p->queue[0];
	char *text = r->data;

	p->request = NULL;
	if (r->status == FETCH_OK) {
		memmove(&p->queue[0], &p->queue[1], --p->n * sizeof(p->queue[0]));
		p->x->ops->got(p->x->ctx, p->place, &w, &text, r->len);
		next(p);
	} else {
		p->n = 0;
		p->tries++;
		p->x->ops->failed(p->x->ctx, p->place, &w, r->why);
	}
	free(text);
}

static void next(struct peer *p)
{
	const struct dirauth_config *conf = p->x->conf;
	char path[PATH_TEXT_MAX], url[DIR_URL_MAX];
	size_t at = dir_servers_of(&conf->authorities, p->place, p->tries);
	struct request_spec q = { .program = conf->fetch, .url = url, .socket = -1 };
	struct wish w;
	int r;

	if (p->request || p->n == 0)
		return;
	w = p->queue[0];
	q.max = path_of(&w, path);
	q.zstd = w.kind == WISH_DESCRIPTORS || w.kind == WISH_VOTE;
	q.timeout_s = (unsigned int)(timetable_step_ms(conf->interval) / 1000) + 1;
	r = dir_url(&conf->authorities.at.v[at], path, url);
	if (r == 0)
		r = request_start(p->x->loop, &q, on_done, p, &p->request);
	if (r == 0)
		return;
	p->n = 0;
	p->x->ops->failed(p->x->ctx, p->place, &w, strerror(-r));
}

void exchange_ask(struct exchange *x, size_t peer, const struct wish *w)
{
	struct peer *p = &x->peers[peer];

	if (peer == x->self || p->n == QUEUE_MAX)
		return;
	p->queue[p->n++] = *w;
	next(p);
}

void exchange_ask_all(struct exchange *x, const struct wish *w)
{
	for (size_t i = 0; i < x->conf->authorities.n_keys; i++)
		exchange_ask(x, i, w);
}
