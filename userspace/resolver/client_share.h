/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What each client has of what all clients share: places to wait in, and exchanges.
 *
 * Contract: single-threaded. A client is an address, and besides all addresses that came in by one
 * device, where that is known: so a pod gains little by sending from made-up sources. Whoever has
 * its share gets no more, however much is free, so that one client alone never makes the agent turn
 * others away. An entry is there while it holds something: the table is no larger than what is
 * shared.
 */
#ifndef NODENS_CLIENT_SHARE_H
#define NODENS_CLIENT_SHARE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

enum share_of { SHARE_EXCHANGES, SHARE_WAITERS, SHARES };

struct client_shares;
struct client_share;

/* What one holder has: by address, and by device or NULL; all NULL: nothing. */
struct share_held {
	struct client_share *share[2];
};

/* @limit: for one address; a device has twice that. -ENOMEM. */
int client_shares__open(const unsigned int limit[SHARES], struct client_shares **out);
void client_shares__close(struct client_shares *shares); /* nothing is held any more */

/* @device: an ifindex, 0 where it is not known. -EDQUOT: the client has its share; -ENOMEM. */
int client_share__take(struct client_shares *shares, const struct sockaddr *peer, uint32_t device,
		       enum share_of what, struct share_held *held);
/* Of what holds nothing: nothing. */
void client_share__give(struct client_shares *shares, enum share_of what, struct share_held *held);

#endif /* NODENS_CLIENT_SHARE_H */
