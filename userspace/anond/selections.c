/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "anond/selections.h"

#include <errno.h>
#include <string.h>

#include "anond/up_request.h"
#include "directory/file.h"
#include "model/prefix.h"
#include "plan/plan.h"

#define SELECTIONS_FILE_MAX (16u << 20) /* bytes: CIRCUITS_MAX circuits of SELECTORS_MAX destinations */
#define ID_UNKNOWN 1			/* of the block that stands for a damaged file */

static int path_of(const char *dir, char **ret, struct error *err)
{
	if (asprintf(ret, "%s/" SELECTIONS_FILE, dir) >= 0)
		return 0;
	*ret = NULL;
	return error_set(err, -ENOMEM, "out of memory");
}

static bool says_so(const char *path, const char *text)
{
	_cleanup_free_ char *now = NULL;
	struct error ignored;
	size_t len;

	return file_read(path, SELECTIONS_FILE_MAX, &now, &len, &ignored) == 0 && strcmp(now, text) == 0;
}

int selections_save(const char *dir, json_t *circuits, struct error *err)
{
	json_t *whole = json_pack("{s:i, s:o}", "version", 1, "circuits", circuits);
	_cleanup_free_ char *text = whole ? json_dumps(whole, JSON_INDENT(1) | JSON_SORT_KEYS) : NULL;
	_cleanup_free_ char *path = NULL;
	int r = path_of(dir, &path, err);

	json_decref(whole);
	if (r < 0)
		return r;
	if (!text)
		return error_set(err, -ENOMEM, "out of memory");
	return says_so(path, text) ? 0 : file_replace(path, text, strlen(text), 0600, err);
}

int selections_forget(const char *dir)
{
	_cleanup_free_ char *path = NULL;
	struct error err;
	int r = path_of(dir, &path, &err);

	if (r < 0)
		return r;
	return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}

int selections_prefixes(const json_t *list, struct prefix **ret, size_t *ret_n)
{
	size_t n = json_array_size(list);
	struct prefix *to = n && n <= SELECTORS_MAX ? calloc(n, sizeof(*to)) : NULL;

	if (!to)
		return -EBADMSG;
	for (size_t i = 0; i < n; i++) {
		const char *text = json_string_value(json_array_get(list, i));

		if (!text || prefix_parse(text, &to[i]) < 0) {
			free(to);
			return -EBADMSG;
		}
	}
	*ret = to;
	*ret_n = n;
	return 0;
}

static int plan_one(const json_t *circuit, struct plan *plan)
{
	_cleanup_free_ struct prefix *to = NULL;
	json_int_t id = json_integer_value(json_object_get(circuit, "id"));
	json_int_t hops = json_integer_value(json_object_get(circuit, "hops"));
	size_t n;
	int r = selections_prefixes(json_object_get(circuit, "to"), &to, &n);

	if (r == 0 && (id < 1 || id > SLOT_MAX || hops < 1 || hops > HOPS_MAX))
		r = -EBADMSG;
	return r < 0 ? r : plan_selection(plan, (uint32_t)id, to, n);
}

static int plan_list(const json_t *list, struct plan *plan)
{
	size_t i;
	json_t *circuit;
	int r = 0;

	json_array_foreach (list, i, circuit) {
		if (r == 0)
			r = plan_one(circuit, plan);
	}
	return r;
}

/* Each of them makes sense. */
static bool list_ok(const json_t *list)
{
	_cleanup_plan_ struct plan plan = { 0 };

	return json_is_array(list) && plan_list(list, &plan) == 0;
}

int selections_load(const char *dir, json_t **ret, struct error *err)
{
	_cleanup_free_ char *path = NULL, *text = NULL;
	json_t *whole, *list;
	size_t len;
	int r = path_of(dir, &path, err);

	if (r == 0)
		r = file_read(path, SELECTIONS_FILE_MAX, &text, &len, err);
	if (r == -ENOENT) {
		*ret = json_array();
		return *ret ? 0 : error_set(err, -ENOMEM, "out of memory");
	}
	if (r < 0)
		return r;
	whole = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	list = json_object_get(whole, "circuits");
	if (json_integer_value(json_object_get(whole, "version")) == 1 && list_ok(list))
		*ret = json_incref(list);
	else
		r = error_set(err, -EBADMSG, "%s: damaged: what it protects is not known", path);
	json_decref(whole);
	return r;
}

static int apply_rules(struct kernel *kernel, const struct plan *kill)
{
	_cleanup_plan_ struct plan rules = { 0 };
	int r = plan_selection_rules(&rules, kill);

	return r < 0 ? r : kernel_apply(kernel, &rules);
}

/* Everything else that a client has from its start on. */
static int apply_rest(struct kernel *kernel, const struct plan *kill)
{
	_cleanup_plan_ struct plan all = { 0 };
	int r = plan_base(&all);

	if (r == 0)
		r = plan_client_base(&all);
	for (size_t i = 0; r == 0 && i < kill->n; i++)
		r = plan_add_copy(&all, &kill->v[i]);
	return r < 0 ? r : kernel_apply(kernel, &all);
}

/* All at once; where that is refused one by one, for what is wrong with one must not open the others. */
static int block_list(struct kernel *kernel, const json_t *list)
{
	_cleanup_plan_ struct plan kill = { 0 };
	int r = plan_list(list, &kill);
	size_t i;
	json_t *circuit;

	if (r < 0)
		return r;
	if (apply_rules(kernel, &kill) == 0)
		return apply_rest(kernel, &kill);
	json_array_foreach (list, i, circuit) {
		_cleanup_plan_ struct plan one = { 0 };
		int e = plan_one(circuit, &one);

		if (e == 0)
			e = apply_rules(kernel, &one);
		if (r == 0)
			r = e;
	}
	return r;
}

static int block_everything(struct kernel *kernel)
{
	static const struct prefix all[] = { { .family = AF_INET }, { .family = AF_INET6 } };
	_cleanup_plan_ struct plan kill = { 0 };
	int r = plan_selection(&kill, ID_UNKNOWN, all, ARRAY_SIZE(all));

	if (r == 0)
		r = apply_rules(kernel, &kill);
	return r < 0 ? r : apply_rest(kernel, &kill);
}

int selections_block(const char *dir, bool must_be_known, struct kernel *kernel, struct error *err)
{
	struct error why = { "" };
	json_t *list = NULL;
	int r = selections_load(dir, &list, &why), e;

	if (r == 0 && json_array_size(list) == 0 && must_be_known)
		r = error_set(&why, -ENOENT, "what is to be protected is not known");
	if (r == 0 && json_array_size(list)) {
		r = block_list(kernel, list);
		if (r < 0)
			error_set(&why, r, "a kill switch could not be set: %s", kernel_error_text(kernel));
	}
	json_decref(list);
	if (r == 0)
		return 0;
	e = block_everything(kernel);
	if (e < 0)
		return error_set(err, e, "%s; everything could not be blocked either: %s", why.text,
				 kernel_error_text(kernel));
	return error_set(err, r, "%s; everything is blocked until `anond --flush`", why.text);
}
