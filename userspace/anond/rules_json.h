/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is wished of a path as it stands in requests, answers and files. Pure. */
#pragma once

#include <jansson.h>

#include "lib/error.h"
#include "model/ids.h"
#include "model/path_rules.h"

/* exit_countries, never_countries, never_operators, min_life, each optional. -EINVAL with a sentence that names it. */
int rules_from_json(const json_t *j, struct path_rules *ret, struct error *err);
/* Adds the members that say something. */
void rules_to_json(const struct path_rules *r, json_t *j);

/* A saved `path`: the names or identities of a chosen one, hops of them, of path's memory. 0: none was chosen.
 * -EBADMSG. */
int pins_from_json(const json_t *path, size_t hops, const char *ret[HOPS_MAX]);
