/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A kernel for tests: keeps the objects in memory, can be told to fail. */
#pragma once

#include "kernel/ops.h"

int kernel_fake_new(struct kernel **ret);
/* The n-th object from now on (0: the next) that would be made fails with error (negative errno), once. */
void kernel_fake_fail(struct kernel *k, size_t n, int error);
/* What is in it now, in order of making. Owned by k. */
const struct plan *kernel_fake_objects(const struct kernel *k);
