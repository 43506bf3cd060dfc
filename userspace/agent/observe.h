/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What is logged and shown of the agent at work: /health, /ready, /metrics and the page, the lines
 * of the log and errors plugins.
 *
 * Contract: those lines go to stdout as CoreDNS words them, so that what reads its log reads this
 * one.
 */
#ifndef NODENS_OBSERVE_H
#define NODENS_OBSERVE_H

#include "agent/generation.h"
#include "agent/hit_log.h"
#include "link/cni_result.h"
#include "observe/endpoints.h"

struct observe_config {
	struct loop *loop;
	const struct run_options *opts;
	struct agent_stats *stats;
	struct metrics *metrics;
	bool (*ready)(void *ctx, char *why);		 /* as in struct endpoints_config */
	int (*figures)(void *ctx, struct evbuffer *out); /* the same */
	/* The pod that @client is, at the device @ifindex (0: to be looked up); false: not known.
	 */
	bool (*pod)(void *ctx, const struct client *client, uint32_t ifindex, struct pod_name *out);
	void *ctx;
};

struct observe;

int observe_open(const struct observe_config *config, struct observe **out); /* -ENOMEM */
void observe_close(struct observe *observe);

/* As much is logged as a configuration wants. True: debug lines too. */
bool observe_level(const struct run_options *opts, const struct corefile *cf);
/* The endpoints and the level of the configuration at work. -errno: it has been logged. */
int observe_configure(struct observe *observe, const struct corefile *cf);

/* Lines of the errors plugin: as errlog_line. */
void observe_error_line(struct observe *observe, enum log_level level, const char *text);
/* @gen: the configuration that answered. */
void observe_replied(struct observe *observe, const struct generation *gen,
		     const struct resolver_event *event);
/* There was no reply. */
void observe_dropped(const struct generation *gen, const struct resolver_event *event);
/* A query was sent to an upstream. */
void observe_exchanged(const struct generation *gen, const struct upstream_exchanged *exchanged);
/* The kernel has answered, under the configuration at work. */
void observe_hit(struct observe *observe, const struct generation *gen, const struct hit *hit);
void observe_beat(struct observe *observe); /* ten times a second */
void observe_tick(struct observe *observe); /* each second */

#endif /* NODENS_OBSERVE_H */
