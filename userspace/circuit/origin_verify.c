/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "circuit/origin_verify.h"

#include <sodium.h>

#include "circuit/handshake.h"
#include "circuit/inner.h"
#include "model/overlay.h"

struct walk {
	struct origin_circuit *circuit;
	struct noise *const *handshakes;
	bool want4, want6;
	struct layer_keys *keys;
	struct in6_addr announced;	/* A of this hop as the one before it, or the guard outside, says */
	struct ctrl_view body;		/* of this hop */
	uint8_t plain[2][CTRL_MSG_LEN]; /* one layer's body lies in the plain text of the layer before */
};

static void bad_answer(struct origin_verdict *v, unsigned int hop)
{
	*v = (struct origin_verdict){ .failure = ORIGIN_BAD_ANSWER, .hop = hop };
}

static void refused(struct origin_verdict *v, unsigned int hop, uint8_t status, bool sealed)
{
	*v = (struct origin_verdict){ .failure = ORIGIN_REFUSED, .hop = hop, .status = status, .sealed = sealed };
}

static int open_hop(struct walk *w, unsigned int hop, struct ctrl_answer *ret)
{
	uint8_t *plain = w->plain[hop % 2];
	size_t len;
	int r;

	r = noise_read(w->handshakes[hop - 1], w->body.p, w->body.len, plain, CTRL_MSG_LEN, &len);
	return r < 0 ? r : ctrl_answer_decode(plain, len, ret);
}

/* The guard gives the client's own address, on the link of all clients; the others one on a link to a relay. */
static bool address_valid(const struct walk *w, unsigned int hop, const struct in6_addr *a)
{
	const struct layer *l = &w->circuit->layers[hop - 1];
	uint16_t link = overlay_link(a);

	if (!IN6_ARE_ADDR_EQUAL(a, &w->announced) || !overlay_same_prefix(a, &l->o))
		return false;
	if (hop == 1)
		return IN6_ARE_ADDR_EQUAL(a, &l->a) && link == LINK_CLIENTS;
	return link >= LINK_FIRST && link <= LINK_LAST;
}

/*
 * mtu: the link MTU is a constant of the network. A relay that could make us use a smaller one could mark us by the
 * size of our packets.
 */
static bool answer_valid(const struct walk *w, unsigned int hop, const struct ctrl_answer *a)
{
	bool last = hop == w->circuit->n_layers;

	if (!address_valid(w, hop, &a->a) || a->spi_fwd < SPI_MIN || a->spi_fwd > SPI_MAX ||
	    a->mtu < w->circuit->link_mtu)
		return false;
	if (!last)
		return a->kind == CTRL_KIND_EXTEND;
	return a->kind == CTRL_KIND_EXIT && inner_valid(&a->inner, &w->circuit->layers[hop - 1].o, w->want4, w->want6);
}

static int accept_hop(struct walk *w, unsigned int hop, const struct ctrl_answer *a)
{
	struct layer *l = &w->circuit->layers[hop - 1];
	uint16_t mtu = w->circuit->inner.mtu;

	l->a = a->a;
	l->spi_fwd = a->spi_fwd;
	if (a->kind == CTRL_KIND_EXIT) {
		w->circuit->inner = a->inner;
		w->circuit->inner.mtu = mtu;
	}
	w->announced = a->next_a;
	w->body = a->body;
	return handshake_layer_keys(w->handshakes[hop - 1], l, &w->keys[hop - 1]);
}

static int walk_success(struct walk *w, struct origin_verdict *v)
{
	for (unsigned int hop = 1; hop <= w->circuit->n_layers; hop++) {
		struct ctrl_answer a;
		int r;

		if (open_hop(w, hop, &a) < 0 || a.status != CTRL_OK || !answer_valid(w, hop, &a)) {
			bad_answer(v, hop);
			return 0;
		}
		r = accept_hop(w, hop, &a);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Follow the sealed statuses to the one that says which hop it was. */
static void walk_failure(struct walk *w, struct origin_verdict *v)
{
	size_t n = w->circuit->n_layers;

	for (unsigned int hop = 1; hop <= n; hop++) {
		struct ctrl_answer a;
		bool about_next;

		if (open_hop(w, hop, &a) < 0 || a.status == CTRL_OK || a.status == CTRL_SEALED) {
			bad_answer(v, hop);
			return;
		}
		about_next = a.status >= CTRL_NEXT_UNREACHABLE && a.status <= CTRL_NEXT_SEALED;
		if (!about_next) {
			refused(v, hop, a.status, true);
			return;
		}
		if (hop == n) { /* it was asked for no next one */
			bad_answer(v, hop);
			return;
		}
		if (a.status != CTRL_NEXT_SEALED) {
			refused(v, hop + 1, a.status == CTRL_NEXT_REFUSED ? a.detail : a.status, false);
			return;
		}
		w->body = a.body;
	}
}

int origin_verify(struct origin_circuit *circuit, struct noise *const handshakes[], bool want4, bool want6,
		  const struct ctrl_msg *created, struct layer_keys *keys, struct origin_verdict *ret)
{
	struct walk w = {
		.circuit = circuit,
		.handshakes = handshakes,
		.want4 = want4,
		.want6 = want6,
		.keys = keys,
		.announced = created->created.a,
		.body = created->created.body,
	};
	struct origin_verdict v = { .failure = ORIGIN_OK };
	int r = 0;

	if (created->created.status == CTRL_OK)
		r = walk_success(&w, &v);
	else if (created->created.status == CTRL_SEALED)
		walk_failure(&w, &v);
	else
		refused(&v, 1, created->created.status, false);
	sodium_memzero(w.plain, sizeof(w.plain));
	if (r == 0)
		*ret = v;
	return r;
}
