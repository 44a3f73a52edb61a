/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bounded reading and writing of big-endian byte strings.
 *
 * Both cursors are sticky: after the first access out of bounds `bad` stays set and every later
 * access does nothing, so a codec checks once, at its end. Neither owns the memory.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct reader {
	const uint8_t *p;
	size_t left;
	bool bad;
};

struct writer {
	uint8_t *p;
	size_t len; /* bytes written */
	size_t cap;
	bool bad;
};

struct reader reader_of(const void *p, size_t len);
uint8_t read_u8(struct reader *r);
uint16_t read_u16(struct reader *r);
uint32_t read_u32(struct reader *r);
uint64_t read_u64(struct reader *r);
void read_bytes(struct reader *r, void *out, size_t len);
/* A view of the next len bytes, or NULL (and bad) if there are fewer. */
const uint8_t *read_view(struct reader *r, size_t len);

struct writer writer_of(void *p, size_t cap);
void write_u8(struct writer *w, uint8_t v);
void write_u16(struct writer *w, uint16_t v);
void write_u32(struct writer *w, uint32_t v);
void write_u64(struct writer *w, uint64_t v);
void write_bytes(struct writer *w, const void *p, size_t len);
/* Reserve len bytes to be filled in by the caller, or NULL (and bad). */
uint8_t *write_reserve(struct writer *w, size_t len);
