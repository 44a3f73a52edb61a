/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "anonctl/command.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/reply.h"
#include "lib/version.h"

#define ONLINE (OPT_BIT(OPT_JSON) | OPT_BIT(OPT_SOCKET))
#define UP_OPTIONS                                                                                                     \
	(OPT_BIT(OPT_HOPS) | OPT_BIT(OPT_PATH) | OPT_BIT(OPT_TO) | OPT_BIT(OPT_FROM) | OPT_BIT(OPT_USER) |             \
	 OPT_BIT(OPT_GROUP) | OPT_BIT(OPT_PORT) | OPT_BIT(OPT_EXCEPT) | OPT_BIT(OPT_WAIT) | OPT_BIT(OPT_NO_WAIT) |     \
	 OPT_BIT(OPT_EXIT_COUNTRY) | OPT_BIT(OPT_NOT_COUNTRY) | OPT_BIT(OPT_NOT_OPERATOR) | OPT_BIT(OPT_MIN_LIFE) |    \
	 ONLINE)
#define DOCTOR_OPTIONS                                                                                                 \
	(OPT_BIT(OPT_RELAY) | OPT_BIT(OPT_EXIT) | OPT_BIT(OPT_GATEWAY) | OPT_BIT(OPT_NETWORK) | OPT_BIT(OPT_KEY) |     \
	 ONLINE)
#define DESCRIPTOR_REQUIRED (OPT_BIT(OPT_KEYS) | OPT_BIT(OPT_NAME) | OPT_BIT(OPT_ADDRESS))
#define MAKE_REQUIRED (OPT_BIT(OPT_KEY) | OPT_BIT(OPT_DAYS) | OPT_BIT(OPT_OUT))
#define NO_LIMIT SIZE_MAX

static const struct command commands[] = {
	{ "circuit up", "", "build a circuit and send traffic into it", UP_OPTIONS, 0, 0, 0, run_circuit_up },
	{ "circuit down", "ID | --all", "close a circuit", OPT_BIT(OPT_ALL) | ONLINE, 0, 0, 1, run_circuit_down },
	{ "circuit new", "ID | --all", "build it anew: other addresses, another path",
	  OPT_BIT(OPT_ALL) | OPT_BIT(OPT_WAIT) | OPT_BIT(OPT_NO_WAIT) | ONLINE, 0, 0, 1, run_circuit_new },
	{ "circuit list", "", "list the circuits of this client or relay", ONLINE, 0, 0, 0, run_circuit_list },
	{ "circuit show", "ID", "show one circuit", ONLINE, 0, 1, 1, run_circuit_show },
	{ "run", "-- COMMAND...", "run a command in a network of its own that a circuit carries",
	  OPT_BIT(OPT_OWN) | OPT_BIT(OPT_USER), 0, 1, NO_LIMIT, run_run },
	{ "relay list", "", "list the relays of the network", ONLINE, 0, 0, 0, run_relay_list },
	{ "probe", "RELAY", "ask a relay for a handshake, to see whether it answers", ONLINE, 0, 1, 1, run_probe },
	{ "link list", "", "list the overlay links", ONLINE, 0, 0, 0, run_link_list },
	{ "status", "", "show what the daemon does and counts", ONLINE, 0, 0, 0, run_status },
	{ "metrics", "", "the same as sums for Prometheus", OPT_BIT(OPT_HTTP) | ONLINE, 0, 0, 0, run_metrics },
	{ "doctor", "", "check what kernel and host must have", DOCTOR_OPTIONS, 0, 0, 0, run_doctor },
	{ "off", "", "close all circuits: traffic leaves directly again", ONLINE, 0, 0, 0, run_off },
	{ "drain", "", "let a relay's circuits end, then stop it", OPT_BIT(OPT_DEADLINE) | OPT_BIT(OPT_CANCEL) | ONLINE,
	  0, 0, 0, run_drain },
	{ "reload", "", "read the network file again, or fetch the consensus now", ONLINE, 0, 0, 0, run_reload },
	{ "tfc add", "DEVICE rate PPS [SETTING VALUE...] [shared]", "by hand: it sends at a constant rate from now on",
	  0, 0, 3, NO_LIMIT, run_tfc_add },
	{ "tfc change", "DEVICE SETTING VALUE...", "by hand: at another", 0, 0, 3, NO_LIMIT, run_tfc_change },
	{ "tfc del", "DEVICE", "by hand: not any more", 0, 0, 1, 1, run_tfc_del },
	{ "tfc peer", "DEVICE NUMBER SOURCE DESTINATION", "by hand: to this far end", 0, 0, 4, 4, run_tfc_peer },
	{ "tfc no-peer", "DEVICE NUMBER", "by hand: not to it any more", 0, 0, 2, 2, run_tfc_no_peer },
	{ "tfc", "", "show the devices that send at a constant rate", OPT_BIT(OPT_JSON), 0, 0, 0, run_tfc },
	{ "key network", "FILE", "make the key that signs a network file, and FILE.pub", 0, 0, 1, 1, run_key_network },
	{ "key authority", "FILE", "make the key of a directory authority, and FILE.pub", 0, 0, 1, 1,
	  run_key_authority },
	{ "key relay", "DIR", "make a relay's keys", 0, 0, 1, 1, run_key_relay },
	{ "key family", "FILE", "make the key of an operator's relays, and FILE.pub", 0, 0, 1, 1, run_key_family },
	{ "family proof", "IDENTITY", "print what a relay says to be of a family", OPT_BIT(OPT_KEY), OPT_BIT(OPT_KEY),
	  1, 1, run_family_proof },
	{ "relay descriptor", "", "print a relay's signed descriptor",
	  DESCRIPTOR_REQUIRED | OPT_BIT(OPT_STATE) | OPT_BIT(OPT_GUARD) | OPT_BIT(OPT_EXIT), DESCRIPTOR_REQUIRED, 0, 0,
	  run_relay_descriptor },
	{ "network make", "DESCRIPTOR...", "make and sign a network file of relay descriptors",
	  MAKE_REQUIRED | OPT_BIT(OPT_LINK_MTU), MAKE_REQUIRED, 1, NO_LIMIT, run_network_make },
	{ "network verify", "FILE", "check a network file and its signature", OPT_BIT(OPT_KEY), OPT_BIT(OPT_KEY), 1, 1,
	  run_network_verify },
};

