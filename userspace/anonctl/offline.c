/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "anonctl/command.h"
#include "directory/descriptor.h"
#include "directory/family.h"
#include "directory/file.h"
#include "directory/keys.h"
#include "directory/network.h"
#include "directory/onion_store.h"
#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/secmem.h"

#define CLOCK_SKEW 3600u /* seconds: a new file is valid for clocks that are so much behind */
#define PUB_FILE_MAX 256u

static int fail(const struct call *call, int error, const struct error *err)
{
	return call_fail(call, error == -EACCES || error == -EPERM ? STATUS_REFUSED : STATUS_FAILED, "%s", err->text);
}

static int make_key(const struct call *call, int (*make)(const char *file, struct error *err))
{
	struct error err;
	int r = make(call->operands[0], &err);

	if (r < 0)
		return fail(call, r, &err);
	fprintf(call->out, "secret key in %s, public key in %s.pub\n", call->operands[0], call->operands[0]);
	return STATUS_OK;
}

int run_key_network(const struct call *call)
{
	return make_key(call, network_key_make);
}

int run_key_authority(const struct call *call)
{
	return make_key(call, authority_key_make);
}

int run_key_family(const struct call *call)
{
	return make_key(call, family_key_make);
}

/* Where the family's key is, which need not be where the relay is: of that only its public identity is wanted. */
int run_family_proof(const struct call *call)
{
	const char *identity = call->operands[0];
	_cleanup_secmem_ uint8_t *seed = NULL;
	char text[FAMILY_PROOF_TEXT];
	struct family_proof proof;
	struct relay_id id;
	struct error err;
	int r;

	if (base64_parse(identity, strlen(identity), id.b, sizeof(id.b)) < 0)
		return call_fail(call, STATUS_USAGE, "IDENTITY: not 32 bytes in base64");
	r = family_key_load(call->args->value[OPT_KEY], &seed, &err);
	if (r < 0)
		return fail(call, r, &err);
	family_proof_make(&id, seed, &proof);
	family_proof_format(&proof, text);
	fprintf(call->out, "%s\n", text);
	return STATUS_OK;
}

int run_key_relay(const struct call *call)
{
	struct error err;
	int r = relay_keys_make(call->operands[0], &err);

	if (r < 0)
		return fail(call, r, &err);
	fprintf(call->out, "keys in %s\n", call->operands[0]);
	return STATUS_OK;
}

static int add_address(const char *text, struct relay *relay, struct error *err)
{
	struct in6_addr a6;
	struct in_addr a4;

	if (inet_pton(AF_INET, text, &a4) == 1) {
		if (relay->addr4.s_addr != INADDR_ANY)
			return error_set(err, -EINVAL, "--address: at most one IPv4 address");
		relay->addr4 = a4;
		return 0;
	}
	if (inet_pton(AF_INET6, text, &a6) == 1) {
		if (!IN6_IS_ADDR_UNSPECIFIED(&relay->addr6))
			return error_set(err, -EINVAL, "--address: at most one IPv6 address");
		relay->addr6 = a6;
		return 0;
	}
	return error_set(err, -EINVAL, "--address: %.60s is no IP address", text);
}

/* The relay's present onion key: of its state directory if it is named and has one, else the first. */
static int add_onion(const struct arguments *a, const struct relay_keys *keys, struct relay *relay, struct error *err)
{
	_cleanup_onion_keys_ struct onion_keys *onion = NULL;
	struct relay_facts facts = { .relay = *relay };
	const char *dir = a->value[OPT_KEYS], *state = arguments_has(a, OPT_STATE) ? a->value[OPT_STATE] : NULL;
	int r = onion_keys_open(state, dir, &keys->id, false, clock_wall_s(), &onion, err);

	if (r < 0)
		return r;
	onion_keys_facts(onion, &facts);
	*relay = facts.relay;
	return 0;
}

int run_relay_descriptor(const struct call *call)
{
	const struct arguments *a = call->args;
	_cleanup_relay_keys_ struct relay_keys *keys = NULL;
	_cleanup_free_ char *text = NULL;
	struct relay relay = { .guard = arguments_has(a, OPT_GUARD), .exit = arguments_has(a, OPT_EXIT) };
	size_t name_len = strlen(a->value[OPT_NAME]);
	struct error err;
	int r;

	if (name_len >= sizeof(relay.name))
		return call_fail(call, STATUS_USAGE, "--name: longer than %d characters", RELAY_NAME_MAX - 1);
	memcpy(relay.name, a->value[OPT_NAME], name_len);
	for (size_t i = 0; i < a->n_values[OPT_ADDRESS]; i++)
		if (add_address(a->values[OPT_ADDRESS][i], &relay, &err) < 0)
			return call_fail(call, STATUS_USAGE, "%s", err.text);
	r = relay_keys_load(a->value[OPT_KEYS], &keys, &err);
	if (r == 0)
		r = add_onion(a, keys, &relay, &err);
	if (r < 0)
		return fail(call, r, &err);
	relay.id = keys->id;
	memcpy(relay.link_key, keys->link_public, sizeof(relay.link_key));
	r = descriptor_make(&relay, keys->identity_seed, &text, &err);
	if (r == -EINVAL)
		return call_fail(call, STATUS_USAGE, "%s", err.text);
	if (r < 0)
		return fail(call, r, &err);
	fprintf(call->out, "%s\n", text);
	return STATUS_OK;
}

