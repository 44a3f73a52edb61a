/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "directory/flags.h"

#include <errno.h>
#include <string.h>

bool flags_have(const struct flags *f, const char *flag)
{
	for (size_t i = 0; i < f->n; i++)
		if (strcmp(f->v[i], flag) == 0)
			return true;
	return false;
}

bool flags_add(struct flags *f, const char *flag)
{
	size_t len = strlen(flag);

	if (f->n == FLAGS_MAX || len >= FLAG_MAX || (f->n && strcmp(f->v[f->n - 1], flag) >= 0))
		return false;
	memcpy(f->v[f->n++], flag, len + 1);
	return true;
}

int flags_take(struct flags *ret, size_t max, struct document_words *w, struct error *err)
{
	struct flags f = { 0 };
	char flag[FLAG_MAX];

	do {
		int r = document_string(w, flag, sizeof(flag), err);

		if (r < 0)
			return r;
		if (strspn(flag, "abcdefghijklmnopqrstuvwxyz") != strlen(flag))
			return error_set(err, -EINVAL, "a word is not of a to z");
		if (f.n == max || !flags_add(&f, flag))
			return error_set(err, -EINVAL, "%s: more than %zu, or not ascending", flag, max);
	} while (w->s != w->end);
	*ret = f;
	return 0;
}

void flags_put(FILE *out, const struct flags *f)
{
	fputs("flags", out);
	for (size_t i = 0; i < f->n; i++)
		fprintf(out, " %s", f->v[i]);
	fputc('\n', out);
}
