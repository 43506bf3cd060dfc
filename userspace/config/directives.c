// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The tables of directives and their options, and the loop that reads statements by them.
 * Contract: one row per directive or option feeds the parser and the "allowed" part of its
 * messages; rows in alphabetical order.
 */
#include "corefile_priv.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

enum {
	ONCE = 1 << 0,	      /* a second one is an error */
	UNSUPPORTED = 1 << 1, /* node-cache has it; refused by name, or ignored where asked for */
	FLAT = 1 << 2,	      /* its block may be written instead of its arguments */
	REFUSED = 1 << 3,     /* CoreDNS has it, and it would not do to ignore it: usage says why */
};

enum kind {
	KIND_CALL,     /* set() */
	KIND_FLAG,     /* bool at offset */
	KIND_U32,      /* uint32_t at offset */
	KIND_DURATION, /* uint64_t nanoseconds at offset */
	KIND_NOTHING,  /* accepted: there is nothing to it here */
};

enum base {
	BASE_BLOCK,   /* offsets count from the block */
	BASE_FORWARD, /* from the forward just read */
};

struct table;

struct row {
	const char *name;
	const char *usage;
	unsigned int flags;
	size_t args_min, args_max;
	enum kind kind;
	size_t offset;
	int (*set)(struct corefile_parse *p, const struct corefile_statement *stmt);
	const struct table *options;
	/* What only the statement with all its options can get wrong. May be NULL. */
	int (*end)(struct corefile_parse *p, const struct corefile_statement *stmt);
};

struct table {
	const char *what; /* "directive" or "option" */
	enum base base;
	const struct row *rows;
	size_t len;
	/* What no row is named like; 1: it is not known either. May be NULL. */
	int (*other)(struct corefile_parse *p, const struct corefile_statement *stmt);
	const char *other_name;
};

#define BLOCK(field)   offsetof(struct corefile_block, field)
#define FORWARD(field) offsetof(struct corefile_forward, field)
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
	{ "denial", "denial CAPACITY [TTL] [MINTTL]", ONCE, 1, 3, .set = corefile_set_denial },
	{ "disable", "disable success|denial [ZONE...]", 0, 1, MANY, .set = corefile_set_disable },
	{ "keepttl", "keepttl", ONCE, 0, 0, .kind = KIND_FLAG, .offset = BLOCK(cache.keepttl) },
	{ "prefetch", "prefetch AMOUNT [DURATION [PERCENTAGE%]]", ONCE, 1, 3,
	  .set = corefile_set_prefetch },
	{ "serve_stale",
	  "serve_stale [DURATION] [immediate [TTL [RECHECK]] | verify [TIMEOUT [TTL [RECHECK]]]]",
	  ONCE, 0, 5, .set = corefile_set_serve_stale },
	{ "serve_stale_policy", "serve_stale_policy prefer_positive", ONCE, 1, 1,
	  .set = corefile_set_serve_stale_policy },
	{ "servfail", "servfail DURATION", ONCE, 1, 1, .set = corefile_set_servfail },
	{ "success", "success CAPACITY [TTL] [MINTTL]", ONCE, 1, 3, .set = corefile_set_success },
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

static const struct row errors_options_rows[] = {
	{ "consolidate", "consolidate DURATION REGEX [LEVEL] [show_first]", 0, 2, 4,
	  .set = corefile_set_consolidate },
	{ "stacktrace", "stacktrace", ONCE, 0, 0, .kind = KIND_NOTHING },
};
TABLE(errors_options, BASE_BLOCK, "option");

