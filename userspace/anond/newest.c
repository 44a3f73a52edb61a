/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "anond/newest.h"

#include <errno.h>
#include <jansson.h>
#include <sodium.h>
#include <string.h>

#include "directory/file.h"
#include "lib/cleanup.h"

#define NEWEST_FILE_MAX 512 /* bytes */

struct seen {
	uint8_t key[NETWORK_KEY_LEN];
	uint64_t valid_from;
};

static int path_of(const char *dir, char **ret, struct error *err)
{
	if (asprintf(ret, "%s/network-newest", dir) >= 0)
		return 0;
	*ret = NULL;
	return error_set(err, -ENOMEM, "out of memory");
}

static int parse(const char *text, size_t len, struct seen *ret)
{
	json_t *j = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	const char *hex = json_string_value(json_object_get(j, "network-key"));
	const json_t *from = json_object_get(j, "valid-from");
	struct seen seen = { .valid_from = (uint64_t)json_integer_value(from) };
	size_t n = 0;
	bool good = hex && json_is_integer(from) && json_integer_value(from) >= 0 &&
		    sodium_hex2bin(seen.key, sizeof(seen.key), hex, strlen(hex), NULL, &n, NULL) == 0 &&
		    n == sizeof(seen.key);

	json_decref(j);
	if (!good)
		return -EBADMSG;
	*ret = seen;
	return 0;
}

int newest_load(const char *dir, const uint8_t key[NETWORK_KEY_LEN], uint64_t *ret, struct error *err)
{
	_cleanup_free_ char *path = NULL, *text = NULL;
	struct seen seen;
	size_t len;
	int r = path_of(dir, &path, err);

	if (r < 0)
		return r;
	r = file_read(path, NEWEST_FILE_MAX, &text, &len, err);
	if (r == -ENOENT) {
		*ret = 0;
		return 0;
	}
	if (r < 0)
		return r;
	if (parse(text, len, &seen) < 0)
		return error_set(err, -EBADMSG, "%s: damaged", path);
	*ret = memcmp(seen.key, key, sizeof(seen.key)) == 0 ? seen.valid_from : 0;
	return 0;
}

int newest_save(const char *dir, const uint8_t key[NETWORK_KEY_LEN], uint64_t valid_from, struct error *err)
{
	char hex[2 * NETWORK_KEY_LEN + 1];
	_cleanup_free_ char *path = NULL, *text = NULL;
	struct error ignored;
	uint64_t known;
	int n, r = path_of(dir, &path, err);

	if (r < 0)
		return r;
	/* A damaged one is replaced. */
	if (newest_load(dir, key, &known, &ignored) == 0 && known >= valid_from)
		return 0;
	sodium_bin2hex(hex, sizeof(hex), key, NETWORK_KEY_LEN);
	n = asprintf(&text, "{\"network-key\":\"%s\",\"valid-from\":%llu}\n", hex, (unsigned long long)valid_from);
	if (n < 0) {
		text = NULL;
		return error_set(err, -ENOMEM, "out of memory");
	}
	return file_replace(path, text, (size_t)n, 0600, err);
}
