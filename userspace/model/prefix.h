/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "model/circuit.h"

#define PREFIX_TEXT_MAX 52u /* with the final NUL */

/* "192.0.2.0/24", "2001:db8::/32", or an address alone (all bits). -EINVAL also if bits are set behind the length. */
int prefix_parse(const char *text, struct prefix *ret);
bool addr4_is_shared(struct in_addr a);		/* 100.64.0.0/10 (RFC 6598): what exits give addresses from */
bool addr6_is_global(const struct in6_addr *a); /* 2000::/3 */
bool prefix_same(const struct prefix *a, const struct prefix *b);
bool prefix_overlaps(const struct prefix *a, const struct prefix *b);
void prefix_format(const struct prefix *p, char ret[PREFIX_TEXT_MAX]);
