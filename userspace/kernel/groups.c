/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/groups.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/magic.h>
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
 * At the opening of a socket: group = bpf_get_current_uid_gid() >> 32; if it is one of ours, mark it. That helper gives
 * the real group as the first user namespace numbers it.
 */
static int load_program(const uint32_t *groups, size_t n)
{
	struct bpf_insn code[USERS_MAX + 9];
	size_t len = 0;

	code[len++] = (struct bpf_insn){ BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_6, BPF_REG_1, 0, 0 };
	code[len++] = (struct bpf_insn){ BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_get_current_uid_gid };
	code[len++] = (struct bpf_insn){ BPF_ALU64 | BPF_RSH | BPF_K, BPF_REG_0, 0, 0, 32 };
	for (size_t i = 0; i < n; i++) /* over the others, and the two behind them */
		code[len++] = (struct bpf_insn){ BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_0, 0, (int16_t)(n - i + 1),
						 (int32_t)groups[i] };
	code[len++] = (struct bpf_insn){ BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 1 };
	code[len++] = (struct bpf_insn){ BPF_JMP | BPF_EXIT, 0, 0, 0, 0 };
	code[len++] = (struct bpf_insn){ BPF_ALU64 | BPF_OR | BPF_K, BPF_REG_0, 0, 0, MARK_GROUP_BASE };
	code[len++] = (struct bpf_insn){ BPF_STX | BPF_MEM | BPF_W, BPF_REG_6, BPF_REG_0,
					 offsetof(struct bpf_sock, mark), 0 };
	code[len++] = (struct bpf_insn){ BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 1 };
	code[len++] = (struct bpf_insn){ BPF_JMP | BPF_EXIT, 0, 0, 0, 0 };

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
	_cleanup_close_ int link = root < 0 ? -1 : bpf(BPF_LINK_CREATE, &create);

	if (root < 0)
		return -errno;
	if (link < 0)
		return link;
	union bpf_attr pin = { .pathname = (uintptr_t)LINK_PIN, .bpf_fd = (uint32_t)link };
	return bpf(BPF_OBJ_PIN, &pin);
}

static int install(int program)
{
	_cleanup_close_ int link = link_of_pin();

	if (link == -ENOENT)
		return link_make(program);
	return link < 0 ? link : link_replace(link, program);
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
