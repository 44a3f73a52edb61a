/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/base64.h"

#include <errno.h>
#include <sodium.h>

int base64_parse(const char *text, size_t len, uint8_t *ret, size_t ret_len)
{
	size_t n;

	if (sodium_base642bin(ret, ret_len, text, len, NULL, &n, NULL, sodium_base64_VARIANT_ORIGINAL) != 0 ||
	    n != ret_len)
		return -EINVAL;
	return 0;
}

void base64_write(const uint8_t *bytes, size_t len, char *ret)
{
	sodium_bin2base64(ret, BASE64_LEN(len), bytes, len, sodium_base64_VARIANT_ORIGINAL);
}
