// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * What a configuration was read from, and whether it has changed since. Contract: nodecache.h,
 * nodecache_priv.h.
 */
#include "nodecache_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* One file, or what a glob matched. */
struct watched {
	char *path;
	bool glob;
	uint64_t hash; /* of what the parser was given */
};

struct conf_watch {
	struct watched *list;
	size_t len, cap;
	char *path; /* of the Corefile or its base */
};

#define HASH_START   0xcbf29ce484222325ull
#define HASH_MISSING 0

/* FNV-1a: whether something changed, not whether somebody wants us to believe so. */
static uint64_t mix(uint64_t hash, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (uint8_t)text[i]) * 0x100000001b3ull;
	return (hash ^ len) * 0x100000001b3ull;
}

static int watch(struct conf_watch *watch, const char *path, bool glob, uint64_t hash)
{
	size_t cap = watch->cap ? 2 * watch->cap : 8;
	struct watched *list = watch->list;

	if (watch->len == watch->cap) {
		list = realloc(list, cap * sizeof(*list));
		if (!list)
			return -ENOMEM;
		watch->list = list;
		watch->cap = cap;
	}
	list[watch->len] = (struct watched){ strdup(path), glob, hash };
	if (!list[watch->len].path)
		return -ENOMEM;
	watch->len++;
	return 0;
}

static int hash_file(const char *path, char **text, size_t *len, uint64_t *hash)
{
	int ret = corefile_host_options.read_file(NULL, path, text, len);

	*hash = ret ? HASH_MISSING : mix(HASH_START, *text, *len);
	return ret;
}

static int hash_glob(const char *pattern, char ***paths, size_t *len, uint64_t *hash)
{
	int ret = corefile_host_options.glob(NULL, pattern, paths, len);

	*hash = HASH_START;
	for (size_t i = 0; !ret && i < *len; i++)
		*hash = mix(*hash, (*paths)[i], strlen((*paths)[i]));
	return ret;
}

static void free_paths(char **paths, size_t len)
{
	while (len)
		free(paths[--len]);
	free(paths);
}

int conf_watch_read(void *ctx, const char *path, char **text, size_t *len)
{
	uint64_t hash;
	int ret = hash_file(path, text, len, &hash);

	if (watch(ctx, path, false, hash)) {
		if (!ret)
			free(*text);
		return -ENOMEM;
	}
	return ret;
}

int conf_read_text(struct conf_watch *watch, const char *path, char **text)
{
	char *raw = NULL;
	size_t len = 0;
	int ret = conf_watch_read(watch, path, &raw, &len);

	if (ret)
		return ret;
	*text = strndup(raw, len);
	free(raw);
	return *text ? 0 : -ENOMEM;
}

int conf_watch_glob(void *ctx, const char *pattern, char ***paths, size_t *len)
{
	uint64_t hash;
	int ret = hash_glob(pattern, paths, len, &hash);

	if (watch(ctx, pattern, true, hash)) {
		if (!ret)
			free_paths(*paths, *len);
		return -ENOMEM;
	}
	return ret;
}

static uint64_t hash_now(const struct watched *watched)
{
	char *text = NULL, **paths = NULL;
	uint64_t hash;
	size_t len = 0;

	if (!watched->glob) {
		hash_file(watched->path, &text, &len, &hash);
		free(text);
	} else {
		if (!hash_glob(watched->path, &paths, &len, &hash))
			free_paths(paths, len);
	}
	return hash;
}

struct conf_watch *conf_watch_new(const char *path)
{
	struct conf_watch *watch = calloc(1, sizeof(*watch));

	if (watch)
		watch->path = strdup(path);
	if (watch && watch->path)
		return watch;
	free(watch);
	return NULL;
}

void conf_watch__free(struct conf_watch *watch)
{
	if (!watch)
		return;
	while (watch->len)
		free(watch->list[--watch->len].path);
	free(watch->list);
	free(watch->path);
	free(watch);
}

enum conf_change conf_watch_compare(const struct conf_watch *watch, const char *path)
{
	if (access(path, R_OK))
		return CONF_MISSING;
	if (!watch || strcmp(path, watch->path))
		return CONF_CHANGED;
	for (size_t i = 0; i < watch->len; i++) {
		if (hash_now(&watch->list[i]) != watch->list[i].hash)
			return CONF_CHANGED;
	}
	return CONF_SAME;
}
