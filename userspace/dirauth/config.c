/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dirauth/config.h"

#include <arpa/inet.h>
#include <confuse.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "directory/file.h"
#include "directory/network.h"
#include "directory/timetable.h"
#include "lib/log.h"
#include "wire/dirhttp.h"

/* What libconfuse fills; texts are its own until they are taken. */
enum { TEXT, NUMBER, LIST, YES_NO };

static const struct option {
	const char *name;
	int kind;
	uint32_t min, max, number;
	const char *def; /* TEXT; NULL: none */
	const char *help;
} options[] = {
	{ "key", TEXT, 0, 0, 0, "/var/lib/anon-dirauth/key", "secret key of this authority (anonctl key authority)" },
	{ "authorities", LIST, 0, 0, 0, NULL, "all of them, this one too: KEY@ADDRESS:PORT,[ADDRESS6]:PORT" },
	{ "listen", LIST, 0, 0, 0, NULL, "ADDRESS:PORT or [ADDRESS6]:PORT where it serves; default: any" },
	{ "state", TEXT, 0, 0, 0, "/var/lib/anon-dirauth", "directory of what it keeps" },
	{ "user", TEXT, 0, 0, 0, "anon-dirauth", "whom it becomes when it is started as root" },
	{ "fetch-program", TEXT, 0, 0, 0, NULL, "what makes its requests; default: anon-fetch, as it was installed" },
	{ "probe", YES_NO, 0, 0, 0, NULL, "whether relays are probed; else all that are there count as running" },
	{ "probe-program", TEXT, 0, 0, 0, NULL, "what probes; default: anonctl, as it was installed" },
	{ "country-database", TEXT, 0, 0, 0, NULL, "MaxMind database (.mmdb) of the countries of addresses" },
	{ "as-database", TEXT, 0, 0, 0, NULL, "MaxMind database (.mmdb) of the autonomous systems of addresses" },
	{ "measurements", TEXT, 0, 0, 0, NULL, "file with a line IDENTITY KIB for each relay that was measured" },
	{ "interval", NUMBER, TIMETABLE_INTERVAL_MIN, TIMETABLE_INTERVAL_MAX, 3600, NULL,
	  "seconds from one consensus to the next; the same at all authorities" },
	{ "valid-intervals", NUMBER, 2, 24, 3, NULL, "for how many intervals a consensus may be used" },
	{ "link-mtu", NUMBER, NETWORK_MTU_MIN, NETWORK_MTU_MAX, NETWORK_MTU_DEFAULT, NULL,
	  "bytes, of every overlay link" },
	{ "max-relays", NUMBER, 1, VOTE_RELAYS_MAX, VOTE_RELAYS_MAX, NULL, "how many it knows at most" },
	{ "guard-age", NUMBER, 0, 31536000, 691200, NULL, "seconds for which a guard must have been known" },
	{ "guard-bandwidth", NUMBER, 0, UINT32_MAX, 1024, NULL, "KiB a second that it must have" },
	{ "unmeasured-bandwidth", NUMBER, 1, UINT32_MAX, 10240, NULL, "KiB a second that others are believed at most" },
	{ "log-level", TEXT, 0, 0, 0, "info", "error, warning, notice, info or debug" },
};

/* libconfuse takes a file that ends inside a string or a comment; what is put behind it tells. */
#define END_MARK "end-of-the-file"

static void on_error(cfg_t *cfg, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));
static struct {
	const char *name;
	struct error *err;
	bool failed;
} parsing; /* libconfuse's callbacks carry no context */

static void on_error(cfg_t *cfg, const char *fmt, va_list ap)
{
	char text[160];

	if (parsing.failed)
		return;
	parsing.failed = true;
	vsnprintf(text, sizeof(text), fmt, ap);
	error_set(parsing.err, -EINVAL, "%s:%d: %s", parsing.name, cfg ? cfg->line : 0, text);
}

static cfg_opt_t confuse_option(const struct option *o)
{
	cfg_opt_t text = CFG_STR(o->name, o->def, CFGF_NONE), list = CFG_STR_LIST(o->name, NULL, CFGF_NONE),
		  number = CFG_INT(o->name, (long)o->number, CFGF_NONE), yes = CFG_BOOL(o->name, cfg_false, CFGF_NONE);

	switch (o->kind) {
	case TEXT:
		return text;
	case LIST:
		return list;
	case YES_NO:
		return yes;
	default:
		return number;
	}
}

