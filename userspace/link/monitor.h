/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The node's network devices as they come and go (rtnetlink through libmnl).
 *
 * Contract: single-threaded; links__dispatch() is called when links__fd() is
 * readable. A lost message (ENOBUFS) leads to a new dump, so the picture is
 * always complete in the end.
 */
#ifndef NODENS_LINKS_H
#define NODENS_LINKS_H

#include <stdbool.h>
#include <stdint.h>

struct link_info {
	int ifindex;
	char name[16];
	char kind[16]; /* "veth", "bridge", "" */
	bool up;
	bool foreign_peer; /* veth whose peer is in another namespace (IFLA_LINK_NETNSID) */
	uint8_t mac[6];
};

typedef void links_cb(void *ctx, const struct link_info *link, bool gone);

struct links;
int links__open(links_cb *cb, void *ctx, struct links **out);
void links__close(struct links *links);
int links__fd(const struct links *links);
int links__dispatch(struct links *links); /* calls cb for each new, changed or gone device */
int links__dump(struct links *links);	  /* calls cb for all there are */

/* Shell globs, comma-separated; an empty list matches nothing. */
bool glob_list__match(const char *globs, const char *name);

#endif /* NODENS_LINKS_H */
