// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The forward directive and those of its options that are more than a flag or a number.
 * Contract: rows of directives.c call these with the number of arguments already checked.
 */
#include "corefile_priv.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dns/msg.h"

#define TO_FORMS                                                                                  \
	"write IP, IP:PORT, [IPV6]:PORT, tls://IP[%%NAME] or the path of a file with nameserver " \
	"lines"
#define TLS_PORT 853 /* RFC 7858, 3.1 */

const char *const corefile_policies[] = {
	[COREFILE_POLICY_RANDOM] = "random",
	[COREFILE_POLICY_ROUND_ROBIN] = "round_robin",
	[COREFILE_POLICY_SEQUENTIAL] = "sequential",
	NULL,
};

static int add_upstream(struct corefile_parse *p, const struct corefile_token *at,
			const struct corefile_upstream *upstream)
{
	struct corefile_forward *fwd = p->forward;

	if (fwd->upstreams_len == COREFILE_TO_MAX)
		return corefile_fail(p, at, "more than %d upstreams are given; write at most %d",
				     COREFILE_TO_MAX, COREFILE_TO_MAX);
	return corefile_append(p, &fwd->upstreams, &fwd->upstreams_len, upstream,
			       sizeof(*upstream));
}

/* One line of a resolv.conf-like file, which `line` is a copy of. */
static int add_nameserver(struct corefile_parse *p, const struct corefile_token *at,
			  const char *path, char *line)
{
	struct corefile_upstream upstream = { .tls = false };
	char *rest, *word;
	int err;

	if (*line == '#' || *line == ';')
		return 0;
	word = strtok_r(line, " \t\r\v\f", &rest);
	if (!word || strcmp(word, "nameserver") != 0)
		return 0;
	word = strtok_r(NULL, " \t\r\v\f", &rest);
	if (!word)
		return 0;
	/* A resolver passes over what it cannot use; one such line must not take the node's DNS
	 * away. */
	err = strchr(word, '%')
		      ? corefile_scoped_address(p, word, COREFILE_PORT_DEFAULT, &upstream.addr)
		      : sockaddr__parse_ip(word, COREFILE_PORT_DEFAULT, &upstream.addr);
	if (err)
		return corefile_warn(p, at, "the nameserver '%s' of '%s' is left out: %s",
				     corefile_show(p, word), corefile_show(p, path),
				     err == -ENODEV ? "there is no such interface"
						    : "it is not a plain IP address");
	return add_upstream(p, at, &upstream);
}

static int add_file(struct corefile_parse *p, const struct corefile_token *at, const char *path)
{
	char *text = NULL, *line, *rest;
	size_t len = 0;
	int err = -ENOENT;

	if (p->options->read_file && *path)
		err = p->options->read_file(p->options->ctx, path, &text, &len);
	if (err == -ENOENT || err == -ENOTDIR)
		return corefile_fail_at(p, p->options->read_file ? err : -EINVAL, at->file,
					at->line,
					"'%s' is neither an address nor a file, and names are not "
					"looked up; " TO_FORMS,
					corefile_show(p, path));
	if (err)
		return corefile_fail_at(p, err, at->file, at->line,
					"cannot read '%s': %s; " TO_FORMS, corefile_show(p, path),
					strerror(-err));
	line = corefile_mem_strndup(p->scratch, text, len);
	free(text);
	if (!line)
		return corefile_nomem(p);
	for (line = strtok_r(line, "\n", &rest); line && !err; line = strtok_r(NULL, "\n", &rest))
		err = add_nameserver(p, at, path, line);
	return err;
}

/* A name that a certificate may have: no address, no blanks, and plain ASCII. */
static int set_tls_name(struct corefile_parse *p, const struct corefile_token *at, const char *name,
			const char **out)
{
	struct dns_name wire;
	const char *why = "it is empty; write it as in its certificate";

	if (!*name || dns_name__from_config(&wire, name, &why) || strpbrk(name, "\\*"))
		return corefile_fail(
			p, at, "'%s' is not the name of a server: %s", corefile_show(p, name),
			strpbrk(name, "\\*") ? "it has a '\\' or '*'; write it as in its "
					       "certificate"
					     : why);
	*out = corefile_mem_strndup(p->cf->mem, name, strlen(name));
	return *out ? 0 : corefile_nomem(p);
}

/* "IP%NAME:PORT", "[IP%NAME]:PORT" and "[IP]%NAME:PORT": the name taken out of @text. */
static int split_tls_name(struct corefile_parse *p, const struct corefile_token *at, char *text,
			  struct corefile_upstream *upstream)
{
	char *start = strchr(text, '%'), *name;
	size_t len;

	if (!start)
		return 0;
	len = strcspn(start + 1, ":]");
	name = corefile_mem_strndup(p->scratch, start + 1, len);
	if (!name)
		return corefile_nomem(p);
	memmove(start, start + 1 + len, strlen(start + 1 + len) + 1);
	return set_tls_name(p, at, name, &upstream->tls_name);
}

