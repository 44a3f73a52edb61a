/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The socket of the one connection, before it is connected. */
#pragma once

#include "fetch/url.h"
#include "lib/fetch_status.h"

/*
 * `passed`, or if that is -1 a new socket; bound to the interface `device` if it is not NULL. FETCH_USAGE: `passed` is
 * no TCP socket of the URL's family, or is connected; FETCH_INTERNAL. `passed` is taken in any case; the caller closes
 * *ret_fd.
 */
enum fetch_status socket_take(const struct url *to, int passed, const char *device, int *ret_fd, struct error *err);
