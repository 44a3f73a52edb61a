/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Kernel checks come from the daemon, which has the privileges for them, or, if it does not run, from here; checks of
 * the host are always ours.
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <pwd.h>
#include <stdint.h>
#include <string.h>

#include "anonctl/ask.h"
#include "anonctl/client.h"
#include "anonctl/table.h"
#include "directory/file.h"
#include "directory/network.h"
#include "kernel/groups.h"
#include "kernel/probe.h"
#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/reply.h"

#define NETWORK_FILE "/etc/anond/network.json"
#define ACCOUNT "anond"

static bool listed(const json_t *list, const char *name)
{
	size_t i;
	json_t *c;

	json_array_foreach (list, i, c) {
		const char *other = json_string_value(json_object_get(c, "name"));

		if (other && !strcmp(other, name))
			return true;
	}
	return false;
}

/* What the daemon checks for its role too is listed once. */
static int add(json_t *list, const char *name, bool ok, bool needed, const char *hint)
{
	if (listed(list, name))
		return 0;
	return json_array_append_new(list, json_pack("{s:s, s:b, s:b, s:s}", "name", name, "ok", ok, "needed", needed,
						     "hint", ok || !hint ? "" : hint));
}

static int add_file(json_t *list, const char *name, const char *const *paths, bool needed, const char *hint)
{
	bool ok = false;

	for (; *paths && !ok; paths++)
		ok = access(*paths, R_OK) == 0;
	return add(list, name, ok, needed, hint);
}

static int add_sysctl(json_t *list, const char *name, const char *path, const char *hint)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	char value = '0';

	return add(list, name, fd >= 0 && read(fd, &value, 1) == 1 && value != '0', true, hint);
}

static int add_network(json_t *list, const struct arguments *a)
{
	const char *path = arguments_has(a, OPT_NETWORK) ? a->value[OPT_NETWORK] : NETWORK_FILE;
	_cleanup_network_ struct network *net = NULL;
	_cleanup_free_ char *text = NULL;
	uint8_t key[NETWORK_KEY_LEN];
	struct error err = { "" };
	size_t len;
	int r;

	if (listed(list, REPLY_CHECK_CONSENSUS) && !arguments_has(a, OPT_KEY) && !arguments_has(a, OPT_NETWORK))
		return 0; /* there is no network file */
	if (arguments_has(a, OPT_KEY)) {
		r = network_key_parse(a->value[OPT_KEY], key);
		if (r == 0)
			r = network_load(path, key, clock_wall_s(), &net, &err);
		else
			error_set(&err, r, "--key is not 32 bytes in base64");
		return add(list, "network file valid", r == 0, true, err.text);
	}
	r = file_read(path, NETWORK_FILE_MAX, &text, &len, &err);
	return add(list, "network file readable", r == 0, true, err.text);
}

static int host_checks(json_t *list, const struct arguments *a)
{
	static const char *const charon[] = { "/usr/sbin/charon-systemd", NULL }; /* scripts/anon-charon */
	static const char *const openssl[] = { "/usr/lib/ipsec/plugins/libstrongswan-openssl.so", NULL };
	static const char *const ip[] = { "/usr/sbin/ip", "/sbin/ip", "/usr/bin/ip", "/bin/ip", NULL };
	static const char *const nft[] = { "/usr/sbin/nft", "/sbin/nft", NULL };
	int r = 0;

	r |= add_file(list, "charon-systemd", charon, true, "install the package charon-systemd (strongSwan)");
	r |= add_file(list, "charon's X25519, Ed25519 and AES-GCM", openssl, true,
		      "install the package libstrongswan-standard-plugins");
	r |= add_file(list, "ip", ip, true, "install the package iproute2");
	r |= add_file(list, "nft", nft, false, "install nftables, to look at the rules");
	r |= add(list, "user " ACCOUNT, getpwnam(ACCOUNT) != NULL, false, "systemd-sysusers makes it");
	r |= add(list, "control groups (version 2) and the BPF file system", kernel_groups_possible(), false,
		 "mount them at /sys/fs/cgroup and /sys/fs/bpf, for circuits of groups");
	r |= add_network(list, a);
	if (arguments_has(a, OPT_RELAY) || arguments_has(a, OPT_EXIT))
		r |= add_sysctl(list, "IPv6 forwarding", "/proc/sys/net/ipv6/conf/all/forwarding",
				"sysctl net.ipv6.conf.all.forwarding=1");
	if (arguments_has(a, OPT_EXIT))
		r |= add_sysctl(list, "IPv4 forwarding", "/proc/sys/net/ipv4/ip_forward",
				"sysctl net.ipv4.ip_forward=1");
	return r;
}

