/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "anonctl/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

const struct option_info option_infos[N_OPTS] = {
	[OPT_HELP] = { "help", NULL, "explain the command", false },
	[OPT_VERSION] = { "version", NULL, "print the version", false },
	[OPT_JSON] = { "json", NULL, "print the daemon's answer as JSON", false },
	[OPT_SOCKET] = { "socket", "PATH", "the daemon's control socket", false },
	[OPT_HOPS] = { "hops", "N", "number of relays", false },
	[OPT_PATH] = { "path", "A,B,C", "exactly these relays, by names or identities, guard first", false },
	[OPT_TO] = { "to", "PREFIX", "destinations that the circuit carries", true },
	[OPT_FROM] = { "from", "PREFIX|lan", "at a gateway: the hosts that the circuit serves, or all others", true },
	[OPT_USER] = { "user", "USER", "only this user's packets; for run: as whom", true },
	[OPT_PORT] = { "port", "[tcp/|udp/]PORT[-PORT]", "only what is for this port", true },
	[OPT_WAIT] = { "wait", "SECONDS", "how long to wait until it is open", false },
	[OPT_NO_WAIT] = { "no-wait", NULL, "do not wait until it is open", false },
	[OPT_ALL] = { "all", NULL, "every circuit", false },
	[OPT_KEYS] = { "keys", "DIR", "the relay's keys", false },
	[OPT_NAME] = { "name", "NAME", "the relay's name", false },
	[OPT_ADDRESS] = { "address", "ADDRESS", "public address, one IPv4 and one IPv6 at most", true },
	[OPT_GUARD] = { "guard", NULL, "takes anonymous clients", false },
	[OPT_EXIT] = { "exit", NULL, "forwards to the Internet", false },
	[OPT_RELAY] = { "relay", NULL, "check what a relay needs", false },
	[OPT_GATEWAY] = { "gateway", NULL, "check what a gateway needs", false },
	[OPT_KEY] = { "key", "KEY", "the network key; for family proof: the file of the family's", false },
	[OPT_DAYS] = { "days", "N", "how long the network file is valid", false },
	[OPT_LINK_MTU] = { "link-mtu", "BYTES", "MTU of every overlay link", false },
	[OPT_OUT] = { "out", "FILE", "where to write it; the signature goes to FILE.sig", false },
	[OPT_NETWORK] = { "network", "FILE", "the network file to check", false },
	[OPT_DEADLINE] = { "deadline", "SECONDS", "when to close the circuits that are left", false },
	[OPT_CANCEL] = { "cancel", NULL, "take circuits again", false },
	[OPT_HTTP] = { "http", NULL, "answer one HTTP request on standard input and output", false },
	[OPT_EXCEPT] = { "except", "PREFIX", "destinations that it does not carry, reached directly", true },
	[OPT_GROUP] = { "group", "GROUP", "only this group's packets; it stands in `groups` of anond.conf", true },
	[OPT_STATE] = { "state", "DIR", "the relay's `state`, if it replaces its onion key", false },
	[OPT_EXIT_COUNTRY] = { "exit-country", "CC,CC", "where the exit is, countries by two letters", true },
	[OPT_NOT_COUNTRY] = { "not-country", "CC,CC", "where no relay is, nor one that says no country", true },
	[OPT_NOT_OPERATOR] = { "not-operator", "KEY", "no relay of this family", true },
	[OPT_MIN_LIFE] = { "min-life", "SECONDS", "no relay that says that it ends earlier", false },
	[OPT_OWN] = { "own", "N", "the number of the network, 1 unless said", false },
};

static int take(struct arguments *a, enum opt o, const char *value, struct error *err)
{
	const struct option_info *info = &option_infos[o];

	if (info->repeats) {
		if (a->n_values[o] == OPT_TIMES_MAX)
			return error_set(err, -EINVAL, "--%s: more than %u times", info->name, OPT_TIMES_MAX);
		a->values[o][a->n_values[o]++] = value;
	} else if (arguments_has(a, o)) {
		return error_set(err, -EINVAL, "--%s: given twice", info->name);
	}
	a->value[o] = value;
	a->given |= OPT_BIT(o);
	return 0;
}

int arguments_parse(int argc, char **argv, struct arguments *ret, struct error *err)
{
	struct option longs[N_OPTS + 1] = { 0 };
	int c, r;

	for (int i = 0; i < N_OPTS; i++) {
		longs[i].name = option_infos[i].name;
		longs[i].has_arg = option_infos[i].arg ? required_argument : no_argument;
		longs[i].val = 256 + i;
	}
	memset(ret, 0, sizeof(*ret));
	opterr = 0;
	optind = 0; /* glibc and musl: start anew */
	while ((c = getopt_long(argc, argv, ":h", longs, NULL)) != -1) {
		if (c == ':')
			return error_set(err, -EINVAL, "%.64s needs an argument", argv[optind - 1]);
		if (c != 'h' && c < 256)
			return error_set(err, -EINVAL, "%.64s is no option, is ambiguous or takes no argument",
					 argv[optind - 1]);
		r = take(ret, c == 'h' ? OPT_HELP : (enum opt)(c - 256), optarg, err);
		if (r < 0)
			return r;
	}
	ret->words = argv + optind;
	ret->n_words = (size_t)(argc - optind);
	return 0;
}

int arguments_number(const char *what, const char *text, uint32_t min, uint32_t max, uint32_t *ret, struct error *err)
{
	unsigned long long v;
	char *end;

	errno = 0;
	v = strtoull(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno || v < min || v > max)
		return error_set(err, -EINVAL, "%s: not a number from %u to %u", what, min, max);
	*ret = (uint32_t)v;
	return 0;
}
