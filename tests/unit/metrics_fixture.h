/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Metrics whose sources say what a test wants, and figures read off their page.
 */
#ifndef NODENS_METRICS_FIXTURE_H
#define NODENS_METRICS_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <event2/buffer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "dns/msg.h"
#include "observe/metrics.h"
#include "virtual_loop.h"

#define COREFILE                                                                  \
	"cluster.local:53 {\n bind 169.254.20.10\n cache 30\n prometheus :9253\n" \
	" forward . 10.0.0.10\n}\n"                                               \
	"in-addr.arpa ip6.arpa {\n cache 30\n forward . 10.0.0.10\n}\n"           \
	". {\n bind ::1\n forward . 9.9.9.9\n}\n"

#define SERIES_MAX 16

/* What the programs and the store would have. */
struct programs {
	uint32_t count; /* of series; 0: there is no kernel path */
	struct nodens_series series[SERIES_MAX];
	struct nodens_zone zones[SERIES_MAX];
	struct nodens_times times;
	bool settled;
};

struct world {
	struct metrics *m;
	struct programs programs;
	struct agent_stats agent;
	uint64_t kernel[NODENS_CTR_COUNT];
	int kernel_error;
	size_t upstreams;
	struct virtual_loop v;
	char *page;
};

static inline int read_kernel(void *ctx, uint64_t counters[NODENS_CTR_COUNT])
{
	struct world *w = ctx;

	if (!w->kernel_error)
		memcpy(counters, w->kernel, sizeof(w->kernel));
	return w->kernel_error;
}

static inline uint32_t series_count(void *ctx)
{
	return ((struct world *)ctx)->programs.count;
}

static inline int read_series(void *ctx, uint32_t number, struct nodens_series *sum)
{
	struct world *w = ctx;

	assert_in_range(number, 0, w->programs.count - 1);
	if (!w->kernel_error)
		*sum = w->programs.series[number];
	return w->kernel_error;
}

static inline int read_zone(void *ctx, uint32_t number, struct nodens_zone *zone)
{
	*zone = ((struct world *)ctx)->programs.zones[number];
	return 0;
}

static inline int write_zone(void *ctx, uint32_t number, const struct nodens_zone *zone)
{
	((struct world *)ctx)->programs.zones[number] = *zone;
	return 0;
}

static inline int read_times(void *ctx, struct nodens_times *sum)
{
	*sum = ((struct world *)ctx)->programs.times;
	return 0;
}

static inline bool is_settled(void *ctx)
{
	return ((struct world *)ctx)->programs.settled;
}

static inline void read_store(void *ctx, struct store_stats *out)
{
	(void)ctx;
	out->entries[NODENS_POSITIVE] = 17;
	out->capacity[NODENS_NEGATIVE] = 9984;
}

static inline void read_cache(void *ctx, size_t block, struct metrics_cache *out)
{
	(void)ctx;
	out->entries[NODENS_POSITIVE] = 100 + block;
	out->evictions[NODENS_NEGATIVE] = 3;
}

static inline bool read_upstream(void *ctx, size_t index, struct upstream_stats *out)
{
	struct world *w = ctx;

	if (index >= w->upstreams)
		return false;
	memset(out, 0, sizeof(*out));
	out->to = index ? "9.9.9.9:53" : "10.0.0.10:53";
	out->requests = 12;
	for (int i = 0; i < 10; i++)
		histogram__add(&out->answered[rcode__of(DNS_NOERROR)], 300000);
	histogram__add(&out->answered[rcode__of(DNS_NXDOMAIN)], 1500000000);
	out->healthcheck_failures = 4;
	out->conn_cache_hits[UPSTREAM_TCP] = 9;
	out->conn_cache_misses[UPSTREAM_TLS] = 1;
	return true;
}

static inline void read_hosts(void *ctx, uint64_t *entries, double *stamp)
{
	(void)ctx;
	*entries = 5;
	*stamp = 1700000000.5;
}

static inline struct corefile *parse(const char *text)
{
	struct error err;
	struct corefile *cf = NULL;

	if (corefile__parse(&corefile_host_options, "Corefile", text, strlen(text), &cf, &err))
		fail_msg("%s", err.text);
	return cf;
}

/* The store does not take part: what metrics__configure() says. */
static inline int configure_alone(struct world *w, const char *text)
{
	struct corefile *cf = parse(text);
	int ret = metrics__configure(w->m, cf);

	corefile__free(cf); /* nothing of it may be used any more */
	return ret;
}

static inline void configure(struct world *w, const char *text)
{
	assert_int_equal(configure_alone(w, text), 0);
	metrics__series_set(w->m);
}

static inline bool has_path(void *ctx)
{
	(void)ctx;
	return true;
}

