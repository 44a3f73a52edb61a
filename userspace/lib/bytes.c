/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/bytes.h"

#include <endian.h>
#include <string.h>

struct reader reader_of(const void *p, size_t len)
{
	return (struct reader){ .p = p, .left = len };
}

const uint8_t *read_view(struct reader *r, size_t len)
{
	const uint8_t *p = r->p;

	if (r->bad || len > r->left) {
		r->bad = true;
		return NULL;
	}
	r->p += len;
	r->left -= len;
	return p;
}

void read_bytes(struct reader *r, void *out, size_t len)
{
	const uint8_t *p = read_view(r, len);

	if (len == 0)
		return;
	if (p)
		memcpy(out, p, len);
	else
		memset(out, 0, len);
}

uint8_t read_u8(struct reader *r)
{
	uint8_t v;

	read_bytes(r, &v, sizeof(v));
	return v;
}

uint16_t read_u16(struct reader *r)
{
	uint16_t v;

	read_bytes(r, &v, sizeof(v));
	return be16toh(v);
}

uint32_t read_u32(struct reader *r)
{
	uint32_t v;

	read_bytes(r, &v, sizeof(v));
	return be32toh(v);
}

uint64_t read_u64(struct reader *r)
{
	uint64_t v;

	read_bytes(r, &v, sizeof(v));
	return be64toh(v);
}

struct writer writer_of(void *p, size_t cap)
{
	return (struct writer){ .p = p, .cap = cap };
}

uint8_t *write_reserve(struct writer *w, size_t len)
{
	uint8_t *p;

	if (w->bad || len > w->cap - w->len) {
		w->bad = true;
		return NULL;
	}
	p = w->p + w->len;
	w->len += len;
	return p;
}

void write_bytes(struct writer *w, const void *p, size_t len)
{
	uint8_t *to = write_reserve(w, len);

	if (to && len)
		memcpy(to, p, len);
}

void write_u8(struct writer *w, uint8_t v)
{
	write_bytes(w, &v, sizeof(v));
}

void write_u16(struct writer *w, uint16_t v)
{
	v = htobe16(v);
	write_bytes(w, &v, sizeof(v));
}

void write_u32(struct writer *w, uint32_t v)
{
	v = htobe32(v);
	write_bytes(w, &v, sizeof(v));
}

void write_u64(struct writer *w, uint64_t v)
{
	v = htobe64(v);
	write_bytes(w, &v, sizeof(v));
}
