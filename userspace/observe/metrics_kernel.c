// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Answers from the kernel: what the programs count by series, taken into the counters of the zones.
 *
 * Contract: metrics.h. The programs know a zone by a number, and slots carry it. So a number keeps
 * its meaning for as long as a slot may have it: it comes to mean another zone only where every
 * entry was looked at under a configuration that did not have the first one (series_set), and no
 * program can still hold a slot as it was before that (config.settled). What a number's counts were
 * when it was given is not the new owner's.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "metrics_priv.h"

_Static_assert(NODENS_TIME_BUCKETS == HISTOGRAM_BUCKETS + 1, "durations are those of a histogram");

/* ---- replies ---- */

/* Who made the reply, and of cached ones which kind it is; below it the rcode. */
enum made { MADE_CACHE_POSITIVE, MADE_CACHE_NEGATIVE, MADE_HOSTS, MADE_TEMPLATE, MADE_COUNT };

_Static_assert(MADE_COUNT << RCODE_BITS <= NODENS_SERIES_REPLIES, "replies");

static enum made made_by(const struct metrics_kernel_entry *entry)
{
	if (entry->plugin == PLUGIN_HOSTS)
		return MADE_HOSTS;
	if (entry->plugin == PLUGIN_TEMPLATE)
		return MADE_TEMPLATE;
	return entry->kind == NODENS_NEGATIVE ? MADE_CACHE_NEGATIVE : MADE_CACHE_POSITIVE;
}

struct store_series metrics__kernel_series(struct metrics *m,
					   const struct metrics_kernel_entry *entry)
{
	const struct series *zone = metrics_zone_series(m, entry->block, entry->zone);

	return (struct store_series){
		.number = zone->number,
		.type = metrics_type(entry->qtype),
		.reply = made_by(entry) << RCODE_BITS | rcode__of(entry->rcode),
	};
}

/* ---- counts ---- */

static uint64_t next_random(struct metrics *m)
{
	m->random ^= m->random << 13;
	m->random ^= m->random >> 7;
	m->random ^= m->random << 17;
	return m->random;
}

static uint64_t measured(const struct nodens_times *times)
{
	uint64_t n = 0;

	for (size_t i = 0; i < NODENS_TIME_BUCKETS; i++)
		n += times->bucket[i];
	return n;
}

/*
 * How long @n hits took, by what was measured of @of: the bucket in which measured ones a to b lie
 * gets floor((n * b + r) / of) - floor((n * a + r) / of) with a random r below @of. These are whole
 * numbers, n in sum, and in proportion on average.
 */
static void count_times(struct metrics *m, struct histogram *duration, uint64_t n)
{
	uint64_t of = measured(&m->times), upto = 0, given = 0, r;

	if (!of) { /* the first hit of all is measured: it must be on its way */
		duration->bucket[0] += n;
		return;
	}
	r = next_random(m) % of;
	for (size_t i = 0; i < NODENS_TIME_BUCKETS; i++) {
		uint64_t sum;

		upto += m->times.bucket[i];
		sum = (uint64_t)(((unsigned __int128)n * upto + r) / of);
		duration->bucket[i] += sum - given;
		given = sum;
	}
	duration->sum_ns += (uint64_t)((unsigned __int128)n * m->times.sum_ns / of);
}

/* CoreDNS' first bucket is for messages of no octets. */
static void count_sizes(struct zone_counters *zone, const struct nodens_series *more)
{
	for (size_t i = 0; i < NODENS_SERIES_SIZES * NODENS_SERIES_SIZES; i++) {
		zone->request_size[0].bucket[i / NODENS_SERIES_SIZES + 1] += more->sizes[i];
		zone->response_size[0].bucket[i % NODENS_SERIES_SIZES + 1] += more->sizes[i];
	}
	zone->request_size[0].sum += more->request_bytes;
	zone->response_size[0].sum += more->reply_bytes;
}

static void count_replies(struct zone_counters *zone, struct cache_counters *cache,
			  const __u64 n[NODENS_SERIES_REPLIES])
{
	static const enum plugin_id plugins[MADE_COUNT] = {
		[MADE_CACHE_POSITIVE] = PLUGIN_CACHE,
		[MADE_CACHE_NEGATIVE] = PLUGIN_CACHE,
		[MADE_HOSTS] = PLUGIN_HOSTS,
		[MADE_TEMPLATE] = PLUGIN_TEMPLATE,
	};

	for (unsigned int i = 0; i < MADE_COUNT << RCODE_BITS; i++) {
		enum made made = i >> RCODE_BITS;
		unsigned int rcode = i & ((1u << RCODE_BITS) - 1);

		/* no slot says others; what counts all the same must add up */
		zone->responses[plugins[made]][rcode < RCODE_COUNT ? rcode : RCODE_OTHER] += n[i];
		if (made == MADE_CACHE_POSITIVE)
			cache->hits[NODENS_POSITIVE] += n[i];
		if (made == MADE_CACHE_NEGATIVE)
			cache->hits[NODENS_NEGATIVE] += n[i];
	}
}

static void count_requests(struct metrics *m, struct zone_counters *zone,
			   const __u64 n[2 * NODENS_SERIES_TYPES])
{
	uint64_t all = 0;

	for (int ip6 = 0; ip6 < 2; ip6++) {
		for (int type = 0; type < NODENS_QTYPE_COUNT; type++) {
			uint64_t hits = n[ip6 * NODENS_SERIES_TYPES + type];

			zone->requests[0][ip6][type] += hits;
			all += hits;
		}
	}
	count_times(m, &zone->duration, all);
}

