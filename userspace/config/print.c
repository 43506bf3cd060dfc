// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The effective configuration as a Corefile, defaults written out.
 * Contract: the output parses to the same configuration, whatever the input was.
 */
#include "corefile_priv.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <string.h>

#include "dns/msg.h"
#include "base/log.h"
#include "dns/rrtype.h"

#define OPTION	  "        "
#define DIRECTIVE "    "

/* ---- words ---- */

/* corefile_value_text() has refused what can be written neither way. */
static void print_text(const char *text, FILE *out)
{
	if (corefile_is_plain(text)) {
		fprintf(out, " %s", text);
		return;
	}
	fputs(" \"", out);
	for (; *text; text++)
		fprintf(out, "%s%c", *text == '"' ? "\\" : "", *text);
	fputc('"', out);
}

static void print_ip(const union sockaddr_any *addr, FILE *out)
{
	char text[INET6_ADDRSTRLEN];

	fputs(sockaddr__ip_text(addr, text, sizeof(text)), out);
	if (addr->sa.sa_family == AF_INET6 && addr->v6.sin6_scope_id)
		fprintf(out, "%%%u", addr->v6.sin6_scope_id);
}

/* @name: of a TLS server, or "". */
static void print_named_addr(const union sockaddr_any *addr, const char *name, FILE *out)
{
	bool v6 = addr->sa.sa_family == AF_INET6;

	fputs(v6 ? "[" : "", out);
	print_ip(addr, out);
	fprintf(out, "%s%s%s:%u", *name ? "%" : "", name, v6 ? "]" : "", sockaddr__port(addr));
}

/* In the largest unit that loses nothing. */
static void print_duration(uint64_t ns, FILE *out)
{
	static const struct {
		uint64_t ns;
		const char *name;
	} units[] = { { 1000000000, "s" }, { 1000000, "ms" }, { 1000, "us" }, { 1, "ns" } };
	size_t i = 0;

	while (ns % units[i].ns)
		i++;
	fprintf(out, " %" PRIu64 "%s", ns / units[i].ns, units[i].name);
}

static void print_zones(const struct corefile_zones *zones, FILE *out)
{
	for (size_t i = 0; i < zones->len; i++)
		fprintf(out, " %s", zones->list[i].text);
}

static void print_flag(const char *indent, const char *name, bool on, FILE *out)
{
	if (on)
		fprintf(out, "%s%s\n", indent, name);
}

static void print_type(uint16_t type, FILE *out)
{
	char text[RRTYPE_TEXT];

	fprintf(out, " %s", rrtype__text(type, text));
}

/* A number where there is no name. */
static void print_rcode(uint16_t rcode, FILE *out)
{
	char text[RRTYPE_TEXT];

	fprintf(out, " %s", rcode__text(rcode, text));
}

static void print_class(uint16_t class, FILE *out)
{
	fputs(class == DNS_CLASS_CH   ? " CH"
	      : class == DNS_CLASS_HS ? " HS"
	      : class == DNS_CLASS_IN ? " IN"
				      : " ANY",
	      out);
}

static void print_subnet(const struct corefile_subnet *subnet, FILE *out)
{
	char addr[INET6_ADDRSTRLEN] = "";

	inet_ntop(subnet->family, subnet->addr, addr, sizeof(addr));
	fprintf(out, " %s/%u", addr, subnet->bits);
}

static void print_fallthrough(const struct corefile_fallthrough *fallthrough, FILE *out)
{
	if (!fallthrough->on)
		return;
	fputs(OPTION "fallthrough", out);
	print_zones(&fallthrough->zones, out);
	fputc('\n', out);
}

/* ---- directives ---- */

static void print_errors(const struct corefile_errors *errors, FILE *out)
{
	static const char *const levels[] = {
		[LOG_LEVEL_ERROR] = "error",
		[LOG_LEVEL_WARN] = "warning",
		[LOG_LEVEL_INFO] = "info",
		[LOG_LEVEL_DEBUG] = "debug",
	};

	if (!errors->enabled)
		return;
	fprintf(out, DIRECTIVE "errors%s\n", errors->consolidate_len ? " {" : "");
	for (size_t i = 0; i < errors->consolidate_len; i++) {
		const struct corefile_consolidate *c = &errors->consolidate[i];

		fputs(OPTION "consolidate", out);
		print_duration(c->duration_ns, out);
		print_text(c->regex, out);
		fprintf(out, " %s%s\n", levels[c->level], c->show_first ? " show_first" : "");
	}
	if (errors->consolidate_len)
		fputs(DIRECTIVE "}\n", out);
}

