/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Who holds how much of what all clients share: counts by client address, and by the device that
 * the address is behind.
 *
 * Contract: single-threaded. An address is its device's where one is known, so that a pod with many
 * addresses is one client; else an IPv6 address belongs to its /64, which one host may have whole,
 * and an IPv4 address to itself. What is looked through is linear in the number of holders: for
 * tables of a thousand entries.
 */
#ifndef NODENS_SHARE_H
#define NODENS_SHARE_H

#include <stdint.h>
#include <sys/socket.h>

#include "base/list.h"

struct share_key {
	uint32_t device; /* ifindex; 0: none */
	uint8_t addr[16];
};

/* An address; or what it belongs to. */
struct share {
	struct list link;
	struct share *group; /* NULL: it is one */
	struct share_key key;
	unsigned int held;
};

struct shares {
	struct list all;
};

void shares__init(struct shares *shares);
/* One more for @peer. @device: 0 for none. NULL: out of memory. */
struct share *shares__take(struct shares *shares, const struct sockaddr *peer, uint32_t device);
/* One less; the last one frees it. */
void share__give(struct share *share);
/* What its client holds, all its addresses together. */
unsigned int share__client(const struct share *share);
/* The heaviest address of the heaviest client; NULL: nobody holds anything. */
struct share *shares__heaviest(const struct shares *shares);
/* The heaviest address of the client that @share belongs to. */
struct share *shares__heaviest_of(const struct shares *shares, const struct share *share);

#endif /* NODENS_SHARE_H */
