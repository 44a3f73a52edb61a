/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The relays of a vote or a consensus. Their facts are only delimited here, not read: they are counted byte by byte, so
 * that authorities of different versions count the same, and what one of them does not understand of one relay does not
 * spoil the others.
 */
#pragma once

#include <stddef.h>

#include "directory/flags.h"
#include "model/relay.h"
#include "wire/document.h"

struct listing {
	struct relay_id id;
	struct document_text facts; /* from the line with its identity to the one before its flags */
	struct flags flags;
	uint32_t weight; /* KiB/s */
	uint32_t as;	 /* where its address belongs, 0: not known */
	char country[3]; /* "": not known */
};

struct listings {
	struct listing *v; /* malloc, ascending by id */
	size_t n;
};

/*
 * Up to what is no relay; the facts are of the reader's text. -EFBIG: more than max_relays; -EINVAL with line and
 * field; -ENOMEM. On errors nothing is left.
 */
int listings_read(struct document_reader *r, size_t max_relays, size_t max_flags, struct listings *ret,
		  struct error *err);
void listing_put(FILE *f, const struct listing *v);
void listings_clear(struct listings *l);
