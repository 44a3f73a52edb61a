/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What every command is called with, and the one table of commands (command.c). */
#pragma once

#include <stdio.h>

#include "anonctl/anonctl.h"
#include "anonctl/options.h"
#include "lib/error.h"

struct command;

struct call {
	const struct command *command;
	const struct arguments *args;
	char **operands; /* the words behind the command's name */
	size_t n_operands;
	const char *socket;
	FILE *out, *err;
};

struct command {
	const char *name;     /* words of the command line, one space between */
	const char *operands; /* as help shows them */
	const char *help;
	uint64_t options;		     /* OPT_BITs that it takes, besides --help and --version */
	uint64_t required;		     /* OPT_BITs that it cannot do without */
	size_t min, max;		     /* number of operands */
	int (*run)(const struct call *call); /* returns an exit status */
};

/* Prints "anonctl: <sentence>" and returns status. */
int call_fail(const struct call *call, int status, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* online.c: asks the daemon */
int run_circuit_up(const struct call *call);
int run_circuit_new(const struct call *call);
int run_circuit_down(const struct call *call);
int run_circuit_list(const struct call *call);
int run_circuit_show(const struct call *call);
int run_relay_list(const struct call *call);
int run_link_list(const struct call *call);
int run_status(const struct call *call);
int run_off(const struct call *call);
int run_drain(const struct call *call);
int run_reload(const struct call *call);
int run_probe(const struct call *call);
/* run.c: becomes the command */
int run_run(const struct call *call);
/* metrics.c */
int run_metrics(const struct call *call);
/* doctor.c: the daemon's checks and our own */
int run_doctor(const struct call *call);
/* tfc.c: asks the kernel */
int run_tfc(const struct call *call);
int run_tfc_add(const struct call *call);
int run_tfc_change(const struct call *call);
int run_tfc_del(const struct call *call);
int run_tfc_peer(const struct call *call);
int run_tfc_no_peer(const struct call *call);
/* offline.c: files */
int run_key_network(const struct call *call);
int run_key_authority(const struct call *call);
int run_key_relay(const struct call *call);
int run_key_family(const struct call *call);
int run_family_proof(const struct call *call);
int run_relay_descriptor(const struct call *call);
int run_network_make(const struct call *call);
int run_network_verify(const struct call *call);
