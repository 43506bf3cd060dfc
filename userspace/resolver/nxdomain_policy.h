/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * NXDOMAIN cuts: where, above a name that does not exist, nothing exists at all (RFC 8020), so that
 * one entry answers every name below. This module decides which names to ask about and remembers
 * which were seen to exist; asking and storing are the resolver's.
 *
 * Contract: pure but for memory; times are CLOCK_MONOTONIC ns. Made for the names that a pod's
 * search list produces in a cluster's zone (www.example.com.ns.svc.cluster.local): the candidate is
 * the first label below the search suffix. A zone is a cluster's when its server says that svc.ZONE
 * and default.svc.ZONE exist, though they own no records: so a server that breaks RFC 8020 by
 * denying empty non-terminals is told from one that can be believed, and every other zone is left
 * alone.
 */
#ifndef NODENS_CUTS_H
#define NODENS_CUTS_H

#include "config/corefile.h"
#include "dns/msg.h"

struct cuts;

int cuts__open(struct cuts **out);
void cuts__close(struct cuts *cuts);

/* What the resolver knows of one zone; zeroed at first. */
enum cut_zone_state {
	CUT_ZONE_UNKNOWN, /* ask the witnesses */
	CUT_ZONE_CLUSTER,
	CUT_ZONE_OTHER, /* no cluster's zone, or a server not to be believed */
};

struct cut_zone {
	enum cut_zone_state state;
	unsigned int asking, said; /* bits of witnesses: are being asked; have spoken in favour */
	bool heard;		   /* the resolver's: its upstreams have answered something */
	uint64_t again_ns;	   /* not asked again before */
};

/* May @zone be a cluster's at all? Not the root, nothing below arpa. */
bool cuts__eligible(const struct corefile_zone *zone);
/* Witnesses: names whose existence tells what a zone is. All are asked at once. */
#define CUT_WITNESSES 2

/* Is it time to ask? Then they count as being asked, until each was heard. */
bool cuts__summon(struct cut_zone *state, uint64_t now);
/* The name of a witness, 0 to CUT_WITNESSES - 1; false: there is no room for it in @zone. */
bool cuts__witness(const struct corefile_zone *zone, unsigned int witness, struct dns_name *name);
/* What came of those that have their bit in @witnesses: @rcode, or -1 when nobody answered. */
void cuts__testify(struct cut_zone *state, unsigned int witnesses, int rcode, uint64_t now);

/* @name of @zone exists: it and all above it are not cut for an hour. */
void cuts__exists(struct cuts *cuts, const struct corefile_zone *zone, const struct dns_name *name,
		  uint64_t now);

/*
 * @name (lower case) of @zone, a cluster's, does not exist: the name to cut at if that does not
 * exist either, perhaps @name itself. False: none.
 */
bool cuts__candidate(const struct cuts *cuts, const struct corefile_zone *zone,
		     const struct dns_name *name, uint64_t now, struct dns_name *candidate);

#endif /* NODENS_CUTS_H */
