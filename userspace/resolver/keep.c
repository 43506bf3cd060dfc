// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The rules by which a block's cache keeps answers. Contract: server_block.h.
 */
#include "plugin/plugin.h"
#include "resolver/server_block.h"

/* SERVFAIL and NOTIMP: no answer, kept for a moment. */
static bool is_weak(uint16_t rcode)
{
	return rcode == DNS_SERVFAIL || rcode == DNS_NOTIMP;
}

struct keep cache__keep(const struct corefile_cache *cache, const struct answer *answer,
			enum verdict verdict)
{
	struct keep keep = { .kind = NODENS_NEGATIVE, .ttl_s = answer->ttl_s };
	const struct corefile_cache_side *side = &cache->denial;

	if (!cache->enabled || verdict == VERDICT_PASS)
		return keep;
	if (verdict == VERDICT_POSITIVE) {
		side = &cache->success;
		keep.kind = NODENS_POSITIVE;
	}
	if (!side->capacity)
		return keep;
	if (verdict == VERDICT_SERVFAIL) {
		keep.ttl_s = cache->servfail_s;
	} else {
		if (keep.ttl_s < side->min_ttl_s)
			keep.ttl_s = side->min_ttl_s;
		if (keep.ttl_s > side->ttl_s)
			keep.ttl_s = side->ttl_s;
	}
	keep.store = keep.ttl_s > 0;
	return keep;
}

static bool switched_off(const struct corefile_cache *cache, const struct dns_name *name, int kind)
{
	if (kind == NODENS_POSITIVE)
		return cache->disable_success &&
		       plugin__in_zones(&cache->disable_success_zones, name, true);
	return cache->disable_denial && plugin__in_zones(&cache->disable_denial_zones, name, true);
}

/* What is to be done about an answer when it ends. */
static void plan_end(const struct corefile_cache *cache, struct store_put *put)
{
	const struct corefile_prefetch *prefetch = &cache->prefetch;

	put->keep_s = cache->serve_stale_s;
	/* the programs say a TTL of 0; with another, the agent sends what has expired */
	put->stale_s =
		cache->stale == COREFILE_STALE_IMMEDIATE && !cache->stale_ttl_s ? put->keep_s : 0;
	put->refresh = prefetch->amount ? STORE_REFRESH_USED : STORE_REFRESH_NEVER;
	put->refresh_hits = prefetch->amount;
	put->refresh_within_ns = prefetch->duration_ns;
	put->refresh_left_s = ((uint64_t)put->ttl_s * prefetch->percent + 99) / 100;
}

bool server_block__keep(const struct server_block *sb, const struct answer *answer,
			enum verdict verdict, struct store_put *put, uint32_t *ttl_s)
{
	const struct corefile_cache *cache = &sb->config->cache;
	struct keep keep = cache__keep(cache, answer, verdict);

	/* outside of its zones the cache is not there: the TTL stays as it came, too */
	if (!plugin__in_zones(&cache->zones, &answer->qname, true)) {
		keep.store = false;
		keep.ttl_s = answer->ttl_s;
	}
	*ttl_s = keep.ttl_s;
	*put = (struct store_put){
		.kind = keep.kind,
		.ttl_s = keep.ttl_s,
		.partition = sb->partition,
		.bufsize = sb->config->bufsize,
		.keep_ttl = cache->keepttl,
		.weak = verdict == VERDICT_SERVFAIL,
	};
	if (verdict != VERDICT_SERVFAIL)
		plan_end(cache, put);
	return keep.store && !switched_off(cache, &answer->qname, keep.kind);
}

void server_block__keep_nx_below(struct store_put *put)
{
	put->stale_s = put->keep_s = 0;
	put->refresh = STORE_REFRESH_NEVER;
}

bool server_block__keep_on(const struct server_block *sb, const struct store_question *question,
			   uint16_t rcode, struct store_put *put)
{
	const struct corefile_cache *cache = &sb->config->cache;
	const struct corefile_cache_side *side =
		put->kind == NODENS_POSITIVE ? &cache->success : &cache->denial;
	uint32_t longest_s = is_weak(rcode) ? cache->servfail_s : side->ttl_s;

	put->partition = sb->partition;
	if (!cache->enabled || put->ttl_s > longest_s || put->keep_ttl != cache->keepttl ||
	    !plugin__in_zones(&cache->zones, &question->qname, true) ||
	    switched_off(cache, &question->qname, put->kind))
		return false;
	if (question->key_flags & NODENS_KEY_NX_BELOW) {
		server_block__keep_nx_below(put);
		return sb->config->nxdomain_cut;
	}
	if (is_weak(rcode))
		put->stale_s = put->keep_s = 0;
	else
		plan_end(cache, put);
	return true;
}

void server_block__keep_exact(const struct server_block *sb, const struct answer *answer,
			      uint16_t partition, struct store_put *put, uint32_t *ttl_s)
{
	const struct corefile_cache *cache = &sb->config->cache;
	bool positive = answer->count[DNS_ANSWER_SECTION];
	uint32_t ttl = answer->ttl_s ? answer->ttl_s : 1;

	/* As CoreDNS' cache in front would: its longest TTL, counting down. */
	if (cache->enabled) {
		const struct corefile_cache_side *side =
			positive ? &cache->success : &cache->denial;

		ttl = ttl > side->ttl_s ? side->ttl_s : ttl;
	}
	*ttl_s = ttl;
	*put = (struct store_put){
		.kind = positive ? NODENS_POSITIVE : NODENS_NEGATIVE,
		.ttl_s = ttl,
		.partition = partition,
		.bufsize = sb->config->bufsize,
		.keep_ttl = !cache->enabled || cache->keepttl,
		.fixed = true,
		.refresh = STORE_REFRESH_ALWAYS,
		.refresh_left_s = ttl / 10 + 1,
	};
}
