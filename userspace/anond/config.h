/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon's configuration (anond.conf(5)). One table in config.c holds every option with its default, its range
 * and one line of help. A file is taken as a whole or not at all.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "circuit/origin.h"
#include "circuit/relay.h"
#include "directory/dir_servers.h"
#include "directory/family.h"
#include "directory/onion_keys.h"
#include "lib/cleanup.h"
#include "lib/error.h"
#include "model/circuit.h"
#include "model/exit_policy.h"
#include "model/exit_pool.h"
#include "model/lan.h"
#include "model/path_rules.h"
#include "model/relay_traits.h"
#include "model/selection.h"
#include "model/suite.h"

#define CONFIG_FILE "/etc/anond/anond.conf"
#define CONFIG_STATE "/var/lib/anond/state" /* of `state`, if nothing is said */
#define CONFIG_NETWORK "/etc/anond/network.json"
#define CONFIG_FILE_MAX 65536u /* bytes */

enum config_role {
	ROLE_CLIENT = 1,
	ROLE_RELAY = 2,
	ROLE_EXIT = 4,	  /* ROLE_RELAY is then set too */
	ROLE_GATEWAY = 8, /* ROLE_CLIENT is then set too */
};

struct config {
	unsigned int roles;	    /* enum config_role, or-ed; never 0 */
	char *network;		    /* path of the network file */
	uint8_t network_key[32];    /* Ed25519 public */
	struct dir_servers servers; /* instead of a network file: n_keys is not 0 */
	char *fetch_program;	    /* path of anon-fetch; NULL: as it was installed */
	char *keys;		    /* directory of the relay's keys; set for every relay */
	char *run;		    /* directory of the control socket and the circuit table */
	char *state;		    /* directory of what outlives a restart of the host */
	char *user;
	char *group; /* NULL: the user's own */
	char *vici;  /* path of charon's socket */
	uint32_t hops;
	enum suite suite;
	int log_level;		    /* syslog priority */
	uint32_t groups[USERS_MAX]; /* whose sockets are marked */
	size_t n_groups;
	struct path_rules rules; /* client: for every path that is drawn */
	bool guard;		 /* relay: take anonymous clients */
	struct {
		char name[RELAY_NAME_MAX];		    /* "": none is said */
		struct in_addr addr4;			    /* zero: none */
		struct in6_addr addr6;			    /* zero: none */
		uint32_t bandwidth;			    /* KiB/s */
		struct family_proof families[FAMILIES_MAX]; /* ascending by key */
		size_t n_families;
		uint64_t ends; /* seconds since 1970 UTC; 0: not known */
		uint32_t as;   /* 0: not said */
		char country[3];
	} self;			     /* relay: what it says of itself to the authorities */
	struct lans lans;	     /* gateway: behind which its hosts are; else empty */
	struct origin_timing timing; /* lifetime_s too; what has no option is origin_timing_default's */
	struct onion_schedule onion; /* relay, if replace_onion */
	/* Relay: it publishes what its onion key is, and replaces it. Else the network file names the key for it. */
	bool replace_onion;
	struct relay_limits limits; /* what has no option is relay_limits_default's */
	struct {
		uint32_t rekey_s, ike_rekey_s, dpd_s;
		uint32_t pps, client_pps; /* packets a second; pps 0: as they come; client_pps 0: as pps */
		uint32_t rate_steps, rate_step_s, idle_s, mix_window_ms;
	} link;
	struct {
		bool inner4_enabled, inner6_enabled;
		struct prefix inner4;
		struct in_addr resolver4;  /* zero: none */
		struct in6_addr resolver6; /* zero: none */
		bool resolver_local;	   /* at the circuits' gateway, instead of those */
		struct exit_policy policy;
		struct exit_limits limits; /* of each circuit */
		struct exit_pool pool;
	} exit;
};

/* -EINVAL: the sentence begins with file:line where libconfuse knows it; -EFBIG; -ENOMEM; open(2), read(2). */
int config_load(const char *path, struct config **ret, struct error *err);
/* The same from text; name stands for the file in errors. Not reentrant: libconfuse's callbacks carry no context. */
int config_parse(const char *text, const char *name, struct config **ret, struct error *err);
void config_free(struct config *conf); /* NULL is fine */

/* Whether all groups of a selection, if it has some, are among those whose sockets are marked. */
bool config_has_groups(const struct config *conf, const struct selection *sel);

/* Every option with default and help, one a line: `anond --help-config`. 0 or -EIO. */
int config_help(FILE *out);

static inline void cleanup_config(struct config **p)
{
	config_free(*p);
}
#define _cleanup_config_ _cleanup_(cleanup_config)
