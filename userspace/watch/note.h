/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The agent's own events for those who look on: what it has done with a query, into the same rings
 * as what the programs have seen (headers/nodens_sessions.h, NODENS_EVENT_AGENT).
 *
 * Contract: not for threads. While nobody looks on there is but note__wanted(), one load. An event
 * is one system call and waits for nobody.
 */
#ifndef NODENS_NOTE_H
#define NODENS_NOTE_H

#include "base/error.h"
#include "base/sockaddr.h"
#include "datapath/datapath.h"
#include "nodens_sessions.h"
#include "watch/session.h"

#define NOTE_HEADERS_MAX (14 + 40 + 8) /* Ethernet, IPv6, UDP */
#define NOTE_PACKET_MAX	 (NOTE_HEADERS_MAX + NODENS_MAX_SNAP)

struct note_event {
	const void *client, *served; /* sockaddrs of one family */
	const uint8_t *msg;	     /* the reply; without one the query, its QR clear */
	size_t len;
	struct nodens_agent_note about; /* but l3, l4 and NODENS_EVENT_IP6 */
};

/*
 * The reply as a packet from @served to @client, and event->about whole. Of the message there are
 * NODENS_MAX_SNAP bytes at most; lengths and checksums are of all of it, or of what such a packet
 * can hold. How long it is.
 */
size_t note__packet(struct note_event *event, uint8_t packet[NOTE_PACKET_MAX]);

struct note;

/* Loads the program. -EOPNOTSUPP: no ring buffers, so nobody looks on; ... */
int note__open(struct datapath *dp, struct note **out, struct error *err);
void note__close(struct note *note); /* NULL: nothing */

/* @own: the agent's own session, which wants none of these; NULL: it has none. */
void note__ignore(struct note *note, const struct session *own);
/* Does anybody look on? @note NULL: no. */
bool note__wanted(const struct note *note);
/* To all who do. 0 or -errno. */
int note__send(struct note *note, struct note_event *event);

#endif /* NODENS_NOTE_H */
