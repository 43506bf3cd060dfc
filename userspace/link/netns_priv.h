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

/* Runs @fn in a thread of the namespace @fd (-1: in a new one) and returns what it returns. */
int netns_run(int fd, int (*fn)(void *ctx), void *ctx);

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

/* A link by name: 0 and its ifindex and alias, or -ENODEV. */
int netdev_find(struct nl *nl, const char *name, int *ifindex, char *alias, size_t alias_size);

void netns_note(char *note, size_t size, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Writes a sysctl of the calling thread's namespace: 0 or -errno. */
int sysctl_write(const char *path, const char *value);

#endif /* NODENS_NETNS_PRIV_H */