int call_fail(const struct call *call, int status, const char *fmt, ...)
{
	va_list ap;

	fputs("anonctl: ", call->err);
	va_start(ap, fmt);
	vfprintf(call->err, fmt, ap);
	va_end(ap);
	fputc('\n', call->err);
	return status;
}

static void put_option(FILE *out, enum opt o)
{
	const struct option_info *info = &option_infos[o];
	char left[32];

	snprintf(left, sizeof(left), "--%s %s", info->name, info->arg ? info->arg : "");
	fprintf(out, "  %-20s %s%s\n", left, info->help, info->repeats ? " (may stand more than once)" : "");
}

static void help_command(const struct command *c, FILE *out)
{
	fprintf(out, "usage: anonctl %s%s%s%s\n%s\n", c->name, c->operands[0] ? " " : "", c->operands,
		c->options ? " [options]" : "", c->help);
	for (int pass = 1; pass >= 0; pass--) {
		uint64_t bits = pass ? c->required : c->options & ~c->required;

		if (bits)
			fputs(pass ? "required:\n" : "options:\n", out);
		for (int o = 0; o < N_OPTS; o++)
			if (bits & OPT_BIT(o))
				put_option(out, (enum opt)o);
	}
}

static void help_all(FILE *out)
{
	fputs("usage: anonctl COMMAND [options]\n", out);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		char left[64];

		snprintf(left, sizeof(left), "%s %s", commands[i].name, commands[i].operands);
		fprintf(out, "  %-28s %s\n", left, commands[i].help);
	}
	fputs("`anonctl COMMAND --help` explains one; the manual is anonctl(1).\n", out);
}

/* How many words of the command line are the command's name: 0 if it is another. */
static size_t match(const struct command *c, const struct arguments *a)
{
	const char *space = strchr(c->name, ' ');
	size_t first = space ? (size_t)(space - c->name) : strlen(c->name);

	if (a->n_words < 1 || strlen(a->words[0]) != first || strncmp(a->words[0], c->name, first) != 0)
		return 0;
	if (!space)
		return 1;
	return a->n_words > 1 && strcmp(a->words[1], space + 1) == 0 ? 2 : 0;
}

static int check_call(const struct call *call)
{
	const struct command *c = call->command;
	uint64_t wrong = call->args->given & ~(c->options | OPT_BIT(OPT_HELP) | OPT_BIT(OPT_VERSION));
	uint64_t lacks = c->required & ~call->args->given;

	for (int o = 0; o < N_OPTS; o++) {
		if (wrong & OPT_BIT(o))
			return call_fail(call, STATUS_USAGE, "%s takes no --%s", c->name, option_infos[o].name);
		if (lacks & OPT_BIT(o))
			return call_fail(call, STATUS_USAGE, "%s needs --%s", c->name, option_infos[o].name);
	}
	if (call->n_operands < c->min || call->n_operands > c->max)
		return call_fail(call, STATUS_USAGE, "usage: anonctl %s %s", c->name, c->operands);
	return STATUS_OK;
}

static int dispatch(struct call *call)
{
	const struct arguments *a = call->args;
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(commands) && !n; i++) {
		call->command = &commands[i];
		n = match(call->command, a);
	}
	if (!n && a->n_words && !arguments_has(a, OPT_HELP))
		return call_fail(call, STATUS_USAGE, "%.32s is no command; see anonctl --help", a->words[0]);
	if (!n) {
		help_all(arguments_has(a, OPT_HELP) ? call->out : call->err);
		return arguments_has(a, OPT_HELP) ? STATUS_OK : STATUS_USAGE;
	}
	if (arguments_has(a, OPT_HELP)) {
		help_command(call->command, call->out);
		return STATUS_OK;
	}
	call->operands = a->words + n;
	call->n_operands = a->n_words - n;
	n = (size_t)check_call(call);
	return n ? (int)n : call->command->run(call);
}

int anonctl_run(int argc, char **argv, FILE *out, FILE *err)
{
	_cleanup_free_ struct arguments *args = calloc(1, sizeof(*args));
	const char *env = getenv("ANOND_SOCKET");
	struct call call = { .args = args, .out = out, .err = err };
	struct error e;

	if (!args)
		return call_fail(&call, STATUS_FAILED, "out of memory");
	if (arguments_parse(argc, argv, args, &e) < 0)
		return call_fail(&call, STATUS_USAGE, "%s", e.text);
	if (arguments_has(args, OPT_VERSION)) {
		fprintf(out, "anonctl %s\n", ANON_VERSION);
		return STATUS_OK;
	}
	call.socket = env && env[0] ? env : REPLY_SOCKET;
	if (arguments_has(args, OPT_SOCKET))
		call.socket = args->value[OPT_SOCKET];
	return dispatch(&call);
}
