/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "directory/descriptor.h"

#include <errno.h>
#include <jansson.h>
#include <sodium.h>
#include <string.h>

#include "crypto/sign.h"
#include "directory/field.h"
#include "directory/relay_json.h"
#include "lib/base64.h"
#include "lib/bytes.h"
#include "lib/cleanup.h"

#define ENCODING_MAX 256

static const char context[] = "anond relay descriptor 1"; /* its NUL is part of the encoding */

static void cleanup_json(json_t **p)
{
	json_decref(*p);
}

static size_t encode(const struct relay *r, uint8_t out[ENCODING_MAX])
{
	struct writer w = writer_of(out, ENCODING_MAX);
	size_t name_len = strlen(r->name);

	write_bytes(&w, context, sizeof(context));
	write_u8(&w, (uint8_t)name_len);
	write_bytes(&w, r->name, name_len);
	write_bytes(&w, r->id.b, sizeof(r->id.b));
	write_bytes(&w, r->onion_key, sizeof(r->onion_key));
	write_u32(&w, r->onion_key_id);
	write_bytes(&w, r->link_key, sizeof(r->link_key));
	write_bytes(&w, &r->addr4, sizeof(r->addr4));
	write_bytes(&w, &r->addr6, sizeof(r->addr6));
	write_u8(&w, (uint8_t)((r->guard ? 1 : 0) | (r->exit ? 2 : 0)));
	return w.len;
}

static int sign(const struct relay *r, const uint8_t *seed, uint8_t sig[crypto_sign_BYTES], struct error *err)
{
	uint8_t pub[crypto_sign_PUBLICKEYBYTES], msg[ENCODING_MAX];

	sign_with_seed(msg, encode(r, msg), seed, pub, sig);
	if (memcmp(pub, r->id.b, sizeof(pub)) != 0)
		return error_set(err, -EINVAL, "identity: not the public half of the identity key");
	return 0;
}

int descriptor_make(const struct relay *relay, const uint8_t *seed, char **ret, struct error *err)
{
	_cleanup_(cleanup_json) json_t *obj = relay_to_json(relay);
	uint8_t sig[crypto_sign_BYTES];
	char text[BASE64_LEN(sizeof(sig))];
	struct relay check;
	char *out;
	int r;

	if (!obj)
		return error_set(err, -ENOMEM, "out of memory");
	r = relay_from_json(obj, &check, err);
	if (r < 0)
		return r;
	r = sign(relay, seed, sig, err);
	if (r < 0)
		return r;
	base64_write(sig, sizeof(sig), text);
	if (json_object_set_new(obj, "signature", json_string(text)) < 0)
		return error_set(err, -ENOMEM, "out of memory");
	out = json_dumps(obj, JSON_COMPACT);
	if (!out)
		return error_set(err, -ENOMEM, "out of memory");
	*ret = out;
	return 0;
}

int descriptor_parse(const void *text, size_t len, struct relay *ret, struct error *err)
{
	_cleanup_(cleanup_json) json_t *obj = NULL;
	uint8_t sig[crypto_sign_BYTES], msg[ENCODING_MAX];
	struct relay relay;
	json_error_t je;
	int r;

	if (len > DESCRIPTOR_MAX)
		return error_set(err, -EFBIG, "larger than %u bytes", DESCRIPTOR_MAX);
	obj = json_loadb(text, len, JSON_REJECT_DUPLICATES, &je);
	if (!obj)
		return error_set(err, -EINVAL, "line %d: %s", je.line, je.text);
	r = relay_from_json(obj, &relay, err);
	if (r == 0)
		r = relay_json_only(obj, "signature", err);
	if (r == 0)
		r = field_bytes(obj, "signature", sig, sizeof(sig), err);
	if (r < 0)
		return r;
	if (crypto_sign_verify_detached(sig, msg, encode(&relay, msg), relay.id.b) != 0)
		return error_set(err, -EKEYREJECTED, "signature: not by this relay's identity key");
	*ret = relay;
	return 0;
}
