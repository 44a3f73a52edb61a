/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The newest consensus, handed out whole and as differences from earlier ones, and kept (dirauth/authority.h). */
#pragma once

#include <ev.h>

#include "dirauth/config.h"
#include "dirauth/shelf.h"

#define PUBLISHER_DIFFERENCES 24u /* from so many earlier ones */

struct publisher;
/* Begins with what an earlier run left. keys: of all authorities. conf, shelf and keys must outlive it. */
int publisher_new(struct ev_loop *loop, struct shelf *shelf, const struct dirauth_config *conf,
		  const uint8_t (*keys)[32], struct publisher **ret, struct error *err);
void publisher_free(struct publisher *p); /* NULL is fine */
/* Of the newest, seconds since 1970 UTC; 0: there is none. */
uint64_t publisher_valid_after(const struct publisher *p);
/*
 * A consensus with its signatures: what no client would take is not handed out, nor what is not newer. Errors of the
 * disk are none of its: what clients wait for comes first.
 */
int publisher_put(struct publisher *p, const char *text, size_t len, struct error *err);
