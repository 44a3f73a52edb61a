/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ike/vici.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/bytes.h"
#include "lib/secmem.h"

/* Elements of a message. */
enum element {
	SECTION_START = 1, /* name */
	SECTION_END = 2,
	KEY_VALUE = 3,	/* name, value */
	LIST_START = 4, /* name */
	LIST_ITEM = 5,	/* value */
	LIST_END = 6,
};

/* Reading. */

int vici_header_parse(const uint8_t header[VICI_HEADER_LEN], size_t *ret_len)
{
	struct reader r = reader_of(header, VICI_HEADER_LEN);
	uint32_t len = read_u32(&r);

	if (len == 0 || len > VICI_PACKET_MAX)
		return -EMSGSIZE;
	*ret_len = len;
	return 0;
}

static const uint8_t *read_name(struct reader *r, size_t *ret_len)
{
	*ret_len = read_u8(r);
	return read_view(r, *ret_len);
}

static const uint8_t *read_value(struct reader *r, size_t *ret_len)
{
	*ret_len = read_u16(r);
	return read_view(r, *ret_len);
}

/* Sections nest, lists hold only items, everything that starts ends. */
static int message_check(struct reader r)
{
	unsigned int depth = 0;
	bool list = false;
	size_t len;

	while (r.left > 0 && !r.bad) {
		uint8_t element = read_u8(&r);

		if (list != (element == LIST_ITEM || element == LIST_END))
			return -EBADMSG;
		switch (element) {
		case SECTION_START:
			if (++depth > VICI_DEPTH_MAX)
				return -EBADMSG;
			read_name(&r, &len);
			break;
		case SECTION_END:
			if (depth-- == 0)
				return -EBADMSG;
			break;
		case KEY_VALUE:
			read_name(&r, &len);
			read_value(&r, &len);
			break;
		case LIST_START:
			read_name(&r, &len);
			list = true;
			break;
		case LIST_ITEM:
			read_value(&r, &len);
			break;
		case LIST_END:
			list = false;
			break;
		default:
			return -EBADMSG;
		}
	}
	return r.bad || depth > 0 || list ? -EBADMSG : 0;
}

static bool type_has_name(enum vici_type type)
{
	return type == VICI_CMD_REQUEST || type == VICI_EVENT_REGISTER || type == VICI_EVENT_UNREGISTER ||
	       type == VICI_EVENT;
}

static bool type_has_message(enum vici_type type)
{
	return type == VICI_CMD_REQUEST || type == VICI_CMD_RESPONSE || type == VICI_EVENT;
}

int vici_packet_parse(const void *p, size_t len, struct vici_packet *ret_packet)
{
	struct vici_packet packet = { 0 };
	struct reader r;
	size_t name_len;

	if (len > VICI_PACKET_MAX)
		return -EBADMSG;
	r = reader_of(p, len);
	packet.type = read_u8(&r);
	if (r.bad || packet.type > VICI_EVENT)
		return -EBADMSG;
	if (type_has_name(packet.type)) {
		const uint8_t *name = read_name(&r, &name_len);

		/* Names are compared as C strings: one with a NUL in it would look like another. */
		if (!name || memchr(name, 0, name_len))
			return -EBADMSG;
		memcpy(packet.name, name, name_len);
	}
	if (!type_has_message(packet.type) && r.left > 0)
		return -EBADMSG;
	packet.message = (struct vici_view){ .p = r.p, .len = r.left };
	if (message_check(r) < 0)
		return -EBADMSG;
	*ret_packet = packet;
	return 0;
}

/* The extent of a section's or list's inside; r stands behind its start, and the message has been checked. */
static struct vici_view body_of(struct reader *r)
{
	struct vici_view body = { .p = r->p };
	unsigned int depth = 1;
	size_t len;

	while (!r->bad) {
		const uint8_t *element = r->p;

		switch (read_u8(r)) {
		case SECTION_START:
		case LIST_START:
			depth++;
			read_name(r, &len);
			break;
		case KEY_VALUE:
			read_name(r, &len);
			read_value(r, &len);
			break;
		case LIST_ITEM:
			read_value(r, &len);
			break;
		case SECTION_END:
		case LIST_END:
			if (--depth == 0) {
				body.len = (size_t)(element - body.p);
				return body;
			}
			break;
		}
	}
	return (struct vici_view){ 0 };
}

