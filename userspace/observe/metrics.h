/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Metrics in Prometheus' text format (0.0.4): CoreDNS' names with CoreDNS' labels, so that its
 * dashboards go on, and nodens' own from the lists of counters.
 *
 * Contract: single-threaded; no logging. Counters survive a reload: they are kept per server and
 * zone, not per block. "server" is the block's first address ("dns://169.254.20.10:53"), "zone" the
 * longest zone of the block above the name.
 *
 * Answers from the kernel are part of every coredns_dns_* and coredns_cache_* figure, counted by
 * the programs themselves, to the last one, from the first configuration on. Their duration is
 * measured of one in NODENS_MEASURE_EVERY at most, which stands for the others.
 *
 * Bounded: METRICS_MAX_SERIES zones have counters of their own, and of these as many in the kernel
 * as config.series_count() says; what is beyond counts as server="", zone="other".
 */
#ifndef NODENS_METRICS_H
#define NODENS_METRICS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/counters.h"
#include "base/histogram.h"
#include "base/loop.h"
#include "base/probe_stats.h"
#include "config/corefile.h"
#include "config/plugin_id.h"
#include "dns/rcode.h"
#include "nodens_abi.h"
#include "store/store.h"
#include "upstream/stats.h"

#define METRICS_MAX_SERIES 4096

/* What the store knows of a block's cache. */
struct metrics_cache {
	uint64_t entries[2], evictions[2]; /* NODENS_POSITIVE, NODENS_NEGATIVE */
};

/* Where numbers that others keep come from; each function may be NULL. Called while rendering. */
struct metrics_config {
	const struct loop *loop; /* for the time */
	void *ctx;
	const struct agent_stats *agent;
	/* Do programs answer in the kernel, or may they not, or are they gone? NULL: 0. */
	bool (*kernel_path)(void *ctx);
	/* How long ago the agent's last beat was, and how long programs go on without one. */
	void (*heartbeat)(void *ctx, uint64_t *age_ns, uint64_t *lease_ns);
	/* datapath__counters(): 0 or -errno */
	int (*kernel)(void *ctx, uint64_t counters[NODENS_CTR_COUNT]);
	/*
	 * datapath.h's functions of these names; series_count is 0 where there is no kernel path,
	 * and without it the others are not called. settled: store__settled().
	 */
	uint32_t (*series_count)(void *ctx);
	int (*series)(void *ctx, uint32_t number, struct nodens_series *sum);
	int (*zone)(void *ctx, uint32_t number, struct nodens_zone *zone);
	int (*set_zone)(void *ctx, uint32_t number, const struct nodens_zone *zone);
	int (*times)(void *ctx, struct nodens_times *sum);
	bool (*settled)(void *ctx);
	void (*store)(void *ctx, struct store_stats *out);
	void (*cache)(void *ctx, size_t block, struct metrics_cache *out);
	/* The index-th upstream, each address once; false: there are no more. */
	bool (*upstream)(void *ctx, size_t index, struct upstream_stats *out);
	/* The index-th way that a name of the probe directive is asked in; false: no more. */
	bool (*probe)(void *ctx, size_t index, struct probe_stats *out);
	/* Names of all hosts blocks, and when the newest of their files was written (0: no file).
	 */
	void (*hosts)(void *ctx, uint64_t *entries, double *reload_timestamp_s);
	/* Before the page is made: metrics__template() for what has not been told yet. */
	void (*before_page)(void *ctx);
};

struct metrics;

int metrics__open(const struct metrics_config *config, struct metrics **out);
void metrics__close(struct metrics *m);

/*
 * At start and at each reload, also with a @cf that is freed later: nothing of it is kept. Block
 * and zone numbers of all other calls are this one's, and for all entries of the store
 * metrics__kernel_series() is to be asked after it. What the programs had counted before the first
 * call that finds a kernel path was another agent's. -ENOMEM: the old configuration stays.
 */
int metrics__configure(struct metrics *m, const struct corefile *cf);
/*
 * It has been asked for all of them: store__set_partitions() has succeeded since. Without that the
 * numbers of series that the configuration before had are not given to others.
 */
void metrics__series_set(struct metrics *m);

/* Blocks and zones that have no number. */
#define METRICS_NO_BLOCK SIZE_MAX /* no block for the name: zone="dropped", as CoreDNS */
#define METRICS_NO_ZONE	 SIZE_MAX

/*
 * The number of the block's longest zone above the name (wire form, lower case, root counted), or
 * METRICS_NO_ZONE. O(length of the name), whatever the number of zones.
 */
size_t metrics__zone(const struct metrics *m, size_t block, const uint8_t *qname, size_t len);

/* ---- what the agent answered ---- */

