/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What the agent says of itself, each second: the tables of publish/records.h but that of devices.
 *
 * Contract: nothing waits for who reads, and a table that cannot be made is a line in the log, no
 * more: what is in it is known to the agent itself all the same. Nothing of it is on the way of an
 * answer from the kernel.
 */
#ifndef NODENS_AGENT_PUBLISH_H
#define NODENS_AGENT_PUBLISH_H

#include "base/loop.h"
#include "publish/records.h"
#include "upstream/upstream.h"

struct publish_config {
	const char *dir; /* where the tables are; "": nowhere */
	bool mmapable;
	const char *info_table;
	const struct agent_stats *stats;
	/* What of the row is to be said now; sum, times, episodes and base are seen to. */
	void (*fill)(void *ctx, struct publish_info *info);
	/* 0 or -errno; NULL: there are none. */
	int (*kernel)(void *ctx, uint64_t counters[NODENS_CTR_COUNT]);
	/* As upstreams__view(); NULL: there are none. @zones: of the block. */
	bool (*upstream)(void *ctx, size_t index, struct upstream_view *view, char *zones,
			 size_t size);
	void *ctx;
};

struct publish;

/* -ENOMEM: it has been logged, and *out is NULL, which all of these take. */
int publish_open(const struct publish_config *config, uint64_t now_ns, struct publish **out);
/* @remove: nobody is to read it any more. */
void publish_close(struct publish *publish, bool remove);
void publish_second(struct publish *publish, uint64_t now_ns);
/* As it was said last. */
const struct publish_info *publish_info(const struct publish *publish);
/* The @back-th reading of the counters before the newest (0), ten at most; NULL: there is none. */
const struct publish_base *publish_reading(const struct publish *publish, unsigned int back);
/* NULL: there are no more. */
const struct publish_upstream *publish_upstream(const struct publish *publish, uint32_t index);
/* The row of nodens_upstrms that this upstream has, or -1. */
int publish_upstream_row(const struct publish *publish, const struct upstream *upstream);
/* The agent has answered after it asked an upstream. */
void publish_missed(struct publish *publish, uint64_t now_ns, uint64_t duration_ns);

#endif /* NODENS_AGENT_PUBLISH_H */
