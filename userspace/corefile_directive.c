// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The tables of directives and their options, and the loop that reads statements by them.
 * Contract: one row per directive or option feeds the parser and the "allowed" part of its
 * messages.
 */
#include "corefile_priv.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <string.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* A TTL has 31 bits (RFC 2181, 8), and a capacity above that is a slip. */
#define COUNT_MAX INT32_MAX
#define TTL_MAX	  INT32_MAX

enum {
	ONCE = 1 << 0,	/* a second one is an error */
	WARN = 1 << 1,	/* held and checked, with a warning that nothing comes of it yet */
	UNSUPPORTED = 1 << 3, /* node-cache has it; refused by name, or ignored where asked for */
	LATER = 1 << 2, /* CoreDNS has it; an error of its own until it is acted on */
};

enum kind {
	KIND_CALL,     /* set() */
	KIND_FLAG,     /* bool at offset */
	KIND_U32,      /* uint32_t at offset */
	KIND_DURATION, /* uint64_t nanoseconds at offset */
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

static int set_bind(struct corefile_parse *p, const struct corefile_statement *stmt);
static int set_cache(struct corefile_parse *p, const struct corefile_statement *stmt);
static int set_success(struct corefile_parse *p, const struct corefile_statement *stmt);
static int set_denial(struct corefile_parse *p, const struct corefile_statement *stmt);
static int set_health(struct corefile_parse *p, const struct corefile_statement *stmt);
static int set_prometheus(struct corefile_parse *p, const struct corefile_statement *stmt);
static int set_log(struct corefile_parse *p, const struct corefile_statement *stmt);
static int set_ready(struct corefile_parse *p, const struct corefile_statement *stmt);
static int set_nothing(struct corefile_parse *p, const struct corefile_statement *stmt);

#define BLOCK(field)   offsetof(struct corefile_block, field)
#define FORWARD(field) offsetof(struct corefile_forward, field)
#define TABLE(name, base_, what_)                                                                 \
	static const struct table name = {                                                        \
		.what = what_, .base = base_, .rows = name##_rows, .len = ARRAY_SIZE(name##_rows) \
	}
#define NOT_YET(name_)                        \
	{                                     \
		.name = name_, .flags = LATER \
	}

static const struct row bind_options_rows[] = {
	NOT_YET("except"),
};
TABLE(bind_options, BASE_BLOCK, "option");

static const struct row cache_options_rows[] = {
	{ "disable", "disable success|denial [ZONE...]", 0, 1, SIZE_MAX,
	  .set = corefile_set_disable },
	{ "keepttl", "keepttl", ONCE, 0, 0, .kind = KIND_FLAG, .offset = BLOCK(cache.keepttl) },
	{ "prefetch", "prefetch AMOUNT [DURATION [PERCENTAGE%]]", ONCE, 1, 3,
	  .set = corefile_set_prefetch },
	{ "serve_stale", "serve_stale [DURATION] [immediate|verify]", ONCE, 0, 2,
	  .set = corefile_set_serve_stale },
	{ "servfail", "servfail DURATION", ONCE, 1, 1, .set = corefile_set_servfail },
	{ "denial", "denial CAPACITY [TTL] [MINTTL]", ONCE, 1, 3, .set = set_denial },
	{ "success", "success CAPACITY [TTL] [MINTTL]", ONCE, 1, 3, .set = set_success },
};
TABLE(cache_options, BASE_BLOCK, "option");

static const struct row errors_options_rows[] = {
	NOT_YET("consolidate"),
	NOT_YET("stacktrace"),
};
TABLE(errors_options, BASE_BLOCK, "option");

static const struct row forward_options_rows[] = {
	{ "except", "except ZONE...", 0, 1, SIZE_MAX, .set = corefile_set_except },
	{ "expire", "expire DURATION", ONCE, 1, 1, .kind = KIND_DURATION,
	  .offset = FORWARD(expire_ns) },
	{ "force_tcp", "force_tcp", ONCE, 0, 0, .kind = KIND_FLAG, .offset = FORWARD(force_tcp) },
	{ "health_check", "health_check DURATION [no_rec] [domain NAME]", ONCE, 1, 4,
	  .set = corefile_set_health_check },
	{ "max_concurrent", "max_concurrent N", ONCE, 1, 1, .kind = KIND_U32,
	  .offset = FORWARD(max_concurrent) },
	{ "max_fails", "max_fails N", ONCE, 1, 1, .kind = KIND_U32, .offset = FORWARD(max_fails) },
	{ "policy", "policy random|round_robin|sequential", ONCE, 1, 1,
	  .set = corefile_set_policy },
	{ "prefer_udp", "prefer_udp", ONCE, 0, 0, .kind = KIND_FLAG,
	  .offset = FORWARD(prefer_udp) },
	{ "failfast_all_unhealthy_upstreams", "failfast_all_unhealthy_upstreams", ONCE, 0, 0,
	  .kind = KIND_FLAG, .offset = FORWARD(failfast) },
	{ "next", "next RCODE...", 0, 1, SIZE_MAX, .set = corefile_set_next },
	NOT_YET("max_connect_attempts"),
	NOT_YET("tls"),
	NOT_YET("tls_servername"),
};
TABLE(forward_options, BASE_FORWARD, "option");

static const struct row health_options_rows[] = {
	{ "lameduck", "lameduck DURATION", ONCE, 1, 1, .kind = KIND_DURATION,
	  .offset = BLOCK(health_lameduck_ns) },
};
TABLE(health_options, BASE_BLOCK, "option");

static const struct row log_options_rows[] = {
	NOT_YET("class"),
};
TABLE(log_options, BASE_BLOCK, "option");

static const struct row timeouts_options_rows[] = {
	{ "idle", "idle DURATION", ONCE, 1, 1, .kind = KIND_DURATION,
	  .offset = BLOCK(timeouts.idle_ns) },
	{ "read", "read DURATION", ONCE, 1, 1, .kind = KIND_DURATION,
	  .offset = BLOCK(timeouts.read_ns) },
	{ "write", "write DURATION", ONCE, 1, 1, .kind = KIND_DURATION,
	  .offset = BLOCK(timeouts.write_ns) },
};
TABLE(timeouts_options, BASE_BLOCK, "option");

static const struct row dns64_options_rows[] = {
	{ "allow_ipv4", "allow_ipv4", ONCE, 0, 0, .kind = KIND_FLAG,
	  .offset = BLOCK(dns64.allow_ipv4) },
	{ "prefix", "prefix IPV6/LENGTH", ONCE, 1, 1, .set = corefile_set_dns64_prefix },
	{ "translate_all", "translate_all", ONCE, 0, 0, .kind = KIND_FLAG,
	  .offset = BLOCK(dns64.translate_all) },
};
TABLE(dns64_options, BASE_BLOCK, "option");

static const struct row hosts_options_rows[] = {
	{ "fallthrough", "fallthrough [ZONE...]", ONCE, 0, SIZE_MAX,
	  .set = corefile_set_hosts_fallthrough },
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

static const struct row template_options_rows[] = {
	{ "additional", "additional RR", 0, 1, SIZE_MAX, .set = corefile_set_additional },
	{ "answer", "answer RR", 0, 1, SIZE_MAX, .set = corefile_set_answer },
	{ "authority", "authority RR", 0, 1, SIZE_MAX, .set = corefile_set_authority },
	{ "fallthrough", "fallthrough [ZONE...]", ONCE, 0, SIZE_MAX,
	  .set = corefile_set_template_fallthrough },
	{ "match", "match REGEX...", 0, 1, SIZE_MAX, .set = corefile_set_match },
	{ "rcode", "rcode RCODE", ONCE, 1, 1, .set = corefile_set_rcode },
	NOT_YET("ederror"),
};
TABLE(template_options, BASE_BLOCK, "option");

static const struct row directives_rows[] = {
	{ "bind", "bind IP...", 0, 1, SIZE_MAX, .set = set_bind, .options = &bind_options },
	{ "cache", "cache [TTL] [{ success ... denial ... }]", ONCE, 0, SIZE_MAX, .set = set_cache,
	  .options = &cache_options },
	{ "bufsize", "bufsize [BYTES]", ONCE, 0, 1, .set = corefile_set_bufsize },
	{ "debug", "debug", ONCE, 0, 0, .kind = KIND_FLAG, .offset = BLOCK(debug) },
	{ "dns64", "dns64 [PREFIX]", ONCE, 0, 1, .set = corefile_set_dns64,
	  .options = &dns64_options },
	{ "dnstap", "", UNSUPPORTED, 0, SIZE_MAX, .kind = 0 },
	{ "errors", "errors", ONCE, 0, 0, .kind = KIND_FLAG, .offset = BLOCK(errors.enabled),
	  .options = &errors_options },
	{ "forward", "forward FROM TO...", 0, 2, SIZE_MAX, .set = corefile_set_forward,
	  .options = &forward_options },
	{ "hosts", "hosts [FILE [ZONE...]]", ONCE, 0, SIZE_MAX, .set = corefile_set_hosts,
	  .options = &hosts_options },
	{ "health", "health [[IP]:PORT]", ONCE, 0, 1, .set = set_health,
	  .options = &health_options },
	{ "log", "log", ONCE | WARN, 0, 0, .set = set_log, .options = &log_options },
	{ "loadbalance", "loadbalance [round_robin]", ONCE, 0, 1, .set = corefile_set_loadbalance },
	{ "loop", "loop", ONCE, 0, 0, .kind = KIND_FLAG, .offset = BLOCK(loop) },
	{ "metadata", "", UNSUPPORTED, 0, SIZE_MAX, .kind = 0 },
	{ "nxdomain_cut", "nxdomain_cut [on|off]", ONCE, 0, 1, .set = corefile_set_nxdomain_cut },
	{ "pprof", "", UNSUPPORTED, 0, SIZE_MAX, .kind = 0 },
	{ "prometheus", "prometheus [[IP]:PORT]", ONCE, 0, 1, .set = set_prometheus },
	{ "ready", "ready [[IP]:PORT]", ONCE, 0, 1, .set = set_ready },
	{ "reload", "reload [INTERVAL [JITTER]]", ONCE, 0, 2, .set = corefile_set_reload },
	{ "rewrite", "rewrite [continue|stop] FIELD FROM TO", 0, 1, SIZE_MAX,
	  .set = corefile_set_rewrite },
	{ "template", "template CLASS TYPE [ZONE...]", 0, 2, SIZE_MAX,
	  .set = corefile_set_template, .options = &template_options },
	{ "timeouts", "timeouts { read ... write ... idle ... }", ONCE | WARN, 0, 0,
	  .set = set_nothing, .options = &timeouts_options },
	{ "trace", "", UNSUPPORTED, 0, SIZE_MAX, .kind = 0 },
	{ "whoami", "whoami", ONCE, 0, 0, .kind = KIND_FLAG, .offset = BLOCK(whoami) },
};
TABLE(directives, BASE_BLOCK, "directive");

static int set_bind(struct corefile_parse *p, const struct corefile_statement *stmt)
{
	struct corefile_block *b = p->block;

	for (size_t i = 0; i < stmt->args_len; i++) {
		const struct corefile_token *arg = &stmt->args[i];
		struct sockaddr_storage addr, *list;
		bool known = false;

		if (corefile_ip(arg->text, 0, &addr))
			return corefile_fail(p, arg,
					     "'%s' is not an IP address; interface names are not "
					     "supported yet, write "
					     "bind IP...",
					     corefile_show(p, arg->text));
		for (size_t j = 0; j < b->binds_len; j++)
			known |= memcmp(&b->binds[j], &addr, sizeof(addr)) == 0;
		if (known) /* as in CoreDNS, which is given the same address twice by templates */
			continue;
		if (b->binds_len == COREFILE_BIND_MAX)
			return corefile_fail(p, arg,
					     "more than %d addresses are given; write fewer",
					     COREFILE_BIND_MAX);
		list = corefile_mem_grow(p->cf->mem, b->binds, b->binds_len, &p->binds_cap,
					 sizeof(*list));
		if (!list)
			return corefile_nomem(p);
		list[b->binds_len++] = addr;
		b->binds = list;
	}
	return 0;
}

/* CoreDNS reads a first argument that is no number as a zone; but "30s" is no zone that anyone has.
 */
static bool is_meant_as_ttl(const char *text)
{
	return *text && strchr("+-0123456789", *text) && !strpbrk(text, "./");
}

static int set_cache(struct corefile_parse *p, const struct corefile_statement *stmt)
{
	struct corefile_cache *cache = &p->block->cache;
	const struct corefile_token *arg = &stmt->args[0];
	uint32_t ttl;
	size_t zones = 0; /* index of the first argument that must be a zone */
	int err;

	cache->enabled = true;
	if (stmt->args_len && is_meant_as_ttl(arg->text)) {
		err = corefile_value_u32(p, arg, 1, TTL_MAX, "TTL in seconds", &ttl);
		if (err)
			return err;
		cache->success.ttl_s = ttl;
		cache->denial.ttl_s = ttl;
		zones = 1;
	}
	if (stmt->args_len > zones)
		return corefile_set_cache_zones(p, stmt->args + zones, stmt->args_len - zones);
	return 0;
}

static int set_cache_side(struct corefile_parse *p, const struct corefile_statement *stmt,
			  struct corefile_cache_side *side)
{
	struct corefile_cache_side new = *side;
	int err = corefile_value_u32(p, &stmt->args[0], 0, COUNT_MAX, "capacity", &new.capacity);

	if (!err && stmt->args_len > 1)
		err = corefile_value_u32(p, &stmt->args[1], 1, TTL_MAX, "TTL in seconds",
					 &new.ttl_s);
	if (!err && stmt->args_len > 2)
		err = corefile_value_u32(p, &stmt->args[2], 0, TTL_MAX, "least TTL in seconds",
					 &new.min_ttl_s);
	if (!err && stmt->args_len > 2 && new.min_ttl_s > new.ttl_s)
		err = corefile_fail(
			p, &stmt->args[2],
			"the least TTL %u is above the TTL %u; write it at most as large",
			new.min_ttl_s, new.ttl_s);
	if (!err)
		*side = new;
	return err;
}

static int set_success(struct corefile_parse *p, const struct corefile_statement *stmt)
{
	return set_cache_side(p, stmt, &p->block->cache.success);
}

static int set_denial(struct corefile_parse *p, const struct corefile_statement *stmt)
{
	return set_cache_side(p, stmt, &p->block->cache.denial);
}

static int set_listen(struct corefile_parse *p, const struct corefile_statement *stmt,
		      const char *host, uint16_t port, struct corefile_listen *out)
{
	int err = stmt->args_len ? corefile_value_listen(p, &stmt->args[0], &out->addr)
				 : corefile_ip(host, port, &out->addr);

	out->enabled = !err;
	return err;
}

static int set_health(struct corefile_parse *p, const struct corefile_statement *stmt)
{
	return set_listen(p, stmt, "::", 8080, &p->block->health);
}

static int set_prometheus(struct corefile_parse *p, const struct corefile_statement *stmt)
{
	return set_listen(p, stmt, "127.0.0.1", 9153, &p->block->prometheus);
}

static int set_ready(struct corefile_parse *p, const struct corefile_statement *stmt)
{
	return set_listen(p, stmt, "::", 8181, &p->block->ready);
}

static int set_nothing(struct corefile_parse *p, const struct corefile_statement *stmt)
{
	(void)p;
	(void)stmt;
	return 0;
}

static int set_log(struct corefile_parse *p, const struct corefile_statement *stmt)
{
	struct corefile_log *log = corefile_mem_alloc(p->cf->mem, sizeof(*log));

	(void)stmt;
	if (!log)
		return corefile_nomem(p);
	log->classes = COREFILE_LOG_ALL;
	p->block->logs = log;
	p->block->logs_len = 1;
	return 0;
}

static const char *allowed(const struct table *table, char *out, size_t size)
{
	size_t n = 0;

	snprintf(out, size, "nothing");
	for (size_t i = 0; i < table->len && n < size; i++) {
		if (!(table->rows[i].flags & (LATER | UNSUPPORTED)))
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
		if (row->flags & LATER)
			return corefile_fail(p, name, "not supported yet; allowed: %s",
					     allowed(table, list, sizeof(list)));
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

static int read_statement(struct corefile_parse *p, const struct table *table,
			  const struct corefile_token **seen)
{
	const struct corefile_token *name = &p->tokens.list[p->at];
	struct corefile_statement stmt;
	const struct row *row = NULL;
	int err;

	if (corefile_is_open(name))
		return corefile_fail(p, name,
				     "'{' has nothing before it; write it after a directive");
	*(table == &directives ? &p->directive : &p->option) = name->text;
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
	if (!err)
		err = next_statement(p, &stmt);
	if (err)
		return err;
	if (row->flags & UNSUPPORTED)
		return skip_unsupported(p, name, &stmt);
	if ((row->flags & ONCE) && seen[row - table->rows])
		return corefile_fail(p, name, "already given at line %u; write it once",
				     seen[row - table->rows]->line);
	seen[row - table->rows] = name;
	if (stmt.args_len < row->args_min || stmt.args_len > row->args_max)
		return corefile_fail(p, name, "%zu argument%s given; write %s", stmt.args_len,
				     stmt.args_len == 1 ? " is" : "s are", row->usage);
	if (stmt.has_block && !row->options)
		return corefile_fail(p, name, "it takes no block; write %s", row->usage);
	if (row->flags & WARN)
		err = corefile_warn(p, name, "accepted, not acted on yet");
	if (!err)
		err = apply(p, row, table->base, &stmt);
	if (!err && stmt.has_block)
		err = read_statements(p, row->options, name, true);
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

bool corefile_is_directive(const char *name)
{
	for (size_t i = 0; i < directives.len; i++) {
		if (strcmp(directives.rows[i].name, name) == 0)
			return true;
	}
	return false;
}

int corefile_directives(struct corefile_parse *p, bool braced, const struct corefile_token *key)
{
	return read_statements(p, &directives, key, braced);
}
