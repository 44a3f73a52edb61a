/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "anond/dir_kept.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "anond/dir_schedule.h"
#include "anond/newest.h"
#include "directory/file.h"
#include "directory/network.h"

static int path_of(const struct config *conf, char **ret, struct error *err)
{
	if (asprintf(ret, "%s/" DIR_KEPT_FILE, conf->state) >= 0)
		return 0;
	*ret = NULL;
	return error_set(err, -ENOMEM, "out of memory");
}

static int read_file(const struct config *conf, char **ret, size_t *ret_len, struct error *err)
{
	_cleanup_free_ char *path = NULL;
	int r = path_of(conf, &path, err);

	return r < 0 ? r : file_read(path, CONSENSUS_MAX, ret, ret_len, err);
}

int dir_consensus_read(const struct config *conf, const char *text, size_t len, struct interval *ret_interval,
		       struct network **ret, struct error *err)
{
	struct consensus c;
	int r = consensus_parse(text, len, conf->servers.keys, conf->servers.n_keys, &c, err);

	if (r < 0)
		return r;
	*ret_interval = c.interval;
	r = network_from_consensus(&c, ret);
	consensus_clear(&c);
	return r < 0 ? error_set(err, r, "it makes no network: %s", strerror(-r)) : 0;
}

/* Whether what was read may be in force; the file that says what is newest is not one to argue with. */
static int judge(const struct dir_kept *k, uint64_t now_s, struct error *why)
{
	/* Nothing is in force yet, so that it is not newer than itself is no reproach. */
	enum dir_worth w = dir_worth(&k->interval, k->newest ? k->newest - 1 : 0, 0, now_s);

	if (w == DIR_OLD || w == DIR_FUTURE)
		return error_set(why, -ESTALE, "the consensus that was kept: %s", dir_worth_text(w));
	return k->interval.valid_after < k->newest
		       ? error_set(why, -ESTALE, "the consensus that was kept: %s", dir_worth_text(DIR_OLD))
		       : 0;
}

int dir_kept_load(const struct config *conf, uint64_t now_s, struct dir_kept *ret, struct error *why)
{
	_cleanup_free_ char *text = NULL;
	uint8_t id[DIR_KEY_LEN];
	struct dir_kept k = { 0 };
	struct error unknown = { "" };
	size_t len = 0;
	int r;

	why->text[0] = '\0';
	dir_servers_id(&conf->servers, id);
	if (newest_load(conf->state, id, &k.newest, &unknown) < 0)
		*why = unknown;
	r = read_file(conf, &text, &len, &unknown);
	if (r == 0)
		r = dir_consensus_read(conf, text, len, &k.interval, &k.net, why);
	else if (r != -ENOENT)
		*why = unknown;
	if (r == 0)
		r = judge(&k, now_s, why);
	if (r < 0) {
		network_free(k.net);
		k.net = NULL;
		k.interval = (struct interval){ 0 };
	} else {
		k.newest = k.interval.valid_after;
	}
	*ret = k;
	return r == -ENOMEM ? r : 0;
}

/*
 * The consensus first: a crash between the two leaves one that is newer than the newest, which is fine. That it cannot
 * be written does not make an older one any better.
 */
int dir_kept_save(const struct config *conf, const char *text, size_t len, uint64_t valid_after, struct error *err)
{
	_cleanup_free_ char *path = NULL;
	uint8_t id[DIR_KEY_LEN];
	int r = path_of(conf, &path, err), newest;

	if (r < 0)
		return r;
	dir_servers_id(&conf->servers, id);
	r = file_replace(path, text, len, 0600, err);
	newest = newest_save(conf->state, id, valid_after, r < 0 ? NULL : err);
	return r < 0 ? r : newest;
}

int dir_kept_body(const struct config *conf, char **ret, size_t *ret_len)
{
	_cleanup_free_ char *text = NULL;
	struct error ignored;
	size_t len = 0;
	int r = read_file(conf, &text, &len, &ignored);

	return r < 0 ? r : consensus_with(text, len, NULL, 0, ret, ret_len, &ignored);
}
