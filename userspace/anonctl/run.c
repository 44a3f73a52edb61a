/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A command in a network namespace of anon-own@.service, which has no way out but through circuits. */
#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "anonctl/command.h"

#define OWN_MAX 254 /* anon-own */

/*
 * Who looks up names for others asks outside of the network: in the command's own mounts nobody finds them. ($0 is the
 * network.) Where resolv.conf is a link to one of them it is put there again. A file of /etc/netns whose original is
 * replaced in /etc comes off; then only these are in the way.
 */
static const char cover[] =
	"for d in /run/nscd /run/systemd/resolve /run/avahi-daemon; do"
	"	mkdir -p $d && mount -t tmpfs own $d || exit 125; "
	"done; "
	"[ -e /etc/resolv.conf ] || cp /etc/netns/$0/resolv.conf $(readlink -m /etc/resolv.conf) || exit 125; "
	"exec \"$@\"";

/* ip netns exec NAME sh -c COVER NAME setpriv --reuid U --regid G --init-groups --inh-caps=-all -- */
#define WORDS_BEFORE 16

static int prepare(const struct call *call, const char *name)
{
	char path[64];

	if (geteuid() != 0)
		return call_fail(call, STATUS_REFUSED,
				 "a command is put into another network by root: sudo anonctl run");
	snprintf(path, sizeof(path), "/run/netns/%s", name);
	if (access(path, F_OK) < 0)
		return call_fail(call, STATUS_NO_FEATURE, "there is no network %s: systemctl start anon-own@%s", name,
				 name + strlen("own"));
	if (system("nft list table inet anon_own >/dev/null 2>&1") != 0)
		return call_fail(call, STATUS_NO_FEATURE,
				 "the rules that guard %s are gone: systemctl restart anon-own@%s", name,
				 name + strlen("own"));
	return STATUS_OK;
}

/* Who runs it: --user, or who called sudo. NULL: neither can be (*ret_status). */
static const struct passwd *runner(const struct call *call, int *ret_status)
{
	const struct arguments *a = call->args;
	const char *name = a->n_values[OPT_USER] ? a->values[OPT_USER][0] : getenv("SUDO_USER");
	const struct passwd *pw;

	*ret_status = STATUS_OK;
	pw = name ? getpwnam(name) : NULL;
	if (!name)
		*ret_status = call_fail(call, STATUS_USAGE, "as whom? Say --user, or call it by sudo");
	else if (!pw)
		*ret_status = call_fail(call, STATUS_USAGE, "there is no user %.64s", name);
	return pw;
}

static void be_at_home(const struct passwd *pw)
{
	setenv("HOME", pw->pw_dir, 1);
	setenv("USER", pw->pw_name, 1);
	setenv("LOGNAME", pw->pw_name, 1);
	setenv("SHELL", pw->pw_shell, 1);
}

static int become(const struct call *call, const char *name, const struct passwd *pw)
{
	const char **argv = calloc(call->n_operands + WORDS_BEFORE + 1, sizeof(*argv));
	char uid[16], gid[16];
	size_t n = 0;

	if (!argv)
		return call_fail(call, STATUS_FAILED, "out of memory");
	argv[n++] = "ip";
	argv[n++] = "netns";
	argv[n++] = "exec";
	argv[n++] = name;
	argv[n++] = "sh";
	argv[n++] = "-c";
	argv[n++] = cover;
	argv[n++] = name;
	be_at_home(pw);
	if (pw->pw_uid != 0) {
		snprintf(uid, sizeof(uid), "%u", pw->pw_uid);
		snprintf(gid, sizeof(gid), "%u", pw->pw_gid);
		argv[n++] = "setpriv";
		argv[n++] = "--reuid";
		argv[n++] = uid;
		argv[n++] = "--regid";
		argv[n++] = gid;
		argv[n++] = "--init-groups";
		argv[n++] = "--inh-caps=-all";
		argv[n++] = "--";
	}
	memcpy(argv + n, call->operands, call->n_operands * sizeof(*argv));
	execvp(argv[0], (char *const *)argv);
	free(argv);
	return call_fail(call, STATUS_NO_FEATURE, "cannot run ip: %s", strerror(errno));
}

int run_run(const struct call *call)
{
	const struct arguments *a = call->args;
	const struct passwd *pw;
	uint32_t number = 1;
	struct error err;
	char name[16];
	int status;

	if (a->n_values[OPT_USER] > 1)
		return call_fail(call, STATUS_USAGE, "--user: given twice");
	if (arguments_has(a, OPT_OWN) && arguments_number("--own", a->value[OPT_OWN], 1, OWN_MAX, &number, &err) < 0)
		return call_fail(call, STATUS_USAGE, "%s", err.text);
	snprintf(name, sizeof(name), "own%u", number);
	status = prepare(call, name);
	pw = status == STATUS_OK ? runner(call, &status) : NULL;
	return pw ? become(call, name, pw) : status;
}