static int local_kernel_checks(json_t *list, const struct arguments *a)
{
	bool relay = arguments_has(a, OPT_RELAY) || arguments_has(a, OPT_EXIT);
	_cleanup_free_ struct probe_result *results = NULL;
	size_t n = 0;
	unsigned int roles = (relay ? PROBE_RELAY : PROBE_CLIENT) | (arguments_has(a, OPT_GATEWAY) ? PROBE_GATEWAY : 0);
	int r = kernel_probe(roles, &results, &n);

	for (size_t i = 0; i < n && r == 0; i++)
		r = add(list, results[i].name, results[i].ok, results[i].needed,
			results[i].error == -EPERM ? "cannot be tried without root" : results[i].hint);
	return r;
}

/* 0, or an exit status after the sentence was printed. */
static int kernel_checks(const struct call *call, json_t *list)
{
	_cleanup_json_ json_t *args = json_object(), *body = NULL;
	struct answer a;
	struct error err;
	int r = client_request(call->socket, "doctor", args, ASK_TIMEOUT, &a, &err);

	if (r == -ECONNREFUSED || r == -EACCES) {
		r = add(list, "anond answers", false, false, err.text);
		return r || local_kernel_checks(list, call->args) < 0 ? call_fail(call, STATUS_FAILED, "out of memory")
								      : 0;
	}
	if (r < 0)
		return call_fail(call, ask_status(r), "%s", err.text);
	body = a.body;
	if (!answer_is_ok(&a))
		return ask_refused(call, &a);
	if (add(list, "anond answers", true, false, NULL) < 0 ||
	    json_array_extend(list, json_object_get(body, "checks")) < 0)
		return call_fail(call, STATUS_FAILED, "the daemon sent no checks");
	return 0;
}

/* Something that is needed lacks. A check that does not say counts as needed. */
static bool lacks(const json_t *list)
{
	size_t i;
	json_t *c;

	json_array_foreach (list, i, c) {
		if (!json_is_true(json_object_get(c, "ok")) && !json_is_false(json_object_get(c, "needed")))
			return true;
	}
	return false;
}

static const char *text_of(const json_t *check, const char *key)
{
	const char *s = json_string_value(json_object_get(check, key));

	return s ? s : "";
}

static void print(const json_t *list, FILE *out)
{
	size_t i;
	json_t *c;

	json_array_foreach (list, i, c) {
		bool ok = json_is_true(json_object_get(c, "ok"));
		bool needed = !json_is_false(json_object_get(c, "needed"));

		fprintf(out, "%-8s ", ok ? "ok" : needed ? "MISSING" : "advice");
		text_put(out, text_of(c, "name"));
		if (!ok && text_of(c, "hint")[0]) {
			fputs(": ", out);
			text_put(out, text_of(c, "hint"));
		}
		fputc('\n', out);
	}
}

int run_doctor(const struct call *call)
{
	_cleanup_json_ json_t *all = json_pack("{s:[]}", "checks");
	json_t *list = json_object_get(all, "checks");
	int status;

	if (!list)
		return call_fail(call, STATUS_FAILED, "out of memory");
	status = kernel_checks(call, list);
	if (status != STATUS_OK)
		return status;
	if (host_checks(list, call->args) != 0)
		return call_fail(call, STATUS_FAILED, "out of memory");
	if (arguments_has(call->args, OPT_JSON))
		put_json(all, call->out);
	else
		print(list, call->out);
	if (lacks(list))
		return call_fail(call, STATUS_NO_FEATURE, "this host lacks something that anond needs");
	return STATUS_OK;
}
