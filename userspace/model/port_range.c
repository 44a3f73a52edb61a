/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/port_range.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* 1..65535 in plain decimal, up to a character of stop or the end. NULL: none. */
static const char *parse_port(const char *text, uint16_t *ret)
{
	char *end;
	unsigned long v;

	if (*text < '1' || *text > '9')
		return NULL;
	v = strtoul(text, &end, 10);
	if (v > UINT16_MAX)
		return NULL;
	*ret = (uint16_t)v;
	return end;
}

int port_range_parse(const char *text, struct port_range *ret)
{
	struct port_range r = { 0 };

	if (strncmp(text, "tcp/", 4) == 0)
		r.proto = IPPROTO_TCP;
	else if (strncmp(text, "udp/", 4) == 0)
		r.proto = IPPROTO_UDP;
	else
		return -EINVAL;
	text = parse_port(text + 4, &r.first);
	if (!text)
		return -EINVAL;
	r.last = r.first;
	if (*text == '-')
		text = parse_port(text + 1, &r.last);
	if (!text || *text || r.last < r.first)
		return -EINVAL;
	*ret = r;
	return 0;
}

void port_range_format(const struct port_range *r, char ret[PORT_RANGE_TEXT_MAX])
{
	const char *proto = r->proto == IPPROTO_TCP ? "tcp" : "udp";

	if (r->first == r->last)
		snprintf(ret, PORT_RANGE_TEXT_MAX, "%s/%u", proto, r->first);
	else
		snprintf(ret, PORT_RANGE_TEXT_MAX, "%s/%u-%u", proto, r->first, r->last);
}
