/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A client's query to its reply: block, cache, an exchange already under way,
 * upstream, admission, store.
 *
 * Contract: single-threaded, of an event loop; no logging. Each query given to
 * resolver__query() leads to exactly one call of reply, at once or later.
 */
#ifndef NODENS_RESOLVER_H
#define NODENS_RESOLVER_H

#include <netinet/in.h>

#include "agent_stats.h"
#include "corefile.h"
#include "store.h"
#include "upstream.h"

union sockaddr_any {
	struct sockaddr sa;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

/* Who asked, and where the reply goes; owner is the server's. */
struct client {
	void *owner;
	bool tcp;
	union sockaddr_any peer, local; /* local: the address and port that was asked */
};

struct resolver;

struct resolver_config {
	const struct corefile *corefile;
	struct upstreams *upstreams;
	struct store *store; /* NULL: nothing is cached */
	struct agent_stats *stats;
	const uint64_t *hash_key;
	uint16_t bufsize;
	unsigned int max_exchanges; /* at once; more are answered SERVFAIL */
	unsigned int shed_above;    /* exchanges at once; overload is reported above */
	/* @len 0: there is no reply, the client is only let go. */
	void (*reply)(void *ctx, const struct client *client, const uint8_t *msg, size_t len);
	void (*overload)(void *ctx, bool overloaded); /* may be NULL */
	void *ctx;
};

/* Opens the upstream group of each forward of the corefile. */
int resolver__open(const struct resolver_config *config, struct resolver **out);
/* Queries under way are let go without a reply. */
void resolver__close(struct resolver *resolver);

void resolver__query(struct resolver *resolver, const struct client *client,
		     const struct dns_query *query, uint64_t now_ns);
unsigned int resolver__in_flight(const struct resolver *resolver);

/* Largest UDP reply for this query: RFC 1035 4.2.1, RFC 6891 6.2.3, capped at @bufsize. */
size_t resolver__udp_limit(const struct dns_query *query, uint16_t bufsize);

/* May this answer be kept under the block's rules; how, for how long, and with which TTL? */
struct keep {
	bool store;
	int kind;	/* NODENS_POSITIVE, NODENS_NEGATIVE */
	uint32_t ttl_s; /* also what the first reply says */
};
struct keep resolver__keep(const struct corefile_cache *cache, const struct answer *answer,
			   enum admission admission);

#endif /* NODENS_RESOLVER_H */
