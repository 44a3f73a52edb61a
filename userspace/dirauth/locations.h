/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where addresses belong, by databases in MaxMind's format (libmaxminddb; several publish such ones): one that has
 * country.iso_code and one that has autonomous_system_number, which may be the same file.
 */
#pragma once

#include <netinet/in.h>
#include <stdint.h>

#include "lib/error.h"

struct locations;
/* Paths; NULL: none of that kind. -EINVAL: no such database; -ENOMEM. */
int locations_open(const char *countries, const char *systems, struct locations **ret, struct error *err);
void locations_close(struct locations *l); /* NULL is fine */
/* ctx: struct locations. What roster_rules.locate wants. */
void locations_find(void *ctx, const struct in6_addr *addr, uint32_t *ret_as, char ret_country[3]);
