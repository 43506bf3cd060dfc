// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Which file is the Corefile, or node-cache's base of one, and its text: a base's placeholders are
 * filled in. Contract: nodecache_priv.h.
 */
#include "nodecache_priv.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RESOLV_CONF   "/etc/resolv.conf"
#define NAMESERVERS   3 /* as many as a resolver takes */
#define LIST_TEXT_MAX 2048

/* NULL: -conf's own file is the Corefile. node-cache would write that anew out of the base. */
static const char *base_path(const struct run_options *opts)
{
	bool missing = access(opts->conf, F_OK) && errno == ENOENT;

	if (opts->base_given)
		return opts->basecorefile;
	if ((opts->nodecache || missing) && !access(opts->basecorefile, F_OK))
		return opts->basecorefile;
	return NULL;
}

bool conf__from_base(const struct run_options *opts)
{
	return base_path(opts);
}

const char *conf_path(const struct run_options *opts)
{
	const char *base = base_path(opts);

	return base ? base : opts->conf;
}

/*
 * In front of another cache, where nobody says more: its answers for the TTLs that it gives them.
 * Lower ones than CoreDNS' least of 5 s, and higher ones than node-cache's 30 s, are its business.
 */
static const char front_corefile[] = ".:53 {\n"
				     "    errors\n"
				     "    cache {\n"
				     "        success 9984 3600 0\n"
				     "        denial 9984 1800 0\n"
				     "    }\n"
				     "    forward . __PILLAR__LOCAL__DNS__ {\n"
				     "        policy sequential\n"
				     "    }\n"
				     "}\n";

static bool is_built_in(const struct run_options *opts)
{
	return opts->mode == MODE_FRONT && !opts->conf_given && !base_path(opts) &&
	       access(opts->conf, F_OK) && errno == ENOENT;
}

static void local_list(const struct run_options *opts, char *out, size_t size)
{
	size_t at = 0;

	out[0] = '\0';
	for (int i = 0; i < opts->n_localip && at < size; i++) {
		char text[INET6_ADDRSTRLEN];

		served_addr__text(&opts->localip[i], text, sizeof(text));
		at += snprintf(out + at, size - at, "%s%s", i ? " " : "", text);
	}
}

/* The cluster's DNS service behind node-cache's own: kube-dns-upstream -> KUBE_DNS_UPSTREAM. */
static const char *cluster_dns(const struct run_options *opts, char *name, size_t size)
{
	size_t i;

	for (i = 0; opts->upstreamsvc[i] && i + sizeof("_SERVICE_HOST") < size; i++)
		name[i] = opts->upstreamsvc[i] == '-'
				  ? '_'
				  : toupper((unsigned char)opts->upstreamsvc[i]);
	strcpy(name + i, "_SERVICE_HOST");
	return getenv(name);
}

struct pillar {
	const char *name;
	const char *value; /* NULL: not known; why says so */
	const char *why;
	const char *host; /* what it stands for before a port; NULL: value */
};

/* health __PILLAR__LOCAL__DNS__:8080 wants one address, where bind takes them all. */
static void local_host(const struct run_options *opts, char *out, size_t size)
{
	char text[INET6_ADDRSTRLEN];

	out[0] = '\0';
	if (!opts->n_localip)
		return;
	served_addr__text(&opts->localip[0], text, sizeof(text));
	snprintf(out, size, opts->localip[0].family == AF_INET ? "%s" : "[%s]", text);
}

static int substitute(const char *base, const char *path, const struct pillar *pillars, size_t n,
		      FILE *out, struct error *err)
{
	unsigned int line = 1;

	while (*base) {
		size_t i = 0;

		while (i < n && strncmp(base, pillars[i].name, strlen(pillars[i].name)))
			i++;
		if (i < n && !pillars[i].value)
			return error__set(err, -EINVAL, "%s:%u: %s: %s", path, line,
					  pillars[i].name, pillars[i].why);
		if (i < n) {
			base += strlen(pillars[i].name);
			fputs(pillars[i].host && *base == ':' ? pillars[i].host : pillars[i].value,
			      out);
			continue;
		}
		if (!strncmp(base, "__PILLAR__", 10))
			return error__set(
				err, -EINVAL,
				"%s:%u: %.*s: whoever installs the manifest replaces it, and "
				"nobody did",
				path, line, (int)strspn(base, "_ABCDEFGHIJKLMNOPQRSTUVWXYZ"), base);
		line += *base == '\n';
		fputc(*base++, out);
	}
	return 0;
}

