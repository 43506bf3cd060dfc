// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * From query to reply. Contract: resolver.h.
 */
#include "resolver.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"

#define SERVFAIL_TTL_S 5     /* as CoreDNS */
#define MAX_WAITERS    16384 /* all exchanges together; some 400 bytes each */
#define BUCKETS	       8192

struct waiter {
	struct waiter *next;
	struct client client;
	struct dns_query query;
};

/* An exchange and the queries that wait for it. */
struct pending {
	struct exchange exchange;
	struct resolver *resolver;
	struct pending *next; /* in its bucket */
	uint64_t hash;
	const struct corefile_block *block;
	struct waiter *first, **last;
	unsigned int n_waiters;
};

struct resolver {
	struct resolver_config config;
	struct upstream_group ***groups; /* [block][forward] */
	struct pending *buckets[BUCKETS];
	unsigned int n_pending, n_waiters;
	uint32_t rotate;
	bool overloaded;
	uint8_t msg[DNS_MAX_MSG];
};

static void count(struct resolver *resolver, enum agent_stat stat)
{
	resolver->config.stats->v[stat]++;
}

size_t resolver__udp_limit(const struct dns_query *query, uint16_t bufsize)
{
	size_t size = query->edns_size < bufsize ? query->edns_size : bufsize;

	return size > 512 ? size : 512;
}

static void reply(struct resolver *resolver, const struct client *client,
		  const struct dns_query *query, const struct answer *answer, uint32_t ttl_s)
{
	const struct resolver_config *config = &resolver->config;
	struct reply_options opts = {
		.limit = client->tcp ? DNS_MAX_MSG : resolver__udp_limit(query, config->bufsize),
		.ttl_s = ttl_s,
		.rotate = resolver->rotate++,
		.bufsize = config->bufsize,
	};
	int len = reply__build(resolver->msg, sizeof(resolver->msg), query, answer, &opts);

	config->reply(config->ctx, client, resolver->msg, len > 0 ? len : 0);
}

static void reply_rcode(struct resolver *resolver, const struct client *client,
			const struct dns_query *query, uint16_t rcode)
{
	struct answer *answer = answer__empty(&query->qname, query->qtype, query->key_flags, rcode);

	count(resolver, rcode == DNS_REFUSED ? AGENT_STAT_REFUSED : AGENT_STAT_SERVFAIL);
	if (answer)
		reply(resolver, client, query, answer, 0);
	else
		resolver->config.reply(resolver->config.ctx, client, NULL, 0);
	answer__free(answer);
}

struct keep resolver__keep(const struct corefile_cache *cache, const struct answer *answer,
			   enum admission admission)
{
	struct keep keep = { .kind = NODENS_NEGATIVE, .ttl_s = answer->ttl_s };
	const struct corefile_cache_side *side = &cache->denial;

	if (!cache->enabled || admission == ADMIT_PASS)
		return keep;
	if (admission == ADMIT_POSITIVE) {
		side = &cache->success;
		keep.kind = NODENS_POSITIVE;
	}
	if (!side->capacity)
		return keep;
	if (admission == ADMIT_SERVFAIL) {
		keep.ttl_s = SERVFAIL_TTL_S;
	} else {
		if (keep.ttl_s < side->min_ttl_s)
			keep.ttl_s = side->min_ttl_s;
		if (keep.ttl_s > side->ttl_s)
			keep.ttl_s = side->ttl_s;
	}
	keep.store = keep.ttl_s > 0;
	return keep;
}

/* Two thresholds, so that the flag does not flutter. */
static void judge_load(struct resolver *resolver)
{
	const struct resolver_config *config = &resolver->config;
	bool overloaded = resolver->n_pending >
			  (resolver->overloaded ? config->shed_above / 2 : config->shed_above);

	if (overloaded == resolver->overloaded)
		return;
	resolver->overloaded = overloaded;
	if (config->overload)
		config->overload(config->ctx, overloaded);
}

static void pending_unlink(struct pending *pending)
{
	struct resolver *resolver = pending->resolver;
	struct pending **at = &resolver->buckets[pending->hash % BUCKETS];

	while (*at != pending)
		at = &(*at)->next;
	*at = pending->next;
	resolver->n_pending--;
	resolver->n_waiters -= pending->n_waiters;
	resolver->config.stats->v[AGENT_STAT_WAITING] = resolver->n_waiters;
}

