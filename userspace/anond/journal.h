/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The small tables that outlive a crash of the daemon (never a key): one JSON object a line, appended as things
 * happen, rewritten as a whole when most of it is history. It lies under /run, so a reboot, which empties the kernel
 * too, empties it.
 */
#pragma once

#include <jansson.h>
#include <stddef.h>

struct journal;

/*
 * Open or create `path` (mode 0600) and hand every line to `load` in order; a torn last line (the daemon died while
 * it wrote) is dropped. Any other line that is no JSON object is passed over and counted: what that means for the rest
 * is the caller's to judge.
 */
int journal_open(const char *path, void (*load)(void *ctx, const json_t *line), void *ctx, struct journal **ret);
void journal_close(struct journal *j);		 /* NULL is fine */
size_t journal_damaged(const struct journal *j); /* lines passed over by journal_open */

/*
 * Append one object. Steals `line` (also on failure; NULL is -ENOMEM). On failure, such as -ENOSPC or -EFBIG, nothing
 * of the line stays.
 */
int journal_append(struct journal *j, json_t *line);

/*
 * When more lines than 2 * live + 256 have been written: replace the content by what `dump` appends (it calls
 * journal_append). Atomic: the old file stays until the new one is complete, -EIO if that has fewer than live lines.
 * After a failure it is not tried again before the file has twice as many lines.
 */
int journal_compact(struct journal *j, size_t live, void (*dump)(void *ctx, struct journal *j), void *ctx);
