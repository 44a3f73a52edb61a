/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What `circuit up` asks for over the control socket, checked. Pure. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "lib/error.h"
#include "model/circuit.h"
#include "model/path_rules.h"
#include "model/selection.h"

struct up_request {
	size_t hops;
	const char *pin[HOPS_MAX]; /* names or identities of relays, of the JSON's memory; only if pinned */
	bool pinned;
	struct path_rules rules;
	struct selection sel; /* owned */
	double wait;	      /* seconds */
};

/*
 * args: the request's, NULL is as good as empty; neither `to` nor `from` means everything of this host, an empty list
 * means an error.
 * hops: if it does not say. 0, -EINVAL with a sentence that names the field, -ENOMEM; *ret as it was on errors.
 */
int up_request_parse(const json_t *args, size_t hops, struct up_request *ret, struct error *err);
/* How long `circuit up` and `circuit new` wait, seconds. -EINVAL. */
int up_request_wait(const json_t *wait, double *ret, struct error *err);
void up_request_clear(struct up_request *a);
