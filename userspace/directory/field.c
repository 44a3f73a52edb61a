/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "directory/field.h"

#include <errno.h>
#include <string.h>

#include "lib/base64.h"

int field_uint(const json_t *obj, const char *name, uint64_t min, uint64_t max, uint64_t *ret, struct error *err)
{
	const json_t *v = json_object_get(obj, name);
	json_int_t i;

	if (!v)
		return error_set(err, -EINVAL, "%s: missing", name);
	i = json_is_integer(v) ? json_integer_value(v) : -1;
	if (i < 0 || (uint64_t)i < min || (uint64_t)i > max)
		return error_set(err, -EINVAL, "%s: not an integer from %ju to %ju", name, (uintmax_t)min,
				 (uintmax_t)max);
	*ret = (uint64_t)i;
	return 0;
}

int field_bool(const json_t *obj, const char *name, bool *ret, struct error *err)
{
	const json_t *v = json_object_get(obj, name);

	if (!v)
		return error_set(err, -EINVAL, "%s: missing", name);
	if (!json_is_boolean(v))
		return error_set(err, -EINVAL, "%s: neither true nor false", name);
	*ret = json_is_true(v);
	return 0;
}

int field_text(const json_t *obj, const char *name, const char **ret, struct error *err)
{
	const json_t *v = json_object_get(obj, name);

	if (!v)
		return 0;
	if (!json_is_string(v))
		return error_set(err, -EINVAL, "%s: not a string", name);
	*ret = json_string_value(v);
	return 0;
}

int field_bytes(const json_t *obj, const char *name, uint8_t *ret, size_t len, struct error *err)
{
	const json_t *v = json_object_get(obj, name);

	if (!v)
		return error_set(err, -EINVAL, "%s: missing", name);
	if (!json_is_string(v) || base64_parse(json_string_value(v), json_string_length(v), ret, len) < 0)
		return error_set(err, -EINVAL, "%s: not %zu bytes in base64", name, len);
	return 0;
}

int field_only(json_t *obj, const char *const *names, size_t n, struct error *err)
{
	const char *key;
	json_t *value;

	json_object_foreach (obj, key, value) {
		size_t i = 0;

		while (i < n && strcmp(names[i], key) != 0)
			i++;
		if (i == n)
			return error_set(err, -EINVAL, "unknown member \"%.40s\"", key);
	}
	return 0;
}
