/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The two sides of the private namespace: the node's (netns.c) and its own (netns_inside.c).
 *
 * Contract: functions of the inside run in a thread that is in the namespace.
 */
#ifndef NODENS_NETNS_PRIV_H
#define NODENS_NETNS_PRIV_H

#include <net/ethernet.h>

#include "base/netlink.h"
#include "link/netns.h"

#define ND0	  "nd0"
#define ND1	  "nd1"
#define ND0_ALIAS "nodens: private veth of the agent"

/* Locally administered, fixed: a tool that sees them knows whose they are. */
extern const uint8_t nd0_mac[ETH_ALEN], nd1_mac[ETH_ALEN];

struct netns_inside {
	const struct served_addr *addrs;
	int n_addrs;
	char *note;
	size_t note_size;
	struct error *err;
};

/* nd1 and lo up, the served addresses local, everything else out through nd1. @ctx: netns_inside */
int netns_inside_set_up(void *ctx);

struct netns_socket {
	int family, type;
	uint16_t port;
	int fd;
};

int netns_inside_socket(void *ctx); /* @ctx: netns_socket */

#endif /* NODENS_NETNS_PRIV_H */