static void print_log(const struct corefile_log *log, FILE *out)
{
	static const struct {
		unsigned int bit;
		const char *name;
	} classes[] = {
		{ COREFILE_LOG_SUCCESS, "success" },
		{ COREFILE_LOG_DENIAL, "denial" },
		{ COREFILE_LOG_ERROR, "error" },
	};

	fputs(DIRECTIVE "log", out);
	print_zones(&log->names, out);
	print_text(log->format, out);
	fputs(" {\n" OPTION "class", out);
	for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
		if (log->classes & classes[i].bit)
			fprintf(out, " %s", classes[i].name);
	}
	fputs("\n" DIRECTIVE "}\n", out);
}

static void print_listen(const char *name, const struct corefile_listen *listen, FILE *out)
{
	if (!listen->enabled)
		return;
	fprintf(out, DIRECTIVE "%s ", name);
	print_named_addr(&listen->addr, "", out);
	fputc('\n', out);
}

static void print_health(const struct corefile_block *b, FILE *out)
{
	if (!b->health.enabled)
		return;
	fputs(DIRECTIVE "health ", out);
	print_named_addr(&b->health.addr, "", out);
	fputs(" {\n" OPTION "lameduck", out);
	print_duration(b->health_lameduck_ns, out);
	fputs("\n" DIRECTIVE "}\n", out);
}

static void print_timeouts(const struct corefile_timeouts *t, FILE *out)
{
	const struct {
		const char *name;
		uint64_t ns;
	} rows[] = { { "read", t->read_ns }, { "write", t->write_ns }, { "idle", t->idle_ns } };

	if (!t->read_ns && !t->write_ns && !t->idle_ns && !t->max_queries)
		return;
	fputs(DIRECTIVE "timeouts {\n", out);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (!rows[i].ns)
			continue;
		fprintf(out, OPTION "%s", rows[i].name);
		print_duration(rows[i].ns, out);
		fputc('\n', out);
	}
	if (t->max_queries)
		fprintf(out, OPTION "maxtcpqueries %d\n", t->max_queries);
	fputs(DIRECTIVE "}\n", out);
}

static void print_side(const char *name, const struct corefile_cache_side *side, FILE *out)
{
	fprintf(out, OPTION "%s %u %u %u\n", name, side->capacity, side->ttl_s, side->min_ttl_s);
}

static void print_disable(const char *what, bool on, const struct corefile_zones *zones, FILE *out)
{
	if (!on)
		return;
	fprintf(out, OPTION "disable %s", what);
	print_zones(zones, out);
	fputc('\n', out);
}

static void print_stale(const struct corefile_cache *cache, FILE *out)
{
	bool verify = cache->stale == COREFILE_STALE_VERIFY;

	fprintf(out, OPTION "serve_stale %us %s", cache->serve_stale_s,
		verify ? "verify" : "immediate");
	if (cache->stale_wait_ns || cache->stale_ttl_s || cache->stale_recheck_ns) {
		if (verify)
			print_duration(cache->stale_wait_ns, out);
		fprintf(out, " %us", cache->stale_ttl_s);
		print_duration(cache->stale_recheck_ns, out);
	}
	fputc('\n', out);
	if (cache->prefer_positive)
		fputs(OPTION "serve_stale_policy prefer_positive\n", out);
}

static void print_cache(const struct corefile_cache *cache, FILE *out)
{
	if (!cache->enabled)
		return;
	fputs(DIRECTIVE "cache", out);
	print_zones(&cache->zones, out);
	fputs(" {\n", out);
	print_side("success", &cache->success, out);
	print_side("denial", &cache->denial, out);
	if (cache->prefetch.amount) {
		fprintf(out, OPTION "prefetch %u", cache->prefetch.amount);
		print_duration(cache->prefetch.duration_ns, out);
		fprintf(out, " %u%%\n", cache->prefetch.percent);
	}
	if (cache->serve_stale_s)
		print_stale(cache, out);
	fprintf(out, OPTION "servfail %us\n", cache->servfail_s);
	print_disable("success", cache->disable_success, &cache->disable_success_zones, out);
	print_disable("denial", cache->disable_denial, &cache->disable_denial_zones, out);
	print_flag(OPTION, "keepttl", cache->keepttl, out);
	fputs(DIRECTIVE "}\n", out);
}

