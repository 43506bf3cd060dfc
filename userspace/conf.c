// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Where the configuration comes from. Contract: conf.h.
 */
#include "conf.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RESOLV_CONF   "/etc/resolv.conf"
#define NAMESERVERS   3 /* as many as a resolver takes */
#define LIST_TEXT_MAX 2048

static int fail(struct options_error *err, int ret, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static int fail(struct options_error *err, int ret, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	return ret;
}

static int read_file(const char *path, char **text, size_t *len)
{
	return corefile_host_options.read_file(NULL, path, text, len);
}

/* NUL-terminated. */
static int read_text(const char *path, char **text)
{
	char *raw = NULL;
	size_t len = 0;
	int ret = read_file(path, &raw, &len);

	if (ret)
		return ret;
	*text = strndup(raw, len);
	free(raw);
	return *text ? 0 : -ENOMEM;
}

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

/* ---- the kube-dns ConfigMap ---- */

static json_t *read_json(const struct run_options *opts, const char *key, char note[256])
{
	char path[4096], *text = NULL;
	json_error_t error;
	json_t *json;

	snprintf(path, sizeof(path), "%s/%s", opts->kubednscm, key);
	if (read_text(path, &text))
		return NULL; /* the ConfigMap is optional, and so are its keys */
	json = text[strspn(text, " \t\r\n")] ? json_loads(text, JSON_DECODE_ANY, &error)
					     : json_null();
	free(text);
	if (!json)
		snprintf(note, 256, "%s: left out: line %d: %.100s", key, error.line, error.text);
	return json;
}

static bool is_server(const char *text)
{
	struct in6_addr any;
	char copy[80];
	char *colon;

	if (strlen(text) >= sizeof(copy))
		return false;
	strcpy(copy, text);
	if (inet_pton(AF_INET6, copy, &any) == 1)
		return true;
	colon = strrchr(copy, ':');
	if (colon && copy[0] == '[' && colon[-1] == ']') {
		colon[-1] = '\0';
		return inet_pton(AF_INET6, copy + 1, &any) == 1;
	}
	if (colon)
		*colon = '\0';
	return inet_pton(AF_INET, copy, &any) == 1;
}

/* The servers of a JSON list, divided by blanks; false: there is none that could be used. */
static bool servers(const json_t *list, size_t max, char *out, size_t size, char note[256])
{
	size_t n = 0, at = 0;

	out[0] = '\0';
	if (list && !json_is_array(list) && !json_is_null(list))
		snprintf(note, 256, "the kube-dns ConfigMap: a list of servers is none; left out");
	if (json_array_size(list) > max)
		snprintf(note, 256, "the kube-dns ConfigMap: of %zu servers in a row %zu are taken",
			 json_array_size(list), max);
	for (size_t i = 0; i < json_array_size(list) && n < max; i++) {
		const char *text = json_string_value(json_array_get(list, i));

		if (!text || !is_server(text)) {
			snprintf(note, 256,
				 "the kube-dns ConfigMap: '%.64s' is left out: it is no "
				 "IP address",
				 text ? text : "?");
			continue;
		}
		at += snprintf(out + at, size - at, "%s%s", n++ ? " " : "", text);
		if (at >= size)
			return false;
	}
	return n;
}

static void local_list(const struct run_options *opts, char *out, size_t size)
{
	size_t at = 0;

	out[0] = '\0';
	for (int i = 0; i < opts->n_localip && at < size; i++) {
		char text[INET6_ADDRSTRLEN];

		inet_ntop(opts->localip[i].family, &opts->localip[i].v4, text, sizeof(text));
		at += snprintf(out + at, size - at, "%s%s", i ? " " : "", text);
	}
}

static bool is_domain(const char *text)
{
	struct dns_name name;

	return *text &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
			    "0123456789-_.") == strlen(text) &&
	       !dns_name__from_text(&name, text);
}

static void add_stubs(const struct run_options *opts, FILE *out, char note[256])
{
	json_t *stubs = read_json(opts, "stubDomains", note), *list;
	char to[LIST_TEXT_MAX], bind[LIST_TEXT_MAX];
	const char *domain;

	local_list(opts, bind, sizeof(bind));
	if (stubs && !json_is_object(stubs) && !json_is_null(stubs))
		snprintf(note, 256,
			 "stubDomains: left out: no object of domains and their servers");
	json_object_foreach(stubs, domain, list)
	{
		if (!is_domain(domain)) {
			snprintf(note, 256, "stubDomains: '%.64s' is left out: it is no domain",
				 domain);
			continue;
		}
		if (!servers(list, COREFILE_TO_MAX, to, sizeof(to), note))
			continue;
		fprintf(out, "\n%s:%u {\n    errors\n    cache 30\n", domain, opts->dns_port);
		if (bind[0])
			fprintf(out, "    bind %s\n", bind);
		fprintf(out, "    forward . %s\n}\n", to);
	}
	json_decref(stubs);
}

/* ---- placeholders ---- */

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
	inet_ntop(opts->localip[0].family, &opts->localip[0].v4, text, sizeof(text));
	snprintf(out, size, opts->localip[0].family == AF_INET ? "%s" : "[%s]", text);
}

