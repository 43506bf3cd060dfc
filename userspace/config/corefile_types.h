/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What the directives of a server block say, one struct a directive, as CoreDNS' documentation
 * defines them.
 *
 * Contract: filled by the folder's parser with defaults written out, checked, owned by the struct
 * corefile; plain data. Regular expressions were compiled once, to check them, and are kept as
 * text.
 */
#ifndef NODENS_COREFILE_PLUGIN_H
#define NODENS_COREFILE_PLUGIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/sockaddr.h"
#include "dns/name.h"
#include "dnstap/endpoint.h"

struct corefile_zone {
	struct dns_name name; /* lower case */
	const char *text;     /* of dns_name__to_config() */
	const char *file;     /* where it was written */
	unsigned int line;
};

struct corefile_zones {
	struct corefile_zone *list;
	size_t len;
};

/* `fallthrough [ZONE...]`: what a plugin has no answer for goes to the next one. */
struct corefile_fallthrough {
	bool on;
	struct corefile_zones zones; /* none: every name */
};

/* ---- cache ---- */

struct corefile_cache_side {
	uint32_t capacity;  /* answers; 0 keeps none */
	uint32_t ttl_s;	    /* longest time kept; at least 1 */
	uint32_t min_ttl_s; /* shortest time kept; never above ttl_s */
};

struct corefile_prefetch {
	uint32_t amount; /* hits within duration that make a name hot; 0: no prefetch */
	uint64_t duration_ns;
	uint32_t percent; /* of the original TTL that may be left: 10 to 90 */
};

enum corefile_stale { COREFILE_STALE_IMMEDIATE, COREFILE_STALE_VERIFY };

struct corefile_cache {
	bool enabled;		     /* without it the sides hold the defaults all the same */
	struct corefile_zones zones; /* none: the block's */
	struct corefile_cache_side success;
	struct corefile_cache_side denial;
	struct corefile_prefetch prefetch;
	uint32_t serve_stale_s; /* 0: off */
	enum corefile_stale stale;
	uint64_t stale_wait_ns;	   /* of verify: then it is sent; 0: the resolver's own time */
	uint32_t stale_ttl_s;	   /* what it says */
	uint64_t stale_recheck_ns; /* no new attempt for so long after one that failed */
	bool prefer_positive;	   /* what answers is not given up for what denies */
	uint32_t servfail_s;	   /* 5; at most 300; 0: SERVFAIL is not kept */
	bool disable_success, disable_denial;
	struct corefile_zones disable_success_zones, disable_denial_zones; /* none: all */
	bool keepttl; /* replies say the stored TTL, not what is left of it */
};

struct corefile_subnet {
	int family; /* AF_INET, AF_INET6 */
	uint8_t addr[16];
	uint8_t bits; /* at most 32, 128 */
};

/* ---- forward ---- */

#define COREFILE_TO_MAX 15 /* upstreams of one forward, as in CoreDNS */

enum corefile_policy {
	COREFILE_POLICY_RANDOM, /* CoreDNS' default */
	COREFILE_POLICY_ROUND_ROBIN,
	COREFILE_POLICY_SEQUENTIAL,
};

struct corefile_upstream {
	union sockaddr_any addr; /* port set: 53, or 853 with tls */
	bool tls;
	const char *tls_name; /* of tls://IP%NAME; NULL: the forward's tls_servername */
};

struct corefile_tls {
	const char *cert, *key; /* PEM files of a client certificate; NULL: none */
	const char *ca;		/* PEM file; NULL: the system's */
	const char *servername; /* NULL: none was given */
};

