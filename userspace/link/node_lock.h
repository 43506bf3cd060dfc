/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * One agent in a network namespace, in whatever mode: programs on devices are known by their names,
 * so a second one would take the first one's.
 *
 * Contract: the lock is a UDP port below 1024 of an address that nobody uses. It is of the network
 * namespace, whichever containers share that, dies with its holder, and is only for who may take
 * port 53 as well (CAP_NET_BIND_SERVICE). Where that is everybody, an agent goes on without a lock
 * that an unprivileged process holds: nobody else can keep an agent from starting.
 */
#ifndef NODENS_NODE_LOCK_H
#define NODENS_NODE_LOCK_H

#include <stdbool.h>

#include "base/error.h"

/*
 * A descriptor to hold, or -EBUSY another agent has it, -EPERM somebody who is no agent, -EACCES no
 * right to such a port, ...
 */
int node_lock__try(void);
/* The same, but waits two seconds for one that is ending. */
int node_lock__take(struct error *err);

/* Does an agent have it? Only looks; false where /proc/net/udp cannot be read. */
bool node_lock__held(void);

#endif /* NODENS_NODE_LOCK_H */
