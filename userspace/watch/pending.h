/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Queries that went to the agent, until the agent says what it has done with them; or queries that
 * were passed on, until their replies come: so that each is shown once, also where none does.
 *
 * Contract: single-threaded. Time is that of the events. A query that nothing is said of for
 * PENDING_WAIT_NS is handed out, and what is said of it within PENDING_KEEP_NS is known to be said
 * too late. There are PENDING_MAX at most: for one more the oldest does not wait any longer, and
 * what is said of it later is taken for another query's. Adding and ending take the same time
 * whatever clients send: what is alike is found in order of its coming.
 */
#ifndef NODENS_WATCH_PENDING_H
#define NODENS_WATCH_PENDING_H

#include "watch/event.h"

#define PENDING_MAX	32768u /* 12 MB when there are so many */
#define PENDING_WAIT_NS 6000000000ull
#define PENDING_KEEP_NS 60000000000ull

struct pending;

/* @shown: of each query that the agent said nothing of. -ENOMEM. */
int pending__open(void (*shown)(void *ctx, const struct watch_event *query), void *ctx,
		  struct pending **out);
void pending__close(struct pending *pending); /* NULL: nothing; shows none */

/* A query to the agent. */
void pending__add(struct pending *pending, const struct watch_event *query);
/*
 * The agent says of a query what became of it. The query's device is given to what has none, as in
 * mode listen, and its question to a reply that has none, as FORMERR. False: that query has been
 * shown already; nothing is to be shown of it any more.
 */
bool pending__end(struct pending *pending, struct watch_event *said);
/* The query that @said is the reply to; it waits no more. False: there is none, or it was shown. */
bool pending__take(struct pending *pending, const struct watch_event *said,
		   struct watch_event *query);
/* The time is @now_ns; UINT64_MAX: the end, all that still wait are shown. */
void pending__tick(struct pending *pending, uint64_t now_ns);

#endif /* NODENS_WATCH_PENDING_H */
