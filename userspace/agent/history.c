// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The last minutes by the second. Contract: history.h.
 */
#include "agent/history.h"

#include "status/status.h"

#define INTERVAL_S 1 /* publish_second() is called each second */

static uint32_t grown(uint64_t now, uint64_t before)
{
	uint64_t n = now > before ? now - before : 0;

	return n > UINT32_MAX ? UINT32_MAX : n;
}

void history_add(struct history *history, const struct publish_base *before,
		 const struct publish_base *after, const struct publish_info *info)
{
	const uint64_t *then = before->agent, *now = after->agent;
	struct history_sample sample = {
		.ms = grown(after->at_ns / 1000000, before->at_ns / 1000000),
		.kernel = grown(status__hits(after), status__hits(before)),
		.passed = grown(status__passed_on(after), status__passed_on(before)),
		.agent = grown(now[AGENT_STAT_QUERIES], then[AGENT_STAT_QUERIES]),
		.servfail = grown(now[AGENT_STAT_SERVFAIL], then[AGENT_STAT_SERVFAIL]),
		.timeouts = grown(now[AGENT_STAT_UPSTREAM_TIMEOUTS],
				  then[AGENT_STAT_UPSTREAM_TIMEOUTS]),
		.evicted = grown(after->evicted, before->evicted),
		.miss_p50_us = info->miss_p50_ns / 1000,
		.miss_p99_us = info->miss_p99_ns / 1000,
	};

	/* two in one millisecond: at the start, and at the first tick of the timer */
	if (sample.ms)
		history->ring[history->n++ % HISTORY_SAMPLES] = sample;
}

static json_t *column(const struct history *history, size_t offset, bool zero_is_null)
{
	uint64_t first = history->n > HISTORY_SAMPLES ? history->n - HISTORY_SAMPLES : 0;
	json_t *list = json_array();

	for (uint64_t i = first; i < history->n; i++) {
		const char *sample = (const char *)&history->ring[i % HISTORY_SAMPLES];
		uint32_t value = *(const uint32_t *)(sample + offset);

		json_array_append_new(list,
				      value || !zero_is_null ? json_integer(value) : json_null());
	}
	return list;
}

json_t *history_json(const struct history *history)
{
#define COLUMN(name, zero_is_null) \
#name, column(history, offsetof(struct history_sample, name), zero_is_null)
	return json_pack("{si si so so so so so so so so so}", "interval_s", INTERVAL_S, "length",
			 HISTORY_SAMPLES, COLUMN(ms, false), COLUMN(kernel, false),
			 COLUMN(agent, false), COLUMN(passed, false), COLUMN(servfail, false),
			 COLUMN(timeouts, false), COLUMN(evicted, false), COLUMN(miss_p50_us, true),
			 COLUMN(miss_p99_us, true));
#undef COLUMN
}
