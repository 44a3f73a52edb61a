/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The circuit control protocol, version 1. This header is its specification.
 *
 * UDP port ANON_CTRL_PORT between the two overlay addresses of one link, hence already encrypted and from an
 * authenticated neighbour. Integers are big-endian. Every datagram except PROBE and PROBE_ACK is exactly
 * CTRL_MSG_LEN bytes, filled up with zeros (ignored by the receiver), so its size tells nothing on the wire.
 *
 *     all           version(1) type(1)
 *     CREATE        handle(8) length(2) body               body: onion_key_id(4), Noise message 1
 *     CREATED       handle(8) status(1) A(16) length(2) body   body: Noise message 2, or empty
 *     DESTROY       handle(8) by_creator(1) reason(1)
 *     DESTROY_ACK   handle(8) by_creator(1) reason(1)      both copied from the DESTROY
 *     PROBE         nonce(8) length(2) zeros               length: the whole datagram's; the link's MTU check
 *     PROBE_ACK     nonce(8) length(2) zeros               the same length as the PROBE's
 *
 * handle: 64 random bits that the sender of CREATE (the creator) chooses; they name the circuit on this link. Both ends
 * of a link choose handles, so DESTROY says whose it is: by_creator is 1 if its sender sent the CREATE.
 *
 * Noise_NK_25519_ChaChaPoly_SHA256, the relay's onion key as responder static, prologue in circuit/handshake.h.
 * Payload of message 1, from the originator to the relay:
 *
 *     expires(8) suite(1) spi_back(4) kind(1)
 *       kind 1, extend: wait_ms(2) next relay's identity(32) length(2) next CREATE body
 *       kind 2, exit:   families wanted(1)
 *
 * expires: seconds since 1970 UTC. wait_ms: how long the relay may wait for its next relay's answer; the originator
 * gives each hop less than the one before, so that the hop before the one that hangs reports it. The length of the
 * next body tells a relay how many hops follow it: this protocol does not hide that.
 * Payload of message 2, from the relay to the originator:
 *
 *     status(1) detail(1)
 *       status OK:          A(16) spi_fwd(4) mtu(2) kind(1)
 *         kind 1, extend:     next A as installed(16) length(2) next CREATED body
 *         kind 2, exit:       families given(1) v4: address(4) gateway(4) resolver(4) v6: address(16) gateway(16)
 *                             resolver(16); zero where there is none
 *       status NEXT_SEALED: length(2) next CREATED body
 *       any other:          nothing
 *
 * mtu: the largest packet of the overlay link that the circuit came over, bytes.
 *
 * Failure. A relay that could open its layer seals its status in message 2 and says no more than SEALED outside, so the
 * relays before it do not learn what went wrong. One that could not open it has only the outer status; the relay before
 * it seals that as NEXT_REFUSED with the outer status as detail. After any CREATED whose outer status is not OK nothing
 * of the circuit is left at its sender or beyond.
 *
 * Retransmission. A CREATE may be sent again, the same bytes under the same handle on the same link: while it is being
 * worked on it is absorbed, afterwards it gets the same answer. DESTROY is sent again until its DESTROY_ACK comes; one
 * for an unknown handle is acknowledged too. A CREATED that nobody waits for is answered with DESTROY.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/circuit.h"
#include "model/relay.h"

#define CTRL_VERSION 1
#define CTRL_MSG_LEN 1200 /* below IPv6's minimum MTU with IPv6 and UDP headers */

#define CTRL_CREATE_HEAD (1 + 1 + 8 + 2)
#define CTRL_CREATED_HEAD (1 + 1 + 8 + 1 + 16 + 2)
#define CTRL_CREATE_BODY_MAX (CTRL_MSG_LEN - CTRL_CREATE_HEAD)
#define CTRL_CREATED_BODY_MAX (CTRL_MSG_LEN - CTRL_CREATED_HEAD)
#define CTRL_NOISE_OVERHEAD 48 /* ephemeral key and tag of either Noise message */
#define CTRL_CREATE_BODY_MIN (4 + CTRL_NOISE_OVERHEAD)
#define CTRL_PROBE_MIN (1 + 1 + 8 + 2)
#define CTRL_PROBE_MAX 65507 /* largest UDP payload over IPv4; IPv6 takes a few more */

enum ctrl_type {
	CTRL_CREATE = 1,
	CTRL_CREATED = 2,
	CTRL_DESTROY = 3,
	CTRL_DESTROY_ACK = 4,
	CTRL_PROBE = 5,
	CTRL_PROBE_ACK = 6,
};

