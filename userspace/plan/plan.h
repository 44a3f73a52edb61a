/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From the model to kernel objects. Each function appends to a plan and returns 0, -ENOMEM or -EINVAL (a
 * combination that must not reach the kernel); after an error the plan is only good for plan_clear.
 *
 * Plans stand on one another and are taken away the other way round:
 *   plan_base        once per daemon, whatever its roles
 *   plan_relay_base  role relay (exit)          plan_client_base  role client
 *   plan_link        each overlay link          plan_selection    destinations that must never go out in clear
 *   plan_relay_circuit                          plan_origin_circuit, _service, _routes
 *
 * Device names, if_ids, reqids and marks all come from model/ids.h. The mark of a packet that came through an xfrm
 * interface and passed its ingress chain is that interface's if_id; see kobj_sa.mark.
 */
#pragma once

#include <linux/rtnetlink.h> /* RT_TABLE_MAIN */

#include "model/circuit.h"
#include "model/endpoint.h"
#include "model/exit_policy.h"
#include "model/exit_pool.h"
#include "model/lan.h"
#include "model/link.h"
#include "model/selection.h"
#include "plan/object.h"

#define OVERLAY_PREFIX "fd00::/8"	     /* every overlay address lies in it */
#define ROUTE_METRIC 1024		     /* of overlay routes */
#define ROUTE_METRIC_UNREACHABLE 0x7f000000u /* + selection id */
#define ROUTE_METRIC_EXCEPT 0x80000000u	     /* + selection id; what another selection says of it comes first */
#define SELECTION_MAX 0x00ffffffu
#define PLAN_POOL_BITS 16    /* a guard's pool: so many low bits of its clients' addresses differ */
#define OVERLAY_HOPLIMIT 63  /* of every packet inside a link, whoever sent it */
#define EXIT_CLIENT_MTU 1280 /* from an exit towards its clients, bytes */
#define CIRC_MTU 1500

/* Policy hash thresholds, the tables `anon` of nft with their counters. */
int plan_base(struct plan *p);

struct relay_base {
	struct in6_addr own; /* OR_own */
	bool exit;
	bool inner4_enabled; /* exit: */
	struct prefix inner4;
	bool inner6_enabled;
	const struct exit_policy *policy; /* of an exit; not kept */
	struct exit_limits limits;
	struct exit_pool pool;
	struct in_addr public4; /* of this relay as the network knows them, not always its interfaces'; zero: none */
	struct in6_addr public6;
	bool resolver; /* circuits may ask a resolver at their gateway addresses */
};
/* circ0, OR_own, the rules that fence it, and at an exit the inner addresses and the source NAT. */
int plan_relay_base(struct plan *p, const struct relay_base *b);

/*
 * Rules and tables of the client: routing rules, what may come in from circuits (answers only), normalisation. lans: of
 * a gateway, otherwise none or NULL: what its hosts send to anywhere but the LAN leaves through a circuit or not at
 * all, from now on. servers: of the directory, or NULL: the kill switches let this host's own TCP there pass, if its
 * socket has the mark MARK_LINK, which only CAP_NET_ADMIN gives.
 */
int plan_client_base(struct plan *p, const struct lans *lans, const struct endpoints *servers);

/* The device of a link with its ingress chain and its routes. At a client also A_c1 and the way to OR_1. */
int plan_link(struct plan *p, const struct link *l);
/*
 * Of that only what shapes its traffic, without a far end: where it is made nothing leaves any more until there is
 * one; where it is taken away everything leaves as it comes.
 */
int plan_link_shape(struct plan *p, const struct link *l);
/* A client that came to a guard's shaped link: until this is made nothing is sent to it, afterwards always. */
int plan_link_client(struct plan *p, const struct link *l, const struct in6_addr *client);

/* keys NULL: unknown (adoption, removal). Otherwise secmem that outlives the plan. */
int plan_relay_circuit(struct plan *p, const struct relay_circuit *c, const struct layer_keys *keys);

/*
 * One circuit at its originator: c->n_layers elements of keys, or NULL. The link's plan must be applied
 * already. Nothing is routed into the circuit by this, except what comes from its addresses or is bound to its device.
 */
int plan_origin_circuit(struct plan *p, const struct origin_circuit *c, const struct layer_keys *keys);
/*
 * What the circuit needs to carry what is selected, as long as anything of it goes that way, and that keeps what began
 * in it there: by its address, from a LAN by conntrack. Questions to resolvers, if everything of a family is selected
 * and the exit has a resolver, are led to that one. lans: as in plan_selection.
 */
int plan_origin_service(struct plan *p, const struct origin_circuit *c, const struct selection *sel,
			const struct lans *lans);
/*
 * Lead what begins now into the circuit. Two circuits may carry the same: then the one with the lower slot is used, and
 * there is no gap while one is added and the other taken away. For a family that the circuit does not carry there is no
 * route here, so plan_selection's applies.
 */
int plan_origin_routes(struct plan *p, const struct origin_circuit *c, const struct selection *sel,
		       const struct lans *lans);

/*
 * The kill switch: what is selected of the packets that this host sends leaves through a circuit, through this one if
 * not only destinations are selected, or not at all; what it forwards there for others (containers, virtual machines,
 * tethered devices) does not leave at all. It depends on no route, interface or process. Apply it before any route into
 * a circuit, remove it last, and only if the user gave the selection up: it does not belong to a circuit, circuits come
 * and go under it. Selections may overlap, as selection_conflict lets them. id: local, 0..SELECTION_MAX; up to
 * CIRCUIT_ID_MAX if circuits are to carry it, in the slots id and id + SLOT_OTHER.
 * Hosts of a LAN (lans: a gateway's, otherwise not looked at) have their kill switch from plan_client_base; here only
 * it is said which circuit is theirs.
 */
int plan_selection(struct plan *p, uint32_t id, const struct selection *sel, const struct lans *lans);
/*
 * The rules of such plans with what they stand on, and nothing else that a kernel could lack: one transaction. Routes,
 * which give errors at once, come later with the rest of the client.
 */
int plan_selection_rules(struct plan *p, const struct lans *lans, const struct endpoints *servers,
			 const struct plan *selections);
/* Names and numbers; the buffer is IFNAMSIZ bytes. layer counts from 0 (T_1). */
void dev_link(uint16_t number, char *ret);				/* ovl<number> */
void dev_layer(uint32_t slot, unsigned int layer, size_t n, char *ret); /* hop<slot>-<layer+1>, last one anon<slot> */
uint32_t ifid_layer(uint32_t slot, unsigned int layer);
uint32_t reqid_layer(uint32_t slot, unsigned int layer);
uint32_t reqid_relay(uint32_t number); /* also the mark of the circuit's packets at an exit */
#define SLOT_MAX (SLOT_OTHER + CIRCUIT_ID_MAX)
static inline uint32_t slot_selection(uint32_t slot)
{
	return slot & ~SLOT_OTHER;
}
