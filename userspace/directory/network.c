/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "directory/network.h"

#include <errno.h>
#include <jansson.h>
#include <sodium.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "crypto/sign.h"
#include "directory/field.h"
#include "directory/file.h"
#include "directory/network_index.h"
#include "directory/relay_json.h"
#include "lib/base64.h"
#include "lib/clock.h"
#include "model/relay_traits.h"

#define SIG_FILE_MAX 128u	       /* bytes of FILE.sig */
#define TIME_TEXT "%Y-%m-%d %H:%M UTC" /* for people */

/* One member that no two relays may share. */
struct unique {
	const char *name;
	size_t offset, len;
	bool optional; /* all zero: absent */
};

#define UNIQUE(member, text, opt)                                                                                      \
	{                                                                                                              \
		text, offsetof(struct relay, member), sizeof(((struct relay *)0)->member), opt                         \
	}
static const struct unique unique_id = UNIQUE(id, "identity", false);
static const struct unique unique_others[] = {
	UNIQUE(name, "name", false),	 UNIQUE(onion_key, "onion-key", false), UNIQUE(link_key, "link-key", false),
	UNIQUE(addr4, "address4", true), UNIQUE(addr6, "address6", true),
};

static void cleanup_json(json_t **p)
{
	json_decref(*p);
}

static const uint8_t *member_of(const struct relay *r, const struct unique *u)
{
	return (const uint8_t *)r + u->offset;
}

/* Names are zero-padded (relay_from_json starts from zero), so memcmp orders them too. */
static int compare(const void *a, const void *b, void *unique)
{
	const struct relay *const *x = a, *const *y = b;
	const struct unique *u = unique;

	return memcmp(member_of(*x, u), member_of(*y, u), u->len);
}

/* Sorts the n relays of v by u and refuses two of the same. */
static int sort_unique(const struct relay **v, size_t n, const struct unique *u, struct error *err)
{
	qsort_r(v, n, sizeof(*v), compare, (void *)u);
	for (size_t i = 1; i < n; i++) {
		const uint8_t *m = member_of(v[i], u);

		if (memcmp(member_of(v[i - 1], u), m, u->len) != 0 || (u->optional && sodium_is_zero(m, u->len)))
			continue;
		return error_set(err, -EINVAL, "relays %s and %s have the same %s", v[i - 1]->name, v[i]->name,
				 u->name);
	}
	return 0;
}

static int make_index(struct network_indexed *ix, struct error *err)
{
	size_t n = ix->net.n_relays;
	int r = 0;

	for (size_t i = 0; i < n; i++)
		ix->by_id[i] = &ix->net.relays[i];
	for (size_t i = 0; i < ARRAY_SIZE(unique_others) && r == 0; i++)
		r = sort_unique(ix->by_id, n, &unique_others[i], err);
	return r < 0 ? r : sort_unique(ix->by_id, n, &unique_id, err);
}

struct network_indexed *network_allocate(size_t relays)
{
	struct network_indexed *ix = calloc(1, sizeof(*ix));

	if (!ix)
		return NULL;
	ix->by_id = calloc(relays + 1, sizeof(*ix->by_id));
	ix->net.relays = calloc(relays + 1, sizeof(*ix->net.relays));
	ix->net.traits = calloc(relays + 1, sizeof(*ix->net.traits));
	ix->net.weights = calloc(relays + 1, sizeof(*ix->net.weights));
	if (ix->by_id && ix->net.relays && ix->net.traits && ix->net.weights)
		return ix;
	network_free(&ix->net);
	return NULL;
}

static int parse_relays(const json_t *list, bool newer, struct network *net, struct error *err)
{
	json_t *obj;
	size_t i;
	int r;

	json_array_foreach (list, i, obj) {
		r = relay_from_json(obj, &net->relays[i], err);
		if (r == 0 && !newer)
			r = relay_json_only(obj, NULL, err);
		if (r < 0)
			return error_prefix(err, r, "relays[%zu]", i);
		net->weights[i] = 1;
		net->n_relays++;
	}
	return 0;
}

