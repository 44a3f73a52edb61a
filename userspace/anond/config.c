/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "anond/config.h"

#include <arpa/inet.h>
#include <confuse.h>
#include <errno.h>
#include <grp.h>
#include <sodium.h>
#include <stddef.h>
#include <string.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>

#include "circuit/inner.h"
#include "directory/file.h"
#include "directory/network.h"
#include "model/ids.h"
#include "model/prefix.h"

#define SECONDS_MAX UINT64_C(4102444800) /* 2100: what is later is a mistake */
#define LIFETIME_MAX 7200		 /* seconds: relay_limits_default.lifetime_max, what relays take */
#define SOCKET_PATH_MAX (sizeof(((struct sockaddr_un *)0)->sun_path) - 1)

enum kind {
	KIND_TEXT, /* char * at offset */
	KIND_UINT, /* uint32_t at offset, times scale */
	KIND_BOOL, /* bool at offset */
	KIND_WORD, /* parse() */
	KIND_LIST, /* parse() for each word */
};

struct option {
	const char *section; /* NULL: top level */
	const char *name;
	size_t offset; /* in struct config */
	/* The default, as it would stand in the file. NULL: none, or (UINT) what timing and limits begin with. */
	const char *def;
	const char *help;
	const char *(*parse)(const char *value, struct config *conf); /* NULL, or what is wrong */
	enum kind kind;
	uint32_t min, max, scale; /* UINT, in the file's unit */
};

static const char *parse_role(const char *value, struct config *conf)
{
	static const struct {
		const char *name;
		unsigned int bits;
	} roles[] = { { "client", ROLE_CLIENT },
		      { "gateway", ROLE_CLIENT | ROLE_GATEWAY },
		      { "relay", ROLE_RELAY },
		      { "exit", ROLE_RELAY | ROLE_EXIT } };

	for (size_t i = 0; i < ARRAY_SIZE(roles); i++)
		if (strcmp(value, roles[i].name) == 0) {
			conf->roles |= roles[i].bits;
			return NULL;
		}
	return "a role is client, gateway, relay or exit";
}

static const char *parse_network_key(const char *value, struct config *conf)
{
	return network_key_parse(value, conf->network_key) < 0 ? "not 32 bytes in base64" : NULL;
}

static const char *parse_authority(const char *value, struct config *conf)
{
	return dir_servers_authority(&conf->servers, value);
}

static const char *parse_mirror(const char *value, struct config *conf)
{
	return dir_servers_mirror(&conf->servers, value);
}

static const char *parse_name(const char *value, struct config *conf)
{
	if (strlen(value) >= sizeof(conf->self.name) || !relay_name_valid(value))
		return "not 1 to 31 letters, digits and inner '-'";
	snprintf(conf->self.name, sizeof(conf->self.name), "%s", value);
	return NULL;
}

static const char *parse_address(const char *value, struct config *conf)
{
	struct in6_addr a6;
	struct in_addr a4;

	if (inet_pton(AF_INET, value, &a4) == 1 && addr4_is_host(a4)) {
		if (conf->self.addr4.s_addr != INADDR_ANY)
			return "at most one IPv4 address";
		conf->self.addr4 = a4;
		return NULL;
	}
	if (inet_pton(AF_INET6, value, &a6) == 1 && addr6_is_host(&a6)) {
		if (!IN6_IS_ADDR_UNSPECIFIED(&conf->self.addr6))
			return "at most one IPv6 address";
		conf->self.addr6 = a6;
		return NULL;
	}
	return "not an address that a host can have";
}

static const char *parse_family(const char *value, struct config *conf)
{
	struct family_proof f, *v = conf->self.families;
	size_t i = conf->self.n_families;

	if (family_proof_parse(value, &f) < 0)
		return "not KEY:PROOF, as anonctl family proof prints it";
	if (i == FAMILIES_MAX)
		return "more than 4 families";
	for (; i > 0 && memcmp(v[i - 1].key, f.key, sizeof(f.key)) >= 0; i--)
		if (memcmp(v[i - 1].key, f.key, sizeof(f.key)) == 0)
			return "a family is named twice";
	memmove(&v[i + 1], &v[i], (conf->self.n_families - i) * sizeof(*v));
	v[i] = f;
	conf->self.n_families++;
	return NULL;
}

