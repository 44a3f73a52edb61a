/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "anonctl/answer.h"

#include <errno.h>

#include "anonctl/anonctl.h"
#include "lib/reply.h"

int answer_parse(const char *line, size_t len, struct answer *ret)
{
	json_t *body;

	if (len >= REPLY_LINE_MAX)
		return -EMSGSIZE;
	if (len < 4 || line[3] != ' ' || line[0] < '1' || line[0] > '5')
		return -EBADMSG;
	for (int i = 1; i < 3; i++)
		if (line[i] < '0' || line[i] > '9')
			return -EBADMSG;
	body = json_loadb(line + 4, len - 4, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(body)) {
		json_decref(body);
		return -EBADMSG;
	}
	ret->code = (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
	ret->body = body;
	return 0;
}

bool answer_is_progress(const struct answer *a)
{
	return a->code < 200;
}

bool answer_is_ok(const struct answer *a)
{
	return a->code >= 200 && a->code < 300;
}

int answer_status(int code)
{
	switch (code) {
	case REPLY_OK:
	case REPLY_CREATED:
		return STATUS_OK;
	case REPLY_MALFORMED:
		return STATUS_USAGE;
	case REPLY_FORBIDDEN:
	case REPLY_CONFLICT:
	case REPLY_LIMIT:
	case REPLY_REFUSED:
		return STATUS_REFUSED;
	case REPLY_UNREACHABLE:
	case REPLY_TIMEOUT:
		return STATUS_UNREACHABLE;
	case REPLY_NO_FEATURE:
		return STATUS_NO_FEATURE;
	default:
		return STATUS_FAILED;
	}
}

const char *answer_error(const struct answer *a)
{
	const char *text = json_string_value(json_object_get(a->body, "error"));

	return text && text[0] ? text : "the daemon gave no reason";
}
