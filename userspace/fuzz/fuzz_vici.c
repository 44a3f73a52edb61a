/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A packet from charon: parse it, walk all of it, look things up in it, read it as an SA. */
#include <stdlib.h>

#include "ike/sa.h"
#include "ike/vici.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t walk(struct vici_view view, unsigned int depth)
{
	struct vici_item item;
	size_t bytes = 0;

	if (depth > VICI_DEPTH_MAX + 1)
		abort();
	while (vici_next(&view, &item)) {
		struct sa sa;

		for (size_t i = 0; i < item.name_len; i++)
			bytes += (uint8_t)item.name[i];
		if (item.kind != VICI_VALUE) {
			bytes += walk(item.body, depth + 1);
			(void)sa_parse(&item.body, &sa);
		} else {
			for (size_t i = 0; i < item.body.len; i++)
				bytes += item.body.p[i];
		}
	}
	/* What was accepted iterates to its very end. */
	if (view.len != 0)
		abort();
	return bytes;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vici_packet packet;
	char text[8];
	uint64_t n;

	if (vici_packet_parse(data, size, &packet) < 0)
		return 0;
	(void)walk(packet.message, 0);
	(void)vici_get_str(&packet.message, "a/b", text, sizeof(text));
	(void)vici_get_u64(&packet.message, "uniqueid", 10, UINT32_MAX, &n);
	return 0;
}
