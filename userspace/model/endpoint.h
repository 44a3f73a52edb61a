/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a TCP server is: an address, never a name, for that would have to be asked for. */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ENDPOINTS_MAX 64u
#define ENDPOINT_TEXT_MAX 56u /* with the final NUL */

struct endpoint {
	uint8_t family; /* AF_INET, AF_INET6 */
	struct in_addr a4;
	struct in6_addr a6;
	uint16_t port; /* host order */
};

struct endpoints {
	struct endpoint v[ENDPOINTS_MAX];
	size_t n;
};

/* "192.0.2.1:80" or "[2001:db8::1]:80", len bytes; without ":80" it is `port`. -EINVAL. */
int endpoint_parse(const char *text, size_t len, uint16_t port, struct endpoint *ret);
/* As it is parsed, always with its port. */
void endpoint_format(const struct endpoint *e, char ret[ENDPOINT_TEXT_MAX]);
/* Without its port; IPv4 in its mapped form (RFC 4291 section 2.5.5.2), so that one kind of address does for all. */
struct in6_addr endpoint_address(const struct endpoint *e);
bool endpoint_same(const struct endpoint *a, const struct endpoint *b);
