/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "request/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/cleanup.h"

#define READ_MIN 4096u
#define FD_IN_CHILD 3

struct child {
	struct ev_loop *loop;
	child_done *done;
	void *ctx;
	pid_t pid;
	int pidfd, out, say;
	ev_io ended, more;
	ev_timer late;
	bool too_much, too_late;
	char *data;
	size_t len, room, max;
};

int child_find(const char *const *beside, char ret[CHILD_PATH_MAX])
{
	char self[CHILD_PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	if (n < 0)
		return -errno;
	self[n] = '\0';
	slash = strrchr(self, '/');
	if (!slash)
		return -ENOENT;
	*slash = '\0';
	for (; *beside; beside++)
		if (snprintf(ret, CHILD_PATH_MAX, "%s/%s", self, *beside) < (int)CHILD_PATH_MAX &&
		    access(ret, X_OK) == 0)
			return 0;
	return -ENOENT;
}

/* ---- the process ---- */

static int input_of(const struct child_spec *s)
{
	_cleanup_close_ int fd = -1;
	size_t done = 0;

	if (!s->input)
		return open("/dev/null", O_RDONLY | O_CLOEXEC);
	fd = memfd_create("input", MFD_CLOEXEC);
	while (fd >= 0 && done < s->input_len) {
		ssize_t n = write(fd, (const char *)s->input + done, s->input_len - done);

		if (n < 0)
			return -1;
		done += (size_t)n;
	}
	if (fd < 0 || lseek(fd, 0, SEEK_SET) < 0)
		return -1;
	return steal_fd(&fd);
}

/* All that is open here is closed on exec; what is duplicated is what the child keeps. */
static int spawn_with(const char *const *argv, posix_spawn_file_actions_t *actions, posix_spawnattr_t *attr,
		      const int fds[FD_IN_CHILD + 1], pid_t *ret)
{
	static char *const no_environment[] = { NULL };
	sigset_t none, all;
	int r;

	sigemptyset(&none);
	sigfillset(&all);
	r = posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	r = r ? r : posix_spawnattr_setsigmask(attr, &none);
	r = r ? r : posix_spawnattr_setsigdefault(attr, &all);
	for (int i = 0; i <= FD_IN_CHILD && !r; i++)
		if (fds[i] >= 0)
			r = posix_spawn_file_actions_adddup2(actions, fds[i], i);
	return r ? -r : -posix_spawn(ret, argv[0], actions, attr, (char *const *)argv, no_environment);
}

static int spawn(const char *const *argv, const int fds[FD_IN_CHILD + 1], pid_t *ret)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	int r;

	if (posix_spawn_file_actions_init(&actions) != 0)
		return -ENOMEM;
	if (posix_spawnattr_init(&attr) != 0) {
		posix_spawn_file_actions_destroy(&actions);
		return -ENOMEM;
	}
	r = spawn_with(argv, &actions, &attr, fds, ret);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attr);
	return r;
}

/* ---- what comes of it ---- */

static void release(struct child *c)
{
	ev_io_stop(c->loop, &c->ended);
	ev_io_stop(c->loop, &c->more);
	ev_timer_stop(c->loop, &c->late);
	close(c->pidfd);
	close(c->out);
	close(c->say);
	free(c->data);
	free(c);
}

void child_cancel(struct child *c)
{
	if (!c)
		return;
	kill(c->pid, SIGKILL);
	waitpid(c->pid, NULL, 0);
	release(c);
}

static bool make_room(struct child *c)
{
	size_t room = c->room ? 2 * c->room : READ_MIN;
	char *data;

	if (c->len + 1 < c->room)
		return true;
	data = realloc(c->data, room);
	if (!data)
		return false;
	c->data = data;
	c->room = room;
	return true;
}

