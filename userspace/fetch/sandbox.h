/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What this process may still do, less and less: libraries in it read what strangers send, and whoever takes one of
 * them over is then in a process of the user that owns a relay's keys. All return 0 or a negative errno, and after a
 * failure nothing of a stranger may be read.
 */
#pragma once

#include <stdint.h>

/*
 * Before all else: no new privileges, no capability in any set (in the bounding set, if that may be changed), no core
 * dump, not traceable, killed when the parent ends, an empty environment.
 */
int sandbox_drop(void);
/*
 * No descriptor but standard input, output and error and *socket (-1: none), which gets another number. -EBADF: one of
 * them is not open.
 */
int sandbox_descriptors(int *socket);
/* When what is given there (/proc/self/fd/0) was read: standard input is /dev/null. */
int sandbox_input(void);
/* Bytes that standard output takes if it is a file, bytes of memory beyond what a small program has; few descriptors.
 */
int sandbox_limits(uint64_t output, uint64_t memory);
/*
 * The rest of its life: read from and write to what is open, allocate memory that is not executable, know the time,
 * end. No file, no process, no signal, no other socket and no other peer. What is refused fails with ENOSYS, for
 * libraries cope with a kernel that lacks something.
 */
int sandbox_seal(void);
