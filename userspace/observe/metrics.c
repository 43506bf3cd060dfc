// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * What is counted as it happens. Contract: metrics.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "metrics_priv.h"

#define HEALTH_BUCKET_NS 250000 /* 0.00025 s */

static void size_add(struct metrics_size *sizes, size_t size)
{
	sizes->bucket[metrics_size_bucket(size)]++;
	sizes->sum += size;
}

void metrics__request(struct metrics *m, const struct metrics_request *request)
{
	struct zone_counters *zone =
		metrics_zone(m, metrics_zone_series(m, request->block, request->zone));
	struct cache_counters *cache = &metrics_cache_series(m, request->block)->cache;

	zone->requests[request->tcp][request->family == AF_INET6][metrics_type(request->qtype)]++;
	zone->responses[request->plugin][rcode__of(request->rcode)]++;
	histogram__add(&zone->duration, request->duration_ns);
	size_add(&zone->request_size[request->tcp], request->request_size);
	size_add(&zone->response_size[request->tcp], request->response_size);
	zone->dnssec_ok += request->dnssec_ok;
	switch (request->cache) {
	case METRICS_CACHE_NONE:
		break;
	case METRICS_CACHE_MISS:
		cache->misses++;
		break;
	case METRICS_CACHE_STALE:
		cache->stale++;
		/* fallthrough */
	case METRICS_CACHE_HIT:
		cache->hits[request->cache_kind == NODENS_NEGATIVE]++;
		break;
	}
}

void metrics__cache_event(struct metrics *m, size_t block, enum metrics_cache_event event)
{
	metrics_cache_series(m, block)->cache.events[event]++;
}

void metrics__template(struct metrics *m, size_t block, size_t index,
		       enum metrics_template_event event, uint64_t n)
{
	if (block < m->blocks_len && index < m->blocks[block].templates_len)
		m->blocks[block].templates[index]->template.events[event] += n;
}

void metrics__health_failed(struct metrics *m)
{
	m->health_failed++;
}

void metrics__health(struct metrics *m, uint64_t duration_ns)
{
	uint64_t bound = HEALTH_BUCKET_NS;
	unsigned int n = 0;

	while (n < METRICS_HEALTH_BUCKETS && duration_ns > bound) {
		bound *= 10;
		n++;
	}
	m->health[n]++;
	m->health_ns += duration_ns;
}

void metrics__config_hash(struct metrics *m, const char *hex)
{
	metrics_page__escape(hex, m->config_hash, sizeof(m->config_hash));
}

void metrics__setup_error(struct metrics *m, enum metrics_setup_error error)
{
	m->setup_errors[error]++;
}

int metrics__open(const struct metrics_config *config, struct metrics **out)
{
	static const struct corefile none = { .blocks_len = 0 };
	struct metrics *m = calloc(1, sizeof(*m));
	int ret;

	if (!m)
		return -ENOMEM;
	m->config = *config;
	m->random = 0x9e3779b97f4a7c15ull;
	ret = metrics__configure(m, &none);
	if (ret) {
		metrics__close(m);
		return ret;
	}
	*out = m;
	return 0;
}

void metrics__close(struct metrics *m)
{
	if (!m)
		return;
	metrics_unconfigure(m);
	page_cache__clear(&m->cache);
	free(m->numbers);
	free(m);
}

void metrics__rcodes(struct metrics *m, uint64_t n[RCODE_COUNT])
{
	const struct registry *zones = &m->registry[SERIES_ZONE];

	metrics__settle(m);
	memset(n, 0, RCODE_COUNT * sizeof(*n));
	for (size_t i = 0; i < zones->len; i++) {
		const struct zone_counters *zone = zones->list[i]->zone;

		for (int k = 0; zone && k < PLUGIN_COUNT * RCODE_COUNT; k++)
			n[k % RCODE_COUNT] += zone->responses[k / RCODE_COUNT][k % RCODE_COUNT];
	}
}

static int render(void *ctx, struct metrics_page *page)
{
	struct metrics *m = ctx;

	if (m->config.before_page)
		m->config.before_page(m->config.ctx);
	metrics__settle(m);
	metrics_render(m, page);
	metrics_render_own(m, page);
	metrics_render_upstreams(m, page);
	metrics_render_probes(m, page);
	return 0;
}

int metrics__scrape(struct metrics *m, struct evbuffer *out)
{
	return page_cache__get(&m->cache, m->config.loop, render, m, out);
}
