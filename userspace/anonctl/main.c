/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <sodium.h>

#include "anonctl/anonctl.h"

int main(int argc, char **argv)
{
	int status;

	if (sodium_init() < 0) {
		fputs("anonctl: no source of randomness\n", stderr);
		return STATUS_FAILED;
	}
	status = anonctl_run(argc, argv, stdout, stderr);
	if (fflush(stdout) != 0 && status == STATUS_OK) {
		perror("anonctl: standard output");
		return STATUS_FAILED;
	}
	return status;
}
