/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "request/request.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
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

#define PROGRAM "anon-fetch"
#define WHY_MAX 200u
#define GRACE_S 5 /* beyond its own time-out */
#define READ_MIN 4096u
#define SOCKET_IN_CHILD 3

struct request {
	struct ev_loop *loop;
	request_done *done;
	void *ctx;
	pid_t pid;
	int pidfd, out, say;
	ev_io ended, more;
	ev_timer late;
	bool too_much, too_late;
	char *data;
	size_t len, room, max;
};

/* ---- the process ---- */

/* In the directory of this program as it is built, or in ../lib/anond from there. */
static int find_program(char ret[PATH_MAX])
{
	static const char *const beside[] = { "/" PROGRAM, "/../lib/anond/" PROGRAM };
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	if (n < 0)
		return -errno;
	self[n] = '\0';
	slash = strrchr(self, '/');
	if (!slash)
		return -ENOENT;
	*slash = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(beside); i++)
		if (snprintf(ret, PATH_MAX, "%s%s", self, beside[i]) < PATH_MAX && access(ret, X_OK) == 0)
			return 0;
	return -ENOENT;
}

#define ARGS_MAX 16
#define NUMBER_MAX 24

struct command {
	const char *v[ARGS_MAX];
	size_t n;
	char program[PATH_MAX], max[NUMBER_MAX], timeout[NUMBER_MAX];
};

static void add(struct command *c, const char *option, const char *value)
{
	c->v[c->n++] = option;
	if (value)
		c->v[c->n++] = value;
}

static int command_of(const struct request_spec *s, struct command *c)
{
	int r = 0;

	c->n = 0;
	if (s->program)
		r = snprintf(c->program, sizeof(c->program), "%s", s->program) < PATH_MAX ? 0 : -ENAMETOOLONG;
	else
		r = find_program(c->program);
	snprintf(c->max, sizeof(c->max), "%zu", s->max);
	snprintf(c->timeout, sizeof(c->timeout), "%u", s->timeout_s);
	add(c, c->program, NULL);
	add(c, "--max", c->max);
	add(c, "--timeout", c->timeout);
	if (s->zstd)
		add(c, "--zstd", NULL);
	if (s->input)
		add(c, s->post ? "--post" : "--prefix", "/dev/stdin");
	if (s->device)
		add(c, "--device", s->device);
	if (s->socket >= 0)
		add(c, "--socket", "3");
	add(c, s->url, NULL);
	c->v[c->n] = NULL;
	return r;
}

/* What the child's standard input is: the input, or nothing. */
static int input_of(const struct request_spec *s)
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

/* All that is open here is closed on exec; dup2 is what the child keeps. */
static int spawn(const struct command *c, const int fds[SOCKET_IN_CHILD + 1], pid_t *ret)
{
	static char *const no_environment[] = { NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none, all;
	int r;

	sigemptyset(&none);
	sigfillset(&all);
	if (posix_spawn_file_actions_init(&actions) != 0)
		return -ENOMEM;
	if (posix_spawnattr_init(&attr) != 0) {
		posix_spawn_file_actions_destroy(&actions);
		return -ENOMEM;
	}
	r = posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	r = r ? r : posix_spawnattr_setsigmask(&attr, &none);
	r = r ? r : posix_spawnattr_setsigdefault(&attr, &all);
	for (int i = 0; i <= SOCKET_IN_CHILD && !r; i++)
		if (fds[i] >= 0)
			r = posix_spawn_file_actions_adddup2(&actions, fds[i], i);
	r = r ? r : posix_spawn(ret, c->program, &actions, &attr, (char *const *)c->v, no_environment);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attr);
	return -r;
}

/* ---- what comes of it ---- */

static void release(struct request *r)
{
	ev_io_stop(r->loop, &r->ended);
	ev_io_stop(r->loop, &r->more);
	ev_timer_stop(r->loop, &r->late);
	close(r->pidfd);
	close(r->out);
	close(r->say);
	free(r->data);
	free(r);
}

void request_cancel(struct request *r)
{
	if (!r)
		return;
	kill(r->pid, SIGKILL);
	waitpid(r->pid, NULL, 0);
	release(r);
}

static bool make_room(struct request *r)
{
	size_t room = r->room ? 2 * r->room : READ_MIN;
	char *data;

	if (r->len + 1 < r->room)
		return true;
	data = realloc(r->data, room);
	if (!data)
		return false;
	r->data = data;
	r->room = room;
	return true;
}

