// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The page, first part: what is kept per zone and per cache. Contract: metrics_priv.h.
 *
 * As with CoreDNS a series is there from the first time that it counted.
 */
#include <stdio.h>

#include "metrics_priv.h"

static const char *const time_le[HISTOGRAM_BUCKETS + 1] = {
	"le=\"0.00025\"", "le=\"0.0005\"", "le=\"0.001\"", "le=\"0.002\"", "le=\"0.004\"",
	"le=\"0.008\"",	  "le=\"0.016\"",  "le=\"0.032\"", "le=\"0.064\"", "le=\"0.128\"",
	"le=\"0.256\"",	  "le=\"0.512\"",  "le=\"1.024\"", "le=\"2.048\"", "le=\"4.096\"",
	"le=\"8.192\"",	  "le=\"+Inf\"",
};

static const char *const size_le[METRICS_SIZE_BUCKETS + 1] = {
	"le=\"0\"",	"le=\"100\"",	"le=\"200\"",	"le=\"300\"",	"le=\"400\"",
	"le=\"511\"",	"le=\"1023\"",	"le=\"2047\"",	"le=\"4095\"",	"le=\"8291\"",
	"le=\"16000\"", "le=\"32000\"", "le=\"48000\"", "le=\"64000\"", "le=\"+Inf\"",
};

static const char *const proto_text[2] = { "proto=\"udp\"", "proto=\"tcp\"" };

#define TYPE(type) "type=\"" type "\""

static const char *const type_text[NODENS_QTYPE_COUNT] = {
#define X(number, text) [NODENS_QTYPE_##number] = text,
	NODENS_QTYPES(X)
#undef X
		[NODENS_QTYPE_OTHER] = "other",
};

static const char *const plugin_text[PLUGIN_COUNT] = {
#define X(id, text) [PLUGIN_##id] = ",plugin=\"" text "\"",
	PLUGINS(X)
#undef X
};

/* A histogram of nothing is left out. */
static void histogram(struct metrics_page *page, const char *name, const char *labels,
		      const uint64_t *buckets, const char *const *le, unsigned int n)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < n; i++) {
		sum += buckets[i];
		metrics_page__u64(page, name, "_bucket", labels, le[i], sum);
	}
	metrics_page__u64(page, name, "_count", labels, "", sum);
}

static bool any(const uint64_t *buckets, unsigned int n)
{
	while (n--) {
		if (buckets[n])
			return true;
	}
	return false;
}

void metrics_render_time(struct metrics_page *page, const char *name, const char *labels,
			 const struct histogram *time)
{
	if (!any(time->bucket, HISTOGRAM_BUCKETS + 1))
		return;
	histogram(page, name, labels, time->bucket, time_le, HISTOGRAM_BUCKETS + 1);
	metrics_page__ns(page, name, "_sum", labels, "", time->sum_ns);
}

static void render_size(struct metrics_page *page, const char *name, const char *labels,
			const struct metrics_size sizes[2])
{
	char with_proto[4096];

	for (int tcp = 0; tcp < 2; tcp++) {
		if (!any(sizes[tcp].bucket, METRICS_SIZE_BUCKETS + 1))
			continue;
		snprintf(with_proto, sizeof(with_proto), "%s,%s", labels, proto_text[tcp]);
		histogram(page, name, with_proto, sizes[tcp].bucket, size_le,
			  METRICS_SIZE_BUCKETS + 1);
		metrics_page__u64(page, name, "_sum", with_proto, "", sizes[tcp].sum);
	}
}

static void render_requests(struct metrics_page *page, const struct series *series)
{
	for (int i = 0; i < 4 * NODENS_QTYPE_COUNT; i++) {
		int tcp = i / (2 * NODENS_QTYPE_COUNT), ip6 = i / NODENS_QTYPE_COUNT % 2;
		int type = i % NODENS_QTYPE_COUNT;
		uint64_t n = series->zone->requests[tcp][ip6][type];
		char extra[64];

		if (!n)
			continue;
		snprintf(extra, sizeof(extra), "%s,family=\"%d\",type=\"%s\"", proto_text[tcp],
			 ip6 + 1, type_text[type]);
		metrics_page__u64(page, "coredns_dns_requests_total", "", series->labels, extra, n);
	}
}