static int substitute(const char *base, const char *path, const struct pillar *pillars, size_t n,
		      FILE *out, struct options_error *err)
{
	unsigned int line = 1;

	while (*base) {
		size_t i = 0;

		while (i < n && strncmp(base, pillars[i].name, strlen(pillars[i].name)))
			i++;
		if (i < n && !pillars[i].value)
			return fail(err, -EINVAL, "%s:%u: %s: %s", path, line, pillars[i].name,
				    pillars[i].why);
		if (i < n) {
			base += strlen(pillars[i].name);
			fputs(pillars[i].host && *base == ':' ? pillars[i].host : pillars[i].value,
			      out);
			continue;
		}
		if (!strncmp(base, "__PILLAR__", 10))
			return fail(err, -EINVAL,
				    "%s:%u: %.*s: it is to be filled in when the manifest is "
				    "installed",
				    path, line, (int)strspn(base, "_ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
				    base);
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

static int fill_base(const struct run_options *opts, const char *path, char *base, FILE *out,
		     char note[256], struct options_error *err)
{
	char local[LIST_TEXT_MAX], upstreams[LIST_TEXT_MAX], env[256], why[400], host[64];
	json_t *list = read_json(opts, "upstreamNameservers", note);
	struct pillar pillars[] = {
		{ "__PILLAR__CLUSTER__DNS__", cluster_dns(opts, env, sizeof(env)), why, NULL },
		{ "__PILLAR__UPSTREAM__SERVERS__", upstreams, NULL, NULL },
		{ "__PILLAR__LOCAL__DNS__", local, NULL, host },
		{ "__PILLAR__DNS__SERVER__", "", NULL, NULL },
		{ "__PROMETHEUS__ENDPOINT__", opts->prometheus_address, NULL, NULL },
	};
	int ret;

	snprintf(why, sizeof(why),
		 "the environment has no %s: is there a service of that name, "
		 "older than this pod?",
		 env);
	local_list(opts, local, sizeof(local));
	local_host(opts, host, sizeof(host));
	if (servers(list, NAMESERVERS, upstreams, sizeof(upstreams), note))
		without_tcp(base);
	else
		strcpy(upstreams, RESOLV_CONF);
	json_decref(list);
	ret = substitute(base, path, pillars, sizeof(pillars) / sizeof(pillars[0]), out, err);
	if (!ret)
		add_stubs(opts, out, note);
	return ret;
}

int conf__text(const struct run_options *opts, char **text, const char **path, char note[256],
	       struct options_error *err)
{
	const char *base = base_path(opts);
	char *raw = NULL, *filled = NULL;
	size_t len = 0;
	FILE *out;
	int ret;

	note[0] = '\0';
	*path = base ? base : opts->conf;
	ret = read_text(*path, &raw);
	if (ret)
		return fail(err, ret, "%s: cannot be read: %s; name a readable Corefile", *path,
			    strerror(-ret));
	if (!base) {
		*text = raw;
		return 0;
	}
	out = open_memstream(&filled, &len);
	ret = out ? fill_base(opts, base, raw, out, note, err) : -ENOMEM;
	if (out && fclose(out) && !ret)
		ret = -ENOMEM;
	free(raw);
	if (ret) {
		free(filled);
		return ret == -ENOMEM ? fail(err, ret, "out of memory") : ret;
	}
	*text = filled;
	return 0;
}

int conf__load(const struct run_options *opts, struct conf *out, struct options_error *err)
{
	struct corefile_options options = corefile_host_options;
	struct corefile_error why = { .text = "" };
	struct conf conf = { .cf = NULL };
	const char *path = NULL;
	char *text = NULL;
	int ret;

	options.default_port = opts->dns_port;
	options.ignore_unsupported = opts->ignore_unsupported;
	ret = conf__text(opts, &text, &path, conf.note, err);
	if (ret)
		return ret;
	ret = corefile__parse_with(&options, path, text, strlen(text), &conf.cf, &why);
	free(text);
	if (ret)
		return fail(err, ret, "%s", why.text);
	conf.plan = calloc(1, sizeof(*conf.plan));
	ret = conf.plan ? plan__make(opts, conf.cf, conf.plan, err)
			: fail(err, -ENOMEM, "out of memory");
	if (ret) {
		conf__free(&conf);
		return ret;
	}
	conf.fingerprint = conf__fingerprint(opts, conf.cf);
	*out = conf;
	return 0;
}

void conf__free(struct conf *conf)
{
	corefile__free(conf->cf);
	free(conf->plan);
	*conf = (struct conf){ .cf = NULL };
}

/* ---- changes ---- */

/* FNV-1a: whether something changed, not whether somebody wants us to believe so. */
static uint64_t mix(uint64_t hash, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (uint8_t)text[i]) * 0x100000001b3ull;
	return (hash ^ len) * 0x100000001b3ull;
}

/* False: it is not there. */
static bool mix_file(uint64_t *hash, const char *path)
{
	char *text = NULL;
	size_t len = 0;
	bool there = !read_file(path, &text, &len);

	*hash = mix(*hash, text ? text : "", len);
	free(text);
	return there;
}

uint64_t conf__fingerprint(const struct run_options *opts, const struct corefile *cf)
{
	const char *base = base_path(opts);
	uint64_t hash = 0xcbf29ce484222325ull;
	char path[4096];

	if (!mix_file(&hash, base ? base : opts->conf))
		return 0;
	for (size_t i = 0; i < cf->files_len; i++)
		mix_file(&hash, cf->files[i]);
	mix_file(&hash, RESOLV_CONF);
	if (base) {
		snprintf(path, sizeof(path), "%s/stubDomains", opts->kubednscm);
		mix_file(&hash, path);
		snprintf(path, sizeof(path), "%s/upstreamNameservers", opts->kubednscm);
		mix_file(&hash, path);
	}
	return hash ? hash : 1;
}