static const char *parse_ends(const char *value, struct config *conf)
{
	unsigned long long v = 0;
	struct tm tm = { 0 };
	char *end = NULL;

	if (strlen(value) == 10 && value[4] == '-') {
		end = strptime(value, "%Y-%m-%d", &tm);
		v = end ? (unsigned long long)timegm(&tm) : 0;
	} else if (*value >= '1' && *value <= '9') {
		v = strtoull(value, &end, 10);
	}
	if (!end || *end || v == 0 || v > SECONDS_MAX)
		return "neither a date such as 2027-01-31 nor seconds since 1970";
	conf->self.ends = v;
	return NULL;
}

static const char *parse_country(const char *value, struct config *conf)
{
	if (strlen(value) != 2 || value[0] < 'A' || value[0] > 'Z' || value[1] < 'A' || value[1] > 'Z')
		return "not two capital letters";
	memcpy(conf->self.country, value, sizeof(conf->self.country));
	return NULL;
}

static const char *parse_suite(const char *value, struct config *conf)
{
	static const enum suite allowed[] = { SUITE_AES128_GCM_16, SUITE_CHACHA20_POLY1305 };

	for (size_t i = 0; i < ARRAY_SIZE(allowed); i++)
		if (strcmp(value, suite_get(allowed[i])->name) == 0) {
			conf->suite = allowed[i];
			return NULL;
		}
	return "neither aes128gcm16 nor chacha20poly1305";
}

static const char *parse_log_level(const char *value, struct config *conf)
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
		if (strcmp(value, levels[i].name) == 0) {
			conf->log_level = levels[i].priority;
			return NULL;
		}
	return "not one of error, warning, notice, info, debug";
}

/* RFC 6598's range only: a circuit's inner address must not be an address of the client's own network. */
static const char *parse_inner4(const char *value, struct config *conf)
{
	struct prefix p;

	if (strcmp(value, "none") == 0) {
		conf->exit.inner4_enabled = false;
		return NULL;
	}
	if (prefix_parse(value, &p) < 0 || !inner_pool_valid(&p))
		return "neither none nor a prefix of 10 to 29 bits in 100.64.0.0/10";
	conf->exit.inner4 = p;
	conf->exit.inner4_enabled = true;
	return NULL;
}

static const char *parse_resolver(const char *value, struct config *conf)
{
	static const char not_public[] = "no public address: circuits do not lead to it";
	struct in6_addr a6;
	struct in_addr a4;

	if (strcmp(value, "local") == 0) {
		conf->exit.resolver_local = true;
		return NULL;
	}
	if (inet_pton(AF_INET, value, &a4) == 1 && a4.s_addr != INADDR_ANY) {
		if (!inner_dns4_valid(a4) || addr4_is_shared(a4))
			return not_public;
		if (conf->exit.resolver4.s_addr != INADDR_ANY)
			return "at most one IPv4 resolver";
		conf->exit.resolver4 = a4;
		return NULL;
	}
	if (inet_pton(AF_INET6, value, &a6) == 1 && !IN6_IS_ADDR_UNSPECIFIED(&a6)) {
		if (!addr6_is_global(&a6))
			return not_public;
		if (!IN6_IS_ADDR_UNSPECIFIED(&conf->exit.resolver6))
			return "at most one IPv6 resolver";
		conf->exit.resolver6 = a6;
		return NULL;
	}
	return "neither local nor an IP address";
}

static const char *parse_pool4(const char *value, struct config *conf)
{
	return exit_pool_set4(&conf->exit.pool, value);
}

static const char *parse_pool6(const char *value, struct config *conf)
{
	return exit_pool_set6(&conf->exit.pool, value);
}

static const char *parse_pool4_by(const char *value, struct config *conf)
{
	conf->exit.pool.by_destination = strcmp(value, "destination") == 0;
	return conf->exit.pool.by_destination || strcmp(value, "circuit") == 0 ? NULL
									       : "neither circuit nor destination";
}

static const char *parse_lan(const char *value, struct config *conf)
{
	return lans_add(&conf->lans, value);
}

