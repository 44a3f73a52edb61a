/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdint.h>
#include <string.h>

#include "anonctl/ask.h"
#include "anonctl/client.h"
#include "anonctl/table.h"
#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/reply.h"
#include "model/ids.h"
#include "model/path_rules.h"
#include "model/prefix.h"
#include "model/relay.h"
#include "model/selection.h"

#define ANSWER_MARGIN 10u /* seconds on top of --wait */
#define PROBE_TIMEOUT 90u /* seconds: two tries, each with a link to be made */

void put_json(const json_t *value, FILE *out)
{
	json_dumpf(value, out, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
	fputc('\n', out);
}

int ask_status(int error)
{
	switch (error) {
	case -ECONNREFUSED:
	case -ECONNRESET:
	case -ETIMEDOUT:
		return STATUS_UNREACHABLE;
	case -EACCES:
		return STATUS_REFUSED;
	default:
		return STATUS_FAILED;
	}
}

int ask_refused(const struct call *call, const struct answer *a)
{
	_cleanup_json_ json_t *j = json_pack("{s:i, s:s}", "code", a->code, "error", answer_error(a));

	if (arguments_has(call->args, OPT_JSON) && j)
		put_json(j, call->out);
	fputs("anonctl: ", call->err);
	text_put(call->err, answer_error(a));
	fputc('\n', call->err);
	return answer_status(a->code);
}

int ask(const struct call *call, json_t *args, unsigned int timeout_s, show_fn *show)
{
	_cleanup_json_ json_t *request = args, *body = NULL;
	struct show_time now;
	struct answer a;
	struct error err;
	int r;

	if (!request)
		return call_fail(call, STATUS_FAILED, "out of memory");
	r = client_request(call->socket, call->command->name, request, timeout_s, &a, &err);
	if (r < 0)
		return call_fail(call, ask_status(r), "%s", err.text);
	body = a.body;
	if (!answer_is_ok(&a))
		return ask_refused(call, &a);
	now = (struct show_time){ clock_wall_s(), clock_monotonic_ms() / 1000 };
	if (arguments_has(call->args, OPT_JSON))
		put_json(body, call->out);
	else
		show(body, &now, call->out);
	return STATUS_OK;
}

/* "a,b,c" as a list; one error for everything that is no path. */
static int add_path(json_t *args, const char *text, uint32_t hops, struct error *err)
{
	json_t *list = json_array();
	size_t n = 0;

	if (json_object_set_new(args, "path", list) < 0)
		return error_set(err, -ENOMEM, "out of memory");
	for (;;) {
		size_t len = strcspn(text, ",");

		if (len == 0 || len >= RELAY_PIN_MAX || ++n > HOPS_MAX)
			return error_set(err, -EINVAL,
					 "--path: not 1 to %d relay names or identities with commas between", HOPS_MAX);
		if (json_array_append_new(list, json_stringn(text, len)) < 0)
			return error_set(err, -EINVAL, "--path: not a relay name");
		if (text[len] == '\0')
			break;
		text += len + 1;
	}
	if (hops && hops != n)
		return error_set(err, -EINVAL, "--hops says %u, but --path has %zu relays", hops, n);
	return 0;
}

static int add_prefix(json_t *list, const char *option, const char *text, struct error *err)
{
	char canonical[PREFIX_TEXT_MAX];
	struct prefix p;

	if (prefix_parse(text, &p) < 0)
		return error_set(err, -EINVAL, "--%s: %.60s is no address or prefix such as 192.0.2.0/24", option,
				 text);
	prefix_format(&p, canonical);
	return json_array_append_new(list, json_string(canonical)) < 0 ? error_set(err, -ENOMEM, "out of memory") : 0;
}

/* --to, --from or --except, by their name also in the request. */
static int add_prefixes(json_t *args, const struct arguments *a, enum opt o, struct error *err)
{
	const char *name = option_infos[o].name;
	json_t *list = json_array();
	int r = json_object_set_new(args, name, list) < 0 ? error_set(err, -ENOMEM, "out of memory") : 0;

	for (size_t i = 0; i < a->n_values[o] && r == 0; i++) {
		const char *text = a->values[o][i];
		bool all = o == OPT_FROM && strcmp(text, "lan") == 0;

		r = add_prefix(list, name, all ? "0.0.0.0/0" : text, err);
		if (r == 0 && all)
			r = add_prefix(list, name, "::/0", err);
	}
	return r;
}

static bool user_by_name(const char *name, uint32_t *ret)
{
	const struct passwd *pw = getpwnam(name);

	*ret = pw ? pw->pw_uid : 0;
	return pw;
}

static bool group_by_name(const char *name, uint32_t *ret)
{
	const struct group *gr = getgrnam(name);

	*ret = gr ? gr->gr_gid : 0;
	return gr;
}

/* --user or --group: names or numbers. */
static int add_owners(json_t *args, const struct arguments *a, enum opt o, struct error *err)
{
	const char *option = option_infos[o].name;
	json_t *list = json_array();

	if (json_object_set_new(args, o == OPT_USER ? "users" : "groups", list) < 0)
		return error_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < a->n_values[o]; i++) {
		const char *name = a->values[o][i];
		uint32_t id;
		bool known = o == OPT_USER ? user_by_name(name, &id) : group_by_name(name, &id);

		if (!known && arguments_number(option, name, 0, UINT32_MAX - 1, &id, err) < 0)
			return error_set(err, -EINVAL, "--%s: there is no %s %.60s", option, option, name);
		if (json_array_append_new(list, json_integer(id)) < 0)
			return error_set(err, -ENOMEM, "out of memory");
	}
	return 0;
}

