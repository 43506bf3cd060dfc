/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What the plugins that answer without an upstream have in common.
 */
#ifndef NODENS_LOCAL_H
#define NODENS_LOCAL_H

#include "dns/answer.h"
#include "config/corefile_types.h"

struct local_client {
	const struct sockaddr *peer, *local; /* AF_INET or AF_INET6 */
	bool tcp;
};

struct local_query {
	const struct dns_name *qname; /* lower case */
	uint16_t qtype, qclass;
	uint8_t key_flags;		   /* DO and CD */
	const struct local_client *client; /* NULL: nobody in particular asks */
};

enum local_result {
	LOCAL_NEXT,	/* the next plugin is asked */
	LOCAL_ANSWER,	/* this is it */
	LOCAL_SERVFAIL, /* there is none */
};

/* Is the name in one of the zones? @otherwise: what no zones stand for. */
static inline bool local_in_zones(const struct corefile_zones *zones, const struct dns_name *name,
				  bool otherwise)
{
	for (size_t i = 0; i < zones->len; i++) {
		if (zone__contains(zones->list[i].wire, zones->list[i].wire_len, name->wire,
				   name->len))
			return true;
	}
	return !zones->len && otherwise;
}

static inline bool local_falls_through(const struct corefile_fallthrough *fallthrough,
				       const struct dns_name *name)
{
	return fallthrough->on && local_in_zones(&fallthrough->zones, name, true);
}

#endif /* NODENS_LOCAL_H */
