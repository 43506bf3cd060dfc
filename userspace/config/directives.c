// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The tables of directives and their options.
 * Contract: table_priv.h; rows in alphabetical order.
 */
#include "print_priv.h"
#include "table_priv.h"

#include <string.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define BLOCK(field)	offsetof(struct corefile_block, field)
#define FORWARD(field)	offsetof(struct corefile_forward, field)
#define TEMPLATE(field) offsetof(struct corefile_template, field)
#define TABLE(name, base_, what_)                                                                 \
	static const struct table name = {                                                        \
		.what = what_, .base = base_, .rows = name##_rows, .len = ARRAY_SIZE(name##_rows) \
	}
#define MANY SIZE_MAX

#define ACL_POLICY " [type QTYPE...] [net SOURCE...]"
#define ACL_ROW(name)                                                             \
	{                                                                         \
		name, name ACL_POLICY, 0, 0, MANY, .set = corefile_set_acl_policy \
	}

static const struct row acl_options_rows[] = {
	ACL_ROW("allow"),
	ACL_ROW("block"),
	ACL_ROW("drop"),
	ACL_ROW("filter"),
};
static const struct table acl_options = {
	.what = "option",
	.base = BASE_BLOCK,
	.rows = acl_options_rows,
	.len = ARRAY_SIZE(acl_options_rows),
	.other = corefile_set_acl_policy, /* in whichever case */
};

static const struct row bind_options_rows[] = {
	{ "except", "except IP|INTERFACE...", 0, 1, MANY, .set = corefile_set_bind_except },
};
TABLE(bind_options, BASE_BLOCK, "option");

static const struct row cache_options_rows[] = {
	{ "denial", "denial CAPACITY [TTL] [MINTTL]", ONCE, 1, 3, .set = corefile_set_denial,
	  .offset = BLOCK(cache.denial), .print = print_side },
	{ "disable", "disable success|denial [ZONE...]", 0, 1, MANY, .set = corefile_set_disable,
	  .offset = BLOCK(cache), .print = print_disable },
	{ "keepttl", "keepttl", ONCE, 0, 0, .kind = KIND_FLAG, .offset = BLOCK(cache.keepttl) },
	{ "prefetch", "prefetch AMOUNT [DURATION [PERCENTAGE%]]", ONCE, 1, 3,
	  .set = corefile_set_prefetch, .offset = BLOCK(cache.prefetch), .print = print_prefetch },
	{ "serve_stale",
	  "serve_stale [DURATION] [immediate [TTL [RECHECK]] | verify [TIMEOUT [TTL [RECHECK]]]]",
	  ONCE, 0, 5, .set = corefile_set_serve_stale, .offset = BLOCK(cache),
	  .print = print_serve_stale },
	{ "serve_stale_policy", "serve_stale_policy prefer_positive", ONCE, 1, 1,
	  .set = corefile_set_serve_stale_policy, .offset = BLOCK(cache.prefer_positive),
	  .print = print_serve_stale_policy },
	{ "servfail", "servfail DURATION", ONCE, 1, 1, .set = corefile_set_servfail,
	  .offset = BLOCK(cache.servfail_s), .print = print_servfail },
	{ "success", "success CAPACITY [TTL] [MINTTL]", ONCE, 1, 3, .set = corefile_set_success,
	  .offset = BLOCK(cache.success), .print = print_side },
};
TABLE(cache_options, BASE_BLOCK, "option");

static const struct row dns64_options_rows[] = {
	{ "allow_ipv4", "allow_ipv4", ONCE, 0, 0, .kind = KIND_FLAG,
	  .offset = BLOCK(dns64.allow_ipv4) },
	{ "prefix", "prefix IPV6/LENGTH", ONCE, 1, 1, .set = corefile_set_dns64_prefix },
	{ "translate_all", "translate_all", ONCE, 0, 0, .kind = KIND_FLAG,
	  .offset = BLOCK(dns64.translate_all) },
};
TABLE(dns64_options, BASE_BLOCK, "option");

