/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "anond/link_table.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "anond/journal.h"
#include "directory/file.h"
#include "lib/bytes.h"
#include "lib/hash.h"
#include "lib/log.h"
#include "lib/secmem.h"
#include "model/ids.h"

struct numbered {
	UT_hash_handle hh;
	struct relay_id id;
	uint16_t number;
	uint64_t epoch; /* client: how often this guard was dropped */
	bool wanted;	/* client */
};

struct link_table {
	struct journal *journal;
	struct numbered *numbers; /* hash */
	uint16_t next;
	char *secret_path; /* client */
	uint8_t *secret;   /* client: secmem */
};

/* ---- numbers ---- */

static struct numbered *find(const struct link_table *t, const struct relay_id *id)
{
	struct numbered *n;

	HASH_FIND(hh, t->numbers, id, sizeof(*id), n);
	return n;
}

static int put(struct link_table *t, const struct relay_id *id, uint16_t number)
{
	struct numbered *n = calloc(1, sizeof(*n));

	if (!n)
		return -ENOMEM;
	n->id = *id;
	n->number = number;
	HASH_ADD(hh, t->numbers, id, sizeof(n->id), n);
	if (number >= t->next)
		t->next = number + 1;
	return 0;
}

static void load(void *ctx, const json_t *line)
{
	struct link_table *t = ctx;
	const char *hex = json_string_value(json_object_get(line, "relay"));
	json_int_t number = json_integer_value(json_object_get(line, "number"));
	struct numbered *n;
	struct relay_id id;
	size_t len;

	if (!hex || sodium_hex2bin(id.b, sizeof(id.b), hex, strlen(hex), NULL, &len, NULL) != 0 ||
	    len != sizeof(id.b) || number < LINK_FIRST || number > LINK_LAST)
		return;
	n = find(t, &id);
	if (!n && put(t, &id, (uint16_t)number) == 0)
		n = find(t, &id);
	if (n)
		n->epoch = (uint64_t)json_integer_value(json_object_get(line, "epoch"));
}

static json_t *line_of(const struct numbered *n)
{
	char hex[2 * sizeof(n->id.b) + 1];

	sodium_bin2hex(hex, sizeof(hex), n->id.b, sizeof(n->id.b));
	return json_pack("{s:s, s:i, s:I}", "relay", hex, "number", (int)n->number, "epoch", (json_int_t)n->epoch);
}

static void dump(void *ctx, struct journal *j)
{
	const struct link_table *t = ctx;
	const struct numbered *n;

	for (n = t->numbers; n; n = n->hh.next)
		journal_append(j, line_of(n));
}

static int save(struct link_table *t, const struct numbered *n)
{
	int r = journal_append(t->journal, line_of(n));

	return r < 0 ? r : journal_compact(t->journal, HASH_COUNT(t->numbers), dump, t);
}

int link_table_number(struct link_table *t, const struct relay_id *id)
{
	const struct numbered fresh = { .id = *id, .number = t->next };
	const struct numbered *n = find(t, id);
	int r;

	if (n)
		return n->number;
	if (t->next > LINK_LAST)
		return -ENOSPC;
	r = journal_append(t->journal, line_of(&fresh));
	if (r == 0)
		r = put(t, id, fresh.number);
	return r < 0 ? r : fresh.number;
}

uint16_t link_table_find(const struct link_table *t, const struct relay_id *id)
{
	const struct numbered *n = find(t, id);

	return n ? n->number : 0;
}

void link_table_each(const struct link_table *t, void (*fn)(void *ctx, const struct relay_id *id), void *ctx)
{
	const struct numbered *n;

	for (n = t->numbers; n; n = n->hh.next)
		fn(ctx, &n->id);
}

/* ---- who we are to a guard ---- */

/* A new one, also in the file. On an error the new one is in use nevertheless. */
static int secret_draw(struct link_table *t, struct error *err)
{
	randombytes_buf(t->secret, CLIENT_SECRET_LEN);
	return file_replace(t->secret_path, t->secret, CLIENT_SECRET_LEN, 0600, err);
}

