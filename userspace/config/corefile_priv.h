/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What the files of the Corefile parser share with each other and nobody else.
 *
 * A parse runs in three steps: text to tokens (lex.c), imports and snippets replaced by
 * what they stand for (import.c), tokens to configuration (corefile.c,
 * directives.c). Errors are recorded where they are found with corefile_fail(), which
 * returns the -errno to pass up.
 */
#ifndef NODENS_COREFILE_PRIV_H
#define NODENS_COREFILE_PRIV_H

#include "config/corefile.h"

/* Snippets can import each other: a few lines could otherwise ask for any amount of memory. */
#define COREFILE_TOKENS_MAX	  (512 * 1024)
#define COREFILE_IMPORT_DEPTH_MAX 16

struct corefile_token {
	const char *text;
	const char *file;
	unsigned int line;
	bool starts_line;
	bool literal; /* quoted or from the environment: never a brace or an import */
};

struct corefile_tokens {
	struct corefile_token *list;
	size_t len;
};

/* A directive or option with its arguments. */
struct corefile_statement {
	const struct corefile_token *name;
	const struct corefile_token *args;
	size_t args_len;
	bool has_block;
};

struct corefile_snippet {
	const char *name;
	const struct corefile_token *def;
	const struct corefile_token *list;
	size_t len;
};

/* The imports being expanded, innermost first. */
struct corefile_import {
	const struct corefile_import *outer;
	const char *what;
	unsigned int depth;
};

struct corefile_parse {
	const struct corefile_options *options;
	struct error *err;
	struct corefile *cf;
	struct corefile_mem *scratch; /* tokens and what else does not outlive the parse */
	struct corefile_tokens tokens;
	size_t at;

	struct corefile_snippet *snippets;
	size_t snippets_len;
	unsigned int brace_depth;

	const char *file; /* of the text itself */
	/* Context of messages, and the innermost statement that is known: what an imported file
	 * says is shown inside of one alone. */
	const char *directive, *option;
	const struct corefile_token *known;
	struct corefile_block *block; /* being filled */
	struct corefile_forward *forward;
	unsigned int log_classes; /* of the log being read, as far as given */
	size_t zones_total;

	char shown[4][80];
	unsigned int shown_next;
};

/* arena.c: memory that is freed all at once. NULL when there is none. */
struct corefile_mem *corefile_mem_new(void);
void corefile_mem_free(struct corefile_mem *mem);
void *corefile_mem_alloc(struct corefile_mem *mem, size_t size); /* zeroed */
char *corefile_mem_strndup(struct corefile_mem *mem, const char *s, size_t len);
/*
 * One more element behind the *len that the array at *list has, which may move. Only for lists that
 * are made by this alone: their room is the next power of two. -ENOMEM.
 */
int corefile_mem_append(struct corefile_mem *mem, void *list, size_t *len, const void *element,
			size_t size);

/* block.c: what a block is before anything is read of it; -ENOMEM when it cannot be kept; without
 * the cache, which is another port's. */
struct corefile_block corefile_block_defaults(const char *file, unsigned int line);
int corefile_add_block(struct corefile *cf, const struct corefile_block *block);
void corefile_block_apart(struct corefile_block *block);

/* set_forward.c: likewise of a forward, but for FROM and upstreams. */
struct corefile_forward corefile_forward_defaults(const char *file, unsigned int line);

