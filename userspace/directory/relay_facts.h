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

#define RELAY_FACTS_MAX 2048u /* bytes of text: 10,000 relays and what stands beside them fit into a vote */

struct relay_facts {
	struct relay relay; /* exit: traits.exit4 or exit6 is not empty */
	bool has_next_onion;
	uint32_t next_onion_id;
	uint8_t next_onion_key[32];
	uint32_t bandwidth; /* KiB/s, what the relay offers */
	struct relay_traits traits;
	char software[32];
};

/* Up to the line that ends them. -EINVAL with line and field. */
int relay_facts_read(struct document_reader *r, struct relay_facts *ret, struct error *err);
/* Whether a line ends the facts: a keyword of what stands behind them in any document, which no facts may have. */
bool relay_facts_end_at(const struct document_line *line);
/* Writes the section; what read would refuse is the caller's fault. Errors are f's. */
void relay_facts_put(FILE *f, const struct relay_facts *facts);
/* ISO 3166-1 alpha-2, capitals. -EINVAL. */
int country_take(struct document_words *w, char ret[3], struct error *err);
