/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What the agent does with queries, for those who look on with a session: into the programs' rings
 * (watch/note.h), or by a socket of its own where there are none (watch/viewers.h).
 *
 * Contract: each client's query that reached the agent is one event when it is over. Its own
 * queries, probes and refreshes among them, are none. Without a session a query costs one load.
 * Events may be NULL, where nobody can look on.
 */
#ifndef NODENS_EVENTS_H
#define NODENS_EVENTS_H

#include "base/loop.h"
#include "datapath/datapath.h"
#include "resolver/resolver.h"
#include "watch/session.h"

struct events_config {
	struct loop *loop;
	struct datapath *datapath;				    /* NULL: there are no rings */
	const char *socket;					    /* then, where it is to lie */
	uint32_t (*device)(void *ctx, const struct sockaddr *peer); /* 0: not known */
	int (*row)(void *ctx, const struct upstream *upstream);	    /* as publish_upstream_row() */
	void *ctx;
};

struct events;

int events_open(const struct events_config *config, struct events **out); /* -errno: logged */
void events_close(struct events *events);

/* event->reply NULL: there was none. */
void events_replied(struct events *events, const struct resolver_event *event);
/* A query was refused unread, with this reply. */
void events_refused(struct events *events, const struct client *client, const uint8_t *reply,
		    size_t size);
/* The agent's own session wants none of them; NULL: it has none. */
void events_ignore(struct events *events, const struct session *own);
void events_second(struct events *events); /* each second */

#endif /* NODENS_EVENTS_H */
