/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * How the kernel would send to an address: whether that is one of this host, from where, by which
 * device.
 *
 * Contract: as netlink.h. What is asked is the kernel's own routing (RTM_GETROUTE), rules included.
 */
#ifndef NODENS_ROUTE_H
#define NODENS_ROUTE_H

#include <stdbool.h>

#include "base/netlink.h"
#include "base/sockaddr.h"

struct route {
	bool local, has_source;
	bool has_gateway;	   /* else the address is on the device's own link */
	int ifindex;		   /* 0: the answer named no device */
	struct served_addr source; /* of the address' family; set where has_source */
};

/* 0 or -errno, also where there is no route (-ENETUNREACH). */
int route__look_up(struct nl *nl, const struct served_addr *addr, struct route *route);

#endif /* NODENS_ROUTE_H */
