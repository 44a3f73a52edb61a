/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an authority asks of the others: one request at a time of each of them, in order, by anon-fetch(8). */
#pragma once

#include <ev.h>
#include <stddef.h>
#include <stdint.h>

#include "dirauth/config.h"

enum wish_kind { WISH_DESCRIPTORS, WISH_VOTES, WISH_VOTE, WISH_SIGNATURES };

struct wish {
	enum wish_kind kind;
	uint64_t valid_after;		 /* but for descriptors */
	uint8_t authority[32], hash[32]; /* of a vote */
};

struct exchange_ops {
	/* peer: its place in conf->authorities. text (NUL-terminated) may be taken: *text is then NULL. */
	void (*got)(void *ctx, size_t peer, const struct wish *w, char **text, size_t len);
	/* What else was asked of that peer and is not answered yet is forgotten. */
	void (*failed)(void *ctx, size_t peer, const struct wish *w, const char *why);
};

struct exchange;
/* conf, ops and ctx must outlive it. self: its own place. -errno. */
int exchange_new(struct ev_loop *loop, const struct dirauth_config *conf, size_t self, const struct exchange_ops *ops,
		 void *ctx, struct exchange **ret);
void exchange_free(struct exchange *x); /* NULL is fine */
/* Of a peer that has too much to do already, or of itself, nothing is asked. */
void exchange_ask(struct exchange *x, size_t peer, const struct wish *w);
void exchange_ask_all(struct exchange *x, const struct wish *w);
/* Nothing more is wanted of what was asked. */
void exchange_forget(struct exchange *x);