static const struct row dnstap_options_rows[] = {
	{ "extra", "extra TEXT", ONCE, 1, 1, .set = corefile_set_dnstap_extra },
	{ "identity", "identity TEXT", ONCE, 1, 1, .set = corefile_set_dnstap_identity },
	/* for tls://, which is refused */
	{ "skipverify", "skipverify", ONCE, 0, 0, .kind = KIND_NOTHING },
	{ "tls", "take it out; it is for `dnstap listen`, and nodens opens no port for readers",
	  REFUSED, 0, MANY, .kind = KIND_NOTHING },
	{ "version", "version TEXT", ONCE, 1, 1, .set = corefile_set_dnstap_version },
};
TABLE(dnstap_options, BASE_BLOCK, "option");

static const struct row errors_options_rows[] = {
	{ "consolidate", "consolidate DURATION REGEX [LEVEL] [show_first]", 0, 2, 4,
	  .set = corefile_set_consolidate, .offset = BLOCK(errors), .print = print_consolidate },
	{ "stacktrace", "stacktrace", ONCE, 0, 0, .kind = KIND_NOTHING },
};
TABLE(errors_options, BASE_BLOCK, "option");

static const struct row forward_options_rows[] = {
	{ "doh_method", "doh_method GET|POST", ONCE, 1, 1, .set = corefile_set_doh_method },
	{ "except", "except ZONE...", 0, 1, MANY, .set = corefile_set_except,
	  .print = print_except },
	{ "expire", "expire DURATION", ONCE, 1, 1, .kind = KIND_DURATION,
	  .offset = FORWARD(expire_ns) },
	{ "failfast_all_unhealthy_upstreams", "failfast_all_unhealthy_upstreams", ONCE, 0, 0,
	  .kind = KIND_FLAG, .offset = FORWARD(failfast) },
	{ "failover", "failover RCODE...", 0, 1, MANY, .kind = KIND_RCODES,
	  .offset = FORWARD(failover_rcodes), .end = corefile_end_failover },
	{ "force_tcp", "force_tcp", ONCE, 0, 0, .kind = KIND_FLAG, .offset = FORWARD(force_tcp) },
	{ "health_check", "health_check DURATION [no_rec] [domain NAME]", ONCE, 1, 4,
	  .set = corefile_set_health_check, .print = print_health_check },
	{ "max_age", "max_age DURATION", ONCE | OMIT, 1, 1, .kind = KIND_DURATION,
	  .offset = FORWARD(max_age_ns) },
	{ "max_concurrent", "max_concurrent N", ONCE, 1, 1, .kind = KIND_U32,
	  .offset = FORWARD(max_concurrent) },
	{ "max_connect_attempts", "max_connect_attempts N", ONCE, 1, 1, .kind = KIND_U32,
	  .offset = FORWARD(max_connect_attempts) },
	{ "max_fails", "max_fails N", ONCE, 1, 1, .kind = KIND_U32, .offset = FORWARD(max_fails) },
	{ "max_idle_conns", "max_idle_conns N", ONCE, 1, 1, .kind = KIND_U32,
	  .offset = FORWARD(max_idle_conns) },
	{ "next", "next RCODE...", ONCE, 1, MANY, .kind = KIND_RCODES,
	  .offset = FORWARD(next_rcodes) },
	{ "next_on_nodata", "next_on_nodata", ONCE, 0, 0, .kind = KIND_FLAG,
	  .offset = FORWARD(next_on_nodata) },
	{ "policy", "policy random|round_robin|sequential", ONCE, 1, 1, .kind = KIND_CHOICE,
	  .offset = FORWARD(policy), .choices = corefile_policies },
	{ "prefer_udp", "prefer_udp", ONCE, 0, 0, .kind = KIND_FLAG,
	  .offset = FORWARD(prefer_udp) },
	{ "read_timeout", "read_timeout DURATION", ONCE, 1, 1, .kind = KIND_DURATION,
	  .offset = FORWARD(read_timeout_ns), .end = corefile_end_read_timeout },
	{ "resolver", "resolver IP[:PORT]...", ONCE, 1, MANY, .set = corefile_set_resolver },
	{ "source_address", "source_address IP", ONCE, 1, 1, .set = corefile_set_source_address,
	  .offset = FORWARD(source), .print = print_source_address },
	{ "tls", "tls [CERT KEY] [CA]", ONCE, 0, 3, .set = corefile_set_tls, .offset = FORWARD(tls),
	  .print = print_tls },
	{ "tls_servername", "tls_servername NAME", ONCE, 1, 1, .set = corefile_set_tls_servername,
	  .offset = FORWARD(tls), .print = print_tls_servername },
};
TABLE(forward_options, BASE_FORWARD, "option");