/* message.c */
int corefile_fail(struct corefile_parse *p, const struct corefile_token *at, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
int corefile_fail_at(struct corefile_parse *p, int error, const char *file, unsigned int line,
		     const char *fmt, ...) __attribute__((format(printf, 5, 6)));
int corefile_nomem(struct corefile_parse *p);
/* corefile_mem_append() to the configuration's memory. */
int corefile_append(struct corefile_parse *p, void *list, size_t *len, const void *element,
		    size_t size);
int corefile_warn(struct corefile_parse *p, const struct corefile_token *at, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/*
 * `text` fit for a message: short and printable, "..." where what it is of must not be shown. Good
 * until four calls later.
 */
const char *corefile_show(struct corefile_parse *p, const char *text);

/* lex.c: append the tokens of `text`; `file` must outlive the configuration. */
int corefile_lex(struct corefile_parse *p, const char *file, const char *text, size_t len,
		 struct corefile_tokens *out);
int corefile_tokens_push(struct corefile_parse *p, struct corefile_tokens *tokens,
			 const struct corefile_token *token);
/* Whether @text is read as one word without quotes; whether it can be written at all so that it is
 * read as what it is. */
bool corefile_is_plain(const char *text);
bool corefile_is_writable(const char *text);
bool corefile_is_open(const struct corefile_token *token);
bool corefile_is_close(const struct corefile_token *token);

/* import.c: append `in` to `out`, snippets taken out and imports filled in. */
int corefile_expand(struct corefile_parse *p, const struct corefile_token *in, size_t len,
		    const struct corefile_import *outer, struct corefile_tokens *out);

/* statements.c: the statements of one server block, up to its '}' (or the end when not
 * braced). */
int corefile_directives(struct corefile_parse *p, bool braced, const struct corefile_token *key);
bool corefile_is_directive(const char *name);

/*
 * What the tables of directives.c call: a statement with a fitting number of arguments into
 * p->block, or into the forward, template, log or hosts that was begun last. 0 or recorded -errno.
 */
#define COREFILE_SETTER(name) \
	int corefile_##name(struct corefile_parse *p, const struct corefile_statement *stmt)

/* set_server.c */
COREFILE_SETTER(set_bind);
COREFILE_SETTER(set_bind_except);
COREFILE_SETTER(end_bind);
COREFILE_SETTER(set_runtime_metrics);
COREFILE_SETTER(set_bufsize);
COREFILE_SETTER(set_loadbalance);
COREFILE_SETTER(set_prefer);
COREFILE_SETTER(set_nxdomain_cut);
COREFILE_SETTER(set_reload);
COREFILE_SETTER(set_maxtcpqueries);
COREFILE_SETTER(end_timeouts);

/* set_log.c */
COREFILE_SETTER(set_errors);
COREFILE_SETTER(set_consolidate);
COREFILE_SETTER(set_log);
COREFILE_SETTER(set_log_class);
/* set_dnstap.c */
COREFILE_SETTER(set_dnstap);
COREFILE_SETTER(set_dnstap_identity);
COREFILE_SETTER(set_dnstap_version);
COREFILE_SETTER(set_dnstap_extra);

/* set_cache.c */
COREFILE_SETTER(set_cache);
COREFILE_SETTER(set_success);
COREFILE_SETTER(set_denial);
COREFILE_SETTER(set_disable);
COREFILE_SETTER(set_prefetch);
COREFILE_SETTER(set_serve_stale);
COREFILE_SETTER(set_serve_stale_policy);
COREFILE_SETTER(end_cache);
COREFILE_SETTER(set_servfail);

/* set_forward.c */
COREFILE_SETTER(set_forward);
COREFILE_SETTER(end_forward);
COREFILE_SETTER(set_except);
COREFILE_SETTER(set_health_check);
COREFILE_SETTER(set_source_address);
COREFILE_SETTER(set_resolver);
COREFILE_SETTER(set_doh_method);
COREFILE_SETTER(set_tls);
COREFILE_SETTER(set_tls_servername);
COREFILE_SETTER(end_failover);
COREFILE_SETTER(end_read_timeout);
extern const char *const corefile_policies[]; /* NULL at the end */

/* set_rewrite.c, set_log.c: words by the enum that they stand for */
extern const char *const corefile_matches[];
extern const char *const corefile_edns0_actions[];
extern const char *const corefile_error_levels[];
struct corefile_log_word {
	const char *name; /* NULL at the end */
	unsigned int bits;
};
extern const struct corefile_log_word corefile_log_classes[];

/* set_local.c */
COREFILE_SETTER(set_dns64);
COREFILE_SETTER(set_dns64_prefix);
COREFILE_SETTER(set_hosts);
COREFILE_SETTER(end_hosts);
COREFILE_SETTER(set_hosts_entry); /* 1: it is none */
COREFILE_SETTER(set_template);
COREFILE_SETTER(set_rcode);
COREFILE_SETTER(set_ederror);

/* set_probe.c */
COREFILE_SETTER(set_probe);
COREFILE_SETTER(set_expect);
COREFILE_SETTER(end_probe);

/* set_acl.c */
COREFILE_SETTER(set_acl);
COREFILE_SETTER(set_acl_policy); /* 1: it is none */
const char *corefile_acl_action(enum corefile_acl_action action);

/* set_rewrite.c */
#define COREFILE_REWRITE_FORMS                                                               \
	"rewrite [continue|stop] name|ttl|rcode [exact|prefix|suffix|substring|regex] FROM " \
	"TO..., type|class FROM TO, or edns0 local|nsid|subnet set|replace|append|unset "    \
	"[CODE [DATA]]"
COREFILE_SETTER(set_rewrite);
/* "{client_ip}" and its like; "" for what has none. */
const char *corefile_edns0_variable(enum corefile_edns0_source source);

/* value.c: one argument to a value; failures are recorded. */
int corefile_value_u32(struct corefile_parse *p, const struct corefile_token *arg, uint32_t min,
		       uint32_t max, const char *what, uint32_t *out);
int corefile_value_duration(struct corefile_parse *p, const struct corefile_token *arg,
			    uint64_t *ns);
int corefile_value_listen(struct corefile_parse *p, const struct corefile_token *arg,
			  union sockaddr_any *out);
/* Kept with the configuration. */
int corefile_value_text(struct corefile_parse *p, const struct corefile_token *arg,
			const char **out);
int corefile_value_regex(struct corefile_parse *p, const struct corefile_token *arg,
			 const char **out);
int corefile_value_class(struct corefile_parse *p, const struct corefile_token *arg, bool any,
			 uint16_t *out);
int corefile_value_type(struct corefile_parse *p, const struct corefile_token *arg, uint16_t *out);
int corefile_value_rcode(struct corefile_parse *p, const struct corefile_token *arg, uint16_t *out);
/* Appended to *out. */
int corefile_value_zones(struct corefile_parse *p, const struct corefile_token *args, size_t n,
			 struct corefile_zones *out);
/* As sockaddr__parse(), of a link-local address with its interface as well: fe80::1%eth0,
 * [fe80::1%2]:53; not recorded; -ENODEV: there is no such interface. */
int corefile_scoped_address(struct corefile_parse *p, const char *text, uint16_t default_port,
			    union sockaddr_any *out);
/* "IP/BITS"; @alone: or an IP. As Go's net.ParseCIDR: what is set behind the prefix does not count.
 */
bool corefile_subnet(const char *text, bool alone, struct corefile_subnet *out);

/* zones.c: the struct of a name; -ENOMEM. */
int corefile_zone_make(struct corefile_mem *mem, const struct dns_name *name, const char *file,
		       unsigned int line, struct corefile_zone *out);
/* A name or CIDR as the zones it stands for, appended to *to. */
int corefile_zones(struct corefile_parse *p, const struct corefile_token *at, const char *text,
		   struct corefile_zones *to);
/* "[dns://]NAME[:PORT]" split: *host is scratch memory, *port is 0 when there is none. */
int corefile_split_key(struct corefile_parse *p, const struct corefile_token *at, const char *key,
		       char **host, uint16_t *port);

/* check.c: -EINVAL with a message when two blocks would answer the same zone at the same
 * address. */
int corefile_check_overlap(struct corefile_parse *p);
/* Which blocks are apart; a warning for each whose cache that turns off. */
int corefile_set_apart(struct corefile_parse *p);
/* Names that are probed are in their blocks; after corefile_set_apart(). */
int corefile_check_probes(struct corefile_parse *p);

#endif
