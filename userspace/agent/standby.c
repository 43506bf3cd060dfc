// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * A second agent on a node: it waits, with its configuration read and checked, and goes on as soon
 * as the first is gone, however that ended. So two DaemonSets keep a node in DNS while one is
 * upgraded.
 *
 * Contract: agent_priv.h. Meanwhile nothing of the node is touched. /health says OK where its
 * address is free, /ready says why it is not.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "agent_priv.h"
#include "link/node_lock.h"

#define LOOK_US	  50000
#define TICK_LOOK 20 /* looks: a second */

/* @fd as node_lock__try() returns it. */
static int say_error(int fd)
{
	if (fd < 0)
		log_error("the lock of this network namespace: %s", strerror(-fd));
	return fd;
}

static int wait_for_lock(struct agent *agent)
{
	const struct timeval look = { 0, LOOK_US };
	unsigned int looks = 0;
	int fd = -EBUSY;

	while (fd == -EBUSY && !agent->stopping) {
		event_base_loopexit(agent->loop.events, &look);
		if (event_base_dispatch(agent->loop.events) < 0) {
			log_error("the event loop failed");
			return -EIO;
		}
		if (++looks % TICK_LOOK == 0)
			agent_observe__tick(agent, loop__now(&agent->loop));
		fd = node_lock__try();
	}
	if (!agent->stopping)
		return say_error(fd);
	if (fd >= 0)
		close(fd);
	return -ECANCELED;
}

static int stand_by(struct agent *agent, const struct corefile *cf)
{
	int fd;

	log_info(
		"another nodens agent runs in this network namespace: standing by, to take over as "
		"soon as it is gone");
	fd = agent_observe__open(agent);
	if (!fd)
		fd = agent_observe__configure(agent, cf);
	if (!fd)
		fd = wait_for_lock(agent);
	agent_observe__close(agent);
	if (fd >= 0)
		log_info("the other agent is gone: taking over");
	return fd;
}

static int lock_as_node_cache(struct agent *agent, const struct corefile *cf)
{
	int fd = node_lock__try();

	if (fd == -EBUSY)
		return stand_by(agent, cf);
	/* Who may not take the lock may not take port 53 either: what it is for does not arise. */
	return fd == -EACCES ? fd : say_error(fd);
}

int agent_standby__open(struct agent *agent, const struct corefile *cf)
{
	struct error err = { .text = "" };
	int fd;

	if (agent->opts->nodecache) {
		fd = lock_as_node_cache(agent, cf);
		if (fd == -EACCES)
			return 0;
	} else {
		fd = node_lock__take(&err);
		if (fd < 0)
			log_error("%s", err.text);
	}
	if (fd < 0)
		return fd;
	agent->lock_fd = fd;
	return 0;
}
