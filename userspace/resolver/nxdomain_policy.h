/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * NXDOMAIN below: where, above a name that does not exist, nothing exists at all (RFC 8020), so
 * that one entry answers every name below. This module decides which names to ask about and
 * remembers which were seen to exist; asking and storing are the resolver's.
 *
 * Contract: pure but for memory; times are CLOCK_MONOTONIC ns. Made for the names that a pod's
 * search list produces in a cluster's zone (www.example.com.ns.svc.cluster.local): the candidate is
 * the first label below the search suffix. A zone is a cluster's when its server says that svc.ZONE
 * and default.svc.ZONE exist, though they own no records: so a server that breaks RFC 8020 by
 * denying empty non-terminals is told from one that can be believed, and every other zone is left
 * alone.
 */
#ifndef NODENS_NXDOMAIN_POLICY_H
#define NODENS_NXDOMAIN_POLICY_H

#include "config/corefile.h"
#include "dns/msg.h"

struct nx_below;

int nx_below__open(struct nx_below **out);
void nx_below__close(struct nx_below *nx_below);

/* What the resolver knows of one zone; zeroed at first. */
enum nx_zone_state {
	NX_ZONE_UNKNOWN, /* ask the probes */
	NX_ZONE_CLUSTER,
	NX_ZONE_OTHER, /* no cluster's zone, or a server not to be believed */
};

struct nx_zone {
	enum nx_zone_state state;
	unsigned int asking,
		confirmed; /* bits of probes: are being asked; had the result that is wanted */
	bool heard;	   /* the resolver's: its upstreams have answered something */
	uint64_t again_ns; /* not asked again before */
};

/* May @zone be a cluster's at all? Not the root, nothing below arpa. */
bool nx_below__eligible(const struct corefile_zone *zone);
/* Probes: names whose existence tells what a zone is. All are asked at once. */
#define NX_PROBES 2

/* Is it time to ask? Then they count as being asked, until each was heard. */
bool nx_below__probes_due(struct nx_zone *state, uint64_t now);
/* The name of a probe, 0 to NX_PROBES - 1; false: there is no room for it in @zone. */
bool nx_below__probe_name(const struct corefile_zone *zone, unsigned int probe,
			  struct dns_name *name);
/* What came of those that have their bit in @probes: @rcode, or -1 when nobody answered. */
void nx_below__probe_result(struct nx_zone *state, unsigned int probes, int rcode, uint64_t now);

/* @name of @zone exists: for an hour neither it nor a name above it is a candidate. */
void nx_below__exists(struct nx_below *nx_below, const struct corefile_zone *zone,
		      const struct dns_name *name, uint64_t now);

/*
 * @name (lower case) of @zone, a cluster's, does not exist: the name below which nothing exists
 * if it does not exist either, perhaps @name itself. False: none.
 */
bool nx_below__candidate(const struct nx_below *nx_below, const struct corefile_zone *zone,
			 const struct dns_name *name, uint64_t now, struct dns_name *candidate);

#endif /* NODENS_NXDOMAIN_POLICY_H */
