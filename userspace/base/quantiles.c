// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Durations by buckets of two spans of time. Contract: quantiles.h.
 */
#include "base/quantiles.h"

#include <string.h>

#define UNIT_NS 1024 /* the least */

static unsigned int bucket_of(uint64_t ns)
{
	uint64_t units = ns / UNIT_NS;
	unsigned int power, n;

	if (units < 4)
		return units;
	power = 63 - __builtin_clzll(units);
	n = 4 * (power - 1) + (units >> (power - 2) & 3);
	return n < QUANTILES_BUCKETS ? n : QUANTILES_BUCKETS - 1;
}

/* The middle of it. */
static uint64_t duration_of(unsigned int bucket)
{
	unsigned int power = bucket / 4 + 1;

	if (bucket < 4)
		return bucket * UNIT_NS + UNIT_NS / 2;
	return (((4 + bucket % 4) * 2 + 1) << (power - 2)) * (uint64_t)UNIT_NS / 2;
}

static void move_on(struct quantiles *q, uint64_t now)
{
	uint64_t over = now - q->begun_ns;

	if (over < QUANTILES_SPAN_NS)
		return;
	memcpy(q->bucket[1], q->bucket[0], sizeof(q->bucket[1]));
	memset(q->bucket[0], 0, sizeof(q->bucket[0]));
	if (over >= 2 * QUANTILES_SPAN_NS)
		memset(q->bucket[1], 0, sizeof(q->bucket[1]));
	q->begun_ns = now - over % QUANTILES_SPAN_NS;
}

void quantiles__add(struct quantiles *q, uint64_t now, uint64_t duration_ns)
{
	move_on(q, now);
	q->bucket[0][bucket_of(duration_ns)]++;
}

uint64_t quantiles__get(struct quantiles *q, uint64_t now, unsigned int percent)
{
	uint64_t total = 0, sum = 0;

	move_on(q, now);
	for (unsigned int i = 0; i < QUANTILES_BUCKETS; i++)
		total += (uint64_t)q->bucket[0][i] + q->bucket[1][i];
	for (unsigned int i = 0; i < QUANTILES_BUCKETS; i++) {
		sum += (uint64_t)q->bucket[0][i] + q->bucket[1][i];
		if (total && sum * 100 >= total * percent)
			return duration_of(i);
	}
	return 0;
}
