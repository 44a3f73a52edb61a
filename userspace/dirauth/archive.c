/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dirauth/archive.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "directory/file.h"
#include "lib/cleanup.h"

static int path_of(const char *dir, const char *name, uint64_t t, char ret[PATH_MAX], struct error *err)
{
	int n = t ? snprintf(ret, PATH_MAX, "%s/%s-%" PRIu64, dir, name, t)
		  : snprintf(ret, PATH_MAX, "%s/%s", dir, name);

	return n < PATH_MAX ? 0 : error_set(err, -ENAMETOOLONG, "%s: too long", dir);
}

int archive_save(const char *dir, const char *name, uint64_t t, const char *text, size_t len, struct error *err)
{
	char path[PATH_MAX];
	int r = path_of(dir, name, t, path, err);

	return r < 0 ? r : file_replace(path, text, len, 0640, err);
}

int archive_load(const char *dir, const char *name, uint64_t t, size_t max, char **ret, size_t *ret_len,
		 struct error *err)
{
	char path[PATH_MAX];
	int r = path_of(dir, name, t, path, err);

	if (r == 0)
		r = file_read(path, max, ret, ret_len, err);
	return r == -ENOENT ? 0 : r < 0 ? r : 1;
}

static bool time_of(const char *file, const char *name, uint64_t *ret)
{
	size_t len = strlen(name);
	char *end;

	if (strncmp(file, name, len) != 0 || file[len] != '-' || file[len + 1] < '1' || file[len + 1] > '9')
		return false;
	errno = 0;
	*ret = strtoull(file + len + 1, &end, 10);
	return errno == 0 && *end == '\0';
}

/* Keeps the newest, in order. */
static size_t insert(uint64_t v[ARCHIVE_TIMES_MAX], size_t n, uint64_t t)
{
	size_t i = n < ARCHIVE_TIMES_MAX ? n : n - 1;

	if (n == ARCHIVE_TIMES_MAX && v[n - 1] >= t)
		return n;
	for (; i > 0 && v[i - 1] < t; i--)
		v[i] = v[i - 1];
	v[i] = t;
	return n < ARCHIVE_TIMES_MAX ? n + 1 : n;
}

int archive_times(const char *dir, const char *name, uint64_t ret[ARCHIVE_TIMES_MAX], struct error *err)
{
	DIR *d = opendir(dir);
	const struct dirent *e;
	size_t n = 0;
	uint64_t t;

	if (!d)
		return error_set(err, -errno, "%s: %s", dir, strerror(errno));
	while ((e = readdir(d)))
		if (time_of(e->d_name, name, &t))
			n = insert(ret, n, t);
	closedir(d);
	return (int)n;
}

int archive_prune(const char *dir, const char *name, uint64_t before, struct error *err)
{
	DIR *d = opendir(dir);
	const struct dirent *e;
	uint64_t t;
	int r = 0;

	if (!d)
		return error_set(err, -errno, "%s: %s", dir, strerror(errno));
	while ((e = readdir(d)))
		if (time_of(e->d_name, name, &t) && t < before && unlinkat(dirfd(d), e->d_name, 0) < 0)
			r = error_set(err, -errno, "%s/%s: %s", dir, e->d_name, strerror(errno));
	closedir(d);
	return r;
}
