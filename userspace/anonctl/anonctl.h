/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdio.h>

/* Exit status, the same for every command; anonctl(1). */
enum {
	STATUS_OK = 0,
	STATUS_FAILED = 1,
	STATUS_USAGE = 2,
	STATUS_REFUSED = 3,	/* by the daemon or a relay, or a permission lacks */
	STATUS_UNREACHABLE = 4, /* daemon not running, no relay answered, time-out */
	STATUS_NO_FEATURE = 5,	/* the kernel or the host lacks something */
	STATUS_SILENT = 6,	/* probe: that relay does not answer (dirauth/prober.h knows it too) */
};

/* The whole program but for the process around it. Results go to out, sentences about failures to err. */
int anonctl_run(int argc, char **argv, FILE *out, FILE *err);
