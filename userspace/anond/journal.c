/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "anond/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/cleanup.h"

struct journal {
	char *path;
	int fd;
	size_t lines;
};

static int load_lines(struct journal *j, void (*load)(void *ctx, const json_t *line), void *ctx)
{
	_cleanup_close_ int fd = dup(j->fd);
	_cleanup_fclose_ FILE *f = NULL;
	_cleanup_free_ char *line = NULL;
	size_t cap = 0;
	off_t good = 0;
	ssize_t n;

	if (fd < 0 || !(f = fdopen(fd, "r")))
		return -errno;
	steal_fd(&fd); /* f owns it */
	while ((n = getline(&line, &cap, f)) > 0) {
		json_t *obj;

		if (line[n - 1] != '\n')
			break; /* torn by a crash */
		obj = json_loadb(line, (size_t)n, 0, NULL);
		if (!json_is_object(obj)) {
			json_decref(obj);
			return -EBADMSG;
		}
		load(ctx, obj);
		json_decref(obj);
		good += n;
		j->lines++;
	}
	if (ftruncate(j->fd, good) < 0)
		return -errno;
	return lseek(j->fd, good, SEEK_SET) < 0 ? -errno : 0;
}

int journal_open(const char *path, void (*load)(void *ctx, const json_t *line), void *ctx, struct journal **ret)
{
	struct journal *j = calloc(1, sizeof(*j));
	int r;

	if (!j)
		return -ENOMEM;
	j->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	j->path = strdup(path);
	if (j->fd < 0 || !j->path) {
		r = j->fd < 0 ? -errno : -ENOMEM;
		journal_close(j);
		return r;
	}
	r = load_lines(j, load, ctx);
	if (r < 0) {
		journal_close(j);
		return r;
	}
	*ret = j;
	return 0;
}

void journal_close(struct journal *j)
{
	if (!j)
		return;
	if (j->fd >= 0)
		close(j->fd);
	free(j->path);
	free(j);
}

static int write_all(int fd, const char *p, size_t len)
{
	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int journal_append(struct journal *j, json_t *line)
{
	_cleanup_free_ char *text = line ? json_dumps(line, JSON_COMPACT) : NULL;
	_cleanup_free_ char *full = NULL;
	int r;

	json_decref(line);
	if (!text || asprintf(&full, "%s\n", text) < 0)
		return -ENOMEM;
	r = write_all(j->fd, full, strlen(full));
	if (r == 0)
		j->lines++;
	return r;
}

int journal_compact(struct journal *j, size_t live, void (*dump)(void *ctx, struct journal *j), void *ctx)
{
	_cleanup_free_ char *temp = NULL;
	struct journal fresh = { .path = j->path };

	if (j->lines <= 2 * live + 256)
		return 0;
	if (asprintf(&temp, "%s.new", j->path) < 0)
		return -ENOMEM;
	fresh.fd = open(temp, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fresh.fd < 0)
		return -errno;
	dump(ctx, &fresh);
	if (fresh.lines < live || rename(temp, j->path) < 0) {
		int r = fresh.lines < live ? -EIO : -errno;

		close(fresh.fd);
		unlink(temp);
		return r;
	}
	close(j->fd);
	j->fd = fresh.fd;
	j->lines = fresh.lines;
	return 0;
}
