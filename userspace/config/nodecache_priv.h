/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What nodecache.c and nodecache_watch.c share with each other and nobody else.
 */
#ifndef NODENS_CONF_PRIV_H
#define NODENS_CONF_PRIV_H

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

#endif /* NODENS_CONF_PRIV_H */
