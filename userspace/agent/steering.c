// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Misses of pods to the agent. Contract: steering.h.
 */
#include "agent/steering.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "datapath/attach.h"

struct steering {
	struct steering_config config;
	struct netns *netns;
	bool on;
	bool nd0_down;	   /* somebody took the way to the private namespace down */
	bool program_lost; /* nd0's program is gone and cannot be put back; that was
			      logged */
};

int steering_open(const struct steering_config *config, struct steering **out)
{
	struct steering *steering = calloc(1, sizeof(*steering));
	struct error err = { .text = "out of memory" };
	int ret = -ENOMEM;

	if (steering) {
		steering->config = *config;
		ret = netns__open(config->addrs, config->n_addrs, &steering->netns, &err);
	}
	if (!ret)
		ret = attach__return(config->datapath, netns__nd0(steering->netns), &err);
	if (ret) {
		log_error("%s", err.text);
		steering_close(steering);
		return ret;
	}
	if (netns__note(steering->netns)[0])
		log_info("nd0: %s", netns__note(steering->netns));
	*out = steering;
	return 0;
}

void steering_close(struct steering *steering)
{
	if (!steering)
		return;
	netns__close(steering->netns);
	free(steering);
}

int steering_nd0(const struct steering *steering)
{
	return netns__nd0(steering->netns);
}

const struct netns *steering_netns(const struct steering *steering)
{
	return steering->netns;
}

int steering_socket(struct steering *steering, int family, int type, uint16_t port)
{
	int fd = netns__socket(steering->netns, family, type, port);

	if (fd < 0)
		log_error("cannot listen in the private namespace: %s", strerror(-fd));
	return fd;
}

bool steering_possible(const struct steering *steering)
{
	return !steering->nd0_down && !steering->program_lost;
}

const char *steering_obstacle(const struct steering *steering)
{
	return steering->nd0_down	? "nd0 is down"
	       : steering->program_lost ? "nd0 lost its program"
					: "";
}

bool steering_on(const struct steering *steering)
{
	return steering->on;
}

void steering_set(struct steering *steering, bool on)
{
	control_steer(steering->config.control, on);
	steering->on = on;
}

/*
 * Network managers take down what they do not know. Without nd0 up a steered
 * query would be lost, and the programs cannot see that: so none is steered
 * until it is up again; without nd0 at all, this agent's namespace is of no
 * use, and the next one makes another.
 */
void steering_on_nd0(struct steering *steering, const struct netdev *info, bool gone)
{
	if (gone) {
		steering_set(steering, false);
		log_error("nd0 was deleted, so no query reaches the agent: leaving");
		steering->config.lost(steering->config.ctx);
		return;
	}
	if (info->up == !steering->nd0_down)
		return;
	steering->nd0_down = !info->up;
	if (info->up) {
		log_info("nd0 is up again");
		return;
	}
	steering_set(steering, false);
	log_warn("nd0 was taken down: not steering until it is up");
	if (netns__bring_up(steering->netns))
		log_warn("nd0 cannot be brought up");
}

void steering_review(struct steering *steering)
{
	struct datapath *dp = steering->config.datapath;
	int nd0 = netns__nd0(steering->netns), ret;
	struct error err = { .text = "" };

	if (attach__return_present(dp, nd0)) {
		steering->program_lost = false;
		return;
	}
	/* without it no answer of the agent finds a client */
	steering_set(steering, false);
	ret = attach__return(dp, nd0, &err);
	if (!ret)
		log_warn("nd0: another program removed nodens' program; attached again");
	else if (!steering->program_lost)
		log_error("nd0: another program removed nodens' program; not steering: %s",
			  err.text);
	steering->program_lost = ret;
}
