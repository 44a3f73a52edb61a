/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fetch/options.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char options_usage[] = "usage: anon-fetch --max BYTES [OPTION]... URL\n"
			     "  --max BYTES        write at most so many bytes (1 to 1073741824)\n"
			     "  --zstd             what is there is one Zstandard frame: decode it\n"
			     "  --prefix FILE      decode it with FILE's content as prefix\n"
			     "  --post FILE        POST FILE's content; write the first line of the answer\n"
			     "  --socket FD        use this socket, which is not connected yet\n"
			     "  --device NAME      use this interface only\n"
			     "  --timeout SECONDS  give up after so long (1 to 3600; default 60)\n"
			     "  --help             explain the options\n"
			     "  --version          print the version\n";

enum { OPT_MAX = 256, OPT_ZSTD, OPT_PREFIX, OPT_POST, OPT_SOCKET, OPT_DEVICE, OPT_TIMEOUT, OPT_HELP, OPT_VERSION };

static const struct option longs[] = {
	{ "max", required_argument, NULL, OPT_MAX },	     { "zstd", no_argument, NULL, OPT_ZSTD },
	{ "prefix", required_argument, NULL, OPT_PREFIX },   { "post", required_argument, NULL, OPT_POST },
	{ "socket", required_argument, NULL, OPT_SOCKET },   { "device", required_argument, NULL, OPT_DEVICE },
	{ "timeout", required_argument, NULL, OPT_TIMEOUT }, { "help", no_argument, NULL, OPT_HELP },
	{ "version", no_argument, NULL, OPT_VERSION },	     { NULL, 0, NULL, 0 },
};

static int number(const char *what, uint64_t min, uint64_t max, uint64_t *ret, struct error *err)
{
	unsigned long long v;
	char *end;

	errno = 0;
	v = strtoull(optarg, &end, 10);
	if (optarg[0] < '0' || optarg[0] > '9' || *end != '\0' || errno || v < min || v > max)
		return error_set(err, -EINVAL, "--%s: not a number from %llu to %llu", what, (unsigned long long)min,
				 (unsigned long long)max);
	*ret = v;
	return 0;
}

static int take(struct options *o, int opt, struct error *err)
{
	uint64_t n = 0;
	int r = 0;

	switch (opt) {
	case OPT_MAX:
		return number("max", 1, FETCH_MAX_MAX, &o->max, err);
	case OPT_ZSTD:
		o->zstd = true;
		break;
	case OPT_PREFIX:
		o->prefix = optarg;
		o->zstd = true;
		break;
	case OPT_POST:
		o->post = optarg;
		break;
	case OPT_SOCKET:
		r = number("socket", STDERR_FILENO + 1, INT_MAX, &n, err);
		o->socket = (int)n;
		break;
	case OPT_DEVICE:
		o->device = optarg;
		break;
	case OPT_TIMEOUT:
		r = number("timeout", 1, FETCH_TIMEOUT_MAX, &n, err);
		o->timeout = (unsigned int)n;
		break;
	case OPT_HELP:
		o->help = true;
		break;
	case OPT_VERSION:
		o->version = true;
		break;
	case ':':
		return error_set(err, -EINVAL, "an option lacks its argument");
	default:
		return error_set(err, -EINVAL, "there is no such option (see --help)");
	}
	return r;
}

/* What each option by itself cannot know. */
static int fits(const struct options *o, struct error *err)
{
	if (o->max == 0)
		return error_set(err, -EINVAL, "--max is missing");
	if (o->post && o->zstd)
		return error_set(err, -EINVAL, "an answer to --post is never compressed");
	if (o->device && (o->device[0] == '\0' || strlen(o->device) >= IFNAMSIZ))
		return error_set(err, -EINVAL, "--device: no interface has such a name");
	return 0;
}

int options_parse(int argc, char **argv, struct options *ret, struct error *err)
{
	struct options o = { .socket = -1, .timeout = FETCH_TIMEOUT_DEFAULT };
	int opt, r;

	opterr = 0;
	optind = 0; /* glibc and musl: start anew */
	while ((opt = getopt_long(argc, argv, ":", longs, NULL)) != -1) {
		r = take(&o, opt, err);
		if (r < 0)
			return r;
	}
	if (!o.help && !o.version) {
		if (optind + 1 != argc)
			return error_set(err, -EINVAL, "one URL is wanted (see --help)");
		o.url = argv[optind];
		r = fits(&o, err);
		if (r == 0)
			r = url_parse(o.url, &o.where, err);
		if (r < 0)
			return r;
	}
	*ret = o;
	return 0;
}
