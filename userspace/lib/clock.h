/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdint.h>

uint64_t clock_monotonic_ms(void); /* milliseconds; stops neither for a clock step nor for suspend (CLOCK_BOOTTIME) */
#define CLOCK_WALL_MAX UINT64_C(253402300799) /* the end of the year 9999: later times are no times */
uint64_t clock_wall_s(void);		      /* seconds since 1970-01-01 UTC; may step */
