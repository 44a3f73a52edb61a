/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a relay says of itself to the authorities, from its configuration and keys. Pure but for the signature. */
#pragma once

#include "anond/config.h"
#include "directory/keys.h"
#include "directory/onion_keys.h"
#include "directory/server_descriptor.h"

/* ends_s: when it ends, 0: not known. */
void dir_self_facts(const struct config *conf, const struct relay_keys *keys, const struct onion_keys *onion,
		    uint64_t ends_s, struct relay_facts *ret);
/* A descriptor that is valid for as long as one may be (malloc). -EINVAL: an authority would refuse it; -ENOMEM. */
int dir_self_descriptor(const struct config *conf, const struct relay_keys *keys, const struct onion_keys *onion,
			uint64_t ends_s, uint64_t now_s, char **ret, size_t *ret_len, struct error *err);
