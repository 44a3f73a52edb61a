/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Start and stop of the daemon; the order matters and stands in start(). */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <sodium.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "anond/daemon.h"
#include "anond/dir_self.h"
#include "anond/guards_file.h"
#include "anond/lock.h"
#include "anond/newest.h"
#include "anond/privilege.h"
#include "anond/selections.h"
#include "kernel/groups.h"
#include "kernel/probe.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/reply.h"
#include "model/lan.h"
#include "plan/plan.h"

#define EXIT_CONFIG 2  /* wrong arguments or configuration: do not restart */
#define EXIT_DRAINED 3 /* `anonctl drain` came to its end: do not restart */
#define REPAIR_DELAY_S 1.
#define FAREWELL_S 0.2
#define CHANGED_DELAY_S 0.5 /* changes of the network come in numbers */
#define CHANGED_EVERY_S 10. /* and may never end: at most so often */

static const char usage[] = "usage: anond [--config FILE] [--check | --block | --flush | --help-config | --version]\n"
			    "  --config FILE   default " CONFIG_FILE "\n"
			    "  --check         read configuration, keys and network file, say what is wrong, end\n"
			    "  --block         put the kill switches of what is to be protected into the kernel, end\n"
			    "  --flush         remove everything of anond from the kernel, kill switches too, end\n"
			    "  --help-config   list every option of the configuration with its default\n";

/* ---- kernel events ---- */

static void on_sa(void *ctx, uint32_t reqid, uint32_t spi, bool hard)
{
	struct daemon *d = ctx;

	if (!hard)
		return;
	if (d->client)
		client_role_sa_gone(d->client, reqid, spi);
	else
		relay_role_sa_gone(d->relay, reqid, spi);
}

/* A little later, for changes come in numbers; not later and later, for somebody may never stop. */
static void repair_soon(struct daemon *d)
{
	if (!ev_is_active(&d->repair))
		ev_timer_start(d->loop, &d->repair);
}

static void on_repair(struct ev_loop *loop, ev_timer *w, int events)
{
	struct daemon *d = w->data;
	size_t n = d->client ? client_role_repair(d->client) : relay_role_repair(d->relay);

	(void)loop;
	(void)events;
	if (n)
		log_warn("somebody took %zu of our objects out of the kernel; they were made again", n);
	ev_timer_set(&d->repair, REPAIR_DELAY_S, 0.);
}

static void on_tampered(void *ctx)
{
	repair_soon(ctx);
}

static void devices_forget(struct daemon *d)
{
	struct device *dev, *next;

	HASH_ITER (hh, d->up, dev, next) {
		HASH_DEL(d->up, dev);
		free(dev);
	}
}

static void on_lost(void *ctx)
{
	log_warn("kernel events were lost");
	devices_forget(ctx);
	repair_soon(ctx);
}

static void on_changed(struct ev_loop *loop, ev_timer *w, int events)
{
	struct daemon *d = w->data;

	(void)events;
	d->changed_at = ev_now(loop);
	if (d->client)
		client_role_network_changed(d->client);
	if (d->dir)
		dir_client_changed(d->dir);
}

static void on_route(void *ctx)
{
	struct daemon *d = ctx;
	double wait = d->changed_at + CHANGED_EVERY_S - ev_now(d->loop);

	if ((!d->client && !d->dir) || ev_is_active(&d->changed)) /* a relay's links stay where they are */
		return;
	ev_timer_set(&d->changed, wait > CHANGED_DELAY_S && wait <= CHANGED_EVERY_S ? wait : CHANGED_DELAY_S, 0.);
	ev_timer_start(d->loop, &d->changed);
}

/* Told again and again of a device that is up: only that it comes up is a change. */
static void on_link(void *ctx, const char *name, bool up, bool gone)
{
	struct daemon *d = ctx;
	struct device *dev;

	if ((!d->client && !d->dir) || dev_is_ours(name))
		return;
	HASH_FIND_STR(d->up, name, dev);
	if (dev && (!up || gone)) {
		HASH_DEL(d->up, dev);
		free(dev);
	} else if (!dev && up && !gone && (dev = calloc(1, sizeof(*dev)))) {
		snprintf(dev->name, sizeof(dev->name), "%s", name);
		HASH_ADD_STR(d->up, name, dev);
		on_route(d);
	}
}

