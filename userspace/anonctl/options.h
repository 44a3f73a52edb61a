/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line: words and options in any order. Which options a command takes is the command table's business. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/error.h"

enum opt {
	OPT_HELP,
	OPT_VERSION,
	OPT_JSON,
	OPT_SOCKET,
	OPT_HOPS,
	OPT_PATH,
	OPT_TO,
	OPT_FROM,
	OPT_USER,
	OPT_PORT,
	OPT_WAIT,
	OPT_NO_WAIT,
	OPT_ALL,
	OPT_KEYS,
	OPT_NAME,
	OPT_ADDRESS,
	OPT_GUARD,
	OPT_EXIT,
	OPT_RELAY,
	OPT_GATEWAY,
	OPT_KEY,
	OPT_DAYS,
	OPT_LINK_MTU,
	OPT_OUT,
	OPT_NETWORK,
	OPT_DEADLINE,
	OPT_CANCEL,
	OPT_HTTP,
	OPT_OWN,
	OPT_EXCEPT,
	OPT_GROUP,
	OPT_STATE,
	OPT_EXIT_COUNTRY,
	OPT_NOT_COUNTRY,
	OPT_NOT_OPERATOR,
	OPT_MIN_LIFE,
	N_OPTS,
};

#define OPT_BIT(o) (UINT64_C(1) << (o))
#define OPT_TIMES_MAX 256u /* how often one that repeats may stand */

struct option_info {
	const char *name;
	const char *arg; /* what help calls the argument; NULL: takes none */
	const char *help;
	bool repeats;
};

extern const struct option_info option_infos[N_OPTS];

struct arguments {
	uint64_t given;				   /* OPT_BITs */
	const char *value[N_OPTS];		   /* of those that do not repeat */
	const char *values[N_OPTS][OPT_TIMES_MAX]; /* of those that do */
	size_t n_values[N_OPTS];
	char **words; /* argv's, in order */
	size_t n_words;
};

/* Reorders argv. Strings stay argv's. -EINVAL with what is wrong. */
int arguments_parse(int argc, char **argv, struct arguments *ret, struct error *err);
/* An unsigned number in [min, max], plain decimal. */
int arguments_number(const char *what, const char *text, uint32_t min, uint32_t max, uint32_t *ret, struct error *err);
static inline bool arguments_has(const struct arguments *a, enum opt o)
{
	return a->given & OPT_BIT(o);
}
