/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The codec. First byte: which decoder. What decodes must encode again to something that decodes to the same; views
 * must lie within the input.
 */
#include <stdlib.h>
#include <string.h>

#include "wire/ctrl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok)
{
	if (!ok)
		abort();
}

static void within(struct ctrl_view v, const uint8_t *p, size_t len)
{
	require(v.len == 0 || (v.p >= p && v.p + v.len <= p + len));
}

static bool same(struct ctrl_view a, struct ctrl_view b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

static void datagram(const uint8_t *p, size_t len)
{
	static uint8_t again[65536];
	struct ctrl_msg m, n;

	if (ctrl_decode(p, len, &m) < 0)
		return;
	if (m.type == CTRL_PROBE || m.type == CTRL_PROBE_ACK) {
		require(m.probe_len == len && ctrl_probe_encode(m.type, m.handle, again, len) == 0);
		require(ctrl_decode(again, len, &n) == 0 && n.handle == m.handle);
		return;
	}
	require(len == CTRL_MSG_LEN && ctrl_encode(&m, again) == 0 && ctrl_decode(again, len, &n) == 0);
	require(n.type == m.type && n.handle == m.handle);
	if (m.type == CTRL_CREATE) {
		uint32_t id;
		struct ctrl_view noise;

		within(m.create, p, len);
		require(same(m.create, n.create));
		if (ctrl_body_decode(m.create, &id, &noise) == 0)
			within(noise, p, len);
	} else if (m.type == CTRL_CREATED) {
		within(m.created.body, p, len);
		require(same(m.created.body, n.created.body) && m.created.status == n.created.status);
	} else {
		require(m.destroy.by_creator == n.destroy.by_creator && m.destroy.reason == n.destroy.reason);
	}
}

static void offer(const uint8_t *p, size_t len)
{
	static uint8_t again[65536 + 64];
	struct ctrl_offer o;
	size_t n;

	if (ctrl_offer_decode(p, len, &o) < 0)
		return;
	within(o.body, p, len);
	require(ctrl_offer_encode(&o, again, sizeof(again), &n) == 0 && n == len && memcmp(p, again, len) == 0);
}

static void answer(const uint8_t *p, size_t len)
{
	static uint8_t again[65536 + 128];
	struct ctrl_answer a, b;
	size_t n;

	if (ctrl_answer_decode(p, len, &a) < 0)
		return;
	within(a.body, p, len);
	/* Addresses of a family that is not given are dropped, so only the second encoding is exact. */
	require(ctrl_answer_encode(&a, again, sizeof(again), &n) == 0 && n == len);
	require(ctrl_answer_decode(again, n, &b) == 0 && b.status == a.status && b.kind == a.kind);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	switch (data[0] % 3) {
	case 0:
		datagram(data + 1, size - 1);
		break;
	case 1:
		offer(data + 1, size - 1);
		break;
	default:
		answer(data + 1, size - 1);
		break;
	}
	return 0;
}
