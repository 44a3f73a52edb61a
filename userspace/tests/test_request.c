/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests by a process of its own: stand-ins for anon-fetch that answer, fail, hang, and say too much. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "request/request.h"

struct seen {
	struct ev_loop *loop;
	int calls;
	enum fetch_status status;
	char *data;
	size_t len;
	char why[256];
};

static void on_done(void *ctx, const struct request_result *r)
{
	struct seen *s = ctx;

	s->calls++;
	s->status = r->status;
	s->data = r->data;
	s->len = r->len;
	snprintf(s->why, sizeof(s->why), "%s", r->why);
	ev_break(s->loop, EVBREAK_ALL);
}

static void on_too_long(struct ev_loop *loop, ev_timer *w, int events)
{
	(void)w;
	(void)events;
	ev_break(loop, EVBREAK_ALL);
}

static char dir[] = "/tmp/request-XXXXXX", program[64];

static int setup(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	snprintf(program, sizeof(program), "%s/fetch", dir);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unlink(program);
	return rmdir(dir);
}

/* A program that does what the shell text says. */
static void stand_in(const char *text)
{
	int fd = open(program, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);

	assert_true(fd >= 0);
	dprintf(fd, "#!/bin/sh\n%s\n", text);
	close(fd);
}

static struct request_spec spec_of(void)
{
	return (struct request_spec){
		.program = program, .url = "http://192.0.2.1:80/x", .max = 100000, .socket = -1, .timeout_s = 5
	};
}

static struct seen run(const struct request_spec *spec)
{
	struct seen s = { .loop = ev_loop_new(0) };
	struct request *r = NULL;
	ev_timer late;

	assert_int_equal(request_start(s.loop, spec, on_done, &s, &r), 0);
	ev_timer_init(&late, on_too_long, 20., 0.);
	ev_timer_start(s.loop, &late);
	ev_run(s.loop, 0);
	ev_loop_destroy(s.loop);
	assert_int_equal(s.calls, 1);
	return s;
}

static void answers(void **state)
{
	struct request_spec q = spec_of();
	struct seen s;

	(void)state;
	stand_in("echo \"$@\"; env; cat; ls -l /proc/$$/fd | grep -c ' [0-9]* -> '");
	q.zstd = true;
	q.device = "anon1";
	s = run(&q);
	assert_int_equal(s.status, FETCH_OK);
	/* Its arguments; an environment with nothing but what the shell makes; an empty input. */
	assert_non_null(strstr(s.data, "--max 100000 --timeout 5 --zstd --device anon1 http://192.0.2.1:80/x\n"));
	assert_null(strstr(s.data, "HOME="));
	assert_null(strstr(s.data, "PATH="));
	assert_int_equal(strlen(s.data), s.len);
	free(s.data);
}

static void has_what_it_is_given(void **state)
{
	struct request_spec q = spec_of();
	static char input[70000];
	struct seen s;
	int secret = open("/etc/passwd", O_RDONLY | O_CLOEXEC), sock = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)state;
	memset(input, 'x', sizeof(input));
	stand_in("cat /dev/stdin | wc -c; readlink /proc/$$/fd/3; [ -e /proc/$$/fd/4 ] && echo more; echo $*");
	q.input = input;
	q.input_len = sizeof(input);
	q.socket = sock;
	s = run(&q);
	assert_int_equal(s.status, FETCH_OK);
	assert_int_equal(atoi(s.data), sizeof(input));
	assert_non_null(strstr(s.data, "socket:["));
	assert_null(strstr(s.data, "more"));
	assert_non_null(strstr(s.data, "--prefix /proc/self/fd/0 --socket 3 http"));
	free(s.data);
	q.post = true;
	s = run(&q);
	assert_non_null(strstr(s.data, "--post /proc/self/fd/0 --socket 3 http"));
	free(s.data);
	close(secret);
	close(sock);
}

static void failures(void **state)
{
	struct request_spec q = spec_of();
	struct seen s;

	(void)state;
	stand_in("echo part; printf 'no connection\\nand more\\033' >&2; exit 2");
	s = run(&q);
	assert_int_equal(s.status, FETCH_NO_ANSWER);
	assert_string_equal(s.why, "no connection");
	free(s.data);
	stand_in("kill -SEGV $$");
	s = run(&q);
	assert_int_equal(s.status, FETCH_INTERNAL);
	free(s.data);
	stand_in("exit 99");
	s = run(&q);
	assert_int_equal(s.status, FETCH_INTERNAL);
	free(s.data);
	q.program = "/nonexistent";
	assert_true(request_start(EV_DEFAULT, &q, on_done, &s, &(struct request *){ NULL }) < 0);
}

static void limits(void **state)
{
	struct request_spec q = spec_of();
	struct seen s;

	(void)state;
	q.max = 10;
	stand_in("printf 0123456789");
	s = run(&q);
	assert_int_equal(s.status, FETCH_OK);
	assert_int_equal(s.len, 10);
	free(s.data);
	stand_in("printf 0123456789a");
	s = run(&q);
	assert_int_equal(s.status, FETCH_CONTENT);
	free(s.data);
	stand_in("exec cat /dev/zero");
	q.max = 1000000;
	s = run(&q);
	assert_int_equal(s.status, FETCH_CONTENT);
	free(s.data);
	/* One that does not keep its own time-out. */
	q.timeout_s = 0;
	stand_in("exec sleep 60");
	s = run(&q);
	assert_int_equal(s.status, FETCH_NO_ANSWER);
	free(s.data);
}

static void cancelled(void **state)
{
	struct request_spec q = spec_of();
	struct seen s = { .loop = ev_loop_new(0) };
	struct request *r = NULL;

	(void)state;
	stand_in("exec sleep 60");
	assert_int_equal(request_start(s.loop, &q, on_done, &s, &r), 0);
	request_cancel(r);
	request_cancel(NULL);
	ev_run(s.loop, EVRUN_NOWAIT);
	assert_int_equal(s.calls, 0);
	ev_loop_destroy(s.loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers),   cmocka_unit_test(has_what_it_is_given),
		cmocka_unit_test(failures),  cmocka_unit_test(limits),
		cmocka_unit_test(cancelled),
	};

	return cmocka_run_group_tests_name("request", tests, setup, teardown);
}
