// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * What the agent and its programs do, as metrics. Contract: agent_priv.h.
 *
 * Metrics count by the block numbers of the configuration at work. A query that an older one still
 * answers counts for the block that has its name now.
 */
#include <errno.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

#include "agent_priv.h"
#include "plugin/hosts.h"
#include "plugin/template.h"

/* ---- where numbers that others keep come from ---- */

static int read_kernel(void *ctx, uint64_t counters[NODENS_CTR_COUNT])
{
	struct agent *agent = ctx;

	if (agent->datapath)
		return datapath__counters(agent->datapath, counters);
	if (!agent->store) /* standing by */
		return -ENOENT;
	memset(counters, 0, NODENS_CTR_COUNT * sizeof(counters[0])); /* userspace only */
	return 0;
}

static bool has_path(void *ctx)
{
	return agent_devices__has_path(ctx);
}

static void read_store(void *ctx, struct store_stats *out)
{
	struct agent *agent = ctx;

	if (agent->store)
		store__stats(agent->store, out);
}

static void read_cache(void *ctx, size_t block, struct metrics_cache *out)
{
	struct agent *agent = ctx;

	for (int kind = 0; kind < 2 && agent->store; kind++) {
		struct store_partition_stats stats;

		if (store__partition_stats(agent->store, block, kind, &stats))
			continue;
		out->entries[kind] = stats.entries;
		out->evictions[kind] = stats.evicted;
	}
}

static bool read_upstream(void *ctx, size_t index, struct upstream_stats *out)
{
	struct agent *agent = ctx;

	return agent->gen && upstreams__metrics(agent->gen->upstreams, index, out);
}

static void read_hosts(void *ctx, uint64_t *entries, double *written_s)
{
	struct agent *agent = ctx;
	const struct server_block *blocks;
	size_t n = 0;

	blocks = agent->gen ? resolver__blocks(agent->gen->resolver, &n) : NULL;
	for (size_t i = 0; i < n; i++) {
		const struct hosts *hosts = blocks[i].state[PLUGIN_HOSTS];
		double written;

		if (!hosts)
			continue;
		*entries += hosts__count(hosts);
		written = hosts__written_s(hosts);
		if (written > *written_s)
			*written_s = written;
	}
}

/* What templates have counted since the last time. */
static void tell_templates(struct agent *agent)
{
	struct generation *gen = agent->gen;
	const struct server_block *blocks;
	uint64_t *seen = gen->templates_seen;
	size_t n;

	blocks = resolver__blocks(gen->resolver, &n);
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < blocks[i].config->templates_len; k++) {
			for (int event = 0; event < METRICS_TEMPLATE_EVENT_COUNT; event++, seen++) {
				uint64_t now =
					template__count(blocks[i].state[PLUGIN_TEMPLATE], k, event);

				metrics__template(agent->metrics, i, k, event, now - *seen);
				*seen = now;
			}
		}
	}
}

static void sample(void *ctx)
{
	struct agent *agent = ctx;

	if (agent->store)
		store__tell_hits(agent->store);
	if (agent->gen)
		tell_templates(agent);
}

int agent_metrics__open(struct agent *agent)
{
	struct metrics_config config = {
		.ctx = agent,
		.agent = agent->map.stats,
		.kernel_path = has_path,
		.kernel = read_kernel,
		.store = read_store,
		.cache = read_cache,
		.upstream = read_upstream,
		.hosts = read_hosts,
		.sample = sample,
	};

	return metrics__open(&config, &agent->metrics);
}

/* Of the configuration as it reads when it is written out: what CoreDNS hashes is its text. */
static void tell_hash(struct agent *agent, const struct corefile *cf)
{
	char *text = NULL, hex[2 * SHA512_DIGEST_LENGTH + 1];
	uint8_t digest[SHA512_DIGEST_LENGTH];
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return;
	corefile__print(cf, out);
	if (!fclose(out)) {
		SHA512((const uint8_t *)text, len, digest);
		for (size_t i = 0; i < sizeof(digest); i++)
			snprintf(hex + 2 * i, 3, "%02x", digest[i]);
		metrics__config_hash(agent->metrics, hex);
		log_debug("SHA-512 of the configuration: %s", hex);
	}
	free(text);
}

void agent_metrics__configure(struct agent *agent, const struct corefile *cf)
{
	/* what was counted until now was the old blocks' */
	sample(agent);
	if (metrics__configure(agent->metrics, cf))
		log_error("out of memory: metrics still show the previous configuration");
	tell_hash(agent, cf);
}

/* ---- what the agent answered ---- */

/* The block of the configuration at work that the event counts for, and its zone. */
static size_t block_of(struct agent *agent, const struct generation *gen,
		       const struct resolver_event *event, size_t *zone)
{
	const struct corefile *cf = agent->gen->cf;
	const struct corefile_block *block;
	struct dns_name name;

	*zone = METRICS_NO_ZONE;
	if (!gen)
		return METRICS_NO_BLOCK;
	if (gen == agent->gen) {
		*zone = event->zone;
		return event->sb->config - gen->cf->blocks;
	}
	name = event->query->qname;
	dns_name__lower(&name);
	block = corefile__block_at(cf, &name, &event->client->local);
	if (!block)
		return METRICS_NO_BLOCK;
	*zone = metrics__zone(agent->metrics, block - cf->blocks, name.wire, name.len);
	return block - cf->blocks;
}

