/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A server block at work: what its plugins made of it, and the rules by which it keeps answers.
 *
 * Contract: single-threaded; made from a corefile_block, which outlives it.
 */
#ifndef NODENS_SERVER_BLOCK_H
#define NODENS_SERVER_BLOCK_H

#include "config/corefile.h"
#include "plugin/plugin.h"
#include "resolver/nxdomain_policy.h"
#include "store/store.h"

struct upstream_group;
struct upstreams;

struct server_block {
	const struct corefile_block *config;
	uint16_t partition;	   /* of its entries in the store */
	void *state[PLUGIN_COUNT]; /* of each plugin; NULL: the block does not have it */
	struct nx_zone *nx_zones;  /* of each zone */
	/*
	 * Upstreams hear who asks. Then nothing of theirs is where the programs find it, each query
	 * is an exchange of its own, and only a client brings a new answer. As in CoreDNS, the
	 * block's cache is shared by all clients all the same.
	 */
	bool tells_client;
	bool admits;	/* a plugin of it looks at each client's query */
	bool by_family; /* a plugin of it answers clients over IPv4 and IPv6 differently */
};

int server_block__open(const struct corefile_block *block, uint16_t partition,
		       struct upstreams *upstreams, struct server_block *out, struct error *err);
void server_block__close(struct server_block *sb);

/* Has an upstream of each of its forwards ever answered? */
bool server_block__answered(const struct server_block *sb);
/* Whom it forwards the name to first; NULL: to nobody. */
struct upstream_group *server_block__group_for(const struct server_block *sb,
					       const struct dns_name *qname_lower);
/* The longest zone of the block that is the name or above it; 0 where all is well-formed. */
size_t server_block__zone(const struct server_block *sb, const struct dns_name *qname_lower);

/* May this answer be kept under a cache's rules; as what, for how long, and with which TTL? */
struct keep {
	bool store;
	int kind;	/* NODENS_POSITIVE, NODENS_NEGATIVE */
	uint32_t ttl_s; /* also what the first reply says */
};
struct keep cache__keep(const struct corefile_cache *cache, const struct answer *answer,
			enum verdict verdict);
/* The same, and how the store is to hold it; the zones of the cache directive are looked at. */
bool server_block__keep(const struct server_block *sb, const struct answer *answer,
			enum verdict verdict, struct store_put *put, uint32_t *ttl_s);
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
			      uint16_t partition, struct store_put *put, uint32_t *ttl_s);

#endif /* NODENS_SERVER_BLOCK_H */
