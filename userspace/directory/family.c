/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "directory/family.h"

#include <errno.h>
#include <string.h>

#include "directory/server_descriptor.h"

void family_proof_make(const struct relay_id *id, const uint8_t seed[32], struct family_proof *ret)
{
	server_descriptor_family(id, seed, ret->key, ret->proof);
}

void family_proof_format(const struct family_proof *f, char ret[FAMILY_PROOF_TEXT])
{
	base64_write(f->key, sizeof(f->key), ret);
	ret[BASE64_LEN(sizeof(f->key)) - 1] = ':';
	base64_write(f->proof, sizeof(f->proof), ret + BASE64_LEN(sizeof(f->key)));
}

int family_proof_parse(const char *text, struct family_proof *ret)
{
	const char *colon = strchr(text, ':');
	struct family_proof f = { .key = { 0 } };

	if (!colon || base64_parse(text, (size_t)(colon - text), f.key, sizeof(f.key)) < 0 ||
	    base64_parse(colon + 1, strlen(colon + 1), f.proof, sizeof(f.proof)) < 0)
		return -EINVAL;
	*ret = f;
	return 0;
}
