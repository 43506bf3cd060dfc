/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What is asked on this node, by name and by client: for `nodens top` and `report`.
 *
 * Contract: reads only, but for its sessions (watch/session.h). Memory is constant, some 7 MB, but
 * for eight bytes a place of the index; lists are watch/heavy.h's, TRAFFIC_LISTS for each of three
 * spans. While fewer than TRAFFIC_EXACT queries a second come every query is seen. Above that one
 * in so many is, drawn at random, and names that the programs answer are counted by their slots
 * instead, which costs a hit nothing. What the agent does is always seen whole. Where the kernel
 * has no rings (before Linux 5.8, or without BTF) there are the slots and what the agent does;
 * without the kernel path that is all that there is.
 */
#ifndef NODENS_TRAFFIC_H
#define NODENS_TRAFFIC_H

#include "cmd/pinned.h"
#include "cmd/status.h"
#include "dns/name.h"
#include "dns/rcode.h"
#include "link/pods.h"
#include "watch/heavy.h"

#define TRAFFIC_EXACT	   10000 /* queries a second */
#define TRAFFIC_ONE_IN_MAX 64

/* A client, as a key: IPv4 as ::ffff:a.b.c.d, and where its queries come in (0: not known). */
struct traffic_client {
	struct in6_addr addr;
	uint32_t ifindex;
};

/* Who asked for a name, most. */
struct traffic_who {
	struct traffic_client client;
	uint64_t n, error;
};

#define TRAFFIC_WHO 4

/* Beside a name of a list. */
struct traffic_name {
	uint64_t nx, kernel; /* of its queries: NXDOMAIN; answered by the programs */
	uint64_t sampled;    /* hits counted by the slot, which draws */
	uint64_t asked;	     /* by the clients in who */
	uint64_t ended, took_us, tries;
	uint32_t slowest_us, ttl_s;
	uint16_t upstream; /* as struct watch_event has it */
	bool has_ttl;
	uint64_t truncated, tcp; /* replies with TC=1; queries by TCP */
	uint16_t records;	 /* the most that a reply had */
	uint16_t search_dots; /* of the name that a search path made it of; 0: that is not known */
	struct traffic_who who[TRAFFIC_WHO];
};

/* With this many ndots, names of as many dots or more are not searched for. */
#define TRAFFIC_NDOTS 2

/* Beside a client. */
struct traffic_use {
	uint64_t nx, kernel;
	/* with traffic_options.search_paths, since the start: NXDOMAINs of names that a search path
	   made; of them, what TRAFFIC_NDOTS saves */
	uint64_t search, saved;
};

enum traffic_list {
	TRAFFIC_NAMES,
	TRAFFIC_NX, /* names, by NXDOMAINs */
	TRAFFIC_CLIENTS,
	TRAFFIC_SLOW,	  /* names, by the microseconds that their misses took in all */
	TRAFFIC_TIMEOUTS, /* names for which an upstream did not answer in time */
	TRAFFIC_LISTS
};

/* A span of time. Names' keys are a type (network order) and a name in lower case, in wire form. */
struct tally {
	struct heavy *lists[TRAFFIC_LISTS];
	struct status_rates rates;  /* exact, of the whole node */
	double rcodes[RCODE_COUNT]; /* replies a second; the agent's where it tells of them */
	uint32_t one_in;	    /* the most of the span; 0: there is no session */
	uint64_t lost;		    /* events */
	uint64_t gap_ns;	    /* of the span, when there were no sessions: it stood still, */
				    /* others had them all, the agent was started anew */
	bool by_slots;
};

struct traffic_upstream {
	struct publish_upstream row;
	double queries, timeouts, failures; /* a second */
};

/* What came in at a device, exactly. */
struct traffic_device {
	uint32_t ifindex;
	char name[16];
	struct status_counts counts; /* rates are the last interval's */
	double tcp;		     /* packets a second */
};

struct traffic_options {
	const char *bpffs, *cni_results;
	const char *pod;	/* NAMESPACE/NAME or address: of its queries alone; NULL: all */
	struct dns_name suffix; /* below it alone; the root: all */
	bool search_paths;	/* to be found out, which costs each NXDOMAIN some look-ups */
};

struct traffic {
	struct tally last, all; /* the last interval; since the start */
	struct traffic_upstream *upstreams;
	size_t n_upstreams;
	struct traffic_device *devices; /* that are counted, the busiest first */
	size_t n_devices;
	char node[64];
	const char *no_session; /* why not all is seen, or NULL */
	const char *in_short;	/* then, what is */
};

/* -1, or an exit status, and it has been said why. */
int traffic__open(const struct traffic_options *opts, const char *command, struct traffic **out);
void traffic__close(struct traffic *traffic);

/* To be called each 100 ms or so: what was seen since. */
void traffic__turn(struct traffic *traffic);
/* An interval is over: it is traffic->last from now on. An exit status, said, or -1. */
int traffic__interval(struct traffic *traffic);
/* Queries of another name alone from here on; all begins anew. */
void traffic__set_suffix(struct traffic *traffic, const struct dns_name *suffix);

/* Printable. @text has DNS_NAME_TEXT; DNS_NAME_TEXT > POD_TEXT. */
uint16_t traffic__name_text(const struct heavy_item *item, char text[DNS_NAME_TEXT]);
const char *traffic__client_text(struct traffic *traffic, const struct traffic_client *client,
				 char text[DNS_NAME_TEXT]);
/* Who asked for it most, and the share of the queries that it had at least; NULL: not known. */
const struct traffic_who *traffic__top_client(const struct traffic_name *name, double *share);
/* The pod behind it, or NULL: not known. */
const char *traffic__device_pod(struct traffic *traffic, const struct traffic_device *device,
				char text[POD_TEXT]);
const struct traffic_upstream *traffic__upstream(const struct traffic *traffic, uint16_t number);

/* Two standard deviations of what is sampled, in queries of the span. */
double traffic__deviation(const struct tally *tally, enum traffic_list list,
			  const struct heavy_item *item);

#endif /* NODENS_TRAFFIC_H */
