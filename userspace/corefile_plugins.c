// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Directives with a syntax of their own: cache options, hosts, template, rewrite, dns64, reload.
 * Contract: rows of corefile_directive.c call these with the number of arguments already checked.
 */
#include "corefile_priv.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "regex.h"
#include "rrtype.h"
#include "template.h"

#define NSEC 1000000000ull

static const char *keep(struct corefile_parse *p, const char *text)
{
	return corefile_mem_strndup(p->cf->mem, text, strlen(text));
}

/* Arguments as zones, appended. */
static int zones(struct corefile_parse *p, const struct corefile_token *args, size_t n,
		 struct corefile_zones *out)
{
	size_t cap = out->len;
	int err = 0;

	for (size_t i = 0; !err && i < n; i++)
		err = corefile_zones(p, &args[i], args[i].text,
				     &(struct corefile_zone_list){
					     .list = &out->list, .len = &out->len, .cap = &cap });
	return err;
}

static int add_string(struct corefile_parse *p, struct corefile_strings *strings, const char *text)
{
	const char **list =
		corefile_mem_alloc(p->cf->mem, (strings->len + 1) * sizeof(*strings->list));
	const char *copy = keep(p, text);

	if (!list || !copy)
		return corefile_nomem(p);
	if (strings->len)
		memcpy(list, strings->list, strings->len * sizeof(*list));
	list[strings->len++] = copy;
	strings->list = list;
	return 0;
}

static int fallthrough(struct corefile_parse *p, const struct corefile_statement *stmt,
		       struct corefile_fallthrough *out)
{
	out->on = true;
	return zones(p, stmt->args, stmt->args_len, &out->zones);
}

static int check_regex(struct corefile_parse *p, const struct corefile_token *at)
{
	struct regex *regex = NULL;
	char why[200] = "";

	if (regex__open(at->text, &regex, why, sizeof(why)))
		return corefile_fail(p, at, "'%s' is no regular expression: %s",
				     corefile_show(p, at->text), why);
	regex__close(regex);
	return 0;
}

/* ---- cache ---- */

int corefile_set_prefetch(struct corefile_parse *p, const struct corefile_statement *stmt)
{
	struct corefile_prefetch prefetch = { .duration_ns = 60 * NSEC, .percent = 10 };
	int err = corefile_value_u32(p, &stmt->args[0], 0, INT32_MAX, "amount of hits",
				     &prefetch.amount);

	if (!err && stmt->args_len > 1)
		err = corefile_value_duration(p, &stmt->args[1], &prefetch.duration_ns);
	if (!err && stmt->args_len > 2) {
		const char *text = stmt->args[2].text;
		char *end;
		unsigned long percent = strtoul(text, &end, 10);

		if (end == text || strcmp(end, "%") || percent < 10 || percent > 90)
			return corefile_fail(p, &stmt->args[2],
					     "'%s' is no percentage; write 10%% to 90%%",
					     corefile_show(p, text));
		prefetch.percent = percent;
	}
	if (!err)
		p->block->cache.prefetch = prefetch;
	return err;
}

int corefile_set_serve_stale(struct corefile_parse *p, const struct corefile_statement *stmt)
{
	uint64_t ns = 3600 * NSEC;
	size_t i = 0;
	int err = 0;

	if (stmt->args_len && strchr("0123456789", stmt->args[0].text[0]))
		err = corefile_value_duration(p, &stmt->args[i++], &ns);
	if (!err && i < stmt->args_len) {
		const char *mode = stmt->args[i].text;

		if (strcmp(mode, "verify") && strcmp(mode, "immediate"))
			return corefile_fail(p, &stmt->args[i],
					     "'%s' is not known; write immediate or verify",
					     corefile_show(p, mode));
		p->block->cache.stale =
			*mode == 'v' ? COREFILE_STALE_VERIFY : COREFILE_STALE_IMMEDIATE;
		i++;
	}
	if (!err && i < stmt->args_len)
		return corefile_fail(p, &stmt->args[i],
				     "write serve_stale [DURATION] [immediate|verify]");
	p->block->cache.serve_stale_s = ns / NSEC;
	return err;
}

int corefile_set_servfail(struct corefile_parse *p, const struct corefile_statement *stmt)
{
	uint64_t ns;
	int err = corefile_value_duration(p, &stmt->args[0], &ns);

	if (!err && ns > 300 * NSEC)
		return corefile_fail(p, &stmt->args[0], "it is longer than 5m; write 0 to 5m");
	if (!err)
		p->block->cache.servfail_s = ns / NSEC;
	return err;
}

