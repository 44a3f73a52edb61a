/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the shaped devices of this network namespace do. */
#pragma once

#include "kernel/nlsock.h"
#include "kernel/tfcmsg.h"

typedef void (*tfc_fn)(void *ctx, const struct tfc_info *info);

/* Each shape, and after it (if asked for) its far ends. The info lives only during the call. 0 or negative errno. */
int tfc_read(struct nlsock *route, bool peers, tfc_fn fn, void *ctx);
/* All with a socket of its own; reading needs no privilege. */
int tfc_list(tfc_fn fn, void *ctx);
