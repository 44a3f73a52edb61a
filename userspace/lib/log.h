/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One line per event on standard error, with the syslog level prefix (<N>) that systemd's journal reads.
 * Only anond/ and main functions log; library layers return errors. A log line never holds a key,
 * a user's address, a circuit address or a destination: relays are named by their nickname.
 */
#pragma once

#include <syslog.h>

void log_set_level(int max_priority); /* LOG_DEBUG .. LOG_ERR; the default is LOG_INFO */
void log_write(int priority, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define log_err(...) log_write(LOG_ERR, __VA_ARGS__)
#define log_warn(...) log_write(LOG_WARNING, __VA_ARGS__)
#define log_notice(...) log_write(LOG_NOTICE, __VA_ARGS__)
#define log_info(...) log_write(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_write(LOG_DEBUG, __VA_ARGS__)