static const struct row health_options_rows[] = {
	{ "lameduck", "lameduck DURATION", ONCE, 1, 1, .kind = KIND_DURATION,
	  .offset = BLOCK(health_lameduck_ns) },
};
TABLE(health_options, BASE_BLOCK, "option");

static const struct row hosts_options_rows[] = {
	{ "fallthrough", "fallthrough [ZONE...]", ONCE, 0, MANY, .kind = KIND_FALLTHROUGH,
	  .offset = BLOCK(hosts.fallthrough) },
	{ "fallthrough_unsupported", "fallthrough_unsupported", ONCE, 0, 0, .kind = KIND_FLAG,
	  .offset = BLOCK(hosts.fallthrough_unsupported) },
	{ "no_reverse", "no_reverse", ONCE, 0, 0, .kind = KIND_FLAG,
	  .offset = BLOCK(hosts.no_reverse) },
	{ "reload", "reload DURATION", ONCE, 1, 1, .kind = KIND_DURATION,
	  .offset = BLOCK(hosts.reload_ns) },
	{ "ttl", "ttl SECONDS", ONCE, 1, 1, .kind = KIND_U32, .offset = BLOCK(hosts.ttl_s),
	  .min = 1, .max = 65535, .what = "TTL in seconds" },
};
static const struct table hosts_options = {
	.what = "option",
	.base = BASE_BLOCK,
	.rows = hosts_options_rows,
	.len = ARRAY_SIZE(hosts_options_rows),
	.other = corefile_set_hosts_entry,
	.other_name = "IP NAME...",
};

static const struct row loadbalance_options_rows[] = {
	{ "prefer", "prefer CIDR...", 0, 0, MANY, .set = corefile_set_prefer },
};
TABLE(loadbalance_options, BASE_BLOCK, "option");

static const struct row log_options_rows[] = {
	{ "class", "class success|denial|error|all...", 0, 1, MANY, .set = corefile_set_log_class },
};
TABLE(log_options, BASE_BLOCK, "option");

static const struct row probe_options_rows[] = {
	{ "expect", "expect RCODE|IP", ONCE, 1, 1, .set = corefile_set_expect,
	  .offset = BLOCK(probe), .print = print_expect },
	{ "interval", "interval DURATION", ONCE, 1, 1, .kind = KIND_DURATION,
	  .offset = BLOCK(probe.interval_ns) },
	{ "timeout", "timeout DURATION", ONCE, 1, 1, .kind = KIND_DURATION,
	  .offset = BLOCK(probe.timeout_ns) },
	{ "upstreams", "upstreams", ONCE, 0, 0, .kind = KIND_FLAG,
	  .offset = BLOCK(probe.upstreams) },
};
TABLE(probe_options, BASE_BLOCK, "option");

#define EXPR_REFUSED "its language of expressions is not known here; write match and answer"

