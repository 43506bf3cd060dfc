/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A directory with Corefile, Corefile.base and the kube-dns ConfigMap, and flags as node-cache is
 * started with.
 */
#ifndef CONF_FIXTURE_H
#define CONF_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/nodecache_priv.h"

#define ENV "NODENS_TEST_UPSTREAM_SERVICE_HOST"

static char dir[] = "/tmp/nodens-conf.XXXXXX";
static char base_file[64], conf_file[64], config_map[64];

static inline void put(const char *dir_name, const char *name, const char *text)
{
	char path[256];
	FILE *out;

	snprintf(path, sizeof(path), "%s/%s", dir_name, name);
	out = fopen(path, "w");
	assert_non_null(out);
	fputs(text, out);
	fclose(out);
}

static inline void drop(const char *dir_name, const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir_name, name);
	unlink(path);
}

static inline int set_up(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	snprintf(base_file, sizeof(base_file), "%s/Corefile.base", dir);
	snprintf(conf_file, sizeof(conf_file), "%s/Corefile", dir);
	snprintf(config_map, sizeof(config_map), "%s/kube-dns", dir);
	return mkdir(config_map, 0700);
}

static inline int tear_down(void **state)
{
	(void)state;
	drop(config_map, "stubDomains");
	drop(config_map, "upstreamNameservers");
	rmdir(config_map);
	drop(dir, "Corefile.base");
	drop(dir, "Corefile");
	rmdir(dir);
	return 0;
}

static inline int each(void **state)
{
	(void)state;
	drop(config_map, "stubDomains");
	drop(config_map, "upstreamNameservers");
	drop(dir, "Corefile");
	put(dir, "Corefile.base", "");
	setenv(ENV, "10.96.0.11", 1);
	return 0;
}

/* As node-cache is started, but for the places of its files. @localip: its list. */
static inline struct run_options options(const char *localip)
{
	char *argv[] = { (char *)"-localip",
			 (char *)localip,
			 (char *)"-basecorefile",
			 base_file,
			 (char *)"-conf",
			 conf_file,
			 (char *)"-kubednscm",
			 config_map,
			 (char *)"-upstreamsvc",
			 (char *)"nodens-test-upstream",
			 (char *)"-prometheus-listen-address",
			 (char *)":9999" };
	char *with_name[13] = { (char *)"nodens" };
	struct run_options opts;
	struct error err;

	memcpy(with_name + 1, argv, sizeof(argv));
	if (run_options__parse(&opts, 13, with_name, &err))
		fail_msg("%s", err.text);
	return opts;
}

/* The text before it is parsed. */
static inline int text_of(const struct run_options *opts, char **text, const char **path,
			  struct conf_notes *notes, struct error *err)
{
	struct conf_watch *watch;
	int ret;

	*notes = (struct conf_notes){ .len = 0 };
	*path = conf_path(opts);
	watch = conf_watch_new(*path);
	assert_non_null(watch);
	ret = conf_text(&(struct conf_source){ opts, watch, notes }, *path, conf__from_base(opts),
			text, err);
	conf_watch__free(watch);
	return ret;
}

/* One of them holds @want; "": there is none. */
static inline void check_note(const struct conf_notes *notes, const char *want)
{
	bool found = !*want && !notes->len;

	for (size_t i = 0; i < notes->len; i++)
		found |= *want && strstr(notes->text[i], want);
	if (!found)
		fail_msg("%zu notes, \"%s\"..., want \"%s\"", notes->len,
			 notes->len ? notes->text[0] : "", want);
}

#define V4 "169.254.20.10,10.96.0.10"

#endif /* CONF_FIXTURE_H */
