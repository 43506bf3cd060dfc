/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Durations counted by size.
 */
#ifndef NODENS_HISTOGRAM_H
#define NODENS_HISTOGRAM_H

#include <stdint.h>

/* CoreDNS' time buckets, 0.00025 s x 2^n, and one for all above. */
#define HISTOGRAM_BUCKETS 16

struct histogram {
	uint64_t bucket[HISTOGRAM_BUCKETS + 1]; /* not cumulative */
	uint64_t sum_ns;
};

void histogram__add(struct histogram *time, uint64_t ns);

#endif /* NODENS_HISTOGRAM_H */