static const struct row prometheus_options_rows[] = {
	{ "runtime_metrics", "runtime_metrics", ONCE, 0, 0, .set = corefile_set_runtime_metrics },
	{ "tls",
	  "take it out; the flags -tls-enabled, -tls-cert-file and -tls-private-key-file serve "
	  "/metrics over TLS",
	  REFUSED, 0, MANY, .kind = KIND_NOTHING },
};
TABLE(prometheus_options, BASE_BLOCK, "option");

static const struct row template_options_rows[] = {
	{ "additional", "additional \"RR\"...", 0, 1, MANY, .kind = KIND_RECORDS,
	  .offset = TEMPLATE(additional) },
	{ "answer", "answer \"RR\"...", 0, 1, MANY, .kind = KIND_RECORDS,
	  .offset = TEMPLATE(answer) },
	{ "authority", "authority \"RR\"...", 0, 1, MANY, .kind = KIND_RECORDS,
	  .offset = TEMPLATE(authority) },
	{ "ederror", "ederror CODE [TEXT]", ONCE, 1, 2, .set = corefile_set_ederror,
	  .print = print_ederror },
	{ "expr", EXPR_REFUSED, REFUSED, 0, MANY, .kind = KIND_NOTHING },
	{ "fallthrough", "fallthrough [ZONE...]", ONCE, 0, MANY, .kind = KIND_FALLTHROUGH,
	  .offset = TEMPLATE(fallthrough) },
	{ "match", "match REGEX...", 0, 1, MANY, .kind = KIND_REGEXES, .offset = TEMPLATE(match) },
	{ "rcode", "rcode RCODE", ONCE, 1, 1, .set = corefile_set_rcode,
	  .print = print_template_rcode },
	{ "upstream", "upstream", 0, 0, MANY, .kind = KIND_NOTHING }, /* CoreDNS passes it over */
	{ "var", EXPR_REFUSED, REFUSED, 0, MANY, .kind = KIND_NOTHING },
};
TABLE(template_options, BASE_TEMPLATE, "option");

static const struct row timeouts_options_rows[] = {
	{ "idle", "idle DURATION", ONCE, 1, 1, .kind = KIND_TIMEOUT,
	  .offset = BLOCK(timeouts.idle_ns) },
	{ "maxtcpqueries", "maxtcpqueries N", ONCE, 1, 1, .set = corefile_set_maxtcpqueries,
	  .offset = BLOCK(timeouts.max_queries), .print = print_maxtcpqueries },
	{ "read", "read DURATION", ONCE, 1, 1, .kind = KIND_TIMEOUT,
	  .offset = BLOCK(timeouts.read_ns) },
	{ "write", "write DURATION", ONCE, 1, 1, .kind = KIND_TIMEOUT,
	  .offset = BLOCK(timeouts.write_ns) },
};
TABLE(timeouts_options, BASE_BLOCK, "option");

