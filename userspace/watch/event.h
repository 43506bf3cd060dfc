/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * An event of a session, taken apart: who asked what, what was answered, by whom and how fast.
 *
 * Contract: pure. The packet of an event is what a pod sent: whatever its bytes say, nothing is
 * read outside of those that were captured, and what they do not hold is left out, never guessed.
 */
#ifndef NODENS_WATCH_EVENT_H
#define NODENS_WATCH_EVENT_H

#include "base/sockaddr.h"
#include "dns/name.h"

/* Not struct event, which is libevent's. */
struct watch_event {
	uint64_t time_ns; /* CLOCK_MONOTONIC */
	uint32_t ifindex;
	uint8_t kind;	 /* enum nodens_event_kind */
	uint8_t outcome; /* enum nodens_counter */
	uint8_t flags;	 /* NODENS_EVENT_* */

	bool has_client; /* the headers are there: client, server and their ports */
	struct served_addr client, server;
	uint16_t client_port, server_port;

	/* Not of the kernel's TCP segments. */
	bool has_header;   /* DNS: id, and of a reply all below */
	bool has_question; /* its first: qname, as asked, qtype */
	uint16_t id, qtype;
	struct dns_name qname;

	bool is_reply;
	bool truncated;
	bool has_ttl; /* the first answer record was captured */
	uint16_t
		rcode; /* with OPT's upper bits, where a reply without answers was captured whole */
	uint16_t answers; /* as the header counts them */
	uint32_t ttl_s;	  /* of the first answer record */

	/*
	 * Of NODENS_EVENT_PASSED, where replies are looked at: what above is a reply's, and
	 * took_us, are of the reply that came; or none has come in time.
	 */
	bool replied, no_reply;

	/* Of NODENS_EVENT_AGENT, else 0: see struct nodens_agent_note. */
	uint32_t took_us;
	uint16_t upstream; /* row of PUBLISH_UPSTREAMS plus 1 */
	uint8_t tries;
};

/* What was @passed on, with the reply that came to it: as above. */
void event__replied(struct watch_event *passed, const struct watch_event *reply);

/* @raw: a record, with the @captured bytes that it says it has. All of *out is set. */
void event__decode(const struct nodens_event *raw, struct watch_event *out);

/*
 * Its DNS message, as long as UDP's header says: *len; the first *captured octets of it are there.
 * NULL: it has none, or less than a header of it was captured.
 */
const uint8_t *event__message(const struct nodens_event *raw, size_t *len, size_t *captured);

#endif /* NODENS_WATCH_EVENT_H */
