/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Gives one program a wall clock that is wrong, by LD_PRELOAD: so many seconds ahead (or behind, with a minus) as the
 * text of the file named by CLOCK_SHIFT says at each look. Other clocks go on as they are.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static long shift(void)
{
	const char *path = getenv("CLOCK_SHIFT");
	FILE *f = path ? fopen(path, "re") : NULL;
	long s = 0;

	if (!f)
		return 0;
	if (fscanf(f, "%ld", &s) != 1)
		s = 0;
	fclose(f);
	return s;
}

int clock_gettime(clockid_t which, struct timespec *ret)
{
	int (*real)(clockid_t, struct timespec *) =
		(int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
	int r = real(which, ret);

	if (which == CLOCK_REALTIME)
		ret->tv_sec += shift();
	return r;
}
