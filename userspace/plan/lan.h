/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside plan/ only. */
#pragma once

#include "model/lan.h"
#include "model/selection.h"
#include "plan/object.h"

/* At a gateway, part of the client's base: what the LAN sends leaves through a circuit or not at all. */
int lan_base(struct plan *p, const struct lans *lans);

/* plan_selection, plan_origin_service and plan_origin_routes for hosts of the LAN. */
int lan_selection(struct plan *p, uint32_t id, const struct selection *sel, const struct lans *lans);
struct chainlink;
int lan_service(struct plan *p, const struct chainlink *k, const struct selection *sel, const struct lans *lans);
int lan_routes(struct plan *p, const struct chainlink *k, const struct selection *sel, const struct lans *lans);

/* The interfaces as nft wants them: { "a", "b" }. */
struct lans_text {
	char s[LANS_MAX * (IFNAMSIZ + 4) + 4];
};
struct lans_text text_lans(const struct lans *lans);
