/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fetch/url.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define SCHEME "http://"
#define DIGITS "0123456789"
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define PORT_DEFAULT 80

static bool address4(const char *host, struct url *u)
{
	u->to.v4.sin_family = AF_INET;
	u->len = sizeof(u->to.v4);
	return inet_pton(AF_INET, host, &u->to.v4.sin_addr) == 1 && u->to.v4.sin_addr.s_addr != INADDR_ANY;
}

/* An IPv4 address in an IPv6 one would go another way than its family says. */
static bool address6(const char *host, struct url *u)
{
	const struct in6_addr *a = &u->to.v6.sin6_addr;

	u->to.v6.sin6_family = AF_INET6;
	u->len = sizeof(u->to.v6);
	return inet_pton(AF_INET6, host, &u->to.v6.sin6_addr) == 1 && !IN6_IS_ADDR_UNSPECIFIED(a) &&
	       !IN6_IS_ADDR_V4MAPPED(a);
}

/* The address at *p, which then is behind it. */
static bool take_host(const char **p, struct url *u)
{
	bool six = **p == '[';
	const char *begin = *p + six;
	size_t len = strcspn(begin, six ? "]" : ":/");
	char host[INET6_ADDRSTRLEN];

	if (len == 0 || len >= sizeof(host) || (six && begin[len] != ']'))
		return false;
	memcpy(host, begin, len);
	host[len] = '\0';
	*p = begin + len + six;
	return six ? address6(host, u) : address4(host, u);
}

static bool take_port(const char **p, struct url *u)
{
	unsigned long port = PORT_DEFAULT;
	size_t digits;

	if (**p == ':') {
		digits = strspn(++*p, DIGITS);
		if (digits < 1 || digits > 5 || **p == '0')
			return false;
		port = strtoul(*p, NULL, 10);
		*p += digits;
	}
	if (port > UINT16_MAX)
		return false;
	if (u->to.any.sa_family == AF_INET)
		u->to.v4.sin_port = htons((uint16_t)port);
	else
		u->to.v6.sin6_port = htons((uint16_t)port);
	return true;
}

int url_parse(const char *text, struct url *ret, struct error *err)
{
	struct url u = { 0 };
	const char *p = text;

	if (strlen(text) > URL_MAX)
		return error_set(err, -EINVAL, "the URL is longer than %u characters", URL_MAX);
	if (strncmp(p, SCHEME, strlen(SCHEME)) != 0)
		return error_set(err, -EINVAL, "the URL does not begin with " SCHEME);
	p += strlen(SCHEME);
	if (!take_host(&p, &u))
		return error_set(err, -EINVAL, "the URL's host is no IPv4 or [IPv6] address to connect to");
	if (!take_port(&p, &u))
		return error_set(err, -EINVAL, "the URL's port is no number from 1 to 65535");
	if (*p != '/' || p[strspn(p, DIGITS LETTERS "-._~/")] != '\0')
		return error_set(err, -EINVAL, "the URL's path is missing or has characters that no path here has");
	*ret = u;
	return 0;
}

bool url_same_address(const struct url *u, const struct sockaddr *a)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)a;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)a;

	if (a->sa_family != u->to.any.sa_family)
		return false;
	if (a->sa_family == AF_INET)
		return v4->sin_port == u->to.v4.sin_port && v4->sin_addr.s_addr == u->to.v4.sin_addr.s_addr;
	return v6->sin6_port == u->to.v6.sin6_port && IN6_ARE_ADDR_EQUAL(&v6->sin6_addr, &u->to.v6.sin6_addr);
}
