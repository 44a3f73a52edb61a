/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line of anon-fetch(8). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "fetch/url.h"

#define FETCH_MAX_MAX (UINT64_C(1) << 30) /* bytes of --max */
#define FETCH_TIMEOUT_DEFAULT 60u	  /* seconds */
#define FETCH_TIMEOUT_MAX 3600u

struct options {
	bool help, version; /* then nothing else counts */
	bool zstd;
	const char *url;
	struct url where;
	uint64_t max;
	const char *prefix, *post, *device; /* or NULL */
	int socket;			    /* or -1 */
	unsigned int timeout;		    /* seconds */
};

extern const char options_usage[];

/* -EINVAL. The strings are argv's. */
int options_parse(int argc, char **argv, struct options *ret, struct error *err);