/* A counter that fell was made anew. */
static uint64_t grown(uint64_t now, uint64_t before)
{
	return now >= before ? now - before : now;
}

static bool grow(uint64_t *out, const void *now, const void *before, size_t size)
{
	const uint64_t *a = now, *b = before;
	bool any = false;

	for (size_t i = 0; i < size / sizeof(*out); i++) {
		out[i] = grown(a[i], b[i]);
		any |= out[i];
	}
	return any;
}

/* What was counted under @number since it was last read. */
static void read_number(struct metrics *m, uint32_t number)
{
	struct kernel_number *from = &m->numbers[number];
	struct series *series = from->zone ? from->zone : m->other;
	struct series *cache = from->cache ? from->cache : m->other_cache;
	struct nodens_series now, more;
	struct zone_counters *zone;

	if (m->config.series(m->config.ctx, number, &now) ||
	    !grow((uint64_t *)&more, &now, &from->seen, sizeof(now)))
		return;
	from->seen = now;
	zone = metrics_zone(m, series);
	count_requests(m, zone, more.requests);
	count_replies(zone, &cache->cache, more.replies);
	count_sizes(zone, &more);
	zone->dnssec_ok += more.dnssec_ok;
	cache->cache.stale += more.stale;
}

/* What was measured since the last time stands for the hits since then; where nothing was, as
 * before. */
static void read_times(struct metrics *m)
{
	struct nodens_times now, more;

	if (m->config.times(m->config.ctx, &now))
		return;
	grow((uint64_t *)&more, &now, &m->times_seen, sizeof(now));
	if (measured(&more))
		m->times = more;
	m->times_seen = now;
}

void metrics__settle(struct metrics *m)
{
	if (!m->numbers)
		return;
	read_times(m);
	for (uint32_t i = 0; i < m->numbers_len; i++)
		read_number(m, i);
}

/* ---- numbers ---- */

/* The first configuration with a kernel path: what there is by now is an earlier agent's. */
static bool open_numbers(struct metrics *m)
{
	uint32_t n = m->config.series_count ? m->config.series_count(m->config.ctx) : 0;
	struct kernel_number *numbers;

	if (m->numbers || !n)
		return m->numbers;
	numbers = calloc(n, sizeof(*numbers));
	if (!numbers)
		return false;
	for (uint32_t i = 0; i < n; i++) {
		struct nodens_zone zone;

		m->config.series(m->config.ctx, i, &numbers[i].seen);
		if (i == NODENS_SERIES_OTHER || m->config.zone(m->config.ctx, i, &zone) ||
		    !zone.hash)
			continue;
		/* entries may have it: until they were looked at with this configuration */
		numbers[i].hash = zone.hash;
		numbers[i].generation = m->generation - 1;
	}
	m->config.times(m->config.ctx, &m->times_seen);
	m->times = m->times_seen;
	m->numbers = numbers;
	m->numbers_len = n;
	return true;
}

/* Free, or of a zone that no entry is of any more. */
static bool available(const struct metrics *m, const struct kernel_number *number, bool settled)
{
	return !number->hash || (settled && number->generation < m->series_set);
}

static uint32_t find_number(const struct metrics *m, uint64_t hash, bool settled)
{
	uint32_t found = NODENS_SERIES_OTHER;

	for (uint32_t i = 1; i < m->numbers_len; i++) {
		if (m->numbers[i].hash == hash)
			return i;
		/* one that was never used comes before one that may come back */
		if (available(m, &m->numbers[i], settled) &&
		    (!found || (m->numbers[found].hash && !m->numbers[i].hash)))
			found = i;
	}
	return found;
}

static void give_number(struct metrics *m, struct series *zone, bool settled)
{
	struct nodens_zone meaning = { .hash = metrics_label_hash(zone->labels) };
	uint32_t n = find_number(m, meaning.hash, settled);
	struct kernel_number *number = &m->numbers[n];

	if (n == NODENS_SERIES_OTHER) {
		m->numbers_lacking++;
		return;
	}
	if (number->hash != meaning.hash) {
		snprintf(meaning.labels, sizeof(meaning.labels), "%s", zone->labels);
		if (m->config.set_zone(m->config.ctx, n, &meaning)) {
			m->numbers_lacking++;
			return;
		}
		if (number->zone)
			number->zone->number = NODENS_SERIES_OTHER;
	}
	number->zone = zone;
	number->hash = meaning.hash;
	zone->number = n;
}

void metrics_kernel_number(struct metrics *m)
{
	bool settled;

	m->numbers_lacking = 0;
	if (!open_numbers(m))
		return;
	settled = m->config.settled(m->config.ctx);
	for (size_t i = 0; i < m->blocks_len; i++) {
		for (size_t k = 0; k < m->blocks[i].zones_len; k++) {
			struct series *zone = m->blocks[i].zones[k];

			if (zone == m->other)
				continue;
			if (!zone->number)
				give_number(m, zone, settled);
			if (!zone->number)
				continue;
			m->numbers[zone->number].cache = m->blocks[i].cache;
			m->numbers[zone->number].generation = m->generation;
		}
	}
}

/* Slots may have the number for a moment more: what comes in then is nobody's. */
void metrics_kernel_forget(struct metrics *m)
{
	for (uint32_t i = 0; i < m->numbers_len; i++) {
		struct kernel_number *number = &m->numbers[i];

		if (number->zone && number->zone->generation != m->generation)
			number->zone = NULL;
		if (number->cache && number->cache->generation != m->generation)
			number->cache = NULL;
	}
}

uint32_t metrics__series_lacking(const struct metrics *m)
{
	return m->numbers_lacking;
}