static int parse_head(json_t *root, struct network *net, bool *ret_newer, struct error *err)
{
	static const char *const members[] = { "version", "minor", "valid-from", "valid-until", "link-mtu", "relays" };
	uint64_t version, minor, mtu;
	int r;

	r = field_uint(root, "version", 0, INT64_MAX, &version, err);
	if (r < 0)
		return r;
	if (version != NETWORK_VERSION)
		return error_set(err, -EPROTONOSUPPORT, "version: this program reads %d, not %ju", NETWORK_VERSION,
				 (uintmax_t)version);
	r = field_uint(root, "minor", 0, INT64_MAX, &minor, err);
	if (r < 0)
		return r;
	*ret_newer = minor > NETWORK_MINOR;
	if (!*ret_newer)
		r = field_only(root, members, ARRAY_SIZE(members), err);
	if (r < 0 || field_uint(root, "valid-from", 0, CLOCK_WALL_MAX, &net->valid_from, err) < 0 ||
	    field_uint(root, "valid-until", 0, CLOCK_WALL_MAX, &net->valid_until, err) < 0 ||
	    field_uint(root, "link-mtu", NETWORK_MTU_MIN, NETWORK_MTU_MAX, &mtu, err) < 0)
		return -EINVAL;
	if (net->valid_from >= net->valid_until)
		return error_set(err, -EINVAL, "valid-until: not after valid-from");
	if (net->valid_until - net->valid_from > NETWORK_DAYS_MAX * UINT64_C(86400))
		return error_set(err, -EINVAL, "valid-until: more than %u days after valid-from", NETWORK_DAYS_MAX);
	net->link_mtu = (uint16_t)mtu;
	return 0;
}

/* Everything but the signature and the clock. */
static int parse_content(const void *file, size_t len, struct network **ret, struct error *err)
{
	_cleanup_(cleanup_json) json_t *root = NULL;
	_cleanup_network_ struct network *net = NULL;
	struct network_indexed *ix;
	const json_t *list;
	json_error_t je;
	bool newer = false;
	int r;

	if (len > NETWORK_FILE_MAX)
		return error_set(err, -EFBIG, "larger than %u bytes", NETWORK_FILE_MAX);
	root = json_loadb(file, len, JSON_REJECT_DUPLICATES, &je);
	if (!root)
		return error_set(err, -EINVAL, "line %d: %s", je.line, je.text);
	if (!json_is_object(root))
		return error_set(err, -EINVAL, "line 1: not an object");
	list = json_object_get(root, "relays");
	if (json_array_size(list) > NETWORK_RELAYS_MAX)
		return error_set(err, -EFBIG, "relays: more than %u", NETWORK_RELAYS_MAX);
	ix = network_allocate(json_array_size(list));
	if (!ix)
		return error_set(err, -ENOMEM, "out of memory");
	net = &ix->net;
	r = parse_head(root, net, &newer, err);
	if (r == 0 && !json_is_array(list))
		r = error_set(err, -EINVAL, "relays: not a list");
	if (r == 0)
		r = parse_relays(list, newer, net, err);
	if (r == 0)
		r = make_index(ix, err);
	if (r < 0)
		return r;
	*ret = net;
	net = NULL;
	return 0;
}

static const char *time_text(uint64_t s, char buf[32])
{
	time_t t = (time_t)s;
	struct tm tm;

	if (!gmtime_r(&t, &tm) || strftime(buf, 32, TIME_TEXT, &tm) == 0)
		return "?";
	return buf;
}

