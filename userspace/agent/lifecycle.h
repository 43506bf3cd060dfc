/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * From waiting for the upstreams to being ready, and from a signal to the end.
 *
 * Contract: until the upstreams of all zones have answered pods use the cluster's DNS as before.
 * After SIGTERM comes the lameduck time, in which all goes on but /ready; then the agent stops, and
 * what is under way is waited for.
 */
#ifndef NODENS_LIFECYCLE_H
#define NODENS_LIFECYCLE_H

#include "base/loop.h"

struct lifecycle_config {
	struct loop *loop;	     /* broken out of at the end */
	bool (*answered)(void *ctx); /* have the upstreams of all zones? */
	void (*probe)(void *ctx);    /* each second: ask those that have not */
	/* The zones, divided by commas, whose upstreams are waited for; false: none. */
	bool (*waiting)(void *ctx, char *zones, size_t size);
	/* They have answered: serve. False: something is in the way, to be asked again. */
	bool (*begin)(void *ctx, uint64_t now_ns);
	bool (*begun)(void *ctx); /* is it still so? */
	void (*reload)(void *ctx, const char *signal);
	/* Told to end, by @signal: how long queries are answered on. It is for the log. */
	uint64_t (*leave)(void *ctx, const char *signal);
	void (*stop)(void *ctx); /* no new queries */
	unsigned int (*in_flight)(void *ctx);
	void *ctx;
};

struct lifecycle;

/* Signals are handled from here on. -errno: it has been logged; *out is to be closed then, too. */
int lifecycle_open(const struct lifecycle_config *config, struct lifecycle **out);
void lifecycle_close(struct lifecycle *lifecycle);

/* Until then (standing by, starting) a signal to end stops at once. */
void lifecycle_start(struct lifecycle *lifecycle);
bool lifecycle_leaving(const struct lifecycle *lifecycle); /* told to, or stopping */
bool lifecycle_stopping(const struct lifecycle *lifecycle);

void lifecycle_beat(struct lifecycle *lifecycle, uint64_t now_ns); /* ten times a second */
void lifecycle_tick(struct lifecycle *lifecycle, uint64_t now_ns); /* each second */

#endif /* NODENS_LIFECYCLE_H */