static enum metrics_cache_result cache_result(const struct resolver_event *event)
{
	const struct corefile_cache *cache;
	struct dns_name name;

	if (event->stale)
		return METRICS_CACHE_STALE;
	if (event->hit)
		return METRICS_CACHE_HIT;
	if (!event->sb || !event->sb->config->cache.enabled)
		return METRICS_CACHE_NONE;
	cache = &event->sb->config->cache;
	name = event->query->qname;
	dns_name__lower(&name);
	return plugin__in_zones(&cache->zones, &name, true) ? METRICS_CACHE_MISS
							    : METRICS_CACHE_NONE;
}

void agent_metrics__replied(struct agent *agent, const struct generation *gen,
			    const struct resolver_event *event)
{
	struct metrics_request request = {
		.tcp = event->client->tcp,
		.family = event->client->peer.sa.sa_family,
		.qtype = event->query->qtype,
		.dnssec_ok = event->query->edns_do,
		.request_size = event->client->query_size,
		.response_size = event->size,
		.rcode = event->rcode,
		.plugin = event->plugin,
		.duration_ns = event->duration_ns,
		.cache = cache_result(event),
		.cache_kind = event->kind,
	};

	request.block = block_of(agent, gen, event, &request.zone);
	metrics__request(agent->metrics, &request);
}

void agent__on_refused(void *ctx, const struct client *client, uint16_t rcode, size_t reply_size)
{
	struct agent *agent = ctx;
	struct metrics_request request = {
		.block = METRICS_NO_BLOCK,
		.zone = METRICS_NO_ZONE,
		.tcp = client->tcp,
		.family = client->peer.sa.sa_family,
		.request_size = client->query_size,
		.response_size = reply_size,
		.rcode = rcode,
	};

	metrics__request(agent->metrics, &request);
}

void agent__on_dropped(void *ctx, const struct corefile_forward *forward)
{
	struct agent *agent = ctx;

	for (size_t i = 0; agent->gen && i < agent->gen->cf->blocks_len; i++) {
		const struct corefile_block *block = &agent->gen->cf->blocks[i];

		if (forward >= block->forwards && forward < block->forwards + block->forwards_len) {
			metrics__cache_event(agent->metrics, i, METRICS_CACHE_DROP);
			return;
		}
	}
}

void agent_metrics__refresh(struct agent *agent, const struct store_question *question)
{
	const struct corefile *cf = agent->gen->cf;

	if (question->partition < cf->blocks_len && !(question->key_flags & NODENS_KEY_CUT) &&
	    cf->blocks[question->partition].cache.prefetch.amount)
		metrics__cache_event(agent->metrics, question->partition, METRICS_CACHE_PREFETCH);
}

/* ---- what the kernel answered ---- */

/* Who made an entry of what blocks answer themselves. */
static enum plugin_id maker(const struct server_block *sb, const struct dns_name *name,
			    const struct nodens_slot *slot)
{
	if (slot->key_flags & NODENS_KEY_CUT || !sb->state[PLUGIN_HOSTS])
		return PLUGIN_TEMPLATE;
	/* a template that has the same name comes first, but who would write both? */
	return !sb->state[PLUGIN_TEMPLATE] || ntohs(slot->qtype) == DNS_TYPE_PTR ||
			       hosts__has(sb->state[PLUGIN_HOSTS], name)
		       ? PLUGIN_HOSTS
		       : PLUGIN_TEMPLATE;
}

void agent__on_hits(void *ctx, const struct nodens_slot *slot, uint16_t partition, uint32_t n)
{
	struct agent *agent = ctx;
	struct metrics_kernel_hits hits = {
		.block = partition,
		.qtype = ntohs(slot->qtype),
		.rcode = ntohs(slot->flags) & DNS_RCODE,
		.key_flags = slot->key_flags,
		.kind = slot->kind,
		.plugin = PLUGIN_CACHE,
		.stale = slot->expires_ns <= loop__now(&agent->loop),
		.request_size = DNS_HEADER + slot->name_len + 4,
		.response_size = DNS_HEADER + slot->name_len + 4 + slot->blob_len,
		.hits = n,
	};
	const struct server_block *blocks;
	struct dns_name name;
	size_t n_blocks;

	if (!agent->metrics || !agent->gen)
		return;
	blocks = resolver__blocks(agent->gen->resolver, &n_blocks);
	if (partition >= n_blocks) {
		int block;

		name.len = slot->name_len;
		memcpy(name.wire, slot->data, slot->name_len);
		block = resolver__partition_of(agent->gen->resolver, &name);
		if (block < 0)
			return;
		hits.block = block;
		hits.plugin = maker(&blocks[block], &name, slot);
	}
	hits.zone = metrics__zone(agent->metrics, hits.block, slot->data, slot->name_len);
	metrics__kernel_hits(agent->metrics, &hits);
}