struct corefile_forward {
	struct corefile_zone from;
	struct corefile_upstream *upstreams; /* in file order */
	size_t upstreams_len;		     /* 1 to COREFILE_TO_MAX */
	struct corefile_zones except;
	enum corefile_policy policy;
	bool force_tcp; /* wins over prefer_udp */
	bool prefer_udp;
	uint32_t max_fails;	       /* 0: never considered down */
	uint32_t max_concurrent;       /* 0: no limit */
	uint32_t max_connect_attempts; /* 0: no limit but the deadline */
	uint64_t expire_ns;	       /* idle connections are closed after this */
	uint64_t max_age_ns;	   /* connections take no more queries after this; 0: no limit */
	uint32_t max_idle_conns;   /* of one upstream; 0: no limit */
	uint64_t read_timeout_ns;  /* for one query to be answered; 2 s */
	union sockaddr_any source; /* port 0; AF_UNSPEC: the kernel's choice */
	uint64_t health_check_ns;  /* interval of probes to a failing upstream */
	bool health_check_rd;	   /* probes ask for recursion */
	struct corefile_zone health_check_domain;
	struct corefile_tls tls;
	uint16_t failover_rcodes; /* bit n: on rcode n (1..15) the next upstream is asked */
	bool next_on_nodata;	  /* as next, on NOERROR without an answer */
	uint16_t next_rcodes; /* bit n: on rcode n (0..15) the next forward of the block is asked */
	bool failfast; /* failfast_all_unhealthy_upstreams: SERVFAIL at once when all are down */
};

/* ---- answers without an upstream ---- */

struct corefile_hosts_entry {
	union sockaddr_any addr;  /* port 0 */
	const char *const *names; /* as written, at least one */
	size_t names_len;
};

struct corefile_hosts {
	const char *path;	     /* default: /etc/hosts */
	struct corefile_zones zones; /* none: the block's */
	struct corefile_hosts_entry *entries;
	size_t entries_len;
	uint32_t ttl_s; /* 3600 */
	bool no_reverse;
	uint64_t reload_ns; /* 5 s; 0: the file is read once */
	struct corefile_fallthrough fallthrough;
	bool fallthrough_unsupported; /* as far as that goes: types that hosts cannot answer, too */
};

struct corefile_strings {
	const char *const *list;
	size_t len;
};

struct corefile_template {
	uint16_t class;					       /* DNS class; 255: ANY */
	uint16_t type;					       /* DNS type; 255: ANY */
	struct corefile_zones zones;			       /* none: the block's */
	struct corefile_strings match;			       /* regular expressions; none: ".*" */
	struct corefile_strings answer, additional, authority; /* Go templates of RRs */
	uint16_t rcode;
	bool has_rcode; /* given, not defaulted to NOERROR */
	bool has_ede;
	uint16_t ede_code;
	const char *ede_text; /* may be NULL */
	struct corefile_fallthrough fallthrough;
	const char *file;
	unsigned int line;
};

enum corefile_rewrite_kind {
	COREFILE_REWRITE_NAME,
	COREFILE_REWRITE_TYPE,
	COREFILE_REWRITE_CLASS,
	COREFILE_REWRITE_TTL,
	COREFILE_REWRITE_EDNS0,
	COREFILE_REWRITE_RCODE,
};

enum corefile_match { /* how FROM is compared with the name */
		      COREFILE_MATCH_EXACT,
		      COREFILE_MATCH_PREFIX,
		      COREFILE_MATCH_SUFFIX,
		      COREFILE_MATCH_SUBSTRING,
		      COREFILE_MATCH_REGEX,
};

/* "answer name|value FROM TO" of a name rule */
struct corefile_rewrite_answer {
	bool value;	       /* names inside rdata; else owners */
	const char *from, *to; /* a regular expression, and a text with {0}, {1}... */
};

enum corefile_edns0_action {
	COREFILE_EDNS0_SET,
	COREFILE_EDNS0_REPLACE,
	COREFILE_EDNS0_APPEND,
	COREFILE_EDNS0_UNSET,
};

/* What an option says: fixed octets, or something of the query or of who asks. */
enum corefile_edns0_source {
	COREFILE_EDNS0_FIXED,
	COREFILE_EDNS0_QNAME,
	COREFILE_EDNS0_QTYPE,
	COREFILE_EDNS0_CLIENT_IP, /* from here on: another for each client */
	COREFILE_EDNS0_CLIENT_PORT,
	COREFILE_EDNS0_PROTOCOL,
	COREFILE_EDNS0_SERVER_IP,
	COREFILE_EDNS0_SERVER_PORT,
	COREFILE_EDNS0_SUBNET, /* RFC 7871 */
};

