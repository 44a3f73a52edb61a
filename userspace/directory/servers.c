/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "directory/servers.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base64.h"
#include "lib/cleanup.h"
#include "model/relay.h"
#include "wire/dirhttp.h"

/* ":PORT", or nothing. */
static int port_of(const char *s, in_port_t *ret)
{
	unsigned long port = DIRHTTP_PORT;
	char *end;

	if (*s != '\0') {
		if (s[0] != ':' || s[1] < '1' || s[1] > '9')
			return -EINVAL;
		errno = 0;
		port = strtoul(s + 1, &end, 10);
		if (errno || *end != '\0' || port > UINT16_MAX)
			return -EINVAL;
	}
	*ret = htons((uint16_t)port);
	return 0;
}

static int parse_six(char *text, struct server *ret)
{
	char *close = strchr(text, ']');
	struct sockaddr_in6 a = { .sin6_family = AF_INET6 };

	if (!close || ret->addr6.sin6_family)
		return -EINVAL;
	*close = '\0';
	if (inet_pton(AF_INET6, text + 1, &a.sin6_addr) != 1 || !addr6_is_host(&a.sin6_addr) ||
	    port_of(close + 1, &a.sin6_port) < 0)
		return -EINVAL;
	ret->addr6 = a;
	return 0;
}

static int parse_four(char *text, struct server *ret)
{
	char *colon = strchr(text, ':');
	struct sockaddr_in a = { .sin_family = AF_INET };

	if (ret->addr4.sin_family || port_of(colon ? colon : "", &a.sin_port) < 0)
		return -EINVAL;
	if (colon)
		*colon = '\0';
	if (inet_pton(AF_INET, text, &a.sin_addr) != 1 || !addr4_is_host(a.sin_addr))
		return -EINVAL;
	ret->addr4 = a;
	return 0;
}

int server_parse(const char *text, struct server *ret)
{
	struct server s = { 0 };
	size_t len = strlen(text);
	char copy[SERVER_TEXT_MAX];
	char *one, *next;

	if (len >= sizeof(copy))
		return -EINVAL;
	memcpy(copy, text, len + 1);
	for (one = copy; one; one = next) {
		next = strchr(one, ',');
		if (next)
			*next++ = '\0';
		if ((one[0] == '[' ? parse_six(one, &s) : parse_four(one, &s)) < 0)
			return -EINVAL;
	}
	*ret = s;
	return 0;
}

int authorities_add(struct authorities *a, const char *text)
{
	const char *at = strchr(text, '@');
	struct authority_server v = { 0 };

	if (!at || base64_parse(text, (size_t)(at - text), v.key, sizeof(v.key)) < 0 || server_parse(at + 1, &v.at) < 0)
		return -EINVAL;
	if (authorities_find(a, v.key) >= 0)
		return -EEXIST;
	if (a->n == ARRAY_SIZE(a->v))
		return -ENOSPC;
	a->v[a->n++] = v;
	return 0;
}

int authorities_find(const struct authorities *a, const uint8_t key[32])
{
	for (size_t i = 0; i < a->n; i++)
		if (memcmp(a->v[i].key, key, 32) == 0)
			return (int)i;
	return -ENOENT;
}

void authorities_keys(const struct authorities *a, uint8_t ret[AUTHORITIES_MAX][32])
{
	for (size_t i = 0; i < a->n; i++)
		memcpy(ret[i], a->v[i].key, 32);
}

int server_url(const struct server *s, bool six, const char *path, char ret[SERVER_URL_MAX])
{
	char text[INET6_ADDRSTRLEN];
	int n;

	if (six ? !s->addr6.sin6_family : !s->addr4.sin_family)
		return -ENOENT;
	if (six)
		n = snprintf(ret, SERVER_URL_MAX, "http://[%s]:%u" DIRHTTP_ROOT "%s",
			     inet_ntop(AF_INET6, &s->addr6.sin6_addr, text, sizeof(text)), ntohs(s->addr6.sin6_port),
			     path);
	else
		n = snprintf(ret, SERVER_URL_MAX, "http://%s:%u" DIRHTTP_ROOT "%s",
			     inet_ntop(AF_INET, &s->addr4.sin_addr, text, sizeof(text)), ntohs(s->addr4.sin_port),
			     path);
	return n < (int)SERVER_URL_MAX ? 0 : -ENAMETOOLONG;
}
