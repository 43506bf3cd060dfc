// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The kube-dns ConfigMap: stubDomains and upstreamNameservers, as node-cache takes them. Whoever
 * may write it chooses names and addresses, and nothing else of the text. Contract:
 * nodecache_priv.h.
 */
#include "nodecache_priv.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STUBS_MAX 1024 /* whoever may write the ConfigMap has no more of the agent's memory */

void conf_note(struct conf_notes *notes, const char *fmt, ...)
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

static json_t *parse_json(const struct conf_source *from, const char *key, const char *text)
{
	json_error_t error;
	json_t *json = json_loads(text, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &error);

	if (!json && json_error_code(&error) == json_error_duplicate_key) {
		conf_note(from->notes, "%s: a name is there twice (line %d); the last one counts",
			  key, error.line);
		json = json_loads(text, JSON_DECODE_ANY, &error);
	}
	if (!json)
		conf_note(from->notes, "%s: left out: it is not JSON (line %d)", key, error.line);
	return json;
}

json_t *conf_read_json(const struct conf_source *from, const char *key)
{
	char path[4096], *text = NULL;
	json_t *json;

	snprintf(path, sizeof(path), "%s/%s", from->opts->kubednscm, key);
	if (conf_read_text(from->watch, path, &text))
		return NULL; /* the ConfigMap is optional, and so are its keys */
	json = text[strspn(text, " \t\r\n")] ? parse_json(from, key, text) : json_null();
	free(text);
	return json;
}

size_t conf_servers(const struct conf_source *from, const json_t *list, size_t max,
		    union sockaddr_any *out)
{
	size_t n = 0;

	if (list && !json_is_array(list) && !json_is_null(list))
		conf_note(from->notes, "the kube-dns ConfigMap: left out: what should be a list of "
				       "servers is not a list");
	if (json_array_size(list) > max)
		conf_note(from->notes,
			  "the kube-dns ConfigMap: a list has %zu servers; only the first %zu are "
			  "used",
			  json_array_size(list), max);
	for (size_t i = 0; i < json_array_size(list) && n < max; i++) {
		const char *text = json_string_value(json_array_get(list, i));
		int ret = text ? sockaddr__parse(text, COREFILE_PORT_DEFAULT, &out[n]) : -EINVAL;

		if (ret)
			conf_note(from->notes, "the kube-dns ConfigMap: '%.64s' is left out: %s",
				  text ? text : "?",
				  ret == -ERANGE ? "its port is not from 1 to 65535"
						 : "it is not an IP address");
		else
			n++;
	}
	return n;
}

static bool is_domain(const char *text)
{
	return *text && strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "0123456789-_.") == strlen(text);
}

static int add_stub(const struct conf_source *from, const char *domain, const json_t *list,
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
	stub.servers_len = conf_servers(from, list, COREFILE_TO_MAX, stub.servers);
	if (is_domain(domain) && !stub.servers_len)
		return 0;
	if (is_domain(domain))
		ret = corefile__add_stub(cf, &stub, &why);
	if (ret == -EEXIST)
		why = "a block has this zone already";
	if (ret == -EINVAL || ret == -EEXIST)
		conf_note(from->notes, "stubDomains: '%.64s' is left out: %s", domain, why);
	return ret == -ENOMEM ? ret : 0;
}

int conf_add_stubs(const struct conf_source *from, struct corefile *cf)
{
	json_t *stubs = conf_read_json(from, "stubDomains"), *list;
	const char *domain;
	size_t n = 0;
	int ret = 0;

	if (stubs && !json_is_object(stubs) && !json_is_null(stubs))
		conf_note(
			from->notes,
			"stubDomains: left out: it is not an object of domains and their servers");
	json_object_foreach(stubs, domain, list)
	{
		if (n++ == STUBS_MAX) {
			conf_note(
				from->notes,
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
