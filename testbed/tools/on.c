/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * on HOST CMD...: run CMD on a host of the topology (its network, mounts and name). It becomes the command by exec: the
 * pid of a background `on` is the pid of the command. A static program, for scenarios call it thousands of times, and
 * under emulation a shell and a dynamic nsenter cost twice what most commands do.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NOT_RUN 127

/* mnt last: the others are found in this one's /proc. */
static const char *const namespaces[] = { "net", "uts", "mnt" };
#define N_NAMESPACES (sizeof(namespaces) / sizeof(namespaces[0]))

static int complain(const char *what, const char *why)
{
	fprintf(stderr, "on: %s: %s\n", what, why);
	return NOT_RUN;
}

/* The process that holds a host's namespaces; 0: there is none. */
static long holder(const char *host)
{
	const char *bed = getenv("BED");
	char path[PATH_MAX];
	long pid = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/pid/%s", bed ? bed : "/tmp/anon-bed", host);
	f = fopen(path, "re");
	if (!f)
		return 0;
	if (fscanf(f, "%ld", &pid) != 1)
		pid = 0;
	fclose(f);
	return pid;
}

static int enter(long pid)
{
	int fds[N_NAMESPACES];
	char path[64];

	for (size_t i = 0; i < N_NAMESPACES; i++) {
		snprintf(path, sizeof(path), "/proc/%ld/ns/%s", pid, namespaces[i]);
		fds[i] = open(path, O_RDONLY | O_CLOEXEC);
		if (fds[i] < 0)
			return -errno;
	}
	for (size_t i = 0; i < N_NAMESPACES; i++)
		if (setns(fds[i], 0) < 0)
			return -errno;
	return 0;
}

int main(int argc, char **argv)
{
	char cwd[PATH_MAX];
	long pid;
	int r;

	if (argc < 3)
		return complain("usage", "on HOST CMD...");
	pid = holder(argv[1]);
	if (pid <= 0)
		return complain(argv[1], "no such host");
	if (!getcwd(cwd, sizeof(cwd)))
		return complain("working directory", strerror(errno));
	r = enter(pid);
	if (r < 0)
		return complain(argv[1], strerror(-r));
	if (chdir(cwd) < 0)
		return complain(cwd, strerror(errno));
	execvp(argv[2], argv + 2);
	r = errno;
	complain(argv[2], strerror(r));
	return r == ENOENT ? NOT_RUN : NOT_RUN - 1;
}