static void render_responses(struct metrics_page *page, const struct series *series)
{
	for (int plugin = 0; plugin < PLUGIN_COUNT; plugin++) {
		for (int rcode = 0; rcode < RCODE_COUNT; rcode++) {
			uint64_t n = series->zone->responses[plugin][rcode];
			char extra[64];

			if (!n)
				continue;
			snprintf(extra, sizeof(extra), "%s%s", rcode_labels[rcode],
				 plugin_text[plugin]);
			metrics_page__u64(page, "coredns_dns_responses_total", "", series->labels,
					  extra, n);
		}
	}
}

static void render_duration(struct metrics_page *page, const struct series *series)
{
	metrics_render_time(page, "coredns_dns_request_duration_seconds", series->labels,
			    &series->zone->duration);
}

static void render_request_size(struct metrics_page *page, const struct series *series)
{
	render_size(page, "coredns_dns_request_size_bytes", series->labels,
		    series->zone->request_size);
}

static void render_response_size(struct metrics_page *page, const struct series *series)
{
	render_size(page, "coredns_dns_response_size_bytes", series->labels,
		    series->zone->response_size);
}

static void render_do(struct metrics_page *page, const struct series *series)
{
	if (series->zone->dnssec_ok)
		metrics_page__u64(page, "coredns_dns_do_requests_total", "", series->labels, "",
				  series->zone->dnssec_ok);
}

static void render_zones(struct metrics *m, struct metrics_page *page)
{
	static const struct {
		const char *name, *type, *help;
		void (*render)(struct metrics_page *page, const struct series *series);
	} families[] = {
		{ "coredns_dns_requests_total", "counter",
		  "DNS requests per server, zone, protocol, family and type, with those answered "
		  "in the kernel.",
		  render_requests },
		{ "coredns_dns_responses_total", "counter",
		  "DNS responses per server, zone, rcode and plugin that answered.",
		  render_responses },
		{ "coredns_dns_request_duration_seconds", "histogram",
		  "Time each request took. Of those answered in the kernel one in 1024 at most is "
		  "measured and stands for the others: the count is exact, the rest as measured.",
		  render_duration },
		{ "coredns_dns_request_size_bytes", "histogram", "Size of the requests.",
		  render_request_size },
		{ "coredns_dns_response_size_bytes", "histogram", "Size of the responses.",
		  render_response_size },
		{ "coredns_dns_do_requests_total", "counter", "Requests with the DO bit.",
		  render_do },
	};
	const struct registry *zones = &m->registry[SERIES_ZONE];

	for (size_t f = 0; f < sizeof(families) / sizeof(families[0]); f++) {
		metrics_page__head(page, families[f].name, families[f].type, families[f].help);
		for (size_t i = 0; i < zones->len; i++) {
			if (zones->list[i]->zone)
				families[f].render(page, zones->list[i]);
		}
	}
}

static void render_plugins(struct metrics *m, struct metrics_page *page)
{
	const struct registry *zones = &m->registry[SERIES_ZONE];
	const char *name;
	char extra[64];

	metrics_page__head(page, "coredns_plugin_enabled", "gauge",
			   "1: the plugin is enabled for the server and zone.");
	for (size_t i = 0; i < zones->len; i++) {
		if (zones->list[i]->generation != m->generation)
			continue;
		for (unsigned int n = 0; (name = metrics_plugin_name(n)); n++) {
			if (!(zones->list[i]->plugins >> n & 1))
				continue;
			snprintf(extra, sizeof(extra), "name=\"%s\"", name);
			metrics_page__u64(page, "coredns_plugin_enabled", "",
					  zones->list[i]->labels, extra, 1);
		}
	}
}

static bool cache_seen(const struct cache_counters *cache)
{
	return cache->block != METRICS_NO_BLOCK || cache->hits[0] || cache->hits[1] ||
	       cache->misses;
}

/* One counter of every cache; @at: its offset in struct cache_counters. */
static void render_cache(struct metrics *m, struct metrics_page *page, const char *name,
			 const char *help, size_t at)
{
	const struct registry *caches = &m->registry[SERIES_CACHE];

	metrics_page__head(page, name, "counter", help);
	for (size_t i = 0; i < caches->len; i++) {
		const struct cache_counters *cache = &caches->list[i]->cache;

		if (cache_seen(cache))
			metrics_page__u64(page, name, "", caches->list[i]->labels, "",
					  *(const uint64_t *)((const char *)cache + at));
	}
}

