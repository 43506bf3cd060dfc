/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A client's query to its reply: block, cache, a look-up already under way, the block's own
 * answers, upstream, store.
 *
 * Contract: single-threaded, of an event loop; no logging. Each query given to
 * resolver__query() leads to exactly one call of reply, at once or later. A resolver serves one
 * configuration; at a reload the old one is drained and closed beside the new one.
 */
#ifndef NODENS_RESOLVER_H
#define NODENS_RESOLVER_H

#include <netinet/in.h>

#include "base/client.h"
#include "base/counters.h"
#include "base/loop.h"
#include "config/corefile.h"
#include "config/plugin_id.h"
#include "resolver/server_block.h"
#include "store/store.h"
#include "upstream/upstream.h"

/* A query and what became of it. */
struct resolver_event {
	const struct client *client;
	const struct dns_query *query;
	const struct server_block *sb; /* NULL: no block is responsible */
	size_t zone;		       /* of the block's zones */
	enum plugin_id plugin;	       /* who answered */
	uint16_t rcode;
	const uint8_t *reply; /* the message, valid during the call */
	size_t size;
	uint16_t flags; /* of the reply, host order */
	uint64_t duration_ns;
	bool hit;
	int kind; /* NODENS_POSITIVE, NODENS_NEGATIVE: of a hit */
	bool stale;
	bool nx_below;	   /* a hit: NXDOMAIN by an entry for a name above (RFC 8020) */
	const char *error; /* NULL, or why it is SERVFAIL */
	const struct ede *ede;
	const struct upstream_asked *asked; /* NULL, or who else was asked for it */
};

/*
 * Who asks as a client does and is none: client->probe is set, and owner points here. One of these
 * is called for each query, in place of reply and replied.
 */
struct resolver_asker {
	void (*replied)(struct resolver_asker *asker, const struct resolver_event *event);
	void (*dropped)(struct resolver_asker *asker); /* there is no reply */
};

struct resolver;

struct resolver_config {
	const struct corefile *corefile;
	struct loop *loop;
	struct upstreams *upstreams;
	struct store *store; /* NULL: nothing is cached */
	struct agent_stats *stats;
	uint16_t bufsize;
	unsigned int max_exchanges; /* at once; more are answered SERVFAIL */
	unsigned int shed_above;    /* exchanges at once; overload is reported above */
	/* By which device (ifindex) @peer's queries come in; 0: not known. May be NULL. */
	uint32_t (*device)(void *ctx, const struct sockaddr *peer);
	/* @len 0: there is no reply, the client is only let go. */
	void (*reply)(void *ctx, const struct client *client, const uint8_t *msg, size_t len);
	void (*overload)(void *ctx, bool overloaded);			/* may be NULL */
	void (*replied)(void *ctx, const struct resolver_event *event); /* may be NULL */
	/* The query is over, and nothing is said to the client: there is no reply. May be NULL. */
	void (*dropped)(void *ctx, const struct resolver_event *event);
	/*
	 * Our own probes came back, the last one as @client's query: @zone is forwarded to
	 * ourselves. May be NULL.
	 */
	void (*looped)(void *ctx, const struct client *client, const char *zone,
		       const struct dns_name *probe);
	void *ctx;
};

/* Opens the blocks of the corefile: upstream groups, hosts files, templates. */
int resolver__open(const struct resolver_config *config, struct resolver **out, struct error *err);
/* Queries under way are let go without a reply. */
void resolver__close(struct resolver *resolver);

/*
 * The store's entries are this resolver's from here on: they count against its blocks, and the
 * answers that its blocks have themselves are put there. @same: the partition that a sb had in the
 * resolver before, where its block has not changed, else -1; NULL: there was none before. 1: the
 * store was made for less than the blocks' capacities, each has its share; -errno: it is not
 * taken.
 */
int resolver__take_store(struct resolver *resolver, const int *same, size_t n_before,
			 uint64_t now_ns);

void resolver__query(struct resolver *resolver, const struct client *client,
		     const struct dns_query *query, uint64_t now_ns);
/* The store's wish: an entry is to be had anew before it ends. */
void resolver__refresh(struct resolver *resolver, const struct store_question *question,
		       uint64_t now_ns);
/*
 * Asks each block with `loop` for a name that nobody else asks for, until it is answered or half a
 * minute is over; till then, and a little longer, such a query is one of ours that came back.
 */
void resolver__watch_loops(struct resolver *resolver, uint64_t now_ns);
/*
 * Another resolver follows: what this one still learns is not kept, and whether too much is under
 * way is the other's to say.
 */
void resolver__leave_store(struct resolver *resolver);
/* About each second: what upstreams say of the zones, hosts files, loops. */
void resolver__tick(struct resolver *resolver, uint64_t now_ns);

/* Under way for clients or the store. */
unsigned int resolver__in_flight(const struct resolver *resolver);
const struct server_block *resolver__blocks(const struct resolver *resolver, size_t *n);
/* The partition of an entry with this name, -1 where no block keeps it. */
int resolver__partition_of(const struct resolver *resolver, const struct dns_name *qname_lower);

/* Largest UDP reply for this query: RFC 1035 4.2.1, RFC 6891 6.2.3, capped at @bufsize. */
size_t resolver__udp_limit(const struct dns_query *query, uint16_t bufsize);

#endif /* NODENS_RESOLVER_H */
