/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What the files of traffic.h share.
 */
#ifndef NODENS_TRAFFIC_PRIV_H
#define NODENS_TRAFFIC_PRIV_H

#include <stddef.h>

#include "cmd/traffic.h"

#include "watch/session.h"

struct pods;

#define TRAFFIC_DEVICES 4096

#define TRAFFIC_KEY_MAX (2 + DNS_MAX_NAME)

/* A name, and which of it are under way. */
struct traffic_key {
	size_t len;
	uint8_t octets[TRAFFIC_KEY_MAX];
};

void traffic_key__set(struct traffic_key *key, const struct dns_name *name, uint16_t qtype);

/* What the slots' hits were at the last reading, by their places in the index. */
struct slot_hits {
	uint32_t tag; /* of the index' entry; 0: there was none */
	uint32_t hits;
};

struct traffic_work {
	struct traffic traffic; /* what others see */
	const struct traffic_options *opts;
	const char *command;
	struct dns_name suffix;
	struct pinned pinned;
	bool pinned_open;
	struct tally current; /* the interval that is under way */
	struct pods *pods;
	uint64_t pods_read_ns;
	/* sessions: queries, and what the agent has done */
	struct session *queries, *agent;
	uint32_t one_in; /* of queries; 0: no session */
	uint64_t lost;	 /* by both, so far */
	bool agent_tells;
	struct traffic_client devices[TRAFFIC_DEVICES]; /* where addresses' queries come in */
	uint64_t agent_replies[RCODE_COUNT];		/* so far */
	/* at the begin of the interval */
	struct publish_base base;
	uint64_t replies[RCODE_COUNT];
	struct publish_upstream *upstreams;
	uint32_t n_upstreams;
	uint64_t upstreams_ns;
	/* at the start */
	struct publish_base first_base;
	uint64_t first_replies[RCODE_COUNT];
	/* slots */
	struct slot_hits *hits;
	size_t n_hits;
	bool hits_known;
};

static inline struct traffic_work *work_of(struct traffic *traffic)
{
	return (struct traffic_work *)((char *)traffic - offsetof(struct traffic_work, traffic));
}

/* traffic_events.c */
int traffic_sessions_open(struct traffic_work *work);
void traffic_sessions_close(struct traffic_work *work);
/* Where they ran out while this process stood still they are opened anew. */
void traffic_sessions_read(struct traffic_work *work);
/* For how long there were none since the last call, in nanoseconds. */
uint64_t traffic_sessions_gap(void);
uint64_t traffic_sessions_lost(const struct traffic_work *work);
/* Is @text the client's address, or what traffic__client_text() calls it? */
bool traffic_is_client(struct traffic *traffic, const struct traffic_client *client,
		       const char *text);
bool traffic_wants(const struct traffic_work *work, const struct dns_name *name);

/* traffic_slots.c: adds to the names what was hit since the last reading. -errno, said. */
int traffic_slots_read(struct traffic_work *work);

#endif /* NODENS_TRAFFIC_PRIV_H */