static int check_time(const struct network *net, uint64_t now_s, struct error *err)
{
	char buf[32];

	if (now_s < net->valid_from)
		return error_set(err, -EAGAIN, "not valid before %s; is the clock right?",
				 time_text(net->valid_from, buf));
	if (now_s > net->valid_until)
		return error_set(err, -EKEYEXPIRED, "expired on %s; fetch a newer network file",
				 time_text(net->valid_until, buf));
	return 0;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Strips the white space around text: an editor's or echo's newline does no harm. */
static const char *trim(const char *text, size_t *len)
{
	while (*len > 0 && is_space(*text)) {
		text++;
		(*len)--;
	}
	while (*len > 0 && is_space(text[*len - 1]))
		(*len)--;
	return text;
}

static int verify(const void *file, size_t len, const char *sig, size_t sig_len, const uint8_t *key, struct error *err)
{
	uint8_t s[crypto_sign_BYTES];

	sig = trim(sig, &sig_len);
	if (sig_len == 0)
		return error_set(err, -ENODATA, "not signed");
	if (base64_parse(sig, sig_len, s, sizeof(s)) < 0)
		return error_set(err, -EKEYREJECTED, "the signature is not %d bytes in base64", crypto_sign_BYTES);
	if (crypto_sign_verify_detached(s, file, len, key) != 0)
		return error_set(err, -EKEYREJECTED,
				 "the signature does not match: the file was altered, or another key signed it");
	return 0;
}

int network_parse(const void *file, size_t len, const void *sig, size_t sig_len, const uint8_t key[NETWORK_KEY_LEN],
		  uint64_t now_s, struct network **ret, struct error *err)
{
	_cleanup_network_ struct network *net = NULL;
	int r;

	r = verify(file, len, sig, sig_len, key, err);
	if (r == 0)
		r = parse_content(file, len, &net, err);
	if (r == 0)
		r = check_time(net, now_s, err);
	if (r < 0)
		return r;
	*ret = net;
	net = NULL;
	return 0;
}

int network_load(const char *path, const uint8_t key[NETWORK_KEY_LEN], uint64_t now_s, struct network **ret,
		 struct error *err)
{
	_cleanup_free_ char *file = NULL, *sig = NULL, *sig_path = NULL;
	size_t len, sig_len;
	int r;

	if (asprintf(&sig_path, "%s.sig", path) < 0) {
		sig_path = NULL;
		return error_set(err, -ENOMEM, "out of memory");
	}
	r = file_read(path, NETWORK_FILE_MAX, &file, &len, err);
	if (r < 0)
		return r;
	r = file_read(sig_path, SIG_FILE_MAX, &sig, &sig_len, err);
	if (r == -ENOENT)
		return error_set(err, -ENODATA, "%s: not signed: there is no %s", path, sig_path);
	if (r < 0)
		return r;
	r = network_parse(file, len, sig, sig_len, key, now_s, ret, err);
	return r < 0 ? error_prefix(err, r, "%s", path) : 0;
}

int network_empty(uint16_t link_mtu, struct network **ret)
{
	struct network_indexed *ix = network_allocate(0);

	if (!ix)
		return -ENOMEM;
	ix->net.link_mtu = link_mtu;
	*ret = &ix->net;
	return 0;
}

void network_free(struct network *net)
{
	struct network_indexed *ix = (struct network_indexed *)net;

	if (!ix)
		return;
	free(ix->by_id);
	free(net->relays);
	free(net->traits);
	free(net->weights);
	free(ix);
}

static int compare_to_id(const void *id, const void *relay)
{
	return memcmp(id, &(*(const struct relay *const *)relay)->id, sizeof(struct relay_id));
}

const struct relay *network_find(const struct network *net, const struct relay_id *id)
{
	const struct network_indexed *ix = (const struct network_indexed *)net;
	const struct relay **found = bsearch(id, ix->by_id, net->n_relays, sizeof(*ix->by_id), compare_to_id);

	return found ? *found : NULL;
}

int network_usable(const struct network *net, uint64_t now_s, struct error *err)
{
	if (net->valid_until == 0)
		return error_set(err, -ESTALE, "there is no consensus yet");
	if (net->valid_until <= now_s)
		return error_set(err, -ESTALE, "what is known of the network has expired");
	if (net->n_relays == 0) /* what authorities say of a network that only begins */
		return error_set(err, -ENOENT, "there are no relays");
	return 0;
}

int network_key_parse(const char *text, uint8_t ret[NETWORK_KEY_LEN])
{
	size_t len = strlen(text);
	uint8_t key[NETWORK_KEY_LEN];

	text = trim(text, &len);
	if (base64_parse(text, len, key, sizeof(key)) < 0)
		return -EINVAL;
	memcpy(ret, key, sizeof(key));
	return 0;
}

static json_t *network_to_json(const struct network *net)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < net->n_relays; i++) {
		if (json_array_append_new(list, relay_to_json(&net->relays[i])) < 0) {
			json_decref(list);
			list = NULL;
		}
	}
	if (!list)
		return NULL;
	return json_pack("{s:i, s:i, s:I, s:I, s:i, s:o}", "version", NETWORK_VERSION, "minor", NETWORK_MINOR,
			 "valid-from", (json_int_t)net->valid_from, "valid-until", (json_int_t)net->valid_until,
			 "link-mtu", (int)net->link_mtu, "relays", list);
}

int network_make(const struct network *net, char **ret, size_t *ret_len, struct error *err)
{
	_cleanup_(cleanup_json) json_t *root = network_to_json(net);
	_cleanup_network_ struct network *check = NULL;
	_cleanup_free_ char *text = NULL;
	size_t len;
	int r;

	if (root)
		text = json_dumps(root, JSON_INDENT(1));
	if (!text)
		return error_set(err, -ENOMEM, "out of memory");
	len = strlen(text);
	r = parse_content(text, len, &check, err);
	if (r < 0)
		return r;
	*ret = text;
	text = NULL;
	*ret_len = len;
	return 0;
}

void network_sign(const void *file, size_t len, const uint8_t *seed, char ret[NETWORK_SIG_TEXT])
{
	uint8_t key[crypto_sign_PUBLICKEYBYTES], sig[crypto_sign_BYTES];

	sign_with_seed(file, len, seed, key, sig);
	base64_write(sig, sizeof(sig), ret);
}
