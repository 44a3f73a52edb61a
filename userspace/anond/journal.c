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
	off_t size;   /* up to the end of the last whole line; what lies behind it counts for nothing */
	size_t lines; /* damaged ones too */
	size_t damaged;
	size_t retry; /* a compaction failed: not again before there are so many lines */
};

/* false: it is no JSON object. */
static bool load_line(const char *line, size_t len, void (*load)(void *ctx, const json_t *line), void *ctx)
{
	json_t *obj = json_loadb(line, len, 0, NULL);
	bool good = json_is_object(obj);

	if (good)
		load(ctx, obj);
	json_decref(obj);
	return good;
}

static int load_lines(struct journal *j, void (*load)(void *ctx, const json_t *line), void *ctx)
{
	_cleanup_close_ int fd = dup(j->fd);
	_cleanup_fclose_ FILE *f = NULL;
	_cleanup_free_ char *line = NULL;
	size_t cap = 0;
	ssize_t n;

	if (fd < 0 || !(f = fdopen(fd, "r")))
		return -errno;
	steal_fd(&fd); /* f owns it */
	while ((n = getline(&line, &cap, f)) > 0 && line[n - 1] == '\n') {
		if (!load_line(line, (size_t)n, load, ctx))
			j->damaged++;
		j->lines++;
		j->size += n;
	}
	if (ferror(f))
		return -EIO;
	return ftruncate(j->fd, j->size) < 0 ? -errno : 0; /* a line torn by a crash */
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

size_t journal_damaged(const struct journal *j)
{
	return j->damaged;
}

static int write_all(int fd, const char *p, size_t len, off_t at)
{
	while (len) {
		ssize_t n = pwrite(fd, p, len, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		p += n;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

int journal_append(struct journal *j, json_t *line)
{
	_cleanup_free_ char *text = line ? json_dumps(line, JSON_COMPACT) : NULL;
	_cleanup_free_ char *full = NULL;
	int len, r;

	json_decref(line);
	if (!text)
		return -ENOMEM;
	len = asprintf(&full, "%s\n", text);
	if (len < 0) {
		full = NULL;
		return -ENOMEM;
	}
	r = write_all(j->fd, full, (size_t)len, j->size);
	/* Were the rest of it to stay, the next line would be written over it: it has no end of line, so it is none. */
	if (r < 0)
		return ftruncate(j->fd, j->size) < 0 ? -EIO : r;
	j->size += len;
	j->lines++;
	return 0;
}

static int replace(struct journal *j, struct journal *fresh, const char *temp, size_t live,
		   void (*dump)(void *ctx, struct journal *j), void *ctx)
{
	fresh->fd = open(temp, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fresh->fd < 0)
		return -errno;
	dump(ctx, fresh);
	if (fresh->lines < live || rename(temp, j->path) < 0) {
		int r = fresh->lines < live ? -EIO : -errno;

		close(fresh->fd);
		unlink(temp);
		return r;
	}
	return 0;
}

int journal_compact(struct journal *j, size_t live, void (*dump)(void *ctx, struct journal *j), void *ctx)
{
	_cleanup_free_ char *temp = NULL;
	struct journal fresh = { .path = j->path };
	int r;

	if (j->lines <= 2 * live + 256 || j->lines < j->retry)
		return 0;
	if (asprintf(&temp, "%s.new", j->path) < 0) {
		temp = NULL;
		return -ENOMEM;
	}
	r = replace(j, &fresh, temp, live, dump, ctx);
	if (r < 0) {
		j->retry = 2 * j->lines;
		return r;
	}
	close(j->fd);
	*j = fresh;
	return 0;
}