/*
 * Older manifests ask resolv.conf's servers by TCP; those that the ConfigMap names instead are
 * asked by UDP, as node-cache has it. Blanks, so that lines keep their numbers.
 */
static void without_tcp(char *base)
{
	static const char block[] = "\n    forward . __PILLAR__UPSTREAM__SERVERS__ {\n"
				    "            force_tcp\n    }\n";

	for (char *at = strstr(base, block); at; at = strstr(at + 1, block)) {
		for (size_t i = strcspn(block, "{"); i < sizeof(block) - 1; i++)
			at[i] = at[i] == '\n' ? '\n' : ' ';
	}
}

/* Written anew from what was read: no octet of the ConfigMap gets into the text. */
static void server_list(const union sockaddr_any *servers, size_t n, char *out, size_t size)
{
	size_t at = 0;

	out[0] = '\0';
	for (size_t i = 0; i < n && at < size; i++) {
		char text[SOCKADDR_TEXT];

		sockaddr__text(&servers[i], text, sizeof(text));
		at += snprintf(out + at, size - at, "%s%s", i ? " " : "", text);
	}
}

static int fill_base(const struct conf_source *from, const char *path, char *base, FILE *out,
		     struct error *err)
{
	char local[LIST_TEXT_MAX], upstreams[LIST_TEXT_MAX], env[256], why[400], host[64];
	const struct run_options *opts = from->opts;
	json_t *list = conf_read_json(from, "upstreamNameservers");
	union sockaddr_any named[NAMESERVERS];
	struct pillar pillars[] = {
		{ "__PILLAR__CLUSTER__DNS__", cluster_dns(opts, env, sizeof(env)), why, NULL },
		{ "__PILLAR__UPSTREAM__SERVERS__", upstreams, NULL, NULL },
		{ "__PILLAR__LOCAL__DNS__", local, NULL, host },
		{ "__PILLAR__DNS__SERVER__", "", NULL, NULL },
		{ "__PROMETHEUS__ENDPOINT__", opts->prometheus_address, NULL, NULL },
	};
	size_t n = conf_servers(from, list, NAMESERVERS, named);

	json_decref(list);
	snprintf(why, sizeof(why),
		 "the environment has no %s: is there a service of that name, "
		 "older than this pod?",
		 env);
	local_list(opts, local, sizeof(local));
	local_host(opts, host, sizeof(host));
	server_list(named, n, upstreams, sizeof(upstreams));
	if (n)
		without_tcp(base);
	else
		strcpy(upstreams, RESOLV_CONF);
	return substitute(base, path, pillars, sizeof(pillars) / sizeof(pillars[0]), out, err);
}

int conf_text(const struct conf_source *from, const char *path, bool is_base, char **text,
	      struct error *err)
{
	char *raw = NULL, *filled = NULL;
	size_t len = 0;
	bool built_in = is_built_in(from->opts);
	FILE *out;
	int ret;

	if (built_in)
		ret = (raw = strdup(front_corefile)) ? 0 : -ENOMEM;
	else
		ret = conf_read_text(from->watch, path, &raw);
	if (ret)
		return error__set(err, ret, "%s: cannot be read: %s; name a readable Corefile",
				  path, strerror(-ret));
	if (!is_base && !built_in) {
		*text = raw;
		return 0;
	}
	out = open_memstream(&filled, &len);
	ret = out ? fill_base(from, path, raw, out, err) : -ENOMEM;
	if (out && fclose(out) && !ret)
		ret = -ENOMEM;
	free(raw);
	if (ret) {
		free(filled);
		return ret == -ENOMEM ? error__set(err, ret, "out of memory") : ret;
	}
	*text = filled;
	return 0;
}