int corefile_set_disable(struct corefile_parse *p, const struct corefile_statement *stmt)
{
	struct corefile_cache *cache = &p->block->cache;
	const char *what = stmt->args[0].text;

	if (!strcmp(what, "success")) {
		cache->disable_success = true;
		return zones(p, stmt->args + 1, stmt->args_len - 1, &cache->disable_success_zones);
	}
	if (!strcmp(what, "denial")) {
		cache->disable_denial = true;
		return zones(p, stmt->args + 1, stmt->args_len - 1, &cache->disable_denial_zones);
	}
	return corefile_fail(p, &stmt->args[0], "'%s' is not known; write success or denial",
			     corefile_show(p, what));
}

int corefile_set_cache_zones(struct corefile_parse *p, const struct corefile_token *args, size_t n)
{
	return zones(p, args, n, &p->block->cache.zones);
}

/* ---- small ones ---- */

int corefile_set_bufsize(struct corefile_parse *p, const struct corefile_statement *stmt)
{
	uint32_t size = 1232;
	int err = stmt->args_len ? corefile_value_u32(p, &stmt->args[0], 512, 4096,
						      "number of bytes", &size)
				 : 0;

	p->block->bufsize = size;
	return err;
}

int corefile_set_loadbalance(struct corefile_parse *p, const struct corefile_statement *stmt)
{
	if (stmt->args_len && strcmp(stmt->args[0].text, "round_robin"))
		return corefile_fail(p, &stmt->args[0],
				     "'%s' is not supported; write loadbalance [round_robin]",
				     corefile_show(p, stmt->args[0].text));
	p->block->loadbalance = true;
	return 0;
}

int corefile_set_nxdomain_cut(struct corefile_parse *p, const struct corefile_statement *stmt)
{
	const char *text = stmt->args_len ? stmt->args[0].text : "on";

	if (strcmp(text, "on") && strcmp(text, "off"))
		return corefile_fail(p, &stmt->args[0], "'%s' is not known; write on or off",
				     corefile_show(p, text));
	p->block->nxdomain_cut = !strcmp(text, "on");
	return 0;
}

int corefile_set_reload(struct corefile_parse *p, const struct corefile_statement *stmt)
{
	struct corefile_reload reload = { true, 30 * NSEC, 15 * NSEC };
	int err = 0;

	if (stmt->args_len)
		err = corefile_value_duration(p, &stmt->args[0], &reload.interval_ns);
	if (!err && reload.interval_ns && reload.interval_ns < 2 * NSEC)
		return corefile_fail(p, &stmt->args[0],
				     "the interval is below 2s; write 2s or more, or 0");
	if (!err && stmt->args_len > 1)
		err = corefile_value_duration(p, &stmt->args[1], &reload.jitter_ns);
	if (!err && stmt->args_len > 1 && reload.jitter_ns < NSEC)
		return corefile_fail(p, &stmt->args[1], "the jitter is below 1s; write 1s or more");
	if (reload.jitter_ns > reload.interval_ns / 2)
		reload.jitter_ns = reload.interval_ns / 2;
	if (!err)
		p->block->reload = reload;
	return err;
}

/* ---- dns64 ---- */

int corefile_set_dns64_prefix(struct corefile_parse *p, const struct corefile_statement *stmt)
{
	struct corefile_dns64 *dns64 = &p->block->dns64;
	const char *text = stmt->args[0].text, *slash = strchr(text, '/');
	char addr[INET6_ADDRSTRLEN];
	int bits = slash ? atoi(slash + 1) : 0;

	if (!slash || slash - text >= (long)sizeof(addr))
		goto bad;
	memcpy(addr, text, slash - text);
	addr[slash - text] = '\0';
	if (inet_pton(AF_INET6, addr, dns64->prefix) != 1)
		goto bad;
	if (bits != 32 && bits != 40 && bits != 48 && bits != 56 && bits != 64 && bits != 96)
		goto bad;
	dns64->prefix_len = bits;
	return 0;
bad:
	return corefile_fail(p, &stmt->args[0],
			     "'%s' is no prefix; write IPV6/LENGTH of 32, 40, 48, 56, 64 or 96 bits",
			     corefile_show(p, text));
}

