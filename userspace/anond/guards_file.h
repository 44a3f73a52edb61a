/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The sample of guards (path/guards.h) over restarts of the daemon and of the host: a file in the state directory, of
 * one network. Another network's guards are none of this one's, so it begins anew. It is the same one as long as more
 * than half of those who sign for it now did so when the file was written.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lib/error.h"
#include "path/guards.h"

#define GUARDS_FILE "guards"

/* The network's key, or those of its authorities. Borrowed. */
struct signers {
	const uint8_t (*keys)[32];
	size_t n; /* 1..AUTHORITIES_MAX */
};

/*
 * 0: no file, another network's, or as it says; -EBADMSG: it is damaged; open(2), read(2). *ret is empty unless there
 * are some.
 */
int guards_file_load(const char *dir, const struct signers *by, struct guards *ret, struct error *err);
/* Nothing is written if the file says so already. */
int guards_file_save(const char *dir, const struct signers *by, const struct guards *g, struct error *err);

/* The content. -EBADMSG: it makes no sense, *ret is empty then. Pure. */
int guards_parse(const char *text, size_t len, const struct signers *by, struct guards *ret);
char *guards_format(const struct signers *by, const struct guards *g); /* malloc; NULL: no memory */