static void pending_done(struct exchange *exchange, struct answer *answer, enum admission admission)
{
	struct pending *pending = (struct pending *)exchange;
	struct resolver *resolver = pending->resolver;
	struct keep keep = { .store = false };
	struct waiter *waiter;

	pending_unlink(pending);
	if (answer)
		keep = resolver__keep(&pending->block->cache, answer, admission);
	while ((waiter = pending->first)) {
		pending->first = waiter->next;
		if (answer)
			reply(resolver, &waiter->client, &waiter->query, answer, keep.ttl_s);
		else
			reply_rcode(resolver, &waiter->client, &waiter->query, DNS_SERVFAIL);
		free(waiter);
	}
	if (keep.store && resolver->config.store) {
		if (!store__put(resolver->config.store, answer, keep.kind, keep.ttl_s, clock_now()))
			count(resolver, AGENT_STAT_CACHE_STORED);
	} else {
		answer__free(answer);
	}
	free(pending);
	judge_load(resolver);
}

_Static_assert(offsetof(struct pending, exchange) == 0, "pending_done casts");

static struct pending *pending_find(struct resolver *resolver, uint64_t hash,
				    const struct corefile_block *block,
				    const struct dns_name *qname_lower,
				    const struct dns_query *query)
{
	struct pending *pending = resolver->buckets[hash % BUCKETS];

	for (; pending; pending = pending->next) {
		const struct exchange *ex = &pending->exchange;

		if (pending->hash == hash && pending->block == block && ex->qtype == query->qtype &&
		    ex->key_flags == query->key_flags && ex->qname.len == qname_lower->len &&
		    !memcmp(ex->qname.wire, qname_lower->wire, qname_lower->len))
			return pending;
	}
	return NULL;
}

static int pending_join(struct pending *pending, const struct client *client,
			const struct dns_query *query)
{
	struct resolver *resolver = pending->resolver;
	struct waiter *waiter;

	if (resolver->n_waiters >= MAX_WAITERS)
		return -EBUSY;
	waiter = malloc(sizeof(*waiter));
	if (!waiter)
		return -ENOMEM;
	waiter->next = NULL;
	waiter->client = *client;
	waiter->query = *query;
	*pending->last = waiter;
	pending->last = &waiter->next;
	pending->n_waiters++;
	resolver->config.stats->v[AGENT_STAT_WAITING] = ++resolver->n_waiters;
	return 0;
}

static struct pending *pending_new(struct resolver *resolver, uint64_t hash,
				   const struct corefile_block *block,
				   const struct dns_name *qname_lower,
				   const struct dns_query *query)
{
	struct pending *pending = malloc(sizeof(*pending));
	struct pending **bucket = &resolver->buckets[hash % BUCKETS];

	if (!pending)
		return NULL;
	memset(&pending->exchange, 0, sizeof(pending->exchange));
	pending->exchange.qname = *qname_lower;
	pending->exchange.qtype = query->qtype;
	pending->exchange.key_flags = query->key_flags;
	pending->exchange.done = pending_done;
	pending->resolver = resolver;
	pending->hash = hash;
	pending->block = block;
	pending->first = NULL;
	pending->last = &pending->first;
	pending->n_waiters = 0;
	pending->next = *bucket;
	*bucket = pending;
	resolver->n_pending++;
	return pending;
}

static void pending_drop(struct pending *pending)
{
	struct waiter *waiter;

	pending_unlink(pending);
	while ((waiter = pending->first)) {
		pending->first = waiter->next;
		free(waiter);
	}
	free(pending);
}