int corefile_set_dns64(struct corefile_parse *p, const struct corefile_statement *stmt)
{
	struct corefile_dns64 *dns64 = &p->block->dns64;

	dns64->enabled = true;
	dns64->prefix_len = 96;
	inet_pton(AF_INET6, "64:ff9b::", dns64->prefix);
	return stmt->args_len ? corefile_set_dns64_prefix(p, stmt) : 0;
}

/* ---- hosts ---- */

int corefile_set_hosts(struct corefile_parse *p, const struct corefile_statement *stmt)
{
	struct corefile_hosts *hosts = &p->block->hosts;

	p->block->has_hosts = true;
	*hosts = (struct corefile_hosts){ .ttl_s = 3600, .reload_ns = 5 * NSEC };
	/* with entries of its own and no file named, a block is meant to be all there is */
	if (stmt->args_len || !stmt->has_block)
		hosts->path = keep(p, stmt->args_len ? stmt->args[0].text : "/etc/hosts");
	return stmt->args_len > 1 ? zones(p, stmt->args + 1, stmt->args_len - 1, &hosts->zones) : 0;
}

int corefile_set_hosts_fallthrough(struct corefile_parse *p, const struct corefile_statement *stmt)
{
	return fallthrough(p, stmt, &p->block->hosts.fallthrough);
}

int corefile_set_hosts_ttl(struct corefile_parse *p, const struct corefile_statement *stmt)
{
	return corefile_value_u32(p, &stmt->args[0], 1, 65535, "TTL in seconds",
				  &p->block->hosts.ttl_s);
}

/* "IP NAME...": an option whose name is an address. */
int corefile_set_hosts_entry(struct corefile_parse *p, const struct corefile_statement *stmt)
{
	struct corefile_hosts *hosts = &p->block->hosts;
	struct corefile_hosts_entry entry = { .names_len = stmt->args_len };
	struct corefile_hosts_entry *list;
	const char **names;

	if (corefile_ip(stmt->name->text, 0, &entry.addr))
		return 1;
	if (!stmt->args_len)
		return corefile_fail(p, stmt->name, "no name follows; write IP NAME...");
	names = corefile_mem_alloc(p->cf->mem, stmt->args_len * sizeof(*names));
	list = corefile_mem_grow(p->cf->mem, hosts->entries, hosts->entries_len, &p->hosts_cap,
				 sizeof(*list));
	if (!names || !list)
		return corefile_nomem(p);
	for (size_t i = 0; i < stmt->args_len; i++)
		names[i] = keep(p, stmt->args[i].text);
	entry.names = names;
	list[hosts->entries_len++] = entry;
	hosts->entries = list;
	return 0;
}

/* ---- template ---- */

static struct corefile_template *last_template(struct corefile_parse *p)
{
	return &p->block->templates[p->block->templates_len - 1];
}

static int class_of(struct corefile_parse *p, const struct corefile_token *at, uint16_t *out)
{
	if (!strcasecmp(at->text, "IN"))
		*out = DNS_CLASS_IN;
	else if (!strcasecmp(at->text, "CH"))
		*out = 3;
	else if (!strcasecmp(at->text, "ANY"))
		*out = DNS_TYPE_ANY;
	else
		return corefile_fail(p, at, "'%s' is no class; write IN, CH or ANY",
				     corefile_show(p, at->text));
	return 0;
}

static int type_of(struct corefile_parse *p, const struct corefile_token *at, uint16_t *out)
{
	if (rrtype__parse(at->text, out))
		return corefile_fail(p, at, "'%s' is no type; write A, AAAA, ANY... or TYPEn",
				     corefile_show(p, at->text));
	return 0;
}

static int rcode_of(struct corefile_parse *p, const struct corefile_token *at, uint16_t *out)
{
	char text[RRTYPE_TEXT];

	for (uint16_t rcode = 0; rcode < 16; rcode++) {
		if (strcasecmp(rcode__text(rcode, text), at->text))
			continue;
		*out = rcode;
		return 0;
	}
	return corefile_fail(p, at, "'%s' is no rcode; write NXDOMAIN, NOERROR, REFUSED...",
			     corefile_show(p, at->text));
}

