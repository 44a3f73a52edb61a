/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What directory documents say of a relay: the section that begins with its identity (wire/document.h has the format).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "lib/error.h"
#include "model/relay.h"
#include "model/relay_traits.h"
#include "wire/document.h"

struct relay_facts {
	struct relay relay; /* exit: traits.exit4 or exit6 is not empty */
	bool has_next_onion;
	uint32_t next_onion_id;
	uint8_t next_onion_key[32];
	uint32_t bandwidth; /* KiB/s, what the relay offers */
	struct relay_traits traits;
	char software[32];
};

/* Up to a line with one of stops. -EINVAL with line and field. */
int relay_facts_read(struct document_reader *r, const char *const *stops, struct relay_facts *ret, struct error *err);
/*
 * All relays of a vote or a consensus: reads their facts, which ascend by identity, and gives each with its text and
 * what follows it, up to the next, to one(). -EFBIG: more than max; -EINVAL with line and field; what one returns.
 */
typedef int relay_facts_one(void *ctx, const struct relay_facts *facts, struct document_text text,
			    struct document_reader *r, struct error *err);
int relay_facts_each(struct document_reader *r, size_t max, relay_facts_one *one, void *ctx, struct error *err);
/* What ends what follows the facts. */
extern const char *const relay_facts_next[];
/* Writes the section; what read would refuse is the caller's fault. Errors are f's. */
void relay_facts_put(FILE *f, const struct relay_facts *facts);
