// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "base/histogram.h"

#define FIRST_BUCKET_NS 250000 /* 0.00025 s */

void histogram__add(struct histogram *time, uint64_t ns)
{
	uint64_t bound = FIRST_BUCKET_NS;
	unsigned int n = 0;

	while (n < HISTOGRAM_BUCKETS && ns > bound) {
		bound *= 2;
		n++;
	}
	time->bucket[n]++;
	time->sum_ns += ns;
}
