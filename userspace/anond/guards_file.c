/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "anond/guards_file.h"

#include <errno.h>
#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "directory/consensus.h"
#include "directory/file.h"
#include "lib/base64.h"
#include "lib/cleanup.h"
#include "lib/clock.h"

#define GUARDS_FILE_MAX 16384u /* bytes */
#define VERSION 1

static int path_of(const char *dir, char **ret, struct error *err)
{
	if (asprintf(ret, "%s/" GUARDS_FILE, dir) >= 0)
		return 0;
	*ret = NULL;
	return error_set(err, -ENOMEM, "out of memory");
}

/* ---- reading ---- */

static bool read_key(const json_t *j, uint8_t ret[32])
{
	const char *text = json_string_value(j);

	return text && base64_parse(text, strlen(text), ret, 32) == 0;
}

static bool read_time(const json_t *j, uint64_t *ret)
{
	json_int_t v = json_integer_value(j);

	*ret = (uint64_t)v;
	return json_is_integer(j) && v >= 0 && v <= (json_int_t)CLOCK_WALL_MAX;
}

static bool read_guard(const json_t *j, struct guard *ret)
{
	return json_object_size(j) == 4 && read_key(json_object_get(j, "identity"), ret->id.b) &&
	       read_time(json_object_get(j, "added"), &ret->added) &&
	       read_time(json_object_get(j, "confirmed"), &ret->confirmed) &&
	       read_time(json_object_get(j, "unlisted"), &ret->unlisted);
}

static bool read_guards(const json_t *list, struct guards *g)
{
	const json_t *v;
	size_t i;

	if (!json_is_array(list) || json_array_size(list) > GUARDS_MAX)
		return false;
	json_array_foreach (list, i, v) {
		struct guard *guard = &g->v[g->n];

		*guard = (struct guard){ .added = 0 };
		if (!read_guard(v, guard))
			return false;
		for (size_t k = 0; k < g->n; k++)
			if (memcmp(&g->v[k].id, &guard->id, sizeof(guard->id)) == 0)
				return false;
		g->n++;
	}
	return true;
}

static bool is_among(const uint8_t key[32], const uint8_t (*keys)[32], size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (memcmp(keys[i], key, 32) == 0)
			return true;
	return false;
}

/* *ret_same: whether it is of the network of those. */
static bool read_signers(const json_t *list, const struct signers *by, bool *ret_same)
{
	uint8_t keys[AUTHORITIES_MAX][32];
	size_t n = json_array_size(list), same = 0;

	if (n == 0 || n > AUTHORITIES_MAX)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!read_key(json_array_get(list, i), keys[i]))
			return false;
	for (size_t i = 0; i < by->n; i++)
		same += is_among(by->keys[i], (const uint8_t(*)[32])keys, n);
	*ret_same = 2 * same > by->n;
	return true;
}

int guards_parse(const char *text, size_t len, const struct signers *by, struct guards *ret)
{
	json_t *j = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	struct guards g = { .n = 0 };
	bool same = false;
	bool good = json_object_size(j) == 4 && json_integer_value(json_object_get(j, "version")) == VERSION &&
		    read_signers(json_object_get(j, "signers"), by, &same) &&
		    read_time(json_object_get(j, "grown"), &g.grown) && read_guards(json_object_get(j, "guards"), &g);

	json_decref(j);
	*ret = good && same ? g : (struct guards){ .n = 0 };
	return good ? 0 : -EBADMSG;
}

int guards_file_load(const char *dir, const struct signers *by, struct guards *ret, struct error *err)
{
	_cleanup_free_ char *path = NULL, *text = NULL;
	size_t len;
	int r = path_of(dir, &path, err);

	*ret = (struct guards){ .n = 0 };
	if (r == 0)
		r = file_read(path, GUARDS_FILE_MAX, &text, &len, err);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	r = guards_parse(text, len, by, ret);
	return r < 0 ? error_set(err, r, "%s: damaged", path) : 0;
}

/* ---- writing ---- */

static json_t *key_json(const uint8_t key[32])
{
	char text[BASE64_LEN(32)];

	base64_write(key, 32, text);
	return json_string(text);
}

char *guards_format(const struct signers *by, const struct guards *g)
{
	json_t *list = json_array(), *signers = json_array(), *j;
	char *text;

	for (size_t i = 0; i < by->n; i++)
		json_array_append_new(signers, key_json(by->keys[i]));
	for (size_t i = 0; i < g->n; i++)
		json_array_append_new(list,
				      json_pack("{s:o, s:I, s:I, s:I}", "identity", key_json(g->v[i].id.b), "added",
						(json_int_t)g->v[i].added, "confirmed", (json_int_t)g->v[i].confirmed,
						"unlisted", (json_int_t)g->v[i].unlisted));
	j = json_array_size(list) == g->n && json_array_size(signers) == by->n
		    ? json_pack("{s:i, s:O, s:I, s:O}", "version", VERSION, "signers", signers, "grown",
				(json_int_t)g->grown, "guards", list)
		    : NULL;
	json_decref(list);
	json_decref(signers);
	text = j ? json_dumps(j, JSON_INDENT(1) | JSON_SORT_KEYS) : NULL;
	json_decref(j);
	return text;
}

static bool says_so(const char *path, const char *text)
{
	_cleanup_free_ char *now = NULL;
	struct error ignored;
	size_t len;

	return file_read(path, GUARDS_FILE_MAX, &now, &len, &ignored) == 0 && strcmp(now, text) == 0;
}

int guards_file_save(const char *dir, const struct signers *by, const struct guards *g, struct error *err)
{
	_cleanup_free_ char *path = NULL, *text = guards_format(by, g);
	int r = path_of(dir, &path, err);

	if (r < 0)
		return r;
	if (!text)
		return error_set(err, -ENOMEM, "out of memory");
	return says_so(path, text) ? 0 : file_replace(path, text, strlen(text), 0600, err);
}