static int secret_load(struct link_table *t, const char *run, struct error *err)
{
	_cleanup_close_ int fd = -1;
	size_t len = 0;

	t->secret = secmem_alloc(CLIENT_SECRET_LEN);
	if (!t->secret || asprintf(&t->secret_path, "%s/client-id", run) < 0) {
		t->secret_path = NULL;
		return error_set(err, -ENOMEM, "out of memory");
	}
	fd = open(t->secret_path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd >= 0 && file_read_fd(fd, t->secret, CLIENT_SECRET_LEN, &len) == 0 && len == CLIENT_SECRET_LEN)
		return 0;
	return secret_draw(t, err);
}

/* Whether it was: not while a guard is wanted. */
static bool secret_renew(struct link_table *t)
{
	struct error err = { "" };
	const struct numbered *n;

	for (n = t->numbers; n; n = n->hh.next)
		if (n->wanted)
			return false;
	if (secret_draw(t, &err) < 0)
		log_warn("%s", err.text);
	return true;
}

static void next_epoch(struct link_table *t, struct numbered *n)
{
	int r;

	n->epoch++;
	r = save(t, n);
	if (r < 0)
		log_err("cannot save the link table: %s", strerror(-r));
}

void link_table_renew(struct link_table *t)
{
	struct numbered *n;

	if (secret_renew(t))
		return;
	for (n = t->numbers; n; n = n->hh.next)
		if (!n->wanted)
			next_epoch(t, n);
}

void link_table_client_id(const uint8_t secret[CLIENT_SECRET_LEN], const struct relay_id *guard, uint64_t epoch,
			  uint8_t ret[LINKS_CLIENT_ID_LEN])
{
	uint8_t in[sizeof(guard->b) + sizeof(epoch)];
	struct writer w = writer_of(in, sizeof(in));

	_Static_assert(CLIENT_SECRET_LEN >= crypto_generichash_KEYBYTES_MIN, "key of a keyed hash");
	_Static_assert(LINKS_CLIENT_ID_LEN >= crypto_generichash_BYTES_MIN, "value of a keyed hash");
	write_bytes(&w, guard->b, sizeof(guard->b));
	write_u64(&w, epoch);
	crypto_generichash(ret, LINKS_CLIENT_ID_LEN, in, sizeof(in), secret, CLIENT_SECRET_LEN);
}

void link_table_identity(const struct link_table *t, const struct relay_id *guard, uint8_t ret[LINKS_CLIENT_ID_LEN])
{
	const struct numbered *n = find(t, guard);

	link_table_client_id(t->secret, guard, n ? n->epoch : 0, ret);
}

void link_table_wanted(struct link_table *t, const struct relay_id *guard)
{
	struct numbered *n = find(t, guard);

	if (n)
		n->wanted = true;
}

void link_table_dropped(struct link_table *t, const struct relay_id *guard)
{
	struct numbered *n = find(t, guard);

	if (!n || !n->wanted)
		return;
	n->wanted = false;
	next_epoch(t, n);
	secret_renew(t);
}

/* ---- life ---- */

static int journal_load(struct link_table *t, const char *run, struct error *err)
{
	_cleanup_free_ char *path = NULL;
	int r;

	if (asprintf(&path, "%s/links", run) < 0) {
		path = NULL;
		return error_set(err, -ENOMEM, "out of memory");
	}
	r = journal_open(path, load, t, &t->journal);
	return r < 0 ? error_set(err, r, "%s: %s", path, strerror(-r)) : 0;
}

int link_table_open(const char *run, bool client, struct link_table **ret, struct error *err)
{
	struct link_table *t = calloc(1, sizeof(*t));
	int r;

	if (!t)
		return error_set(err, -ENOMEM, "out of memory");
	t->next = LINK_FIRST;
	r = journal_load(t, run, err);
	if (r == 0 && client)
		r = secret_load(t, run, err);
	if (r < 0) {
		link_table_free(t);
		return r;
	}
	*ret = t;
	return 0;
}

void link_table_free(struct link_table *t)
{
	struct numbered *n, *next;

	if (!t)
		return;
	HASH_ITER (hh, t->numbers, n, next) {
		HASH_DEL(t->numbers, n);
		free(n);
	}
	journal_close(t->journal);
	secmem_free(t->secret);
	free(t->secret_path);
	free(t);
}
