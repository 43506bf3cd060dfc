/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What is counted of each upstream's address: kept over reloads, shared by all
 * forwards that name it.
 *
 * Contract: counted by the files of this folder; upstreams__metrics() hands it out.
 */
#ifndef NODENS_UPSTREAM_METRICS_H
#define NODENS_UPSTREAM_METRICS_H

#include <netinet/in.h>

#include "base/histogram.h"
#include "base/quantiles.h"
#include "base/sockaddr.h"
#include "dns/rcode.h"

struct upstream;
struct upstreams;

/* An upstream, for coredns_forward_* and coredns_proxy_*. Counters never fall. */
enum upstream_proto { UPSTREAM_UDP, UPSTREAM_TCP, UPSTREAM_TLS, UPSTREAM_PROTOS };

struct upstream_stats {
	const char *to;				/* "10.0.0.10:53", valid until the next call */
	uint64_t requests;			/* sent, answered or not; no probes */
	struct histogram answered[RCODE_COUNT]; /* by rcode */
	uint64_t healthcheck_failures;
	uint64_t timeouts; /* requests not answered in time, or after another that was asked besides
			    */
	uint64_t errors;   /* requests that were refused, broken off, or answered malformed */
	int64_t certificate_ends_s; /* over TLS, since 1970; 0: none was seen */
	uint64_t conn_cache_hits[UPSTREAM_PROTOS], conn_cache_misses[UPSTREAM_PROTOS];
};

struct upstream_numbers {
	unsigned int refs; /* generations that hold it */
	union sockaddr_any addr;
	char to[SOCKADDR_TEXT];
	struct quantiles rtt;
	struct upstream_stats v;
};

/* Sets upstream->numbers; -ENOMEM. */
int upstream_numbers_open(struct upstreams *ups, struct upstream *upstream);
/* Count on where @before counts. */
void upstream_numbers_inherit(struct upstreams *ups, const struct upstreams *before);
void upstream_numbers_close_all(struct upstreams *ups);

#endif /* NODENS_UPSTREAM_METRICS_H */
