/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One authority at work: what it knows of relays (directory/roster.h), what it agrees on with the others for each
 * interval (directory/round.h), what it hands out (wire/dirhttp.h), and what of this lies on its disk:
 *
 *   STATE/roster          the relays, written a while after they changed
 *   STATE/vote-T          its vote for the interval that begins at T: there is never another one, whatever happens
 *   STATE/signed-T        the consensus that it signed, without signatures: nor of this
 *   STATE/consensus       the newest that a majority signed
 *   STATE/old-T           earlier ones, without signatures: what differences are made from
 */
#pragma once

#include <ev.h>

#include "dirauth/config.h"
#include "dirauth/http.h"

struct authority;
/* seed: of conf's own key; both must outlive it. Reads what an earlier run left and begins to keep its appointments. */
int authority_new(struct ev_loop *loop, const struct dirauth_config *conf, const uint8_t seed[32],
		  struct authority **ret, struct error *err);
/* Writes what is not on the disk yet. NULL is fine. */
void authority_free(struct authority *a);
/* What http_new wants; its ctx is the authority. */
extern const struct http_ops authority_http_ops;
/* Measured weights are read again (SIGHUP). */
void authority_reload(struct authority *a);