static int read_descriptor(const char *path, struct relay *ret, struct error *err)
{
	_cleanup_free_ char *text = NULL;
	size_t len;
	int r = file_read(path, DESCRIPTOR_MAX, &text, &len, err);

	if (r < 0)
		return r;
	r = descriptor_parse(text, len, ret, err);
	return r < 0 ? error_prefix(err, r, "%s", path) : 0;
}

static int write_network(const char *path, const void *text, size_t len, const uint8_t *seed, struct error *err)
{
	_cleanup_free_ char *sig_path = NULL;
	char sig[NETWORK_SIG_TEXT], line[NETWORK_SIG_TEXT + 1];
	int r;

	if (asprintf(&sig_path, "%s.sig", path) < 0) {
		sig_path = NULL;
		return error_set(err, -ENOMEM, "out of memory");
	}
	network_sign(text, len, seed, sig);
	snprintf(line, sizeof(line), "%s\n", sig);
	/* Between the two a reader finds a signature that does not match, and keeps what it has. */
	r = file_replace(path, text, len, 0644, err);
	return r < 0 ? r : file_replace(sig_path, line, strlen(line), 0644, err);
}

static int make(const struct call *call, struct network *net, struct error *err)
{
	_cleanup_secmem_ uint8_t *seed = NULL;
	_cleanup_free_ char *text = NULL;
	size_t len = 0;
	int r = 0;

	net->relays = calloc(call->n_operands, sizeof(*net->relays));
	if (!net->relays)
		return error_set(err, -ENOMEM, "out of memory");
	for (; net->n_relays < call->n_operands && r == 0; net->n_relays++)
		r = read_descriptor(call->operands[net->n_relays], &net->relays[net->n_relays], err);
	if (r == 0)
		r = network_key_load(call->args->value[OPT_KEY], &seed, err);
	if (r == 0)
		r = network_make(net, &text, &len, err);
	return r < 0 ? r : write_network(call->args->value[OPT_OUT], text, len, seed, err);
}

int run_network_make(const struct call *call)
{
	const struct arguments *a = call->args;
	uint64_t now = clock_wall_s();
	uint32_t days, mtu = NETWORK_MTU_DEFAULT;
	struct network net = { 0 };
	struct error err;
	int r = arguments_number("--days", a->value[OPT_DAYS], 1, NETWORK_DAYS_MAX - 1, &days, &err);

	if (r == 0 && arguments_has(a, OPT_LINK_MTU))
		r = arguments_number("--link-mtu", a->value[OPT_LINK_MTU], NETWORK_MTU_MIN, NETWORK_MTU_MAX, &mtu,
				     &err);
	if (r < 0)
		return call_fail(call, STATUS_USAGE, "%s", err.text);
	net.valid_from = now - CLOCK_SKEW;
	net.valid_until = now + days * UINT64_C(86400);
	net.link_mtu = (uint16_t)mtu;
	r = make(call, &net, &err);
	free(net.relays);
	if (r < 0)
		return fail(call, r, &err);
	fprintf(call->out, "%s: %zu relays, valid for %u days\n", a->value[OPT_OUT], call->n_operands, days);
	return STATUS_OK;
}

/* --key is the public key itself or a file that holds it. */
static int public_key(const char *arg, uint8_t ret[NETWORK_KEY_LEN], struct error *err)
{
	_cleanup_free_ char *text = NULL;
	size_t len;
	int r;

	if (network_key_parse(arg, ret) == 0)
		return 0;
	r = file_read(arg, PUB_FILE_MAX, &text, &len, err);
	if (r < 0)
		return error_set(err, r, "--key: neither a public key in base64 nor a file that can be read");
	if (network_key_parse(text, ret) < 0)
		return error_set(err, -EINVAL, "%s: not a public key in base64", arg);
	return 0;
}

int run_network_verify(const struct call *call)
{
	_cleanup_network_ struct network *net = NULL;
	uint8_t key[NETWORK_KEY_LEN];
	struct error err;
	int r = public_key(call->args->value[OPT_KEY], key, &err);

	if (r == 0)
		r = network_load(call->operands[0], key, clock_wall_s(), &net, &err);
	if (r < 0)
		return fail(call, r, &err);
	fprintf(call->out, "%s: good signature, %zu relays, valid for %ju more hours\n", call->operands[0],
		net->n_relays, (uintmax_t)((net->valid_until - clock_wall_s()) / 3600));
	return STATUS_OK;
}
