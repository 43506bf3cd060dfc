/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The Corefile: text in, checked configuration out.
 *
 * The syntax is CoreDNS' (quotes, comments, snippets, imports, environment variables); of its
 * directives the ones in directives.c's tables are known, and every other one is an error
 * that says what is allowed. Nothing here opens a socket, logs or keeps state. Functions return 0
 * or -errno and leave their outputs untouched on failure, but for corefile_error, which then says
 * why; destructors accept NULL.
 */
#ifndef NODENS_COREFILE_H
#define NODENS_COREFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/error.h"
#include "config/corefile_types.h"

#define COREFILE_PORT_DEFAULT 53
#define COREFILE_TEXT_MAX     (1024 * 1024) /* octets of one file: a ConfigMap cannot hold more */
#define COREFILE_BIND_MAX     64	    /* addresses of one block */
#define COREFILE_ZONES_MAX    65536	    /* zones of the whole configuration */

/*
 * A server block. Keys of one block that differ in port make one corefile_block per port, which
 * share everything but zones and port.
 */
struct corefile_block {
	const char *file;
	unsigned int line;	     /* of its first key */
	struct corefile_zone *zones; /* at least one */
	size_t zones_len;
	uint16_t port;
	union sockaddr_any *binds; /* port set; interface names and `except` worked out; none:
				    * every address */
	size_t binds_len;
	uint16_t bufsize; /* 0: not given; else 512 to 4096 */
	bool debug;
	/*
	 * nodens has one cache, and what is in it is found by name: it belongs to one port. The
	 * blocks of other ports are asked for anew each time, and their `cache` is off.
	 */
	bool apart;
	struct corefile_cache cache;
	/* On unless `nxdomain_cut off`; comes to nothing where the zone is no cluster's. */
	bool nxdomain_cut;
	struct corefile_dns64 dns64;
	struct corefile_acl *acls; /* in file order */
	size_t acls_len;
	struct corefile_rewrite *rewrites; /* in file order */
	size_t rewrites_len;
	struct corefile_template *templates; /* in file order */
	size_t templates_len;
	bool has_hosts;
	struct corefile_hosts hosts;
	struct corefile_forward *forwards; /* in file order */
	size_t forwards_len;
	bool any, loop, loadbalance, whoami;
	struct corefile_subnet *prefer; /* loadbalance's, in file order */
	size_t prefer_len;
	struct errors errors;
	struct corefile_log *logs;
	size_t logs_len;
	struct corefile_dnstap *dnstaps; /* in file order */
	size_t dnstaps_len;
	struct corefile_listen health;
	uint64_t health_lameduck_ns;
	struct corefile_listen prometheus, ready;
	struct corefile_reload reload;
	struct corefile_timeouts timeouts;
	bool has_probe;
	struct corefile_probe probe;
};

struct corefile_mem;

struct corefile {
	struct corefile_block *blocks; /* in file order, at least one */
	size_t blocks_len;
	const char **warnings; /* each "FILE:LINE: DIRECTIVE: ..." */
	size_t warnings_len;
	uint16_t cached_port;	  /* whose blocks are not apart: 53 where a block has it */
	struct corefile_mem *mem; /* owns all of the above */
};

/* How the parser reaches the world outside the text: nothing else does. */
struct corefile_options {
	void *ctx;
	uint16_t default_port; /* for zones without a port; 0: COREFILE_PORT_DEFAULT */
	/* malloc'd text of a file (no NUL needed) or -errno; NULL refuses every file, imports and
	 * resolv.conf alike */
	int (*read_file)(void *ctx, const char *path, char **text, size_t *len);
	/* malloc'd, sorted, malloc'd paths that match a glob (possibly none) or -errno; NULL: none
	 * ever match */
	int (*glob)(void *ctx, const char *pattern, char ***paths, size_t *len);
	/* NULL for a variable that is not set; a NULL function: none is set */
	const char *(*get_env)(void *ctx, const char *name);
	/* malloc'd addresses of the interface of that name, port 0; -ENODEV; NULL: there is none */
	int (*interface)(void *ctx, const char *name, union sockaddr_any **addrs, size_t *len);
	/* index of the interface of that name, 0: there is none; NULL: there are none */
	unsigned int (*ifindex)(void *ctx, const char *name);
	/* the file beside which imports of the text itself are looked for; NULL: `path` */
	const char *imports_at;
	bool ignore_unsupported; /* trace, pprof, metadata: a warning instead of an error */
};

