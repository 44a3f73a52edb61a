/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/log.h"

#include <stdarg.h>
#include <stdio.h>

static int log_max = LOG_INFO;

void log_set_level(int max_priority)
{
	log_max = max_priority;
}

void log_write(int priority, const char *fmt, ...)
{
	char line[1024];
	va_list ap;

	if (priority > log_max)
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	fprintf(stderr, "<%d>%s\n", priority, line);
}
