/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What was counted in each of the last HISTORY_SAMPLES seconds, for the charts of the page.
 *
 * Contract: counts are exact, those of all samples add up to what was counted in their time; a
 * sample is longer where the loop was held up. 11 KB.
 */
#ifndef NODENS_HISTORY_H
#define NODENS_HISTORY_H

#include <jansson.h>

#include "publish/records.h"

#define HISTORY_SAMPLES 300

struct history_sample {
	uint32_t ms; /* between the readings */
	uint32_t kernel, agent, passed, servfail, timeouts, evicted;
	uint32_t miss_p50_us, miss_p99_us; /* of the last 10 to 20 s; 0: there were none */
};

struct history {
	uint64_t n; /* so far; the newest is at (n - 1) % HISTORY_SAMPLES */
	struct history_sample ring[HISTORY_SAMPLES];
};

/* Two readings after each other. @info: for the times of misses. */
void history_add(struct history *history, const struct publish_base *before,
		 const struct publish_base *after, const struct publish_info *info);
/* An array a figure, the oldest first: docs/schema/page.json. NULL: no memory. */
json_t *history_json(const struct history *history);

#endif /* NODENS_HISTORY_H */