static const struct row forward_options_rows[] = {
	{ "doh_method", "doh_method GET|POST", ONCE, 1, 1, .set = corefile_set_doh_method },
	{ "except", "except ZONE...", 0, 1, MANY, .set = corefile_set_except },
	{ "expire", "expire DURATION", ONCE, 1, 1, .kind = KIND_DURATION,
	  .offset = FORWARD(expire_ns) },
	{ "failfast_all_unhealthy_upstreams", "failfast_all_unhealthy_upstreams", ONCE, 0, 0,
	  .kind = KIND_FLAG, .offset = FORWARD(failfast) },
	{ "failover", "failover RCODE...", 0, 1, MANY, .set = corefile_set_failover },
	{ "force_tcp", "force_tcp", ONCE, 0, 0, .kind = KIND_FLAG, .offset = FORWARD(force_tcp) },
	{ "health_check", "health_check DURATION [no_rec] [domain NAME]", ONCE, 1, 4,
	  .set = corefile_set_health_check },
	{ "max_age", "max_age DURATION", ONCE, 1, 1, .kind = KIND_DURATION,
	  .offset = FORWARD(max_age_ns) },
	{ "max_concurrent", "max_concurrent N", ONCE, 1, 1, .kind = KIND_U32,
	  .offset = FORWARD(max_concurrent) },
	{ "max_connect_attempts", "max_connect_attempts N", ONCE, 1, 1, .kind = KIND_U32,
	  .offset = FORWARD(max_connect_attempts) },
	{ "max_fails", "max_fails N", ONCE, 1, 1, .kind = KIND_U32, .offset = FORWARD(max_fails) },
	{ "max_idle_conns", "max_idle_conns N", ONCE, 1, 1, .kind = KIND_U32,
	  .offset = FORWARD(max_idle_conns) },
	{ "next", "next RCODE...", ONCE, 1, MANY, .set = corefile_set_next },
	{ "next_on_nodata", "next_on_nodata", ONCE, 0, 0, .kind = KIND_FLAG,
	  .offset = FORWARD(next_on_nodata) },
	{ "policy", "policy random|round_robin|sequential", ONCE, 1, 1,
	  .set = corefile_set_policy },
	{ "prefer_udp", "prefer_udp", ONCE, 0, 0, .kind = KIND_FLAG,
	  .offset = FORWARD(prefer_udp) },
	{ "read_timeout", "read_timeout DURATION", ONCE, 1, 1, .set = corefile_set_read_timeout },
	{ "resolver", "resolver IP[:PORT]...", ONCE, 1, MANY, .set = corefile_set_resolver },
	{ "source_address", "source_address IP", ONCE, 1, 1, .set = corefile_set_source_address },
	{ "tls", "tls [CERT KEY] [CA]", ONCE, 0, 3, .set = corefile_set_tls },
	{ "tls_servername", "tls_servername NAME", ONCE, 1, 1, .set = corefile_set_tls_servername },
};
TABLE(forward_options, BASE_FORWARD, "option");

static const struct row health_options_rows[] = {
	{ "lameduck", "lameduck DURATION", ONCE, 1, 1, .kind = KIND_DURATION,
	  .offset = BLOCK(health_lameduck_ns) },
};
TABLE(health_options, BASE_BLOCK, "option");

