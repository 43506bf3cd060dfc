// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * What the agent and its programs do, as metrics. Contract: metrics_source.h.
 */
#include "agent/metrics_source.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "dns/slot.h"
#include "plugin/hosts.h"
#include "plugin/template.h"

/* ---- where numbers that others keep come from ---- */

struct metrics_source {
	struct metrics_source_config config;
	struct metrics *metrics;
	char hash[COREFILE_DIGEST]; /* of the configuration at work; "" */
};

static struct store *store_of(const struct metrics_source *source)
{
	return source->config.store(source->config.ctx);
}

static struct generation *at_work(const struct metrics_source *source)
{
	return source->config.generation(source->config.ctx);
}

static int read_kernel(void *ctx, uint64_t counters[NODENS_CTR_COUNT])
{
	const struct metrics_source *source = ctx;

	return source->config.kernel(source->config.ctx, counters);
}

static bool has_path(void *ctx)
{
	const struct metrics_source *source = ctx;

	return source->config.kernel_path(source->config.ctx);
}

static void read_heartbeat(void *ctx, uint64_t *age_ns, uint64_t *lease_ns)
{
	const struct metrics_source *source = ctx;

	source->config.heartbeat(source->config.ctx, age_ns, lease_ns);
}

static void read_store(void *ctx, struct store_stats *out)
{
	const struct store *store = store_of(ctx);

	if (store)
		store__stats(store, out);
}

static void read_cache(void *ctx, size_t block, struct metrics_cache *out)
{
	const struct store *store = store_of(ctx);

	for (int kind = 0; kind < 2 && store; kind++) {
		struct store_partition_stats stats;

		if (store__partition_stats(store, block, kind, &stats))
			continue;
		out->entries[kind] = stats.entries;
		out->evictions[kind] = stats.evicted;
	}
}

static bool read_upstream(void *ctx, size_t index, struct upstream_stats *out)
{
	const struct generation *gen = at_work(ctx);

	return gen && upstreams__metrics(gen->upstreams, index, out);
}

static bool read_probe(void *ctx, size_t index, struct probe_stats *out)
{
	const struct generation *gen = at_work(ctx);

	return gen && prober__stats(gen->prober, index, out);
}

static void read_hosts(void *ctx, uint64_t *entries, double *written_s)
{
	const struct generation *gen = at_work(ctx);
	const struct server_block *blocks;
	size_t n = 0;

	blocks = gen ? resolver__blocks(gen->resolver, &n) : NULL;
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
static void count_templates(struct metrics *metrics, struct generation *gen)
{
	const struct server_block *blocks;
	uint64_t *seen = gen->templates_seen;
	size_t n;

	blocks = resolver__blocks(gen->resolver, &n);
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < blocks[i].config->templates_len; k++) {
			for (int event = 0; event < METRICS_TEMPLATE_EVENT_COUNT; event++, seen++) {
				uint64_t now =
					template__count(blocks[i].state[PLUGIN_TEMPLATE], k, event);

				metrics__template(metrics, i, k, event, now - *seen);
				*seen = now;
			}
		}
	}
}

static void tell(void *ctx)
{
	const struct metrics_source *source = ctx;
	struct generation *gen = at_work(source);

	if (gen)
		count_templates(source->metrics, gen);
}

/* ---- what the programs count ---- */

static const struct datapath *datapath_of(void *ctx)
{
	const struct metrics_source *source = ctx;

	return source->config.datapath(source->config.ctx);
}

static uint32_t series_count(void *ctx)
{
	const struct datapath *dp = datapath_of(ctx);

	return dp ? datapath__series_count(dp) : 0;
}

static int read_series(void *ctx, uint32_t number, struct nodens_series *sum)
{
	return datapath__series(datapath_of(ctx), number, sum);
}

static int read_zone(void *ctx, uint32_t number, struct nodens_zone *zone)
{
	return datapath__zone(datapath_of(ctx), number, zone);
}

static int write_zone(void *ctx, uint32_t number, const struct nodens_zone *zone)
{
	return datapath__set_zone(datapath_of(ctx), number, zone);
}

static int read_times(void *ctx, struct nodens_times *sum)
{
	return datapath__times(datapath_of(ctx), sum);
}

static bool is_settled(void *ctx)
{
	const struct store *store = store_of(ctx);

	return store && store__settled(store);
}

int metrics_source_open(const struct metrics_source_config *config, struct metrics_source **out)
{
	struct metrics_source *source = calloc(1, sizeof(*source));
	struct metrics_config metrics = {
		.loop = config->loop,
		.ctx = source,
		.agent = config->stats,
		.kernel_path = has_path,
		.heartbeat = read_heartbeat,
		.kernel = read_kernel,
		.store = read_store,
		.cache = read_cache,
		.upstream = read_upstream,
		.probe = read_probe,
		.hosts = read_hosts,
		.before_page = tell,
		.series_count = series_count,
		.series = read_series,
		.zone = read_zone,
		.set_zone = write_zone,
		.times = read_times,
		.settled = is_settled,
	};
	int ret;

	if (!source)
		return -ENOMEM;
	source->config = *config;
	ret = metrics__open(&metrics, &source->metrics);
	if (ret) {
		free(source);
		return ret;
	}
	*out = source;
	return 0;
}

void metrics_source_close(struct metrics_source *source)
{
	if (!source)
		return;
	metrics__close(source->metrics);
	free(source);
}

