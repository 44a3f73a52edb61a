/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/groups.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/magic.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "model/ids.h"
#include "model/selection.h"

#define BPF_DIRECTORY "/sys/fs/bpf"
#define LINK_PIN BPF_DIRECTORY "/anond-groups"
#define PROGRAM_NAME "anond_groups"

/* Alone, or beside the controllers of version 1. */
static const char *const cgroup_roots[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };

static int bpf(enum bpf_cmd cmd, union bpf_attr *attr)
{
	long r = syscall(SYS_bpf, cmd, attr, sizeof(*attr));

	return r < 0 ? -errno : (int)r;
}

static bool is_file_system(const char *path, unsigned long magic)
{
	struct statfs st;

	return statfs(path, &st) == 0 && (unsigned long)st.f_type == magic;
}

static const char *cgroup_root(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(cgroup_roots); i++)
		if (is_file_system(cgroup_roots[i], CGROUP2_SUPER_MAGIC))
			return cgroup_roots[i];
	return NULL;
}

/*
 * At the opening of a socket: group = bpf_get_current_uid_gid() >> 32; if it is one of ours, mark the socket. That
 * helper gives the real group as the first user namespace numbers it. Multipath TCP is refused (EPERM, programs go on
 * with TCP): the connections below such a socket are the kernel's own, and have its mark late or never
 * (mptcp_sockopt_sync).
 */
static int load_program(const uint32_t *groups, size_t n)
{
	const struct bpf_insn head[] = {
		{ BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_6, BPF_REG_1, 0, 0 },
		{ BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_get_current_uid_gid },
		{ BPF_ALU64 | BPF_RSH | BPF_K, BPF_REG_0, 0, 0, 32 },
	};
	const struct bpf_insn tail[] = {
		/* none of ours */
		{ BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 1 },
		{ BPF_JMP | BPF_EXIT, 0, 0, 0, 0 },
		/* one of ours */
		{ BPF_LDX | BPF_MEM | BPF_W, BPF_REG_1, BPF_REG_6, offsetof(struct bpf_sock, protocol), 0 },
		{ BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_1, 0, 4, IPPROTO_MPTCP },
		{ BPF_ALU64 | BPF_OR | BPF_K, BPF_REG_0, 0, 0, MARK_GROUP_BASE },
		{ BPF_STX | BPF_MEM | BPF_W, BPF_REG_6, BPF_REG_0, offsetof(struct bpf_sock, mark), 0 },
		{ BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 1 },
		{ BPF_JMP | BPF_EXIT, 0, 0, 0, 0 },
		/* refused */
		{ BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 0 },
		{ BPF_JMP | BPF_EXIT, 0, 0, 0, 0 },
	};
	struct bpf_insn code[ARRAY_SIZE(head) + USERS_MAX + ARRAY_SIZE(tail)];
	size_t len = ARRAY_SIZE(head);

	memcpy(code, head, sizeof(head));
	for (size_t i = 0; i < n; i++) /* over the others, and the two for none */
		code[len++] = (struct bpf_insn){ BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_0, 0, (int16_t)(n - i + 1),
						 (int32_t)groups[i] };
	memcpy(code + len, tail, sizeof(tail));
	len += ARRAY_SIZE(tail);

	union bpf_attr attr = {
		.prog_type = BPF_PROG_TYPE_CGROUP_SOCK,
		.expected_attach_type = BPF_CGROUP_INET_SOCK_CREATE,
		.insn_cnt = (uint32_t)len,
		.insns = (uintptr_t)code,
		.license = (uintptr_t) "GPL",
	};
	memcpy(attr.prog_name, PROGRAM_NAME, sizeof(PROGRAM_NAME));
	return bpf(BPF_PROG_LOAD, &attr);
}

static int link_of_pin(void)
{
	union bpf_attr attr = { .pathname = (uintptr_t)LINK_PIN };

	return bpf(BPF_OBJ_GET, &attr);
}

static int link_replace(int link, int program)
{
	union bpf_attr attr = { .link_update = { .link_fd = (uint32_t)link, .new_prog_fd = (uint32_t)program } };

	return bpf(BPF_LINK_UPDATE, &attr);
}

static int link_make(int program)
{
	_cleanup_close_ int root = open(cgroup_root(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	union bpf_attr create = { .link_create = { .prog_fd = (uint32_t)program,
						   .target_fd = (uint32_t)root,
						   .attach_type = BPF_CGROUP_INET_SOCK_CREATE } };
	_cleanup_close_ int link = -1;
	int r;

	if (root < 0)
		return -errno;
	link = bpf(BPF_LINK_CREATE, &create);
	if (link < 0)
		return link;
	r = kernel_groups_unmark(); /* in between both are there */
	if (r < 0)
		return r;
	union bpf_attr pin = { .pathname = (uintptr_t)LINK_PIN, .bpf_fd = (uint32_t)link };
	return bpf(BPF_OBJ_PIN, &pin);
}

/* What has our name and is no link, or one that somebody detached, gives way. */
static int install(int program)
{
	_cleanup_close_ int link = link_of_pin();
	int r = link < 0 ? link : link_replace(link, program);

	return r == -ENOENT || r == -ENOLINK || r == -EINVAL ? link_make(program) : r;
}

int kernel_groups_mark(const uint32_t *groups, size_t n, struct error *err)
{
	_cleanup_close_ int program = -1;
	int r;

	if (n == 0) {
		(void)kernel_groups_unmark(); /* a mark that nobody looks at does no harm */
		return 0;
	}
	if (n > USERS_MAX)
		return error_set(err, -EINVAL, "more than %d groups", USERS_MAX);
	if (!kernel_groups_possible())
		return error_set(err, -ENOENT,
				 "sockets of groups cannot be marked without control groups of version 2 at %s and the "
				 "BPF file system at " BPF_DIRECTORY,
				 cgroup_roots[0]);
	r = program = load_program(groups, n);
	if (r >= 0)
		r = install(program);
	return r < 0 ? error_set(err, r, "sockets of groups cannot be marked: %s", strerror(-r)) : 0;
}

int kernel_groups_unmark(void)
{
	return unlink(LINK_PIN) < 0 && errno != ENOENT && errno != ENOTDIR ? -errno : 0;
}

bool kernel_groups_possible(void)
{
	return cgroup_root() && is_file_system(BPF_DIRECTORY, BPF_FS_MAGIC);
}
