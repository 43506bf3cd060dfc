/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The node's network devices as they come and go (rtnetlink through libmnl).
 *
 * Contract: single-threaded; monitor__dispatch() is called when monitor__fd() is
 * readable. A lost message (ENOBUFS) leads to a new dump, so the picture is
 * always complete in the end. What a call costs does not grow with the number of devices.
 */
#ifndef NODENS_MONITOR_H
#define NODENS_MONITOR_H

#include <stdbool.h>
#include <stdint.h>

struct netdev {
	int ifindex;
	char name[16];
	char kind[16]; /* "veth", "bridge", "" */
	bool up;
	bool foreign_peer; /* veth whose peer is in another namespace (IFLA_LINK_NETNSID) */
	uint8_t mac[6];
};

typedef void monitor_cb(void *ctx, const struct netdev *link, bool gone);

struct monitor;
int monitor__open(monitor_cb *cb, void *ctx, struct monitor **out);
void monitor__close(struct monitor *monitor);
int monitor__fd(const struct monitor *monitor);
/*
 * Calls cb for new, changed and gone devices: until there is nothing more to read, but not much
 * longer than for one, since a callback may take its time and others wait for the event loop.
 */
int monitor__dispatch(struct monitor *monitor);
int monitor__dump(struct monitor *monitor); /* calls cb for all there are */

/*
 * From now on monitor__dispatch() calls @touched for a device that somebody did something to
 * without changing what struct netdev says of it: a qdisc, a filter or an XDP program came or went.
 * A message that was lost is not made up for. -errno: there is no such news here.
 */
int monitor__watch(struct monitor *monitor, void (*touched)(void *ctx, int ifindex));

/* Shell globs, comma-separated; an empty list matches nothing. */
bool glob_list__match(const char *globs, const char *name);

#endif /* NODENS_MONITOR_H */