int corefile_set_template(struct corefile_parse *p, const struct corefile_statement *stmt)
{
	struct corefile_block *b = p->block;
	struct corefile_template t = { .file = stmt->name->file, .line = stmt->name->line };
	struct corefile_template *list;
	int err = class_of(p, &stmt->args[0], &t.class);

	if (!err)
		err = type_of(p, &stmt->args[1], &t.type);
	if (!err)
		err = zones(p, stmt->args + 2, stmt->args_len - 2, &t.zones);
	if (err)
		return err;
	list = corefile_mem_grow(p->cf->mem, b->templates, b->templates_len, &p->templates_cap,
				 sizeof(*list));
	if (!list)
		return corefile_nomem(p);
	list[b->templates_len++] = t;
	b->templates = list;
	return 0;
}

int corefile_set_match(struct corefile_parse *p, const struct corefile_statement *stmt)
{
	int err = 0;

	for (size_t i = 0; !err && i < stmt->args_len; i++) {
		err = check_regex(p, &stmt->args[i]);
		if (!err)
			err = add_string(p, &last_template(p)->match, stmt->args[i].text);
	}
	return err;
}

static int add_record(struct corefile_parse *p, const struct corefile_statement *stmt,
		      struct corefile_strings *strings)
{
	char why[256];
	int err = 0;

	for (size_t i = 0; !err && i < stmt->args_len; i++) {
		if (template__check(stmt->args[i].text, why, sizeof(why)))
			return corefile_fail(p, &stmt->args[i], "%s", why);
		err = add_string(p, strings, stmt->args[i].text);
	}
	return err;
}

int corefile_set_answer(struct corefile_parse *p, const struct corefile_statement *stmt)
{
	return add_record(p, stmt, &last_template(p)->answer);
}

int corefile_set_additional(struct corefile_parse *p, const struct corefile_statement *stmt)
{
	return add_record(p, stmt, &last_template(p)->additional);
}

int corefile_set_authority(struct corefile_parse *p, const struct corefile_statement *stmt)
{
	return add_record(p, stmt, &last_template(p)->authority);
}

int corefile_set_rcode(struct corefile_parse *p, const struct corefile_statement *stmt)
{
	last_template(p)->has_rcode = true;
	return rcode_of(p, &stmt->args[0], &last_template(p)->rcode);
}

int corefile_set_template_fallthrough(struct corefile_parse *p,
				      const struct corefile_statement *stmt)
{
	return fallthrough(p, stmt, &last_template(p)->fallthrough);
}

/* ---- rewrite ---- */

#define REWRITE_USAGE                                                                    \
	"write rewrite [continue|stop] name [exact|prefix|suffix|substring|regex] FROM " \
	"TO, type FROM TO, or ttl [MATCH] FROM SECONDS"

static int match_of(const char *text, enum corefile_match *out)
{
	static const char *const names[] = { "exact", "prefix", "suffix", "substring", "regex" };

	for (unsigned int i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!strcmp(text, names[i])) {
			*out = i;
			return 0;
		}
	}
	return -ENOENT;
}

/* Names are compared with their dot at the end. */
static const char *dotted(struct corefile_parse *p, const char *text, bool name)
{
	size_t len = strlen(text);
	char *out = corefile_mem_alloc(p->cf->mem, len + 2);

	if (!out)
		return NULL;
	memcpy(out, text, len);
	if (name && (!len || text[len - 1] != '.'))
		out[len] = '.';
	return out;
}

static int rewrite_name(struct corefile_parse *p, const struct corefile_token *args, size_t n,
			struct corefile_rewrite *rule)
{
	bool explicit = n > 2 && !match_of(args[0].text, &rule->match), whole;
	size_t at = explicit;
	int err = 0;

