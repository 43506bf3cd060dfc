/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A viewer's session: single packets out of the programs, as headers/nodens_sessions.h has it; or
 * without those (before Linux 5.8, or without the kernel path) what the agent says of the queries
 * that it had (viewers.h), which are events of the same form.
 *
 * Contract: not for threads; at most NODENS_SESSIONS at once on a node, of whatever processes.
 * While it is open session__renew() is to be called, from a signal handler if need be, at least
 * every SESSION_RENEW_MS: one of the programs' whose viewer was killed or stopped ends by itself
 * within SESSION_LEASE_MS. One of the agent's lasts as long as its viewer and the agent do.
 */
#ifndef NODENS_SESSION_H
#define NODENS_SESSION_H

#include "base/error.h"
#include "datapath/datapath.h"

#define SESSION_RENEW_MS 250
#define SESSION_LEASE_MS 2000

/*
 * Nobody is told of an event: its viewer looks that often. A ring holds some 9,000 small ones,
 * which come within 20 ms at 450,000 a second.
 */
#define SESSION_READ_MS 20

/* All packets, whole enough for their first record. */
#define SESSION_SNAP 384

struct session;

/* What lets everything through: all kinds, outcomes, rcodes and names, each packet. */
struct nodens_filter session__any(void);

/*
 * @event: of each record, valid during the call. -EOPNOTSUPP: no ring buffers; -EUSERS: all
 * sessions are taken; -ENOMEM; ...
 */
int session__open(const struct datapath *dp, const struct nodens_filter *filter,
		  void (*event)(void *ctx, const struct nodens_event *event), void *ctx,
		  struct session **out, struct error *err);
/*
 * Of the agent that has its socket at @path ("": none has): NODENS_EVENT_AGENT alone. -ENOENT,
 * -ECONNREFUSED: there is no agent; -ETIMEDOUT: it does not answer; -EUSERS; -EPERM; ... A signal
 * does not end it.
 */
int session__connect(const char *path, const struct nodens_filter *filter,
		     void (*event)(void *ctx, const struct nodens_event *event), void *ctx,
		     struct session **out, struct error *err);
void session__close(struct session *session); /* NULL: nothing */

/*
 * Async-signal-safe. False: the session had run out and is somebody else's by now, or its agent has
 * ended. Whether the maps are still those of the programs it does not find out.
 */
bool session__renew(struct session *session);

/* From here on one packet in so many is looked at; 1: each. */
void session__set_one_in(struct session *session, uint32_t one_in);

/* All records that are there, at most @max (0: no limit). How many, or -errno. */
int session__read(struct session *session, unsigned int max);

/* Its place in nodens_sessions, below NODENS_SESSIONS; of the programs' alone. */
unsigned int session__number(const struct session *session);
/* What it had so far, all CPUs. 0 or -errno. */
int session__seen(const struct session *session, struct nodens_seen *seen);

/* Frees the rings of viewers that ended without session__close(). */
void session__sweep(const struct datapath *dp);

/*
 * How many sessions are open on this node, and whose: their viewers' pids, each as it is in its own
 * process namespace.
 */
unsigned int session__holders(const struct datapath *dp, uint32_t pids[NODENS_SESSIONS]);

#endif /* NODENS_SESSION_H */
