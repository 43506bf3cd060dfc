/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What dummy.c and dummy_route.c share.
 */
#ifndef NODENS_DUMMY_PRIV_H
#define NODENS_DUMMY_PRIV_H

#include "base/netlink.h"
#include "link/netns.h"

/*
 * @addr, which link @ifindex holds, as a destination of this node's own: what goes there has the
 * source that it would have without the link. 1: changed, 0: it was so, or -errno.
 */
int dummy_route(struct nl *nl, int ifindex, const struct served_addr *addr);

#endif /* NODENS_DUMMY_PRIV_H */
