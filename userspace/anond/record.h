/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Circuits as JSON for the journal. No keys. Decoders take anything and return -EBADMSG. */
#pragma once

#include <jansson.h>

#include "circuit/origin.h"
#include "circuit/relay.h"

json_t *record_of_relay(const struct relay_record *r);
int record_to_relay(const json_t *j, struct relay_record *ret);

json_t *record_of_replay(const struct replay_record *r);
int record_to_replay(const json_t *j, struct replay_record *ret);

json_t *record_of_origin(const struct origin_record *r);
int record_to_origin(const json_t *j, struct origin_record *ret);
