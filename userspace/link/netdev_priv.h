/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What the files that make devices share.
 */
#ifndef NODENS_NETDEV_PRIV_H
#define NODENS_NETDEV_PRIV_H

#include "base/netlink.h"
#include "link/monitor.h"

struct netdev_parsed {
	struct netdev info;
	int peer; /* IFLA_LINK */
	bool veth;
};

/* Of a message about a device; false: it is about something else. */
bool netdev_parse(const struct nlmsghdr *nlh, struct netdev_parsed *out);
/* By name, or by ifindex where @name is NULL, as it is now: 0, -ENODEV, -errno. */
int netdev_get(struct nl *nl, const char *name, int ifindex, struct netdev *out);

/* By name: 0 and its ifindex and alias (@alias_size 0: not asked for), or -ENODEV. */
int netdev_find(struct nl *nl, const char *name, int *ifindex, char *alias, size_t alias_size);

/* Of the device with this ifindex: 0 or -errno. @flags: besides IFF_UP. */
int netdev_set_alias(struct nl *nl, int ifindex, const char *alias);
int netdev_set_up(struct nl *nl, int ifindex, unsigned int flags);
int netdev_delete(struct nl *nl, int ifindex);
/* It makes itself no link-local one. A kernel without IPv6 knows no such attribute, and needs none.
 */
void netdev_no_ipv6_address(struct nl *nl, int ifindex);

/* Writes a sysctl of the calling thread's namespace: 0 or -errno. */
int sysctl_write(const char *path, const char *value);

/* Adds to @note, after a semicolon where there is something. */
void netdev_note(char *note, size_t size, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif /* NODENS_NETDEV_PRIV_H */
