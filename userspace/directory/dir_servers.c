/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "directory/dir_servers.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base64.h"
#include "wire/dirhttp.h"

static const char twice[] = "named twice";

static const char *add(struct dir_servers *s, const struct endpoint *e, int authority)
{
	for (size_t i = 0; i < s->at.n; i++)
		if (endpoint_same(&s->at.v[i], e))
			return twice;
	if (s->at.n == ENDPOINTS_MAX)
		return "too many addresses";
	s->authority[s->at.n] = (int8_t)authority;
	s->at.v[s->at.n++] = *e;
	return NULL;
}

static const char *add_key(struct dir_servers *s, const char *text, size_t len)
{
	uint8_t *key;

	if (s->n_keys >= AUTHORITIES_MAX)
		return "more than 16 authorities";
	key = s->keys[s->n_keys];
	if (base64_parse(text, len, key, DIR_KEY_LEN) < 0 || sodium_is_zero(key, DIR_KEY_LEN))
		return "the key is not 32 bytes in base64";
	for (size_t i = 0; i < s->n_keys; i++)
		if (memcmp(s->keys[i], key, DIR_KEY_LEN) == 0)
			return twice;
	return NULL;
}

const char *dir_servers_authority(struct dir_servers *s, const char *text)
{
	static const char usage[] = "not KEY@ADDRESS or KEY@ADDRESS,[ADDRESS6], each with :PORT behind it or not";
	const char *at = strchr(text, '@'), *wrong, *next;
	struct dir_servers more = *s;
	uint8_t families[2] = { 0 };
	size_t n = 0;

	if (!at)
		return usage;
	wrong = add_key(&more, text, (size_t)(at - text));
	for (next = at + 1; !wrong && next; n++) {
		const char *comma = strchr(next, ',');
		size_t len = comma ? (size_t)(comma - next) : strlen(next);
		struct endpoint e;

		if (n == 2 || endpoint_parse(next, len, DIRHTTP_PORT, &e) < 0 || (n && families[0] == e.family))
			return usage;
		families[n] = e.family;
		wrong = add(&more, &e, (int)more.n_keys);
		next = comma ? comma + 1 : NULL;
	}
	if (wrong)
		return wrong;
	more.n_keys++;
	*s = more;
	return NULL;
}

const char *dir_servers_mirror(struct dir_servers *s, const char *text)
{
	struct endpoint e;

	if (endpoint_parse(text, strlen(text), DIRHTTP_PORT, &e) < 0)
		return "not an address such as 192.0.2.5:80 or [2001:db8::5]:80";
	return add(s, &e, -1);
}

size_t dir_servers_of(const struct dir_servers *s, size_t authority, unsigned int tries)
{
	size_t found[2] = { 0 }, n = 0;

	for (size_t i = 0; i < s->at.n && n < 2; i++)
		if (s->authority[i] == (int)authority)
			found[n++] = i;
	return n ? found[tries % n] : 0;
}

int dir_url(const struct endpoint *at, const char *path, char ret[DIR_URL_MAX])
{
	char where[ENDPOINT_TEXT_MAX];

	endpoint_format(at, where);
	return snprintf(ret, DIR_URL_MAX, "http://%s" DIRHTTP_ROOT "%s", where, path) < (int)DIR_URL_MAX
		       ? 0
		       : -ENAMETOOLONG;
}

int dir_servers_find(const struct dir_servers *s, const uint8_t key[DIR_KEY_LEN])
{
	for (size_t i = 0; i < s->n_keys; i++)
		if (memcmp(s->keys[i], key, DIR_KEY_LEN) == 0)
			return (int)i;
	return -ENOENT;
}

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, DIR_KEY_LEN);
}

void dir_servers_id(const struct dir_servers *s, uint8_t ret[DIR_KEY_LEN])
{
	uint8_t sorted[AUTHORITIES_MAX][DIR_KEY_LEN];

	memcpy(sorted, s->keys, sizeof(sorted));
	qsort(sorted, s->n_keys, DIR_KEY_LEN, compare);
	crypto_generichash(ret, DIR_KEY_LEN, sorted[0], s->n_keys * DIR_KEY_LEN, NULL, 0);
}
