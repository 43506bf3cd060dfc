/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Who holds how much of what all clients share: counts by client address, and by the device that
 * the address is behind.
 *
 * Contract: single-threaded. An address is its device's where one is known, so that a pod with many
 * addresses is one client; else an IPv6 address belongs to its /64, which one host may have whole,
 * and an IPv4 address to itself. An entry is there while it holds something: the table is no larger
 * than what is shared.
 */
#ifndef NODENS_SHARE_H
#define NODENS_SHARE_H

#include <stdint.h>
#include <sys/socket.h>

#include "base/hash_map.h"

/* Compared by its octets: unused ones are zero. */
struct share_key {
	uint32_t device; /* ifindex; 0: none */
	uint32_t family;
	uint8_t addr[16];
};

/* An address; or what it belongs to. */
struct share {
	UT_hash_handle hh;
	struct share **map;
	struct share *group; /* NULL: it is one */
	struct share_key key;
	unsigned int held;
};

struct shares {
	struct share *groups, *addrs;
};

void shares__init(struct shares *shares);
/* One more for @peer. @device: 0 for none. NULL: out of memory. */
struct share *shares__take(struct shares *shares, const struct sockaddr *peer, uint32_t device);
/*
 * The same, unless the address holds @limit, or its client (all its addresses together) twice that:
 * -EDQUOT, however much is free, so that one client alone never makes others be turned away.
 * -ENOMEM.
 */
int shares__take_below(struct shares *shares, const struct sockaddr *peer, uint32_t device,
		       unsigned int limit, struct share **out);
/* One less; the last one frees it. NULL: nothing is held. */
void share__give(struct share *share);
/* What its client holds. */
unsigned int share__client(const struct share *share);
/* The heaviest address of the heaviest client; NULL: nobody holds anything. O(holders). */
struct share *shares__heaviest(const struct shares *shares);
/* The heaviest address of the client that @share belongs to. O(holders). */
struct share *shares__heaviest_of(const struct shares *shares, const struct share *share);

#endif /* NODENS_SHARE_H */