bool vici_next(struct vici_view *view, struct vici_item *ret_item)
{
	struct vici_item item = { 0 };
	struct reader r;
	uint8_t element;

	if (view->len == 0)
		return false;
	r = reader_of(view->p, view->len);
	element = read_u8(&r);
	if (element != LIST_ITEM)
		item.name = (const char *)read_name(&r, &item.name_len);
	if (element == KEY_VALUE || element == LIST_ITEM) {
		item.kind = VICI_VALUE;
		item.body.p = read_value(&r, &item.body.len);
	} else {
		item.kind = element == SECTION_START ? VICI_SECTION : VICI_LIST;
		item.body = body_of(&r);
	}
	if (r.bad)
		return false;
	*view = (struct vici_view){ .p = r.p, .len = r.left };
	*ret_item = item;
	return true;
}

static bool name_equal(const struct vici_item *item, const char *name, size_t len)
{
	return item->name && item->name_len == len && memcmp(item->name, name, len) == 0;
}

bool vici_item_named(const struct vici_item *item, const char *name)
{
	return name_equal(item, name, strlen(name));
}

int vici_find(const struct vici_view *in, const char *path, enum vici_kind kind, struct vici_view *ret_body)
{
	struct vici_view view = *in;

	for (;;) {
		size_t len = strcspn(path, "/");
		enum vici_kind want = path[len] ? VICI_SECTION : kind;
		struct vici_item item;

		do {
			if (!vici_next(&view, &item))
				return -ENOENT;
		} while (item.kind != want || !name_equal(&item, path, len));
		view = item.body;
		if (!path[len])
			break;
		path += len + 1;
	}
	*ret_body = view;
	return 0;
}

int vici_get_str(const struct vici_view *in, const char *path, char *ret_str, size_t size)
{
	struct vici_view value;
	int r = vici_find(in, path, VICI_VALUE, &value);

	if (r < 0)
		return r;
	if (value.len >= size)
		return -ENAMETOOLONG;
	if (memchr(value.p, 0, value.len))
		return -EBADMSG;
	memcpy(ret_str, value.p, value.len);
	ret_str[value.len] = '\0';
	return 0;
}

static int digit_of(uint8_t c, unsigned int base)
{
	int digit = -1;

	if (c >= '0' && c <= '9')
		digit = c - '0';
	else if (c >= 'a' && c <= 'f')
		digit = c - 'a' + 10;
	else if (c >= 'A' && c <= 'F')
		digit = c - 'A' + 10;
	return digit < (int)base ? digit : -1;
}

int vici_get_u64(const struct vici_view *in, const char *path, unsigned int base, uint64_t max, uint64_t *ret_n)
{
	struct vici_view value;
	uint64_t n = 0;
	int r = vici_find(in, path, VICI_VALUE, &value);

	if (r < 0)
		return r;
	if (value.len == 0)
		return -EBADMSG;
	for (size_t i = 0; i < value.len; i++) {
		int digit = digit_of(value.p[i], base);

		if (digit < 0)
			return -EBADMSG;
		if (n > (UINT64_MAX - (uint64_t)digit) / base)
			return -ERANGE;
		n = n * base + (uint64_t)digit;
	}
	if (n > max)
		return -ERANGE;
	*ret_n = n;
	return 0;
}

bool vici_view_is(const struct vici_view *value, const char *str)
{
	return value->len == strlen(str) && memcmp(value->p, str, value->len) == 0;
}

bool vici_is(const struct vici_view *in, const char *path, const char *str)
{
	struct vici_view value;

	return vici_find(in, path, VICI_VALUE, &value) == 0 && vici_view_is(&value, str);
}

/* Writing. */

#define MSG_FIRST_CAP 1024 /* bytes; doubles */

struct vici_msg {
	struct writer w; /* w.p is ours */
	unsigned int depth;
	int error; /* first error, negative errno */
	bool list;
	bool secret; /* w.p is secmem and cannot grow */
};

struct vici_msg *vici_msg_new(enum vici_type type, const char *name, bool secret)
{
	size_t cap = secret ? VICI_SECRET_MAX : MSG_FIRST_CAP;
	struct vici_msg *m = calloc(1, sizeof(*m));
	uint8_t *p = secret ? secmem_alloc(cap) : malloc(cap);

	if (!m || !p) {
		if (secret)
			secmem_free(p);
		else
			free(p);
		free(m);
		return NULL;
	}
	m->w = writer_of(p, cap);
	m->secret = secret;
	write_u32(&m->w, 0); /* length, known at the end */
	write_u8(&m->w, (uint8_t)type);
	if (name && strlen(name) <= VICI_NAME_MAX) {
		write_u8(&m->w, (uint8_t)strlen(name));
		write_bytes(&m->w, name, strlen(name));
	} else if (name) {
		m->error = -EMSGSIZE;
	}
	return m;
}

