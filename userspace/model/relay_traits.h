/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What may be known of a relay beside what is needed to use it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/port_range.h"

#define EXIT_PORTS_MAX 32u
#define FAMILIES_MAX 4u

struct exit_ports {
	struct port_range v[EXIT_PORTS_MAX];
	size_t n; /* 0: not an exit */
};

struct relay_traits {
	struct exit_ports exit4, exit6; /* where most of the Internet is reached */
	uint8_t families[FAMILIES_MAX][32];
	size_t n_families;
	uint32_t as;	 /* 0: not known */
	char country[3]; /* "": not known */
	uint64_t ends;	 /* seconds since 1970 UTC; 0: not known */
};
