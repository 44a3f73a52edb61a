/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon's answers for a person. Pure. A member that lacks or has another type is shown as nothing: the daemon
 * may be of another version than this program.
 */
#pragma once

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

struct show_time {
	uint64_t wall_s;      /* now, seconds since 1970 */
	uint64_t monotonic_s; /* now, CLOCK_BOOTTIME */
};

typedef void show_fn(const json_t *body, const struct show_time *now, FILE *out);

show_fn show_circuit_up, show_circuit_new, show_circuit_down, show_circuit_list, show_circuit, show_relay_list,
	show_link_list, show_status, show_metrics, show_drain, show_reload;
void show_probe(const json_t *body, FILE *out);
