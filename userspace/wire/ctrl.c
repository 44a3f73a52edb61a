/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "wire/ctrl.h"

#include <errno.h>
#include <string.h>

#include "lib/bytes.h"
#include "lib/cleanup.h"

static void write_view(struct writer *w, struct ctrl_view v)
{
	if (v.len > UINT16_MAX) {
		w->bad = true;
		return;
	}
	write_u16(w, (uint16_t)v.len);
	write_bytes(w, v.p, v.len);
}

static struct ctrl_view read_body(struct reader *r)
{
	struct ctrl_view v = { .len = read_u16(r) };

	v.p = read_view(r, v.len);
	if (!v.p)
		v.len = 0;
	return v;
}

/* A boolean on the wire has one encoding per value. */
static bool read_bool(struct reader *r)
{
	uint8_t v = read_u8(r);

	if (v > 1)
		r->bad = true;
	return v == 1;
}

static void decode_fields(struct reader *r, struct ctrl_msg *m, size_t len)
{
	m->handle = read_u64(r);
	switch (m->type) {
	case CTRL_CREATE:
		m->create = read_body(r);
		break;
	case CTRL_CREATED:
		m->created.status = read_u8(r);
		read_bytes(r, &m->created.a, sizeof(m->created.a));
		m->created.body = read_body(r);
		break;
	case CTRL_DESTROY:
	case CTRL_DESTROY_ACK:
		m->destroy.by_creator = read_bool(r);
		m->destroy.reason = read_u8(r);
		break;
	case CTRL_PROBE:
	case CTRL_PROBE_ACK:
		m->probe_len = read_u16(r);
		if (m->probe_len != len || len > CTRL_PROBE_MAX)
			r->bad = true;
		break;
	default:
		r->bad = true;
	}
}

int ctrl_decode(const uint8_t *msg, size_t len, struct ctrl_msg *ret)
{
	struct reader r = reader_of(msg, len);
	struct ctrl_msg m = { 0 };
	uint8_t version = read_u8(&r);

	if (!r.bad && version != CTRL_VERSION)
		return -EPROTONOSUPPORT;
	m.type = read_u8(&r);
	if (m.type != CTRL_PROBE && m.type != CTRL_PROBE_ACK && len != CTRL_MSG_LEN)
		return -EBADMSG;
	decode_fields(&r, &m, len);
	if (r.bad)
		return -EBADMSG;
	*ret = m;
	return 0;
}

int ctrl_encode(const struct ctrl_msg *m, uint8_t out[CTRL_MSG_LEN])
{
	uint8_t buf[CTRL_MSG_LEN] = { 0 };
	struct writer w = writer_of(buf, sizeof(buf));

	write_u8(&w, CTRL_VERSION);
	write_u8(&w, (uint8_t)m->type);
	write_u64(&w, m->handle);
	switch (m->type) {
	case CTRL_CREATE:
		write_view(&w, m->create);
		break;
	case CTRL_CREATED:
		write_u8(&w, m->created.status);
		write_bytes(&w, &m->created.a, sizeof(m->created.a));
		write_view(&w, m->created.body);
		break;
	case CTRL_DESTROY:
	case CTRL_DESTROY_ACK:
		write_u8(&w, m->destroy.by_creator ? 1 : 0);
		write_u8(&w, m->destroy.reason);
		break;
	default:
		return -EINVAL;
	}
	if (w.bad)
		return -EMSGSIZE;
	memcpy(out, buf, sizeof(buf));
	return 0;
}

int ctrl_probe_encode(enum ctrl_type type, uint64_t nonce, uint8_t *out, size_t total)
{
	struct writer w = writer_of(out, total);

	if (type != CTRL_PROBE && type != CTRL_PROBE_ACK)
		return -EINVAL;
	if (total < CTRL_PROBE_MIN || total > CTRL_PROBE_MAX)
		return -EMSGSIZE;
	memset(out, 0, total);
	write_u8(&w, CTRL_VERSION);
	write_u8(&w, (uint8_t)type);
	write_u64(&w, nonce);
	write_u16(&w, (uint16_t)total);
	return 0;
}

