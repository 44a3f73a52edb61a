/* SPDX-License-Identifier: GPL-2.0-or-later */
/* anon-dirauth.conf(5). */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "directory/consensus.h"
#include "directory/dir_servers.h"
#include "directory/roster.h"
#include "lib/cleanup.h"
#include "lib/error.h"

#define DIRAUTH_CONFIG_FILE "/etc/anond/anon-dirauth.conf"
#define DIRAUTH_CONFIG_MAX 65536u /* bytes */
#define LISTEN_MAX 8u

struct dirauth_config {
	char *key; /* path of the secret key */
	struct dir_servers authorities;
	struct sockaddr_in6 listen[LISTEN_MAX]; /* IPv4 mapped */
	size_t n_listen;
	char *state;
	char *user;  /* whom to become when started as root */
	char *fetch; /* path of anon-fetch; NULL: as it was installed */
	bool probe;
	char *probe_program;	   /* NULL: anonctl as it was installed */
	char *countries, *systems; /* databases (dirauth/locations.h); NULL: none */
	char *measurements;	   /* NULL: none */
	uint32_t interval;	   /* seconds */
	uint32_t valid;		   /* intervals */
	uint16_t link_mtu;
	struct roster_rules rules;
	int log_level;
};

/* -EINVAL: the sentence begins with file:line where libconfuse knows it; -EFBIG; -ENOMEM; open(2), read(2). */
int dirauth_config_load(const char *path, struct dirauth_config **ret, struct error *err);
int dirauth_config_parse(const char *text, const char *name, struct dirauth_config **ret, struct error *err);
void dirauth_config_free(struct dirauth_config *conf); /* NULL is fine */
/* Every option with default and help, one a line. 0 or -EIO. */
int dirauth_config_help(FILE *out);

static inline void cleanup_dirauth_config(struct dirauth_config **p)
{
	dirauth_config_free(*p);
}
#define _cleanup_dirauth_config_ _cleanup_(cleanup_dirauth_config)