enum ctrl_status {
	CTRL_OK = 0,
	CTRL_MALFORMED = 1,	    /* the payload does not parse or names something impossible */
	CTRL_UNKNOWN_KEY = 2,	    /* no such onion key: what the originator knows of the relay is old */
	CTRL_DECRYPT = 3,	    /* message 1 does not open with that key */
	CTRL_REPLAY = 4,	    /* seen before */
	CTRL_EXPIRED = 5,	    /* `expires` has passed, or lies too far ahead */
	CTRL_LIMIT = 6,		    /* too many circuits, or too many half-open */
	CTRL_RATE = 7,		    /* too many CREATEs a second */
	CTRL_SUITE = 8,		    /* transform not offered for this kind of layer */
	CTRL_NOT_EXIT = 9,	    /* asked to be an exit and is none */
	CTRL_NO_FAMILY = 10,	    /* exit: has none of the address families wanted */
	CTRL_BAD_NEXT = 11,	    /* the next relay is itself or the one before */
	CTRL_NEXT_UNREACHABLE = 12, /* no link to the next relay */
	CTRL_NEXT_TIMEOUT = 13,	    /* no answer from the next relay */
	CTRL_NEXT_REFUSED = 14,	    /* the next relay refused without opening its layer; detail: its outer status */
	CTRL_NEXT_SEALED = 15,	    /* a later relay refused: look into the next body */
	CTRL_SPI_TAKEN = 16,	    /* spi_back is in use on the relay: draw another */
	CTRL_NO_RESOURCES = 17,	    /* memory, addresses, kernel objects */
	CTRL_INTERNAL = 18,
	CTRL_SEALED = 19,   /* outer only: refused, the reason is in the body */
	CTRL_DRAINING = 20, /* the relay is about to stop and takes no new circuits */
};

enum ctrl_reason {
	CTRL_REASON_REQUESTED = 0, /* the originator is done with it */
	CTRL_REASON_EXPIRED = 1,
	CTRL_REASON_LINK_LOST = 2,
	CTRL_REASON_NO_CIRCUIT = 3, /* nobody here waits for it */
	CTRL_REASON_FAILED = 4,	    /* could not be built or was lost */
	CTRL_REASON_OPERATOR = 5,   /* a relay's operator closed it */
};

enum ctrl_kind { CTRL_KIND_EXTEND = 1, CTRL_KIND_EXIT = 2 };

#define CTRL_FAMILY_V4 0x01
#define CTRL_FAMILY_V6 0x02

/* Bytes that belong to somebody else: after decoding, to the datagram. */
struct ctrl_view {
	const uint8_t *p;
	size_t len;
};

struct ctrl_msg {
	enum ctrl_type type;
	uint64_t handle; /* PROBE, PROBE_ACK: nonce */
	union {
		struct ctrl_view create; /* CREATE: the body */
		struct {
			uint8_t status; /* enum ctrl_status; others may come from outside */
			struct in6_addr a;
			struct ctrl_view body;
		} created;
		struct {
			bool by_creator;
			uint8_t reason; /* enum ctrl_reason; likewise */
		} destroy;		/* DESTROY, DESTROY_ACK */
		size_t probe_len;	/* PROBE, PROBE_ACK: the whole datagram */
	};
};

/* Payload of message 1. */
struct ctrl_offer {
	uint64_t expires;
	uint8_t suite; /* checked by the user of this struct */
	uint32_t spi_back;
	enum ctrl_kind kind;
	uint16_t wait_ms;      /* EXTEND */
	struct relay_id next;  /* EXTEND */
	struct ctrl_view body; /* EXTEND: next CREATE body */
	uint8_t families;      /* EXIT: CTRL_FAMILY_* */
};

/* Payload of message 2. */
struct ctrl_answer {
	uint8_t status; /* enum ctrl_status; others may come from outside */
	uint8_t detail;
	struct in6_addr a;
	uint32_t spi_fwd;
	uint16_t mtu;
	enum ctrl_kind kind;
	struct in6_addr next_a; /* EXTEND */
	struct ctrl_view body;	/* EXTEND, or NEXT_SEALED: next CREATED body */
	struct inner inner;	/* EXIT; its mtu is not on the wire */
};

/* Views in ret point into msg. -EBADMSG; -EPROTONOSUPPORT: another version. */
int ctrl_decode(const uint8_t *msg, size_t len, struct ctrl_msg *ret);
/* Everything but PROBE and PROBE_ACK. -EMSGSIZE: the body is too long; -EINVAL: type. */
int ctrl_encode(const struct ctrl_msg *m, uint8_t out[CTRL_MSG_LEN]);
/* A PROBE or PROBE_ACK of exactly total bytes. -EINVAL: type; -EMSGSIZE: total. */
int ctrl_probe_encode(enum ctrl_type type, uint64_t nonce, uint8_t *out, size_t total);

/* Take a CREATE body apart. -EBADMSG. */
int ctrl_body_decode(struct ctrl_view body, uint32_t *ret_onion_key_id, struct ctrl_view *ret_noise);

/* -EMSGSIZE: cap; -EINVAL: contradictory. */
int ctrl_offer_encode(const struct ctrl_offer *o, uint8_t *out, size_t cap, size_t *ret_len);
int ctrl_offer_decode(const uint8_t *p, size_t len, struct ctrl_offer *ret); /* -EBADMSG */
int ctrl_answer_encode(const struct ctrl_answer *a, uint8_t *out, size_t cap, size_t *ret_len);
int ctrl_answer_decode(const uint8_t *p, size_t len, struct ctrl_answer *ret); /* -EBADMSG */

/* For people; never NULL. */
const char *ctrl_status_name(unsigned int status);
const char *ctrl_reason_name(unsigned int reason);
