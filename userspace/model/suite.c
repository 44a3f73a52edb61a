/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/suite.h"

#include "lib/cleanup.h"

static const struct suite_info suites[] = {
	{ SUITE_AES128_GCM_16, "aes128gcm16", "rfc4106(gcm(aes))", 20, 16 },
	{ SUITE_CHACHA20_POLY1305, "chacha20poly1305", "rfc7539esp(chacha20,poly1305)", 36, 16 },
	{ SUITE_AES128_GCM_8, "aes128gcm8", "rfc4106(gcm(aes))", 20, 8 },
};

const struct suite_info *suite_get(unsigned int id)
{
	for (size_t i = 0; i < ARRAY_SIZE(suites); i++)
		if (suites[i].id == id)
			return &suites[i];
	return NULL;
}
