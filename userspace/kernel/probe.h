/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What this kernel can do: tried out, not guessed from versions. Needs CAP_NET_ADMIN; what a check makes it takes
 * away again. For `anonctl doctor` and before the daemon starts.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct probe_result {
	const char *name; /* e.g. "xfrm interfaces" */
	bool ok;
	bool needed;	  /* false: works without, but worse */
	const char *hint; /* what brings it: kernel option, module, package, sysctl */
	int error;	  /* negative errno if !ok */
};

#define PROBE_RELAY 1u	/* also what only relays need */
#define PROBE_CLIENT 2u /* also what only clients need */
#define PROBE_GATEWAY 4u
#define PROBE_RATE 8u /* also what links of a constant rate need */

/* Whether packets come in by that name: there is such an interface, and it belongs to no bridge, bond or VRF. */
bool kernel_comes_in_by(const char *dev);

/* Only whether links can have a constant rate. k->error says what lacks. 0 or negative errno. */
struct kernel;
int kernel_probe_rate(struct kernel *k);

/* An array of *ret_n results, released by free(). 0 or -ENOMEM. */
int kernel_probe(unsigned int roles, struct probe_result **ret, size_t *ret_n);