/* Without a protocol both are meant. */
static int add_ports(json_t *args, const struct arguments *a, struct error *err)
{
	static const char *const protos[] = { "tcp/", "udp/" };
	json_t *list = json_array();

	if (json_object_set_new(args, "ports", list) < 0)
		return error_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < a->n_values[OPT_PORT]; i++) {
		const char *said = a->values[OPT_PORT][i];
		bool one = strchr(said, '/');

		for (size_t k = 0; k < (one ? 1 : ARRAY_SIZE(protos)); k++) {
			char text[32];
			struct port_range r;

			snprintf(text, sizeof(text), "%s%.24s", one ? "" : protos[k], said);
			if (strlen(said) > 24 || routed_ports_parse(text, &r) < 0)
				return error_set(err, -EINVAL,
						 "--port: %.60s is no port such as 443 or udp/5000-5010, up to 65534",
						 said);
			if (json_array_append_new(list, json_string(text)) < 0)
				return error_set(err, -ENOMEM, "out of memory");
		}
	}
	return 0;
}

/* "CH,AT", perhaps several times. */
static int add_countries(json_t *args, const struct arguments *a, enum opt o, const char *member, struct error *err)
{
	struct countries c = { .n = 0 };
	json_t *list = json_array();

	for (size_t i = 0; i < a->n_values[o]; i++)
		for (const char *text = a->values[o][i];; text++) {
			char code[4] = "";
			const char *wrong;
			size_t len = strcspn(text, ",");

			memcpy(code, text, len < sizeof(code) ? len : sizeof(code) - 1);
			wrong = countries_add(&c, code);
			if (wrong) {
				json_decref(list);
				return error_set(err, -EINVAL, "--%s: %.40s is %s", option_infos[o].name, text, wrong);
			}
			text += len;
			if (!*text)
				break;
		}
	for (size_t i = 0; i < c.n; i++)
		json_array_append_new(list, json_string(c.v[i]));
	return json_object_set_new(args, member, list) < 0 ? error_set(err, -ENOMEM, "out of memory") : 0;
}

static int add_operators(json_t *args, const struct arguments *a, struct error *err)
{
	struct path_rules rules = { .n_never_operators = 0 };
	json_t *list = json_array();

	for (size_t i = 0; i < a->n_values[OPT_NOT_OPERATOR]; i++) {
		const char *text = a->values[OPT_NOT_OPERATOR][i], *wrong = path_rules_add_operator(&rules, text);

		if (wrong) {
			json_decref(list);
			return error_set(err, -EINVAL, "--not-operator: %.60s: %s", text, wrong);
		}
		json_array_append_new(list, json_string(text));
	}
	return json_object_set_new(args, "never_operators", list) < 0 ? error_set(err, -ENOMEM, "out of memory") : 0;
}

