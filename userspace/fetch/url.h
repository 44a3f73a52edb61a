/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a request goes: an address and a port, never a name, for who resolves one tells somebody what is fetched. */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>

#include "lib/error.h"

#define URL_MAX 512u /* characters */

struct url {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} to;
	socklen_t len; /* of the member that `any.sa_family` names */
};

/*
 * http://A.B.C.D[:PORT]/PATH or http://[IPv6][:PORT]/PATH; port 80 if none is said. PATH is of letters, digits and
 * "-._~/": no query, no fragment, no escapes. -EINVAL, and err says what is wrong without a word of the URL.
 */
int url_parse(const char *text, struct url *ret, struct error *err);
/* Does it go to that address and port? */
bool url_same_address(const struct url *u, const struct sockaddr *a);