struct metrics *metrics_source_metrics(struct metrics_source *source)
{
	return source->metrics;
}

static void set_hash(struct metrics_source *source, const struct corefile *cf)
{
	if (corefile__digest(cf, source->hash))
		return;
	metrics__config_hash(source->metrics, source->hash);
	log_debug("SHA-512 of the configuration: %s", source->hash);
}

void metrics_source_configure(struct metrics_source *source, const struct corefile *cf)
{
	uint32_t lacking;

	tell(source);
	if (metrics__configure(source->metrics, cf))
		log_error("out of memory: metrics still show the previous configuration");
	lacking = metrics__series_lacking(source->metrics);
	source->config.stats->v[AGENT_STAT_SERIES_LACKING] = lacking;
	if (lacking)
		log_warn("metrics: answers from the kernel for %u zone%s count as zone=\"other\": "
			 "there are %u series; restart nodens where zones have come by reloads",
			 lacking, lacking == 1 ? "" : "s", series_count(source));
	set_hash(source, cf);
}

const char *metrics_source_hash(const struct metrics_source *source)
{
	return source->hash;
}

/* ---- what the agent answered ---- */

/* The block of the configuration at work that the event counts for, and its zone. */
static size_t block_of(const struct metrics_source *source, const struct generation *gen,
		       const struct resolver_event *event, size_t *zone)
{
	const struct generation *now = at_work(source);
	const struct corefile_block *block;
	struct dns_name name;

	*zone = METRICS_NO_ZONE;
	if (!gen)
		return METRICS_NO_BLOCK;
	if (gen == now) {
		*zone = event->zone;
		return event->sb->config - gen->cf->blocks;
	}
	name = event->query->qname;
	dns_name__lower(&name);
	block = corefile__block_at(now->cf, &name, &event->client->local);
	if (!block)
		return METRICS_NO_BLOCK;
	*zone = metrics__zone(source->metrics, block - now->cf->blocks, name.wire, name.len);
	return block - now->cf->blocks;
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

void metrics_source_replied(struct metrics_source *source, const struct generation *gen,
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

	request.block = block_of(source, gen, event, &request.zone);
	metrics__request(source->metrics, &request);
}

void metrics_source_refused(struct metrics_source *source, const struct client *client,
			    uint16_t rcode, size_t reply_size)
{
	struct metrics_request request = {
		.block = METRICS_NO_BLOCK,
		.zone = METRICS_NO_ZONE,
		.tcp = client->tcp,
		.family = client->peer.sa.sa_family,
		.request_size = client->query_size,
		.response_size = reply_size,
		.rcode = rcode,
	};

	metrics__request(source->metrics, &request);
}

void metrics_source_dropped(struct metrics_source *source, const struct corefile_forward *forward)
{
	const struct generation *gen = at_work(source);

	for (size_t i = 0; gen && i < gen->cf->blocks_len; i++) {
		const struct corefile_block *block = &gen->cf->blocks[i];

		if (forward >= block->forwards && forward < block->forwards + block->forwards_len) {
			metrics__cache_event(source->metrics, i, METRICS_CACHE_DROP);
			return;
		}
	}
}

void metrics_source_refresh(struct metrics_source *source, const struct store_question *question)
{
	const struct corefile *cf = at_work(source)->cf;

	if (question->partition < cf->blocks_len && !(question->key_flags & NODENS_KEY_NX_BELOW) &&
	    cf->blocks[question->partition].cache.prefetch.amount)
		metrics__cache_event(source->metrics, question->partition, METRICS_CACHE_PREFETCH);
}

/* ---- what an entry counts as ---- */

/* Who made an entry of what blocks answer themselves. */
static enum plugin_id maker(const struct server_block *sb, const struct dns_name *name,
			    const struct nodens_slot *slot)
{
	if (slot->key_flags & NODENS_KEY_NX_BELOW || !sb->state[PLUGIN_HOSTS])
		return PLUGIN_TEMPLATE;
	/* a template that has the same name comes first, but who would write both? */
	return !sb->state[PLUGIN_TEMPLATE] || ntohs(slot->qtype) == DNS_TYPE_PTR ||
			       hosts__has(sb->state[PLUGIN_HOSTS], name)
		       ? PLUGIN_HOSTS
		       : PLUGIN_TEMPLATE;
}

struct store_series metrics_source_series(const struct metrics_source *source,
					  const struct nodens_slot *slot, uint16_t partition)
{
	const struct generation *gen = at_work(source);
	struct metrics_kernel_entry entry = {
		.block = partition,
		.qtype = ntohs(slot->qtype),
		.rcode = ntohs(slot->flags) & DNS_RCODE,
		.kind = slot->kind,
		.plugin = PLUGIN_CACHE,
	};
	const struct server_block *blocks;
	struct dns_name name;
	size_t n_blocks;

	if (!gen)
		return (struct store_series){ .number = NODENS_SERIES_OTHER };
	blocks = resolver__blocks(gen->resolver, &n_blocks);
	if (partition >= n_blocks) {
		int block;

		slot__name(slot, &name);
		block = resolver__partition_of(gen->resolver, &name);
		if (block < 0)
			return (struct store_series){ .number = NODENS_SERIES_OTHER };
		entry.block = block;
		entry.plugin = maker(&blocks[block], &name, slot);
	}
	entry.zone = metrics__zone(source->metrics, entry.block, slot->data, slot->name_len);
	return metrics__kernel_series(source->metrics, &entry);
}
