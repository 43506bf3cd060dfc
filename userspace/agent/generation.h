/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * One configuration at work: Corefile, plan, upstreams, resolver. At a reload a new one takes over
 * and the old one lives on until the queries that it took are answered.
 *
 * Contract: a generation that could not be opened leaves the one before as it was.
 */
#ifndef NODENS_GENERATION_H
#define NODENS_GENERATION_H

#include "config/corefile.h"
#include "config/plan.h"
#include "resolver/resolver.h"

struct agent;

struct generation {
	struct generation *older; /* draining */
	struct corefile *cf;
	struct plan plan; /* a wildcard's served addresses change */
	struct upstreams *upstreams;
	struct resolver *resolver;
	struct querylog **querylogs; /* of each block; NULL: it has no log */
	struct errlog *errlog;
	uint64_t *templates_seen; /* three numbers for each template of each block, as told */
	uint64_t retired_ns;
};

/* Takes @cf and @plan over, on failure as well; a failure has been logged. */
int generation__open(struct agent *agent, struct corefile *cf, const struct plan *plan,
		     struct generation **out);
void generation__close(struct generation *gen);

/* The agent's queries and its store are @gen's from here on; what was before drains. */
void generation__take_over(struct agent *agent, struct generation *gen, uint64_t now_ns);
/* Close what has drained. */
void generation__reap(struct agent *agent, uint64_t now_ns);
/* Under way in all generations. */
unsigned int generation__in_flight(const struct agent *agent);

#endif /* NODENS_GENERATION_H */