/* Files, globs and environment of this machine; default_port 0. */
extern const struct corefile_options corefile_host_options;

/*
 * Parse `text` (len octets); `path` names it in messages and is what imports are relative to. `err`
 * may be NULL; it says "FILE:LINE: DIRECTIVE: what is wrong; what would be right". -EINVAL: the
 * text is wrong; -ENOMEM; another -errno: a file it names cannot be read.
 */
int corefile__parse(const struct corefile_options *options, const char *path, const char *text,
		    size_t len, struct corefile **out, struct error *err);

void corefile__free(struct corefile *cf);

/*
 * A block of its own for one zone, with `errors`, `cache 30` and `forward .`, made without any text
 * of a Corefile. Call it before anything else looks at the configuration.
 */
struct corefile_stub {
	const char *file; /* where it comes from, for messages */
	const char *zone;
	uint16_t port;
	union sockaddr_any binds[COREFILE_BIND_MAX];
	size_t binds_len;
	union sockaddr_any servers[COREFILE_TO_MAX]; /* port set */
	size_t servers_len;
};

/* -EINVAL: no zone, *why says why; -EEXIST: a block has it already; -ENOMEM. */
int corefile__add_stub(struct corefile *cf, const struct corefile_stub *stub, const char **why);

/* The effective configuration, defaults written out, as a Corefile that parses to the same. */
void corefile__print(const struct corefile *cf, FILE *out);
/*
 * SHA-512 of that text in hexadecimal: configurations with the same one mean the same. (What
 * CoreDNS hashes is the Corefile's own text.) -ENOMEM.
 */
#define COREFILE_DIGEST 129
int corefile__digest(const struct corefile *cf, char hex[COREFILE_DIGEST]);
void corefile__print_block(const struct corefile_block *block, FILE *out);
/* The name of the index-th directive that is known, in alphabetical order; NULL: there are no more.
 */
const char *corefile__directive(size_t index);

/* How each directive is written, one a line, its options indented below it. */
void corefile__print_forms(FILE *out);

/*
 * Of each block of @before: its number in @after if its answers cannot differ there, else -1. What
 * is only logged or shown of them may. The caller's to free; NULL: no memory.
 */
int *corefile__unchanged(const struct corefile *before, const struct corefile *after);

/*
 * The block with the longest zone that is the name or above it, NULL if none; those that are apart
 * are not looked at. With equal zones (on other ports or addresses) the
 * first one in the file.
 */
const struct corefile_block *corefile__block_for(const struct corefile *cf,
						 const struct dns_name *qname);

/* Is it one of the block's zones, or below one? */
bool corefile__in_zones(const struct corefile_block *block, const struct dns_name *name);

/* Its port is the block's, and its address one of the block's, or the block has none in particular.
 * `local`: any sockaddr. */
bool corefile__listens_on(const struct corefile_block *block, const void *local);

/* The same among the blocks that listen on `local`. */
const struct corefile_block *corefile__block_at(const struct corefile *cf,
						const struct dns_name *qname,
						const union sockaddr_any *local);

/* The forward with the longest FROM above the name and no `except` above it, NULL if none. */
const struct corefile_forward *corefile__forward_for(const struct corefile_block *block,
						     const struct dns_name *qname);
/* Is the name its FROM or below it, and excepted by none of its `except`? */
bool corefile__forward_takes(const struct corefile_forward *forward, const struct dns_name *qname);

#endif