static int add_to(struct corefile_parse *p, const struct corefile_token *at)
{
	struct corefile_upstream upstream = { .tls = strncmp(at->text, "tls://", 6) == 0 };
	const char *scheme = strstr(at->text, "://"), *text = scheme ? scheme + 3 : at->text;
	char *copy = corefile_mem_strndup(p->scratch, text, strlen(text));
	int err;

	if (!copy)
		return corefile_nomem(p);
	if (strncmp(at->text, "https://", 8) == 0)
		return corefile_fail(
			p, at,
			"'%s': DNS over HTTPS is not there; write tls://IP%%NAME, which "
			"the same servers mostly have",
			corefile_show(p, at->text));
	if (scheme && !upstream.tls && strncmp(at->text, "dns://", 6) != 0)
		return corefile_fail(p, at, "the scheme of '%s' is not supported; " TO_FORMS,
				     corefile_show(p, at->text));
	err = upstream.tls ? split_tls_name(p, at, copy, &upstream) : 0;
	if (err)
		return err;
	err = corefile_scoped_address(p, copy, upstream.tls ? TLS_PORT : COREFILE_PORT_DEFAULT,
				      &upstream.addr);
	if (err == -ENODEV)
		return corefile_fail(p, at, "'%s' names no interface of this machine",
				     corefile_show(p, text));
	if (err == -ERANGE)
		return corefile_fail(
			p, at, "the port of '%s' is out of range; write a number from 1 to 65535",
			corefile_show(p, text));
	if (err && upstream.tls)
		return corefile_fail(p, at, "'%s' has no IP address; " TO_FORMS,
				     corefile_show(p, at->text));
	return err ? add_file(p, at, text) : add_upstream(p, at, &upstream);
}

/* FROM and except: a key as in a block, of which only the name counts. */
static int add_zones(struct corefile_parse *p, const struct corefile_token *at,
		     struct corefile_zones *to)
{
	uint16_t port;
	char *host;
	int err = corefile_split_key(p, at, at->text, &host, &port);

	if (!err && port)
		err = corefile_warn(p, at, "the port of '%s' has no meaning here and is ignored",
				    corefile_show(p, at->text));
	return err ? err : corefile_zones(p, at, host, to);
}

static int set_from(struct corefile_parse *p, const struct corefile_token *at)
{
	struct corefile_zones from = { .len = 0 };
	int err = add_zones(p, at, &from);

	if (err)
		return err;
	if (from.len > 1)
		return corefile_fail(p, at,
				     "'%s' stands for %zu zones; write one forward for each, or a "
				     "network that ends at "
				     "an octet (a nibble for IPv6)",
				     corefile_show(p, at->text), from.len);
	p->forward->from = from.list[0];
	return 0;
}

/* A second forward of one FROM is only ever asked where the first one's `except` or `next` lets
 * names through. */
static int check_from(struct corefile_parse *p, const struct corefile_token *at)
{
	for (struct corefile_forward *f = p->block->forwards; f < p->forward; f++) {
		if (f->except.len || f->next_rcodes || f->next_on_nodata ||
		    !dns_name__equal(&f->from.name, &p->forward->from.name))
			continue;
		return corefile_fail(
			p, at,
			"%s is already forwarded at line %u; write all upstreams in one forward",
			corefile_show(p, f->from.text), f->from.line);
	}
	return 0;
}

struct corefile_forward corefile_forward_defaults(const char *file, unsigned int line)
{
	return (struct corefile_forward){
		.max_fails = 2,
		.expire_ns = 10000000000,
		.read_timeout_ns = 2000000000,
		.health_check_ns = 500000000,
		.health_check_rd = true,
		.health_check_domain = { { .len = 1 }, ".", file, line },
	};
}

int corefile_set_forward(struct corefile_parse *p, const struct corefile_statement *stmt)
{
	struct corefile_forward forward =
		corefile_forward_defaults(stmt->name->file, stmt->name->line);
	struct corefile_block *b = p->block;
	int err = corefile_append(p, &b->forwards, &b->forwards_len, &forward, sizeof(forward));

	if (err)
		return err;
	p->forward = &b->forwards[b->forwards_len - 1];
	err = set_from(p, &stmt->args[0]);
	if (!err)
		err = check_from(p, &stmt->args[0]);
	for (size_t i = 1; !err && i < stmt->args_len; i++)
		err = add_to(p, &stmt->args[i]);
	if (!err && !p->forward->upstreams_len)
		err = corefile_fail(p, stmt->name,
				    "'%s' has no nameserver line with an IP address; name at least "
				    "one upstream",
				    corefile_show(p, stmt->args[1].text));
	return err;
}

int corefile_set_except(struct corefile_parse *p, const struct corefile_statement *stmt)
{
	int err = 0;

	for (size_t i = 0; !err && i < stmt->args_len; i++)
		err = add_zones(p, &stmt->args[i], &p->forward->except);
	return err;
}

