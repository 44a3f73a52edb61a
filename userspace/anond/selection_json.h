/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A selection as it stands in requests, answers and files: `to` or `from`, `users`, `ports`, `except`. Pure. */
#pragma once

#include <jansson.h>

#include "lib/error.h"
#include "model/selection.h"

/*
 * everything: without `to` and `from` all destinations are meant, otherwise that is an error. 0, -EINVAL with a
 * sentence that names the field, -ENOMEM; *ret needs selection_clear only after 0.
 */
int selection_from_json(const json_t *j, bool everything, struct selection *ret, struct error *err);
/* Adds the members. */
void selection_to_json(const struct selection *s, json_t *j);