static const char *const kind_text[2] = { TYPE("success"), TYPE("denial") };

static void render_cache_hits(struct metrics *m, struct metrics_page *page)
{
	const struct registry *caches = &m->registry[SERIES_CACHE];

	metrics_page__head(page, "coredns_cache_hits_total", "counter",
			   "Cache hits, those in the kernel included.");
	for (size_t i = 0; i < caches->len; i++) {
		for (int kind = 0; kind < 2; kind++) {
			if (cache_seen(&caches->list[i]->cache))
				metrics_page__u64(page, "coredns_cache_hits_total", "",
						  caches->list[i]->labels, kind_text[kind],
						  caches->list[i]->cache.hits[kind]);
		}
	}
	metrics_page__head(page, "coredns_cache_requests_total", "counter",
			   "Cache look-ups: hits and misses.");
	for (size_t i = 0; i < caches->len; i++) {
		const struct cache_counters *cache = &caches->list[i]->cache;

		if (cache_seen(cache))
			metrics_page__u64(page, "coredns_cache_requests_total", "",
					  caches->list[i]->labels, "",
					  cache->hits[0] + cache->hits[1] + cache->misses);
	}
}

/* What the store knows of each cache: entries, evictions. */
static void render_cache_store(struct metrics *m, struct metrics_page *page, bool entries)
{
	const char *name = entries ? "coredns_cache_entries" : "coredns_cache_evictions_total";
	const struct registry *caches = &m->registry[SERIES_CACHE];

	metrics_page__head(page, name, entries ? "gauge" : "counter",
			   entries ? "Answers in the cache."
				   : "Answers evicted to make room for others.");
	for (size_t i = 0; i < caches->len && m->config.cache; i++) {
		struct metrics_cache count = { { 0, 0 }, { 0, 0 } };

		if (caches->list[i]->cache.block == METRICS_NO_BLOCK)
			continue;
		m->config.cache(m->config.ctx, caches->list[i]->cache.block, &count);
		for (int kind = 0; kind < 2; kind++)
			metrics_page__u64(page, name, "", caches->list[i]->labels, kind_text[kind],
					  entries ? count.entries[kind] : count.evictions[kind]);
	}
}

static void render_templates(struct metrics *m, struct metrics_page *page)
{
	static const struct {
		const char *name, *help;
	} families[METRICS_TEMPLATE_EVENT_COUNT] = {
		[METRICS_TEMPLATE_MATCH] = { "coredns_template_matches_total",
					     "Queries that matched the template." },
		[METRICS_TEMPLATE_FAILURE] = { "coredns_template_template_failures_total",
					       "Templates that could not be executed." },
		[METRICS_TEMPLATE_RR_FAILURE] = { "coredns_template_rr_failures_total",
						  "Templates whose result was no valid record." },
	};
	const struct registry *templates = &m->registry[SERIES_TEMPLATE];

	for (int event = 0; event < METRICS_TEMPLATE_EVENT_COUNT; event++) {
		metrics_page__head(page, families[event].name, "counter", families[event].help);
		for (size_t i = 0; i < templates->len; i++)
			metrics_page__u64(page, families[event].name, "",
					  templates->list[i]->labels, "",
					  templates->list[i]->template.events[event]);
	}
}

void metrics_render(struct metrics *m, struct metrics_page *page)
{
	render_zones(m, page);
	render_plugins(m, page);
	render_cache_store(m, page, true);
	render_cache_store(m, page, false);
	render_cache_hits(m, page);
	render_cache(m, page, "coredns_cache_misses_total", "Cache look-ups without an answer.",
		     offsetof(struct cache_counters, misses));
	render_cache(m, page, "coredns_cache_served_stale_total",
		     "Hits that had expired, those in the kernel included.",
		     offsetof(struct cache_counters, stale));
#define X(id, name, help)                                      \
	render_cache(m, page, name, help,                      \
		     offsetof(struct cache_counters, events) + \
			     METRICS_CACHE_##id * sizeof(uint64_t));
	METRICS_CACHE_EVENTS(X)
#undef X
	render_templates(m, page);
}
