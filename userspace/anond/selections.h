/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the user wants protected, in the state directory, so that it stays so over a restart of the host: numbers,
 * destinations and chosen paths of circuits, nothing of the circuits that carried them. The table in the run directory
 * (journal.h) knows more and is believed first.
 */
#pragma once

#include <jansson.h>

#include "kernel/ops.h"
#include "lib/error.h"
#include "model/circuit.h"
#include "model/endpoint.h"
#include "model/lan.h"

#define SELECTIONS_FILE "selections"

/* circuits: a list, one object each as the journal has it; stolen. Nothing is written if the file says so already. */
int selections_save(const char *dir, json_t *circuits, struct error *err);
/*
 * The list, empty if there is no file. -EBADMSG: the file is damaged; -ENODEV: it has circuits for a LAN, and lans is
 * empty; open(2), read(2).
 */
int selections_load(const char *dir, const struct lans *lans, json_t **ret, struct error *err);
int selections_forget(const char *dir); /* also if there is none */

/*
 * Put the kill switches of all selections into the kernel, before anything else of anond runs. If the file cannot be
 * read, or one of them not be set, everything is blocked, and the error says so nevertheless. must_be_known: also if
 * there is no file, for it may lie elsewhere. lans: a gateway's, whose hosts are blocked even without a file. servers:
 * as in plan_client_base.
 */
int selections_block(const char *dir, bool must_be_known, const struct lans *lans, const struct endpoints *servers,
		     struct kernel *kernel, struct error *err);