static const struct kernel_events_fns event_fns = {
	.link = on_link, .route = on_route, .sa = on_sa, .nft = on_tampered, .ours = on_tampered, .lost = on_lost
};

static void on_event_io(struct ev_loop *loop, ev_io *w, int events)
{
	struct daemon *d = w->data;

	(void)loop;
	(void)events;
	kernel_events_read(d->events);
}

static int events_start(struct daemon *d, struct error *err)
{
	int r = kernel_events_open(&event_fns, d, &d->events);

	if (r < 0)
		return error_set(err, r, "cannot listen to kernel events: %s", strerror(-r));
	ev_timer_init(&d->repair, on_repair, REPAIR_DELAY_S, 0.);
	ev_timer_init(&d->changed, on_changed, CHANGED_DELAY_S, 0.);
	d->repair.data = d->changed.data = d;
	ev_io_init(&d->io_route, on_event_io, kernel_events_fd_route(d->events), EV_READ);
	ev_io_init(&d->io_xfrm, on_event_io, kernel_events_fd_xfrm(d->events), EV_READ);
	ev_io_init(&d->io_nft, on_event_io, kernel_events_fd_nft(d->events), EV_READ);
	d->io_route.data = d->io_xfrm.data = d->io_nft.data = d;
	ev_io_start(d->loop, &d->io_route);
	ev_io_start(d->loop, &d->io_xfrm);
	ev_io_start(d->loop, &d->io_nft);
	return 0;
}

/* ---- start ---- */

static void on_echo(void *ctx, uint32_t id, uint32_t rtt_us)
{
	struct daemon *d = ctx;

	if (d->client)
		client_role_echo(d->client, id, rtt_us);
}

static int check_newest(const struct daemon *d, struct error *err)
{
	struct error why = { "" };
	uint64_t newest = 0;

	if (newest_load(d->conf->state, d->conf->network_key, &newest, &why) < 0)
		log_warn("whether the network file is an old one cannot be told: %s", why.text);
	if (d->net->valid_from < newest)
		return error_set(err, -ESTALE, "%s: older than a network file that was in force here before (%s)",
				 d->conf->network, d->conf->state);
	return 0;
}

static int onion_open(struct daemon *d, struct error *err)
{
	onion_keys_free(d->onion);
	d->onion = NULL;
	return onion_keys_open(d->conf->state, d->conf->keys, &d->keys->id, d->conf->replace_onion, clock_wall_s(),
			       &d->onion, err);
}

static int load_file(struct daemon *d, struct error *err)
{
	const struct relay *self;
	int r = network_load(d->conf->network, d->conf->network_key, clock_wall_s(), &d->net, err);

	if (r == 0)
		r = check_newest(d, err);
	if (r < 0 || !d->keys)
		return r;
	self = network_find(d->net, &d->keys->id);
	if (!self)
		return error_set(err, -ENOENT, "%s: this relay (keys in %s) is not in it", d->conf->network,
				 d->conf->keys);
	d->self = *self;
	return 0;
}

/* What a relay would say must be what an authority takes. */
static int check_self(struct daemon *d, struct error *err)
{
	_cleanup_free_ char *text = NULL;
	struct relay_facts f;
	size_t len = 0;
	int r = dir_self_descriptor(d->conf, d->keys, d->onion, d->conf->self.ends, clock_wall_s(), &text, &len, err);

	if (r < 0)
		return error_prefix(err, r, "what this relay is to say of itself");
	dir_self_facts(d->conf, d->keys, d->onion, d->conf->self.ends, &f);
	d->self = f.relay;
	return 0;
}

/* Without a consensus that is good it begins with a network of nobody. */
static int load_kept(struct daemon *d, struct error *err)
{
	struct error why;
	int r = d->keys ? check_self(d, err) : 0;

	if (r < 0)
		return r;
	r = dir_kept_load(d->conf, clock_wall_s(), &d->kept, &why);
	if (r < 0)
		return error_set(err, r, "out of memory");
	if (why.text[0])
		log_warn("%s", why.text);
	d->net = d->kept.net;
	if (!d->net && network_empty(NETWORK_MTU_DEFAULT, &d->net) < 0)
		return error_set(err, -ENOMEM, "out of memory");
	return 0;
}