/* Not held: ask upstream, alone or together with who asks the same already. */
static void resolve(struct resolver *resolver, const struct corefile_block *block,
		    const struct client *client, const struct dns_name *qname_lower,
		    const struct dns_query *query, uint64_t now)
{
	const struct corefile_forward *forward;
	size_t index = block - resolver->config.corefile->blocks;
	struct pending *pending;
	uint16_t rcode = DNS_SERVFAIL;
	uint64_t hash;

	hash = question__hash(resolver->config.hash_key, qname_lower, query->qtype,
			      query->key_flags) +
	       index;
	pending = pending_find(resolver, hash, block, qname_lower, query);
	if (pending) {
		if (pending_join(pending, client, query))
			goto shed;
		count(resolver, AGENT_STAT_COALESCED);
		return;
	}
	forward = corefile__forward_for(block, qname_lower->wire, qname_lower->len);
	if (!forward)
		goto refuse;
	if (resolver->n_pending >= resolver->config.max_exchanges)
		goto shed;
	pending = pending_new(resolver, hash, block, qname_lower, query);
	if (!pending)
		goto shed;
	if (pending_join(pending, client, query)) {
		pending_drop(pending);
		goto shed;
	}
	if (exchange__start(resolver->groups[index][forward - block->forwards], &pending->exchange,
			    now)) {
		pending_drop(pending);
		rcode = DNS_REFUSED; /* max_concurrent, as CoreDNS */
		goto refuse;
	}
	judge_load(resolver);
	return;

shed:
	count(resolver, AGENT_STAT_SHED);
refuse:
	reply_rcode(resolver, client, query, rcode);
}

void resolver__query(struct resolver *resolver, const struct client *client,
		     const struct dns_query *query, uint64_t now)
{
	const struct resolver_config *config = &resolver->config;
	struct dns_name lower = query->qname;
	const struct corefile_block *block;
	const struct answer *answer = NULL;
	uint32_t ttl_s = 0;

	dns_name__lower(&lower);
	block = corefile__block_at(config->corefile, lower.wire, lower.len,
				   (const struct sockaddr_storage *)&client->local);
	if (!block) {
		reply_rcode(resolver, client, query, DNS_REFUSED);
		return;
	}
	if (block->cache.enabled && config->store)
		answer = store__get(config->store, &lower, query->qtype, query->key_flags, now,
				    &ttl_s);
	if (answer) {
		count(resolver, AGENT_STAT_CACHE_HITS);
		reply(resolver, client, query, answer, ttl_s);
		return;
	}
	resolve(resolver, block, client, &lower, query, now);
}

unsigned int resolver__in_flight(const struct resolver *resolver)
{
	return resolver->n_pending;
}

static int open_groups(struct resolver *resolver)
{
	const struct corefile *cf = resolver->config.corefile;

	resolver->groups = calloc(cf->blocks_len, sizeof(resolver->groups[0]));
	if (!resolver->groups)
		return -ENOMEM;
	for (size_t i = 0; i < cf->blocks_len; i++) {
		const struct corefile_block *block = &cf->blocks[i];

		if (!block->forwards_len)
			continue;
		resolver->groups[i] = calloc(block->forwards_len, sizeof(resolver->groups[i][0]));
		if (!resolver->groups[i])
			return -ENOMEM;
		for (size_t j = 0; j < block->forwards_len; j++) {
			int ret =
				upstream_group__open(resolver->config.upstreams,
						     &block->forwards[j], &resolver->groups[i][j]);

			if (ret)
				return ret;
		}
	}
	return 0;
}

int resolver__open(const struct resolver_config *config, struct resolver **out)
{
	struct resolver *resolver = calloc(1, sizeof(*resolver));
	int ret;

	if (!resolver)
		return -ENOMEM;
	resolver->config = *config;
	ret = open_groups(resolver);
	if (ret) {
		resolver__close(resolver);
		return ret;
	}
	*out = resolver;
	return 0;
}

void resolver__close(struct resolver *resolver)
{
	if (!resolver)
		return;
	for (size_t i = 0; i < BUCKETS; i++) {
		while (resolver->buckets[i]) {
			struct pending *pending = resolver->buckets[i];

			exchange__cancel(&pending->exchange);
			for (struct waiter *w = pending->first; w; w = w->next)
				resolver->config.reply(resolver->config.ctx, &w->client, NULL, 0);
			pending_drop(pending);
		}
	}
	for (size_t i = 0; resolver->groups && i < resolver->config.corefile->blocks_len; i++)
		free(resolver->groups[i]);
	free(resolver->groups);
	free(resolver);
}
