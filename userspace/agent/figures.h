/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The figures of the page at /, as JSON: /status.json.
 *
 * Contract: docs/schema/page.json is its shape, and its "status" is the object of `nodens status
 * --json`, with the same problems, but for pods' names. Whoever reaches the port has it, so no
 * query's name, no client's address and no pod's name is in it. Made at most ten times a second and
 * for a twentieth of a CPU (observe/page_cache.h).
 */
#ifndef NODENS_FIGURES_H
#define NODENS_FIGURES_H

#include "agent/publish.h"
#include "base/loop.h"
#include "base/probe_stats.h"
#include "dns/rcode.h"
#include "status/status.h"
#include "upstream/stats.h"

struct evbuffer;

struct figures_config {
	const struct loop *loop;
	/* All but has_standby and notrack; devices and upstreams are malloc'd. False: standing by.
	 */
	bool (*status)(void *ctx, struct status *status);
	void (*rcodes)(void *ctx, uint64_t n[RCODE_COUNT]);
	/* The index-th; false: there are no more. */
	bool (*upstream)(void *ctx, size_t index, struct upstream_stats *out);
	bool (*probe)(void *ctx, size_t index, struct probe_stats *out);
	void *ctx;
};

struct figures;

int figures_open(const struct figures_config *config, struct figures **out); /* -ENOMEM */
void figures_close(struct figures *figures);
/* After publish_second(). @publish may be NULL. */
void figures_second(struct figures *figures, const struct publish *publish);
/* Appends them. 0, -ENOMEM, -EAGAIN: standing by. */
int figures_get(struct figures *figures, struct evbuffer *out);

#endif /* NODENS_FIGURES_H */
