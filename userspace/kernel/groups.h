/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A mark on every socket of some groups from its opening on, by a BPF program in the root of the control groups. What
 * else tells a socket's group (meta skgid, the owner of its file) ends when the program closes it,
 * before the kernel has said all; and a routing rule knows marks, not groups. The program stays without us: it hangs on
 * a link that is pinned in the BPF file system.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/error.h"

/*
 * Sockets of IPv4 and IPv6 that a process whose real group is one of these opens from now on are marked MARK_GROUP_BASE
 * + group. Replaces what was marked before in one step; n 0: none. Needs CAP_BPF, CAP_NET_ADMIN and a way to
 * /sys/fs/bpf. Groups 1 to GROUP_MAX. -EINVAL, -ENOENT (no control groups of version 2, or no BPF file system), bpf(2).
 */
int kernel_groups_mark(const uint32_t *groups, size_t n, struct error *err);
/* No marks any more on new sockets. 0 also if there were none. */
int kernel_groups_unmark(void);
/* Whether the file systems are there; without privileges. */
bool kernel_groups_possible(void);