static const struct row hosts_options_rows[] = {
	{ "fallthrough", "fallthrough [ZONE...]", ONCE, 0, MANY,
	  .set = corefile_set_hosts_fallthrough },
	{ "fallthrough_unsupported", "fallthrough_unsupported", ONCE, 0, 0, .kind = KIND_FLAG,
	  .offset = BLOCK(hosts.fallthrough_unsupported) },
	{ "no_reverse", "no_reverse", ONCE, 0, 0, .kind = KIND_FLAG,
	  .offset = BLOCK(hosts.no_reverse) },
	{ "reload", "reload DURATION", ONCE, 1, 1, .kind = KIND_DURATION,
	  .offset = BLOCK(hosts.reload_ns) },
	{ "ttl", "ttl SECONDS", ONCE, 1, 1, .set = corefile_set_hosts_ttl },
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

#define EXPR_REFUSED "its language of expressions is not known here; write match and answer"

static const struct row prometheus_options_rows[] = {
	{ "runtime_metrics", "runtime_metrics", ONCE, 0, 0, .set = corefile_set_runtime_metrics },
	{ "tls", "metrics are served in the clear; take it out, or put a proxy before them",
	  REFUSED, 0, MANY, .kind = KIND_NOTHING },
};
TABLE(prometheus_options, BASE_BLOCK, "option");

static const struct row template_options_rows[] = {
	{ "additional", "additional \"RR\"...", 0, 1, MANY, .set = corefile_set_additional },
	{ "answer", "answer \"RR\"...", 0, 1, MANY, .set = corefile_set_answer },
	{ "authority", "authority \"RR\"...", 0, 1, MANY, .set = corefile_set_authority },
	{ "ederror", "ederror CODE [TEXT]", ONCE, 1, 2, .set = corefile_set_ederror },
	{ "expr", EXPR_REFUSED, REFUSED, 0, MANY, .kind = KIND_NOTHING },
	{ "fallthrough", "fallthrough [ZONE...]", ONCE, 0, MANY,
	  .set = corefile_set_template_fallthrough },
	{ "match", "match REGEX...", 0, 1, MANY, .set = corefile_set_match },
	{ "rcode", "rcode RCODE", ONCE, 1, 1, .set = corefile_set_rcode },
	{ "upstream", "upstream", 0, 0, MANY, .kind = KIND_NOTHING }, /* CoreDNS passes it over */
	{ "var", EXPR_REFUSED, REFUSED, 0, MANY, .kind = KIND_NOTHING },
};
TABLE(template_options, BASE_BLOCK, "option");

static const struct row timeouts_options_rows[] = {
	{ "idle", "idle DURATION", ONCE, 1, 1, .set = corefile_set_idle },
	{ "maxtcpqueries", "maxtcpqueries N", ONCE, 1, 1, .set = corefile_set_maxtcpqueries },
	{ "read", "read DURATION", ONCE, 1, 1, .set = corefile_set_read },
	{ "write", "write DURATION", ONCE, 1, 1, .set = corefile_set_write },
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
	{ "dnstap", "", UNSUPPORTED, 0, MANY, .kind = KIND_NOTHING },
	{ "errors", "errors [stdout]", ONCE, 0, 1, .set = corefile_set_errors,
	  .options = &errors_options },
	{ "forward", "forward FROM TO...", 0, 2, MANY, .set = corefile_set_forward,
	  .options = &forward_options, .end = corefile_end_forward },
	{ "health", "health [[IP]:PORT]", ONCE, 0, 1, .set = corefile_set_health,
	  .options = &health_options },
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
	{ "prometheus", "prometheus [[IP]:PORT]", ONCE, 0, 1, .set = corefile_set_prometheus,
	  .options = &prometheus_options },
	{ "ready", "ready [[IP]:PORT]", ONCE, 0, 1, .set = corefile_set_ready },
	{ "reload", "reload [INTERVAL [JITTER]]", ONCE, 0, 2, .set = corefile_set_reload },
	{ "rewrite", COREFILE_REWRITE_FORMS, FLAT, 1, MANY, .set = corefile_set_rewrite },
	{ "template", "template CLASS TYPE [ZONE...]", 0, 2, MANY, .set = corefile_set_template,
	  .options = &template_options },
	{ "timeouts", "timeouts", ONCE, 0, 0, .kind = KIND_NOTHING, .options = &timeouts_options,
	  .end = corefile_end_timeouts },
	{ "trace", "", UNSUPPORTED, 0, MANY, .kind = KIND_NOTHING },
	{ "whoami", "whoami", ONCE, 0, 0, .kind = KIND_FLAG, .offset = BLOCK(whoami) },
};
TABLE(directives, BASE_BLOCK, "directive");

static const char *allowed(const struct table *table, char *out, size_t size)
{
	size_t n = 0;

	snprintf(out, size, "nothing");
	for (size_t i = 0; i < table->len && n < size; i++) {
		if (!(table->rows[i].flags & (UNSUPPORTED | REFUSED)))
			n += (size_t)snprintf(out + n, size - n, "%s%s", n ? ", " : "",
					      table->rows[i].name);
	}
	if (table->other_name && n < size)
		snprintf(out + n, size - n, ", %s", table->other_name);
	return out;
}

static int find_row(struct corefile_parse *p, const struct table *table,
		    const struct corefile_token *name, const struct row **out)
{
	char list[400];

	for (size_t i = 0; i < table->len; i++) {
		const struct row *row = &table->rows[i];

		if (strcmp(row->name, name->text) != 0)
			continue;
		*out = row;
		return 0;
	}
	return corefile_fail(p, name, "unknown %s; allowed: %s", table->what,
			     allowed(table, list, sizeof(list)));
}

static int apply(struct corefile_parse *p, const struct row *row, enum base base,
		 const struct corefile_statement *stmt)
{
	char *to = base == BASE_FORWARD ? (char *)p->forward : (char *)p->block;

	switch (row->kind) {
	case KIND_FLAG:
		*(bool *)(to + row->offset) = true;
		return 0;
	case KIND_U32:
		return corefile_value_u32(p, &stmt->args[0], 0, UINT32_MAX, "number",
					  (uint32_t *)(to + row->offset));
	case KIND_DURATION:
		return corefile_value_duration(p, &stmt->args[0], (uint64_t *)(to + row->offset));
	case KIND_NOTHING:
		return 0;
	case KIND_CALL:
		break;
	}
	return row->set(p, stmt);
}

/* The tokens from p->at on as one line: name, arguments, '{' or not; p->at moves past it. */
static int next_statement(struct corefile_parse *p, struct corefile_statement *stmt)
{
	const struct corefile_token *first = &p->tokens.list[p->at],
				    *end = p->tokens.list + p->tokens.len;
	const struct corefile_token *last = first, *t;
	size_t len;

	for (t = first + 1; t < end && !t->starts_line && !corefile_is_open(t); last = t++) {
		if (corefile_is_close(t))
			return corefile_fail(
				p, t, "'}' follows other words; write it on a line of its own");
	}
	for (const struct corefile_token *arg = first + 1; arg <= last; arg++) {
		if (!*arg->text)
			return corefile_fail(p, arg,
					     "an argument is empty; write a value, or set the "
					     "variable that it comes from");
	}
	len = strlen(last->text);
	if (!last->literal && len > 1 && last->text[len - 1] == '{' && last->text[len - 2] != '{')
		return corefile_fail(p, last, "'%s' ends in '{'; put a blank before the '{'",
				     corefile_show(p, last->text));
	*stmt = (struct corefile_statement){
		.name = first,
		.args = first + 1,
		.args_len = (size_t)(last - first),
		.has_block = t < end && !t->starts_line && corefile_is_open(t),
	};
	if (t < end && t->starts_line && corefile_is_open(t))
		return corefile_fail(p, t,
				     "'{' starts a line; write it at the end of the line before");
	p->at = (size_t)(t - p->tokens.list) + stmt->has_block;
	return 0;
}

static int read_statements(struct corefile_parse *p, const struct table *table,
			   const struct corefile_token *opener, bool braced);

/* Its block goes with it, whatever it holds. */
static int skip_unsupported(struct corefile_parse *p, const struct corefile_token *name,
			    const struct corefile_statement *stmt)
{
	unsigned int depth = stmt->has_block;

	if (!p->options->ignore_unsupported)
		return corefile_fail(p, name,
				     "not supported by nodens; take it out, or start nodens with "
				     "-ignore-unsupported");
	for (; depth && p->at < p->tokens.len; p->at++) {
		depth += corefile_is_open(&p->tokens.list[p->at]);
		depth -= corefile_is_close(&p->tokens.list[p->at]);
	}
	if (depth)
		return corefile_fail(p, name, "its '{' has no '}' before the end");
	return corefile_warn(p, name, "not supported by nodens: ignored");
}

/* What the block holds becomes further arguments: lines mean nothing in it. */
static int flatten(struct corefile_parse *p, struct corefile_statement *stmt)
{
	size_t end = p->at, n = stmt->args_len;
	struct corefile_token *args;

	while (end < p->tokens.len && !corefile_is_close(&p->tokens.list[end]) &&
	       !corefile_is_open(&p->tokens.list[end]))
		end++;
	if (end == p->tokens.len || corefile_is_open(&p->tokens.list[end]))
		return corefile_fail(p, stmt->name, "its '{' has no '}' before the %s",
				     end == p->tokens.len ? "end" : "next '{'");
	args = corefile_mem_alloc(p->scratch, (n + end - p->at + 1) * sizeof(*args));
	if (!args)
		return corefile_nomem(p);
	memcpy(args, stmt->args, n * sizeof(*args));
	memcpy(args + n, &p->tokens.list[p->at], (end - p->at) * sizeof(*args));
	stmt->args = args;
	stmt->args_len = n + end - p->at;
	stmt->has_block = false;
	p->at = end + 1;
	return 0;
}

/* The statement at p->at, which @row is of. */
static int read_known(struct corefile_parse *p, const struct table *table, const struct row *row,
		      const struct corefile_token *name, const struct corefile_token **seen)
{
	struct corefile_statement stmt;
	int err;

	if (row->flags & REFUSED)
		return corefile_fail(p, name, "not supported by nodens: %s", row->usage);
	err = next_statement(p, &stmt);
	if (err)
		return err;
	if (row->flags & UNSUPPORTED)
		return skip_unsupported(p, name, &stmt);
	if ((row->flags & FLAT) && stmt.has_block)
		err = flatten(p, &stmt);
	if (err)
		return err;
	if ((row->flags & ONCE) && seen[row - table->rows])
		return corefile_fail(p, name, "already given at line %u; write it once",
				     seen[row - table->rows]->line);
	seen[row - table->rows] = name;
	if (stmt.args_len < row->args_min || stmt.args_len > row->args_max)
		return corefile_fail(p, name, "%zu argument%s given; write %s", stmt.args_len,
				     stmt.args_len == 1 ? " is" : "s are", row->usage);
	if (stmt.has_block && !row->options)
		return corefile_fail(p, name, "it takes no block; write %s", row->usage);
	err = apply(p, row, table->base, &stmt);
	if (!err && stmt.has_block)
		err = read_statements(p, row->options, name, true);
	if (!err && row->end)
		err = row->end(p, &stmt);
	return err;
}

static int read_statement(struct corefile_parse *p, const struct table *table,
			  const struct corefile_token **seen)
{
	const struct corefile_token *name = &p->tokens.list[p->at], *outer = p->known;
	const char **context = table == &directives ? &p->directive : &p->option;
	struct corefile_statement stmt;
	const struct row *row = NULL;
	int err;

	if (corefile_is_open(name))
		return corefile_fail(p, name,
				     "'{' has nothing before it; write it after a directive");
	/* Of another file: not before it is known what it is. */
	if (name->file == p->file)
		*context = name->text;
	if (table->other) {
		size_t at = p->at;

		err = next_statement(p, &stmt);
		if (!err)
			err = table->other(p, &stmt);
		if (err <= 0)
			return err;
		p->at = at;
	}
	err = find_row(p, table, name, &row);
	if (err)
		return err;
	*context = name->text;
	p->known = name;
	err = read_known(p, table, row, name, seen);
	p->known = outer;
	return err;
}

static int read_statements(struct corefile_parse *p, const struct table *table,
			   const struct corefile_token *opener, bool braced)
{
	const struct corefile_token *seen[ARRAY_SIZE(directives_rows)] = { NULL };
	const char *directive = p->directive;
	const struct corefile_token *t;
	int err;

	_Static_assert(ARRAY_SIZE(forward_options_rows) <= ARRAY_SIZE(directives_rows),
		       "seen[] holds the longest table");
	_Static_assert(ARRAY_SIZE(cache_options_rows) <= ARRAY_SIZE(directives_rows),
		       "seen[] holds the longest table");

	while (p->at < p->tokens.len) {
		t = &p->tokens.list[p->at];
		if (corefile_is_close(t)) {
			if (!braced)
				return corefile_fail(p, t,
						     "'}' closes nothing; take it out or write the "
						     "'{' that it closes");
			p->at++;
			if (table != &directives && p->at < p->tokens.len && !t[1].starts_line &&
			    !corefile_is_close(&t[1]))
				return corefile_fail(
					p, &t[1], "'%s' follows '}'; write it on a line of its own",
					corefile_show(p, t[1].text));
			return 0;
		}
		err = read_statement(p, table, seen);
		if (err)
			return err;
		p->directive = directive;
		p->option = NULL;
	}
	if (braced)
		return corefile_fail(p, opener,
				     "its '{' has no '}' before the end; close it with '}' on a "
				     "line of its own");
	return 0;
}

const char *corefile__directive(size_t index)
{
	for (size_t i = 0; i < directives.len; i++) {
		if (!(directives.rows[i].flags & UNSUPPORTED) && !index--)
			return directives.rows[i].name;
	}
	return NULL;
}

bool corefile_is_directive(const char *name)
{
	for (size_t i = 0; i < directives.len; i++) {
		if (strcmp(directives.rows[i].name, name) == 0)
			return true;
	}
	return false;
}

static void print_forms(const struct table *table, const char *indent, FILE *out)
{
	for (const struct row *row = table->rows; row < table->rows + table->len; row++) {
		if (row->flags & (UNSUPPORTED | REFUSED))
			continue;
		fprintf(out, "%s%s\n", indent, row->usage);
		if (row->options)
			print_forms(row->options, "    ", out);
	}
	if (table->other_name)
		fprintf(out, "%s%s\n", indent, table->other_name);
}

void corefile__print_forms(FILE *out)
{
	print_forms(&directives, "", out);
}

int corefile_directives(struct corefile_parse *p, bool braced, const struct corefile_token *key)
{
	return read_statements(p, &directives, key, braced);
}
