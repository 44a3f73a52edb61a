/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One request to the daemon. */
#pragma once

#include <jansson.h>

#include "anonctl/answer.h"
#include "lib/error.h"

/*
 * Sends {"cmd": cmd, "args": args} and waits at most timeout_s seconds for the final line; progress lines before it
 * are read over.
 *   -ECONNREFUSED  the daemon is not running
 *   -EACCES        this user may not use the socket
 *   -ETIMEDOUT     no final line in time
 *   -ECONNRESET    the daemon hung up without one
 *   -EBADMSG       what came is not this protocol
 *   other negative errno
 */
int client_request(const char *socket_path, const char *cmd, json_t *args, unsigned int timeout_s, struct answer *ret,
		   struct error *err);
