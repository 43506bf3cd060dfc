/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What flags and Corefile together ask of this node: which addresses are
 * served, what is bound.
 *
 * Contract: pure but for plan__local_addrs(); made and checked before any
 * kernel object is. Errors are one line in struct error.
 */
#ifndef NODENS_PLAN_H
#define NODENS_PLAN_H

#include "config/corefile.h"
#include "config/flags.h"

#define PLAN_MAX_LISTEN 256

struct plan {
	enum agent_mode mode; /* MODE_STEER or MODE_LISTEN */
	const char *why_mode; /* of auto; NULL: it was told */
	/* Answered by the programs, on port 53. */
	struct served_addr served[2 * NODENS_MAX_SERVED];
	int n_served;
	/*
	 * Bound, UDP and TCP. An implied one may fail for want of IPv6; a wide one, which comes
	 * before others of its family and port and makes up for them, may fail altogether.
	 */
	struct plan_listen {
		union sockaddr_any addr;
		bool implied, wide;
	} listen[PLAN_MAX_LISTEN];
	int n_listen;
	bool wildcard; /* every address of this machine is served: plan__local_addrs() */
	/* Something is odd but works; "" if nothing is. */
	char warning[256];
};

int plan__make(const struct run_options *opts, const struct corefile *cf, struct plan *plan,
	       struct error *err);

/* Of a wildcard plan: the machine's own addresses but loopback's, into served. */
int plan__local_addrs(struct plan *plan);

/* Room for the answers of all caches, and for those of hosts and templates besides. */
#define PLAN_STATIC_CAPACITY 16384
void plan__capacity(const struct run_options *opts, const struct corefile *cf,
		    uint32_t capacity[2]);
/* Series to count hits by: one for each server and zone, and the others'. */
uint32_t plan__series(const struct corefile *cf);

/* Does the device hold one of the served addresses? */
bool plan__device_holds(const struct plan *plan, const char *ifname);

#endif /* NODENS_PLAN_H */
