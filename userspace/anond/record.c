/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "anond/record.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

/* ---- encoding ---- */

static json_t *hex(const void *p, size_t len)
{
	char text[2 * 32 + 1];

	sodium_bin2hex(text, sizeof(text), p, len);
	return json_string(text);
}

static json_t *number64(uint64_t v)
{
	return hex(&v, sizeof(v));
}

static json_t *of_layer(const struct layer *l)
{
	return json_pack("{s:o, s:o, s:I, s:I, s:i}", "a", hex(&l->a, sizeof(l->a)), "o", hex(&l->o, sizeof(l->o)),
			 "spi_fwd", (json_int_t)l->spi_fwd, "spi_back", (json_int_t)l->spi_back, "suite",
			 (int)l->suite);
}

static json_t *of_inner(const struct inner *in)
{
	return json_pack("{s:b, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:i}", "has4", in->has4, "has6", in->has6, "addr4",
			 hex(&in->addr4, sizeof(in->addr4)), "addr6", hex(&in->addr6, sizeof(in->addr6)), "gw4",
			 hex(&in->gw4, sizeof(in->gw4)), "gw6", hex(&in->gw6, sizeof(in->gw6)), "dns4",
			 hex(&in->dns4, sizeof(in->dns4)), "dns6", hex(&in->dns6, sizeof(in->dns6)), "mtu",
			 (int)in->mtu);
}

json_t *record_of_relay(const struct relay_record *r)
{
	const struct relay_circuit *c = &r->circuit;

	return json_pack("{s:I, s:o, s:b, s:o, s:o, s:o, s:i, s:i, s:o, s:o, s:o, s:o, s:I}", "number",
			 (json_int_t)c->number, "layer", of_layer(&c->layer), "exit", c->exit, "next_a",
			 hex(&c->next_a, sizeof(c->next_a)), "next_o", hex(&c->next_o, sizeof(c->next_o)), "inner",
			 of_inner(&c->inner), "prev_link", (int)r->prev_link, "next_link", (int)r->next_link,
			 "prev_peer", hex(&r->prev_peer, sizeof(r->prev_peer)), "next_peer",
			 hex(&r->next_peer, sizeof(r->next_peer)), "prev_handle", number64(r->prev_handle),
			 "next_handle", number64(r->next_handle), "expires", (json_int_t)r->expires);
}

json_t *record_of_replay(const struct replay_record *r)
{
	return json_pack("{s:o, s:I, s:b}", "tag", hex(r->tag, sizeof(r->tag)), "expires", (json_int_t)r->expires,
			 "client", r->client);
}

json_t *record_of_origin(const struct origin_record *r)
{
	json_t *layers = json_array();
	json_t *path = json_array();

	for (size_t i = 0; i < r->circuit.n_layers; i++) {
		json_array_append_new(layers, of_layer(&r->circuit.layers[i]));
		json_array_append_new(path, hex(r->path[i].b, sizeof(r->path[i].b)));
	}
	return json_pack("{s:I, s:o, s:o, s:i, s:i, s:o, s:o, s:I}", "slot", (json_int_t)r->circuit.slot, "layers",
			 layers, "path", path, "guard_link", (int)r->circuit.guard_link, "link_mtu",
			 (int)r->circuit.link_mtu, "inner", of_inner(&r->circuit.inner), "handle", number64(r->handle),
			 "expires", (json_int_t)r->expires);
}

/* ---- decoding: sticky error ---- */

struct source {
	const json_t *obj;
	bool bad;
};

static struct source sub(struct source *s, const char *key)
{
	struct source r = { .obj = json_object_get(s->obj, key) };

	if (!json_is_object(r.obj))
		r.bad = s->bad = true;
	return r;
}

static uint64_t number(struct source *s, const char *key, uint64_t max)
{
	const json_t *v = json_object_get(s->obj, key);
	json_int_t n = json_integer_value(v);

	if (!json_is_integer(v) || n < 0 || (uint64_t)n > max) {
		s->bad = true;
		return 0;
	}
	return (uint64_t)n;
}

static bool boolean(struct source *s, const char *key)
{
	const json_t *v = json_object_get(s->obj, key);

	if (!json_is_boolean(v))
		s->bad = true;
	return json_is_true(v);
}

static void unhex_text(bool *bad, const char *text, void *out, size_t len)
{
	size_t n = 0;

	if (!text || strlen(text) != 2 * len || sodium_hex2bin(out, len, text, 2 * len, NULL, &n, NULL) != 0 ||
	    n != len)
		*bad = true;
}

static void unhex(struct source *s, const char *key, void *out, size_t len)
{
	unhex_text(&s->bad, json_string_value(json_object_get(s->obj, key)), out, len);
}

