/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "directory/onion_store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdarg.h>
#include <string.h>

#include "directory/file.h"
#include "lib/base64.h"
#include "lib/clock.h"
#include "lib/secmem.h"
#include "wire/document.h"

#define KIND "onion-keys"
#define VERSION 1
#define SUM_LEN 32u

/* ---- writing ---- */

struct text { /* of ONION_KEYS_TEXT_MAX bytes, which hold the longest */
	char *s;
	size_t len;
};

static void put(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void put(struct text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(t->s + t->len, ONION_KEYS_TEXT_MAX - t->len, fmt, ap);
	va_end(ap);
	t->len += (size_t)n;
}

/* Straight to where it belongs: what passes through stdio may stay there. */
static void put_bytes(struct text *t, const uint8_t bytes[32])
{
	base64_write(bytes, 32, t->s + t->len);
	t->len += BASE64_LEN(32) - 1;
	put(t, "\n");
}

static void put_key(struct text *t, const char *keyword, const struct onion_pair *p)
{
	put(t, "%s %" PRIu32 " ", keyword, p->id);
	put_bytes(t, p->secret);
}

static void put_sum(struct text *t)
{
	uint8_t sum[SUM_LEN];

	crypto_generichash(sum, sizeof(sum), (const uint8_t *)t->s, t->len, NULL, 0);
	put(t, "sum ");
	put_bytes(t, sum);
}

size_t onion_keys_format(const struct onion_keys *k, const struct relay_id *id, char *out)
{
	struct text t = { .s = out };

	put(&t, "anond-" KIND " %d\nidentity ", VERSION);
	put_bytes(&t, id->b);
	put(&t, "since %" PRIu64 "\n", k->since);
	put_key(&t, "current", &k->current);
	if (k->has_next)
		put_key(&t, "next", &k->other);
	else if (k->has_previous)
		put_key(&t, "previous", &k->other);
	put_sum(&t);
	return t.len;
}

/* ---- reading ---- */

struct parsed {
	struct onion_keys *keys;
	struct relay_id id;
	uint8_t sum[SUM_LEN];
};

static int take_identity(void *ctx, struct document_words *w, struct error *err)
{
	return document_bytes(w, ((struct parsed *)ctx)->id.b, sizeof(struct relay_id), err);
}

static int take_since(void *ctx, struct document_words *w, struct error *err)
{
	return document_number(w, 0, CLOCK_WALL_MAX, &((struct parsed *)ctx)->keys->since, err);
}

static int take_key(struct document_words *w, struct onion_pair *ret, struct error *err)
{
	uint64_t id = 0;
	int r = document_number(w, 0, UINT32_MAX, &id, err);

	if (r == 0)
		r = document_bytes(w, ret->secret, sizeof(ret->secret), err);
	if (r < 0)
		return r;
	ret->id = (uint32_t)id;
	crypto_scalarmult_base(ret->public_key, ret->secret);
	return 0;
}

static int take_current(void *ctx, struct document_words *w, struct error *err)
{
	return take_key(w, &((struct parsed *)ctx)->keys->current, err);
}

static int take_other(struct onion_keys *k, struct document_words *w, struct error *err)
{
	int r = k->has_next && k->has_previous ? error_set(err, -EINVAL, "beside next") : take_key(w, &k->other, err);

	return r == 0 && k->other.id == k->current.id ? error_set(err, -EINVAL, "the number of the current one") : r;
}

static int take_next(void *ctx, struct document_words *w, struct error *err)
{
	struct onion_keys *k = ((struct parsed *)ctx)->keys;

	k->has_next = true;
	return take_other(k, w, err);
}

static int take_previous(void *ctx, struct document_words *w, struct error *err)
{
	struct onion_keys *k = ((struct parsed *)ctx)->keys;

	k->has_previous = true;
	return take_other(k, w, err);
}

static int take_sum(void *ctx, struct document_words *w, struct error *err)
{
	return document_bytes(w, ((struct parsed *)ctx)->sum, SUM_LEN, err);
}

static const struct document_field fields[] = {
	{ "identity", take_identity, false }, { "since", take_since, false },	   { "current", take_current, false },
	{ "next", take_next, true },	      { "previous", take_previous, true }, { "sum", take_sum, false },
};

/* As it would be written: nothing that the parser passes over, and the sum. */
static int check_written(const struct onion_keys *k, const struct relay_id *id, const char *text, size_t len,
			 struct error *err)
{
	_cleanup_secmem_ char *again = secmem_alloc(ONION_KEYS_TEXT_MAX);

	if (!again)
		return error_set(err, -ENOMEM, "no locked memory");
	if (onion_keys_format(k, id, again) != len || sodium_memcmp(again, text, len) != 0)
		return error_set(err, -EINVAL, "not as it was written: the sum does not fit");
	return 0;
}

static int parse(const char *text, size_t len, const struct relay_id *id, struct onion_keys *k, struct error *err)
{
	static const char *const nothing[] = { NULL };
	struct document_reader r = document_reader_of(text, len);
	struct parsed p = { .keys = k };
	int e = document_begin(&r, KIND, VERSION, err);

	if (e == 0)
		e = document_section(&r, fields, ARRAY_SIZE(fields), nothing, &p, err);
	if (e == 0)
		e = check_written(k, &p.id, text, len, err);
	if (e == 0 && memcmp(p.id.b, id->b, sizeof(id->b)) != 0)
		e = error_set(err, -EKEYREJECTED, "of a relay with another identity");
	return e;
}

int onion_keys_parse(const char *text, size_t len, const struct relay_id *id, struct onion_keys *ret, struct error *err)
{
	int r;

	sodium_memzero(ret, sizeof(*ret));
	r = parse(text, len, id, ret, err);
	ret->stored = ret->since;
	ret->is_stored = true;
	if (r < 0)
		sodium_memzero(ret, sizeof(*ret));
	return r;
}

/* ---- the file ---- */

static int path_of(const char *state, char **ret, struct error *err)
{
	if (asprintf(ret, "%s/" ONION_KEYS_FILE, state) >= 0)
		return 0;
	*ret = NULL;
	return error_set(err, -ENOMEM, "out of memory");
}

void onion_keys_free(struct onion_keys *k)
{
	secmem_free(k);
}

static int load(const char *path, const struct relay_id *id, struct onion_keys *ret, struct error *err)
{
	_cleanup_secmem_ char *text = secmem_alloc(ONION_KEYS_TEXT_MAX);
	size_t len = 0;
	int r;

	if (!text)
		return error_set(err, -ENOMEM, "%s: no locked memory", path);
	r = file_read_secret(AT_FDCWD, path, O_NOFOLLOW, path, text, ONION_KEYS_TEXT_MAX, &len, err);
	if (r < 0)
		return r;
	r = onion_keys_parse(text, len, id, ret, err);
	return r < 0 ? error_prefix(err, r, "%s: this relay's onion keys are not known, see anond(8)", path) : 0;
}

int onion_store_load(const char *state, const struct relay_id *id, struct onion_keys **ret, struct error *err)
{
	_cleanup_onion_keys_ struct onion_keys *k = secmem_alloc(sizeof(*k));
	_cleanup_free_ char *path = NULL;
	int r = path_of(state, &path, err);

	if (r < 0)
		return r;
	if (!k)
		return error_set(err, -ENOMEM, "%s: no locked memory", path);
	r = load(path, id, k, err);
	if (r < 0)
		return r;
	*ret = k;
	k = NULL;
	return 0;
}

int onion_store_save(const char *state, const struct relay_id *id, struct onion_keys *k, struct error *err)
{
	_cleanup_secmem_ char *text = secmem_alloc(ONION_KEYS_TEXT_MAX);
	_cleanup_free_ char *path = NULL;
	int r = path_of(state, &path, err);

	if (r < 0)
		return r;
	if (!text)
		return error_set(err, -ENOMEM, "%s: no locked memory", path);
	r = file_replace_secret(path, text, onion_keys_format(k, id, text), err);
	if (r < 0)
		return r;
	k->stored = k->since;
	k->is_stored = true;
	return 0;
}

int onion_store_wipe_rest(const char *state, struct error *err)
{
	_cleanup_free_ char *path = NULL;
	int r = path_of(state, &path, err);

	return r < 0 ? r : file_wipe_rest(path, err);
}

/* ---- what to start with ---- */

static int first(const char *dir, bool replace, uint64_t wall_s, struct onion_keys *ret, struct error *err)
{
	_cleanup_secmem_ struct onion_pair *pair = secmem_alloc(sizeof(*pair));
	int r;

	if (!pair)
		return error_set(err, -ENOMEM, "%s: no locked memory", dir);
	r = relay_onion_load(dir, pair, err);
	if (r == -ENOENT && replace) {
		onion_pair_draw(pair, &rng_system);
		r = 0;
	}
	if (r == 0)
		onion_keys_begin(ret, pair, wall_s);
	return r;
}

int onion_keys_open(const char *state, const char *dir, const struct relay_id *id, bool replace, uint64_t wall_s,
		    struct onion_keys **ret, struct error *err)
{
	_cleanup_onion_keys_ struct onion_keys *k = NULL;
	int r = state ? onion_store_load(state, id, ret, err) : -ENOENT;

	if (r != -ENOENT)
		return r;
	k = secmem_alloc(sizeof(*k));
	if (!k)
		return error_set(err, -ENOMEM, "%s: no locked memory", dir);
	r = first(dir, replace, wall_s, k, err);
	if (r < 0)
		return r;
	*ret = k;
	k = NULL;
	return 0;
}

int onion_keys_erase_first(const char *dir, const struct onion_keys *k, struct error *err)
{
	_cleanup_secmem_ struct onion_pair *pair = secmem_alloc(sizeof(*pair));
	int r;

	if (!pair)
		return error_set(err, -ENOMEM, "%s: no locked memory", dir);
	r = relay_onion_load(dir, pair, err);
	if (r == -ENOENT || (r == 0 && onion_keys_have(k, pair->id)))
		return 0;
	if (r == 0)
		r = relay_onion_erase(dir, err);
	return r < 0 ? r : 1;
}