void vici_msg_free(struct vici_msg *m)
{
	if (!m)
		return;
	if (m->secret)
		secmem_free(m->w.p);
	else
		free(m->w.p);
	free(m);
}

/* Make room for len more bytes, or set the error. */
static bool msg_room(struct vici_msg *m, size_t len)
{
	size_t cap = m->w.cap;
	uint8_t *p;

	if (m->error < 0)
		return false;
	if (len <= cap - m->w.len)
		return true;
	if (m->secret || m->w.len + len > VICI_HEADER_LEN + VICI_PACKET_MAX) {
		m->error = -EMSGSIZE;
		return false;
	}
	while (cap < m->w.len + len)
		cap *= 2;
	p = realloc(m->w.p, cap);
	if (!p) {
		m->error = -ENOMEM;
		return false;
	}
	m->w.p = p;
	m->w.cap = cap;
	return true;
}

static void msg_element(struct vici_msg *m, enum element element, const char *name, const void *value, size_t len)
{
	size_t name_len = name ? strlen(name) : 0;

	/* Items and the end stand inside a list, everything else outside. */
	if (m->error == 0 && m->list != (element == LIST_ITEM || element == LIST_END))
		m->error = -EINVAL;
	else if (m->error == 0 && (name_len > VICI_NAME_MAX || len > VICI_VALUE_MAX))
		m->error = -EMSGSIZE;
	if (!msg_room(m, 1 + 1 + name_len + 2 + len))
		return;
	write_u8(&m->w, (uint8_t)element);
	if (name) {
		write_u8(&m->w, (uint8_t)name_len);
		write_bytes(&m->w, name, name_len);
	}
	if (element == KEY_VALUE || element == LIST_ITEM) {
		write_u16(&m->w, (uint16_t)len);
		write_bytes(&m->w, value, len);
	}
}

void vici_section_start(struct vici_msg *m, const char *name)
{
	if (m->error == 0 && ++m->depth > VICI_DEPTH_MAX)
		m->error = -EMSGSIZE;
	msg_element(m, SECTION_START, name, NULL, 0);
}

void vici_section_end(struct vici_msg *m)
{
	if (m->error == 0 && m->depth-- == 0)
		m->error = -EINVAL;
	msg_element(m, SECTION_END, NULL, NULL, 0);
}

void vici_put_bytes(struct vici_msg *m, const char *key, const void *value, size_t len)
{
	msg_element(m, KEY_VALUE, key, value, len);
}

void vici_put(struct vici_msg *m, const char *key, const char *value)
{
	vici_put_bytes(m, key, value, strlen(value));
}

void vici_putf(struct vici_msg *m, const char *key, const char *fmt, ...)
{
	char value[256];
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(value, sizeof(value), fmt, ap);
	va_end(ap);
	if (len < 0 || (size_t)len >= sizeof(value)) {
		if (m->error == 0)
			m->error = -EMSGSIZE;
		return;
	}
	vici_put_bytes(m, key, value, (size_t)len);
}

void vici_list_start(struct vici_msg *m, const char *name)
{
	msg_element(m, LIST_START, name, NULL, 0);
	m->list = true;
}

void vici_list_item_bytes(struct vici_msg *m, const void *value, size_t len)
{
	msg_element(m, LIST_ITEM, NULL, value, len);
}

void vici_list_item(struct vici_msg *m, const char *value)
{
	vici_list_item_bytes(m, value, strlen(value));
}

void vici_list_end(struct vici_msg *m)
{
	msg_element(m, LIST_END, NULL, NULL, 0);
	m->list = false;
}

void vici_list_one(struct vici_msg *m, const char *name, const char *value)
{
	vici_list_start(m, name);
	vici_list_item(m, value);
	vici_list_end(m);
}

int vici_msg_finish(struct vici_msg *m, const uint8_t **ret_p, size_t *ret_len)
{
	struct writer length;

	if (m->error < 0)
		return m->error;
	if (m->depth > 0 || m->list)
		return -EINVAL;
	length = writer_of(m->w.p, VICI_HEADER_LEN);
	write_u32(&length, (uint32_t)(m->w.len - VICI_HEADER_LEN));
	*ret_p = m->w.p;
	*ret_len = m->w.len;
	return 0;
}