static void to_layer(struct source s, struct layer *l, bool *bad)
{
	unhex(&s, "a", &l->a, sizeof(l->a));
	unhex(&s, "o", &l->o, sizeof(l->o));
	l->spi_fwd = (uint32_t)number(&s, "spi_fwd", UINT32_MAX);
	l->spi_back = (uint32_t)number(&s, "spi_back", UINT32_MAX);
	l->suite = (enum suite)number(&s, "suite", UINT8_MAX);
	if (s.bad || !suite_get(l->suite))
		*bad = true;
}

static void to_inner(struct source s, struct inner *in, bool *bad)
{
	in->has4 = boolean(&s, "has4");
	in->has6 = boolean(&s, "has6");
	unhex(&s, "addr4", &in->addr4, sizeof(in->addr4));
	unhex(&s, "addr6", &in->addr6, sizeof(in->addr6));
	unhex(&s, "gw4", &in->gw4, sizeof(in->gw4));
	unhex(&s, "gw6", &in->gw6, sizeof(in->gw6));
	unhex(&s, "dns4", &in->dns4, sizeof(in->dns4));
	unhex(&s, "dns6", &in->dns6, sizeof(in->dns6));
	in->mtu = (uint16_t)number(&s, "mtu", UINT16_MAX);
	*bad |= s.bad;
}

int record_to_relay(const json_t *j, struct relay_record *ret)
{
	struct source s = { .obj = j };
	struct relay_record r = { 0 };

	r.circuit.number = (uint32_t)number(&s, "number", RELAY_CIRCUIT_MAX);
	to_layer(sub(&s, "layer"), &r.circuit.layer, &s.bad);
	r.circuit.exit = boolean(&s, "exit");
	unhex(&s, "next_a", &r.circuit.next_a, sizeof(r.circuit.next_a));
	unhex(&s, "next_o", &r.circuit.next_o, sizeof(r.circuit.next_o));
	to_inner(sub(&s, "inner"), &r.circuit.inner, &s.bad);
	r.prev_link = (uint16_t)number(&s, "prev_link", UINT16_MAX);
	r.next_link = (uint16_t)number(&s, "next_link", UINT16_MAX);
	unhex(&s, "prev_peer", &r.prev_peer, sizeof(r.prev_peer));
	unhex(&s, "next_peer", &r.next_peer, sizeof(r.next_peer));
	unhex(&s, "prev_handle", &r.prev_handle, sizeof(r.prev_handle));
	unhex(&s, "next_handle", &r.next_handle, sizeof(r.next_handle));
	r.expires = r.circuit.expires = number(&s, "expires", INT64_MAX);
	if (s.bad)
		return -EBADMSG;
	*ret = r;
	return 0;
}

int record_to_replay(const json_t *j, struct replay_record *ret)
{
	struct source s = { .obj = j };
	struct replay_record r = { 0 };

	unhex(&s, "tag", r.tag, sizeof(r.tag));
	r.expires = number(&s, "expires", INT64_MAX);
	r.client = boolean(&s, "client");
	if (s.bad)
		return -EBADMSG;
	*ret = r;
	return 0;
}

int record_to_origin(const json_t *j, struct origin_record *ret)
{
	struct source s = { .obj = j };
	struct origin_record r = { 0 };
	const json_t *layers = json_object_get(j, "layers");
	const json_t *path = json_object_get(j, "path");

	r.circuit.n_layers = json_array_size(layers);
	if (r.circuit.n_layers < 1 || r.circuit.n_layers > HOPS_MAX || json_array_size(path) != r.circuit.n_layers)
		return -EBADMSG;
	for (size_t i = 0; i < r.circuit.n_layers; i++) {
		struct source l = { .obj = json_array_get(layers, i) };

		to_layer(l, &r.circuit.layers[i], &s.bad);
		unhex_text(&s.bad, json_string_value(json_array_get(path, i)), r.path[i].b, sizeof(r.path[i].b));
	}
	r.circuit.slot = (uint32_t)number(&s, "slot", UINT32_MAX);
	r.circuit.guard_link = (uint16_t)number(&s, "guard_link", UINT16_MAX);
	r.circuit.link_mtu = (uint16_t)number(&s, "link_mtu", UINT16_MAX);
	to_inner(sub(&s, "inner"), &r.circuit.inner, &s.bad);
	unhex(&s, "handle", &r.handle, sizeof(r.handle));
	r.expires = r.circuit.expires = number(&s, "expires", INT64_MAX);
	if (s.bad)
		return -EBADMSG;
	*ret = r;
	return 0;
}
