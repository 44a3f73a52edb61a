/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "anond/up_request.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "anond/rules_json.h"
#include "anond/selection_json.h"
#include "lib/cleanup.h"
#include "lib/reply.h"

static int parse_path(const json_t *path, struct up_request *a, struct error *err)
{
	size_t n = json_array_size(path);

	if (!path || json_is_null(path))
		return 0;
	if (n < 1 || n > HOPS_MAX)
		return error_set(err, -EINVAL, "path: 1 to %d relays", HOPS_MAX);
	for (size_t i = 0; i < n; i++) {
		a->pin[i] = json_string_value(json_array_get(path, i));
		if (!a->pin[i] || strlen(a->pin[i]) >= RELAY_PIN_MAX)
			return error_set(err, -EINVAL, "path: not a list of relay names or identities");
	}
	a->hops = n;
	a->pinned = true;
	return 0;
}

int up_request_wait(const json_t *wait, double *ret, struct error *err)
{
	if (!json_is_number(wait) || json_number_value(wait) < 0 || json_number_value(wait) > REPLY_WAIT_MAX)
		return error_set(err, -EINVAL, "wait: 0 to %d seconds", REPLY_WAIT_MAX);
	*ret = json_number_value(wait);
	return 0;
}

static int parse_numbers(const json_t *args, struct up_request *a, struct error *err)
{
	const json_t *hops = json_object_get(args, "hops");
	const json_t *wait = json_object_get(args, "wait");

	if (hops && !json_is_null(hops)) {
		json_int_t n = json_integer_value(hops);

		if (n < 1 || n > HOPS_MAX)
			return error_set(err, -EINVAL, "hops: 1 to %d", HOPS_MAX);
		a->hops = (size_t)n;
	}
	return wait && !json_is_null(wait) ? up_request_wait(wait, &a->wait, err) : 0;
}

int up_request_parse(const json_t *args, size_t hops, struct up_request *ret, struct error *err)
{
	struct up_request a = { .hops = hops, .wait = REPLY_WAIT_DEFAULT };
	int r = parse_numbers(args, &a, err);

	if (r == 0)
		r = parse_path(json_object_get(args, "path"), &a, err);
	if (r == 0)
		r = rules_from_json(args, &a.rules, err);
	if (r == 0 && a.pinned && path_rules_any(&a.rules))
		r = error_set(err, -EINVAL, "path: chosen relay by relay it takes no wishes of countries and the like");
	if (r == 0)
		r = selection_from_json(args, true, &a.sel, err);
	if (r < 0) {
		up_request_clear(&a);
		return r;
	}
	*ret = a;
	return 0;
}

void up_request_clear(struct up_request *a)
{
	selection_clear(&a->sel);
}