static cfg_t *make_parser(void)
{
	cfg_opt_t opts[ARRAY_SIZE(options) + 2], mark = CFG_BOOL(END_MARK, cfg_false, CFGF_NONE), end = CFG_END();
	cfg_t *cfg;

	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		opts[i] = confuse_option(&options[i]);
	opts[ARRAY_SIZE(options)] = mark;
	opts[ARRAY_SIZE(options) + 1] = end;
	cfg = cfg_init(opts, CFGF_NONE);
	if (cfg)
		cfg_set_error_function(cfg, on_error);
	return cfg;
}

static int check_numbers(cfg_t *cfg, struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		const struct option *o = &options[i];
		long v = o->kind == NUMBER ? cfg_getint(cfg, o->name) : 0;

		if (o->kind == NUMBER && (v < (long)o->min || v > (long)o->max))
			return error_set(err, -EINVAL, "%s: not from %u to %u", o->name, o->min, o->max);
	}
	return 0;
}

static int text_of(cfg_t *cfg, const char *name, char **ret)
{
	const char *s = cfg_getstr(cfg, name);

	*ret = s ? strdup(s) : NULL;
	return s && !*ret ? -ENOMEM : 0;
}

static int path_of(cfg_t *cfg, const char *name, char **ret, struct error *err)
{
	if (text_of(cfg, name, ret) < 0)
		return error_set(err, -ENOMEM, "out of memory");
	return *ret && **ret != '/' ? error_set(err, -EINVAL, "%s: not an absolute path", name) : 0;
}

static int take_authorities(cfg_t *cfg, struct dirauth_config *conf, struct error *err)
{
	for (unsigned int i = 0; i < cfg_size(cfg, "authorities"); i++) {
		const char *wrong = dir_servers_authority(&conf->authorities, cfg_getnstr(cfg, "authorities", i));

		if (wrong)
			return error_set(err, -EINVAL, "authorities: number %u: %s", i + 1, wrong);
	}
	return conf->authorities.n_keys ? 0 : error_set(err, -EINVAL, "authorities: missing");
}

static int take_listen(cfg_t *cfg, struct dirauth_config *conf, struct error *err)
{
	for (unsigned int i = 0; i < cfg_size(cfg, "listen"); i++) {
		const char *text = cfg_getnstr(cfg, "listen", i);
		struct endpoint e;

		if (endpoint_parse(text, strlen(text), DIRHTTP_PORT, &e) < 0)
			return error_set(err, -EINVAL, "listen: number %u is not ADDRESS:PORT or [ADDRESS6]:PORT",
					 i + 1);
		if (conf->n_listen == LISTEN_MAX)
			return error_set(err, -EINVAL, "listen: too many");
		conf->listen[conf->n_listen++] = (struct sockaddr_in6){ .sin6_family = AF_INET6,
									.sin6_port = htons(e.port),
									.sin6_addr = endpoint_address(&e) };
	}
	if (!conf->n_listen)
		conf->listen[conf->n_listen++] =
			(struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = htons(DIRHTTP_PORT) };
	return 0;
}

static int take_log_level(cfg_t *cfg, struct dirauth_config *conf, struct error *err)
{
	static const struct {
		const char *name;
		int priority;
	} levels[] = { { "error", LOG_ERR },
		       { "warning", LOG_WARNING },
		       { "notice", LOG_NOTICE },
		       { "info", LOG_INFO },
		       { "debug", LOG_DEBUG } };

	for (size_t i = 0; i < ARRAY_SIZE(levels); i++)
		if (strcmp(cfg_getstr(cfg, "log-level"), levels[i].name) == 0) {
			conf->log_level = levels[i].priority;
			return 0;
		}
	return error_set(err, -EINVAL, "log-level: not one of error, warning, notice, info, debug");
}

static uint32_t number(cfg_t *cfg, const char *name)
{
	return (uint32_t)cfg_getint(cfg, name);
}