struct corefile_rewrite {
	enum corefile_rewrite_kind kind;
	bool go_on;		   /* "continue": later rules apply as well; else "stop" */
	enum corefile_match match; /* name, ttl, rcode */
	const char *from, *to;	   /* name: texts, a trailing dot on names */
	bool answer_auto;
	struct corefile_rewrite_answer *answers;
	size_t answers_len;
	uint16_t from_number, to_number; /* type, class; rcode */
	uint32_t ttl_min_s, ttl_max_s;	 /* ttl: "5", "5-", "-5" and "5-10" */
	enum corefile_edns0_action edns0_action;
	uint16_t edns0_code; /* 3: nsid; 8: subnet; any local one */
	enum corefile_edns0_source edns0_source;
	uint8_t edns0_bits[2]; /* subnet: of IPv4, of IPv6 */
	const char *edns0_data;
	size_t edns0_len;
	const char *file;
	unsigned int line;
};

struct corefile_dns64 {
	bool enabled;
	uint8_t prefix[16]; /* 64:ff9b:: */
	uint8_t prefix_len; /* 32, 40, 48, 56, 64 or 96 (RFC 6052, 2.2) */
	bool translate_all;
	bool allow_ipv4; /* clients that asked over IPv4 are served too */
};

/* ---- who may ask ---- */

enum corefile_acl_action {
	COREFILE_ACL_ALLOW,
	COREFILE_ACL_BLOCK,  /* REFUSED */
	COREFILE_ACL_FILTER, /* NOERROR without records */
	COREFILE_ACL_DROP,   /* no reply */
};

struct corefile_acl_policy {
	enum corefile_acl_action action;
	bool all_types, all_nets;
	uint16_t *types; /* none: all */
	size_t types_len;
	struct corefile_subnet *nets; /* none: all */
	size_t nets_len;
};

struct corefile_acl {
	struct corefile_zones zones;	      /* none: the block's */
	struct corefile_acl_policy *policies; /* in file order: the first that fits decides */
	size_t policies_len;
};

/* ---- what is said and seen ---- */

struct corefile_consolidate {
	uint64_t duration_ns;
	const char *regex;
	int level; /* of enum log_level, as base/log.h has it: error, warn, info, debug */
	bool show_first;
};

struct errors {
	bool enabled;
	struct corefile_consolidate *consolidate;
	size_t consolidate_len;
};

enum corefile_log_class {
	COREFILE_LOG_SUCCESS = 1 << 0,
	COREFILE_LOG_DENIAL = 1 << 1,
	COREFILE_LOG_ERROR = 1 << 2,
	COREFILE_LOG_ALL = 7,
};

struct corefile_log {		     /* one "log" line; a block may have several */
	struct corefile_zones names; /* none: every name */
	const char *format;	     /* default: {common} */
	unsigned int classes;
};

struct corefile_dnstap {    /* one "dnstap" line; a block may have several */
	const char *socket; /* as written */
	struct tap_endpoint to;
	bool full;				/* with the messages */
	uint32_t write_buffer;			/* MiB of the socket, 1 to 1024; 0: not given */
	uint32_t queue;				/* times 10,000 messages, 1 to 4096 */
	const char *identity, *version, *extra; /* NULL: not given; extra: with placeholders */
};

/* Where an HTTP endpoint listens. ":PORT" is the IPv6 wildcard, meant for both families. */
struct corefile_listen {
	bool enabled;
	union sockaddr_any addr;
};

/* `probe`: names that must be had, looked up again and again. */
#define COREFILE_PROBE_MAX 64 /* names of one block: each has series of metrics of its own */

struct corefile_probe {
	struct corefile_zones names;	/* none where there is a file */
	const char *file;		/* a name a line; NULL: none */
	uint64_t interval_ns;		/* 30 s; 1 s to 24 h */
	uint64_t timeout_ns;		/* 2 s; 10 ms to 5 s, and no longer than the interval */
	uint16_t expect_rcode;		/* NOERROR */
	bool expects_addr;		/* as well as NOERROR */
	union sockaddr_any expect_addr; /* port 0; of IPv6 AAAA is asked for, else A */
	bool upstreams;			/* of the name's forward, each alone */
};

struct corefile_reload {
	bool enabled;
	uint64_t interval_ns; /* 30 s; at least 2 s; 0: off */
	uint64_t jitter_ns;   /* 15 s; at most half the interval */
};

struct corefile_timeouts { /* 0: the server's own */
	uint64_t read_ns, write_ns, idle_ns;
	int32_t max_queries; /* of one connection; 0: not given; -1: no limit, as without it */
};

#endif /* NODENS_COREFILE_PLUGIN_H */
