/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * anon-fetch: one HTTP request of the directory, in a process of its own, so that libcurl and zstd never run beside
 * privileges or keys. What is allowed shrinks step by step; the order stands in fetch().
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>

#include "directory/file.h"
#include "fetch/options.h"
#include "fetch/request.h"
#include "fetch/sandbox.h"
#include "fetch/socket.h"
#include "lib/cleanup.h"
#include "lib/version.h"

#define PROGRAM "anon-fetch: "
#define PREFIX_MAX (64u << 20) /* bytes: a consensus */
#define POST_MAX (1u << 20)    /* bytes: far more than a descriptor */

/* ---- standard output ---- */

static enum fetch_status put(void *ctx, const void *data, size_t len, struct error *err)
{
	struct pollfd out = { .fd = STDOUT_FILENO, .events = POLLOUT };
	const char *p = data;

	(void)ctx;
	while (len > 0) {
		ssize_t n = write(STDOUT_FILENO, p, len);

		if (n < 0 && errno == EAGAIN && poll(&out, 1, -1) >= 0)
			continue;
		if (n < 0 && errno != EINTR)
			return error_set(err, FETCH_INTERNAL, "standard output: %s", strerror(errno));
		if (n > 0) {
			p += n;
			len -= (size_t)n;
		}
	}
	return FETCH_OK;
}

/* ---- time ---- */

static void on_alarm(int sig)
{
	static const char text[] = PROGRAM "no whole answer: out of time\n";

	(void)sig;
	(void)!write(STDERR_FILENO, text, sizeof(text) - 1);
	_exit(FETCH_NO_ANSWER);
}

/* One clock for all of it: files, connection, decoding, and a reader who does not read. */
static int time_limit(unsigned int seconds)
{
	const struct sigaction act = { .sa_handler = on_alarm };
	sigset_t none;

	sigemptyset(&none);
	if (signal(SIGPIPE, SIG_IGN) == SIG_ERR || signal(SIGXFSZ, SIG_IGN) == SIG_ERR ||
	    sigaction(SIGALRM, &act, NULL) < 0 || sigprocmask(SIG_SETMASK, &none, NULL) < 0)
		return -errno;
	alarm(seconds);
	return 0;
}

/* ---- the parts of a request ---- */

struct job {
	char *prefix, *post;
	size_t prefix_len, post_len;
	struct content content;
	struct request *request;
	int fd;
};

static void job_clear(struct job *j)
{
	request_free(j->request);
	content_clear(&j->content);
	free(j->prefix);
	free(j->post);
}

#define _cleanup_job_ _cleanup_(job_clear)

static enum fetch_status setting_up(int r, struct error *err)
{
	return r < 0 ? error_set(err, FETCH_INTERNAL, "cannot give up what is not needed: %s", strerror(-r)) : FETCH_OK;
}

static enum fetch_status confine(struct options *o, struct error *err)
{
	int r = sandbox_descriptors(&o->socket);

	if (r == -EBADF)
		return error_set(err, FETCH_USAGE, "standard output or --socket is not open");
	if (r == 0)
		r = time_limit(o->timeout);
	if (r == 0)
		r = sandbox_limits(o->max, (o->prefix ? PREFIX_MAX : 0) + (o->zstd ? FRAME_MEMORY : 0));
	return setting_up(r, err);
}

static enum fetch_status read_files(const struct options *o, struct job *j, struct error *err)
{
	if ((o->prefix && file_read(o->prefix, PREFIX_MAX, &j->prefix, &j->prefix_len, err) < 0) ||
	    (o->post && file_read(o->post, POST_MAX, &j->post, &j->post_len, err) < 0))
		return FETCH_USAGE;
	return FETCH_OK;
}

static enum fetch_status prepare(const struct options *o, struct job *j, struct error *err)
{
	const struct sink out = { put, NULL, o->max };
	enum fetch_status st = FETCH_OK;
	struct frame *frame = NULL;

	if (o->zstd)
		st = frame_new(j->prefix, j->prefix_len, &frame, err);
	if (st != FETCH_OK)
		return st;
	j->content = content_of(frame, &out);
	return request_new(o->url, &o->where, j->post, j->post_len, o->post ? 0 : j->content.left, &j->request, err);
}

static enum fetch_status perform(const struct options *o, struct job *j, struct error *err)
{
	struct response response = o->post ? response_to_post() : response_to_get(&j->content);
	enum fetch_status st = request_run(j->request, j->fd, &response, err);
	size_t len = response.line.len < o->max ? response.line.len : (size_t)o->max;
	enum fetch_status out = put(NULL, response.line.text, len, err);

	return out != FETCH_OK ? out : st;
}

/* Nothing of a stranger is read before the last step, which gives up all that is left when it is connected. */
static enum fetch_status fetch(struct options *o, struct error *err)
{
	_cleanup_job_ struct job j = { .fd = -1 };
	enum fetch_status st = confine(o, err);

	if (st == FETCH_OK)
		st = read_files(o, &j, err);
	if (st == FETCH_OK)
		st = setting_up(sandbox_input(), err);
	if (st == FETCH_OK)
		st = prepare(o, &j, err);
	if (st == FETCH_OK)
		st = socket_take(&o->where, o->socket, o->device, &j.fd, err);
	return st == FETCH_OK ? perform(o, &j, err) : st;
}

int main(int argc, char **argv)
{
	struct error err = { "" };
	struct options o = { .socket = -1 };
	enum fetch_status st = setting_up(sandbox_drop(), &err);

	if (st == FETCH_OK && options_parse(argc, argv, &o, &err) < 0)
		st = FETCH_USAGE;
	else if (st == FETCH_OK && o.help)
		fputs(options_usage, stdout);
	else if (st == FETCH_OK && o.version)
		puts("anon-fetch " ANON_VERSION);
	else if (st == FETCH_OK)
		st = fetch(&o, &err);
	if (st != FETCH_OK)
		fprintf(stderr, PROGRAM "%s\n", err.text);
	return st;
}
