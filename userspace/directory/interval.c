/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "directory/interval.h"

#include <inttypes.h>

#include "directory/network.h"
#include "lib/cleanup.h"
#include "lib/clock.h"

#define INTERVAL_MAX UINT64_C(604800) /* seconds that a consensus is fresh, and then is valid at most */

static int take_valid_after(void *ctx, struct document_words *w, struct error *err)
{
	return document_number(w, 0, CLOCK_WALL_MAX, &((struct interval *)ctx)->valid_after, err);
}

static int take_fresh_until(void *ctx, struct document_words *w, struct error *err)
{
	struct interval *v = ctx;

	return document_number(w, v->valid_after + 1, v->valid_after + INTERVAL_MAX, &v->fresh_until, err);
}

static int take_valid_until(void *ctx, struct document_words *w, struct error *err)
{
	struct interval *v = ctx;

	return document_number(w, v->fresh_until, v->fresh_until + INTERVAL_MAX, &v->valid_until, err);
}

static int take_link_mtu(void *ctx, struct document_words *w, struct error *err)
{
	uint64_t mtu = 0;
	int r = document_number(w, NETWORK_MTU_MIN, NETWORK_MTU_MAX, &mtu, err);

	((struct interval *)ctx)->link_mtu = (uint16_t)mtu;
	return r;
}

static const struct document_field fields[] = {
	{ "valid-after", take_valid_after, false },
	{ "fresh-until", take_fresh_until, false },
	{ "valid-until", take_valid_until, false },
	{ "link-mtu", take_link_mtu, false },
};

int interval_read(struct document_reader *r, const char *const *stops, struct interval *ret, struct error *err)
{
	struct interval v = { 0 };
	int e = document_section(r, fields, ARRAY_SIZE(fields), stops, &v, err);

	if (e == 0)
		*ret = v;
	return e;
}

void interval_put(FILE *f, const struct interval *v)
{
	fprintf(f, "valid-after %" PRIu64 "\nfresh-until %" PRIu64 "\nvalid-until %" PRIu64 "\nlink-mtu %u\n",
		v->valid_after, v->fresh_until, v->valid_until, v->link_mtu);
}
