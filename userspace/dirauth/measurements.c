/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dirauth/measurements.h"

#include <errno.h>

#include "directory/file.h"
#include "lib/cleanup.h"

static int take(struct document_line *line, struct roster *r, struct error *err)
{
	struct relay_id id;
	uint64_t kib = 0;
	int e = document_is(line, "relay") ? 0 : error_set(err, -EINVAL, "it does not begin with relay");

	if (e == 0)
		e = document_bytes(&line->words, id.b, sizeof(id.b), err);
	if (e == 0)
		e = document_number(&line->words, 0, UINT32_MAX, &kib, err);
	if (e == 0 && line->words.s != line->words.end)
		e = error_set(err, -EINVAL, "more words than it has");
	if (e < 0)
		return error_prefix(err, e, "line %u", line->number);
	roster_measure(r, &id, (uint32_t)kib);
	return 0;
}

int measurements_parse(const char *text, size_t len, struct roster *r, struct error *err)
{
	struct document_reader doc = document_reader_of(text, len);
	struct document_line line;
	int e;

	roster_unmeasure(r);
	while ((e = document_peek(&doc, &line, err)) > 0) {
		e = take(&line, r, err);
		if (e < 0)
			break;
		document_skip(&doc, &line);
	}
	if (e < 0)
		roster_unmeasure(r);
	return e;
}

int measurements_read(const char *path, struct roster *r, struct error *err)
{
	_cleanup_free_ char *text = NULL;
	size_t len;
	int e;

	roster_unmeasure(r);
	e = file_read(path, MEASUREMENTS_MAX, &text, &len, err);
	if (e == 0)
		e = measurements_parse(text, len, r, err);
	return e < 0 ? error_prefix(err, e, "measurements") : 0;
}
