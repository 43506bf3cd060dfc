/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What the files share that make the configuration: nodecache.c loads it,
 * nodecache_base.c has the text, nodecache_configmap.c the kube-dns ConfigMap, nodecache_watch.c
 * sees what changes.
 */
#ifndef NODENS_CONF_PRIV_H
#define NODENS_CONF_PRIV_H

#include <jansson.h>

#include "config/nodecache.h"

/* With what there is now; @path: of what is the Corefile now. */
enum conf_change conf_watch_compare(const struct conf_watch *watch, const char *path);

/* Of the Corefile at @path, with nothing read yet; NULL: out of memory. */
struct conf_watch *conf_watch_new(const char *path);

/*
 * read_file and glob of struct corefile_options, on this machine; @ctx: the conf_watch. What is not
 * there is watched as well.
 */
int conf_watch_read(void *ctx, const char *path, char **text, size_t *len);
int conf_watch_glob(void *ctx, const char *pattern, char ***paths, size_t *len);
/* The same, NUL-terminated. */
int conf_read_text(struct conf_watch *watch, const char *path, char **text);

/* What is being made of the files. */
struct conf_source {
	const struct run_options *opts;
	struct conf_watch *watch;
	struct conf_notes *notes;
};

/* The file that is the Corefile now, or its base. */
const char *conf_path(const struct run_options *opts);
/* Its text before it is parsed, malloc'd; -errno. */
int conf_text(const struct conf_source *from, const char *path, bool is_base, char **text,
	      struct error *err);

/* The value of a key of the kube-dns ConfigMap; NULL: there is none. */
json_t *conf_read_json(const struct conf_source *from, const char *key);
/* The servers of a list, @max at most. What is no address, or has something behind it, is left out.
 */
size_t conf_servers(const struct conf_source *from, const json_t *list, size_t max,
		    union sockaddr_any *out);
/* The blocks of the stub domains, after the base's. -ENOMEM. */
int conf_add_stubs(const struct conf_source *from, struct corefile *cf);
/* Something was left out; of too many, that there are more. */
void conf_note(struct conf_notes *notes, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif /* NODENS_CONF_PRIV_H */