	if (n < at + 2)
		return corefile_fail(p, args, REWRITE_USAGE);
	whole = rule->match == COREFILE_MATCH_EXACT || rule->match == COREFILE_MATCH_SUFFIX;
	rule->from = dotted(p, args[at].text, whole);
	rule->to = dotted(p, args[at + 1].text, whole || rule->match == COREFILE_MATCH_REGEX);
	if (!rule->from || !rule->to)
		return corefile_nomem(p);
	if (rule->match == COREFILE_MATCH_REGEX)
		err = check_regex(p, &args[at]);
	at += 2;
	if (!err && at + 2 == n && !strcmp(args[at].text, "answer") &&
	    !strcmp(args[at + 1].text, "auto")) {
		rule->answer_auto = true;
		return 0;
	}
	for (; !err && at < n; at += 4) {
		struct corefile_rewrite_answer *answers;

		if (at + 4 > n || strcmp(args[at].text, "answer") ||
		    (strcmp(args[at + 1].text, "name") && strcmp(args[at + 1].text, "value")))
			return corefile_fail(p, &args[at],
					     "write answer auto, or answer name|value FROM TO");
		err = check_regex(p, &args[at + 2]);
		answers = corefile_mem_alloc(p->cf->mem,
					     (rule->answers_len + 1) * sizeof(*answers));
		if (!answers)
			return corefile_nomem(p);
		if (rule->answers_len)
			memcpy(answers, rule->answers, rule->answers_len * sizeof(*answers));
		answers[rule->answers_len++] = (struct corefile_rewrite_answer){
			.value = args[at + 1].text[0] == 'v',
			.from = keep(p, args[at + 2].text),
			.to = dotted(p, args[at + 3].text, true),
		};
		rule->answers = answers;
	}
	return err;
}

static int rewrite_ttl(struct corefile_parse *p, const struct corefile_token *args, size_t n,
		       struct corefile_rewrite *rule)
{
	bool explicit = n > 2 && !match_of(args[0].text, &rule->match);
	const struct corefile_token *to = &args[explicit + 1];
	const char *text, *dash;

	if (n != explicit + 2u)
		return corefile_fail(p, args, REWRITE_USAGE);
	rule->from = dotted(p, args[explicit].text,
			    rule->match == COREFILE_MATCH_EXACT ||
				    rule->match == COREFILE_MATCH_SUFFIX);
	rule->to = "";
	text = to->text;
	dash = strchr(text, '-');
	if (!*text || strspn(text, "0123456789-") != strlen(text))
		return corefile_fail(p, to, "'%s' is no TTL; write 5, 5-, -5 or 5-10",
				     corefile_show(p, text));
	rule->ttl_min_s = dash == text ? 0 : strtoul(text, NULL, 10);
	rule->ttl_max_s = !dash	    ? rule->ttl_min_s
			  : dash[1] ? strtoul(dash + 1, NULL, 10)
				    : INT32_MAX;
	return rule->match == COREFILE_MATCH_REGEX ? check_regex(p, &args[explicit]) : 0;
}

int corefile_set_rewrite(struct corefile_parse *p, const struct corefile_statement *stmt)
{
	struct corefile_rewrite rule = { .file = stmt->name->file, .line = stmt->name->line };
	const struct corefile_token *args = stmt->args;
	struct corefile_block *b = p->block;
	size_t n = stmt->args_len;
	struct corefile_rewrite *list;
	int err;

	if (!strcmp(args[0].text, "continue") || !strcmp(args[0].text, "stop")) {
		rule.go_on = args[0].text[0] == 'c';
		args++;
		n--;
	}
	if (n < 3)
		return corefile_fail(p, stmt->name, REWRITE_USAGE);
	if (!strcmp(args[0].text, "name")) {
		rule.kind = COREFILE_REWRITE_NAME;
		err = rewrite_name(p, args + 1, n - 1, &rule);
	} else if (!strcmp(args[0].text, "type") && n == 3) {
		rule.kind = COREFILE_REWRITE_TYPE;
		err = type_of(p, &args[1], &rule.from_number);
		if (!err)
			err = type_of(p, &args[2], &rule.to_number);
	} else if (!strcmp(args[0].text, "ttl")) {
		rule.kind = COREFILE_REWRITE_TTL;
		err = rewrite_ttl(p, args + 1, n - 1, &rule);
	} else {
		err = corefile_fail(p, &args[0], "'%s' is not supported; " REWRITE_USAGE,
				    corefile_show(p, args[0].text));
	}
	if (err)
		return err;
	list = corefile_mem_grow(p->cf->mem, b->rewrites, b->rewrites_len, &p->rewrites_cap,
				 sizeof(*list));
	if (!list)
		return corefile_nomem(p);
	list[b->rewrites_len++] = rule;
	b->rewrites = list;
	return 0;
}

/* ---- forward ---- */

int corefile_set_next(struct corefile_parse *p, const struct corefile_statement *stmt)
{
	int err = 0;

	for (size_t i = 0; !err && i < stmt->args_len; i++) {
		uint16_t rcode = 0;

		err = rcode_of(p, &stmt->args[i], &rcode);
		if (!err)
			p->forward->next_rcodes |= 1u << rcode;
	}
	return err;
}