int ctrl_body_decode(struct ctrl_view body, uint32_t *ret_onion_key_id, struct ctrl_view *ret_noise)
{
	struct reader r = reader_of(body.p, body.len);
	uint32_t id = read_u32(&r);

	if (r.bad || r.left < CTRL_NOISE_OVERHEAD)
		return -EBADMSG;
	*ret_onion_key_id = id;
	*ret_noise = (struct ctrl_view){ r.p, r.left };
	return 0;
}

static bool families_valid(uint8_t families)
{
	return families != 0 && (families & ~(CTRL_FAMILY_V4 | CTRL_FAMILY_V6)) == 0;
}

int ctrl_offer_encode(const struct ctrl_offer *o, uint8_t *out, size_t cap, size_t *ret_len)
{
	struct writer w = writer_of(out, cap);

	write_u64(&w, o->expires);
	write_u8(&w, o->suite);
	write_u32(&w, o->spi_back);
	write_u8(&w, (uint8_t)o->kind);
	if (o->kind == CTRL_KIND_EXTEND) {
		write_u16(&w, o->wait_ms);
		write_bytes(&w, o->next.b, sizeof(o->next.b));
		write_view(&w, o->body);
	} else if (o->kind == CTRL_KIND_EXIT && families_valid(o->families)) {
		write_u8(&w, o->families);
	} else {
		return -EINVAL;
	}
	if (w.bad)
		return -EMSGSIZE;
	*ret_len = w.len;
	return 0;
}

int ctrl_offer_decode(const uint8_t *p, size_t len, struct ctrl_offer *ret)
{
	struct reader r = reader_of(p, len);
	struct ctrl_offer o = { 0 };

	o.expires = read_u64(&r);
	o.suite = read_u8(&r);
	o.spi_back = read_u32(&r);
	o.kind = read_u8(&r);
	if (o.kind == CTRL_KIND_EXTEND) {
		o.wait_ms = read_u16(&r);
		read_bytes(&r, o.next.b, sizeof(o.next.b));
		o.body = read_body(&r);
		if (o.body.len < CTRL_CREATE_BODY_MIN)
			r.bad = true;
	} else if (o.kind == CTRL_KIND_EXIT) {
		o.families = read_u8(&r);
		if (!families_valid(o.families))
			r.bad = true;
	} else {
		r.bad = true;
	}
	if (r.bad || r.left > 0)
		return -EBADMSG;
	*ret = o;
	return 0;
}

static void write_inner(struct writer *w, const struct inner *in)
{
	static const struct inner none;
	const struct inner *v4 = in->has4 ? in : &none, *v6 = in->has6 ? in : &none;

	write_u8(w, (uint8_t)((in->has4 ? CTRL_FAMILY_V4 : 0) | (in->has6 ? CTRL_FAMILY_V6 : 0)));
	write_bytes(w, &v4->addr4, 4);
	write_bytes(w, &v4->gw4, 4);
	write_bytes(w, &v4->dns4, 4);
	write_bytes(w, &v6->addr6, 16);
	write_bytes(w, &v6->gw6, 16);
	write_bytes(w, &v6->dns6, 16);
}

static void read_inner(struct reader *r, struct inner *in)
{
	uint8_t families = read_u8(r);

	if (!families_valid(families))
		r->bad = true;
	in->has4 = families & CTRL_FAMILY_V4;
	in->has6 = families & CTRL_FAMILY_V6;
	read_bytes(r, &in->addr4, 4);
	read_bytes(r, &in->gw4, 4);
	read_bytes(r, &in->dns4, 4);
	read_bytes(r, &in->addr6, 16);
	read_bytes(r, &in->gw6, 16);
	read_bytes(r, &in->dns6, 16);
	if (!in->has4)
		in->addr4 = in->gw4 = in->dns4 = (struct in_addr){ 0 };
	if (!in->has6)
		in->addr6 = in->gw6 = in->dns6 = in6addr_any;
}

