/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What the agent and its programs do, as metrics.
 *
 * Contract: metrics count by the block numbers of the configuration at work. A
 * query that an older one still answers counts for the block that has its name
 * now.
 */
#ifndef NODENS_METRICS_SOURCE_H
#define NODENS_METRICS_SOURCE_H

#include "agent/generation.h"
#include "datapath/datapath.h"
#include "observe/metrics.h"

/* Where the numbers are; standing by, there is no store and no generation yet.
 */
struct metrics_source_config {
	struct loop *loop;
	struct agent_stats *stats;
	struct store *(*store)(void *ctx);	     /* NULL: none yet */
	struct generation *(*generation)(void *ctx); /* at work; NULL: none yet */
	int (*kernel)(void *ctx, uint64_t counters[NODENS_CTR_COUNT]);
	bool (*kernel_path)(void *ctx);		       /* programs answer */
	const struct datapath *(*datapath)(void *ctx); /* NULL: none yet, or none at all */
	/* As in struct metrics_config. */
	void (*heartbeat)(void *ctx, uint64_t *age_ns, uint64_t *lease_ns);
	void *ctx;
};

struct metrics_source;

int metrics_source_open(const struct metrics_source_config *config, struct metrics_source **out);
void metrics_source_close(struct metrics_source *source);
struct metrics *metrics_source_metrics(struct metrics_source *source);

/* Blocks have @cf's numbers from here on; what was counted until now was the
 * old blocks'. */
void metrics_source_configure(struct metrics_source *source, const struct corefile *cf);
/* SHA-512 of it, as hexadecimal digits; "": there is none. */
const char *metrics_source_hash(const struct metrics_source *source);

/* @gen: the configuration that answered; NULL: no block of it did. */
void metrics_source_replied(struct metrics_source *source, const struct generation *gen,
			    const struct resolver_event *event);
void metrics_source_refused(struct metrics_source *source, const struct client *client,
			    uint16_t rcode, size_t reply_size);
void metrics_source_dropped(struct metrics_source *source, const struct corefile_forward *forward);
void metrics_source_refresh(struct metrics_source *source, const struct store_question *question);
/* As store_config's series. */
struct store_series metrics_source_series(const struct metrics_source *source,
					  const struct nodens_slot *slot, uint16_t partition);

#endif /* NODENS_METRICS_SOURCE_H */
