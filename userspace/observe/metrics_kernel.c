// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Answers from the kernel: exact totals, given out after samples.
 *
 * The programs count hits exactly, but not by zone or type; the entries' hit samples tell that, but
 * are written once a second and CPU at most and lose what is in between. So samples are gathered in
 * cells, one for each combination of what is told apart; and the D hits that the counters grew by
 * since last time are dealt to them in proportion to their weights w of W in all: with a random r
 *in [0, W) the cell that takes the running weight from a to b gets
 *
 *	floor((D * b + r) / W) - floor((D * a + r) / W)
 *
 * These are whole numbers, never negative, D in sum whatever r is, and D * w / W on average: no
 * remainder to carry. What came over IPv6 is dealt likewise among the cells' shares, what was stale
 * among the samples that were. Without samples those of last time serve once more; without any at
 * all the hits wait.
 */
#include <string.h>

#include "metrics_priv.h"

/* attrs of a cell, from bit 0: */
#define TYPE_BITS     5
#define RCODE_BITS    4
#define PLUGIN_BITS   4
#define SIZE_BITS     4
#define BIT_DO	      0
#define BIT_KIND      1
#define AT_TYPE	      2
#define AT_RCODE      (AT_TYPE + TYPE_BITS)
#define AT_PLUGIN     (AT_RCODE + RCODE_BITS)
#define AT_REQUEST    (AT_PLUGIN + PLUGIN_BITS)
#define AT_RESPONSE   (AT_REQUEST + SIZE_BITS)
#define FIELD(a, b)   ((a) >> AT_##b & ((1u << b##_BITS) - 1))
#define REQUEST_BITS  SIZE_BITS
#define RESPONSE_BITS SIZE_BITS

_Static_assert(METRICS_TYPE_COUNT <= 1 << TYPE_BITS, "type");
_Static_assert(RCODE_COUNT <= 1 << RCODE_BITS, "rcode");
_Static_assert(PLUGIN_COUNT <= 1 << PLUGIN_BITS, "plugin");
_Static_assert(METRICS_SIZE_BUCKETS < 1 << SIZE_BITS, "sizes");

static uint64_t next_random(struct metrics *m)
{
	m->random ^= m->random << 13;
	m->random ^= m->random >> 7;
	m->random ^= m->random << 17;
	return m->random;
}

/* Of @total, what falls to the running weight up to @upto of @of. */
static uint64_t dealt(uint64_t total, uint64_t upto, uint64_t of, uint64_t r)
{
	return (uint64_t)(((unsigned __int128)total * upto + r) / of);
}

static struct kernel_cell *find_cell(struct kernel_cells *cells, const struct kernel_cell *want)
{
	uint64_t hash = ((uintptr_t)want->zone ^ (uintptr_t)want->cache * 31) + want->attrs;
	size_t at;

	hash *= 0x9e3779b97f4a7c15ull;
	for (at = hash >> 32 & (KERNEL_CELLS - 1); cells->cell[at].zone;
	     at = (at + 1) & (KERNEL_CELLS - 1)) {
		const struct kernel_cell *cell = &cells->cell[at];

		if (cell->zone == want->zone && cell->cache == want->cache &&
		    cell->attrs == want->attrs)
			return &cells->cell[at];
	}
	cells->cell[at] = *want;
	cells->len++;
	return &cells->cell[at];
}

void metrics__kernel_hits(struct metrics *m, const struct metrics_kernel_hits *hits)
{
	struct kernel_cell want = {
		.zone = metrics_zone_series(m, hits->block, hits->zone),
		.cache = metrics_cache_series(m, hits->block),
		.attrs = (uint32_t) !!(hits->key_flags & NODENS_KEY_DO) << BIT_DO |
			 (uint32_t)(hits->kind == NODENS_NEGATIVE) << BIT_KIND |
			 (uint32_t)metrics_type(hits->qtype) << AT_TYPE |
			 (uint32_t)rcode__of(hits->rcode) << AT_RCODE |
			 (uint32_t)hits->plugin << AT_PLUGIN |
			 metrics_size_bucket(hits->request_size) << AT_REQUEST |
			 metrics_size_bucket(hits->response_size) << AT_RESPONSE,
	};
	struct kernel_cell *cell;

	if (!hits->hits)
		return;
	if (m->pending->len >= KERNEL_CELLS_MAX)
		metrics__settle(m);
	/* No hits to give out, and yet samples: they are dropped, the counters will tell. */
	if (m->pending->len >= KERNEL_CELLS_MAX)
		memset(m->pending, 0, sizeof(*m->pending));
	cell = find_cell(m->pending, &want);
	cell->hits += hits->hits;
	cell->stale += hits->stale ? hits->hits : 0;
	cell->request_bytes += hits->request_size * hits->hits;
	cell->response_bytes += hits->response_size * hits->hits;
}

