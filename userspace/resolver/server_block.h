/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A server block at work: its rewrites, the answers it has itself, its upstreams, and the rules by
 * which it keeps answers.
 *
 * Contract: single-threaded; made from a corefile_block, which outlives it. The order of plugins
 * is CoreDNS' fixed one: cache (the resolver's), rewrite, template, hosts, forward, whoami.
 */
#ifndef NODENS_SERVER_BLOCK_H
#define NODENS_SERVER_BLOCK_H

#include "config/corefile.h"
#include "config/plugin_id.h"
#include "resolver/nxdomain_policy.h"
#include "plugin/hosts.h"
#include "plugin/rewrite.h"
#include "store/store.h"
#include "plugin/template.h"
#include "upstream/upstream.h"

struct server_block {
	const struct corefile_block *config;
	uint16_t owner; /* of its entries in the store */
	struct rewrite *rewrite;
	struct templates *templates;
	struct hosts *hosts;
	struct upstream_group **groups; /* of each forward */
	struct nx_zone *nx_zones;	/* of each zone */
};

struct server_block_error {
	char text[512];
};

int server_block__open(const struct corefile_block *block, uint16_t owner,
		       struct upstreams *upstreams, struct server_block *out,
		       struct server_block_error *err);
void server_block__close(struct server_block *sb);

/* What a plugin of the block says to @query without asking anybody. */
struct server_block_answer {
	struct answer *answer; /* the caller's */
	enum plugin_id plugin;
	bool exact;	       /* of a line of a hosts file, and not by a wildcard */
	const char *error;     /* why it is SERVFAIL, if it is */
	const struct ede *ede; /* goes along, and is never kept; NULL: none */
};

/* PLUGIN_NEXT: none does, ask upstream. */
enum plugin_result server_block__answer(struct server_block *sb, const struct plugin_query *query,
					struct server_block_answer *out);

/*
 * Do upstreams hear who asks? Then nothing of theirs is where the programs find it, each query is
 * an exchange of its own, and only a client brings a new answer. As in CoreDNS, the block's cache
 * is shared by all clients all the same.
 */
bool server_block__of_client(const struct server_block *sb);

/* The longest zone of the block that is the name or above it; 0 where all is well-formed. */
size_t server_block__zone(const struct server_block *sb, const struct dns_name *qname_lower);

/* May this answer be kept under a cache's rules; as what, for how long, and with which TTL? */
struct keep {
	bool store;
	int kind;	/* NODENS_POSITIVE, NODENS_NEGATIVE */
	uint32_t ttl_s; /* also what the first reply says */
};
struct keep cache__keep(const struct corefile_cache *cache, const struct answer *answer,
			enum admission admission);
/* The same, and how the store is to hold it; the zones of the cache directive are looked at. */
bool server_block__keep(const struct server_block *sb, const struct answer *answer,
			enum admission admission, struct store_put *put, uint32_t *ttl_s);
/*
 * An NXDOMAIN entry for all names below one ends with its TTL, however much it is used: then one
 * name below it is asked for, and if that exists, since the server denies empty non-terminals, no
 * such entry is made again.
 */
void server_block__keep_nx_below(struct store_put *put);
/*
 * How an entry that is there already is held from here on: *put says how it was stored. False: the
 * block does not keep it, or not for so long.
 */
bool server_block__keep_on(const struct server_block *sb, const struct store_question *question,
			   uint16_t rcode, struct store_put *put);
/* Of what the block itself answers, always alike: held for ever, whatever the cache's rules. */
void server_block__keep_exact(const struct server_block *sb, const struct answer *answer,
			      uint16_t owner, struct store_put *put, uint32_t *ttl_s);

#endif /* NODENS_SERVER_BLOCK_H */
