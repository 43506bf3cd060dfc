// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * serve_stale: what has expired, for clients whose upstreams have nothing better (RFC 8767).
 * Contract: resolver_priv.h.
 */
#include "resolver_priv.h"

/* Who could be answered with what has expired waits no longer for better: RFC 8767, 5. */
#define STALE_AFTER_NS (1800 * NSEC_PER_MS)
/*
 * With verify, so long the programs answer with it once upstreams had nothing. While somebody asks,
 * upstreams are asked too (each 5.4 s, store/tick.c) for a deadline at most (5 s), and that makes
 * it longer: clients do not wait again.
 */
#define STALE_WINDOW_S 12

bool stale_rechecks(const struct resolver *resolver, const struct server_block *sb,
		    const struct question *question, uint64_t now)
{
	const struct recheck *recheck;
	uint64_t hash;

	if (!sb->config->cache.stale_recheck_ns)
		return false;
	hash = inflight_hash(resolver, sb, question);
	recheck = &resolver->rechecks[hash % RECHECKS];
	return (recheck->hash == hash && recheck->until_ns > now) ||
	       inflight_find((struct resolver *)resolver, hash, sb, question);
}

static void want_new(struct store *store, const struct question *q)
{
	store__want(store, &q->qname, q->qtype, q->key_flags);
}

/* A stale answer that may be sent at once; the store asks for a new one by itself. */
const struct answer *stale_find(struct resolver *resolver, const struct server_block *sb,
				const struct question *q, uint64_t now)
{
	struct store *store = resolver->config.store;
	const struct answer *answer;
	uint32_t past_s;

	if (!sb->config->cache.serve_stale_s ||
	    (sb->config->cache.stale != COREFILE_STALE_IMMEDIATE &&
	     !stale_rechecks(resolver, sb, q, now)))
		return NULL;
	answer = store__get_stale(store, &q->qname, q->qtype, q->key_flags, now, &past_s);
	if (answer)
		want_new(store, q);
	return answer;
}

/* Upstreams have nothing better: what has expired, while the block's serve_stale lasts. */
static bool reply_stale(struct inflight *flight, uint64_t now)
{
	const struct corefile_cache *cache = &flight->way.sb->config->cache;
	struct store *store = flight->way.resolver->config.store;
	const struct question *q = &flight->way.passage.question;
	const struct answer *answer = NULL;
	uint32_t past_s;

	if (store && cache->serve_stale_s)
		answer = store__get_stale(store, &q->qname, q->qtype, q->key_flags, now, &past_s);
	if (!answer)
		return false;
	/* not where the agent asked for itself: else it would for as long as serve_stale lasts */
	if (flight->first)
		want_new(store, q);
	reply_all(flight, answer, cache->stale_ttl_s, PLUGIN_CACHE, true, NULL);
	/* immediate: they do all the time that it is kept; and they say a TTL of 0 */
	if (cache->stale == COREFILE_STALE_VERIFY && !cache->stale_ttl_s)
		store__publish_stale(store, &q->qname, q->qtype, q->key_flags, STALE_WINDOW_S, now);
	return true;
}

/* The same at the end of an attempt that was in vain. */
bool stale_end(struct inflight *flight, uint64_t now)
{
	uint64_t recheck_ns = flight->way.sb->config->cache.stale_recheck_ns;

	if (!reply_stale(flight, now))
		return false;
	if (recheck_ns)
		flight->way.resolver->rechecks[flight->way.hash % RECHECKS] =
			(struct recheck){ flight->way.hash, now + recheck_ns };
	return true;
}

/* Who joins from now on has a time of its own. */
static void on_stale(void *arg, uint64_t now)
{
	struct inflight *flight = arg;

	reply_stale(flight, now);
	resolver_update_shed(flight->way.resolver);
}

/* verify: better ask first, but not for longer than a client waits. */
void stale_plan(struct resolver *resolver, const struct server_block *sb, const struct question *q,
		uint64_t now)
{
	const struct corefile_cache *cache = &sb->config->cache;
	struct inflight *flight;
	uint32_t past_s;

	if (!resolver->config.store || !cache->serve_stale_s)
		return;
	flight = inflight_find(resolver, inflight_hash(resolver, sb, q), sb, q);
	if (!flight || flight->stale.set ||
	    !store__get_stale(resolver->config.store, &q->qname, q->qtype, q->key_flags, now,
			      &past_s))
		return;
	loop_timer__init(&flight->stale, resolver->config.loop, on_stale, flight);
	loop_timer__set(&flight->stale,
			cache->stale_wait_ns ? cache->stale_wait_ns : STALE_AFTER_NS);
}

/* serve_stale_policy: a name that is denied keeps the addresses that it had, for as long as stale
 * answers are kept. */
bool stale_keeps_positive(const struct inflight *flight, enum verdict verdict, uint64_t now)
{
	struct store *store = flight->way.resolver->config.store;
	const struct question *q = &flight->way.passage.question;
	const struct answer *had;
	uint32_t unused;

	if (!store || !flight->way.sb->config->cache.prefer_positive || verdict == VERDICT_POSITIVE)
		return false;
	had = store__get(store, &q->qname, q->qtype, q->key_flags, now, &unused);
	if (!had)
		had = store__get_stale(store, &q->qname, q->qtype, q->key_flags, now, &unused);
	return had && (had->flags & DNS_RCODE) == DNS_NOERROR && had->count[DNS_ANSWER_SECTION];
}

/* Upstreams know better than what has expired, though that is not to be kept. */
void stale_drop(const struct inflight *flight, uint64_t now)
{
	struct store *store = flight->way.resolver->config.store;
	const struct question *q = &flight->way.passage.question;
	uint32_t past_s;

	if (store && store__get_stale(store, &q->qname, q->qtype, q->key_flags, now, &past_s))
		store__remove(store, &q->qname, q->qtype, q->key_flags);
}