static const struct row directives_rows[] = {
	{ "acl", "acl [ZONE...]", 0, 0, MANY, .set = corefile_set_acl, .options = &acl_options },
	{ "any", "any", ONCE, 0, 0, .kind = KIND_FLAG, .offset = BLOCK(any) },
	{ "bind", "bind IP|INTERFACE...", 0, 1, MANY, .set = corefile_set_bind,
	  .options = &bind_options, .end = corefile_end_bind },
	{ "bufsize", "bufsize [BYTES]", ONCE, 0, 1, .set = corefile_set_bufsize },
	{ "cache", "cache [TTL] [ZONE...]", ONCE, 0, MANY, .set = corefile_set_cache,
	  .options = &cache_options, .end = corefile_end_cache },
	{ "debug", "debug", ONCE, 0, 0, .kind = KIND_FLAG, .offset = BLOCK(debug) },
	{ "dns64", "dns64 [IPV6/LENGTH]", ONCE, 0, 1, .set = corefile_set_dns64,
	  .options = &dns64_options },
	{ "dnstap", "dnstap SOCKET [full [WRITEBUFFER [QUEUE]]]", 0, 1, MANY,
	  .set = corefile_set_dnstap, .options = &dnstap_options },
	{ "errors", "errors [stdout]", ONCE, 0, 1, .set = corefile_set_errors,
	  .options = &errors_options },
	{ "forward", "forward FROM TO...", 0, 2, MANY, .set = corefile_set_forward,
	  .options = &forward_options, .end = corefile_end_forward },
	{ "health", "health [[IP]:PORT]", ONCE, 0, 1, .kind = KIND_LISTEN, .offset = BLOCK(health),
	  .min = 8080, .options = &health_options },
	{ "hosts", "hosts [FILE [ZONE...]]", ONCE, 0, MANY, .set = corefile_set_hosts,
	  .options = &hosts_options, .end = corefile_end_hosts },
	{ "loadbalance", "loadbalance [round_robin]", ONCE, 0, MANY,
	  .set = corefile_set_loadbalance, .options = &loadbalance_options },
	{ "log", "log [NAME...] [FORMAT]", 0, 0, MANY, .set = corefile_set_log,
	  .options = &log_options },
	{ "loop", "loop", ONCE, 0, 0, .kind = KIND_FLAG, .offset = BLOCK(loop) },
	{ "metadata", "", UNSUPPORTED, 0, MANY, .kind = KIND_NOTHING },
	{ "nxdomain_cut", "nxdomain_cut [on|off]", ONCE, 0, 1, .set = corefile_set_nxdomain_cut },
	{ "pprof", "", UNSUPPORTED, 0, MANY, .kind = KIND_NOTHING },
	{ "probe", "probe NAME...|FILE", ONCE, 1, MANY, .set = corefile_set_probe,
	  .options = &probe_options, .end = corefile_end_probe },
	{ "prometheus", "prometheus [[IP]:PORT]", ONCE | LOCAL, 0, 1, .kind = KIND_LISTEN,
	  .offset = BLOCK(prometheus), .min = 9153, .options = &prometheus_options },
	{ "ready", "ready [[IP]:PORT]", ONCE, 0, 1, .kind = KIND_LISTEN, .offset = BLOCK(ready),
	  .min = 8181 },
	{ "reload", "reload [INTERVAL [JITTER]]", ONCE, 0, 2, .set = corefile_set_reload },
	{ "rewrite", COREFILE_REWRITE_FORMS, FLAT, 1, MANY, .set = corefile_set_rewrite },
	{ "template", "template CLASS TYPE [ZONE...]", 0, 2, MANY, .set = corefile_set_template,
	  .options = &template_options },
	{ "timeouts", "timeouts", ONCE, 0, 0, .kind = KIND_NOTHING, .options = &timeouts_options,
	  .end = corefile_end_timeouts },
	{ "trace", "", UNSUPPORTED, 0, MANY, .kind = KIND_NOTHING },
	{ "whoami", "whoami", ONCE, 0, 0, .kind = KIND_FLAG, .offset = BLOCK(whoami) },
};
const struct table corefile_directive_table = {
	.what = "directive",
	.base = BASE_BLOCK,
	.rows = directives_rows,
	.len = ARRAY_SIZE(directives_rows),
};

_Static_assert(ARRAY_SIZE(directives_rows) <= COREFILE_ROWS_MAX &&
		       ARRAY_SIZE(forward_options_rows) <= COREFILE_ROWS_MAX,
	       "COREFILE_ROWS_MAX holds the longest table");

const struct row *corefile_find_row(const struct table *table, const char *name)
{
	for (size_t i = 0; i < table->len; i++) {
		if (strcmp(table->rows[i].name, name) == 0)
			return &table->rows[i];
	}
	return NULL;
}

const char *corefile__directive(size_t index)
{
	for (size_t i = 0; i < corefile_directive_table.len; i++) {
		if (!(corefile_directive_table.rows[i].flags & UNSUPPORTED) && !index--)
			return corefile_directive_table.rows[i].name;
	}
	return NULL;
}
