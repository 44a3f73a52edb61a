/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The consensus that outlives the daemon, in its state directory. Whoever can write there gains nothing: it is
 * verified. */
#pragma once

#include "anond/config.h"
#include "directory/consensus.h"
#include "directory/network.h"

#define DIR_KEPT_FILE "consensus"

struct dir_kept {
	struct network *net;	  /* NULL: none is usable */
	struct interval interval; /* of net */
	uint64_t newest;	  /* valid-after of the newest that ever was in force; 0: not known */
};

/*
 * One that has expired is taken: links of circuits that are open belong to its relays, but no new circuits are built
 * with it. One that is signed by too few, older than the newest or from the future is not, and *why says so; empty: all
 * is well, or there is none. -ENOMEM.
 */
int dir_kept_load(const struct config *conf, uint64_t now_s, struct dir_kept *ret, struct error *why);
/* Also remembers that it is the newest. */
int dir_kept_save(const struct config *conf, const char *text, size_t len, uint64_t valid_after, struct error *err);
/* All before its signatures (malloc), for the next one to be compressed with. -ENOENT and others: there is none. */
int dir_kept_body(const struct config *conf, char **ret, size_t *ret_len);

/* What a consensus says, verified: its interval and its network (network_free). Errors as consensus_parse. */
int dir_consensus_read(const struct config *conf, const char *text, size_t len, struct interval *ret_interval,
		       struct network **ret, struct error *err);
