/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "anond/dir_self.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/version.h"
#include "model/exit_ports.h"

static void exit_ports(const struct config *conf, struct relay_facts *f)
{
	if (!(conf->roles & ROLE_EXIT))
		return;
	if (conf->exit.inner4_enabled)
		exit_ports_of(&conf->exit.policy, AF_INET, &f->traits.exit4);
	if (conf->exit.inner6_enabled)
		exit_ports_of(&conf->exit.policy, AF_INET6, &f->traits.exit6);
}

void dir_self_facts(const struct config *conf, const struct relay_keys *keys, const struct onion_keys *onion,
		    uint64_t ends_s, struct relay_facts *ret)
{
	struct relay_facts f = { .bandwidth = conf->self.bandwidth };

	memcpy(f.relay.name, conf->self.name, sizeof(f.relay.name));
	f.relay.id = keys->id;
	onion_keys_facts(onion, &f);
	memcpy(f.relay.link_key, keys->link_public, sizeof(f.relay.link_key));
	f.relay.addr4 = conf->self.addr4;
	f.relay.addr6 = conf->self.addr6;
	f.relay.guard = conf->guard;
	exit_ports(conf, &f);
	f.relay.exit = f.traits.exit4.n || f.traits.exit6.n;
	for (size_t i = 0; i < conf->self.n_families; i++)
		memcpy(f.traits.families[i], conf->self.families[i].key, sizeof(f.traits.families[i]));
	f.traits.n_families = conf->self.n_families;
	f.traits.as = conf->self.as;
	memcpy(f.traits.country, conf->self.country, sizeof(f.traits.country));
	f.traits.ends = ends_s;
	snprintf(f.software, sizeof(f.software), "anond-%s", ANON_VERSION);
	*ret = f;
}

int dir_self_descriptor(const struct config *conf, const struct relay_keys *keys, const struct onion_keys *onion,
			uint64_t ends_s, uint64_t now_s, char **ret, size_t *ret_len, struct error *err)
{
	struct server_descriptor d = { .published = now_s, .valid_until = now_s + SERVER_DESCRIPTOR_LIFE_MAX };
	uint8_t key[KEY_LEN];

	dir_self_facts(conf, keys, onion, ends_s, &d.facts);
	server_descriptor_link(&keys->id, keys->link_seed, key, d.link_proof);
	for (size_t i = 0; i < conf->self.n_families; i++)
		memcpy(d.family_proofs[i], conf->self.families[i].proof, sizeof(d.family_proofs[i]));
	d.n_family_proofs = conf->self.n_families;
	return server_descriptor_make(&d, keys->identity_seed, ret, ret_len, err);
}