static void print_edns0(const struct corefile_rewrite *rule, FILE *out)
{
	static const char *const actions[] = {
		[COREFILE_EDNS0_SET] = "set",
		[COREFILE_EDNS0_REPLACE] = "replace",
		[COREFILE_EDNS0_APPEND] = "append",
		[COREFILE_EDNS0_UNSET] = "unset",
	};

	if (rule->edns0_source == COREFILE_EDNS0_SUBNET) {
		fprintf(out, " edns0 subnet %s %u %u", actions[rule->edns0_action],
			rule->edns0_bits[0], rule->edns0_bits[1]);
		return;
	}
	fprintf(out, " edns0 local %s %u", actions[rule->edns0_action], rule->edns0_code);
	if (rule->edns0_action == COREFILE_EDNS0_UNSET)
		return;
	if (rule->edns0_source != COREFILE_EDNS0_FIXED) {
		print_text(corefile_edns0_variable(rule->edns0_source), out);
		return;
	}
	fputs(" 0x", out);
	for (size_t i = 0; i < rule->edns0_len; i++)
		fprintf(out, "%02x", (unsigned char)rule->edns0_data[i]);
}

static void print_match(const char *field, const struct corefile_rewrite *rule, FILE *out)
{
	static const char *const matches[] = {
		[COREFILE_MATCH_EXACT] = "exact",   [COREFILE_MATCH_PREFIX] = "prefix",
		[COREFILE_MATCH_SUFFIX] = "suffix", [COREFILE_MATCH_SUBSTRING] = "substring",
		[COREFILE_MATCH_REGEX] = "regex",
	};

	fprintf(out, " %s %s", field, matches[rule->match]);
	print_text(rule->from, out);
}

static void print_rewrite(const struct corefile_rewrite *rule, FILE *out)
{
	fprintf(out, DIRECTIVE "rewrite %s", rule->go_on ? "continue" : "stop");
	switch (rule->kind) {
	case COREFILE_REWRITE_NAME:
		print_match("name", rule, out);
		print_text(rule->to, out);
		fputs(rule->answer_auto ? " answer auto" : "", out);
		for (size_t i = 0; i < rule->answers_len; i++) {
			fprintf(out, " answer %s", rule->answers[i].value ? "value" : "name");
			print_text(rule->answers[i].from, out);
			print_text(rule->answers[i].to, out);
		}
		break;
	case COREFILE_REWRITE_TYPE:
		fputs(" type", out);
		print_type(rule->from_number, out);
		print_type(rule->to_number, out);
		break;
	case COREFILE_REWRITE_CLASS:
		fputs(" class", out);
		print_class(rule->from_number, out);
		print_class(rule->to_number, out);
		break;
	case COREFILE_REWRITE_TTL:
		print_match("ttl", rule, out);
		fprintf(out, " %u-%u", rule->ttl_min_s, rule->ttl_max_s);
		break;
	case COREFILE_REWRITE_EDNS0:
		print_edns0(rule, out);
		break;
	case COREFILE_REWRITE_RCODE:
		print_match("rcode", rule, out);
		print_rcode(rule->from_number, out);
		print_rcode(rule->to_number, out);
		break;
	}
	fputc('\n', out);
}

static void print_strings(const char *name, const struct corefile_strings *strings, FILE *out)
{
	for (size_t i = 0; i < strings->len; i++) {
		fprintf(out, OPTION "%s", name);
		print_text(strings->list[i], out);
		fputc('\n', out);
	}
}

static void print_template(const struct corefile_template *t, FILE *out)
{
	fputs(DIRECTIVE "template", out);
	print_class(t->class, out);
	print_type(t->type, out);
	print_zones(&t->zones, out);
	fputs(" {\n", out);
	print_strings("match", &t->match, out);
	print_strings("answer", &t->answer, out);
	print_strings("additional", &t->additional, out);
	print_strings("authority", &t->authority, out);
	if (t->has_rcode) {
		fputs(OPTION "rcode", out);
		print_rcode(t->rcode, out);
		fputc('\n', out);
	}
	if (t->has_ede) {
		fprintf(out, OPTION "ederror %u", t->ede_code);
		if (t->ede_text)
			print_text(t->ede_text, out);
		fputc('\n', out);
	}
	print_fallthrough(&t->fallthrough, out);
	fputs(DIRECTIVE "}\n", out);
}

