/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What is counted of a name of the probe directive, asked in one way.
 */
#ifndef NODENS_PROBE_STATS_H
#define NODENS_PROBE_STATS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/histogram.h"

enum probe_outcome {
	PROBE_SUCCESS,
	PROBE_TIMEOUT,	  /* no answer within the timeout */
	PROBE_UNEXPECTED, /* another one than `expect` says */
	PROBE_ERROR,	  /* asked in vain: refused, reset, or turned away */
	PROBE_OUTCOMES
};

struct probe_stats {
	const char *zone, *name; /* printable; valid until the loop's next turn */
	const char *via;	 /* "node", or an upstream's "IP:PORT" */
	bool known;		 /* asked at least once; then: */
	bool success;		 /* the last one */
	uint64_t outcomes[PROBE_OUTCOMES];
	struct histogram time; /* of answers, whatever they say */
	bool has_age;
	uint64_t age_ns; /* of the last answer, where the cache had it; 0 where it was asked for */
};

#endif /* NODENS_PROBE_STATS_H */