static int set_health_check_domain(struct corefile_parse *p, const struct corefile_token *at)
{
	struct corefile_zones zones = { .len = 0 };
	int err;

	if (strchr(at->text, '/'))
		return corefile_fail(p, at,
				     "'%s' is not a name; write health_check DURATION domain NAME",
				     corefile_show(p, at->text));
	err = corefile_zones(p, at, at->text, &zones);
	if (!err)
		p->forward->health_check_domain = zones.list[0];
	return err;
}

int corefile_set_health_check(struct corefile_parse *p, const struct corefile_statement *stmt)
{
	const struct corefile_token *arg = &stmt->args[0], *end = arg + stmt->args_len;
	int err = corefile_value_duration(p, arg, &p->forward->health_check_ns);

	for (arg++; !err && arg < end; arg++) {
		if (strcmp(arg->text, "no_rec") == 0)
			p->forward->health_check_rd = false;
		else if (strcmp(arg->text, "domain") == 0 && arg + 1 < end)
			err = set_health_check_domain(p, ++arg);
		else if (strcmp(arg->text, "domain") == 0)
			err = corefile_fail(
				p, arg,
				"domain has no name; write health_check DURATION domain NAME");
		else
			err = corefile_fail(
				p, arg,
				"'%s' is unknown; allowed after the duration: no_rec, domain NAME",
				corefile_show(p, arg->text));
	}
	return err;
}

int corefile_end_failover(struct corefile_parse *p, const struct corefile_statement *stmt)
{
	if (!(p->forward->failover_rcodes & 1u << DNS_NOERROR))
		return 0;
	return corefile_fail(p, stmt->name,
			     "NOERROR is no failure; write next_on_nodata where an answer "
			     "without records is to be asked for elsewhere");
}

int corefile_end_read_timeout(struct corefile_parse *p, const struct corefile_statement *stmt)
{
	if (p->forward->read_timeout_ns)
		return 0;
	return corefile_fail(p, &stmt->args[0],
			     "no time at all; write a duration above 0, such as 2s");
}

int corefile_set_source_address(struct corefile_parse *p, const struct corefile_statement *stmt)
{
	if (sockaddr__parse_ip(stmt->args[0].text, 0, &p->forward->source))
		return corefile_fail(p, &stmt->args[0], "'%s' is not an IP address",
				     corefile_show(p, stmt->args[0].text));
	return 0;
}

int corefile_set_resolver(struct corefile_parse *p, const struct corefile_statement *stmt)
{
	return corefile_fail(p, stmt->name,
			     "upstreams are not looked up by name, so there is nothing to resolve; "
			     "take it out, and " TO_FORMS);
}

int corefile_set_doh_method(struct corefile_parse *p, const struct corefile_statement *stmt)
{
	return corefile_fail(p, stmt->name,
			     "DNS over HTTPS is not there; take it out, and write tls://IP%%NAME "
			     "as the upstream");
}

/* tls, tls CA, tls CERT KEY, tls CERT KEY CA */
int corefile_set_tls(struct corefile_parse *p, const struct corefile_statement *stmt)
{
	struct corefile_tls *tls = &p->forward->tls;
	const struct corefile_token *arg = stmt->args;
	int err = 0;

	if (stmt->args_len >= 2) {
		err = corefile_value_text(p, arg++, &tls->cert);
		if (!err)
			err = corefile_value_text(p, arg++, &tls->key);
	}
	if (!err && arg < stmt->args + stmt->args_len)
		err = corefile_value_text(p, arg, &tls->ca);
	return err;
}

int corefile_set_tls_servername(struct corefile_parse *p, const struct corefile_statement *stmt)
{
	return set_tls_name(p, &stmt->args[0], stmt->args[0].text, &p->forward->tls.servername);
}

int corefile_end_forward(struct corefile_parse *p, const struct corefile_statement *stmt)
{
	const struct corefile_forward *f = p->forward;
	bool tls = false, named = false;

	for (size_t i = 0; i < f->upstreams_len; i++) {
		tls |= f->upstreams[i].tls;
		named |= f->upstreams[i].tls_name != NULL;
	}
	if (f->max_age_ns && f->max_age_ns < f->expire_ns)
		return corefile_fail(p, stmt->name,
				     "max_age is shorter than expire (10s where it is not given); "
				     "write a longer max_age or a shorter expire");
	for (size_t i = 0; f->source.sa.sa_family && i < f->upstreams_len; i++) {
		if (f->upstreams[i].addr.sa.sa_family != f->source.sa.sa_family)
			return corefile_fail(
				p, stmt->name,
				"source_address and upstream %zu are of different families; write "
				"a forward for each family",
				i + 1);
	}
	if (named && f->tls.servername)
		return corefile_fail(p, stmt->name,
				     "tls_servername and tls://IP%%NAME are both given; write the "
				     "name in one of them");
	if (!tls && (f->tls.servername || f->tls.cert || f->tls.ca))
		return corefile_warn(p, stmt->name,
				     "tls is set and no upstream is asked over TLS; write "
				     "tls://IP for those that are to be");
	return 0;
}