static void print_hosts(const struct corefile_hosts *hosts, FILE *out)
{
	fputs(DIRECTIVE "hosts", out);
	print_text(hosts->path, out);
	print_zones(&hosts->zones, out);
	fputs(" {\n", out);
	for (size_t i = 0; i < hosts->entries_len; i++) {
		fputs(OPTION, out);
		print_ip(&hosts->entries[i].addr, out);
		for (size_t k = 0; k < hosts->entries[i].names_len; k++)
			print_text(hosts->entries[i].names[k], out);
		fputc('\n', out);
	}
	fprintf(out, OPTION "ttl %u\n" OPTION "reload", hosts->ttl_s);
	print_duration(hosts->reload_ns, out);
	fputc('\n', out);
	print_flag(OPTION, "no_reverse", hosts->no_reverse, out);
	print_fallthrough(&hosts->fallthrough, out);
	print_flag(OPTION, "fallthrough_unsupported", hosts->fallthrough_unsupported, out);
	fputs(DIRECTIVE "}\n", out);
}

static void print_dns64(const struct corefile_dns64 *dns64, FILE *out)
{
	char prefix[INET6_ADDRSTRLEN] = "";

	if (!dns64->enabled)
		return;
	inet_ntop(AF_INET6, dns64->prefix, prefix, sizeof(prefix));
	fprintf(out, DIRECTIVE "dns64 %s/%u {\n", prefix, dns64->prefix_len);
	print_flag(OPTION, "translate_all", dns64->translate_all, out);
	print_flag(OPTION, "allow_ipv4", dns64->allow_ipv4, out);
	fputs(DIRECTIVE "}\n", out);
}

static void print_acl(const struct corefile_acl *acl, FILE *out)
{
	fputs(DIRECTIVE "acl", out);
	print_zones(&acl->zones, out);
	fputs(" {\n", out);
	for (size_t i = 0; i < acl->policies_len; i++) {
		const struct corefile_acl_policy *policy = &acl->policies[i];

		fprintf(out, OPTION "%s type", corefile_acl_action(policy->action));
		for (size_t k = 0; !policy->all_types && k < policy->types_len; k++)
			print_type(policy->types[k], out);
		fprintf(out, "%s net", policy->all_types ? " *" : "");
		for (size_t k = 0; !policy->all_nets && k < policy->nets_len; k++)
			print_subnet(&policy->nets[k], out);
		fputs(policy->all_nets ? " *\n" : "\n", out);
	}
	fputs(DIRECTIVE "}\n", out);
}

/* ---- forward ---- */

static void print_upstreams(const struct corefile_forward *f, FILE *out)
{
	for (size_t i = 0; i < f->upstreams_len; i++) {
		const struct corefile_upstream *upstream = &f->upstreams[i];

		fputs(upstream->tls ? " tls://" : " ", out);
		print_named_addr(&upstream->addr, upstream->tls_name ? upstream->tls_name : "",
				 out);
	}
}

static void print_tls(const struct corefile_tls *tls, FILE *out)
{
	if (tls->cert || tls->ca) {
		fputs(OPTION "tls", out);
		if (tls->cert) {
			print_text(tls->cert, out);
			print_text(tls->key, out);
		}
		if (tls->ca)
			print_text(tls->ca, out);
		fputc('\n', out);
	}
	if (tls->servername)
		fprintf(out, OPTION "tls_servername %s\n", tls->servername);
}

static void print_rcodes(const char *option, uint16_t rcodes, FILE *out)
{
	if (!rcodes)
		return;
	fprintf(out, OPTION "%s", option);
	for (unsigned int rcode = 0; rcode <= DNS_RCODE; rcode++) {
		if (rcodes >> rcode & 1)
			print_rcode(rcode, out);
	}
	fputc('\n', out);
}

