/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The Corefile: text in, checked configuration out.
 *
 * The syntax is CoreDNS' (quotes, comments, snippets, imports, environment variables); of its
 * directives the ones in corefile_directive.c's tables are known, and every other one is an error
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

#include "zone.h"

#define COREFILE_PORT_DEFAULT 53
#define COREFILE_TEXT_MAX     (1024 * 1024) /* octets of one file: a ConfigMap cannot hold more */
#define COREFILE_TO_MAX	      15	    /* upstreams of one forward, as in CoreDNS */
#define COREFILE_BIND_MAX     64	    /* addresses of one block */
#define COREFILE_ZONES_MAX    65536	    /* zones of the whole configuration */

/* One line, "FILE:LINE: DIRECTIVE: what is wrong; what would be right", without a newline. */
struct corefile_error {
	char text[512];
};

struct corefile_zone {
	const char *text;	     /* lower case, trailing dot, \DDD for anything unusual */
	uint8_t wire_len;	     /* 1 (the root) to ZONE_WIRE_MAX */
	uint8_t wire[ZONE_WIRE_MAX]; /* lower case */
	const char *file;	     /* where it was written */
	unsigned int line;
};

struct corefile_cache_side {
	uint32_t capacity;  /* answers; 0 keeps none */
	uint32_t ttl_s;	    /* longest time kept; at least 1 */
	uint32_t min_ttl_s; /* shortest time kept; never above ttl_s */
};

struct corefile_cache {
	bool enabled; /* without it the sides hold the defaults all the same */
	struct corefile_cache_side success;
	struct corefile_cache_side denial;
};

enum corefile_policy {
	COREFILE_POLICY_RANDOM, /* CoreDNS' default */
	COREFILE_POLICY_ROUND_ROBIN,
	COREFILE_POLICY_SEQUENTIAL,
};

struct corefile_forward {
	struct corefile_zone from;
	struct sockaddr_storage *upstreams; /* in file order, port set */
	size_t upstreams_len;		    /* 1 to COREFILE_TO_MAX */
	struct corefile_zone *except;
	size_t except_len;
	enum corefile_policy policy;
	bool force_tcp; /* wins over prefer_udp */
	bool prefer_udp;
	uint32_t max_fails;	  /* 0: never considered down */
	uint32_t max_concurrent;  /* 0: no limit */
	uint64_t expire_ns;	  /* idle connections are closed after this */
	uint64_t health_check_ns; /* interval of probes to a failing upstream */
	bool health_check_rd;	  /* probes ask for recursion */
	struct corefile_zone health_check_domain;
};

/* Where an HTTP endpoint listens. ":PORT" is the IPv6 wildcard, meant for both families. */
struct corefile_listen {
	bool enabled;
	struct sockaddr_storage addr;
};

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
	struct sockaddr_storage *binds; /* port set; none: every address */
	size_t binds_len;
	struct corefile_cache cache;
	struct corefile_forward *forwards; /* in file order */
	size_t forwards_len;
	bool errors;
	bool log;
	struct corefile_listen health;
	uint64_t health_lameduck_ns;
	struct corefile_listen prometheus;
};

struct corefile_mem;

struct corefile {
	struct corefile_block *blocks; /* in file order, at least one */
	size_t blocks_len;
	const char **warnings; /* each "FILE:LINE: DIRECTIVE: ..." */
	size_t warnings_len;
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
};

/* Files, globs and environment of this machine; default_port 0. */
extern const struct corefile_options corefile_host_options;

/*
 * Parse `text` (len octets); `path` names it in messages and is what imports are relative to. `err`
 * may be NULL. -EINVAL: the text is wrong; -ENOMEM; another -errno: a file it names cannot be read.
 */
int corefile__parse_with(const struct corefile_options *options, const char *path, const char *text,
			 size_t len, struct corefile **out, struct corefile_error *err);
int corefile__load_with(const struct corefile_options *options, const char *path,
			struct corefile **out, struct corefile_error *err);

/* The same with corefile_host_options. */
int corefile__parse(const char *path, const char *text, size_t len, struct corefile **out,
		    struct corefile_error *err);
int corefile__load(const char *path, struct corefile **out, struct corefile_error *err);

void corefile__free(struct corefile *cf);

/* The effective configuration, defaults written out, as a Corefile that parses to the same. */
void corefile__print(const struct corefile *cf, FILE *out);

/*
 * The block with the longest zone that is the name or above it, NULL if none. `qname` is wire form,
 * lower case, the root's zero counted in `len`. With equal zones (on other ports or addresses) the
 * first one in the file.
 */
const struct corefile_block *corefile__block_for(const struct corefile *cf, const uint8_t *qname,
						 size_t len);

/* The same among the blocks that listen on `local`: its port, and its address or none in
 * particular. */
const struct corefile_block *corefile__block_at(const struct corefile *cf, const uint8_t *qname,
						size_t len, const struct sockaddr_storage *local);

/* The forward with the longest FROM above the name and no `except` above it, NULL if none. */
const struct corefile_forward *corefile__forward_for(const struct corefile_block *block,
						     const uint8_t *qname, size_t len);

#endif
