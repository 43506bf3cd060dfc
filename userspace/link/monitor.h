/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The node's network devices as they come and go (rtnetlink through libmnl).
 *
 * Contract: single-threaded; monitor__dispatch() is called when monitor__fd() is
 * readable. A lost message (ENOBUFS) leads to a new dump, so the picture is
 * always complete in the end.
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
int monitor__dispatch(struct monitor *monitor); /* calls cb for each new, changed or gone device */
int monitor__dump(struct monitor *monitor);	/* calls cb for all there are */

/* Shell globs, comma-separated; an empty list matches nothing. */
bool glob_list__match(const char *globs, const char *name);

#endif /* NODENS_MONITOR_H */
