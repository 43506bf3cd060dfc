/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Durations of the last 10 to 20 s, and how many of a hundred were shorter.
 *
 * Contract: all zero is an empty one. 4 buckets a power of two from 1 us to 16 s, so what is
 * answered is off by an eighth at most; shorter and longer ones count as these.
 */
#ifndef NODENS_QUANTILES_H
#define NODENS_QUANTILES_H

#include <stdint.h>

#define QUANTILES_BUCKETS 97
#define QUANTILES_SPAN_NS 10000000000ull

struct quantiles {
	uint64_t begun_ns; /* when bucket[0] began; bucket[1] is the time before it */
	uint32_t bucket[2][QUANTILES_BUCKETS];
};

void quantiles__add(struct quantiles *q, uint64_t now_ns, uint64_t duration_ns);
/* Shorter than this were @percent (1 to 100) of them; 0: there were none. */
uint64_t quantiles__get(struct quantiles *q, uint64_t now_ns, unsigned int percent);

#endif /* NODENS_QUANTILES_H */