/* Reads what is there; false: no more is to come, or wanted. */
static bool read_out(struct request *r)
{
	for (;;) {
		ssize_t n;

		if (r->len > r->max || !make_room(r)) {
			r->too_much = true;
			kill(r->pid, SIGKILL);
			return false;
		}
		n = read(r->out, r->data + r->len, r->room - r->len - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return true;
		if (n <= 0)
			return false;
		r->len += (size_t)n;
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
	struct request *r = w->data;

	(void)loop;
	(void)events;
	r->too_late = true;
	kill(r->pid, SIGKILL);
}

/* A line of printable characters. */
static void read_why(int fd, char why[WHY_MAX])
{
	ssize_t n = read(fd, why, WHY_MAX - 1);
	size_t len = 0;

	while (n > 0 && len < (size_t)n && why[len] >= ' ' && why[len] <= '~')
		len++;
	why[len] = '\0';
}

static enum fetch_status status_of(const struct request *r)
{
	siginfo_t info = { 0 };

	if (waitid(P_PID, (id_t)r->pid, &info, WEXITED) < 0)
		return FETCH_INTERNAL;
	if (r->too_much)
		return FETCH_CONTENT;
	if (r->too_late)
		return FETCH_NO_ANSWER;
	if (info.si_code != CLD_EXITED || info.si_status < FETCH_OK || info.si_status > FETCH_INTERNAL)
		return FETCH_INTERNAL;
	return (enum fetch_status)info.si_status;
}

static void on_ended(struct ev_loop *loop, ev_io *w, int events)
{
	struct request *r = w->data;
	struct request_result result = { 0 };
	char why[WHY_MAX];

	(void)loop;
	(void)events;
	if (!r->too_much)
		(void)read_out(r);
	result.status = status_of(r);
	read_why(r->say, why);
	result.why = why;
	if (r->data)
		r->data[r->len] = '\0';
	result.data = r->data;
	result.len = r->len;
	r->data = NULL;
	r->done(r->ctx, &result);
	release(r);
}

static void watch(struct request *r, unsigned int timeout_s)
{
	ev_io_init(&r->ended, on_ended, r->pidfd, EV_READ);
	ev_io_init(&r->more, on_more, r->out, EV_READ);
	ev_timer_init(&r->late, on_late, timeout_s + GRACE_S, 0.);
	r->ended.data = r->more.data = r->late.data = r;
	ev_io_start(r->loop, &r->ended);
	ev_io_start(r->loop, &r->more);
	ev_timer_start(r->loop, &r->late);
}

/* fds: of pipes, ours and the child's. */
static int start(struct request *r, const struct command *c, const struct request_spec *spec, const int out[2],
		 const int say[2])
{
	_cleanup_close_ int input = input_of(spec), sock = -1;
	int fds[SOCKET_IN_CHILD + 1] = { input, out[1], say[1], -1 };
	int e;

	if (input < 0)
		return -errno;
	/* Not what dup2 would leave as it is, with its flag. */
	if (spec->socket >= 0) {
		sock = fcntl(spec->socket, F_DUPFD_CLOEXEC, SOCKET_IN_CHILD + 1);
		if (sock < 0)
			return -errno;
		fds[SOCKET_IN_CHILD] = sock;
	}
	e = spawn(c, fds, &r->pid);
	if (e < 0)
		return e;
	r->pidfd = pidfd_open(r->pid, 0);
	if (r->pidfd < 0) {
		e = -errno;
		kill(r->pid, SIGKILL);
		waitpid(r->pid, NULL, 0);
	}
	return e;
}

int request_start(struct ev_loop *loop, const struct request_spec *spec, request_done *done, void *ctx,
		  struct request **ret)
{
	_cleanup_free_ struct request *r = calloc(1, sizeof(*r));
	_cleanup_close_ int out0 = -1, out1 = -1, say0 = -1, say1 = -1;
	int out[2], say[2], e;
	struct command c;

	if (!r)
		return -ENOMEM;
	e = command_of(spec, &c);
	if (e < 0)
		return e;
	if (pipe2(out, O_CLOEXEC) < 0)
		return -errno;
	out0 = out[0], out1 = out[1];
	if (pipe2(say, O_CLOEXEC) < 0)
		return -errno;
	say0 = say[0], say1 = say[1];
	if (fcntl(out0, F_SETFL, O_NONBLOCK) < 0 || fcntl(say0, F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	*r = (struct request){ .loop = loop, .done = done, .ctx = ctx, .max = spec->max };
	e = start(r, &c, spec, out, say);
	if (e < 0)
		return e;
	r->out = steal_fd(&out0);
	r->say = steal_fd(&say0);
	watch(r, spec->timeout_s);
	*ret = r;
	r = NULL;
	return 0;
}
