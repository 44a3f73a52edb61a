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

static int plan_everything(struct plan *plan)
{
	static const struct prefix all[] = { { .family = AF_INET }, { .family = AF_INET6 } };

	return plan_selection(plan, ID_UNKNOWN, all, ARRAY_SIZE(all));
}

static int copy(const struct plan *from, bool nft_only, struct plan *to)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < from->n; i++)
		if (!nft_only || from->v[i].type == KOBJ_NFT)
			r = plan_add_copy(to, &from->v[i]);
	return r;
}

/* The rules first: what else there is (routes, for errors at once) must not keep them from being there. */
static int apply(struct kernel *kernel, const struct plan *kill, struct error *err)
{
	_cleanup_plan_ struct plan all = { 0 }, rules = { 0 };
	int r = plan_base(&all);

	if (r == 0)
		r = plan_client_base(&all);
	if (r == 0)
		r = copy(kill, false, &all);
	if (r == 0)
		r = copy(&all, true, &rules);
	if (r == 0)
		r = kernel_apply(kernel, &rules);
	if (r == 0)
		r = kernel_apply(kernel, &all);
	return r < 0 ? error_set(err, r, "the kill switch could not be set: %s", kernel_error_text(kernel)) : 0;
}

int selections_block(const char *dir, struct kernel *kernel, struct error *err)
{
	_cleanup_plan_ struct plan kill = { 0 }, all = { 0 };
	struct error failed = { "" };
	json_t *list = NULL;
	int r = selections_load(dir, &list, err), bad;

	if (r == 0 && json_array_size(list) == 0) {
		json_decref(list);
		return 0;
	}
	if (r == 0) {
		r = plan_list(list, &kill);
		json_decref(list);
		return r < 0 ? error_set(err, r, "out of memory") : apply(kernel, &kill, err);
	}
	bad = plan_everything(&all);
	if (bad == 0)
		bad = apply(kernel, &all, &failed);
	return bad < 0 ? error_set(err, bad, "%s", failed.text) : r;
}
