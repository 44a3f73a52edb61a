/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdint.h>

struct port_range {
	uint8_t proto; /* IPPROTO_TCP, IPPROTO_UDP */
	uint16_t first, last;
};

/* "tcp/443", "udp/5000-5010"; 1 to 65535. -EINVAL. */
int port_range_parse(const char *text, struct port_range *ret);
#define PORT_RANGE_TEXT_MAX 16u /* with the final NUL */
void port_range_format(const struct port_range *r, char ret[PORT_RANGE_TEXT_MAX]);
