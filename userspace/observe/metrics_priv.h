/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What metrics*.c share: the series and their counters.
 *
 * Contract: a series is what one set of labels counts; series stay where they are until
 * metrics__configure() drops retired ones.
 */
#ifndef NODENS_METRICS_PRIV_H
#define NODENS_METRICS_PRIV_H

#include "observe/metrics.h"
#include "observe/metrics_page.h"
#include "observe/page_cache.h"

/* CoreDNS' size buckets; the last is for all above. */
#define METRICS_SIZE_BOUNDS                                                                    \
	{                                                                                      \
		0, 100, 200, 300, 400, 511, 1023, 2047, 4095, 8291, 16000, 32000, 48000, 64000 \
	}
#define METRICS_SIZE_BUCKETS 14

/* CoreDNS': 0.00025 s x 10^n, and one for all above. */
#define METRICS_HEALTH_BUCKETS 5

struct metrics_size {
	uint64_t bucket[METRICS_SIZE_BUCKETS + 1]; /* not cumulative */
	uint64_t sum;
};

struct zone_counters {
	uint64_t requests[2][2][NODENS_QTYPE_COUNT]; /* TCP, IPv6, type */
	uint64_t responses[PLUGIN_COUNT][RCODE_COUNT];
	struct histogram duration;
	struct metrics_size request_size[2], response_size[2]; /* TCP */
	uint64_t dnssec_ok;
};

struct cache_counters {
	uint64_t hits[2]; /* NODENS_POSITIVE, NODENS_NEGATIVE */
	uint64_t misses, stale;
	uint64_t events[METRICS_CACHE_EVENT_COUNT];
	size_t block; /* of the configuration at work, if it has a cache; else METRICS_NO_BLOCK */
};

struct template_counters {
	uint64_t events[METRICS_TEMPLATE_EVENT_COUNT];
};

enum series_kind { SERIES_ZONE, SERIES_CACHE, SERIES_TEMPLATE, SERIES_KINDS };

struct series {
	struct series *next;	    /* in its bucket */
	unsigned int generation;    /* the configuration that last had it */
	uint32_t number;	    /* the programs': NODENS_SERIES_OTHER: it has none */
	uint32_t plugins;	    /* bit n: the block has the n-th directive */
	struct zone_counters *zone; /* from the first query on */
	struct cache_counters cache;
	struct template_counters template;
	char labels[]; /* server="...",zone="...",view="" */
};

#define SERIES_BUCKETS 1024

struct registry {
	struct series *buckets[SERIES_BUCKETS];
	struct series **list; /* in the order in which they came */
	size_t len, room;
};

/* A block of the configuration at work. */
struct block_series {
	struct series **zones, **templates;
	size_t zones_len, templates_len;
	struct series *cache;
};

struct zone_slot { /* hash 0: free */
	uint64_t hash;
	uint32_t block, zone;
};

/*
 * What the programs count under one number (headers/nodens_series.h). A number is a series' from
 * when it is given it until another needs it more; in between what comes in is still the first's.
 */
struct kernel_number {
	struct series *zone;	 /* NULL: no query was ever counted under it, as far as is known */
	struct series *cache;	 /* of the block that has the zone */
	unsigned int generation; /* the last configuration in which it was in use */
	uint64_t hash;		 /* of the labels; 0: none */
	struct nodens_series seen;
};

struct metrics {
	struct metrics_config config;
	unsigned int generation; /* of the configuration at work */
	unsigned int series_set; /* the one that entries were last given their series by */
	struct registry registry[SERIES_KINDS];
	struct block_series *blocks;
	size_t blocks_len;
	struct zone_slot *zone_slots;
	size_t zone_mask;
	/* For what has no block, for zones beyond METRICS_MAX_SERIES, and where memory ran out. */
	struct series *dropped, *other, *other_cache;
	struct zone_counters spare;

	struct kernel_number *numbers; /* [0]: NODENS_SERIES_OTHER; NULL: no kernel path yet */
	uint32_t numbers_len;
	uint32_t numbers_lacking;	       /* zones of the configuration that have none */
	struct nodens_times times, times_seen; /* by which hits are dealt out; read last */
	uint64_t random;

	uint64_t setup_errors[METRICS_SETUP_ERROR_COUNT];
	uint64_t health[METRICS_HEALTH_BUCKETS + 1], health_ns, health_failed;
	char config_hash[129];

	struct page_cache cache;
};

/* metrics_counters.c: the series of these numbers; always one. */
struct series *metrics_zone_series(struct metrics *m, size_t block, size_t zone);
struct series *metrics_cache_series(struct metrics *m, size_t block);
/* The series' counters; m->spare where there is no memory. */
struct zone_counters *metrics_zone(struct metrics *m, struct series *series);
enum nodens_qtype metrics_type(uint16_t qtype);
unsigned int metrics_size_bucket(size_t size);
/* FNV-1a, 64 bits. */
#define FNV_OFFSET 0xcbf29ce484222325ull
#define FNV_PRIME  0x100000001b3ull
uint64_t metrics_label_hash(const char *text);

/*
 * metrics_kernel.c. metrics_kernel_number(): numbers for all zones of the configuration that begins
 * here. metrics_kernel_forget(): series that went out of it are about to be freed.
 */
void metrics_kernel_number(struct metrics *m);
void metrics_kernel_forget(struct metrics *m);

/* metrics_series.c: frees what metrics__configure() made. */
void metrics_unconfigure(struct metrics *m);
/* The directives that coredns_plugin_enabled knows: bit n of series.plugins. */
const char *metrics_plugin_name(unsigned int n); /* NULL: there are no more */

/* metrics_render.c, metrics_render_own.c */
void metrics_render(struct metrics *m, struct metrics_page *page);
void metrics_render_own(struct metrics *m, struct metrics_page *page);
void metrics_render_upstreams(struct metrics *m, struct metrics_page *page);
void metrics_render_probes(struct metrics *m, struct metrics_page *page);
void metrics_render_time(struct metrics_page *page, const char *name, const char *labels,
			 const struct histogram *time);

#endif /* NODENS_METRICS_PRIV_H */