static const char *parse_group(const char *value, struct config *conf)
{
	const struct group *gr = getgrnam(value);
	unsigned long id = gr ? gr->gr_gid : 0;
	char *end = NULL;

	if (!gr && *value >= '0' && *value <= '9')
		id = strtoul(value, &end, 10);
	if (!gr && (!end || *end))
		return "there is no such group";
	if (id == 0 || id > GROUP_MAX)
		return "not a group from 1 to 16777215";
	if (conf->n_groups == USERS_MAX)
		return "more than 8 groups";
	conf->groups[conf->n_groups++] = (uint32_t)id;
	return NULL;
}

static const char *parse_exit_country(const char *value, struct config *conf)
{
	return countries_add(&conf->rules.exits, value);
}

static const char *parse_never_country(const char *value, struct config *conf)
{
	return countries_add(&conf->rules.never, value);
}

static const char *parse_never_operator(const char *value, struct config *conf)
{
	return path_rules_add_operator(&conf->rules, value);
}

static const char *parse_policy(const char *value, struct config *conf)
{
	return exit_policy_add(&conf->exit.policy, value);
}

#define AT(member) offsetof(struct config, member)
#define TEXT(name, member, def, help)                                                                                  \
	{                                                                                                              \
		NULL, name, AT(member), def, help, NULL, KIND_TEXT, 0, 0, 0                                            \
	}
#define WORD(section, name, def, parse, help)                                                                          \
	{                                                                                                              \
		section, name, 0, def, help, parse, KIND_WORD, 0, 0, 0                                                 \
	}
#define LIST(section, name, parse, help)                                                                               \
	{                                                                                                              \
		section, name, 0, NULL, help, parse, KIND_LIST, 0, 0, 0                                                \
	}
#define BOOL(section, name, member, def, help)                                                                         \
	{                                                                                                              \
		section, name, AT(member), def, help, NULL, KIND_BOOL, 0, 0, 0                                         \
	}
#define UINT(section, name, member, def, min, max, scale, help)                                                        \
	{                                                                                                              \
		section, name, AT(member), def, help, NULL, KIND_UINT, min, max, scale                                 \
	}