static inline void heartbeat(void *ctx, uint64_t *age_ns, uint64_t *lease_ns)
{
	(void)ctx;
	*age_ns = 50000000;
	*lease_ns = 60000000000;
}

static inline void open_metrics(struct world *w)
{
	const struct metrics_config config = {
		.loop = &w->v.loop,
		.ctx = w,
		.agent = &w->agent,
		.kernel_path = has_path,
		.heartbeat = heartbeat,
		.kernel = read_kernel,
		.series_count = series_count,
		.series = read_series,
		.zone = read_zone,
		.set_zone = write_zone,
		.times = read_times,
		.settled = is_settled,
		.store = read_store,
		.cache = read_cache,
		.upstream = read_upstream,
		.hosts = read_hosts,
	};

	assert_int_equal(metrics__open(&config, &w->m), 0);
}

static inline int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	w->upstreams = 2;
	w->programs.count = SERIES_MAX;
	assert_int_equal(virtual_loop__open(&w->v), 0);
	open_metrics(w);
	*state = w;
	return 0;
}

static inline int teardown(void **state)
{
	struct world *w = *state;

	metrics__close(w->m);
	virtual_loop__close(&w->v);
	free(w->page);
	free(w);
	return 0;
}

static inline const char *page(struct world *w)
{
	struct evbuffer *buf = evbuffer_new();
	size_t len;

	w->v.now_ns += 100 * NSEC_PER_SEC;
	assert_int_equal(metrics__scrape(w->m, buf), 0);
	len = evbuffer_get_length(buf);
	free(w->page);
	w->page = malloc(len + 1);
	evbuffer_remove(buf, w->page, len);
	w->page[len] = '\0';
	evbuffer_free(buf);
	return w->page;
}

/* The value of the line that begins with @series; -1: there is none. */
static inline double value_of(const char *text, const char *series)
{
	size_t len = strlen(series);

	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (!strncmp(line, series, len) && line[len] == ' ')
			return strtod(line + len, NULL);
	}
	return -1;
}

static inline void expect(const char *text, const char *series, double value)
{
	if (value_of(text, series) != value)
		fail_msg("%s: %g, not %g", series, value_of(text, series), value);
}

/* Of all series of @name, those that hold @label ("": all). */
static inline uint64_t sum_of(const char *text, const char *name, const char *label)
{
	size_t len = strlen(name);
	uint64_t sum = 0;

	for (const char *line = text; line; line = strchr(line, '\n')) {
		const char *end;

		line += *line == '\n';
		end = strchr(line, '\n');
		if (!end || strncmp(line, name, len) != 0 || (line[len] != '{' && line[len] != ' '))
			continue;
		if (memmem(line, (size_t)(end - line), label, strlen(label)))
			sum += strtoull(memrchr(line, ' ', (size_t)(end - line)) + 1, NULL, 10);
	}
	return sum;
}

#define CLUSTER "{server=\"dns://169.254.20.10:53\",zone=\"cluster.local.\",view=\"\""

/* A hit as the programs count it, of an entry that was put under the configuration at work. */
struct hit {
	struct metrics_kernel_entry entry;
	uint16_t qtype;
	bool ip6, dnssec_ok, stale;
	unsigned int request_size, reply_size; /* octets */
};

static inline unsigned int size_number(int size)
{
#define X(number, first, last)                 \
	if (size >= (first) && size <= (last)) \
		return number;
	NODENS_SIZES(X)
#undef X
	return NODENS_SERIES_SIZES;
}

static inline unsigned int qtype_number(uint16_t qtype)
{
#define X(number, text)        \
	if (qtype == (number)) \
		return NODENS_QTYPE_##number;
	NODENS_QTYPES(X)
#undef X
	return NODENS_QTYPE_OTHER;
}

static inline void count_hit(struct world *w, struct store_series under, const struct hit *hit)
{
	struct nodens_series *series = &w->programs.series[under.number];

	assert_in_range(under.number, 0, w->programs.count - 1);
	series->requests[hit->ip6 * NODENS_SERIES_TYPES + qtype_number(hit->qtype)]++;
	series->replies[under.reply]++;
	series->sizes[size_number(hit->request_size) * NODENS_SERIES_SIZES +
		      size_number(hit->reply_size)]++;
	series->request_bytes += hit->request_size;
	series->reply_bytes += hit->reply_size;
	series->dnssec_ok += hit->dnssec_ok;
	series->stale += hit->stale;
}

static inline void hit(struct world *w, size_t block, uint16_t qtype, uint64_t n)
{
	const struct hit hit = {
		.entry = { .block = block, .plugin = PLUGIN_CACHE },
		.qtype = qtype,
		.request_size = 40,
		.reply_size = 150,
	};

	while (n--)
		count_hit(w, metrics__kernel_series(w->m, &hit.entry), &hit);
}

#endif /* NODENS_METRICS_FIXTURE_H */
