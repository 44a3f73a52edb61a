/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The originator's judgement of a CREATED: layer by layer from the guard to the last hop it opens message 2 and holds
 * what the relay sealed against what was asked and against what the relay before it says it installed.
 */
#pragma once

#include <stdbool.h>

#include "circuit/origin.h"
#include "crypto/noise.h"
#include "wire/ctrl.h"

struct origin_verdict {
	enum origin_failure failure; /* ORIGIN_OK, ORIGIN_REFUSED, ORIGIN_BAD_ANSWER */
	unsigned int hop;	     /* 1-based */
	uint8_t status;		     /* REFUSED: enum ctrl_status */
	bool sealed;		     /* REFUSED: the hop itself says so, in the handshake with us */
};

/*
 * On ORIGIN_OK the layers and the inner addresses of circuit are complete, and keys (secmem, one per layer) filled in.
 * -ENOMEM: no verdict. The handshakes are used up in any case.
 */
int origin_verify(struct origin_circuit *circuit, struct noise *const handshakes[], bool want4, bool want6,
		  const struct ctrl_msg *created, struct layer_keys *keys, struct origin_verdict *ret);
