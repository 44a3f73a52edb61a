/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a directory is fetched from, as configurations say it: addresses only, for a name would have to be asked for.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "directory/consensus.h"

#define SERVER_TEXT_MAX 160u /* bytes, with the final NUL */

struct server {
	struct sockaddr_in addr4;  /* sin_family 0: it has none */
	struct sockaddr_in6 addr6; /* sin6_family 0: it has none */
};

struct authority_server {
	uint8_t key[32]; /* Ed25519 public */
	struct server at;
};

struct authorities {
	struct authority_server v[AUTHORITIES_MAX];
	size_t n;
};

/* "192.0.2.10:9030", "[2001:db8::10]", one of each at most with a comma between; without a port DIRHTTP_PORT. -EINVAL.
 */
int server_parse(const char *text, struct server *ret);
/* "KEY@" before that, KEY in base64: added. -EINVAL; -EEXIST: that key is there; -ENOSPC: AUTHORITIES_MAX. */
int authorities_add(struct authorities *a, const char *text);
/* -ENOENT. */
int authorities_find(const struct authorities *a, const uint8_t key[32]);
void authorities_keys(const struct authorities *a, uint8_t ret[AUTHORITIES_MAX][32]);

#define SERVER_URL_MAX 320u /* bytes, with the final NUL */
/* "http://192.0.2.10:9030" DIRHTTP_ROOT path. six: by its IPv6 address. -ENOENT: it has none; -ENAMETOOLONG. */
int server_url(const struct server *s, bool six, const char *path, char ret[SERVER_URL_MAX]);
