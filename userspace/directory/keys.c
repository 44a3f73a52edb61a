/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "directory/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "directory/file.h"
#include "lib/base64.h"
#include "lib/secmem.h"

#define LINE_MAX_LEN 128u /* bytes of a key file */

struct kind {
	const char *file; /* in the relay's directory; NULL: the caller names it */
	const char *word; /* first word of the line */
	bool has_id;
};

enum { IDENTITY, ONION, LINK, N_RELAY_KINDS };

static const struct kind relay_kinds[] = {
	[IDENTITY] = { "identity", "anond-identity-key", false },
	[ONION] = { "onion", "anond-onion-key", true },
	[LINK] = { "link", "anond-link-key", false },
};

static const struct kind network_kind = { NULL, "anond-network-key", false };
static const struct kind authority_kind = { NULL, "anond-authority-key", false };
static const struct kind family_kind = { NULL, "anond-family-key", false };

/* Splits the next word off *line (NUL-terminated, one space between words). NULL if there is none. */
static char *next_word(char **line)
{
	char *word = *line, *end;

	if (!word || *word == '\0')
		return NULL;
	end = strchr(word, ' ');
	*line = end ? end + 1 : NULL;
	if (end)
		*end = '\0';
	return word;
}

static int parse_id(const char *word, uint32_t *ret)
{
	unsigned long long v;
	char *end;

	if (!word || word[0] < '0' || word[0] > '9')
		return -EINVAL;
	errno = 0;
	v = strtoull(word, &end, 10);
	if (errno || *end != '\0' || v > UINT32_MAX)
		return -EINVAL;
	*ret = (uint32_t)v;
	return 0;
}

/* line: LINE_MAX_LEN bytes of secmem, NUL-terminated; destroyed. */
static int parse_line(char *line, const struct kind *kind, uint32_t *ret_id, uint8_t ret[KEY_LEN])
{
	size_t len = strlen(line);
	const char *word;

	if (len > 0 && line[len - 1] == '\n')
		line[len - 1] = '\0';
	word = next_word(&line);
	if (!word || strcmp(word, kind->word) != 0)
		return -EINVAL;
	if (kind->has_id && parse_id(next_word(&line), ret_id) < 0)
		return -EINVAL;
	word = next_word(&line);
	if (!word || line)
		return -EINVAL;
	return base64_parse(word, strlen(word), ret, KEY_LEN);
}

static int load_at(int dir, const char *name, const char *shown, const struct kind *kind, uint32_t *ret_id,
		   uint8_t ret[KEY_LEN], struct error *err)
{
	_cleanup_secmem_ char *line = secmem_alloc(LINE_MAX_LEN);
	size_t len = 0;
	int r;

	if (!line)
		return error_set(err, -ENOMEM, "%s: no locked memory", shown);
	r = file_read_secret(dir, name, 0, shown, line, LINE_MAX_LEN - 1, &len, err);
	if (r < 0 && r != -EFBIG)
		return r;
	if (r == -EFBIG || memchr(line, '\0', len) || parse_line(line, kind, ret_id, ret) < 0)
		return error_set(err, -EINVAL, "%s: not one line \"%s %sKEY\"", shown, kind->word,
				 kind->has_id ? "ID " : "");
	return 0;
}

static int create(const char *path, const struct kind *kind, struct error *err)
{
	_cleanup_secmem_ uint8_t *key = secmem_alloc(KEY_LEN);
	_cleanup_secmem_ char *text = secmem_alloc(BASE64_LEN(KEY_LEN));
	_cleanup_secmem_ char *line = secmem_alloc(LINE_MAX_LEN);
	char id[16] = "";

	if (!key || !text || !line)
		return error_set(err, -ENOMEM, "%s: no locked memory", path);
	/* Drawn, not counted: keys made anew in the same place must not share an id with the old ones. */
	if (kind->has_id)
		snprintf(id, sizeof(id), "%u ", randombytes_random());
	randombytes_buf(key, KEY_LEN);
	base64_write(key, KEY_LEN, text);
	snprintf(line, LINE_MAX_LEN, "%s %s%s\n", kind->word, id, text);
	return file_create(path, line, strlen(line), 0600, err);
}

static int join(const char *dir, const char *name, char **ret, struct error *err)
{
	if (asprintf(ret, "%s/%s", dir, name) < 0) {
		*ret = NULL;
		return error_set(err, -ENOMEM, "out of memory");
	}
	return 0;
}

int relay_keys_make(const char *dir, struct error *err)
{
	char *paths[N_RELAY_KINDS] = { NULL };
	size_t made = 0;
	int r = 0;

	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return error_set(err, -errno, "%s: %s", dir, strerror(errno));
	for (size_t i = 0; i < N_RELAY_KINDS && r == 0; i++) {
		r = join(dir, relay_kinds[i].file, &paths[i], err);
		if (r == 0)
			r = create(paths[i], &relay_kinds[i], err);
		if (r == 0)
			made++;
	}
	for (size_t i = 0; i < N_RELAY_KINDS; i++) {
		if (r < 0 && i < made)
			unlink(paths[i]);
		free(paths[i]);
	}
	return r;
}

