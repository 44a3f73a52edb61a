/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plan/nft.h"

#include <string.h>

const char *nft_family_name(enum nft_family family)
{
	return family == NFT_NETDEV ? "netdev" : "inet";
}

static void add_chain(FILE *f, const char *where, const struct kobj_nft *n)
{
	if (n->spec)
		fprintf(f, "add chain %s %s { %s }\n", where, n->name, n->spec);
	else
		fprintf(f, "add chain %s %s\n", where, n->name);
	fprintf(f, "flush chain %s %s\n", where, n->name);
	for (const char *s = n->rules; s && *s;) {
		size_t len = strcspn(s, "\n");
		if (len)
			fprintf(f, "add rule %s %s %.*s\n", where, n->name, (int)len, s);
		s += len + (s[len] == '\n');
	}
}

static void add_one(FILE *f, const struct kobj_nft *n)
{
	char where[32];
	snprintf(where, sizeof(where), "%s " NFT_TABLE_NAME, nft_family_name(n->family));
	switch (n->kind) {
	case NFT_TABLE:
		fprintf(f, "add table %s\n", where);
		return;
	case NFT_SET:
		fprintf(f, "add set %s %s { %s }\n", where, n->name, n->spec);
		return;
	case NFT_COUNTER:
		fprintf(f, "add counter %s %s\n", where, n->name);
		return;
	case NFT_CHAIN:
		add_chain(f, where, n);
		return;
	}
}

/*
 * "add" first, so that deleting what is not there is no error; adding what is there does nothing. Where the table
 * itself is gone the script fails, and there is nothing to remove.
 */
static void remove_one(FILE *f, const struct kobj_nft *n)
{
	char where[32];
	snprintf(where, sizeof(where), "%s " NFT_TABLE_NAME, nft_family_name(n->family));
	switch (n->kind) {
	case NFT_TABLE:
		fprintf(f, "add table %s\ndelete table %s\n", where, where);
		return;
	case NFT_SET:
		if (n->spec)
			fprintf(f, "add set %s %s { %s }\n", where, n->name, n->spec);
		fprintf(f, "delete set %s %s\n", where, n->name);
		return;
	case NFT_COUNTER:
		fprintf(f, "add counter %s %s\ndelete counter %s %s\n", where, n->name, where, n->name);
		return;
	case NFT_CHAIN:
		fprintf(f, "delete chain %s %s\n", where, n->name);
		return;
	}
}

static void empty_chain(FILE *f, const struct kobj_nft *n)
{
	char where[32];
	snprintf(where, sizeof(where), "%s " NFT_TABLE_NAME, nft_family_name(n->family));
	fprintf(f, "add chain %s %s\nflush chain %s %s\n", where, n->name, where, n->name);
}

char *nft_script_add(const struct kobject *v, size_t n)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	if (!f)
		return NULL;
	for (size_t i = 0; i < n; i++)
		add_one(f, &v[i].nft);
	bool bad = ferror(f);
	if (fclose(f) == EOF || bad) {
		free(text);
		return NULL;
	}
	return text;
}

char *nft_script_remove(const struct kobject *v, size_t n)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	if (!f)
		return NULL;
	/* Chains refer to one another and to sets: empty all of them first. */
	for (size_t i = 0; i < n; i++)
		if (v[i].nft.kind == NFT_CHAIN)
			empty_chain(f, &v[i].nft);
	for (size_t i = n; i-- > 0;)
		remove_one(f, &v[i].nft);
	bool bad = ferror(f);
	if (fclose(f) == EOF || bad) {
		free(text);
		return NULL;
	}
	return text;
}
