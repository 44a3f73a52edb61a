/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/path_rules.h"

#include <stdbool.h>
#include <string.h>

#include "lib/base64.h"

static bool is_letter(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

const char *countries_add(struct countries *c, const char *text)
{
	char code[3] = "";

	if (strlen(text) != 2 || !is_letter(text[0]) || !is_letter(text[1]))
		return "not a country's two letters (ISO 3166-1), such as CH";
	code[0] = (char)(text[0] & ~0x20);
	code[1] = (char)(text[1] & ~0x20);
	for (size_t i = 0; i < c->n; i++)
		if (memcmp(c->v[i], code, sizeof(code)) == 0)
			return NULL;
	memcpy(c->v[c->n++], code, sizeof(code));
	return NULL;
}

static bool has_operator(const struct path_rules *r, const uint8_t key[32])
{
	for (size_t i = 0; i < r->n_never_operators; i++)
		if (memcmp(r->never_operators[i], key, 32) == 0)
			return true;
	return false;
}

const char *path_rules_add_operator(struct path_rules *r, const char *text)
{
	uint8_t key[32];

	if (base64_parse(text, strlen(text), key, sizeof(key)) < 0)
		return "not an operator's key, 32 bytes in base64";
	if (has_operator(r, key))
		return NULL;
	if (r->n_never_operators == OPERATORS_MAX)
		return "more than 16 operators";
	memcpy(r->never_operators[r->n_never_operators++], key, sizeof(key));
	return NULL;
}

void path_rules_join(const struct path_rules *always, const struct path_rules *own, struct path_rules *ret)
{
	*ret = *always;
	if (own->exits.n)
		ret->exits = own->exits;
	if (own->min_life)
		ret->min_life = own->min_life;
	for (size_t i = 0; i < own->never.n; i++)
		(void)countries_add(&ret->never, own->never.v[i]);
	for (size_t i = 0; i < own->n_never_operators; i++)
		if (!has_operator(ret, own->never_operators[i]))
			memcpy(ret->never_operators[ret->n_never_operators++], own->never_operators[i], 32);
}