static void print_forward(const struct corefile_forward *f, FILE *out)
{
	const struct corefile_zones except = { f->except, f->except_len };

	fprintf(out, DIRECTIVE "forward %s", f->from.text);
	print_upstreams(f, out);
	fputs(" {\n", out);
	if (f->except_len) {
		fputs(OPTION "except", out);
		print_zones(&except, out);
		fputc('\n', out);
	}
	print_flag(OPTION, "force_tcp", f->force_tcp, out);
	print_flag(OPTION, "prefer_udp", f->prefer_udp, out);
	fprintf(out, OPTION "policy %s\n", corefile_policy_name(f->policy));
	fprintf(out, OPTION "max_fails %u\n", f->max_fails);
	fprintf(out, OPTION "max_concurrent %u\n", f->max_concurrent);
	fprintf(out, OPTION "max_connect_attempts %u\n", f->max_connect_attempts);
	print_rcodes("next", f->next_rcodes, out);
	print_rcodes("failover", f->failover_rcodes, out);
	print_flag(OPTION, "next_on_nodata", f->next_on_nodata, out);
	print_flag(OPTION, "failfast_all_unhealthy_upstreams", f->failfast, out);
	print_tls(&f->tls, out);
	fputs(OPTION "expire", out);
	print_duration(f->expire_ns, out);
	if (f->max_age_ns) {
		fputs("\n" OPTION "max_age", out);
		print_duration(f->max_age_ns, out);
	}
	fprintf(out, "\n" OPTION "max_idle_conns %u\n" OPTION "read_timeout", f->max_idle_conns);
	print_duration(f->read_timeout_ns, out);
	if (f->source.sa.sa_family) {
		fputs("\n" OPTION "source_address ", out);
		print_ip(&f->source, out);
	}
	fputs("\n" OPTION "health_check", out);
	print_duration(f->health_check_ns, out);
	fprintf(out, "%s domain %s\n" DIRECTIVE "}\n", f->health_check_rd ? "" : " no_rec",
		f->health_check_domain.text);
}

/* ---- blocks ---- */

static void print_loadbalance(const struct corefile_block *b, FILE *out)
{
	if (!b->loadbalance)
		return;
	fprintf(out, DIRECTIVE "loadbalance%s", b->prefer_len ? " {\n" OPTION "prefer" : "");
	for (size_t i = 0; i < b->prefer_len; i++)
		print_subnet(&b->prefer[i], out);
	fputs(b->prefer_len ? "\n" DIRECTIVE "}\n" : "\n", out);
}

static void print_reload(const struct corefile_reload *reload, FILE *out)
{
	if (!reload->enabled)
		return;
	fputs(DIRECTIVE "reload", out);
	print_duration(reload->interval_ns, out);
	print_duration(reload->jitter_ns, out);
	fputc('\n', out);
}

static void print_server(const struct corefile_block *b, FILE *out)
{
	if (b->binds_len) {
		fputs(DIRECTIVE "bind", out);
		for (size_t i = 0; i < b->binds_len; i++) {
			fputc(' ', out);
			print_ip(&b->binds[i], out);
		}
		fputc('\n', out);
	}
	print_timeouts(&b->timeouts, out);
	print_reload(&b->reload, out);
	if (b->bufsize)
		fprintf(out, DIRECTIVE "bufsize %u\n", b->bufsize);
	print_flag(DIRECTIVE, "debug", b->debug, out);
	print_health(b, out);
	print_listen("ready", &b->ready, out);
	print_listen("prometheus", &b->prometheus, out);
	print_errors(&b->errors, out);
	for (size_t i = 0; i < b->logs_len; i++)
		print_log(&b->logs[i], out);
}

/* In the order of execution, as CoreDNS' documentation lists the plugins. */
void corefile__print_block(const struct corefile_block *b, FILE *out)
{
	for (size_t i = 0; i < b->zones_len; i++)
		fprintf(out, "%s:%u ", b->zones[i].text, b->port);
	fputs("{\n", out);
	print_server(b, out);
	print_dns64(&b->dns64, out);
	for (size_t i = 0; i < b->acls_len; i++)
		print_acl(&b->acls[i], out);
	print_flag(DIRECTIVE, "any", b->any, out);
	print_loadbalance(b, out);
	print_cache(&b->cache, out);
	if (!b->nxdomain_cut)
		fputs(DIRECTIVE "nxdomain_cut off\n", out);
	for (size_t i = 0; i < b->rewrites_len; i++)
		print_rewrite(&b->rewrites[i], out);
	for (size_t i = 0; i < b->templates_len; i++)
		print_template(&b->templates[i], out);
	if (b->has_hosts)
		print_hosts(&b->hosts, out);
	print_flag(DIRECTIVE, "loop", b->loop, out);
	for (size_t i = 0; i < b->forwards_len; i++)
		print_forward(&b->forwards[i], out);
	print_flag(DIRECTIVE, "whoami", b->whoami, out);
	fputs("}\n", out);
}

void corefile__print(const struct corefile *cf, FILE *out)
{
	for (size_t i = 0; i < cf->blocks_len; i++) {
		if (i)
			fputc('\n', out);
		corefile__print_block(&cf->blocks[i], out);
	}
}