static const struct option options[] = {
	LIST(NULL, "role", parse_role, "what this node is: client, gateway, relay, exit (default: client)"),
	TEXT("network", network, CONFIG_NETWORK, "network file; its signature is in the file .sig"),
	WORD(NULL, "network-key", NULL, parse_network_key, "public key that must have signed the network file"),
	LIST(NULL, "authorities", parse_authority,
	     "who signs the network's consensus, instead of a network file: KEY@ADDRESS:PORT[,[ADDRESS6]:PORT]"),
	LIST(NULL, "mirrors", parse_mirror, "who else has the consensus: ADDRESS:PORT"),
	TEXT("fetch-program", fetch_program, NULL,
	     "what makes a request for it; default: anon-fetch, as it was installed"),
	TEXT("keys", keys, "/var/lib/anond/keys", "directory of the relay's keys"),
	TEXT("run", run, "/run/anond", "directory of the control socket and the circuit table"),
	TEXT("state", state, CONFIG_STATE, "directory of what outlives a restart of the host"),
	TEXT("user", user, "anond", "user to become; root keeps no privileges but the one needed either"),
	TEXT("group", group, NULL, "group to become, default the user's; the control socket belongs to it"),
	TEXT("vici", vici, "/run/charon.anond.vici", "charon's control socket"),
	UINT(NULL, "hops", hops, "3", 1, HOPS_MAX, 1, "relays of a circuit"),
	WORD(NULL, "suite", "aes128gcm16", parse_suite, "ESP transform: aes128gcm16 or chacha20poly1305"),
	UINT(NULL, "lifetime", timing.lifetime_s, NULL, 60, LIFETIME_MAX, 1, "seconds until a circuit expires"),
	WORD(NULL, "log-level", "info", parse_log_level, "error, warning, notice, info or debug"),
	LIST(NULL, "lan", parse_lan, "gateway: the interfaces behind which its hosts are"),
	LIST(NULL, "groups", parse_group, "client: the groups, by name or number, that a circuit may be asked for"),
	LIST(NULL, "exit-countries", parse_exit_country,
	     "client: exits only there, if a circuit is not asked for another"),
	LIST(NULL, "never-countries", parse_never_country, "client: no relay of any path there"),
	LIST(NULL, "never-operators", parse_never_operator, "client: no relay of these families, by their keys"),
	BOOL(NULL, "guard", guard, "true", "relay: take anonymous clients"),
	UINT(NULL, "onion-key-life", onion.life_s, "604800", 60, 31536000, 1,
	     "relay: seconds until another onion key takes the place of one"),
	UINT(NULL, "onion-key-overlap", onion.overlap_s, "86400", 10, 15768000, 1,
	     "relay: seconds that an onion key is announced before, and opened after; less than half of its life"),

	WORD(NULL, "name", NULL, parse_name, "relay, with authorities: its name"),
	LIST(NULL, "addresses", parse_address, "relay, with authorities: its public addresses, one IPv4 and one IPv6"),
	UINT(NULL, "bandwidth", self.bandwidth, "1024", 1, UINT32_MAX / 1024, 1,
	     "relay, with authorities: KiB a second that it is willing to carry"),
	LIST(NULL, "family", parse_family, "relay, with authorities: whose it is, KEY:PROOF of anonctl family proof"),
	WORD(NULL, "ends", NULL, parse_ends, "relay, with authorities: when it will end, a date or seconds since 1970"),
	UINT(NULL, "as", self.as, "0", 0, UINT32_MAX, 1, "relay, with authorities: its autonomous system, 0: not said"),
	WORD(NULL, "country", NULL, parse_country, "relay, with authorities: two capital letters"),

	UINT("timings", "create-timeout", timing.create_timeout_ms, NULL, 1, 300, 1000,
	     "seconds to wait for the answer to CREATE"),
	UINT("timings", "keepalive-interval", timing.keepalive_ms, NULL, 1, 3600, 1000,
	     "seconds between echoes through an open circuit"),
	UINT("timings", "keepalive-misses", timing.keepalive_misses, NULL, 1, 100, 1,
	     "unanswered echoes in a row that fail a circuit"),

	UINT("limits", "half-open", limits.half_open, NULL, 1, 1000000, 1, "circuits being built, in all"),
	UINT("limits", "half-open-per-link", limits.half_open_per_link, NULL, 1, 1000000, 1,
	     "circuits being built, for each neighbour relay"),
	UINT("limits", "half-open-per-client", limits.client_half_open, NULL, 1, 1000000, 1,
	     "circuits being built, for each client"),
	UINT("limits", "circuits", limits.circuits, NULL, 1, 1000000, 1, "circuits, in all"),
	UINT("limits", "circuits-per-link", limits.circuits_per_link, NULL, 1, 1000000, 1,
	     "circuits, for each neighbour relay"),
	UINT("limits", "circuits-per-client", limits.client_circuits, NULL, 1, 1000000, 1, "circuits, for each client"),
	UINT("limits", "creates-per-second", limits.creates_per_second, NULL, 1, 1000000, 1,
	     "CREATE messages a second, from each neighbour relay"),
	UINT("limits", "creates-per-second-per-client", limits.client_creates_per_second, NULL, 1, 1000000, 1,
	     "CREATE messages a second, from each client"),

	UINT("link", "rekey-time", link.rekey_s, "3600", 60, 86400, 1, "seconds between new keys of a link"),
	UINT("link", "ike-rekey-time", link.ike_rekey_s, "14400", 60, 604800, 1,
	     "seconds between new keys of the IKE SA"),
	UINT("link", "dpd-delay", link.dpd_s, "10", 1, 3600, 1, "seconds of silence before a peer is asked"),
	UINT("link", "packets-per-second", link.pps, "0", 0, 100000, 1,
	     "each link carries so many packets of one size, real or cover; 0: what there is, as it comes"),
	UINT("link", "packets-per-second-per-client", link.client_pps, "0", 0, 100000, 1,
	     "guard: the same towards each client; 0: as packets-per-second"),
	UINT("link", "rate-steps", link.rate_steps, "1", 1, 16, 1,
	     "that rate, and so many less one below it, each half of the one before; 1: always that rate"),
	UINT("link", "rate-step-time", link.rate_step_s, "60", 1, 86400, 1,
	     "seconds that a link stays at one of several rates"),
	UINT("link", "idle-time", link.idle_s, "0", 0, 86400, 1,
	     "seconds without traffic after which a link carries no cover; 0: it always does"),
	UINT("link", "mix-window", link.mix_window_ms, "0", 0, 1000, 1,
	     "milliseconds of which packets are kept to leave in random order; 0: those that wait anyway"),

	WORD("exit", "inner4", "100.96.0.0/12", parse_inner4, "IPv4 pool for circuits, or none"),
	BOOL("exit", "inner6", exit.inner6_enabled, "true", "give circuits IPv6 addresses"),
	LIST("exit", "resolver", parse_resolver,
	     "DNS resolvers for circuits, one IPv4 and one IPv6 at most, or local: at the circuits' gateway addresses"),
	WORD("exit", "pool4", NULL, parse_pool4,
	     "public IPv4 addresses that circuits leave with, FIRST-LAST or a prefix"),
	WORD("exit", "pool4-by", "circuit", parse_pool4_by,
	     "which of them: one for each circuit, or for each destination"),
	WORD("exit", "pool6", NULL, parse_pool6, "public IPv6 prefix in which each circuit has an address"),
	LIST("exit", "policy", parse_policy,
	     "where circuits may lead: \"accept|reject [tcp|udp|icmp] ADDRESS[:PORTS]\", \"preset default|reduced\"; "
	     "the first that fits counts, the rest is refused (default: preset default)"),
	UINT("exit", "flows-per-circuit", exit.limits.flows, "2048", 0, 1000000, 1,
	     "connections of a circuit at once, 0: any number"),
	UINT("exit", "new-flows-per-second", exit.limits.new_flows_per_second, "100", 0, 100000, 1,
	     "new connections of a circuit a second, 0: any number"),
	UINT("exit", "rate-per-circuit", exit.limits.kib_per_second, "0", 0, 4000000, 1,
	     "KiB a second of a circuit in each direction, 0: no limit"),
};

