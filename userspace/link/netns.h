/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The agent's private network namespace: nd0 on the node, nd1 inside, every
 * served address local there, sockets for misses inside. No netfilter rule,
 * no route, no sysctl of the node is touched (but nd0's own).
 *
 * Contract: the namespace has no name and lives by the agent's descriptors
 * alone, so a killed agent leaves nothing of it behind. The calling thread
 * never leaves its namespace: threads of a moment's life do what is to be done
 * inside.
 */
#ifndef NODENS_NETNS_H
#define NODENS_NETNS_H

#include <netinet/in.h>

#include "base/error.h"
#include "base/sockaddr.h"
#include "nodens_abi.h"

struct netns;

/* Would it be allowed to make one? 0 or -errno (-EPERM: CAP_SYS_ADMIN is needed). */
int netns__may_open(void);

/*
 * Makes the namespace and the veth pair (removing a stale nd0 of our own).
 * The caller holds the lock of the network namespace (link/node_lock.h). Errors:
 * -EEXIST a foreign nd0, -EINVAL an address that cannot be served, -EPERM.
 */
int netns__open(const struct served_addr *addrs, int n_addrs, struct netns **out,
		struct error *err);
void netns__close(struct netns *netns);
/* What could not be set and does not stop it, for the log; "" if nothing. */
const char *netns__note(const struct netns *netns);

/*
 * A bound socket inside, non-blocking: SOCK_DGRAM (with PKTINFO on; a reply sent with the
 * query's destination as its PKTINFO source leaves with it) or a listening SOCK_STREAM; @port of
 * any address. Returns it or -errno.
 */
int netns__socket(struct netns *netns, int family, int type, uint16_t port);

int netns__bring_up(struct netns *netns);  /* nd0, after somebody took it down */
int netns__nd0(const struct netns *netns); /* ifindex */
void netns__fill_ctl(const struct netns *netns,
		     struct nodens_ctl *ctl); /* nd0, nd1_mac, netns_id */

/* Removes a stale nd0 of our own. 1: removed, 0: none there, -EEXIST: it is not ours. */
int netns__remove_stale(struct error *err);

#endif /* NODENS_NETNS_H */
