/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The probe directive: names without which nothing works, looked up again and again, as a client
 * of the node would have them ("node": acl, rewrites, cache, plugins, upstreams) and, with
 * `upstreams`, of each upstream of the name's forward alone.
 *
 * Contract: single-threaded, of an event loop; no logging. What is not measured: the programs and
 * the pods' devices. Nothing is asked twice at once, each name at most every interval, at a time
 * drawn anew; queries count as no client's. COREFILE_PROBE_MAX names a block, whatever a file says.
 */
#ifndef NODENS_PROBER_H
#define NODENS_PROBER_H

#include "base/probe_stats.h"
#include "resolver/resolver.h"

struct prober;

struct prober_config {
	struct loop *loop;
	struct resolver *resolver; /* outlives the prober's questions; closed before the prober */
	const struct store *store; /* NULL: nothing is cached */
	/* Something is wrong with a file of names: once for each change. May be NULL. */
	void (*problem)(void *ctx, const char *text);
	void *ctx;
};

/* *out is NULL where no block of @cf, which outlives it, has `probe`. -ENOMEM. */
int prober__open(const struct prober_config *config, const struct corefile *cf,
		 struct prober **out);
/* Another configuration is at work: nothing more is asked, and upstreams are waited for no more. */
void prober__stop(struct prober *prober);
/* Before its upstreams are closed. */
void prober__close(struct prober *prober);
/* Counts what @before has counted of the same names asked in the same ways. */
void prober__inherit(struct prober *prober, const struct prober *before);
void prober__tick(struct prober *prober, uint64_t now_ns); /* each second: files of names */

/* The index-th; false: there are no more. @prober may be NULL. */
bool prober__stats(const struct prober *prober, size_t index, struct probe_stats *out);

#endif /* NODENS_PROBER_H */