/* What is wished of relays that are drawn. */
static int add_rules(json_t *args, const struct arguments *a, struct error *err)
{
	static const enum opt options[] = { OPT_EXIT_COUNTRY, OPT_NOT_COUNTRY, OPT_NOT_OPERATOR, OPT_MIN_LIFE };
	uint32_t life;
	int r = 0;

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		if (arguments_has(a, options[i]) && arguments_has(a, OPT_PATH))
			return error_set(err, -EINVAL, "--path and --%s exclude each other",
					 option_infos[options[i]].name);
	if (arguments_has(a, OPT_EXIT_COUNTRY))
		r = add_countries(args, a, OPT_EXIT_COUNTRY, "exit_countries", err);
	if (r == 0 && arguments_has(a, OPT_NOT_COUNTRY))
		r = add_countries(args, a, OPT_NOT_COUNTRY, "never_countries", err);
	if (r == 0 && arguments_has(a, OPT_NOT_OPERATOR))
		r = add_operators(args, a, err);
	if (r == 0 && arguments_has(a, OPT_MIN_LIFE))
		r = arguments_number("--min-life", a->value[OPT_MIN_LIFE], 1, RULES_LIFE_MAX, &life, err);
	if (r == 0 && arguments_has(a, OPT_MIN_LIFE) && json_object_set_new(args, "min_life", json_integer(life)) < 0)
		r = error_set(err, -ENOMEM, "out of memory");
	return r;
}

static int add_wait(json_t *args, const struct arguments *a, uint32_t *ret, struct error *err)
{
	uint32_t wait = arguments_has(a, OPT_NO_WAIT) ? 0 : REPLY_WAIT_DEFAULT;
	int r = 0;

	if (arguments_has(a, OPT_WAIT) && arguments_has(a, OPT_NO_WAIT))
		return error_set(err, -EINVAL, "--wait and --no-wait exclude each other");
	if (arguments_has(a, OPT_WAIT))
		r = arguments_number("--wait", a->value[OPT_WAIT], 1, REPLY_WAIT_MAX, &wait, err);
	if (r == 0 && json_object_set_new(args, "wait", json_integer(wait)) < 0)
		r = error_set(err, -ENOMEM, "out of memory");
	if (r == 0)
		*ret = wait;
	return r;
}

static int up_args(const struct arguments *a, json_t *args, uint32_t *ret_wait, struct error *err)
{
	uint32_t hops = 0;
	int r = 0;

	if (arguments_has(a, OPT_HOPS))
		r = arguments_number("--hops", a->value[OPT_HOPS], 1, HOPS_MAX, &hops, err);
	if (r == 0 && hops && json_object_set_new(args, "hops", json_integer(hops)) < 0)
		r = error_set(err, -ENOMEM, "out of memory");
	if (r == 0 && arguments_has(a, OPT_PATH))
		r = add_path(args, a->value[OPT_PATH], hops, err);
	if (r == 0 && arguments_has(a, OPT_TO) && arguments_has(a, OPT_FROM))
		r = error_set(err, -EINVAL, "--to and --from exclude each other");
	if (r == 0 && arguments_has(a, OPT_TO))
		r = add_prefixes(args, a, OPT_TO, err);
	if (r == 0 && arguments_has(a, OPT_FROM))
		r = add_prefixes(args, a, OPT_FROM, err);
	if (r == 0 && arguments_has(a, OPT_EXCEPT))
		r = add_prefixes(args, a, OPT_EXCEPT, err);
	if (r == 0 && arguments_has(a, OPT_USER))
		r = add_owners(args, a, OPT_USER, err);
	if (r == 0 && arguments_has(a, OPT_GROUP))
		r = add_owners(args, a, OPT_GROUP, err);
	if (r == 0 && arguments_has(a, OPT_PORT))
		r = add_ports(args, a, err);
	if (r == 0)
		r = add_rules(args, a, err);
	return r < 0 ? r : add_wait(args, a, ret_wait, err);
}

int run_circuit_up(const struct call *call)
{
	_cleanup_json_ json_t *args = json_object();
	struct error err;
	uint32_t wait = 0;
	int r = args ? up_args(call->args, args, &wait, &err) : error_set(&err, -ENOMEM, "out of memory");

	if (r < 0)
		return call_fail(call, r == -EINVAL ? STATUS_USAGE : STATUS_FAILED, "%s", err.text);
	return ask(call, json_incref(args), wait + ANSWER_MARGIN, show_circuit_up);
}

static int parse_id(const struct call *call, uint32_t *ret)
{
	struct error err;

	if (arguments_number("ID", call->operands[0], 1, UINT32_MAX, ret, &err) < 0)
		return call_fail(call, STATUS_USAGE, "%s", err.text);
	return STATUS_OK;
}

