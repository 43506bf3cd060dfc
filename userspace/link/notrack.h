/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * NOTRACK rules for an address that is served, as a node-cache that was killed leaves them: with
 * them kube-proxy does not translate what passes on to the cluster's DNS, and no answer comes back.
 *
 * Contract: reads the raw table, by nf_tables' netlink and by iptables' getsockopt (no iptables
 * binary is needed), and changes nothing: a table that is not there is not made. Without
 * CAP_NET_ADMIN none is found.
 */
#ifndef NODENS_NOTRACK_H
#define NODENS_NOTRACK_H

#include "link/netns.h"

/*
 * Calls @found for each address and kind of tables ("iptables-nft", "iptables-legacy",
 * "ip6tables-...") that has such rules, with how many.
 */
void notrack__find(const struct served_addr *addrs, int n_addrs,
		   void (*found)(void *ctx, const char *tool, const struct served_addr *addr,
				 int n),
		   void *ctx);

#endif /* NODENS_NOTRACK_H */
