/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One relay as the JSON object that descriptors and the network file share (directory/network.h shows it). */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "lib/error.h"
#include "model/relay.h"

/* Does not look for members that a relay does not have. -EINVAL with "<member>: ...". */
int relay_from_json(const json_t *obj, struct relay *ret, struct error *err);
/* Refuses members that a relay does not have; `extra` is one more that it may have, or NULL. */
int relay_json_only(json_t *obj, const char *extra, struct error *err);
/* A new reference, or NULL: out of memory. */
json_t *relay_to_json(const struct relay *relay);
