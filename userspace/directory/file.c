/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "directory/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"

int file_read_fd(int fd, void *buf, size_t cap, size_t *ret_len)
{
	size_t len = 0;
	char more;

	for (;;) {
		ssize_t n = len < cap ? read(fd, (uint8_t *)buf + len, cap - len) : read(fd, &more, 1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		if (len == cap)
			return -EFBIG;
		len += (size_t)n;
	}
	*ret_len = len;
	return 0;
}

int file_read(const char *path, size_t max, char **ret, size_t *ret_len, struct error *err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	_cleanup_free_ char *buf = NULL;
	struct stat st;
	size_t len = 0, cap;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return error_set(err, -errno, "%s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return error_set(err, -EINVAL, "%s: not a regular file", path);
	if (st.st_size < 0 || (uintmax_t)st.st_size > max)
		return error_set(err, -EFBIG, "%s: larger than %zu bytes", path, max);
	cap = (size_t)st.st_size;
	buf = malloc(cap + 1);
	if (!buf)
		return error_set(err, -ENOMEM, "%s: out of memory", path);
	r = file_read_fd(fd, buf, cap, &len);
	if (r == -EFBIG)
		return error_set(err, -EAGAIN, "%s: it grew while it was read", path);
	if (r < 0)
		return error_set(err, r, "%s: %s", path, strerror(-r));
	buf[len] = '\0';
	*ret = buf;
	buf = NULL;
	*ret_len = len;
	return 0;
}

int file_read_secret(int dir, const char *name, int flags, const char *shown, void *buf, size_t cap, size_t *ret_len,
		     struct error *err)
{
	_cleanup_close_ int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | flags);
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return error_set(err, -errno, "%s: %s", shown, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return error_set(err, -EINVAL, "%s: not a regular file", shown);
	if (st.st_mode & 077)
		return error_set(err, -EACCES, "%s: others than its owner may read or write it; chmod go-rwx", shown);
	r = file_read_fd(fd, buf, cap, ret_len);
	return r < 0 ? error_set(err, r, "%s: %s", shown, strerror(-r)) : 0;
}

static int write_all(int fd, const uint8_t *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data += n;
		len -= (size_t)n;
	}
	return fsync(fd) < 0 ? -errno : 0;
}

/* A name is on the disk only when its directory is. */
static int sync_parent(const char *path)
{
	const char *slash = strrchr(path, '/');
	size_t len = slash ? (size_t)(slash - path) : 1;
	_cleanup_close_ int fd = -1;
	char dir[PATH_MAX];

	if (len >= sizeof(dir))
		return -ENAMETOOLONG;
	memcpy(dir, slash ? path : ".", len);
	dir[len] = '\0';
	fd = open(len ? dir : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

int file_create(const char *path, const void *data, size_t len, mode_t mode, struct error *err)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	int r;

	if (fd < 0)
		return error_set(err, -errno, "%s: %s", path, strerror(errno));
	r = write_all(fd, data, len);
	if (r == 0)
		r = sync_parent(path);
	if (r < 0) {
		unlink(path);
		return error_set(err, r, "%s: %s", path, strerror(-r));
	}
	return 0;
}

int file_replace(const char *path, const void *data, size_t len, mode_t mode, struct error *err)
{
	_cleanup_free_ char *tmp = NULL;
	_cleanup_close_ int fd = -1;
	int r;

	if (asprintf(&tmp, "%s.XXXXXX", path) < 0) {
		tmp = NULL;
		return error_set(err, -ENOMEM, "%s: out of memory", path);
	}
	fd = mkostemp(tmp, O_CLOEXEC);
	if (fd < 0)
		return error_set(err, -errno, "%s: %s", path, strerror(errno));
	r = fchmod(fd, mode) < 0 ? -errno : write_all(fd, data, len);
	if (r == 0 && rename(tmp, path) < 0)
		r = -errno;
	if (r < 0) {
		unlink(tmp);
		return error_set(err, r, "%s: %s", path, strerror(-r));
	}
	r = sync_parent(path);
	return r < 0 ? error_set(err, r, "%s: %s", path, strerror(-r)) : 0;
}

static int overwrite(int fd, off_t size)
{
	static const uint8_t zeros[FILE_SECRET_MAX];

	return write_all(fd, zeros, size < (off_t)sizeof(zeros) ? (size_t)size : sizeof(zeros));
}

int file_wipe(const char *path, struct error *err)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	int r;

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0 || fstat(fd, &st) < 0)
		return error_set(err, -errno, "%s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return error_set(err, -EINVAL, "%s: not a regular file", path);
	r = st.st_nlink == 1 ? overwrite(fd, st.st_size) : 0;
	if (r == 0 && unlink(path) < 0)
		r = -errno;
	if (r == 0)
		r = sync_parent(path);
	return r < 0 ? error_set(err, r, "%s: %s", path, strerror(-r)) : 0;
}

static int wipe_beside(const char *path, const char *suffix, struct error *err)
{
	_cleanup_free_ char *beside = NULL;

	if (asprintf(&beside, "%s%s", path, suffix) < 0) {
		beside = NULL;
		return error_set(err, -ENOMEM, "%s: out of memory", path);
	}
	return file_wipe(beside, err);
}

int file_wipe_rest(const char *path, struct error *err)
{
	int r = wipe_beside(path, ".new", err);

	return r < 0 ? r : wipe_beside(path, ".old", err);
}

/* The old keeps a name, .old, until it is overwritten: so a crash between leaves it where it is found. */
static int exchange(const char *path, const char *fresh, struct error *err)
{
	_cleanup_free_ char *old = NULL;
	int r = 0;

	if (asprintf(&old, "%s.old", path) < 0) {
		old = NULL;
		return error_set(err, -ENOMEM, "%s: out of memory", path);
	}
	if (link(path, old) < 0 && errno != ENOENT)
		r = -errno;
	if (r == 0 && rename(fresh, path) < 0)
		r = -errno;
	if (r == 0)
		r = sync_parent(path);
	return r < 0 ? error_set(err, r, "%s: %s", path, strerror(-r)) : 0;
}

static int write_fresh(const char *fresh, const void *data, size_t len, struct error *err)
{
	_cleanup_close_ int fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	int r = fd < 0 ? -errno : write_all(fd, data, len);

	return r < 0 ? error_set(err, r, "%s: %s", fresh, strerror(-r)) : 0;
}

int file_replace_secret(const char *path, const void *data, size_t len, struct error *err)
{
	_cleanup_free_ char *fresh = NULL;
	int r = len > FILE_SECRET_MAX ? error_set(err, -EFBIG, "%s: too large", path) : file_wipe_rest(path, err);

	if (r < 0)
		return r;
	if (asprintf(&fresh, "%s.new", path) < 0) {
		fresh = NULL;
		return error_set(err, -ENOMEM, "%s: out of memory", path);
	}
	r = write_fresh(fresh, data, len, err);
	if (r == 0)
		r = exchange(path, fresh, err);
	if (r < 0) {
		file_wipe_rest(path, NULL);
		return r;
	}
	return file_wipe_rest(path, err);
}