static int take(cfg_t *cfg, struct dirauth_config *conf, struct error *err)
{
	int r = check_numbers(cfg, err);

	if (r == 0)
		r = take_authorities(cfg, conf, err);
	if (r == 0)
		r = take_listen(cfg, conf, err);
	if (r == 0)
		r = take_log_level(cfg, conf, err);
	if (r == 0)
		r = path_of(cfg, "key", &conf->key, err);
	if (r == 0)
		r = path_of(cfg, "state", &conf->state, err);
	if (r == 0)
		r = path_of(cfg, "fetch-program", &conf->fetch, err);
	if (r == 0)
		r = path_of(cfg, "probe-program", &conf->probe_program, err);
	if (r == 0)
		r = path_of(cfg, "measurements", &conf->measurements, err);
	if (r == 0)
		r = path_of(cfg, "country-database", &conf->countries, err);
	if (r == 0)
		r = path_of(cfg, "as-database", &conf->systems, err);
	if (r == 0 && text_of(cfg, "user", &conf->user) < 0)
		r = error_set(err, -ENOMEM, "out of memory");
	if (r < 0)
		return r;
	conf->interval = number(cfg, "interval");
	conf->probe = cfg_getbool(cfg, "probe");
	conf->valid = number(cfg, "valid-intervals");
	conf->link_mtu = (uint16_t)number(cfg, "link-mtu");
	/* Two intervals of silence, with two probes each; and so long until who probes has one with a new relay in it.
	 */
	conf->rules = (struct roster_rules){ .max = number(cfg, "max-relays"),
					     .probe_life = conf->probe ? 2 * conf->interval : 0,
					     .probe_grace = (conf->valid + 2) * conf->interval,
					     .guard_age = number(cfg, "guard-age"),
					     .guard_weight = number(cfg, "guard-bandwidth"),
					     .unmeasured_max = number(cfg, "unmeasured-bandwidth") };
	return 0;
}

/* parsing is set. */
static int run_parser(cfg_t *cfg, const char *text, struct error *err)
{
	_cleanup_free_ char *marked = NULL;

	if (asprintf(&marked, "%s\n" END_MARK " = true\n", text) < 0) {
		marked = NULL;
		return error_set(err, -ENOMEM, "%s: out of memory", parsing.name);
	}
	if (cfg_parse_buf(cfg, marked) != CFG_SUCCESS || parsing.failed)
		return parsing.failed ? -EINVAL : error_set(err, -EINVAL, "%s: it cannot be read", parsing.name);
	return cfg_getbool(cfg, END_MARK)
		       ? 0
		       : error_set(err, -EINVAL, "%s: it ends inside a string or a comment", parsing.name);
}

int dirauth_config_parse(const char *text, const char *name, struct dirauth_config **ret, struct error *err)
{
	_cleanup_dirauth_config_ struct dirauth_config *conf = calloc(1, sizeof(*conf));
	cfg_t *cfg = make_parser();
	int r;

	parsing.name = name;
	parsing.err = err;
	parsing.failed = false;
	r = conf && cfg ? run_parser(cfg, text, err) : error_set(err, -ENOMEM, "%s: out of memory", name);
	if (r == 0) {
		r = take(cfg, conf, err);
		if (r < 0)
			error_prefix(err, r, "%s", name);
	}
	if (cfg)
		cfg_free(cfg);
	if (r < 0)
		return r;
	*ret = conf;
	conf = NULL;
	return 0;
}

int dirauth_config_load(const char *path, struct dirauth_config **ret, struct error *err)
{
	_cleanup_free_ char *text = NULL;
	size_t len;
	int r = file_read(path, DIRAUTH_CONFIG_MAX, &text, &len, err);

	if (r < 0)
		return r;
	if (strlen(text) != len)
		return error_set(err, -EINVAL, "%s: it holds a zero byte", path);
	return dirauth_config_parse(text, path, ret, err);
}

void dirauth_config_free(struct dirauth_config *conf)
{
	if (!conf)
		return;
	free(conf->key);
	free(conf->state);
	free(conf->user);
	free(conf->fetch);
	free(conf->probe_program);
	free(conf->countries);
	free(conf->systems);
	free(conf->measurements);
	free(conf);
}

int dirauth_config_help(FILE *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		const struct option *o = &options[i];

		fprintf(out, "%-22s %s", o->name, o->help);
		if (o->kind == NUMBER)
			fprintf(out, " (%u to %u; default %u)", o->min, o->max, o->number);
		else if (o->def)
			fprintf(out, " (default %s)", o->def);
		fputc('\n', out);
	}
	return ferror(out) ? -EIO : 0;
}
