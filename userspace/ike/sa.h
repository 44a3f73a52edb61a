/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An IKE SA with its CHILD SA as charon lists it, and the names of our connections in charon. Pure. */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "ike/vici.h"
#include "model/relay.h"

/* Names in charon. A relay's connection is a prefix and its identity in hex. */
#define CONN_RELAY "relay-"
#define CONN_GUARD "guard-"
#define CONN_CLIENTS "clients"
#define CONN_NAME_MAX 80 /* with the final NUL */
#define CHILD_LINK "link"
#define CHILD_CLIENT "client"

struct sa {
	uint32_t ike_id;   /* charon's own, counts up; rekeying gives a new one */
	bool established;  /* the IKE SA */
	bool ours;	   /* we initiated it */
	bool up;	   /* has a CHILD SA that carries traffic */
	uint32_t child_id; /* of the newest such CHILD SA */
	uint64_t bytes_in; /* of that CHILD SA */
	uint64_t bytes_out;
	bool has_vip;
	struct in6_addr vip; /* address that the peer's pool gave us */
	bool has_remote_vip;
	struct in6_addr remote_vip; /* that our pool gave the peer */
};

/* "relay-<hex>" or "guard-<hex>". */
void conn_name(const char *prefix, const struct relay_id *id, char ret_name[CONN_NAME_MAX]);
/* The identity in such a name; -EINVAL if it is none. */
int conn_name_parse(const char *name, size_t len, const char *prefix, struct relay_id *ret_id);

/*
 * The inside of a list-sa section (named like the connection). -EBADMSG if the SA has no id. A CHILD SA counts
 * from INSTALLED on until it is being deleted: while it is rekeyed, the old or the new one carries traffic.
 */
int sa_parse(const struct vici_view *section, struct sa *ret_sa);
