/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plan/mtu.h"

#include <errno.h>
#include <string.h>

#include "model/ids.h"

#define IP6_HEADER 40
#define ESP_HEADER 8
#define ESP_IV 8
#define ESP_TRAILER 2  /* pad length, next header */
#define MTU_INNER4 576 /* RFC 791: every host takes packets of this size */

/*
 * What a device of size mtu leaves for the payload of ESP: the outer header, SPI, sequence number, IV and ICV go off,
 * the rest is rounded down to the 4-byte alignment, of which the trailer takes two bytes.
 */
static int esp_payload(int mtu, const struct suite_info *suite)
{
	int room = mtu - IP6_HEADER - ESP_HEADER - ESP_IV - suite->icv_len;
	return room < 0 ? 0 : (room & ~3) - ESP_TRAILER;
}

int mtu_layers(uint16_t link_mtu, size_t n, const enum suite *suites, uint16_t *ret)
{
	uint16_t layers[HOPS_MAX];
	int mtu = link_mtu;

	if (!n || n > HOPS_MAX)
		return -EINVAL;
	for (size_t i = 0; i < n; i++) {
		const struct suite_info *suite = suite_get(suites[i]);
		bool last = i == n - 1;
		if (!suite)
			return -EINVAL;
		/* BEET: the inner header is not sent, so it comes on top of the payload. */
		mtu = esp_payload(mtu, suite) + (last ? 0 : IP6_HEADER);
		if (mtu < (last ? MTU_INNER4 : MTU_INNER6))
			return -EINVAL;
		layers[i] = (uint16_t)mtu;
	}
	memcpy(ret, layers, n * sizeof(*ret));
	return 0;
}

uint16_t mtu_inner(uint16_t link_mtu, size_t n, const enum suite *suites)
{
	uint16_t layers[HOPS_MAX];
	return mtu_layers(link_mtu, n, suites, layers) < 0 ? 0 : layers[n - 1];
}

bool plan_inner6_possible(uint16_t link_mtu, size_t n, const enum suite *suites)
{
	return mtu_inner(link_mtu, n, suites) >= MTU_INNER6;
}