/* Configuration, keys and what is known of the network: nothing outside this process changes. */
static int load(struct daemon *d, const char *path, struct error *err)
{
	int r = config_load(path, &d->conf, err);

	if (r < 0)
		return r;
	log_set_level(d->conf->log_level);
	d->protects = d->conf->roles & ROLE_CLIENT;
	if (d->conf->roles & ROLE_RELAY) {
		r = relay_keys_load(d->conf->keys, &d->keys, err);
		if (r == 0)
			r = onion_open(d, err);
		if (r < 0)
			return r;
	}
	return d->conf->servers.n_keys ? load_kept(d, err) : load_file(d, err);
}

static int give_directory(int fd, mode_t mode, const struct account *owner)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	/* The unit grants CAP_CHOWN, not CAP_FOWNER: the mode can be set only while it is root's. */
	if ((st.st_mode & 07777) != mode && (fchown(fd, geteuid(), (gid_t)-1) < 0 || fchmod(fd, mode) < 0))
		return -errno;
	return fchown(fd, owner->uid, owner->gid) < 0 ? -errno : 0;
}

static int directory(const char *path, mode_t mode, const struct account *owner, struct error *err)
{
	_cleanup_close_ int fd = -1;
	int r;

	if (mkdir(path, mode) < 0 && errno != EEXIST)
		return error_set(err, -errno, "%s: %s", path, strerror(errno));
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	r = fd < 0 ? -errno : give_directory(fd, mode, owner);
	return r < 0 ? error_set(err, r, "%s: %s", path, strerror(-r)) : 0;
}

