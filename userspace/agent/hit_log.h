/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Queries that the programs answered, for the plugins log and dnstap: a session of the agent's own.
 *
 * Contract: it is open only while a block of the configuration has `log` or `dnstap`, since each
 * hit then costs an event and the agent a line or two messages. What comes faster than the agent
 * reads is lost to these alone, counted (AGENT_STAT_LOG_HITS_LOST), and said once a minute at most.
 */
#ifndef NODENS_HIT_LOG_H
#define NODENS_HIT_LOG_H

#include "base/client.h"
#include "base/counters.h"
#include "base/loop.h"
#include "config/corefile.h"
#include "datapath/datapath.h"
#include "watch/session.h"

/* A query and its reply, as far as the reply tells. */
struct hit {
	struct client client; /* query_size 0: not known, since it had EDNS */
	uint32_t ifindex;
	struct dns_query query; /* with EDNS edns_size is not known: 0 */
	const uint8_t *reply;	/* of which what was not captured is zero */
	size_t size;
	bool whole;	  /* all of it was captured */
	uint64_t time_ns; /* CLOCK_MONOTONIC */
};

struct hit_log_config {
	struct loop *loop;
	const struct datapath *datapath;
	struct agent_stats *stats;
	void (*hit)(void *ctx, const struct hit *hit);
	/* The agent's own session from now on, or NULL: there is none. */
	void (*session)(void *ctx, const struct session *session);
	void *ctx;
};

struct hit_log;

int hit_log_open(const struct hit_log_config *config, struct hit_log **out); /* -ENOMEM */
void hit_log_close(struct hit_log *log);

/* All of these take NULL. The configuration at work: */
void hit_log_configure(struct hit_log *log, const struct corefile *cf);
void hit_log_beat(struct hit_log *log);			   /* ten times a second */
void hit_log_second(struct hit_log *log, uint64_t now_ns); /* each second */

#endif /* NODENS_HIT_LOG_H */
