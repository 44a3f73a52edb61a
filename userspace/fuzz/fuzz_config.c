/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A configuration: libconfuse's reading of it and our checks. What is taken keeps every promise of config.h. */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "anond/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_servers(const struct config *c)
{
	bool relay = c->roles & ROLE_RELAY;

	if (c->servers.n_keys > AUTHORITIES_MAX || c->servers.at.n > ENDPOINTS_MAX ||
	    c->servers.at.n < c->servers.n_keys || c->self.n_families > FAMILIES_MAX)
		abort();
	for (size_t i = 0; i < c->servers.at.n; i++)
		if (c->servers.authority[i] >= (int)c->servers.n_keys || !c->servers.at.v[i].port)
			abort();
	for (size_t i = 1; i < c->self.n_families; i++)
		if (memcmp(c->self.families[i - 1].key, c->self.families[i].key, 32) >= 0)
			abort();
	if (c->servers.n_keys && relay && !relay_name_valid(c->self.name))
		abort();
}

static void check(const struct config *c)
{
	if (c->roles == 0 || ((c->roles & ROLE_CLIENT) && (c->roles & ROLE_RELAY)) ||
	    ((c->roles & ROLE_EXIT) && !(c->roles & ROLE_RELAY)))
		abort();
	if (c->network[0] != '/' || c->keys[0] != '/' || c->run[0] != '/' || c->vici[0] != '/' || strlen(c->vici) > 107)
		abort();
	if (c->hops < 1 || c->hops > HOPS_MAX || (c->fetch_program && c->fetch_program[0] != '/'))
		abort();
	if (sodium_is_zero(c->network_key, sizeof(c->network_key)) == (c->servers.n_keys == 0))
		abort();
	check_servers(c);
	if (c->suite == SUITE_AES128_GCM_8 || !suite_get(c->suite))
		abort();
	if (c->timing.lifetime_s < 60 || c->timing.create_timeout_ms % 1000 || !c->timing.keepalive_misses)
		abort();
	if (c->exit.inner4_enabled && (c->exit.inner4.len < 10 || c->exit.inner4.len > 29))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config *conf = NULL;
	struct error err = { "" };
	char *text;

	/* config_load's own limits. */
	if (sodium_init() < 0 || size > CONFIG_FILE_MAX || memchr(data, '\0', size))
		return 0;
	text = malloc(size + 1);
	if (!text)
		abort();
	memcpy(text, data, size);
	text[size] = '\0';
	if (config_parse(text, "fuzz", &conf, &err) == 0)
		check(conf);
	else if (conf || err.text[0] == '\0')
		abort();
	config_free(conf);
	free(text);
	return 0;
}
