/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdint.h>

uint64_t clock_monotonic_ms(void); /* milliseconds; stops neither for a clock step nor for suspend (CLOCK_BOOTTIME) */
uint64_t clock_wall_s(void);	   /* seconds since 1970-01-01 UTC; may step */
