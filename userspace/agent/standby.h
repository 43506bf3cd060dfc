/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A second agent on a node: it waits, with its configuration read and checked, and goes on as soon
 * as the first is gone, however that ended. So two DaemonSets keep a node in DNS while one is
 * upgraded.
 *
 * Contract: meanwhile nothing of the node is touched. Errors are logged.
 */
#ifndef NODENS_STANDBY_H
#define NODENS_STANDBY_H

#include "base/loop.h"

struct standby_config {
	struct loop *loop;
	/* Started as node-cache is: it waits. Else another agent is an error after two seconds. */
	bool waits;
	int (*begin)(void *ctx);     /* another has the lock; -errno: not to be waited for */
	bool (*stopping)(void *ctx); /* told to end */
	void (*tick)(void *ctx);     /* each second */
	void (*end)(void *ctx);
	void *ctx;
};

/*
 * *lock_fd: of this network namespace, to hold; -1 where this process may not have it, and so may
 * not have port 53 either, or where somebody who is no agent holds it. -ECANCELED: told to end
 * meanwhile.
 */
int standby_lock(const struct standby_config *config, int *lock_fd);

#endif /* NODENS_STANDBY_H */
