/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "anond/privilege.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "lib/cleanup.h"

static void cleanup_cap(cap_t *c)
{
	if (*c)
		cap_free(*c);
}

static int not_found(struct error *err, const char *what, const char *name)
{
	int r = errno ? -errno : -ENOENT;

	return error_set(err, r, "%s %s: %s", what, name, r == -ENOENT ? "there is none" : strerror(-r));
}

int account_find(const char *user, const char *group, struct account *ret, struct error *err)
{
	const struct passwd *pw;
	const struct group *gr;
	struct account a;

	errno = 0;
	pw = getpwnam(user);
	if (!pw)
		return not_found(err, "user", user);
	a = (struct account){ .uid = pw->pw_uid, .gid = pw->pw_gid };
	if (group) {
		errno = 0;
		gr = getgrnam(group);
		if (!gr)
			return not_found(err, "group", group);
		a.gid = gr->gr_gid;
	}
	*ret = a;
	return 0;
}

static int bound_to_net_admin(void)
{
	for (cap_value_t c = 0; cap_get_bound(c) >= 0; c++)
		if (c != CAP_NET_ADMIN && cap_drop_bound(c) < 0)
			return -errno;
	return 0;
}

static int keep_net_admin(void)
{
	_cleanup_(cleanup_cap) cap_t caps = cap_init();
	const cap_value_t only = CAP_NET_ADMIN;

	if (!caps)
		return -errno;
	if (cap_set_flag(caps, CAP_PERMITTED, 1, &only, CAP_SET) < 0 ||
	    cap_set_flag(caps, CAP_EFFECTIVE, 1, &only, CAP_SET) < 0 || cap_set_proc(caps) < 0)
		return -errno;
	return 0;
}

int privilege_drop(const struct account *to)
{
	int r = bound_to_net_admin();

	if (r < 0)
		return r;
	if (prctl(PR_SET_KEEPCAPS, 1L) < 0 || setgroups(0, NULL) < 0 || setresgid(to->gid, to->gid, to->gid) < 0 ||
	    setresuid(to->uid, to->uid, to->uid) < 0)
		return -errno;
	r = keep_net_admin();
	if (r < 0)
		return r;
	if (prctl(PR_SET_KEEPCAPS, 0L) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) < 0 ||
	    prctl(PR_SET_DUMPABLE, 0L) < 0)
		return -errno;
	return 0;
}
