// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Queries a second, by who had them. Contract: status.h.
 */
#include "status/status.h"

uint64_t status__passed_on(const struct publish_base *at)
{
	static const enum nodens_counter counters[] = {
		NODENS_CTR_STEER_OFF,	   NODENS_CTR_STEER_DEAD,  NODENS_CTR_STEER_HUNG,
		NODENS_CTR_STEER_SHED,	   NODENS_CTR_STEER_FULL,  NODENS_CTR_STEER_VLAN,
		NODENS_CTR_STEER_CONFLICT, NODENS_CTR_STEER_ERROR,
	};
	uint64_t sum = 0;

	for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++)
		sum += at->kernel[counters[i]];
	return sum;
}

uint64_t status__hits(const struct publish_base *at)
{
	return at->kernel[NODENS_CTR_HIT] + at->kernel[NODENS_CTR_HIT_TC];
}

static double per_second(uint64_t now, uint64_t before, double seconds)
{
	return now > before ? (double)(now - before) / seconds : 0;
}

bool status__counts_go_on(const struct nodens_device_counts *before,
			  const struct nodens_device_counts *now)
{
	return before->hits <= now->hits && before->nxdomain <= now->nxdomain &&
	       before->misses <= now->misses && before->tcp <= now->tcp &&
	       before->unsteered <= now->unsteered && before->passed <= now->passed;
}

/* Queries by TCP are not known: packets are counted. */
void status__rates_by_device(struct status_counts *counts, double seconds,
			     const struct nodens_device_counts *before)
{
	const struct nodens_device_counts *now = &counts->n;

	if (!counts->known || seconds <= 0)
		return;
	counts->seconds = seconds;
	counts->kernel = per_second(now->hits, before->hits, seconds);
	counts->nxdomain = per_second(now->nxdomain, before->nxdomain, seconds);
	counts->passed = per_second(now->unsteered, before->unsteered, seconds);
	counts->queries = counts->kernel + per_second(now->misses, before->misses, seconds);
}

void status__rates_between(struct status_rates *rates, const struct publish_base *before,
			   const struct publish_base *after)
{
	double s = (double)(after->at_ns - before->at_ns) / 1e9;

	if (after->at_ns <= before->at_ns)
		return;
	rates->seconds = s;
	rates->kernel = per_second(status__hits(after), status__hits(before), s);
	rates->passed = per_second(status__passed_on(after), status__passed_on(before), s);
	rates->agent =
		per_second(after->agent[AGENT_STAT_QUERIES], before->agent[AGENT_STAT_QUERIES], s);
	rates->servfail = per_second(after->agent[AGENT_STAT_SERVFAIL],
				     before->agent[AGENT_STAT_SERVFAIL], s);
	rates->evicted = per_second(after->evicted, before->evicted, s);
	rates->queries = rates->kernel + rates->passed + rates->agent;
}
