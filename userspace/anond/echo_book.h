/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Echoes that wait for their reply: one for each device, the last that was sent. A reply counts if it came in by the
 * device that the request left by, from the address that was asked, and repeats its random bytes; and it counts once.
 * Whoever else could make us take a reply (an exit that sends one to a public address, to see whether its client lives
 * there) would learn something from what we then do. Pure.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ECHO_NONCE_LEN 60 /* bytes: identifier, sequence number, and a payload as long as ping's */

struct echo_book;

struct echo_request {
	uint32_t id; /* the caller's */
	unsigned int ifindex;
	int family;
	union {
		struct in_addr to4;
		struct in6_addr to6;
	};
	uint64_t sent_us;
	uint8_t nonce[ECHO_NONCE_LEN];
};

struct echo_reply {
	unsigned int ifindex;
	int family;
	union {
		struct in_addr from4;
		struct in6_addr from6;
	};
	const uint8_t *nonce; /* ECHO_NONCE_LEN bytes */
};

int echo_book_new(struct echo_book **ret); /* -ENOMEM */
void echo_book_free(struct echo_book *b);  /* NULL is fine */

/* Instead of an earlier request by the same device. -ENOMEM. */
int echo_book_add(struct echo_book *b, const struct echo_request *r);
/* Whether it is the reply to a request that waits; that one then waits no more. */
bool echo_book_take(struct echo_book *b, const struct echo_reply *r, uint64_t now_us, uint32_t *ret_id,
		    uint32_t *ret_rtt_us);
void echo_book_forget(struct echo_book *b, unsigned int ifindex);
size_t echo_book_waiting(const struct echo_book *b);