/* Reads what is there; false: no more is to come, or wanted. */
static bool read_out(struct child *c)
{
	for (;;) {
		ssize_t n;

		if (c->len > c->max || !make_room(c)) {
			c->too_much = true;
			kill(c->pid, SIGKILL);
			return false;
		}
		n = read(c->out, c->data + c->len, c->room - c->len - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return true;
		if (n <= 0)
			return false;
		c->len += (size_t)n;
	}
}

static void on_more(struct ev_loop *loop, ev_io *w, int events)
{
	(void)events;
	if (!read_out(w->data))
		ev_io_stop(loop, w);
}

static void on_late(struct ev_loop *loop, ev_timer *w, int events)
{
	struct child *c = w->data;

	(void)loop;
	(void)events;
	c->too_late = true;
	kill(c->pid, SIGKILL);
}

static void read_why(int fd, char why[CHILD_WHY_MAX])
{
	ssize_t n = read(fd, why, CHILD_WHY_MAX - 1);
	size_t len = 0;

	while (n > 0 && len < (size_t)n && why[len] >= ' ' && why[len] <= '~')
		len++;
	why[len] = '\0';
}

static void find_out(const struct child *c, struct child_result *ret)
{
	siginfo_t info = { 0 };

	ret->how = CHILD_KILLED;
	if (waitid(P_PID, (id_t)c->pid, &info, WEXITED) == 0 && info.si_code == CLD_EXITED) {
		ret->how = CHILD_EXITED;
		ret->status = info.si_status;
	}
	if (c->too_late)
		ret->how = CHILD_TOO_LATE;
	if (c->too_much)
		ret->how = CHILD_TOO_MUCH;
	read_why(c->say, ret->why);
}

static void on_ended(struct ev_loop *loop, ev_io *w, int events)
{
	struct child *c = w->data;
	struct child_result result = { 0 };

	(void)loop;
	(void)events;
	if (!c->too_much)
		(void)read_out(c);
	find_out(c, &result);
	if (c->data)
		c->data[c->len] = '\0';
	result.data = c->data;
	result.len = c->len;
	c->data = NULL;
	c->done(c->ctx, &result);
	release(c);
}

static void watch(struct child *c, unsigned int timeout_s)
{
	ev_io_init(&c->ended, on_ended, c->pidfd, EV_READ);
	ev_io_init(&c->more, on_more, c->out, EV_READ);
	ev_timer_init(&c->late, on_late, timeout_s, 0.);
	c->ended.data = c->more.data = c->late.data = c;
	ev_io_start(c->loop, &c->ended);
	ev_io_start(c->loop, &c->more);
	ev_timer_start(c->loop, &c->late);
}

static int start(struct child *c, const struct child_spec *spec, int out, int say)
{
	_cleanup_close_ int input = input_of(spec), given = -1;
	int fds[FD_IN_CHILD + 1] = { input, out, say, -1 };
	int e;

	if (input < 0)
		return -errno;
	/* Not one that it would have already, with its flag. */
	if (spec->fd >= 0) {
		given = fcntl(spec->fd, F_DUPFD_CLOEXEC, FD_IN_CHILD + 1);
		if (given < 0)
			return -errno;
		fds[FD_IN_CHILD] = given;
	}
	e = spawn(spec->argv, fds, &c->pid);
	if (e < 0)
		return e;
	c->pidfd = pidfd_open(c->pid, 0);
	if (c->pidfd >= 0)
		return 0;
	e = -errno;
	kill(c->pid, SIGKILL);
	waitpid(c->pid, NULL, 0);
	return e;
}

/* Takes the ends that are ours, unless it fails. */
static int start_with(struct child *c, const struct child_spec *spec, int out[2], int say[2])
{
	_cleanup_close_ int out0 = out[0], out1 = out[1], say0 = say[0], say1 = say[1];
	int r = fcntl(out0, F_SETFL, O_NONBLOCK) < 0 || fcntl(say0, F_SETFL, O_NONBLOCK) < 0
			? -errno
			: start(c, spec, out1, say1);

	if (r < 0)
		return r;
	c->out = steal_fd(&out0);
	c->say = steal_fd(&say0);
	return 0;
}

static int with_pipes(struct child *c, const struct child_spec *spec)
{
	int out[2], say[2];

	if (pipe2(out, O_CLOEXEC) < 0)
		return -errno;
	if (pipe2(say, O_CLOEXEC) < 0) {
		int r = -errno;

		close(out[0]);
		close(out[1]);
		return r;
	}
	return start_with(c, spec, out, say);
}

int child_start(struct ev_loop *loop, const struct child_spec *spec, child_done *done, void *ctx, struct child **ret)
{
	struct child *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return -ENOMEM;
	*c = (struct child){ .loop = loop, .done = done, .ctx = ctx, .max = spec->max };
	r = with_pipes(c, spec);
	if (r < 0) {
		free(c);
		return r;
	}
	watch(c, spec->timeout_s);
	*ret = c;
	return 0;
}
