/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dirauth/locations.h"

#include <errno.h>
#include <maxminddb.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct database {
	bool open;
	MMDB_s mmdb;
};

struct locations {
	struct database countries, systems;
};

static int open_one(struct database *d, const char *path, struct error *err)
{
	int r;

	if (!path)
		return 0;
	r = MMDB_open(path, MMDB_MODE_MMAP, &d->mmdb);
	if (r != MMDB_SUCCESS)
		return error_set(err, r == MMDB_OUT_OF_MEMORY_ERROR ? -ENOMEM : -EINVAL, "%s: %s", path,
				 MMDB_strerror(r));
	d->open = true;
	return 0;
}

int locations_open(const char *countries, const char *systems, struct locations **ret, struct error *err)
{
	struct locations *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return error_set(err, -ENOMEM, "out of memory");
	r = open_one(&l->countries, countries, err);
	if (r == 0)
		r = open_one(&l->systems, systems, err);
	if (r < 0) {
		locations_close(l);
		return r;
	}
	*ret = l;
	return 0;
}

void locations_close(struct locations *l)
{
	if (!l)
		return;
	if (l->countries.open)
		MMDB_close(&l->countries.mmdb);
	if (l->systems.open)
		MMDB_close(&l->systems.mmdb);
	free(l);
}

static bool look_up(struct database *d, const struct in6_addr *addr, const char *const *path, MMDB_entry_data_s *ret)
{
	struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_addr = *addr };
	struct sockaddr_in four = { .sin_family = AF_INET };
	bool is_four = IN6_IS_ADDR_V4MAPPED(addr);
	MMDB_lookup_result_s found;
	int error;

	if (!d->open)
		return false;
	memcpy(&four.sin_addr, &addr->s6_addr[12], 4);
	found = MMDB_lookup_sockaddr(&d->mmdb, is_four ? (const struct sockaddr *)&four : (const struct sockaddr *)&six,
				     &error);
	return error == MMDB_SUCCESS && found.found_entry && MMDB_aget_value(&found.entry, ret, path) == MMDB_SUCCESS &&
	       ret->has_data;
}

static bool is_country(const MMDB_entry_data_s *v)
{
	return v->type == MMDB_DATA_TYPE_UTF8_STRING && v->data_size == 2 && v->utf8_string[0] >= 'A' &&
	       v->utf8_string[0] <= 'Z' && v->utf8_string[1] >= 'A' && v->utf8_string[1] <= 'Z';
}

void locations_find(void *ctx, const struct in6_addr *addr, uint32_t *ret_as, char ret_country[3])
{
	static const char *const country[] = { "country", "iso_code", NULL }, *const system[] = {
		"autonomous_system_number", NULL
	};
	struct locations *l = ctx;
	MMDB_entry_data_s v;

	*ret_as = 0;
	memset(ret_country, 0, 3);
	if (look_up(&l->systems, addr, system, &v) && v.type == MMDB_DATA_TYPE_UINT32)
		*ret_as = v.uint32;
	if (look_up(&l->countries, addr, country, &v) && is_country(&v))
		memcpy(ret_country, v.utf8_string, 2);
}
