/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What the plugins that answer without an upstream have in common.
 */
#ifndef NODENS_PLUGIN_H
#define NODENS_PLUGIN_H

#include "dns/answer.h"
#include "config/corefile_types.h"

struct plugin_client {
	const struct sockaddr *peer, *local; /* AF_INET or AF_INET6 */
	bool tcp;
};

struct plugin_query {
	const struct dns_name *qname; /* lower case */
	uint16_t qtype, qclass;
	uint8_t key_flags;		    /* DO and CD */
	const struct plugin_client *client; /* NULL: nobody in particular asks */
};

enum plugin_result {
	PLUGIN_NEXT,	 /* the next plugin is asked */
	PLUGIN_ANSWER,	 /* this is it */
	PLUGIN_SERVFAIL, /* there is none */
};

/* Is the name in one of the zones? @otherwise: what no zones stand for. */
static inline bool plugin__in_zones(const struct corefile_zones *zones, const struct dns_name *name,
				    bool otherwise)
{
	for (size_t i = 0; i < zones->len; i++) {
		if (zone__contains(zones->list[i].wire, zones->list[i].wire_len, name->wire,
				   name->len))
			return true;
	}
	return !zones->len && otherwise;
}

static inline bool plugin__falls_through(const struct corefile_fallthrough *fallthrough,
					 const struct dns_name *name)
{
	return fallthrough->on && plugin__in_zones(&fallthrough->zones, name, true);
}

#endif /* NODENS_PLUGIN_H */