/* @n hits, @ip6 of them over IPv6, as the cell's samples were. */
static void count_hits(struct metrics *m, const struct kernel_cell *cell, uint64_t n, uint64_t ip6)
{
	struct zone_counters *zone = metrics_zone(m, cell->zone);
	enum metrics_type type = FIELD(cell->attrs, TYPE);
	enum plugin_id plugin = FIELD(cell->attrs, PLUGIN);

	zone->requests[0][0][type] += n - ip6;
	zone->requests[0][1][type] += ip6;
	zone->responses[plugin][FIELD(cell->attrs, RCODE)] += n;
	zone->duration.bucket[0] += n;
	zone->duration.sum_ns += n * METRICS_KERNEL_NS;
	zone->request_size[0].bucket[FIELD(cell->attrs, REQUEST)] += n;
	zone->request_size[0].sum += dealt(cell->request_bytes, n, cell->hits, 0);
	zone->response_size[0].bucket[FIELD(cell->attrs, RESPONSE)] += n;
	zone->response_size[0].sum += dealt(cell->response_bytes, n, cell->hits, 0);
	if (cell->attrs >> BIT_DO & 1)
		zone->dnssec_ok += n;
	if (plugin == PLUGIN_CACHE)
		cell->cache->cache.hits[cell->attrs >> BIT_KIND & 1] += n;
}

struct weights {
	uint64_t hits, stale;
};

static struct weights weigh(const struct kernel_cells *cells)
{
	struct weights sum = { 0, 0 };

	for (size_t i = 0; i < KERNEL_CELLS; i++) {
		sum.hits += cells->cell[i].hits;
		sum.stale += cells->cell[i].stale;
	}
	return sum;
}

static void deal(struct metrics *m, const struct kernel_cells *cells,
		 const struct kernel_totals *total)
{
	struct weights sum = weigh(cells), at = { 0, 0 };
	uint64_t stale_of = sum.stale ? sum.stale : sum.hits;
	uint64_t r = next_random(m) % sum.hits, r_stale = next_random(m) % stale_of;
	uint64_t r6 = total->hits ? next_random(m) % total->hits : 0;
	uint64_t given = 0, stale_at = 0;

	for (size_t i = 0; i < KERNEL_CELLS; i++) {
		const struct kernel_cell *cell = &cells->cell[i];
		uint64_t n, ip6 = 0, stale_next;

		if (!cell->zone)
			continue;
		n = dealt(total->hits, at.hits + cell->hits, sum.hits, r) -
		    dealt(total->hits, at.hits, sum.hits, r);
		at.hits += cell->hits;
		if (n) {
			ip6 = dealt(total->ip6, given + n, total->hits, r6) -
			      dealt(total->ip6, given, total->hits, r6);
			given += n;
			count_hits(m, cell, n, ip6);
		}
		stale_next = stale_at + (sum.stale ? cell->stale : cell->hits);
		cell->cache->cache.stale += dealt(total->stale, stale_next, stale_of, r_stale) -
					    dealt(total->stale, stale_at, stale_of, r_stale);
		stale_at = stale_next;
	}
}

static int read_totals(struct metrics *m, struct kernel_totals *out)
{
	uint64_t counters[NODENS_CTR_COUNT];
	int ret;

	if (!m->config.kernel)
		return -1;
	ret = m->config.kernel(m->config.ctx, counters);
	if (ret)
		return ret;
	out->hits = counters[NODENS_CTR_HIT] + counters[NODENS_CTR_HIT_TC];
	out->ip6 = counters[NODENS_CTR_HIT_IP6];
	out->stale = counters[NODENS_CTR_HIT_STALE];
	return 0;
}

void metrics_kernel_start(struct metrics *m)
{
	read_totals(m, &m->settled);
}

/* A counter that fell was made anew. */
static uint64_t grown(uint64_t now, uint64_t before)
{
	return now >= before ? now - before : now;
}

void metrics__settle(struct metrics *m)
{
	struct kernel_totals now, total;
	struct kernel_cells *cells = m->pending;

	if (read_totals(m, &now))
		return;
	total.hits = grown(now.hits, m->settled.hits);
	total.ip6 = grown(now.ip6, m->settled.ip6);
	total.stale = grown(now.stale, m->settled.stale);
	/* Counters are read one after the other while they grow: the rest of these waits. */
	if (total.ip6 > total.hits)
		total.ip6 = total.hits;
	if (!total.hits && !total.stale)
		return;
	if (cells->len) {
		m->pending = m->last;
		m->last = cells;
		memset(m->pending, 0, sizeof(*m->pending));
	}
	if (!m->last->len)
		return;
	deal(m, m->last, &total);
	now.ip6 -= grown(now.ip6, m->settled.ip6) - total.ip6;
	m->settled = now;
}
