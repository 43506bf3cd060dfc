// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * A second agent on a node. Contract: standby.h.
 */
#include "agent/standby.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "link/node_lock.h"

#define LOOK_US	  50000
#define TICK_LOOK 20 /* looks: a second */

/* @fd as node_lock__try() returns it. */
static int log_failure(int fd)
{
	if (fd < 0)
		log_error("the lock of this network namespace: %s", strerror(-fd));
	return fd;
}

static int wait_for_lock(const struct standby_config *config)
{
	const struct timeval look = { 0, LOOK_US };
	unsigned int looks = 0;
	int fd = -EBUSY;

	while (fd == -EBUSY && !config->stopping(config->ctx)) {
		event_base_loopexit(config->loop->events, &look);
		if (event_base_dispatch(config->loop->events) < 0) {
			log_error("the event loop failed");
			return -EIO;
		}
		if (++looks % TICK_LOOK == 0)
			config->tick(config->ctx);
		fd = node_lock__try();
	}
	if (!config->stopping(config->ctx))
		return log_failure(fd);
	if (fd >= 0)
		close(fd);
	return -ECANCELED;
}

static int stand_by(const struct standby_config *config)
{
	int fd;

	log_info("another nodens agent runs in this network namespace: standing by, to take over "
		 "as soon as it is gone");
	fd = config->begin(config->ctx);
	if (!fd)
		fd = wait_for_lock(config);
	config->end(config->ctx);
	if (fd >= 0)
		log_info("the other agent is gone: taking over");
	return fd;
}

static int lock_or_wait(const struct standby_config *config)
{
	int fd = node_lock__try();

	if (fd == -EBUSY)
		return stand_by(config);
	/* Who may not take the lock may not take port 53 either: what it is for does not arise. */
	return fd == -EACCES || fd == -EPERM ? fd : log_failure(fd);
}

/* Nobody's process keeps a node without DNS. */
static int without_lock(struct error *err)
{
	if (!err->text[0])
		node_lock__take(err);
	log_warn("%s: going on without it; a second agent would take this one's programs off",
		 err->text);
	return 0;
}

int standby_lock(const struct standby_config *config, int *lock_fd)
{
	struct error err = { .text = "" };
	int fd = config->waits ? lock_or_wait(config) : node_lock__take(&err);

	*lock_fd = -1;
	if (fd == -EPERM)
		return without_lock(&err);
	if (config->waits && fd == -EACCES)
		return 0;
	if (fd >= 0)
		*lock_fd = fd;
	else if (!config->waits)
		log_error("%s", err.text);
	return fd < 0 ? fd : 0;
}
