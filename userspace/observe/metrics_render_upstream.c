// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The page, third part: upstreams, under CoreDNS' newer names (coredns_proxy_*) and the older ones
 * (coredns_forward_*) that dashboards still read. Contract: metrics_priv.h.
 */
#include <stdio.h>

#include "metrics_priv.h"

#define LABELS_MAX   256
#define MAX_UPSTREAM 1024 /* beyond them none is shown */

static const char *const proto_text[UPSTREAM_PROTOS] = {
	[UPSTREAM_UDP] = "proto=\"udp\"",
	[UPSTREAM_TCP] = "proto=\"tcp\"",
	[UPSTREAM_TLS] = "proto=\"tcp-tls\"",
};

/* "to" of the older names; with proxy_name the newer ones'. */
static void make_labels(const struct upstream_stats *up, bool proxy, char labels[LABELS_MAX])
{
	char to[LABELS_MAX / 2];

	metrics_page__escape(up->to, to, sizeof(to));
	snprintf(labels, LABELS_MAX, "%sto=\"%s\"", proxy ? "proxy_name=\"forward\"," : "", to);
}

typedef void (*render_one)(struct metrics_page *page, const char *name, const char *labels,
			   const struct upstream_stats *up);

static uint64_t time_count(const struct histogram *time)
{
	uint64_t sum = 0;

	for (int i = 0; i <= HISTOGRAM_BUCKETS; i++)
		sum += time->bucket[i];
	return sum;
}

static void one_requests(struct metrics_page *page, const char *name, const char *labels,
			 const struct upstream_stats *up)
{
	metrics_page__u64(page, name, "", labels, "", up->requests);
}

static void one_responses(struct metrics_page *page, const char *name, const char *labels,
			  const struct upstream_stats *up)
{
	for (int rcode = 0; rcode < RCODE_COUNT; rcode++) {
		uint64_t n = time_count(&up->answered[rcode]);

		if (n)
			metrics_page__u64(page, name, "", labels, rcode_labels[rcode], n);
	}
}

static void one_duration(struct metrics_page *page, const char *name, const char *labels,
			 const struct upstream_stats *up)
{
	char with_rcode[LABELS_MAX + 64];

	for (int rcode = 0; rcode < RCODE_COUNT; rcode++) {
		snprintf(with_rcode, sizeof(with_rcode), "%s,%s", labels, rcode_labels[rcode]);
		metrics_render_time(page, name, with_rcode, &up->answered[rcode]);
	}
}

static void one_healthcheck(struct metrics_page *page, const char *name, const char *labels,
			    const struct upstream_stats *up)
{
	metrics_page__u64(page, name, "", labels, "", up->healthcheck_failures);
}

static void one_cache(struct metrics_page *page, const char *name, const char *labels,
		      const uint64_t counts[UPSTREAM_PROTOS])
{
	for (int proto = 0; proto < UPSTREAM_PROTOS; proto++) {
		if (counts[proto])
			metrics_page__u64(page, name, "", labels, proto_text[proto], counts[proto]);
	}
}

static void one_hits(struct metrics_page *page, const char *name, const char *labels,
		     const struct upstream_stats *up)
{
	one_cache(page, name, labels, up->conn_cache_hits);
}

static void one_misses(struct metrics_page *page, const char *name, const char *labels,
		       const struct upstream_stats *up)
{
	one_cache(page, name, labels, up->conn_cache_misses);
}

void metrics_render_upstreams(struct metrics *m, struct metrics_page *page)
{
	static const struct {
		const char *proxy, *forward; /* names; NULL: none */
		const char *type, *help;
		render_one render;
	} families[] = {
		{ NULL, "coredns_forward_requests_total", "counter",
		  "Queries sent to the upstream.", one_requests },
		{ NULL, "coredns_forward_responses_total", "counter",
		  "Answers of the upstream, by rcode.", one_responses },
		{ "coredns_proxy_request_duration_seconds",
		  "coredns_forward_request_duration_seconds", "histogram",
		  "Time the upstream took to answer.", one_duration },
		{ "coredns_proxy_healthcheck_failures_total",
		  "coredns_forward_healthcheck_failures_total", "counter",
		  "Health probes the upstream failed.", one_healthcheck },
		{ "coredns_proxy_conn_cache_hits_total", "coredns_forward_conn_cache_hits_total",
		  "counter", "Queries sent over a connection that was open already.", one_hits },
		{ "coredns_proxy_conn_cache_misses_total",
		  "coredns_forward_conn_cache_misses_total", "counter",
		  "Queries for which a connection had to be opened.", one_misses },
	};
	char labels[LABELS_MAX];

	for (size_t f = 0; f < 2 * sizeof(families) / sizeof(families[0]); f++) {
		bool proxy = f % 2;
		const char *name = proxy ? families[f / 2].proxy : families[f / 2].forward;
		struct upstream_stats up;

		if (!name)
			continue;
		metrics_page__head(page, name, families[f / 2].type, families[f / 2].help);
		for (size_t i = 0; i < MAX_UPSTREAM && m->config.upstream; i++) {
			if (!m->config.upstream(m->config.ctx, i, &up))
				break;
			make_labels(&up, proxy, labels);
			families[f / 2].render(page, name, labels, &up);
		}
	}
}
