/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One anond for each run directory: two would undo each other's work in the kernel and in the tables. */
#pragma once

#include "lib/error.h"

/* -EWOULDBLOCK: another anond has it. Held until the descriptor is closed or the process ends, however it ends. */
int lock_take(const char *run, int *ret_fd, struct error *err);
