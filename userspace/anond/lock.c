/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "anond/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>

#include "lib/cleanup.h"

int lock_take(const char *run, int *ret_fd, struct error *err)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_close_ int fd = -1;

	if (asprintf(&path, "%s/lock", run) < 0) {
		path = NULL;
		return error_set(err, -ENOMEM, "out of memory");
	}
	/* The file stays when we end: who removed it could take away the name of another one's lock. */
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return error_set(err, -errno, "%s: %s", path, strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? error_set(err, -EWOULDBLOCK, "another anond is running (%s)", path)
					    : error_set(err, -errno, "%s: %s", path, strerror(errno));
	*ret_fd = steal_fd(&fd);
	return 0;
}
