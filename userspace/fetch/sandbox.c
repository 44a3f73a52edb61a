/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fetch/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/capability.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "lib/cleanup.h"

#define OWN_SOCKET (STDERR_FILENO + 1)
#define DESCRIPTORS_MAX 16
#define MEMORY_BASE (UINT64_C(32) << 20) /* what libraries have and curl wants; on Debian 12 it is a quarter of it */

/* ---- privileges ---- */

static void cleanup_cap(cap_t *c)
{
	if (*c)
		cap_free(*c);
}

/* Only who has CAP_SETPCAP can; who has not is bound by no_new_privs. */
static int bounding_drop(void)
{
	for (cap_value_t c = 0; cap_get_bound(c) >= 0; c++)
		if (cap_drop_bound(c) < 0)
			return errno == EPERM ? 0 : -errno;
	return 0;
}

static int capabilities_drop(void)
{
	_cleanup_(cleanup_cap) cap_t none = cap_init();
	int r = bounding_drop();

	if (r < 0)
		return r;
	if (!none || cap_reset_ambient() < 0 || cap_set_proc(none) < 0)
		return -errno;
	return 0;
}

static int limit(int what, uint64_t value)
{
	const struct rlimit l = { (rlim_t)value, (rlim_t)value };

	return setrlimit((__rlimit_resource_t)what, &l) < 0 ? -errno : 0;
}

int sandbox_drop(void)
{
	int r;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) < 0)
		return -errno;
	r = capabilities_drop();
	if (r == 0)
		r = limit(RLIMIT_CORE, 0);
	if (r < 0)
		return r;
	/* A change of credentials would take the last one back. */
	if (prctl(PR_SET_DUMPABLE, 0L) < 0 || prctl(PR_SET_PDEATHSIG, (unsigned long)SIGKILL) < 0)
		return -errno;
	return clearenv() == 0 ? 0 : -ENOMEM;
}

/* ---- descriptors, limits ---- */

int sandbox_descriptors(int *socket)
{
	if (fcntl(STDOUT_FILENO, F_GETFD) < 0 || fcntl(STDERR_FILENO, F_GETFD) < 0)
		return -EBADF;
	if (*socket >= 0) {
		if (*socket != OWN_SOCKET && dup2(*socket, OWN_SOCKET) < 0)
			return -errno;
		*socket = OWN_SOCKET;
	}
	return close_range(*socket >= 0 ? OWN_SOCKET + 1 : OWN_SOCKET, UINT_MAX, 0) < 0 ? -errno : 0;
}

int sandbox_input(void)
{
	_cleanup_close_ int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0 || dup2(null, STDIN_FILENO) < 0)
		return -errno;
	if (null == STDIN_FILENO)
		steal_fd(&null);
	return 0;
}

int sandbox_limits(uint64_t output, uint64_t memory)
{
	off_t at = lseek(STDOUT_FILENO, 0, SEEK_CUR);
	int r = limit(RLIMIT_FSIZE, output + (at > 0 ? (uint64_t)at : 0));

	if (r == 0)
		r = limit(RLIMIT_DATA, MEMORY_BASE + memory);
	return r == 0 ? limit(RLIMIT_NOFILE, DESCRIPTORS_MAX) : r;
}

/* ---- system calls ---- */

/*
 * Without conditions. Each architecture has some of them; those of the clock are made where the vDSO has none. Not
 * fcntl() nor ioctl(), by which the kernel could be had to send signals to others.
 */
static const int free_calls[] = {
	SCMP_SYS(write),	 SCMP_SYS(recvfrom),
	SCMP_SYS(recv),		 SCMP_SYS(send),
	SCMP_SYS(poll),		 SCMP_SYS(ppoll),
	SCMP_SYS(ppoll_time64),	 SCMP_SYS(restart_syscall),
	SCMP_SYS(getsockopt),	 SCMP_SYS(close),
	SCMP_SYS(brk),		 SCMP_SYS(munmap),
	SCMP_SYS(mremap),	 SCMP_SYS(madvise),
	SCMP_SYS(futex),	 SCMP_SYS(futex_time64),
	SCMP_SYS(clock_gettime), SCMP_SYS(clock_gettime64),
	SCMP_SYS(gettimeofday),	 SCMP_SYS(time),
	SCMP_SYS(getrandom),	 SCMP_SYS(exit),
	SCMP_SYS(exit_group),
};

/* Which are allowed if one argument is as said. */
static const struct {
	int call;
	struct scmp_arg_cmp if_so;
} bound_calls[] = {
	{ SCMP_SYS(sendto), { 4, SCMP_CMP_EQ, 0, 0 } }, /* to the peer, to no address */
	{ SCMP_SYS(mmap), { 2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0 } },
	{ SCMP_SYS(mmap2), { 2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0 } },
	{ SCMP_SYS(mprotect), { 2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0 } },
};

static int rules_add(scmp_filter_ctx filter)
{
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(free_calls) && r == 0; i++)
		r = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, free_calls[i], 0, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(bound_calls) && r == 0; i++)
		r = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, bound_calls[i].call, 1, &bound_calls[i].if_so);
	return r;
}

int sandbox_seal(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
	int r;

	if (!filter)
		return -ENOMEM;
	r = rules_add(filter);
	if (r == 0)
		r = seccomp_load(filter);
	seccomp_release(filter);
	return r;
}
