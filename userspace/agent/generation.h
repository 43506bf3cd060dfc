/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * One configuration at work: Corefile, plan, upstreams, resolver, logs. At a
 * reload a new one takes over and the old one lives on until the queries that
 * it took are answered.
 *
 * Contract: a generation that could not be opened leaves the one before as it
 * was.
 */
#ifndef NODENS_GENERATION_H
#define NODENS_GENERATION_H

#include "config/corefile.h"
#include "config/plan.h"
#include "observe/errlog.h"
#include "observe/querylog.h"
#include "observe/taps.h"
#include "resolver/prober.h"
#include "resolver/resolver.h"

struct generation_config {
	struct loop *loop;
	struct agent_stats *stats;
	struct store *store;
	uint16_t bufsize;
	/* Of these, contracts are in upstream/upstream.h, resolver/resolver.h,
	 * observe/errlog.h. */
	void (*upstream_changed)(void *ctx, const union sockaddr_any *addr, bool up,
				 const char *reason);
	void (*dropped)(void *ctx, const struct corefile_forward *forward);
	uint32_t (*device)(void *ctx, const struct sockaddr *peer);
	void (*reply)(void *ctx, const struct client *client, const uint8_t *msg, size_t len);
	void (*overload)(void *ctx, bool overloaded);
	void (*replied)(void *ctx, const struct resolver_event *event);
	void (*query_dropped)(void *ctx, const struct resolver_event *event);
	void (*looped)(void *ctx, const struct client *client, const char *zone,
		       const struct dns_name *probe);
	void (*probe_problem)(void *ctx, const char *text); /* resolver/prober.h */
	void (*exchanged)(void *ctx, const struct upstream_exchanged *exchanged);
	void (*tap_changed)(void *ctx, const char *to, int error); /* observe/taps.h */
	void (*error_line)(void *ctx, enum log_level level, const char *text);
	void *ctx;
};

struct generation {
	struct generation *older; /* draining */
	struct corefile *cf;
	struct plan plan; /* a wildcard's served addresses change */
	struct upstreams *upstreams;
	struct resolver *resolver;
	struct prober *prober;	     /* NULL: nothing is probed */
	struct querylog **querylogs; /* of each block; NULL: it has no log */
	struct taps *taps;	     /* NULL: no block has dnstap */
	struct errlog *errlog;
	uint64_t *templates_seen; /* three numbers for each template of each block, as
				     counted */
	uint64_t retired_ns;
};

/* Takes @cf and @plan over, on failure as well; a failure has been logged. */
int generation_open(const struct generation_config *config, struct corefile *cf,
		    const struct plan *plan, struct generation **out);
void generation_close(struct generation *gen);

/*
 * The agent's queries and @store are @gen's from here on; *current drains.
 * @room: what the store was made for. -ENOMEM: its entries are as they were, which has been logged.
 */
int generation_take_over(struct generation **current, struct generation *gen, struct store *store,
			 uint32_t room, uint64_t now_ns);
void generation_tick(struct generation *current, uint64_t now_ns); /* each second */
/* Closes what has drained of the older ones. */
void generation_reap(struct generation *current, uint64_t now_ns);

/* Under way in all generations. */
unsigned int generation_in_flight(const struct generation *current);
/* The one whose block answered; NULL: no block did. */
const struct generation *generation_of(const struct generation *current,
				       const struct resolver_event *event);
/* The zones, divided by commas, whose upstreams have not answered yet; false:
 * there are none. */
bool generation_waiting(const struct generation *gen, char *zones, size_t size);

#endif /* NODENS_GENERATION_H */