static int open_dir(const char *dir, struct error *err)
{
	_cleanup_close_ int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return error_set(err, -errno, "%s: %s", dir, strerror(errno));
	if (st.st_mode & 022)
		return error_set(err, -EACCES, "%s: others than its owner may write to it; chmod go-rwx", dir);
	return steal_fd(&fd);
}

static int load_one(int dir_fd, const char *dir, int which, uint32_t *ret_id, uint8_t ret[KEY_LEN], struct error *err)
{
	const struct kind *kind = &relay_kinds[which];
	_cleanup_free_ char *shown = NULL;
	int r = join(dir, kind->file, &shown, err);

	return r < 0 ? r : load_at(dir_fd, kind->file, shown, kind, ret_id, ret, err);
}

static void seed_public(const uint8_t *seed, uint8_t ret_public[KEY_LEN])
{
	uint8_t secret[crypto_sign_SECRETKEYBYTES];

	crypto_sign_seed_keypair(ret_public, secret, seed);
	sodium_memzero(secret, sizeof(secret));
}

int relay_keys_load(const char *dir, struct relay_keys **ret, struct error *err)
{
	_cleanup_relay_keys_ struct relay_keys *k = secmem_alloc(sizeof(*k));
	_cleanup_close_ int fd = open_dir(dir, err);
	uint32_t no_id;
	int r;

	if (fd < 0)
		return fd;
	if (!k)
		return error_set(err, -ENOMEM, "%s: no locked memory", dir);
	r = load_one(fd, dir, IDENTITY, &no_id, k->identity_seed, err);
	if (r == 0)
		r = load_one(fd, dir, LINK, &no_id, k->link_seed, err);
	if (r < 0)
		return r;
	seed_public(k->identity_seed, k->id.b);
	seed_public(k->link_seed, k->link_public);
	*ret = k;
	k = NULL;
	return 0;
}

int relay_onion_load(const char *dir, struct onion_pair *ret, struct error *err)
{
	_cleanup_close_ int fd = open_dir(dir, err);
	int r = fd < 0 ? fd : load_one(fd, dir, ONION, &ret->id, ret->secret, err);

	if (r == 0)
		crypto_scalarmult_base(ret->public_key, ret->secret);
	return r;
}

int relay_onion_erase(const char *dir, struct error *err)
{
	_cleanup_free_ char *path = NULL;
	int r = join(dir, relay_kinds[ONION].file, &path, err);

	return r < 0 ? r : file_wipe(path, err);
}

void relay_keys_free(struct relay_keys *k)
{
	secmem_free(k);
}

static int load_key(const char *file, const struct kind *kind, uint8_t **ret, struct error *err)
{
	_cleanup_secmem_ uint8_t *seed = secmem_alloc(KEY_LEN);
	uint32_t no_id;
	int r;

	if (!seed)
		return error_set(err, -ENOMEM, "%s: no locked memory", file);
	r = load_at(AT_FDCWD, file, file, kind, &no_id, seed, err);
	if (r < 0)
		return r;
	*ret = seed;
	seed = NULL;
	return 0;
}

static int write_public(const char *file, const struct kind *kind, const char *pub_path, struct error *err)
{
	_cleanup_secmem_ uint8_t *seed = NULL;
	char text[BASE64_LEN(KEY_LEN)], line[BASE64_LEN(KEY_LEN) + 1];
	uint8_t pub[KEY_LEN];
	int r;

	r = load_key(file, kind, &seed, err);
	if (r < 0)
		return r;
	seed_public(seed, pub);
	base64_write(pub, sizeof(pub), text);
	snprintf(line, sizeof(line), "%s\n", text);
	return file_create(pub_path, line, strlen(line), 0644, err);
}

static int make_key(const char *file, const struct kind *kind, struct error *err)
{
	_cleanup_free_ char *pub_path = NULL;
	int r;

	if (asprintf(&pub_path, "%s.pub", file) < 0) {
		pub_path = NULL;
		return error_set(err, -ENOMEM, "out of memory");
	}
	r = create(file, kind, err);
	if (r < 0)
		return r;
	r = write_public(file, kind, pub_path, err);
	if (r < 0)
		unlink(file);
	return r;
}

int network_key_make(const char *file, struct error *err)
{
	return make_key(file, &network_kind, err);
}

int network_key_load(const char *file, uint8_t **ret, struct error *err)
{
	return load_key(file, &network_kind, ret, err);
}

int authority_key_make(const char *file, struct error *err)
{
	return make_key(file, &authority_kind, err);
}

int authority_key_load(const char *file, uint8_t **ret, struct error *err)
{
	return load_key(file, &authority_kind, ret, err);
}

int family_key_make(const char *file, struct error *err)
{
	return make_key(file, &family_kind, err);
}

int family_key_load(const char *file, uint8_t **ret, struct error *err)
{
	return load_key(file, &family_kind, ret, err);
}
