/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whom the directory is fetched from, as the configuration says it: authorities, which sign it, and mirrors. Pure. */
#pragma once

#include "directory/consensus.h"
#include "model/endpoint.h"

#define DIR_KEY_LEN 32u /* Ed25519 public */

struct dir_servers {
	uint8_t keys[AUTHORITIES_MAX][DIR_KEY_LEN];
	size_t n_keys;			 /* authorities; 0: there is a network file instead */
	struct endpoints at;		 /* all addresses of all */
	int8_t authority[ENDPOINTS_MAX]; /* whose address each is; -1: a mirror's */
};

/* "KEY@192.0.2.10:9030,[2001:db8::10]:9030", an address of each kind at most. NULL, or what is wrong with it. */
const char *dir_servers_authority(struct dir_servers *s, const char *text);
/* "192.0.2.5:80". NULL, or what is wrong with it. */
const char *dir_servers_mirror(struct dir_servers *s, const char *text);
/* Where in `at` an authority is: its only address, or by turns the two that it has, by how often it was tried. */
size_t dir_servers_of(const struct dir_servers *s, size_t authority, unsigned int tries);
#define DIR_URL_MAX 320u /* with the final NUL */
/* "http://192.0.2.10:9030" DIRHTTP_ROOT path. -ENAMETOOLONG. */
int dir_url(const struct endpoint *at, const char *path, char ret[DIR_URL_MAX]);
/* -ENOENT. */
int dir_servers_find(const struct dir_servers *s, const uint8_t key[DIR_KEY_LEN]);
/* What these authorities sign is told from what others sign by this: it does not depend on their order. */
void dir_servers_id(const struct dir_servers *s, uint8_t ret[DIR_KEY_LEN]);