/* One circuit or all of them, as the daemon wants it: STATUS_OK, and *ret (NULL: out of memory). */
static int id_or_all(const struct call *call, json_t **ret)
{
	uint32_t id;

	if (arguments_has(call->args, OPT_ALL) == (call->n_operands == 1))
		return call_fail(call, STATUS_USAGE, "%s needs either an ID or --all", call->command->name);
	if (arguments_has(call->args, OPT_ALL)) {
		*ret = json_pack("{s:b}", "all", 1);
		return STATUS_OK;
	}
	if (parse_id(call, &id) != STATUS_OK)
		return STATUS_USAGE;
	*ret = json_pack("{s:I}", "id", (json_int_t)id);
	return STATUS_OK;
}

int run_circuit_new(const struct call *call)
{
	_cleanup_json_ json_t *args = NULL;
	struct error err;
	uint32_t wait = 0;
	int status = id_or_all(call, &args);

	if (status != STATUS_OK)
		return status;
	if (!args || arguments_has(call->args, OPT_ALL))
		return ask(call, json_incref(args), ASK_TIMEOUT, show_circuit_new);
	if (add_wait(args, call->args, &wait, &err) < 0)
		return call_fail(call, STATUS_USAGE, "%s", err.text);
	return ask(call, json_incref(args), wait + ANSWER_MARGIN, show_circuit_new);
}

int run_circuit_down(const struct call *call)
{
	json_t *args = NULL;
	int status = id_or_all(call, &args);

	return status == STATUS_OK ? ask(call, args, ASK_TIMEOUT, show_circuit_down) : status;
}

int run_circuit_show(const struct call *call)
{
	uint32_t id;

	if (parse_id(call, &id) != STATUS_OK)
		return STATUS_USAGE;
	return ask(call, json_pack("{s:I}", "id", (json_int_t)id), ASK_TIMEOUT, show_circuit);
}

int run_circuit_list(const struct call *call)
{
	return ask(call, json_object(), ASK_TIMEOUT, show_circuit_list);
}

int run_relay_list(const struct call *call)
{
	return ask(call, json_object(), ASK_TIMEOUT, show_relay_list);
}

int run_link_list(const struct call *call)
{
	return ask(call, json_object(), ASK_TIMEOUT, show_link_list);
}

int run_status(const struct call *call)
{
	return ask(call, json_object(), ASK_TIMEOUT, show_status);
}

int run_off(const struct call *call)
{
	return ask(call, json_object(), ASK_TIMEOUT, show_circuit_down);
}

int run_drain(const struct call *call)
{
	uint32_t deadline = REPLY_DRAIN_DEFAULT;
	struct error err;

	if (arguments_has(call->args, OPT_CANCEL) && arguments_has(call->args, OPT_DEADLINE))
		return call_fail(call, STATUS_USAGE, "--cancel and --deadline exclude each other");
	if (arguments_has(call->args, OPT_CANCEL))
		return ask(call, json_pack("{s:b}", "cancel", 1), ASK_TIMEOUT, show_drain);
	if (arguments_has(call->args, OPT_DEADLINE) &&
	    arguments_number("--deadline", call->args->value[OPT_DEADLINE], 0, REPLY_DRAIN_MAX, &deadline, &err) < 0)
		return call_fail(call, STATUS_USAGE, "%s", err.text);
	return ask(call, json_pack("{s:I}", "deadline", (json_int_t)deadline), ASK_TIMEOUT, show_drain);
}

int run_reload(const struct call *call)
{
	return ask(call, json_object(), ASK_TIMEOUT, show_reload);
}

int run_probe(const struct call *call)
{
	_cleanup_json_ json_t *args = json_pack("{s:s}", "relay", call->operands[0]), *body = NULL;
	struct answer a;
	struct error err;
	int r;

	if (!args)
		return call_fail(call, STATUS_USAGE, "not a relay's name or identity");
	r = client_request(call->socket, call->command->name, args, PROBE_TIMEOUT, &a, &err);
	if (r < 0)
		return call_fail(call, ask_status(r), "%s", err.text);
	body = a.body;
	if (!answer_is_ok(&a))
		return ask_refused(call, &a);
	if (arguments_has(call->args, OPT_JSON))
		put_json(body, call->out);
	else
		show_probe(body, call->out);
	return json_is_true(json_object_get(body, "answers")) ? STATUS_OK : STATUS_SILENT;
}