int ctrl_answer_encode(const struct ctrl_answer *a, uint8_t *out, size_t cap, size_t *ret_len)
{
	struct writer w = writer_of(out, cap);

	write_u8(&w, a->status);
	write_u8(&w, a->detail);
	if (a->status == CTRL_NEXT_SEALED) {
		write_view(&w, a->body);
	} else if (a->status == CTRL_OK) {
		write_bytes(&w, &a->a, sizeof(a->a));
		write_u32(&w, a->spi_fwd);
		write_u16(&w, a->mtu);
		write_u8(&w, (uint8_t)a->kind);
		if (a->kind == CTRL_KIND_EXTEND) {
			write_bytes(&w, &a->next_a, sizeof(a->next_a));
			write_view(&w, a->body);
		} else if (a->kind == CTRL_KIND_EXIT && (a->inner.has4 || a->inner.has6)) {
			write_inner(&w, &a->inner);
		} else {
			return -EINVAL;
		}
	}
	if (w.bad)
		return -EMSGSIZE;
	*ret_len = w.len;
	return 0;
}

static void decode_accepted(struct reader *r, struct ctrl_answer *a)
{
	read_bytes(r, &a->a, sizeof(a->a));
	a->spi_fwd = read_u32(r);
	a->mtu = read_u16(r);
	a->kind = read_u8(r);
	if (a->kind == CTRL_KIND_EXTEND) {
		read_bytes(r, &a->next_a, sizeof(a->next_a));
		a->body = read_body(r);
	} else if (a->kind == CTRL_KIND_EXIT) {
		read_inner(r, &a->inner);
	} else {
		r->bad = true;
	}
}

int ctrl_answer_decode(const uint8_t *p, size_t len, struct ctrl_answer *ret)
{
	struct reader r = reader_of(p, len);
	struct ctrl_answer a = { 0 };

	a.status = read_u8(&r);
	a.detail = read_u8(&r);
	if (a.status == CTRL_OK)
		decode_accepted(&r, &a);
	else if (a.status == CTRL_NEXT_SEALED)
		a.body = read_body(&r);
	if (r.bad || r.left > 0)
		return -EBADMSG;
	*ret = a;
	return 0;
}

const char *ctrl_status_name(unsigned int status)
{
	static const char *const names[] = {
		[CTRL_OK] = "ok",
		[CTRL_MALFORMED] = "malformed",
		[CTRL_UNKNOWN_KEY] = "unknown onion key",
		[CTRL_DECRYPT] = "does not decrypt",
		[CTRL_REPLAY] = "replay",
		[CTRL_EXPIRED] = "expired",
		[CTRL_LIMIT] = "limit reached",
		[CTRL_RATE] = "rate limit",
		[CTRL_SUITE] = "suite not offered",
		[CTRL_NOT_EXIT] = "not an exit",
		[CTRL_NO_FAMILY] = "address family not offered",
		[CTRL_BAD_NEXT] = "next relay not acceptable",
		[CTRL_NEXT_UNREACHABLE] = "unreachable from the relay before",
		[CTRL_NEXT_TIMEOUT] = "no answer to the relay before",
		[CTRL_NEXT_REFUSED] = "next relay refused",
		[CTRL_NEXT_SEALED] = "a later relay refused",
		[CTRL_SPI_TAKEN] = "SPI in use",
		[CTRL_NO_RESOURCES] = "no resources",
		[CTRL_INTERNAL] = "internal error",
		[CTRL_SEALED] = "refused",
		[CTRL_DRAINING] = "about to stop",
	};

	return status < ARRAY_SIZE(names) ? names[status] : "unknown status";
}

const char *ctrl_reason_name(unsigned int reason)
{
	static const char *const names[] = {
		[CTRL_REASON_REQUESTED] = "requested", [CTRL_REASON_EXPIRED] = "expired",
		[CTRL_REASON_LINK_LOST] = "link lost", [CTRL_REASON_NO_CIRCUIT] = "no such circuit",
		[CTRL_REASON_FAILED] = "failed",       [CTRL_REASON_OPERATOR] = "closed by an operator",
	};

	return reason < ARRAY_SIZE(names) ? names[reason] : "unknown reason";
}
