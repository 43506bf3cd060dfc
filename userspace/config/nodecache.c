// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Where the configuration comes from. Contract: nodecache.h.
 */
#include "nodecache_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Base and stub domains, or the base alone. */
static int load(const struct conf_source *from, const char *path, bool is_base, bool stubs,
		struct conf *conf, struct error *err)
{
	struct corefile_options options = corefile_host_options;
	char *text = NULL;
	int ret = conf_text(from, path, is_base, &text, err);

	if (ret)
		return ret;
	options.ctx = from->watch;
	options.read_file = conf_watch_read;
	options.glob = conf_watch_glob;
	options.default_port = from->opts->dns_port;
	options.ignore_unsupported = from->opts->ignore_unsupported;
	/* node-cache writes what it makes of the base to -conf, and there imports begin. */
	options.imports_at = is_base ? from->opts->conf : NULL;
	ret = corefile__parse(&options, path, text, strlen(text), &conf->cf, err);
	free(text);
	if (ret)
		return ret;
	conf->plan = calloc(1, sizeof(*conf->plan));
	if (!conf->plan || (stubs && conf_add_stubs(from, conf->cf)))
		return error__set(err, -ENOMEM, "out of memory");
	return plan__make(from->opts, conf->cf, conf->plan, err);
}

static void forget(struct conf *conf)
{
	corefile__free(conf->cf);
	free(conf->plan);
	conf->cf = NULL;
	conf->plan = NULL;
	conf->notes.len = 0;
}

int conf__load(const struct run_options *opts, struct conf *out, struct error *err)
{
	const char *path = conf_path(opts);
	bool base = conf__from_base(opts);
	struct conf conf = { .watch = conf_watch_new(path) };
	struct conf_source from = { opts, conf.watch, &conf.notes };
	size_t blocks;
	int ret;

	*out = (struct conf){ .watch = NULL };
	if (!conf.watch)
		return error__set(err, -ENOMEM, "out of memory");
	ret = load(&from, path, base, base, &conf, err);
	/* Stub domains that fit with nothing are no reason not to start. */
	if (ret == -EINVAL && base && conf.plan) {
		struct error why = *err;

		blocks = conf.cf->blocks_len;
		forget(&conf);
		ret = load(&from, path, base, false, &conf, err);
		if (!ret && conf.cf->blocks_len < blocks)
			conf_note(&conf.notes, "stubDomains: left out: %.160s", why.text);
	}
	if (ret)
		forget(&conf);
	*out = conf;
	return ret;
}

void conf__free(struct conf *conf)
{
	forget(conf);
	conf_watch__free(conf->watch);
	conf->watch = NULL;
}

enum conf_change conf_watch__look(const struct conf_watch *watch, const struct run_options *opts)
{
	return conf_watch_compare(watch, conf_path(opts));
}