/* They may have been written under another name. */
static void give_files(const char *state, const struct account *owner)
{
	static const char *const files[] = { SELECTIONS_FILE, ONION_KEYS_FILE, GUARDS_FILE };
	_cleanup_close_ int dir = open(state, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	for (size_t i = 0; dir >= 0 && i < ARRAY_SIZE(files); i++)
		(void)!fchownat(dir, files[i], owner->uid, owner->gid, AT_SYMLINK_NOFOLLOW);
}

static int directories(const struct config *conf, const struct account *owner, struct error *err)
{
	struct error why = { "" };

	if (directory(conf->state, 0700, owner, &why) < 0)
		log_warn("what should outlive a restart of the host will not, and no circuit can be asked for: %s",
			 why.text);
	give_files(conf->state, owner);
	return directory(conf->run, 0750, owner, err);
}

static int become(const struct config *conf, const struct account *account, struct error *err)
{
	int r = privilege_drop(account);

	if (r < 0)
		return error_set(err, r, "cannot become %s: %s", conf->user, strerror(-r));
	if (account->uid == 0)
		log_warn("user is root: less is kept from anond, and from whoever takes it over, than from a user of "
			 "its own");
	return 0;
}

/* At every start, for anond-block may not be installed; nobody but a client has groups or takes them away. */
static int groups_start(const struct config *conf, struct error *err)
{
	return conf->roles & ROLE_CLIENT ? kernel_groups_mark(conf->groups, conf->n_groups, err) : 0;
}

/*
 * Once more, for an anond that has just ended may have changed them since load(); and the first key, if it has been
 * replaced, goes while we may write to its directory.
 */
static int onion_start(struct daemon *d, struct error *err)
{
	struct error why = { "" };
	int r = d->keys ? onion_open(d, err) : 0;

	if (r < 0 || !d->keys || !d->conf->replace_onion)
		return r;
	r = onion_keys_erase_first(d->conf->keys, d->onion, &why);
	if (r > 0)
		log_notice("the first onion key, which is not used any more, is erased");
	else if (r < 0)
		log_warn("the first onion key, which is not used any more, cannot be erased; do it: %s", why.text);
	return 0;
}

/* What needs privileges beyond CAP_NET_ADMIN comes before the drop, everything else after it. */
static int start(struct daemon *d, const struct account *account, struct error *err)
{
	_cleanup_free_ char *control = NULL;
	int r = directories(d->conf, account, err);

	if (r < 0)
		return r;
	r = lock_take(d->conf->run, &d->lock, err);
	if (r == 0)
		r = groups_start(d->conf, err);
	if (r == 0)
		r = onion_start(d, err);
	if (r < 0)
		return r;
	r = echo_new(d->loop, on_echo, d, &d->echo);
	if (r < 0)
		return error_set(err, r, "cannot open raw ICMP sockets: %s", strerror(-r));
	r = become(d->conf, account, err);
	if (r < 0)
		return r;
	daemon_remember_network(d);
	if (asprintf(&control, "%s/control", d->conf->run) < 0) {
		control = NULL;
		return error_set(err, -ENOMEM, "out of memory");
	}
	r = control_new(d->loop, control, &daemon_control_ops, d, &d->control);
	if (r < 0)
		return error_set(err, r, "%s: %s", control, strerror(-r));
	r = kernel_open(&d->kernel);
	if (r < 0)
		return error_set(err, r, "cannot talk to the kernel: %s", strerror(-r));
	return events_start(d, err);
}

static void on_farewell(int events, void *ctx)
{
	struct daemon *d = ctx;

	(void)events;
	d->drained = d->relay && relay_role_drained(d->relay); /* or it was cancelled meanwhile */
	if (d->drained)
		ev_break(d->loop, EVBREAK_ALL);
}

/* Who asked for it gets the answer first. */
static void on_drained(void *ctx)
{
	struct daemon *d = ctx;

	if (!d->drained)
		ev_once(d->loop, -1, 0, FAREWELL_S, on_farewell, d);
	d->drained = true;
}

/* Authorities hear of it at once. */
static void on_onion_changed(void *ctx)
{
	const struct daemon *d = ctx;

	if (d->dir)
		dir_publish_now(d->dir);
}

/* What comes in by a port of a bridge has the bridge's name: a rule for the port never holds. */
static void look_at_lans(const struct lans *lans)
{
	for (size_t i = 0; i < lans->n; i++)
		if (!kernel_comes_in_by(lans->dev[i]))
			log_warn(
				"lan: %s: there is no such interface, or it belongs to a bridge or the like, then name "
				"that: hosts behind it are not protected",
				lans->dev[i]);
}

static int roles_start(struct daemon *d, struct error *err)
{
	_cleanup_plan_ struct plan base = { 0 };
	int r = plan_base(&base);

	if (r == 0)
		r = kernel_apply(d->kernel, &base);
	if (r < 0)
		return error_set(err, r, "cannot set up the kernel: %s (see `anonctl doctor`)",
				 kernel_error_text(d->kernel));
	if (d->conf->roles & ROLE_RELAY) {
		const struct relay_role_config rc = {
			.loop = d->loop,
			.kernel = d->kernel,
			.conf = d->conf,
			.net = d->net,
			.self = &d->self,
			.keys = d->keys,
			.onion = d->onion,
			.onion_changed = on_onion_changed,
			.drained = on_drained,
			.ctx = d,
		};

		return relay_role_new(&rc, &d->relay, err);
	}
	const struct client_role_config cc = {
		.loop = d->loop, .kernel = d->kernel, .conf = d->conf, .net = d->net, .echo = d->echo
	};

	look_at_lans(&d->conf->lans);
	return client_role_new(&cc, &d->client, err);
}

/* ---- stop ---- */

/*
 * Circuits outlive a stop, for traffic must neither break nor leak because the daemon is replaced; and so does the
 * block of a gateway's LAN.
 */
static void roles_stop(struct daemon *d)
{
	bool leave = (d->client && (client_role_circuits(d->client) || d->conf->lans.n)) ||
		     (d->relay && relay_role_circuits(d->relay));
	_cleanup_plan_ struct plan base = { 0 };

	if (leave)
		log_notice("stopping; circuits and blocks stay in the kernel (anond --flush removes them)");
	client_role_free(d->client, leave);
	relay_role_free(d->relay, leave);
	if (!leave && (d->client || d->relay) && plan_base(&base) == 0)
		kernel_remove(d->kernel, &base);
	d->client = NULL;
	d->relay = NULL;
}

/* Nobody may call in any more when the roles go: they run the loop once more. */
static void daemon_free(struct daemon *d)
{
	control_free(d->control);
	dir_client_free(d->dir);
	if (d->events) {
		ev_timer_stop(d->loop, &d->repair);
		ev_timer_stop(d->loop, &d->changed);
		ev_io_stop(d->loop, &d->io_route);
		ev_io_stop(d->loop, &d->io_xfrm);
		ev_io_stop(d->loop, &d->io_nft);
		kernel_events_free(d->events);
	}
	devices_forget(d);
	roles_stop(d);
	echo_free(d->echo);
	if (d->kernel)
		kernel_free(d->kernel);
	network_free(d->net);
	relay_keys_free(d->keys);
	onion_keys_free(d->onion);
	config_free(d->conf);
	if (d->lock >= 0)
		close(d->lock);
}

static void on_stop(struct ev_loop *loop, ev_signal *w, int events)
{
	(void)w;
	(void)events;
	ev_break(loop, EVBREAK_ALL);
}

static void on_hup(struct ev_loop *loop, ev_signal *w, int events)
{
	struct error err = { "" };

	(void)loop;
	(void)events;
	if (daemon_reload(w->data, &err) < 0)
		log_err("%s", err.text);
}

static void loop_run(struct daemon *d)
{
	ev_signal term, intr, hup;

	ev_signal_init(&term, on_stop, SIGTERM);
	ev_signal_init(&intr, on_stop, SIGINT);
	ev_signal_init(&hup, on_hup, SIGHUP);
	hup.data = d;
	ev_signal_start(d->loop, &term);
	ev_signal_start(d->loop, &intr);
	ev_signal_start(d->loop, &hup);
	log_notice("anond %s is ready", ANON_VERSION);
	ev_run(d->loop, 0);
}

/* ---- other modes ---- */

static void keep_own(void *ctx, const struct kobject *o)
{
	plan_add_copy(ctx, o);
}

/*
 * A running daemon would put everything back. Its table goes too, lest the next start does. Without a configuration
 * that can be read nobody knows where both are, and the kernel is flushed nevertheless.
 */
static int flush_tables(const char *config, int *ret_lock)
{
	struct config *conf = NULL;
	struct error err = { "" };
	_cleanup_free_ char *table = NULL;
	int r = config_load(config, &conf, &err);

	if (r < 0) {
		log_warn("%s; the table of circuits, if there is one, stays", err.text);
		return 0;
	}
	r = lock_take(conf->run, ret_lock, &err);
	if (r == -EWOULDBLOCK)
		log_err("%s: stop it first", err.text);
	else if (asprintf(&table, "%s/client-circuits", conf->run) < 0)
		table = NULL;
	else if (unlink(table) < 0 && errno != ENOENT)
		log_warn("%s: %s", table, strerror(errno));
	if (r != -EWOULDBLOCK) {
		int gone = selections_forget(conf->state);

		if (gone < 0)
			log_warn("%s/" SELECTIONS_FILE ": %s", conf->state, strerror(-gone));
	}
	config_free(conf);
	return r == -EWOULDBLOCK ? r : 0;
}

static int flush(const char *config)
{
	_cleanup_plan_ struct plan have = { 0 };
	_cleanup_close_ int lock = -1;
	struct kernel *k;
	int r;

	if (flush_tables(config, &lock) < 0)
		return EXIT_FAILURE;
	r = kernel_groups_unmark();
	if (r < 0)
		log_err("the marks of groups stay: %s", strerror(-r));
	r = kernel_open(&k);
	if (r < 0) {
		log_err("cannot talk to the kernel: %s", strerror(-r));
		return EXIT_FAILURE;
	}
	r = kernel_dump(k, KERNEL_DUMP_ALL, keep_own, &have);
	if (r == 0)
		r = kernel_remove(k, &have);
	if (r < 0)
		log_err("not everything could be removed: %s", kernel_error_text(k));
	kernel_free(k);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

/*
 * At the start of the host, before there is a network, or when a start failed: all else comes when anond runs. A
 * configuration that cannot be read must not open what it protected.
 */
static int block(const char *config, bool boot)
{
	static const struct lans none;
	struct config *conf = NULL;
	struct kernel *k = NULL;
	struct error err = { "" };
	int known = config_load(config, &conf, &err), r = known, marked = 0;

	if (known == 0 && boot)
		marked = groups_start(conf, &err);
	if (known < 0 || marked < 0)
		log_err("%s", err.text);
	if (known < 0 || (conf->roles & ROLE_CLIENT)) {
		r = kernel_open(&k);
		if (r < 0)
			error_set(&err, r, "cannot talk to the kernel: %s", strerror(-r));
		else
			r = selections_block(conf ? conf->state : CONFIG_STATE, known < 0, conf ? &conf->lans : &none,
					     conf ? &conf->servers.at : NULL, k, &err);
		if (r < 0)
			log_err("%s", err.text);
	}
	if (k)
		kernel_free(k);
	config_free(conf);
	return known < 0 || marked < 0 || r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

enum mode { MODE_RUN, MODE_CHECK, MODE_BLOCK, MODE_FLUSH };

/* -1, or the exit status. */
static int arguments(int argc, char **argv, const char **config, enum mode *mode)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' }, { "check", no_argument, NULL, 't' },
		{ "block", no_argument, NULL, 'b' },	    { "flush", no_argument, NULL, 'f' },
		{ "help", no_argument, NULL, 'h' },	    { "help-config", no_argument, NULL, 'H' },
		{ "version", no_argument, NULL, 'V' },	    { NULL, 0, NULL, 0 },
	};
	int opt;

	while ((opt = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
		switch (opt) {
		case 'c':
			*config = optarg;
			break;
		case 't':
			*mode = MODE_CHECK;
			break;
		case 'b':
			*mode = MODE_BLOCK;
			break;
		case 'f':
			*mode = MODE_FLUSH;
			break;
		case 'h':
			fputs(usage, stdout);
			return EXIT_SUCCESS;
		case 'H':
			return config_help(stdout) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
		case 'V':
			puts("anond " ANON_VERSION);
			return EXIT_SUCCESS;
		default:
			fputs(usage, stderr);
			return EXIT_CONFIG;
		}
	}
	if (optind < argc) {
		fputs(usage, stderr);
		return EXIT_CONFIG;
	}
	return -1;
}

/* A network file that is not valid yet, or no more, is so by the clock: another start may help. */
static int load_status(enum mode mode, int r)
{
	if (r == 0)
		return EXIT_SUCCESS;
	return mode == MODE_RUN && (r == -EAGAIN || r == -EKEYEXPIRED) ? EXIT_FAILURE : EXIT_CONFIG;
}

static int run(struct daemon *d, const struct account *account)
{
	struct error err = { "" };
	int r;

	d->loop = ev_loop_new(EVFLAG_AUTO);
	r = d->loop ? start(d, account, &err) : error_set(&err, -ENOMEM, "no event loop");
	if (r == 0)
		r = roles_start(d, &err);
	if (r == 0)
		r = daemon_directory_start(d, &err);
	if (r == 0)
		loop_run(d);
	else
		log_err("%s", err.text);
	if (r < 0)
		return EXIT_FAILURE;
	return d->drained ? EXIT_DRAINED : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	const struct rlimit no_core = { 0, 0 };
	struct daemon d = { .started_ms = clock_monotonic_ms(), .lock = -1 };
	const char *config = CONFIG_FILE;
	enum mode mode = MODE_RUN;
	struct account account;
	struct error err = { "" };
	int status = arguments(argc, argv, &config, &mode);
	bool stays;
	int r;

	if (status >= 0)
		return status;
	setrlimit(RLIMIT_CORE, &no_core);
	signal(SIGPIPE, SIG_IGN);
	if (sodium_init() < 0) {
		log_err("libsodium cannot be initialised");
		return EXIT_FAILURE;
	}
	if (mode == MODE_FLUSH)
		return flush(config);
	if (mode == MODE_BLOCK)
		return block(config, true);
	r = load(&d, config, &err);
	if (r >= 0)
		r = account_find(d.conf->user, d.conf->group, &account, &err);
	status = load_status(mode, r);
	if (r < 0)
		log_err("%s", err.text);
	else if (mode == MODE_RUN)
		status = run(&d, &account);
	/* A client that cannot start leaves nothing open that is to be protected. */
	stays = mode == MODE_RUN && status != EXIT_SUCCESS && d.protects;
	daemon_free(&d);
	if (stays)
		block(config, false);
	return status;
}
