/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <getopt.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dirauth/authority.h"
#include "directory/keys.h"
#include "lib/cleanup.h"
#include "lib/log.h"
#include "lib/secmem.h"
#include "lib/version.h"

/* As anond: what another start cannot mend is 2. */
enum { STATUS_OK = 0, STATUS_FAILED = 1, STATUS_WRONG = 2 };
#define BACKLOG 128

static const char usage[] = "usage: anon-dirauth [--config FILE] [--check]\n"
			    "  --config FILE   instead of " DIRAUTH_CONFIG_FILE "\n"
			    "  --check         read configuration and key, say what is wrong, end\n"
			    "  --help-config   every option of the configuration\n"
			    "  --version\n"
			    "  --help\n";

struct program {
	struct ev_loop *loop;
	struct dirauth_config *conf;
	uint8_t *seed; /* secmem */
	int fds[LISTEN_MAX];
	struct authority *authority;
	struct gate *gate;
	struct http *http[LISTEN_MAX];
	ev_signal term, interrupt, hangup;
};

static int listen_at(const struct sockaddr_in6 *at, struct error *err)
{
	_cleanup_close_ int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int yes = 1, no = 0;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) < 0 ||
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof(no)) < 0 ||
	    bind(fd, (const struct sockaddr *)at, sizeof(*at)) < 0 || listen(fd, BACKLOG) < 0)
		return error_set(err, -errno, "listen: %s", strerror(errno));
	return steal_fd(&fd);
}

static int open_sockets(struct program *p, struct error *err)
{
	for (size_t i = 0; i < p->conf->n_listen; i++) {
		p->fds[i] = listen_at(&p->conf->listen[i], err);
		if (p->fds[i] < 0)
			return p->fds[i];
	}
	return 0;
}

/* Nothing that it does needs any privilege. */
static int become(const char *user, struct error *err)
{
	const struct passwd *pw;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return error_set(err, -errno, "no_new_privs: %s", strerror(errno));
	if (geteuid() != 0)
		return 0;
	pw = getpwnam(user);
	if (!pw || pw->pw_uid == 0)
		return error_set(err, -ENOENT, "user %s: there is none, or it is root", user);
	/* Its groups too: by one of them it may ask the anond beside it to probe. */
	if (initgroups(user, pw->pw_gid) < 0 || setgid(pw->pw_gid) < 0 || setuid(pw->pw_uid) < 0)
		return error_set(err, -errno, "user %s: %s", user, strerror(errno));
	return 0;
}

static int serve(struct program *p, struct error *err)
{
	p->gate = gate_new(&p->conf->authorities);
	if (!p->gate)
		return error_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < p->conf->n_listen; i++) {
		int r = http_new(p->loop, p->fds[i], &authority_http_ops, p->authority, p->gate, &p->http[i]);

		if (r < 0)
			return error_set(err, r, "HTTP: %s", strerror(-r));
		p->fds[i] = -1;
	}
	return 0;
}

static void on_end(struct ev_loop *loop, ev_signal *w, int events)
{
	(void)w;
	(void)events;
	ev_break(loop, EVBREAK_ALL);
}

static void on_hangup(struct ev_loop *loop, ev_signal *w, int events)
{
	(void)loop;
	(void)events;
	authority_reload(w->data);
}

static void watch_signals(struct program *p)
{
	signal(SIGPIPE, SIG_IGN);
	ev_signal_init(&p->term, on_end, SIGTERM);
	ev_signal_init(&p->interrupt, on_end, SIGINT);
	ev_signal_init(&p->hangup, on_hangup, SIGHUP);
	p->hangup.data = p->authority;
	ev_signal_start(p->loop, &p->term);
	ev_signal_start(p->loop, &p->interrupt);
	ev_signal_start(p->loop, &p->hangup);
}

static int run(struct program *p, struct error *err)
{
	int r = open_sockets(p, err);

	if (r == 0)
		r = become(p->conf->user, err);
	p->loop = ev_loop_new(EVFLAG_AUTO);
	if (r == 0 && !p->loop)
		r = error_set(err, -ENOMEM, "no event loop");
	if (r == 0)
		r = authority_new(p->loop, p->conf, p->seed, &p->authority, err);
	if (r == 0)
		r = serve(p, err);
	if (r < 0)
		return r;
	watch_signals(p);
	log_notice("anon-dirauth %s: one of %zu authorities, a consensus each %u s", ANON_VERSION,
		   p->conf->authorities.n_keys, p->conf->interval);
	ev_run(p->loop, 0);
	return 0;
}

static void end(struct program *p)
{
	for (size_t i = 0; i < LISTEN_MAX; i++) {
		http_free(p->http[i]);
		if (p->fds[i] >= 0)
			close(p->fds[i]);
	}
	gate_free(p->gate);
	authority_free(p->authority);
	if (p->loop)
		ev_loop_destroy(p->loop);
	secmem_free(p->seed);
	dirauth_config_free(p->conf);
}

static int load(struct program *p, const char *path, struct error *err)
{
	int r = dirauth_config_load(path, &p->conf, err);

	if (r < 0)
		return r;
	log_set_level(p->conf->log_level);
	return authority_key_load(p->conf->key, &p->seed, err);
}

/* -1: go on. */
static int options(int argc, char **argv, const char **ret_config, bool *ret_check)
{
	static const struct option longs[] = {
		{ "config", required_argument, NULL, 'c' }, { "check", no_argument, NULL, 'k' },
		{ "help-config", no_argument, NULL, 'o' },  { "version", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },	    { 0 }
	};
	int o;

	while ((o = getopt_long(argc, argv, "", longs, NULL)) >= 0)
		switch (o) {
		case 'c':
			*ret_config = optarg;
			break;
		case 'k':
			*ret_check = true;
			break;
		case 'o':
			return dirauth_config_help(stdout) < 0 ? STATUS_FAILED : STATUS_OK;
		case 'v':
			puts("anon-dirauth " ANON_VERSION);
			return STATUS_OK;
		case 'h':
			fputs(usage, stdout);
			return STATUS_OK;
		default:
			fputs(usage, stderr);
			return STATUS_WRONG;
		}
	if (optind == argc)
		return -1;
	fputs(usage, stderr);
	return STATUS_WRONG;
}

int main(int argc, char **argv)
{
	const struct rlimit no_core = { 0, 0 };
	struct program p = { 0 };
	const char *config = DIRAUTH_CONFIG_FILE;
	struct error err = { "" };
	bool check = false;
	int status = options(argc, argv, &config, &check);

	if (status >= 0)
		return status;
	memset(p.fds, -1, sizeof(p.fds));
	setrlimit(RLIMIT_CORE, &no_core);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	if (sodium_init() < 0 || load(&p, config, &err) < 0) {
		log_err("%s", err.text);
		status = STATUS_WRONG;
	} else if (check) {
		status = STATUS_OK;
	} else if (run(&p, &err) < 0) {
		log_err("%s", err.text);
		status = STATUS_FAILED;
	} else {
		status = STATUS_OK;
	}
	end(&p);
	return status;
}