enum metrics_cache_result {
	METRICS_CACHE_NONE, /* the block has no cache, or was not asked */
	METRICS_CACHE_MISS,
	METRICS_CACHE_HIT,
	METRICS_CACHE_STALE, /* a hit, expired */
};

struct metrics_request {
	size_t block, zone;
	bool tcp;
	int family; /* AF_INET, AF_INET6 */
	uint16_t qtype;
	bool dnssec_ok;
	size_t request_size, response_size; /* octets */
	uint16_t rcode;
	enum plugin_id plugin;
	uint64_t duration_ns;
	enum metrics_cache_result cache;
	int cache_kind; /* of a hit: NODENS_POSITIVE, NODENS_NEGATIVE */
};

/* Each query the agent answered, once. Some 50 ns; no allocation but at a zone's first query. */
void metrics__request(struct metrics *m, const struct metrics_request *request);

/* What else may happen; rare ones, by block. */
#define METRICS_CACHE_EVENTS(X)                                                                  \
	X(PREFETCH, "coredns_cache_prefetch_total", "Entries fetched anew before they expired.") \
	X(DROP, "coredns_cache_drops_total", "Answers that did not match their question: dropped.")

enum metrics_cache_event {
#define X(id, name, help) METRICS_CACHE_##id,
	METRICS_CACHE_EVENTS(X)
#undef X
		METRICS_CACHE_EVENT_COUNT
};

void metrics__cache_event(struct metrics *m, size_t block, enum metrics_cache_event event);

/* The index-th template of the block matched, could not be executed, or made no valid record: @n
 * times more. */
enum metrics_template_event {
	METRICS_TEMPLATE_MATCH,
	METRICS_TEMPLATE_FAILURE,
	METRICS_TEMPLATE_RR_FAILURE,
	METRICS_TEMPLATE_EVENT_COUNT
};
void metrics__template(struct metrics *m, size_t block, size_t index,
		       enum metrics_template_event event, uint64_t n);

/* Of the agent's own counters, those that CoreDNS has, too: X(agent_stat, name, help). */
#define METRICS_OF_AGENT(X)                                               \
	X(RELOADS_FAILED, "coredns_reload_failed_total",                  \
	  "Reloads of the configuration that failed.")                    \
	X(MAX_CONCURRENT, "coredns_forward_max_concurrent_rejects_total", \
	  "Queries turned away because max_concurrent were under way.")   \
	X(HEALTHCHECK_BROKEN, "coredns_forward_healthcheck_broken_total", \
	  "Queries sent to an upstream taken for dead, because all were.")

/* How long a request to /health took. */
void metrics__health(struct metrics *m, uint64_t duration_ns);
void metrics__health_failed(struct metrics *m);
/* The configuration at work: its hash as hexadecimal text. */
void metrics__config_hash(struct metrics *m, const char *hex);

/* node-cache's setup errors. */
#define METRICS_SETUP_ERRORS(X)               \
	X(IPTABLES, "iptables")               \
	X(IPTABLES_LOCK, "iptables_lock")     \
	X(INTERFACE_ADD, "interface_add")     \
	X(INTERFACE_CHECK, "interface_check") \
	X(CONFIGMAP, "configmap")

enum metrics_setup_error {
#define X(id, text) METRICS_SETUP_##id,
	METRICS_SETUP_ERRORS(X)
#undef X
		METRICS_SETUP_ERROR_COUNT
};

void metrics__setup_error(struct metrics *m, enum metrics_setup_error error);

/* ---- what the kernel answered ---- */

/* What an entry answers, as far as its hits are told apart by it. */
struct metrics_kernel_entry {
	size_t block, zone;
	uint16_t qtype; /* 0: of an NXDOMAIN-below */
	uint16_t rcode;
	int kind;	       /* NODENS_POSITIVE, NODENS_NEGATIVE */
	enum plugin_id plugin; /* PLUGIN_CACHE, or who made the entry: HOSTS, TEMPLATE */
};

/* Under what the programs are to count its hits (struct nodens_slot). */
struct store_series metrics__kernel_series(struct metrics *m,
					   const struct metrics_kernel_entry *entry);

/* How many zones of the configuration the programs have no series for: they count as "other". */
uint32_t metrics__series_lacking(const struct metrics *m);

/* Takes in what the programs have counted. Rendering does it. */
void metrics__settle(struct metrics *m);

/* All answers so far by rcode: the sums of coredns_dns_responses_total, kernel's included. */
void metrics__rcodes(struct metrics *m, uint64_t n[RCODE_COUNT]);

/* ---- the page ---- */

struct evbuffer;

#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* Appends the page, which page_cache.h keeps for a while. 0 or -ENOMEM. */
int metrics__scrape(struct metrics *m, struct evbuffer *out);

#endif /* NODENS_METRICS_H */
