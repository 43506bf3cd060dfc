// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Which counters a block, a zone, a type and a size have. Contract: metrics_priv.h.
 */
#include <stdlib.h>

#include "metrics_priv.h"

enum nodens_qtype metrics_type(uint16_t qtype)
{
	switch (qtype) {
#define X(number, text) \
	case number:    \
		return NODENS_QTYPE_##number;
		NODENS_QTYPES(X)
#undef X
	default:
		return NODENS_QTYPE_OTHER;
	}
}

unsigned int metrics_size_bucket(size_t size)
{
	static const uint16_t bounds[METRICS_SIZE_BUCKETS] = METRICS_SIZE_BOUNDS;
	unsigned int n = 0;

	while (n < METRICS_SIZE_BUCKETS && size > bounds[n])
		n++;
	return n;
}

uint64_t metrics_label_hash(const char *text)
{
	uint64_t hash = FNV_OFFSET;

	for (; *text; text++)
		hash = (hash ^ (uint8_t)*text) * FNV_PRIME;
	return hash;
}

struct zone_counters *metrics_zone(struct metrics *m, struct series *series)
{
	if (!series->zone)
		series->zone = calloc(1, sizeof(*series->zone));
	return series->zone ? series->zone : &m->spare;
}

struct series *metrics_zone_series(struct metrics *m, size_t block, size_t zone)
{
	if (block >= m->blocks_len)
		return m->dropped;
	return zone < m->blocks[block].zones_len ? m->blocks[block].zones[zone] : m->other;
}

struct series *metrics_cache_series(struct metrics *m, size_t block)
{
	return block < m->blocks_len ? m->blocks[block].cache : m->other_cache;
}
