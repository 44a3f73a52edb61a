/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* ESP transforms as the control protocol numbers them. */
enum suite {
	SUITE_AES128_GCM_16 = 1,     /* RFC 4106, 16-byte ICV */
	SUITE_CHACHA20_POLY1305 = 2, /* RFC 7634 */
	SUITE_AES128_GCM_8 = 3,	     /* RFC 4106, 8-byte ICV: BEET layers, whose content T_k authenticates again */
};

#define SUITE_KEY_MAX 36

struct suite_info {
	enum suite id;
	const char *name;   /* as in the configuration */
	const char *kernel; /* the kernel's AEAD name */
	uint8_t key_len;    /* bytes, salt included */
	uint8_t icv_len;    /* bytes */
};

/* The description of a suite, or NULL for a number that is none. */
const struct suite_info *suite_get(unsigned int id);
