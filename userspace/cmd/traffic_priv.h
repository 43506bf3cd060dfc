/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What the files of traffic.h share.
 */
#ifndef NODENS_TRAFFIC_PRIV_H
#define NODENS_TRAFFIC_PRIV_H

#include <stddef.h>

#include "cmd/look.h"
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

/* What was counted in a span of time: programs' and agent's counters, replies by rcode. */
struct traffic_counts {
	struct publish_base base;
	uint64_t replies[RCODE_COUNT];
};

struct traffic_work {
	struct traffic traffic; /* what others see */
	const struct traffic_options *opts;
	const char *command;
	struct dns_name suffix;
	struct look look;
	struct pinned pinned; /* all NULL without the kernel path */
	uint64_t which;	      /* look__which(), of what it has open */
	struct tally current; /* the interval that is under way */
	struct pods *pods;
	uint64_t pods_read_ns;
	/* sessions: queries, and what the agent has done; both NULL: none. The first is NULL as
	   well where nobody but the agent tells of queries */
	struct session *queries, *agent;
	uint32_t one_in;    /* of queries; 0: hits are counted by slots alone */
	uint64_t lost;	    /* by both, so far */
	uint64_t looked_ns; /* when it last looked whether they are still those of the agent's maps
			     */
	bool saw;	    /* and then they were */
	bool agent_tells;
	struct traffic_client devices[TRAFFIC_DEVICES]; /* where addresses' queries come in */
	uint64_t agent_replies[RCODE_COUNT];		/* so far */
	struct traffic_counts at;			/* as they were read last */
	struct traffic_counts since, all;		/* the interval began; the start */
	struct publish_upstream *upstreams;
	uint32_t n_upstreams;
	uint64_t upstreams_ns;
	uint64_t devices_read_ns;
	/* slots */
	struct slot_hits *hits;
	size_t n_hits;
	bool hits_known;
};

static inline struct traffic_work *work_of(struct traffic *traffic)
{
	return (struct traffic_work *)((char *)traffic - offsetof(struct traffic_work, traffic));
}

/* Is it one that is asked about? */
static inline bool traffic_wants(const struct traffic_work *work, const struct dns_name *name)
{
	return dns_name__within(name, &work->suffix);
}

/* traffic_events.c */
/*
 * With one in so many queries. Else traffic->no_session says why there are none. -errno: the slots,
 * which are needed then, cannot be read; the next reading of them tries again.
 */
int traffic_sessions_open(struct traffic_work *work, uint32_t one_in);
void traffic_sessions_close(struct traffic_work *work);
/* Where they ran out while this process stood still they are opened anew. */
void traffic_sessions_read(struct traffic_work *work);
/* For how long this process stood still since the last call, in nanoseconds. */
uint64_t traffic_sessions_gap(void);
/* Adds to the tallies what they lost since the last call. */
void traffic_sessions_count_lost(struct traffic_work *work);
/* Is @text the client's address, or what traffic__client_text() calls it? */
bool traffic_is_client(struct traffic *traffic, const struct traffic_client *client,
		       const char *text);

/* traffic_search.c: @name, of TRAFFIC_NX, had @n NXDOMAINs for @client, not yet in its who. */
void traffic_search_note(struct tally *tally, struct traffic_name *name,
			 const struct traffic_key *key, const struct traffic_client *client,
			 uint64_t n);
/* Of names that were asked for themselves only later. */
void traffic_search_all(struct tally *tally);

/* traffic_devices.c: what was counted by device since the last reading. */
void traffic_devices_read(struct traffic_work *work);

/* Are hits counted by slots? A pod's are not: slots know no clients. */
static inline bool traffic_by_slots(const struct traffic_work *work)
{
	return work->one_in != 1 && !work->opts->pod && work->look.datapath;
}

/* traffic_slots.c: where hits are counted by slots now and were not, a first reading. -errno. */
int traffic_slots_begin(struct traffic_work *work);
/* Adds to the names what was hit since the last reading. -errno. */
int traffic_slots_read(struct traffic_work *work);

#endif /* NODENS_TRAFFIC_PRIV_H */
