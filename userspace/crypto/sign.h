/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Ed25519 (RFC 8032) by the key of a seed, and that key's public half. */
void sign_with_seed(const void *msg, size_t len, const uint8_t seed[32], uint8_t ret_key[32], uint8_t ret_sig[64]);
