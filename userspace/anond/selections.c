/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "anond/selections.h"

#include <errno.h>
#include <string.h>

#include "anond/rules_json.h"
#include "anond/selection_json.h"
#include "directory/file.h"
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

static int plan_one(const json_t *circuit, const struct lans *lans, struct plan *plan)
{
	json_int_t id = json_integer_value(json_object_get(circuit, "id"));
	json_int_t hops = json_integer_value(json_object_get(circuit, "hops"));
	const char *pins[HOPS_MAX];
	struct selection sel = { 0 };
	struct path_rules rules;
	struct error ignored;
	int r = selection_from_json(circuit, false, &sel, &ignored);

	if (r == 0 && (id < 1 || id > CIRCUIT_ID_MAX || hops < 1 || hops > HOPS_MAX))
		r = -EBADMSG;
	/* What could not be taken up later would not be protected then. */
	if (r == 0 && (pins_from_json(json_object_get(circuit, "path"), (size_t)hops, pins) < 0 ||
		       rules_from_json(circuit, &rules, &ignored) < 0))
		r = -EBADMSG;
	if (r == 0 && sel.lan && !lans->n)
		r = -ENODEV;
	if (r == 0)
		r = plan_selection(plan, (uint32_t)id, &sel, lans);
	selection_clear(&sel);
	return r;
}

static int plan_list(const json_t *list, const struct lans *lans, struct plan *plan)
{
	size_t i;
	json_t *circuit;
	int r = 0;

	json_array_foreach (list, i, circuit) {
		if (r == 0)
			r = plan_one(circuit, lans, plan);
	}
	return r;
}

/* Whether each of them makes sense. */
static int check_list(const json_t *whole, const struct lans *lans)
{
	const json_t *list = json_object_get(whole, "circuits");
	_cleanup_plan_ struct plan plan = { 0 };

	if (json_integer_value(json_object_get(whole, "version")) != 1 || !json_is_array(list))
		return -EBADMSG;
	return plan_list(list, lans, &plan);
}

int selections_load(const char *dir, const struct lans *lans, json_t **ret, struct error *err)
{
	_cleanup_free_ char *path = NULL, *text = NULL;
	json_t *whole;
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
	r = check_list(whole, lans);
	if (r == 0)
		*ret = json_incref(json_object_get(whole, "circuits"));
	else if (r == -ENODEV)
		error_set(err, r, "%s: circuits for a LAN, but the configuration has no `lan`", path);
	else
		r = error_set(err, -EBADMSG, "%s: damaged: what it protects is not known", path);
	json_decref(whole);
	return r;
}

struct target {
	struct kernel *kernel;
	const struct lans *lans;
	const struct endpoints *servers;
};

static int apply_rules(const struct target *t, const struct plan *kill)
{
	_cleanup_plan_ struct plan rules = { 0 };
	int r = plan_selection_rules(&rules, t->lans, t->servers, kill);

	return r < 0 ? r : kernel_apply(t->kernel, &rules);
}

/* Everything else that a client has from its start on. */
static int apply_rest(const struct target *t, const struct plan *kill)
{
	_cleanup_plan_ struct plan all = { 0 };
	int r = plan_base(&all);

	if (r == 0)
		r = plan_client_base(&all, t->lans, t->servers);
	for (size_t i = 0; r == 0 && i < kill->n; i++)
		r = plan_add_copy(&all, &kill->v[i]);
	return r < 0 ? r : kernel_apply(t->kernel, &all);
}

/* All at once; where that is refused one by one, for what is wrong with one must not open the others. */
static int block_list(const struct target *t, const json_t *list)
{
	_cleanup_plan_ struct plan kill = { 0 };
	int r = plan_list(list, t->lans, &kill), all;
	size_t i;
	json_t *circuit;

	if (r < 0)
		return r;
	all = apply_rules(t, &kill);
	if (all == 0)
		return apply_rest(t, &kill);
	if (json_array_size(list) == 0)
		return all;
	json_array_foreach (list, i, circuit) {
		_cleanup_plan_ struct plan one = { 0 };
		int e = plan_one(circuit, t->lans, &one);

		if (e == 0)
			e = apply_rules(t, &one);
		if (r == 0)
			r = e;
	}
	return r;
}

static int block_everything(const struct target *t)
{
	struct prefix all[] = { { .family = AF_INET }, { .family = AF_INET6 } };
	const struct selection sel = { .prefixes = all, .n = ARRAY_SIZE(all) };
	_cleanup_plan_ struct plan kill = { 0 };
	int r = plan_selection(&kill, ID_UNKNOWN, &sel, t->lans);

	if (r == 0)
		r = apply_rules(t, &kill);
	return r < 0 ? r : apply_rest(t, &kill);
}

int selections_block(const char *dir, bool must_be_known, const struct lans *lans, const struct endpoints *servers,
		     struct kernel *kernel, struct error *err)
{
	const struct target target = { kernel, lans, servers };
	struct error why = { "" };
	json_t *list = NULL;
	int r = selections_load(dir, lans, &list, &why), e;

	if (r == 0 && json_array_size(list) == 0 && must_be_known)
		r = error_set(&why, -ENOENT, "what is to be protected is not known");
	if (r == 0 && (json_array_size(list) || lans->n)) {
		r = block_list(&target, list);
		if (r < 0)
			error_set(&why, r, "a kill switch could not be set: %s", kernel_error_text(kernel));
	}
	json_decref(list);
	if (r == 0)
		return 0;
	e = block_everything(&target);
	if (e < 0)
		return error_set(err, e, "%s; everything could not be blocked either: %s", why.text,
				 kernel_error_text(kernel));
	return error_set(err, r, "%s; everything is blocked until `anond --flush`", why.text);
}
