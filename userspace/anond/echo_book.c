/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "anond/echo_book.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "lib/hash.h"

struct entry {
	UT_hash_handle hh; /* by request.ifindex */
	struct echo_request request;
};

struct echo_book {
	struct entry *entries;
};

int echo_book_new(struct echo_book **ret)
{
	struct echo_book *b = calloc(1, sizeof(*b));

	if (!b)
		return -ENOMEM;
	*ret = b;
	return 0;
}

static void drop(struct echo_book *b, struct entry *e)
{
	HASH_DEL(b->entries, e);
	free(e);
}

void echo_book_free(struct echo_book *b)
{
	struct entry *e, *next;

	if (!b)
		return;
	HASH_ITER (hh, b->entries, e, next)
		drop(b, e);
	free(b);
}

static struct entry *find(const struct echo_book *b, unsigned int ifindex)
{
	struct entry *e;

	HASH_FIND(hh, b->entries, &ifindex, sizeof(ifindex), e);
	return e;
}

int echo_book_add(struct echo_book *b, const struct echo_request *r)
{
	struct entry *e = find(b, r->ifindex);

	if (e) {
		e->request = *r;
		return 0;
	}
	e = calloc(1, sizeof(*e));
	if (!e)
		return -ENOMEM;
	e->request = *r;
	HASH_ADD(hh, b->entries, request.ifindex, sizeof(e->request.ifindex), e);
	return 0;
}

static bool answers(const struct echo_reply *reply, const struct echo_request *request)
{
	if (reply->family != request->family)
		return false;
	if (reply->family == AF_INET ? reply->from4.s_addr != request->to4.s_addr
				     : !IN6_ARE_ADDR_EQUAL(&reply->from6, &request->to6))
		return false;
	return sodium_memcmp(reply->nonce, request->nonce, ECHO_NONCE_LEN) == 0;
}

bool echo_book_take(struct echo_book *b, const struct echo_reply *r, uint64_t now_us, uint32_t *ret_id,
		    uint32_t *ret_rtt_us)
{
	struct entry *e = find(b, r->ifindex);
	uint64_t rtt;

	if (!e || !answers(r, &e->request))
		return false;
	rtt = now_us > e->request.sent_us ? now_us - e->request.sent_us : 0;
	*ret_id = e->request.id;
	*ret_rtt_us = rtt < UINT32_MAX ? (uint32_t)rtt : UINT32_MAX;
	drop(b, e);
	return true;
}

void echo_book_forget(struct echo_book *b, unsigned int ifindex)
{
	struct entry *e = find(b, ifindex);

	if (e)
		drop(b, e);
}

size_t echo_book_waiting(const struct echo_book *b)
{
	return HASH_COUNT(b->entries);
}
