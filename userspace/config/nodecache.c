// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Where the configuration comes from. Contract: nodecache.h.
 */
#include "nodecache_priv.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RESOLV_CONF   "/etc/resolv.conf"
#define NAMESERVERS   3 /* as many as a resolver takes */
#define LIST_TEXT_MAX 2048
#define STUBS_MAX     1024 /* whoever may write the ConfigMap has no more of the agent's memory */

/* NUL-terminated. */
static int read_text(struct conf_watch *watch, const char *path, char **text)
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

static void note(struct conf_notes *notes, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void note(struct conf_notes *notes, const char *fmt, ...)
{
	va_list ap;

	if (notes->len == CONF_NOTES_MAX) {
		snprintf(notes->text[notes->len - 1], sizeof(notes->text[0]), "%s",
			 "the kube-dns ConfigMap: more is left out");
		return;
	}
	va_start(ap, fmt);
	vsnprintf(notes->text[notes->len++], sizeof(notes->text[0]), fmt, ap);
	va_end(ap);
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

bool conf__from_base(const struct run_options *opts)
{
	return base_path(opts);
}

/* The file that is the Corefile now, or its base. */
static const char *conf_path(const struct run_options *opts)
{
	const char *base = base_path(opts);

	return base ? base : opts->conf;
}

/* ---- the kube-dns ConfigMap ---- */

/* What is being made of the files. */
struct source {
	const struct run_options *opts;
	struct conf_watch *watch;
	struct conf_notes *notes;
};

static json_t *parse_json(const struct source *from, const char *key, const char *text)
{
	json_error_t error;
	json_t *json = json_loads(text, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &error);

	if (!json && json_error_code(&error) == json_error_duplicate_key) {
		note(from->notes, "%s: a name is there twice (line %d); the last one counts", key,
		     error.line);
		json = json_loads(text, JSON_DECODE_ANY, &error);
	}
	if (!json)
		note(from->notes, "%s: left out: it is not JSON (line %d)", key, error.line);
	return json;
}

static json_t *read_json(const struct source *from, const char *key)
{
	char path[4096], *text = NULL;
	json_t *json;

	snprintf(path, sizeof(path), "%s/%s", from->opts->kubednscm, key);
	if (read_text(from->watch, path, &text))
		return NULL; /* the ConfigMap is optional, and so are its keys */
	json = text[strspn(text, " \t\r\n")] ? parse_json(from, key, text) : json_null();
	free(text);
	return json;
}

/* The servers of a JSON list. What is no address, or has something behind it, is left out. */
static size_t servers(const struct source *from, const json_t *list, size_t max,
		      union sockaddr_any *out)
{
	size_t n = 0;

	if (list && !json_is_array(list) && !json_is_null(list))
		note(from->notes, "the kube-dns ConfigMap: left out: what should be a list of "
				  "servers is not a list");
	if (json_array_size(list) > max)
		note(from->notes,
		     "the kube-dns ConfigMap: a list has %zu servers; only the first %zu are used",
		     json_array_size(list), max);
	for (size_t i = 0; i < json_array_size(list) && n < max; i++) {
		const char *text = json_string_value(json_array_get(list, i));
		int ret = text ? sockaddr__parse(text, COREFILE_PORT_DEFAULT, &out[n]) : -EINVAL;

		if (ret)
			note(from->notes, "the kube-dns ConfigMap: '%.64s' is left out: %s",
			     text ? text : "?",
			     ret == -ERANGE ? "its port is not from 1 to 65535"
					    : "it is not an IP address");
		else
			n++;
	}
	return n;
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

static bool is_domain(const char *text)
{
	return *text && strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "0123456789-_.") == strlen(text);
}

static int add_stub(const struct source *from, const char *domain, const json_t *list,
		    struct corefile *cf)
{
	const struct run_options *opts = from->opts;
	struct corefile_stub stub = { .zone = domain, .port = opts->dns_port };
	const char *why = "it is no domain";
	char file[4096];
	int ret = -EINVAL;

	snprintf(file, sizeof(file), "%s/stubDomains", opts->kubednscm);
	stub.file = file;
	for (int i = 0; i < opts->n_localip; i++)
		stub.binds[stub.binds_len++] =
			served_addr__sockaddr(&opts->localip[i], opts->dns_port);
	stub.servers_len = servers(from, list, COREFILE_TO_MAX, stub.servers);
	if (is_domain(domain) && !stub.servers_len)
		return 0;
	if (is_domain(domain))
		ret = corefile__add_stub(cf, &stub, &why);
	if (ret == -EEXIST)
		why = "a block has this zone already";
	if (ret == -EINVAL || ret == -EEXIST)
		note(from->notes, "stubDomains: '%.64s' is left out: %s", domain, why);
	return ret == -ENOMEM ? ret : 0;
}

/* The blocks of the ConfigMap's stub domains, after the base's. */
static int add_stubs(const struct source *from, struct corefile *cf)
{
	json_t *stubs = read_json(from, "stubDomains"), *list;
	const char *domain;
	size_t n = 0;
	int ret = 0;

	if (stubs && !json_is_object(stubs) && !json_is_null(stubs))
		note(from->notes,
		     "stubDomains: left out: it is not an object of domains and their servers");
	json_object_foreach(stubs, domain, list)
	{
		if (n++ == STUBS_MAX) {
			note(from->notes,
			     "stubDomains: more than %d domains; those after them are left out",
			     STUBS_MAX);
			break;
		}
		ret = add_stub(from, domain, list, cf);
		if (ret)
			break;
	}
	json_decref(stubs);
	return ret;
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

static int fill_base(const struct source *from, const char *path, char *base, FILE *out,
		     struct error *err)
{
	char local[LIST_TEXT_MAX], upstreams[LIST_TEXT_MAX], env[256], why[400], host[64];
	const struct run_options *opts = from->opts;
	json_t *list = read_json(from, "upstreamNameservers");
	union sockaddr_any named[NAMESERVERS];
	struct pillar pillars[] = {
		{ "__PILLAR__CLUSTER__DNS__", cluster_dns(opts, env, sizeof(env)), why, NULL },
		{ "__PILLAR__UPSTREAM__SERVERS__", upstreams, NULL, NULL },
		{ "__PILLAR__LOCAL__DNS__", local, NULL, host },
		{ "__PILLAR__DNS__SERVER__", "", NULL, NULL },
		{ "__PROMETHEUS__ENDPOINT__", opts->prometheus_address, NULL, NULL },
	};
	size_t n = servers(from, list, NAMESERVERS, named);

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

/* The text before it is parsed, malloc'd. */
static int make_text(const struct source *from, const char *path, bool is_base, char **text,
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
		ret = read_text(from->watch, path, &raw);
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

int conf__text(const struct run_options *opts, char **text, const char **path,
	       struct conf_notes *notes, struct error *err)
{
	struct conf_watch *watch;
	int ret;

	*notes = (struct conf_notes){ .len = 0 };
	*path = conf_path(opts);
	watch = conf_watch_new(*path);
	if (!watch)
		return error__set(err, -ENOMEM, "out of memory");
	ret = make_text(&(struct source){ opts, watch, notes }, *path, conf__from_base(opts), text,
			err);
	conf_watch__free(watch);
	return ret;
}

/* Base and stub domains, or the base alone. */
static int load(const struct source *from, const char *path, bool is_base, bool stubs,
		struct conf *conf, struct error *err)
{
	struct corefile_options options = corefile_host_options;
	char *text = NULL;
	int ret = make_text(from, path, is_base, &text, err);

	if (ret)
		return ret;
	options.ctx = from->watch;
	options.read_file = conf_watch_read;
	options.glob = conf_watch_glob;
	options.default_port = from->opts->dns_port;
	options.ignore_unsupported = from->opts->ignore_unsupported;
	/* node-cache writes what it makes of the base to -conf, and there imports begin. */
	options.imports_at = is_base ? from->opts->conf : NULL;
	ret = corefile__parse_with(&options, path, text, strlen(text), &conf->cf, err);
	free(text);
	if (ret)
		return ret;
	conf->plan = calloc(1, sizeof(*conf->plan));
	if (!conf->plan || (stubs && add_stubs(from, conf->cf)))
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
	struct source from = { opts, conf.watch, &conf.notes };
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
			note(&conf.notes, "stubDomains: left out: %.160s", why.text);
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