static const char *const sections[] = { NULL, "timings", "limits", "link", "exit" };
#define N_OPTIONS ARRAY_SIZE(options)
#define N_SECTIONS ARRAY_SIZE(sections)

/*
 * libconfuse takes the end of the file for the end of an open section or string, so a file cut short would be applied
 * in part. This option, put behind the text, must arrive at the top level.
 */
#define END_MARK "end-of-file"

#define WORD_MAX 192 /* of a list, with the final NUL */

/* libconfuse's callbacks take no context of ours. */
static struct {
	struct config *conf;
	const char *file;
	struct error *err;
	bool failed, ended;
	bool seen[N_OPTIONS];
	struct {
		unsigned int n; /* words applied */
		char last[WORD_MAX];
		bool closed;
	} lists[N_OPTIONS];
} parsing;

static bool same_section(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static const char *set_text(const struct option *o, const char *value, struct config *conf)
{
	char **field = (char **)((char *)conf + o->offset), *copy;

	if (value[0] == '\0')
		return "empty";
	copy = strdup(value);
	if (!copy)
		return "out of memory";
	free(*field);
	*field = copy;
	return NULL;
}

static void set_uint(const struct option *o, uint32_t value, struct config *conf)
{
	*(uint32_t *)((char *)conf + o->offset) = value * o->scale;
}

static uint32_t get_uint(const struct option *o, const struct config *conf)
{
	return *(const uint32_t *)((const char *)conf + o->offset) / o->scale;
}

static int set_default(const struct option *o, struct config *conf)
{
	const char *wrong = NULL;

	if (!o->def)
		return 0;
	switch (o->kind) {
	case KIND_TEXT:
		wrong = set_text(o, o->def, conf);
		break;
	case KIND_UINT:
		set_uint(o, (uint32_t)strtoul(o->def, NULL, 10), conf);
		break;
	case KIND_BOOL:
		*(bool *)((char *)conf + o->offset) = strcmp(o->def, "true") == 0;
		break;
	case KIND_WORD:
	case KIND_LIST:
		wrong = o->parse(o->def, conf);
		break;
	}
	return wrong ? -ENOMEM : 0; /* our own defaults are well-formed: only memory can lack */
}

static int defaults(struct config **ret)
{
	_cleanup_config_ struct config *conf = calloc(1, sizeof(*conf));
	int r = conf ? 0 : -ENOMEM;

	if (conf) {
		conf->timing = origin_timing_default;
		conf->limits = relay_limits_default;
	}
	for (size_t i = 0; i < N_OPTIONS && r == 0; i++)
		r = set_default(&options[i], conf);
	if (r < 0)
		return r;
	*ret = conf;
	conf = NULL;
	return 0;
}

/* One option was read. Returns what is wrong with it, or NULL. */
static const char *apply(const struct option *o, cfg_opt_t *opt, struct config *conf, char buf[96])
{
	long v;

	switch (o->kind) {
	case KIND_TEXT:
		return set_text(o, cfg_opt_getstr(opt), conf);
	case KIND_UINT:
		v = cfg_opt_getnint(opt, 0);
		if (v < (long)o->min || v > (long)o->max) {
			snprintf(buf, 96, "not from %u to %u", o->min, o->max);
			return buf;
		}
		set_uint(o, (uint32_t)v, conf);
		return NULL;
	case KIND_BOOL:
		*(bool *)((char *)conf + o->offset) = cfg_opt_getnbool(opt, 0);
		return NULL;
	case KIND_WORD:
	case KIND_LIST:
		break;
	}
	return o->parse(cfg_opt_getstr(opt), conf);
}

/* libconfuse calls after each word of a list and once more at its closing brace, if it has one. */
static const char *apply_word(size_t i, cfg_opt_t *opt)
{
	unsigned int n = cfg_opt_size(opt);
	const char *word = cfg_opt_getnstr(opt, n - 1), *wrong;

	if (!parsing.lists[i].closed && n == parsing.lists[i].n && strcmp(word, parsing.lists[i].last) == 0) {
		parsing.lists[i].closed = true;
		return NULL;
	}
	if (parsing.lists[i].closed || n != parsing.lists[i].n + 1)
		return "given twice";
	if (strlen(word) >= WORD_MAX)
		return "too long";
	wrong = options[i].parse(word, parsing.conf);
	parsing.lists[i].n = n;
	snprintf(parsing.lists[i].last, sizeof(parsing.lists[i].last), "%s", word);
	return wrong;
}

static int on_option(cfg_t *cfg, cfg_opt_t *opt)
{
	const char *section = strcmp(cfg_name(cfg), "root") == 0 ? NULL : cfg_name(cfg);
	const char *wrong;
	char buf[96];
	size_t i = 0;

	while (i < N_OPTIONS - 1 &&
	       !(same_section(options[i].section, section) && strcmp(options[i].name, cfg_opt_name(opt)) == 0))
		i++;
	if (options[i].kind == KIND_LIST)
		wrong = apply_word(i, opt);
	else
		wrong = parsing.seen[i] ? "given twice" : apply(&options[i], opt, parsing.conf, buf);
	parsing.seen[i] = true;
	if (wrong)
		cfg_error(cfg, "%s: %s", cfg_opt_name(opt), wrong);
	return wrong ? -1 : 0;
}

static int on_end(cfg_t *cfg, cfg_opt_t *opt)
{
	(void)cfg;
	(void)opt;
	parsing.ended = true;
	return 0;
}

/* The first complaint is the cause, later ones follow from it. */
static __attribute__((format(printf, 2, 0))) void on_error(cfg_t *cfg, const char *fmt, va_list ap)
{
	char text[160];

	if (parsing.failed)
		return;
	parsing.failed = true;
	vsnprintf(text, sizeof(text), fmt, ap);
	error_set(parsing.err, -EINVAL, "%s:%d: %s", parsing.file, cfg ? cfg->line : 0,
		  strstr(text, END_MARK) ? "the file ends inside a section" : text);
}

static cfg_opt_t confuse_option(const struct option *o)
{
	cfg_opt_t text = CFG_STR(o->name, NULL, CFGF_NONE), list = CFG_STR_LIST(o->name, NULL, CFGF_NONE),
		  num = CFG_INT(o->name, 0, CFGF_NONE), flag = CFG_BOOL(o->name, cfg_false, CFGF_NONE);

	switch (o->kind) {
	case KIND_UINT:
		return num;
	case KIND_BOOL:
		return flag;
	case KIND_LIST:
		return list;
	case KIND_TEXT:
	case KIND_WORD:
		break;
	}
	return text;
}

/* The table as libconfuse wants it: one array a section, subsections behind the top level's options. */
static cfg_t *make_parser(void)
{
	cfg_opt_t opts[N_SECTIONS][N_OPTIONS + N_SECTIONS + 1];
	cfg_opt_t end = CFG_END(), mark = CFG_BOOL(END_MARK, cfg_false, CFGF_NONE);
	size_t n[N_SECTIONS] = { 0 };
	char path[64];
	cfg_t *cfg;

	for (size_t s = N_SECTIONS; s-- > 0;) {
		for (size_t i = 0; i < N_OPTIONS; i++)
			if (same_section(options[i].section, sections[s]))
				opts[s][n[s]++] = confuse_option(&options[i]);
		for (size_t sub = 1; s == 0 && sub < N_SECTIONS; sub++) {
			cfg_opt_t sec = CFG_SEC(sections[sub], opts[sub], CFGF_NONE);

			opts[s][n[s]++] = sec;
		}
		if (s == 0)
			opts[s][n[s]++] = mark;
		opts[s][n[s]] = end;
	}
	cfg = cfg_init(opts[0], CFGF_NONE); /* copies the arrays */
	if (!cfg)
		return NULL;
	cfg_set_error_function(cfg, on_error);
	for (size_t i = 0; i < N_OPTIONS; i++) {
		snprintf(path, sizeof(path), "%s%s%s", options[i].section ? options[i].section : "",
			 options[i].section ? "|" : "", options[i].name);
		cfg_set_validate_func(cfg, path, on_option);
	}
	cfg_set_validate_func(cfg, END_MARK, on_end);
	return cfg;
}

static int check_path(const char *name, const char *path, size_t max, struct error *err)
{
	if (path[0] != '/')
		return error_set(err, -EINVAL, "%s: not an absolute path", name);
	if (strlen(path) > max)
		return error_set(err, -EINVAL, "%s: longer than %zu bytes", name, max);
	return 0;
}

/* Either a network file or authorities; and for these a relay says what it is. */
static int check_directory(const struct config *conf, struct error *err)
{
	bool key = !sodium_is_zero(conf->network_key, sizeof(conf->network_key));

	if (!conf->servers.n_keys && conf->servers.at.n)
		return error_set(err, -EINVAL, "mirrors: without authorities nothing of theirs can be trusted");
	if (!conf->servers.n_keys && !key)
		return error_set(err, -EINVAL,
				 "network-key: missing; without it, or authorities, no network can be trusted");
	if (!conf->servers.n_keys)
		return 0;
	if (key || strcmp(conf->network, CONFIG_NETWORK) != 0)
		return error_set(err, -EINVAL, "authorities: there is a network file too; it is either or");
	if (!(conf->roles & ROLE_RELAY))
		return 0;
	if (!conf->self.name[0])
		return error_set(err, -EINVAL, "name: missing; authorities are told the name of a relay");
	if (conf->self.addr4.s_addr == INADDR_ANY && IN6_IS_ADDR_UNSPECIFIED(&conf->self.addr6))
		return error_set(err, -EINVAL, "addresses: missing; authorities are told those of a relay");
	return 0;
}

/* What one option alone cannot tell. */
static int check(struct config *conf, struct error *err)
{
	if (conf->roles == 0)
		conf->roles = ROLE_CLIENT;
	if ((conf->roles & ROLE_CLIENT) && (conf->roles & ROLE_RELAY))
		return error_set(err, -EINVAL, "role: a relay cannot be a client too");
	if ((conf->roles & ROLE_GATEWAY) && !conf->lans.n)
		return error_set(err, -EINVAL, "lan: missing; a gateway has an interface to the hosts it serves");
	if (!(conf->roles & ROLE_GATEWAY) && conf->lans.n)
		return error_set(err, -EINVAL,
				 "lan: only a gateway has one; without this role its hosts are not protected");
	if (2 * conf->onion.overlap_s >= conf->onion.life_s)
		return error_set(err, -EINVAL, "onion-key-overlap: not less than half of onion-key-life");
	if (conf->n_groups && !(conf->roles & ROLE_CLIENT))
		return error_set(err, -EINVAL, "groups: only a client has some");
	if (path_rules_any(&conf->rules) && !(conf->roles & ROLE_CLIENT))
		return error_set(err, -EINVAL,
				 "exit-countries, never-countries, never-operators: only a client has paths");
	if (check_directory(conf, err) < 0)
		return -EINVAL;
	conf->replace_onion = conf->servers.n_keys && (conf->roles & ROLE_RELAY);
	if (check_path("network", conf->network, 4000, err) < 0 || check_path("keys", conf->keys, 4000, err) < 0 ||
	    check_path("run", conf->run, SOCKET_PATH_MAX - strlen("/control"), err) < 0 ||
	    check_path("state", conf->state, 4000, err) < 0 ||
	    check_path("vici", conf->vici, SOCKET_PATH_MAX, err) < 0 ||
	    (conf->fetch_program && check_path("fetch-program", conf->fetch_program, 4000, err) < 0))
		return -EINVAL;
	if ((conf->roles & ROLE_EXIT) && !conf->exit.inner4_enabled && !conf->exit.inner6_enabled)
		return error_set(err, -EINVAL, "exit: inner4 is none and inner6 is false: nothing could leave");
	if (conf->exit.resolver_local &&
	    (conf->exit.resolver4.s_addr != INADDR_ANY || !IN6_IS_ADDR_UNSPECIFIED(&conf->exit.resolver6)))
		return error_set(err, -EINVAL, "exit: resolver: either local or addresses");
	if (conf->exit.policy.n == 0)
		exit_policy_add(&conf->exit.policy, "preset default");
	return 0;
}

static int run_parser(const char *text, struct config *conf, const char *name, struct error *err)
{
	_cleanup_free_ char *marked = NULL;
	cfg_t *cfg;
	bool done;

	if (asprintf(&marked, "%s\n%s = true\n", text, END_MARK) < 0) {
		marked = NULL;
		return error_set(err, -ENOMEM, "%s: out of memory", name);
	}
	cfg = make_parser();
	if (!cfg)
		return error_set(err, -ENOMEM, "%s: out of memory", name);
	memset(&parsing, 0, sizeof(parsing));
	parsing.conf = conf;
	parsing.file = name;
	parsing.err = err;
	done = cfg_parse_buf(cfg, marked) == CFG_SUCCESS && !parsing.failed && parsing.ended;
	if (!done && !parsing.failed)
		error_set(err, -EINVAL, "%s: the file ends inside a string or a comment", name);
	cfg_free(cfg);
	memset(&parsing, 0, sizeof(parsing));
	return done ? 0 : -EINVAL;
}

int config_parse(const char *text, const char *name, struct config **ret, struct error *err)
{
	_cleanup_config_ struct config *conf = NULL;
	int r = defaults(&conf);

	if (r < 0)
		return error_set(err, r, "%s: out of memory", name);
	r = run_parser(text, conf, name, err);
	if (r < 0)
		return r;
	r = check(conf, err);
	if (r < 0)
		return error_prefix(err, r, "%s", name);
	*ret = conf;
	conf = NULL;
	return 0;
}

int config_load(const char *path, struct config **ret, struct error *err)
{
	_cleanup_free_ char *text = NULL;
	size_t len;
	int r = file_read(path, CONFIG_FILE_MAX, &text, &len, err);

	if (r < 0)
		return r;
	if (strlen(text) != len)
		return error_set(err, -EINVAL, "%s: it holds a zero byte", path);
	return config_parse(text, path, ret, err);
}

bool config_has_groups(const struct config *conf, const struct selection *sel)
{
	return ids_within(sel->groups, sel->n_groups, conf->groups, conf->n_groups);
}

void config_free(struct config *conf)
{
	if (!conf)
		return;
	free(conf->network);
	free(conf->fetch_program);
	free(conf->keys);
	free(conf->run);
	free(conf->state);
	free(conf->user);
	free(conf->group);
	free(conf->vici);
	free(conf);
}

int config_help(FILE *out)
{
	_cleanup_config_ struct config *conf = NULL;
	const char *section = NULL;
	int r = defaults(&conf);

	if (r < 0)
		return r;
	for (size_t i = 0; i < N_OPTIONS; i++) {
		const struct option *o = &options[i];

		if (!same_section(o->section, section))
			fprintf(out, "%s%s {\n", section ? "}\n" : "", o->section);
		section = o->section;
		fprintf(out, "%s%-30s %s", section ? "\t" : "", o->name, o->help);
		if (o->kind == KIND_UINT)
			fprintf(out, " (%u to %u; default %u)", o->min, o->max, get_uint(o, conf));
		else if (o->def)
			fprintf(out, " (default %s)", o->def);
		fputc('\n', out);
	}
	fputs("}\n", out);
	return ferror(out) ? -EIO : 0;
}
