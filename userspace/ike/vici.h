/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The vici wire format: how a program talks to charon (strongSwan, src/libcharon/plugins/vici/README.md).
 * Pure: no I/O here.
 *
 * A packet is a 32-bit big-endian length (of what follows), an 8-bit type, for some types a name (8-bit
 * length), and for some a message. A message is a tree: sections that nest, key/value pairs, lists of values.
 * Names have an 8-bit length, values a 16-bit one. charon's answers are treated like any other foreign bytes.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cleanup.h"

#define VICI_HEADER_LEN 4	     /* bytes of the length field */
#define VICI_PACKET_MAX (512 * 1024) /* bytes after the length field; charon's own limit */
#define VICI_NAME_MAX 255	     /* bytes, no NUL */
#define VICI_VALUE_MAX 65535	     /* bytes */
#define VICI_DEPTH_MAX 16	     /* nested sections */

enum vici_type {
	VICI_CMD_REQUEST = 0,	   /* name, message */
	VICI_CMD_RESPONSE = 1,	   /* message */
	VICI_CMD_UNKNOWN = 2,	   /* nothing: there is no such command */
	VICI_EVENT_REGISTER = 3,   /* name */
	VICI_EVENT_UNREGISTER = 4, /* name */
	VICI_EVENT_CONFIRM = 5,	   /* nothing */
	VICI_EVENT_UNKNOWN = 6,	   /* nothing: there is no such event */
	VICI_EVENT = 7,		   /* name, message */
};

/* Reading. Views point into the packet's bytes and own nothing. */

/* The inside of a section or list, already validated by vici_packet_parse. The whole message is one, too. */
struct vici_view {
	const uint8_t *p;
	size_t len;
};

struct vici_packet {
	enum vici_type type;
	char name[VICI_NAME_MAX + 1]; /* empty if the type has none */
	struct vici_view message;     /* empty if the type has none */
};

enum vici_kind { VICI_VALUE, VICI_SECTION, VICI_LIST };

/* One element of a section; in a list every item is a VICI_VALUE without a name. */
struct vici_item {
	enum vici_kind kind;
	const char *name; /* name_len bytes, not terminated */
	size_t name_len;
	struct vici_view body; /* VALUE: the bytes. SECTION, LIST: to be iterated */
};

/* Length of the packet that follows a header: 0, or -EMSGSIZE (nothing, or more than VICI_PACKET_MAX). */
int vici_header_parse(const uint8_t header[VICI_HEADER_LEN], size_t *ret_len);

/*
 * Check a whole packet (without its length field): type, name, and a message whose sections and lists balance.
 * -EBADMSG if anything is amiss. What passes can be iterated without further errors.
 */
int vici_packet_parse(const void *p, size_t len, struct vici_packet *ret_packet);

/* Take the first element from *view and advance it; false at the end. */
bool vici_next(struct vici_view *view, struct vici_item *ret_item);

/*
 * Look up by path, names separated by '/': "child-sas/link-3/state". The first match counts.
 * -ENOENT if absent or of another kind.
 */
int vici_find(const struct vici_view *in, const char *path, enum vici_kind kind, struct vici_view *ret_body);
/* A value as a C string; -ENOENT, -EBADMSG for a value with a NUL in it, -ENAMETOOLONG if it does not fit. */
int vici_get_str(const struct vici_view *in, const char *path, char *ret_str, size_t size);
/* A value as a number in base 10 or 16, whole value, no sign, no prefix; -ENOENT, -EBADMSG, -ERANGE above max. */
int vici_get_u64(const struct vici_view *in, const char *path, unsigned int base, uint64_t max, uint64_t *ret_n);
/* Whether a value is there and equal to str. */
bool vici_is(const struct vici_view *in, const char *path, const char *str);
bool vici_view_is(const struct vici_view *value, const char *str);
bool vici_item_named(const struct vici_item *item, const char *name);

/* Writing. */

/* A packet under construction, sticky on error: check once, in vici_msg_finish. */
struct vici_msg;

/*
 * A packet of this type and name (NULL for types without one). secret: the packet will hold a key, so it lives
 * in lib/secmem.h memory of a fixed size (VICI_SECRET_MAX). NULL if out of memory. Owner: caller, vici_msg_free.
 */
#define VICI_SECRET_MAX 4096
struct vici_msg *vici_msg_new(enum vici_type type, const char *name, bool secret);
void vici_msg_free(struct vici_msg *m); /* NULL is fine */

void vici_section_start(struct vici_msg *m, const char *name);
void vici_section_end(struct vici_msg *m);
void vici_put(struct vici_msg *m, const char *key, const char *value);
void vici_put_bytes(struct vici_msg *m, const char *key, const void *value, size_t len);
void vici_putf(struct vici_msg *m, const char *key, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void vici_list_start(struct vici_msg *m, const char *name);
void vici_list_item(struct vici_msg *m, const char *value);
void vici_list_item_bytes(struct vici_msg *m, const void *value, size_t len);
void vici_list_end(struct vici_msg *m);
/* A list of one item. */
void vici_list_one(struct vici_msg *m, const char *name, const char *value);

/*
 * Complete the length field. The bytes (length field included) belong to m.
 * -EMSGSIZE (a limit was passed), -EINVAL (not balanced), -ENOMEM.
 */
int vici_msg_finish(struct vici_msg *m, const uint8_t **ret_p, size_t *ret_len);

static inline void cleanup_vici_msg(struct vici_msg **m)
{
	vici_msg_free(*m);
}

#define _cleanup_vici_msg_ _cleanup_(cleanup_vici_msg)
